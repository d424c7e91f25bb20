#include "sim/microbatch_order.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace pipesim {

namespace {

constexpr std::int64_t kMostProgressions = 4096;
constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

/// A progression as it stands in the first repetition of the loop around it; in repetition r it is
/// r * stride higher.
struct Part {
  Progression progression;
  std::int64_t stride = 0;
};

using Parts = std::map<OpClass, std::vector<Part>>;

bool continues(const Progression& before, const Progression& next) {
  const std::int64_t stride = before.count > 1 ? before.stride
                              : next.count > 1 ? next.stride
                                               : next.first - before.first;
  return next.first == before.first + stride * before.count &&
         (next.count == 1 || next.stride == stride);
}

void append(std::vector<Part>& parts, const Part& next) {
  if (!parts.empty() && parts.back().stride == next.stride &&
      continues(parts.back().progression, next.progression)) {
    Progression& before = parts.back().progression;
    before.stride = next.progression.first - before.last();
    before.count += next.progression.count;
  } else {
    parts.push_back(next);
  }
}

/// What the parts of a body become in `count` repetitions; false where they become too many.
bool append_repeated(std::vector<Part>& result, const std::vector<Part>& body, std::int64_t count,
                     std::int64_t stride) {
  if (body.size() == 1) {
    const auto& [once, step] = body.front();
    if (count == 1 || once.count == 1 || once.stride * once.count == step) {
      append(result, {.progression = {.first = once.first,
                                      .stride = once.count == 1 ? step : once.stride,
                                      .count = once.count * count},
                      .stride = stride});
      return once.count <= kMost / count;
    }
  }
  if (static_cast<std::int64_t>(body.size()) > kMostProgressions / count) return false;
  for (std::int64_t r = 0; r < count; ++r) {
    for (const Part& part : body) {
      Progression later = part.progression;
      later.first += r * part.stride;
      append(result, {.progression = later, .stride = stride});
    }
  }
  return static_cast<std::int64_t>(result.size()) <= kMostProgressions;
}

/// False where the items become too many progressions.
bool add_items(const Problem& problem, const std::vector<Item>& items, Parts& parts) {
  const auto add_op = [&](const Op& op, std::int64_t stride) {
    const Flow flow = op.microbatch >= Microbatch{} ? problem.flow(op.microbatch) : Flow{0};
    append(parts[{op.kind, op.stage, flow}],
           {.progression = {.first = op.microbatch.value}, .stride = stride});
  };
  for (const Item& item : items) {
    if (item.stride > kMost || item.stride < -kMost) return false;
    const Loop* loop = std::get_if<Loop>(&item.what);
    if (loop == nullptr) {
      for_each_step(item, [&](const Step& step) {
        add_op(step.op, item.stride);
        if (step.overlapped) add_op(*step.overlapped, item.stride);
      });
      continue;
    }
    if (loop->count <= 0) continue;
    if (loop->count > kMost) return false;
    Parts body;
    if (!add_items(problem, loop->body, body)) return false;
    for (const auto& [of_class, once] : body) {
      if (!append_repeated(parts[of_class], once, loop->count, item.stride)) return false;
    }
  }
  return true;
}

}  // namespace

std::optional<MicrobatchOrders> microbatch_orders(const Problem& problem, const LaneOrder& order) {
  Parts parts;
  if (!add_items(problem, order, parts)) return std::nullopt;
  MicrobatchOrders orders;
  for (const auto& [of_class, list] : parts) {
    MicrobatchOrder& result = orders[of_class];
    result.reserve(list.size());
    for (const Part& part : list) result.push_back(part.progression);
  }
  return orders;
}

bool same_order(const MicrobatchOrder& left, const MicrobatchOrder& right) {
  auto a = left.begin();
  auto b = right.begin();
  std::int64_t done_a = 0;  // of *a
  std::int64_t done_b = 0;
  while (a != left.end() && b != right.end()) {
    const std::int64_t both = std::min(a->count - done_a, b->count - done_b);
    if (a->first + done_a * a->stride != b->first + done_b * b->stride) return false;
    if (both > 1 && a->stride != b->stride) return false;
    done_a += both;
    done_b += both;
    if (done_a == a->count) {
      ++a;
      done_a = 0;
    }
    if (done_b == b->count) {
      ++b;
      done_b = 0;
    }
  }
  return a == left.end() && b == right.end();
}

}  // namespace pipesim
