// Files that appear whole or not at all.
#pragma once

#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/io/gzip.hpp"

namespace pipesim {

/// Where the symbolic links of a path's last component lead, whether or not there is a file.
std::string link_target(const std::string& path);

/// A file that is written under a temporary name beside its target and renamed by commit(); an
/// existing target keeps its permissions. A file whose name ends in ".gz" is compressed with gzip.
/// The destructor removes what was not committed. A target that is a device, a pipe or an open
/// descriptor (/dev/stdout) is written directly, and a pipe whose reader has gone swallows the
/// rest; a symbolic link is followed. Every failure throws Error (bad input) that names the path
/// and the reason; `pointer` is the config key that the path came from.
class OutputFile {
 public:
  OutputFile(std::string path, std::string pointer);
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  void write(std::string_view bytes);
  /// Makes sure that every byte written so far has arrived. After it a commit() only renames, so
  /// several files can be flushed before the first one is put in its place. Nothing may be written
  /// after it where the file is compressed.
  void flush();
  /// Flushes and puts the file in its place. Nothing may be written after it.
  void commit();

 private:
  void write_bytes(std::string_view bytes);
  int open();
  int open_temporary();
  void require(bool succeeded);
  void discard();
  [[noreturn]] void fail(int error_number);

  std::string path_;
  std::string pointer_;
  std::string target_;     // path_ with symbolic links followed
  std::string temporary_;  // "" while it has no name, and when written directly
  bool is_nameless_ = false;
  std::vector<char> buffer_;
  std::FILE* file_ = nullptr;
  std::optional<GzipCompressor> gzip_;  // none: written as it is
  bool reader_gone_ = false;
};

}  // namespace pipesim
