// pipesim as a process: from its start to its end, and the memory that it takes.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace {

/// What a process took, those included that it waited for.
struct Usage {
  double cpu_seconds = 0;
  double wall_seconds = 0;
  std::int64_t peak_kib = 0;
};

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

/// Runs it without output. Ends this process unless it succeeds.
Usage run(std::vector<std::string> arguments) {
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);

  const auto start = std::chrono::steady_clock::now();
  ::pid_t child = 0;
  const int error = ::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ);
  int status = 0;
  struct rusage usage {};
  const bool is_done = error == 0 && ::wait4(child, &status, 0, &usage) == child && status == 0;
  const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
  ::posix_spawn_file_actions_destroy(&actions);
  if (!is_done) {
    std::fprintf(stderr, "%s failed\n", argv[0]);
    std::_Exit(1);
  }
  return {.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime),
          .wall_seconds = wall.count(),
          .peak_kib = usage.ru_maxrss};
}

/// Registers a benchmark whose time is the CPU time of the process; `points` of a sweep in one run.
void add(const std::string& name, const std::vector<std::string>& arguments, int points = 1) {
  benchmark::RegisterBenchmark(
      name.c_str(),
      [=](benchmark::State& state) {
        double wall = 0;
        std::int64_t peak = 0;
        for (auto _ : state) {
          const Usage usage = run(arguments);
          state.SetIterationTime(usage.cpu_seconds);
          wall += usage.wall_seconds;
          peak = usage.peak_kib;
        }
        state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations()) * points);
        state.counters["wall_seconds"] =
            benchmark::Counter(wall, benchmark::Counter::kAvgIterations);
        state.counters["peak_mib"] = static_cast<double>(peak) / 1024;
      })
      ->UseManualTime()
      ->Unit(benchmark::kMillisecond);
}

std::vector<std::string> metrics(const std::string& schedule, const std::string& stages,
                                 const std::string& microbatches) {
  return {PIPESIM_BINARY, "-p", stages,       "-m",     microbatches,    "--t-f", "2",
          "--t-b",        "4",  "--schedule", schedule, "--metrics-only"};
}

/// A point of a sweep, but for t_b.
const std::string kPoint = "-p 8 -m 64 --t-f 2 --schedule 1f1b";

}  // namespace

int main(int argc, char** argv) {
  add("process/true", {"/bin/true"});
  add("process/hw5_2", {PIPESIM_BINARY, "--config", PIPESIM_SOURCE_DIR "/configs/hw5_2.json"});
  for (const std::string schedule : {"1f1b", "gpipe"}) {
    add("process/" + schedule + "/4x8", metrics(schedule, "4", "8"));
    add("process/" + schedule + "/4096x65536", metrics(schedule, "4096", "65536"));
    add("process/" + schedule + "/1024x1000000000", metrics(schedule, "1024", "1000000000"));
  }
  add("sweep/shell_loop",
      {"/bin/sh", "-c",
       "i=1; while [ $i -le 50 ]; do '" PIPESIM_BINARY "' " + kPoint +
           " --t-b $i --format csv || exit 1; i=$((i + 1)); done"},
      50);
  // So many that the start of the process is nothing beside them.
  for (const std::string format : {"csv", "json"}) {
    add("sweep/one_process/" + format,
        {"/bin/sh", "-c",
         "exec '" PIPESIM_BINARY "' sweep " + kPoint + " --vary t_b=1:20000 --jobs 1 --format " +
             format},
        20'000);
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
