// The recurrence that GPipe and 1F1B are, written by hand for these two: for each stage the time
// from which it is free, and one value for each neighbour.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "tools/bench/anchors/workload.hpp"

namespace bench {

/// Hands the start of every op to `keep`, step after step. It checks nothing and knows no other
/// order.
template <bool kHasLatency, class Keep>
class Recurrence {
 public:
  Recurrence(const Workload& workload, Keep keep)
      : workload_(workload),
        keep_(keep),
        free_(size()),
        activation_(size() + 1),
        gradient_(size() + 1) {}

  /// T_total.
  std::int64_t run() {
    workload_.order == Order::gpipe ? run_gpipe() : run_one_f_one_b();
    return *std::max_element(free_.begin(), free_.end());
  }

 private:
  std::size_t size() const { return static_cast<std::size_t>(workload_.stages); }

  void forward(std::size_t stage) {
    activation_[stage + 1] = run_op(stage, activation_[stage], workload_.forward[stage]);
  }
  void backward(std::size_t stage) {
    gradient_[stage] = run_op(stage, gradient_[stage + 1], workload_.backward[stage]);
  }
  std::int64_t run_op(std::size_t stage, std::int64_t input, std::int64_t duration) {
    const std::int64_t start = std::max(free_[stage], input);
    keep_(start);
    free_[stage] = start + duration;
    return kHasLatency ? free_[stage] + workload_.latency : free_[stage];
  }

  void run_gpipe() {
    for (std::int64_t i = 0; i < workload_.microbatches; ++i) {
      for (std::size_t stage = 0; stage < size(); ++stage) forward(stage);
    }
    for (std::int64_t i = 0; i < workload_.microbatches; ++i) {
      for (std::size_t stage = size(); stage-- > 0;) backward(stage);
    }
  }

  // In step i every stage runs its i-th forward after the warm-up, whose input the stage before has
  // put in the step before, and its i-th backward, whose input the next stage puts in this one.
  void run_one_f_one_b() {
    for (std::size_t warm_up = size() - 1; warm_up > 0; --warm_up) {
      for (std::size_t stage = 0; stage < warm_up; ++stage) forward(stage);
    }
    const auto m = static_cast<std::size_t>(workload_.microbatches);
    const std::size_t steady = m - (size() - 1);
    for (std::size_t i = 0; i < steady; ++i) {
      for (std::size_t stage = size(); stage-- > 0;) {
        forward(stage);
        backward(stage);
      }
    }
    for (std::size_t i = steady; i < m; ++i) {
      for (std::size_t stage = size(); stage-- > 0;) {
        if (i + (size() - 1 - stage) < m) forward(stage);
        backward(stage);
      }
    }
  }

  const Workload& workload_;
  Keep keep_;
  std::vector<std::int64_t> free_;        // by stage
  std::vector<std::int64_t> activation_;  // by stage: when its next input is there
  std::vector<std::int64_t> gradient_;    // by stage: when its last gradient is at the one before
};

/// T_total of the workload.
template <class Keep>
std::int64_t run_recurrence(const Workload& workload, Keep keep) {
  if (workload.latency == 0) return Recurrence<false, Keep>(workload, keep).run();
  return Recurrence<true, Keep>(workload, keep).run();
}

}  // namespace bench
