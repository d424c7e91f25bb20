// pipesim beside the anchors, in one process. tools/bench/run builds it and runs it.
#include <benchmark/benchmark.h>
#include <malloc.h>

#include "tools/bench/contestants.hpp"

int main(int argc, char** argv) {
  bench::add_timelines();  // measures memory, while there is little
  bench::add_metrics();
  bench::add_schedules();
  bench::add_traces();
  bench::require_agreement();
  // Everybody works in memory that the process has already: a page's first use is the kernel's
  // time, and the same for all.
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, -1);  // never
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
