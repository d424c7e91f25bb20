#include "tools/files.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <set>
#include <string_view>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/ending_signals.hpp"
#include "sim/io/text_file.hpp"
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

std::string rank_trace_name(const OutputConfig& output, std::size_t rank) {
  return fmt::format("rank{}.json{}", rank, output.trace_per_rank_gzip ? ".gz" : "");
}

/// Whether analysers of a directory of traces read it.
bool is_trace_name(const std::string& path) {
  return path.ends_with(".json") || path.ends_with(".gz");
}

constexpr std::string_view kStandardOutput = "/dev/stdout";

/// What all spellings of a path have in common, whether or not there is a file.
fs::path one_spelling(const fs::path& path) {
  std::error_code error;
  return fs::weakly_canonical(fs::absolute(path, error), error);
}

/// Whether both paths lead to one ordinary file, existing or not, or to standard output.
bool same_file(const std::string& left, const std::string& right) {
  std::error_code error;
  if (left == kStandardOutput && right == left) return true;
  if (fs::exists(left, error) && !fs::is_regular_file(left, error)) return false;
  if (fs::equivalent(left, right, error)) return true;
  return one_spelling(link_target(left)) == one_spelling(link_target(right));
}

}  // namespace

ConfigText read_file(const std::string& path) {
  const bool standard_input = path == "-";
  const auto close = [](std::FILE* file) {
    if (file != stdin) std::fclose(file);
  };
  const std::unique_ptr<std::FILE, decltype(close)> file(
      standard_input ? stdin : std::fopen(path.c_str(), "rb"), close);
  FileText read = read_rest(file.get());
  ConfigText result{.name = standard_input ? "<stdin>" : path, .text = std::move(read.text)};
  if (read.fault.empty()) return result;
  throw Error(Fault{.place = path.empty() ? "command line: an empty file name" : result.name,
                    .value = path,
                    .what = fmt::format("cannot be read: {}", read.fault),
                    .allowed = read.allowed});
}

OutputFile result_file(const OutputConfig& output) {
  if (output.file.empty()) return {std::string(kStandardOutput), ""};
  return {output.file, "/output/file"};
}

OutputFile& OutputFiles::open(const std::string& path, const std::string& pointer) {
  return files_.emplace_back(path, pointer);
}

namespace {

// What a handler must know.
std::array<char, PATH_MAX> directory_to_remove{};  // "": none
const EndingHandlers* handlers_of_directory = nullptr;

/// Does only what a handler may.
extern "C" void remove_and_end(int signal) {
  ::rmdir(directory_to_remove.data());
  handlers_of_directory->pass_on(signal);
}

/// The handler, which is told of what will install it before that does.
auto removing(const EndingHandlers& handlers) {
  handlers_of_directory = &handlers;
  return remove_and_end;
}

}  // namespace

MadeDirectory::MadeDirectory(const std::string& path, const std::string& pointer)
    : handlers_(removing(handlers_)) {
  std::error_code error;
  // A signal that comes while the directory is made finds its name.
  const HeldSignals held;
  if (fs::create_directory(path, error)) {
    made_ = path;
    if (path.size() < directory_to_remove.size()) {
      path.copy(directory_to_remove.data(), path.size());
    }
  }
  if (!error) return;
  throw Error(Fault{.pointer = pointer,
                    .value = path,
                    .what = fmt::format("cannot make \"{}\": {}", path, error.message())});
}

MadeDirectory::~MadeDirectory() {
  std::error_code error;
  if (!made_.empty()) fs::remove(made_, error);
  directory_to_remove.fill(0);
}

std::vector<OutputFile*> OutputFiles::open_rank_traces(const OutputConfig& output,
                                                       std::size_t devices) {
  directories_.emplace_back(output.trace_per_rank, "/output/trace_per_rank");
  std::vector<OutputFile*> files;
  files.reserve(devices);
  for (std::size_t rank = 0; rank < devices; ++rank) {
    if (!output.trace_window.shows(Device{rank})) continue;
    files.push_back(&open(fs::path(output.trace_per_rank) / rank_trace_name(output, rank),
                          "/output/trace_per_rank"));
  }
  return files;
}

void OutputFiles::flush() {
  for (OutputFile& file : files_) file.flush();
}

void OutputFiles::commit_after(OutputFile& result) {
  flush();
  result.flush();
  const HeldSignals held;
  result.commit();
  for (OutputFile& file : files_) file.commit();
}

namespace {

[[noreturn]] void fail_rank_directory(const std::string& directory, std::string what,
                                      std::string allowed) {
  throw Error(Fault{.pointer = "/output/trace_per_rank",
                    .value = directory,
                    .what = std::move(what),
                    .allowed = std::move(allowed)});
}

/// The directory of the traces a rank holds nothing else that is read as a trace.
void require_rank_directory(const RunConfig& run, const std::vector<NamedFile>& files) {
  const std::string& directory = run.output.trace_per_rank;
  constexpr std::string_view kAlone = "a directory without other .json and .gz files";
  std::error_code error;
  const auto directory_of = [&](const fs::path& file) {
    return one_spelling(fs::absolute(file, error).parent_path());
  };
  const fs::path place = directory_of(fs::path(directory) / rank_trace_name(run.output, 0));
  for (const NamedFile& file : files) {
    if (!file.path.empty() && one_spelling(file.path) == place) {
      fail_rank_directory(directory,
                          fmt::format("\"{}\" is the file of {} too", directory, file.role),
                          "a directory of its own");
    }
    if (!is_trace_name(file.path) || directory_of(file.path) != place) continue;
    fail_rank_directory(directory,
                        fmt::format("the file of {} is in \"{}\" too", file.role, directory),
                        std::string(kAlone));
  }
  if (!fs::exists(directory, error)) return;
  if (!fs::is_directory(directory, error)) {
    fail_rank_directory(directory, fmt::format("\"{}\" is no directory", directory),
                        "a directory, which is made if there is none");
  }
  std::set<std::string> strangers;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    if (!is_trace_name(entry.path())) continue;
    const std::string name = entry.path().filename();
    if (entry.is_symlink(error)) {
      fail_rank_directory(directory,
                          fmt::format("\"{}\" has \"{}\", which is a link", directory, name),
                          "a directory without links, whose files are written elsewhere");
    }
    strangers.insert(name);
  }
  for (std::int32_t rank = 0; rank < run.p; ++rank) {
    if (!run.output.trace_window.shows(Device{rank})) continue;
    strangers.erase(rank_trace_name(run.output, static_cast<std::size_t>(rank)));
  }
  if (strangers.empty()) return;
  fail_rank_directory(directory,
                      fmt::format("\"{}\" has \"{}\", which is no trace of this run", directory,
                                  *strangers.begin()),
                      std::string(kAlone));
}

}  // namespace

void require_different_files(const Request& request, const RunConfig& run,
                             const std::vector<std::string>& inputs) {
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
  for (const std::string& part : request.sweep.parts) {
    for (const char* const ending : {"", ".sweep"}) files.push_back({"a shard", "", part + ending});
  }
  for (const std::string& input : inputs) files.push_back({"an input", "", input});
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
  if (!request.sweep.out.empty()) {
    for (const char* const ending : {"", ".sweep", ".part", ".part.sweep"}) {
      files.push_back({"--out", "", request.sweep.out + ending, "command line: --out"});
    }
  }
  for (const NamedFile& file : files) {
    if (file.pointer.empty() || file.path != kStandardOutput || !output.file.empty()) continue;
    throw Error(Fault{.pointer = file.pointer,
                      .value = file.path,
                      .what = "the result goes to standard output too",
                      .allowed = "a file of its own, or --output FILE for the result"});
  }
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
  if (!output.trace_per_rank.empty()) require_rank_directory(run, files);
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
