#include "sim/io/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr std::size_t kBufferBytes = std::size_t{64} * 1024;
constexpr int kLevel = 1;  // higher ones make a trace little smaller and take several times as long
constexpr int kMemoryLevel = 8;
constexpr int kGzipWindowBits = 15 + 16;
constexpr int kUnknownSystem = 255;  // RFC 1952, section 2.3.1

/// zlib counts in 32 bits: as many of the bytes as it takes at once.
std::string_view piece_of(std::string_view bytes) {
  return bytes.substr(0, std::numeric_limits<uInt>::max());
}

void set_input(z_stream& stream, std::string_view piece) {
  stream.next_in = reinterpret_cast<const Bytef*>(piece.data());
  stream.avail_in = static_cast<uInt>(piece.size());
}

void set_output(z_stream& stream, std::vector<char>& buffer) {
  stream.next_out = reinterpret_cast<Bytef*>(buffer.data());
  stream.avail_out = static_cast<uInt>(buffer.size());
}

std::string_view written(const z_stream& stream, const std::vector<char>& buffer) {
  return {buffer.data(), buffer.size() - stream.avail_out};
}

}  // namespace

struct GzipCompressor::Stream {
  Stream() : buffer(kBufferBytes) {
    if (deflateInit2(&state, kLevel, Z_DEFLATED, kGzipWindowBits, kMemoryLevel,
                     Z_DEFAULT_STRATEGY) != Z_OK) {
      throw std::bad_alloc();
    }
    header.os = kUnknownSystem;
    PIPESIM_CHECK(deflateSetHeader(&state, &header) == Z_OK);
  }
  ~Stream() { deflateEnd(&state); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  z_stream state{};
  gz_header header{};
  std::vector<char> buffer;
};

GzipCompressor::GzipCompressor(Sink sink)
    : sink_(std::move(sink)), stream_(std::make_unique<Stream>()) {}

GzipCompressor::~GzipCompressor() = default;

void GzipCompressor::write(std::string_view bytes) {
  PIPESIM_CHECK(stream_ != nullptr);
  while (!bytes.empty()) {
    const std::string_view piece = piece_of(bytes);
    compress(piece, Z_NO_FLUSH);
    bytes.remove_prefix(piece.size());
  }
}

void GzipCompressor::finish() {
  if (!stream_) return;
  compress({}, Z_FINISH);
  stream_.reset();
}

void GzipCompressor::compress(std::string_view bytes, int flush) {
  z_stream& state = stream_->state;
  set_input(state, bytes);
  do {
    set_output(state, stream_->buffer);
    deflate(&state, flush);
    const std::string_view compressed = written(state, stream_->buffer);
    if (!compressed.empty()) sink_(compressed);
  } while (state.avail_out == 0);
}

bool is_gzip(std::string_view bytes) { return bytes.starts_with("\x1f\x8b"); }

namespace {

class Gunzip {
 public:
  Gunzip(std::string_view data, std::size_t most)
      : rest_(data), most_(most), buffer_(kBufferBytes) {
    if (inflateInit2(&state_, kGzipWindowBits) != Z_OK) throw std::bad_alloc();
  }
  ~Gunzip() { inflateEnd(&state_); }
  Gunzip(const Gunzip&) = delete;
  Gunzip& operator=(const Gunzip&) = delete;

  Gunzipped read() {
    Gunzipped result;
    do {
      const int status = read_member(result.bytes);
      if (result.bytes.size() > most_) return result;
      if (status != Z_STREAM_END) {
        const bool is_short = status == Z_OK || status == Z_BUF_ERROR;
        return {.bytes = {},
                .fault = is_short ? "gzip data end too early" : "gzip data are damaged"};
      }
      inflateReset(&state_);
    } while (!rest_.empty());
    return result;
  }

 private:
  // Leaves what follows the member in rest_; the status is Z_STREAM_END if it is whole.
  int read_member(std::string& bytes) {
    int status = Z_OK;
    while (status == Z_OK && !rest_.empty() && bytes.size() <= most_) {
      const std::string_view piece = piece_of(rest_);
      set_input(state_, piece);
      do {
        set_output(state_, buffer_);
        status = inflate(&state_, Z_NO_FLUSH);
        bytes += written(state_, buffer_);
      } while (status == Z_OK && state_.avail_out == 0 && bytes.size() <= most_);
      if (status == Z_MEM_ERROR) throw std::bad_alloc();
      // Nothing to do for want of input is no fault yet.
      if (status == Z_BUF_ERROR) status = Z_OK;
      rest_.remove_prefix(piece.size() - state_.avail_in);
    }
    return status;
  }

  std::string_view rest_;
  std::size_t most_;
  std::vector<char> buffer_;
  z_stream state_{};
};

}  // namespace

Gunzipped gunzip(std::string_view data, std::size_t most) { return Gunzip(data, most).read(); }

}  // namespace pipesim
