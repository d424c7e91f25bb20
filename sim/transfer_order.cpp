#include "sim/transfer_order.hpp"

#include <fmt/format.h>

#include <optional>

#include "sim/dependencies.hpp"
#include "sim/error.hpp"

namespace pipesim {

namespace {

Op send_op(const Op& producer) {
  Op send = producer;
  send.kind = role(producer.kind) == Role::forward ? OpKind::send_forward : OpKind::send_backward;
  return send;
}

int next_stage(const Op& send) {
  return send.stage.value + (send.kind == OpKind::send_forward ? 1 : -1);
}

/// The sends that bring an op its inputs from other devices.
std::vector<Op> receives_of(const Problem& problem, const Op& op) {
  std::vector<Op> receives;
  for (const Dependency& needed : data_predecessors(problem, op)) {
    if (problem.device(needed.stage, needed.microbatch) == problem.device(op)) continue;
    const OpKind kind = needed.role == Role::forward ? OpKind::send_forward : OpKind::send_backward;
    receives.push_back({.kind = kind, .stage = needed.stage, .microbatch = needed.microbatch});
  }
  return receives;
}

std::vector<Op> receives_of(const Problem& problem, const Step& step) {
  std::vector<Op> receives = receives_of(problem, step.op);
  if (step.overlapped) {
    for (const Op& receive : receives_of(problem, *step.overlapped)) receives.push_back(receive);
  }
  return receives;
}

/// A set of ops of the problem.
class OpSet {
 public:
  explicit OpSet(const Problem& problem)
      : stages_(static_cast<std::size_t>(problem.stages())),
        microbatches_(static_cast<std::size_t>(problem.microbatches)),
        bits_(kRoles * stages_ * microbatches_) {}

  void add(Role role, Stage stage, Microbatch microbatch) {
    bits_[index(role, stage, microbatch)] = true;
  }
  bool has(Role role, Stage stage, Microbatch microbatch) const {
    return bits_[index(role, stage, microbatch)];
  }

 private:
  std::size_t index(Role role, Stage stage, Microbatch microbatch) const {
    return (static_cast<std::size_t>(role) * stages_ + static_cast<std::size_t>(stage.value)) *
               microbatches_ +
           static_cast<std::size_t>(microbatch.value);
  }

  std::size_t stages_;
  std::size_t microbatches_;
  std::vector<bool> bits_;
};

class EagerPosting {
 public:
  EagerPosting(const Problem& problem, const std::vector<std::vector<Action>>& given)
      : problem_(problem),
        given_(given),
        next_(given.size()),
        done_(problem),
        received_(problem),
        actions_(given.size()) {}

  std::vector<std::vector<Action>> actions() {
    for (bool all_done = false; !all_done;) {
      all_done = true;
      bool any_moved = false;
      for (std::size_t device = 0; device < given_.size(); ++device) {
        if (next_[device] == given_[device].size()) continue;
        all_done = false;
        const Action& action = given_[device][next_[device]];
        const bool computes = action.kind == Action::Kind::compute;
        if (computes && !ready(action.step)) continue;
        actions_[device].push_back(action);
        if (computes) take(action.step, device);
        ++next_[device];
        any_moved = true;
      }
      if (!all_done && !any_moved) fail();
    }
    return std::move(actions_);
  }

 private:
  // What stands on the same device may be a chunk of the same microbatch's way; whether the op's
  // own forward is done is the order's business, not the transfers'.
  bool ready(const Op& op) const {
    for (const Dependency& needed : data_predecessors(problem_, op)) {
      if (needed.stage == op.stage) continue;
      const bool here = problem_.device(needed.stage, needed.microbatch) == problem_.device(op);
      const OpSet& arrived = here ? done_ : received_;
      if (!arrived.has(needed.role, needed.stage, needed.microbatch)) return false;
    }
    return true;
  }
  bool ready(const Step& step) const {
    return ready(step.op) && (!step.overlapped || ready(*step.overlapped));
  }

  void take(const Step& step, std::size_t device) {
    done_.add(role(step.op.kind), step.op.stage, step.op.microbatch);
    if (step.overlapped) {
      done_.add(role(step.overlapped->kind), step.overlapped->stage, step.overlapped->microbatch);
    }
    for (const Op& send : sends_of(problem_, step)) {
      actions_[device].push_back({.kind = Action::Kind::send, .step = {}, .send = send});
      const auto peer = static_cast<std::size_t>(receiver(problem_, send).value);
      actions_[peer].push_back({.kind = Action::Kind::receive, .step = {}, .send = send});
      received_.add(send.kind == OpKind::send_forward ? Role::forward : Role::gradient, send.stage,
                    send.microbatch);
    }
  }

  [[noreturn]] void fail() const {
    std::string text = "deadlock: no device can go on";
    for (std::size_t device = 0; device < given_.size(); ++device) {
      if (next_[device] == given_[device].size()) continue;
      text += fmt::format("\n  device {} waits for an input of {}", device,
                          token(given_[device][next_[device]]));
    }
    throw Error(Fault{.pointer = "/schedule", .what = std::move(text)}, ErrorKind::run_failed);
  }

  const Problem& problem_;
  const std::vector<std::vector<Action>>& given_;
  std::vector<std::size_t> next_;  // by device, in given_
  OpSet done_;
  OpSet received_;  // by producer
  std::vector<std::vector<Action>> actions_;
};

std::vector<std::vector<Action>> just_in_time(const Problem& problem, const Program& program) {
  std::vector<std::vector<Action>> actions;
  for (const LaneOrder& order : program.lanes) {
    auto& of_device = actions.emplace_back();
    for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
      const Step step = cursor.step();
      for (const Op& receive : receives_of(problem, step)) {
        of_device.push_back({.kind = Action::Kind::receive, .step = {}, .send = receive});
      }
      of_device.push_back({.kind = Action::Kind::compute, .step = step, .send = {}});
      for (const Op& send : sends_of(problem, step)) {
        of_device.push_back({.kind = Action::Kind::send, .step = {}, .send = send});
      }
    }
  }
  return actions;
}

}  // namespace

std::string token(const Action& action) {
  switch (action.kind) {
    case Action::Kind::compute:
      return token(action.step);
    case Action::Kind::send:
      return token(action.send);
    case Action::Kind::other:
      return "";
    case Action::Kind::receive:
      break;
  }
  return fmt::format("{}RECV_{}{}", next_stage(action.send),
                     action.send.kind == OpKind::send_forward ? 'F' : 'B',
                     action.send.microbatch.value);
}

std::vector<Op> sends_of(const Problem& problem, const Op& op) {
  for (const Dependency& fed : data_successors(problem, op)) {
    if (fed.stage == op.stage) continue;
    if (problem.device(fed.stage, fed.microbatch) != problem.device(op)) return {send_op(op)};
  }
  return {};
}

std::vector<Op> sends_of(const Problem& problem, const Step& step) {
  std::vector<Op> sends = sends_of(problem, step.op);
  if (step.overlapped) {
    for (const Op& send : sends_of(problem, *step.overlapped)) sends.push_back(send);
  }
  return sends;
}

Device receiver(const Problem& problem, const Op& send) {
  return problem.device(Stage{next_stage(send)}, send.microbatch);
}

std::vector<std::vector<Action>> with_transfers(const Problem& problem, const Program& program,
                                                RecvPosting posting) {
  if (posting == RecvPosting::just_in_time) return just_in_time(problem, program);
  std::vector<std::vector<Action>> actions;
  for (const LaneOrder& order : program.lanes) {
    auto& of_device = actions.emplace_back();
    for (StepCursor cursor(order); !cursor.done(); cursor.advance()) {
      of_device.push_back({.kind = Action::Kind::compute, .step = cursor.step(), .send = {}});
    }
  }
  return post_eagerly(problem, actions);
}

std::vector<std::vector<Action>> post_eagerly(const Problem& problem,
                                              const std::vector<std::vector<Action>>& actions) {
  return EagerPosting(problem, actions).actions();
}

}  // namespace pipesim
