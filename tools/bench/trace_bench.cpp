// A trace of about a million events, written to nowhere.
#include <benchmark/benchmark.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/io/output_file.hpp"
#include "sim/io/trace.hpp"
#include "tools/bench/anchors/anchors.hpp"
#include "tools/bench/contestants.hpp"

namespace bench {

namespace {

namespace fs = std::filesystem;

/// A directory that is gone at the end.
class Directory {
 public:
  Directory() : path_(fs::temp_directory_path() / ("pipesim-bench-" + std::to_string(::getpid()))) {
    fs::create_directory(path_);
    fs::create_symlink("/dev/null", null_gz());
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  fs::path null_gz() const { return path_ / "null.gz"; }
  fs::path file() const { return path_ / "trace.json"; }

 private:
  fs::path path_;
};

const Directory& directory() {
  static const Directory kOnly;
  return kOnly;
}

struct Traced {
  explicit Traced(const Workload& workload)
      : graph(problem_of(workload), program_of(workload, problem_of(workload))),
        timeline(pipesim::simulate(graph)) {
    for (const pipesim::Span& span : timeline.spans) {
      const bool is_released = span.released_by != pipesim::Span::kNotReleased;
      slices.push_back({.stage = span.op.stage.value,
                        .op = {.is_forward = span.op.kind == pipesim::OpKind::forward,
                               .microbatch = span.op.microbatch.value},
                        .start = span.start.count,
                        .duration = (span.end - span.start).count,
                        .released_by = is_released ? std::int64_t{span.released_by} : -1});
    }
    events = count_events();
  }

  void write(const std::string& path) const {
    pipesim::OutputFile file(path, "");
    pipesim::write_trace(graph, timeline, file);
    file.commit();
  }

  pipesim::TaskGraph graph;
  pipesim::Timeline timeline;
  std::vector<Slice> slices;
  std::int64_t events = 0;  // that pipesim writes

 private:
  /// A line is an event, but for the first and the last.
  std::int64_t count_events() const {
    write(directory().file());
    std::ifstream file(directory().file());
    const auto lines = std::count(std::istreambuf_iterator<char>(file), {}, '\n');
    fs::remove(directory().file());
    return lines - 2;
  }
};

/// Made once.
const Traced& traced(const Workload& workload) {
  static std::map<std::string, Traced> made;
  return made.try_emplace(name(workload), workload).first->second;
}

/// `write` returns how many events it has written.
void add_writer(const std::string& name, const Workload& workload,
                const std::function<std::int64_t(const Traced&)>& write) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
    const Traced& run = traced(workload);
    std::int64_t events = 0;
    for (auto _ : state) events += write(run);
    state.SetItemsProcessed(events);
  })->Unit(benchmark::kMillisecond);
}

void add_traces(std::int64_t stages, std::int64_t microbatches) {
  const Workload workload = equal_stages(Order::one_f_one_b, stages, microbatches);
  const std::string prefix = "trace/" + name(workload) + "/";
  const auto anchor = [](std::int64_t (*write)(const std::vector<Slice>&)) {
    return [=](const Traced& run) {
      benchmark::DoNotOptimize(write(run.slices));
      return static_cast<std::int64_t>(run.slices.size()) * kEventsOfSlice;
    };
  };
  add_writer(prefix + "pipesim", workload, [](const Traced& run) {
    run.write("/dev/null");
    return run.events;
  });
  add_writer(prefix + "pipesim_gz", workload, [](const Traced& run) {
    run.write(directory().null_gz());
    return run.events;
  });
  add_writer(prefix + "fmt", workload, anchor(fmt_trace));
  add_writer(prefix + "nlohmann", workload, anchor(json_trace));
}

}  // namespace

void add_traces() {
  add_traces(8, 64);
  add_traces(64, 2048);
}

}  // namespace bench
