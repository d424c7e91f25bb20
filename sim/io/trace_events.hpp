// The text of a trace's events, written fast: millions of them are.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "sim/io/output_file.hpp"
#include "sim/io/trace_tracks.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// A file of events, through a buffer of its own.
class EventFile {
 public:
  /// The file must outlive it.
  explicit EventFile(OutputFile& file) : file_(file), buffer_(kBufferBytes) {}

  /// Text, integers, and times as microseconds with up to six decimals, one after another.
  template <class... Pieces>
  void add(const Pieces&... pieces) {
    (put(pieces), ...);
  }

  /// Begins an event: `{"ph":"X","pid":3,"tid":0,`, after a comma but for the first.
  void begin_event(char phase, const TraceTrack& track) {
    add(separator_, "\n{\"ph\":\"", phase, "\",\"pid\":", track.device, ",\"tid\":", track.thread,
        ',');
    separator_ = ",";
  }

  void flush() {
    file_.write({buffer_.data(), size_});
    flushed_ += static_cast<std::int64_t>(size_);
    size_ = 0;
  }

  /// So far, in the buffer or written.
  std::int64_t bytes() const { return flushed_ + static_cast<std::int64_t>(size_); }

 private:
  static constexpr std::size_t kBufferBytes = std::size_t{64} * 1024;
  static constexpr std::size_t kMostDigits = 20;  // of 64 bits, with the sign

  void put(char letter) {
    need(1);
    buffer_[size_++] = letter;
  }

  // Of a literal the compiler knows the size.
  template <std::size_t kSize>
  void put(const char (&literal)[kSize]) {
    need(kSize - 1);
    std::memcpy(buffer_.data() + size_, literal, kSize - 1);
    size_ += kSize - 1;
  }

  void put(std::string_view text) {
    need(text.size());
    size_ += text.copy(buffer_.data() + size_, text.size());
  }

  template <std::integral Integer>
  void put(Integer number) {
    need(kMostDigits);
    char* const at = buffer_.data() + size_;
    size_ += static_cast<std::size_t>(std::to_chars(at, at + kMostDigits, number).ptr - at);
  }

  // Requires a time of at least 0.
  void put(Ticks time) {
    constexpr std::int64_t kPerMicrosecond = 1'000'000;
    put(time.count / kPerMicrosecond);
    std::int64_t fraction = time.count % kPerMicrosecond;
    if (fraction == 0) return;
    put('.');
    for (std::int64_t place = kPerMicrosecond / 10; fraction != 0; place /= 10) {
      put(static_cast<char>('0' + fraction / place));
      fraction %= place;
    }
  }

  // Requires no more than the buffer holds.
  void need(std::size_t bytes) {
    if (buffer_.size() - size_ < bytes) flush();
  }

  OutputFile& file_;
  std::vector<char> buffer_;
  std::size_t size_ = 0;
  std::int64_t flushed_ = 0;
  std::string_view separator_;
};

}  // namespace pipesim
