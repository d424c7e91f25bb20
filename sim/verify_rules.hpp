// What a problem asks of every timeline, stated anew for verify_timeline: a fault in what computes
// timelines must not be able to hide here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/problem.hpp"
#include "sim/timeline.hpp"
#include "sim/types.hpp"

namespace pipesim {

/// Whether an op of that kind stands between two training steps.
constexpr bool is_step_end(OpKind kind) { return kind >= OpKind::grad_sync; }

/// Something that does one thing at a time.
struct VerifiedLane {
  enum class Kind : std::uint8_t {
    compute,     ///< of device `first`
    link,        ///< from device `first` to device `second`
    stream,      ///< the communication stream of device `first`
    shared_link  ///< out of node `first`
  };

  Kind kind = Kind::compute;
  std::int32_t first = 0;
  std::int32_t second = 0;

  friend auto operator<=>(const VerifiedLane&, const VerifiedLane&) = default;
};

/// "device 0", "the link from device 0 to 1", "the stream of device 0", "the link of node 0".
std::string text(const VerifiedLane& lane);

/// The lanes that one span stands on, at most three.
class VerifiedLanes {
 public:
  void add(VerifiedLane::Kind kind, std::int32_t first, std::int32_t second = 0) {
    items_[size_++] = {.kind = kind, .first = first, .second = second};
  }
  const VerifiedLane* begin() const { return items_.data(); }
  const VerifiedLane* end() const { return items_.data() + size_; }

 private:
  std::array<VerifiedLane, 3> items_;
  std::size_t size_ = 0;
};

/// The rules of a pipeline for one problem. Ops are those that exist in it; where an op is given
/// as kind B, its gradient may as well be an I. The problem must outlive it.
class VerifiedRules {
 public:
  explicit VerifiedRules(const Problem& problem) : problem_(problem) {}

  /// Whether the op's stage and microbatch exist.
  bool exists(const Op& op) const;

  /// The results that an op needs, each of another op; of a transfer, what it carries. Of those
  /// that a program may leave out (LOAD) all are named.
  using Inputs = std::array<std::optional<Op>, 4>;
  Inputs inputs(const Op& op) const;

  /// Whether results that change the device are carried by tasks of their own.
  bool has_transfers() const;
  /// The transfer of an op's result, where it changes the device.
  std::optional<Op> transfer_of(const Op& producer) const;
  Device receiver(const Op& transfer) const;
  /// From its start to its end.
  Ticks transfer_time(const Op& transfer) const;
  /// From its end until its result is there.
  Ticks arrival_delay(const Op& transfer) const;

  /// What a gradient reduction, an optimizer or a barrier takes.
  Ticks step_end_time(const Op& op) const;

  /// None for a barrier, and for a reduction that runs beside the compute lane.
  VerifiedLanes lanes(const Op& op) const;

 private:
  const Problem& problem_;
};

/// Which ops a timeline must have, and which of its spans each one is.
class SpanOfOp {
 public:
  using SpanIndex = std::uint32_t;
  static constexpr SpanIndex kNotExpected = 0xffffffff;
  static constexpr SpanIndex kMissing = 0xfffffffe;  ///< expected, and not yet set

  explicit SpanOfOp(const Problem& problem);

  // All require an op whose stage and microbatch exist.
  void expect(const Op& op);
  SpanIndex get(const Op& op) const;
  /// Requires an expected op.
  void set(const Op& op, SpanIndex index);

 private:
  static constexpr std::size_t kKinds = 9;

  std::size_t cell(const Op& op) const;

  std::size_t microbatches_;
  std::size_t cells_;
  std::array<std::vector<SpanIndex>, kKinds> rows_;  // by kind; empty if no op is of that kind
};

/// What starts too early between two training steps, where the timeline has such tasks: a gradient
/// reduction before the gradients of its stage are all there, an optimizer before its device's
/// step and reductions (with a barrier those of every device) are over, or a device's next step
/// before its optimizer. Requires a complete timeline with every op on its device.
std::optional<std::string> step_end_violation(const Problem& problem, const Timeline& timeline);

/// The first device, and the op whose start makes it hold more than its limit; what lasts for no
/// time does not count. Messages count where the timeline has their transfers. Requires a complete
/// timeline with every op on its device.
std::optional<std::string> memory_violation(const Problem& problem, const Timeline& timeline);

}  // namespace pipesim
