// (b) The recurrence with all starts kept, one array, written from its beginning to its end: the
// best order for memory. It says of no start which op it is.
#ifdef __x86_64__
#include <emmintrin.h>
#endif

#include <cstring>

#include "tools/bench/anchors/anchors.hpp"
#include "tools/bench/anchors/recurrence.hpp"

namespace bench {

std::int64_t step_major(const Workload& workload, Starts& starts) {
  return run_recurrence(workload,
                        [next = starts.data()](std::int64_t start) mutable { *next++ = start; });
}

std::int64_t step_major_nontemporal(const Workload& workload, Starts& starts) {
#ifdef __x86_64__
  const std::int64_t total =
      run_recurrence(workload, [next = starts.data()](std::int64_t start) mutable {
        _mm_stream_si64(reinterpret_cast<long long*>(next++), start);
      });
  _mm_sfence();
  return total;
#else
  return step_major(workload, starts);
#endif
}

void fill(std::vector<std::int64_t>& buffer) {
  std::memset(buffer.data(), 1, buffer.size() * sizeof(std::int64_t));
}

}  // namespace bench
