// The files of one request.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/config.hpp"
#include "sim/io/ending_signals.hpp"
#include "sim/io/output_file.hpp"
#include "tools/driver.hpp"

namespace pipesim {

/// Reads a whole file, uncompressed if it is gzip; "-" is standard input. Throws Error (bad input).
ConfigText read_file(const std::string& path);

/// The result of a command: a file, or standard output where no file is named.
OutputFile result_file(const OutputConfig& output);

/// A directory that is made if there is none, and is gone at the end if nothing is in it then.
/// A signal that ends the process removes it too, as far as it is empty. One at a time.
class MadeDirectory {
 public:
  /// Throws Error (bad input) at the pointer of the config key that names it.
  MadeDirectory(const std::string& path, const std::string& pointer);
  ~MadeDirectory();
  MadeDirectory(const MadeDirectory&) = delete;
  MadeDirectory& operator=(const MadeDirectory&) = delete;

 private:
  EndingHandlers handlers_;
  std::string made_;  // "" if it was there
};

/// The files that a run writes beside its result.
class OutputFiles {
 public:
  /// As OutputFile's constructor. The reference holds as long as this.
  OutputFile& open(const std::string& path, const std::string& pointer);
  /// A trace for each device that the window shows, in output.trace_per_rank.
  std::vector<OutputFile*> open_rank_traces(const OutputConfig& output, std::size_t devices);
  /// A full disk is found here, before anything appears in its place.
  void flush();
  /// Puts the result and then all files in their places; a signal that would end the process waits
  /// until all are there. The result is flushed before.
  void commit_after(OutputFile& result);

 private:
  std::deque<MadeDirectory> directories_;  // outlive what is in them
  std::deque<OutputFile> files_;
};

/// Throws Error (bad input) if one file is both read and written, or written twice: whatever the
/// spelling of its path, one would be lost. Devices and pipes may be named twice. Standard input
/// can be read once. The directory of the traces a rank may hold no other .json and .gz files, for
/// an analyser reads those too. `inputs` are read beside those that request and config name.
void require_different_files(const Request& request, const RunConfig& config,
                             const std::vector<std::string>& inputs = {});

/// What is wrong with an order that was read from a file, as a fault of that file, with the row and
/// the column of the cell that it names where there is one. "" is no file.
Error with_order_file(const Error& error, const std::string& file);

}  // namespace pipesim
