#include "tools/files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <vector>

#include "sim/error.hpp"
#include "sim/types.hpp"

namespace pipesim {

namespace {

namespace fs = std::filesystem;

struct NamedFile {
  std::string role;     // "the config", "output.trace"
  std::string pointer;  // of the config key, for outputs
  std::string path;
  std::string option{};  // for an output that no config key names
};

/// Whether both paths lead to one ordinary file, existing or not.
bool same_file(const std::string& left, const std::string& right) {
  std::error_code error;
  if (fs::exists(left, error) && !fs::is_regular_file(left, error)) return false;
  if (fs::equivalent(left, right, error)) return true;
  const fs::path resolved_left = fs::weakly_canonical(fs::absolute(left, error), error);
  const fs::path resolved_right = fs::weakly_canonical(fs::absolute(right, error), error);
  return resolved_left == resolved_right;
}

}  // namespace

ConfigText read_file(const std::string& path) {
  const bool standard_input = path == "-";
  ConfigText result{.name = standard_input ? "<stdin>" : path, .text = {}};
  const auto fail = [&] {
    const std::string reason = std::strerror(errno);
    throw Error(Fault{.place = path.empty() ? "command line: an empty file name" : result.name,
                      .value = path,
                      .what = "cannot be read: " + reason});
  };
  const auto close = [](std::FILE* file) {
    if (file != stdin) std::fclose(file);
  };
  const std::unique_ptr<std::FILE, decltype(close)> file(
      standard_input ? stdin : std::fopen(path.c_str(), "rb"), close);
  if (!file) fail();
  std::vector<char> buffer(1 << 16);
  while (const std::size_t got = std::fread(buffer.data(), 1, buffer.size(), file.get())) {
    result.text.append(buffer.data(), got);
  }
  if (std::ferror(file.get()) != 0) fail();
  return result;
}

OutputFile result_file(const OutputConfig& output) {
  if (output.file.empty()) return {"/dev/stdout", ""};
  return {output.file, "/output/file"};
}

OutputFile& OutputFiles::open(const std::string& path, const std::string& pointer) {
  return files_.emplace_back(path, pointer);
}

void OutputFiles::flush() {
  for (OutputFile& file : files_) file.flush();
}

void OutputFiles::commit() {
  for (OutputFile& file : files_) file.commit();
}

void require_different_files(const Request& request, const RunConfig& run) {
  const OutputConfig& output = run.output;
  const std::string config = request.config_file.value_or("");
  if (config == "-" && request.timeline_file == "-") {
    throw Error(Fault{.place = "command line: --timeline",
                      .value = "-",
                      .what = "standard input is the config too",
                      .allowed = "a file for one of them"});
  }
  std::vector<NamedFile> files;
  files.reserve(request.measured.kineto.size() + request.plot.results.size());
  for (const std::string& trace : request.measured.kineto) files.push_back({"a trace", "", trace});
  for (const std::string& results : request.plot.results) {
    files.push_back({"the results", "", results == "-" ? "" : results});
  }
  const std::vector<NamedFile> others = {
      {"the measured times", "", request.measured.csv},
      {"the config", "", config == "-" ? "" : config},
      {"the timeline to check", "", request.timeline_file},
      {"the costs", "", run.costs.file},
      {"the order", "", run.order_file},
      {"output.file", "/output/file", output.file},
      {"output.trace", "/output/trace", output.trace},
      {"output.timeline", "/output/timeline", output.timeline},
      {"output.svg", "/output/svg", output.svg},
      {"output.html", "/output/html", output.html},
      {"--pytorch-csv", "", request.pytorch_csv, "command line: --pytorch-csv"},
      {"--svg", "", request.plot.svg, "command line: --svg"},
      {"--html", "", request.plot.html, "command line: --html"}};
  files.insert(files.end(), others.begin(), others.end());
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      const bool is_output = !files[i].pointer.empty() || !files[i].option.empty();
      if (!is_output || files[i].path.empty() || files[j].path.empty()) continue;
      if (!same_file(files[i].path, files[j].path)) continue;
      throw Error(
          Fault{.place = files[i].option,
                .pointer = files[i].pointer,
                .value = files[i].path,
                .what = fmt::format("\"{}\" is the file of {} too", files[i].path, files[j].role),
                .allowed = "a file of its own"});
    }
  }
}

namespace {

/// "FILE:ROW:COLUMN" of the last cell of a table that is the op with which a fault's text begins;
/// the file where there is none, as in a program.
std::string place_in_order(const std::string& file, const std::string& text, const Fault& fault) {
  const std::string token = fault.what.substr(0, fault.what.find(' '));
  std::string place = file;
  if (!parse_token(token)) return place;
  constexpr std::string_view kSeparators = ",\r\n";
  std::size_t row = 1;
  std::size_t row_begin = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find_first_of(kSeparators, begin), text.size());
    if (std::string_view(text).substr(begin, end - begin) == token) {
      place = fmt::format("{}:{}:{}", file, row, begin - row_begin + 1);
    }
    begin = end + 1;
    if (end < text.size() && text[end] == '\n') {
      ++row;
      row_begin = begin;
    }
  }
  return place;
}

}  // namespace

Error with_order_file(const Error& error, const std::string& file) {
  if (file.empty()) return error;
  const std::string text = read_file(file).text;
  std::vector<Fault> faults = error.faults();
  for (Fault& fault : faults) {
    const bool of_order = fault.pointer == "/schedule" || fault.pointer == "/schedule/order";
    if (!of_order || !fault.place.empty()) continue;
    fault.place = place_in_order(file, text, fault);
    fault.pointer.clear();
  }
  return Error(std::move(faults), error.kind());
}

}  // namespace pipesim
