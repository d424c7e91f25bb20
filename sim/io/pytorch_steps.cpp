#include "sim/io/pytorch_steps.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/io/step_token.hpp"

namespace pipesim {

namespace {

using Kind = PytorchActionKind;

constexpr std::size_t kMostFaults = 1000;

OpKind op_kind(Kind kind) {
  switch (kind) {
    case Kind::backward:
      return OpKind::backward;
    case Kind::backward_input:
      return OpKind::backward_input;
    case Kind::backward_weight:
      return OpKind::backward_weight;
    default:
      return OpKind::forward;
  }
}

Kind action_kind(OpKind kind) {
  switch (kind) {
    case OpKind::backward:
      return Kind::backward;
    case OpKind::backward_input:
      return Kind::backward_input;
    case OpKind::backward_weight:
      return Kind::backward_weight;
    default:
      PIPESIM_CHECK(kind == OpKind::forward);
      return Kind::forward;
  }
}

PytorchAction action_of(const Op& op) {
  return {.kind = action_kind(op.kind), .stage = op.stage, .microbatch = op.microbatch};
}

/// A cell and where it stands.
struct Place {
  std::size_t rank = 0;
  std::size_t index = 0;
  int column = 0;
};

class FaultList {
 public:
  explicit FaultList(const PytorchFile& file) : file_(file) {}

  void add(const Place& place, std::string_view what, std::string allowed) {
    if (faults_.size() == kMostFaults) return;
    const std::string text = token(file_.ranks[place.rank][place.index]);
    const auto line = static_cast<int>(place.rank) + 1;
    faults_.push_back({.place = fmt::format("{}:{}:{}", file_.name, line, place.column),
                       .line = line,
                       .column = place.column,
                       .value = text,
                       .what = fmt::format("rank {}, cell {}: \"{}\" {}", place.rank,
                                           place.index + 1, abbreviated(text), what),
                       .allowed = std::move(allowed)});
  }
  void throw_if_any() {
    if (!faults_.empty()) throw Error(std::move(faults_));
  }

 private:
  const PytorchFile& file_;
  std::vector<Fault> faults_;
};

/// Calls `visit` with the place of every cell.
template <class Visit>
void for_each_cell(const PytorchFile& file, Visit visit) {
  for (std::size_t rank = 0; rank < file.ranks.size(); ++rank) {
    const auto& row = file.ranks[rank];
    for (std::size_t index = 0; index < row.size(); ++index) {
      visit(Place{.rank = rank, .index = index, .column = row[index].column}, row[index]);
    }
  }
}

/// Calls `visit` with the one or two actions of a cell.
template <class Visit>
void for_each_action(const PytorchCell& cell, Visit visit) {
  if (cell.action) visit(*cell.action);
  if (cell.overlapped) visit(*cell.overlapped);
}

/// The direction of a result: activations to the next stage, or gradients to the one before.
enum class Way : std::uint8_t { forward, backward };

Stage next_stage(Stage stage, int by) { return Stage{std::int64_t{stage.value} + by}; }

/// A result that goes from one stage to another.
struct Result {
  Way way = Way::forward;
  Stage from;
  Microbatch microbatch;

  Stage to() const { return next_stage(from, way == Way::forward ? 1 : -1); }
  friend auto operator<=>(const Result&, const Result&) = default;
};

/// The communication of a file against its ops.
class CommunicationCheck {
 public:
  CommunicationCheck(const PytorchFile& file, FaultList& faults)
      : file_(file), faults_(faults), computed_(file.ranks.size()), received_(file.ranks.size()) {}

  void check() {
    for_each_cell(file_, [&](const Place& place, const PytorchCell& cell) {
      for_each_action(cell, [&](const PytorchAction& action) { add_stage(place, action); });
    });
    for_each_cell(file_, [&](const Place& place, const PytorchCell& cell) {
      if (!cell.action) {
        faults_.add(place, "is an idle step", "none in a file with communication");
      }
      for_each_action(cell, [&](const PytorchAction& action) { check_inputs(place, action); });
      for_each_action(cell, [&](const PytorchAction& action) { check_action(place, action); });
    });
    check_order();
  }

 private:
  struct Transfer {
    Result result;
    Place place;
  };
  using RankPair = std::pair<std::size_t, std::size_t>;  // sender, receiver

  void add_stage(const Place& place, const PytorchAction& action) {
    if (!computes(action.kind)) return;
    const auto [found, is_new] = rank_of_.try_emplace(action.stage, place.rank);
    if (!is_new && found->second != place.rank) {
      faults_.add(place, fmt::format("is of a stage that is on rank {} too", found->second),
                  "one rank for each stage where there is communication");
    }
  }

  /// Whether a result leaves its rank. A stage that no op names is on none.
  bool crosses(const Result& result) const {
    const auto from = rank_of_.find(result.from);
    const auto to = rank_of_.find(result.to());
    return from != rank_of_.end() && to != rank_of_.end() && from->second != to->second;
  }

  void check_inputs(const Place& place, const PytorchAction& action) {
    const bool is_forward = action.kind == Kind::forward;
    const bool is_gradient = action.kind == Kind::backward || action.kind == Kind::backward_input;
    if (!is_forward && !is_gradient) return;
    const Result input{.way = is_forward ? Way::forward : Way::backward,
                       .from = next_stage(action.stage, is_forward ? -1 : 1),
                       .microbatch = action.microbatch.value_or(Microbatch{})};
    if (!crosses(input) || received_[place.rank].contains(input)) return;
    const PytorchAction receive{.kind = is_forward ? Kind::receive_forward : Kind::receive_backward,
                                .stage = action.stage,
                                .microbatch = action.microbatch};
    faults_.add(place, fmt::format("comes without a {} before it", token(receive)),
                "a receive of each input that another rank computes");
  }

  void check_action(const Place& place, const PytorchAction& action) {
    const Stage stage = action.stage;
    const Microbatch microbatch = action.microbatch.value_or(Microbatch{});
    switch (action.kind) {
      case Kind::forward:
        computed_[place.rank].insert({Way::forward, stage, microbatch});
        return;
      case Kind::backward:
      case Kind::backward_input:
        computed_[place.rank].insert({Way::backward, stage, microbatch});
        return;
      case Kind::send_forward:
        return check_send(place, {Way::forward, stage, microbatch});
      case Kind::send_backward:
        return check_send(place, {Way::backward, stage, microbatch});
      case Kind::receive_forward:
        return check_receive(place, {Way::forward, next_stage(stage, -1), microbatch});
      case Kind::receive_backward:
        return check_receive(place, {Way::backward, next_stage(stage, 1), microbatch});
      default:
        return;
    }
  }

  bool require_crossing(const Place& place, const Result& result) {
    if (crosses(result)) return true;
    faults_.add(place, "brings nothing from one rank to another",
                fmt::format("communication between stages on different ranks: stages {} and {} "
                            "are not",
                            result.from.value, result.to().value));
    return false;
  }

  void check_send(const Place& place, const Result& result) {
    if (!require_crossing(place, result)) return;
    if (!computed_[place.rank].contains(result)) {
      faults_.add(place, "sends what its rank has not computed",
                  fmt::format("{} of stage {} and microbatch {} before it",
                              result.way == Way::forward ? "the forward" : "the backward",
                              result.from.value, result.microbatch.value));
      return;
    }
    transfers_[{place.rank, rank_of_.at(result.to())}].first.push_back({result, place});
  }

  void check_receive(const Place& place, const Result& result) {
    if (!require_crossing(place, result)) return;
    if (rank_of_.at(result.to()) != place.rank) {
      faults_.add(
          place, fmt::format("is of stage {}", result.to().value),
          fmt::format("stage {} is on rank {}", result.to().value, rank_of_.at(result.to())));
      return;
    }
    if (!received_[place.rank].insert(result).second) {
      faults_.add(place, "stands twice", "each receive once");
      return;
    }
    transfers_[{rank_of_.at(result.from), place.rank}].second.push_back({result, place});
  }

  /// What one rank sends another is received in the same order, each once.
  void check_order() {
    for (const auto& [ranks, both] : transfers_) {
      const auto& [sends, receives] = both;
      const std::size_t common = std::min(sends.size(), receives.size());
      std::size_t same = 0;
      while (same < common && sends[same].result == receives[same].result) ++same;
      if (same < receives.size()) {
        const std::string sent =
            same < sends.size() ? sent_at(sends[same].place) : std::string("nothing more");
        faults_.add(receives[same].place,
                    fmt::format("comes where rank {} sends {}", ranks.first, sent),
                    "sends and receives between two ranks in one order");
      } else if (same < sends.size()) {
        faults_.add(sends[same].place, fmt::format("is not received by rank {}", ranks.second),
                    "a receive for each send");
      }
    }
  }

  std::string sent_at(const Place& place) const {
    return token(file_.ranks[place.rank][place.index]);
  }

  const PytorchFile& file_;
  FaultList& faults_;
  std::map<Stage, std::size_t> rank_of_;
  std::vector<std::set<Result>> computed_;  // by rank, of the cells up to now
  std::vector<std::set<Result>> received_;
  std::map<RankPair, std::pair<std::vector<Transfer>, std::vector<Transfer>>> transfers_;
};

/// The ops of every rank, before anything is known of communication.
class StepReader {
 public:
  StepReader(const PytorchFile& file, FaultList& faults) : file_(file), faults_(faults) {}

  StepOrders read() {
    StepOrders orders(file_.ranks.size());
    for_each_cell(file_, [&](const Place& place, const PytorchCell& cell) {
      for_each_action(cell, [&](const PytorchAction& action) { check(place, action); });
      if (!cell.action) return;
      const Step step = step_of(cell);
      if (step.overlapped) {
        const bool both = computes(cell.action->kind) && computes(cell.overlapped->kind);
        if (!both || !is_pair(step.op, *step.overlapped)) {
          faults_.add(place, kNoPair, std::string(kPairAllowed));
        }
      }
      if (computes(cell.action->kind)) orders[place.rank].push_back(step);
    });
    return orders;
  }

 private:
  void check(const Place& place, const PytorchAction& action) {
    if (action.microbatch || !(computes(action.kind) || communicates(action.kind))) return;
    faults_.add(place, "has no microbatch", "a microbatch after the type, such as 0F1");
  }

  static Step step_of(const PytorchCell& cell) {
    Step step;
    if (cell.action) step.op = op_of(*cell.action);
    if (cell.overlapped) step.overlapped = op_of(*cell.overlapped);
    return step;
  }

  static Op op_of(const PytorchAction& action) {
    return {.kind = op_kind(action.kind),
            .stage = action.stage,
            .microbatch = action.microbatch.value_or(Microbatch{})};
  }

  const PytorchFile& file_;
  FaultList& faults_;
};

bool has_communication(const PytorchFile& file) {
  bool has_any = false;
  for_each_cell(file, [&](const Place&, const PytorchCell& cell) {
    for_each_action(
        cell, [&](const PytorchAction& action) { has_any = has_any || communicates(action.kind); });
  });
  return has_any;
}

}  // namespace

StepOrders step_orders(const PytorchFile& file) {
  FaultList faults(file);
  StepOrders orders = StepReader(file, faults).read();
  faults.throw_if_any();
  if (has_communication(file)) CommunicationCheck(file, faults).check();
  faults.throw_if_any();
  return orders;
}

PytorchCell pytorch_cell(const Step& step) {
  PytorchCell cell{.action = action_of(step.op)};
  if (step.overlapped) cell.overlapped = action_of(*step.overlapped);
  return cell;
}

}  // namespace pipesim
