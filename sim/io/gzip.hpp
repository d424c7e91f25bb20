// gzip, as outputs are written and inputs are read.
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <string_view>

namespace pipesim {

/// Compresses bytes as they come and hands the compressed ones on. The same bytes, in whatever
/// pieces, become the same compressed bytes: there is no time, no name and no operating system in
/// them, though another version of zlib may compress otherwise.
class GzipCompressor {
 public:
  using Sink = std::function<void(std::string_view)>;

  explicit GzipCompressor(Sink sink);
  ~GzipCompressor();
  GzipCompressor(const GzipCompressor&) = delete;
  GzipCompressor& operator=(const GzipCompressor&) = delete;

  /// Requires that finish() was not called.
  void write(std::string_view bytes);
  /// Hands on what is left. A second call does nothing.
  void finish();

 private:
  struct Stream;
  void compress(std::string_view bytes, int flush);

  Sink sink_;
  std::unique_ptr<Stream> stream_;  // none once it is finished
};

/// Whether the bytes begin as gzip data do, which no text does.
bool is_gzip(std::string_view bytes);

/// What gzip data hold, or why they cannot be read.
struct Gunzipped {
  std::string bytes;
  std::string_view fault;  ///< "" if the data are whole
};

/// All members of the data, one after another, as gunzip gives them (RFC 1952, section 2.2). Stops
/// soon after more than `most` bytes, which the result then has.
Gunzipped gunzip(std::string_view data, std::size_t most = std::numeric_limits<std::size_t>::max());

}  // namespace pipesim
