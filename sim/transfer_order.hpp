// Where sends and receives stand between the steps of each device, for the modes in which that
// order decides who waits for whom.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "sim/problem.hpp"
#include "sim/program.hpp"

namespace pipesim {

/// What a device does next: a step of its program, its end of a transfer, or something that needs
/// no input.
struct Action {
  enum class Kind : std::uint8_t { compute, send, receive, other };

  Kind kind = Kind::compute;
  Step step;  ///< for a compute action
  Op send;    ///< for both ends of a transfer: the sender's op
};

/// "2F0", "2SEND_F0", and "3RECV_F0" for the other end of it; "" for others.
std::string token(const Action& action);

/// The sends that an op causes: none, or one to the device of the next stage in its direction if
/// that is another device. Requires a compute kind.
std::vector<Op> sends_of(const Problem& problem, const Op& op);
/// The same for a step: the sends of the forward first.
std::vector<Op> sends_of(const Problem& problem, const Step& step);

/// The device at the other end of a send.
Device receiver(const Problem& problem, const Op& send);

/// The actions of every device. `eager` is PyTorch's rule (torch.distributed.pipelining,
/// _add_send_recv): devices take turns; one whose next step has its inputs (a step of its own
/// before it, or a receive already posted) takes it and posts its send, and the receiver posts the
/// receive at that moment. `just_in_time` posts a receive directly before the step that needs it
/// and a send directly after the step that makes it.
/// Requires a valid program. Throws Error (run failed) if the eager rule finds no device that can
/// go on: then no order of the sends can run the program.
std::vector<std::vector<Action>> with_transfers(const Problem& problem, const Program& program,
                                                RecvPosting posting);

/// The eager rule for devices whose actions are compute steps and others; each takes a turn.
std::vector<std::vector<Action>> post_eagerly(const Problem& problem,
                                              const std::vector<std::vector<Action>>& actions);

}  // namespace pipesim
