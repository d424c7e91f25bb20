// (a) T_total of GPipe and 1F1B by their recurrence, one op after another. CMakeLists.txt compiles
// it without vectorisation. It keeps p values and no result but T_total; it knows these two orders
// only, checks neither them nor overflow, and has no metrics.
#include "tools/bench/anchors/anchors.hpp"
#include "tools/bench/anchors/recurrence.hpp"

namespace bench {

std::int64_t scalar_stream(const Workload& workload) {
  return run_recurrence(workload, [](std::int64_t) {});
}

}  // namespace bench
