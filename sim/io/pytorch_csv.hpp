// The schedule files of torch.distributed.pipelining (schedules.py: _Action, _dump_csv,
// _load_csv): what stands in them. pytorch_steps.hpp says what it means.
//
// A file has a row for each rank and no header. A cell is an action, `stage TYPE microbatch`, or a
// pair `(0F7;7B3)OVERLAP_F_B`, or empty: a step of time in which the rank is idle.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/types.hpp"

namespace pipesim {

enum class PytorchActionKind : std::uint8_t {
  forward,           ///< F
  backward,          ///< B: the full backward
  backward_input,    ///< I
  backward_weight,   ///< W
  send_forward,      ///< SEND_F, with the sender's stage
  receive_forward,   ///< RECV_F, with the receiver's stage: 3RECV_F1 brings what 2SEND_F1 sends
  send_backward,     ///< SEND_B
  receive_backward,  ///< RECV_B
  unshard,           ///< UNSHARD: a stage's parameters are gathered
  reshard,           ///< RESHARD
  reduce_grad        ///< REDUCE_GRAD, after the last backward of a stage
};

/// Whether a rank computes it; the others follow from those that do.
constexpr bool computes(PytorchActionKind kind) {
  return kind <= PytorchActionKind::backward_weight;
}

constexpr bool communicates(PytorchActionKind kind) {
  return kind >= PytorchActionKind::send_forward && kind <= PytorchActionKind::receive_backward;
}

struct PytorchAction {
  PytorchActionKind kind = PytorchActionKind::forward;
  Stage stage;
  std::optional<Microbatch> microbatch{};  ///< none for the last three kinds

  friend bool operator==(const PytorchAction&, const PytorchAction&) = default;
};

/// "0F1", "2SEND_B0", "3UNSHARD".
std::string token(const PytorchAction& action);

struct PytorchCell {
  std::optional<PytorchAction> action{};      ///< none: idle
  std::optional<PytorchAction> overlapped{};  ///< the second action of a pair
  int column = 0;                             ///< where it was read: 1-based byte of its line
};

/// "0F1", "(0F7;7B3)OVERLAP_F_B" or "".
std::string token(const PytorchCell& cell);

/// A file, row by row: a row is a line. Rows may differ in length.
struct PytorchFile {
  std::string name;                             ///< for messages
  std::vector<std::vector<PytorchCell>> ranks;  ///< by rank
};

/// What B means in a file: old ones have B for the input gradient and BW for the full backward.
enum class PytorchB : std::uint8_t { full_backward, input_gradient };

/// A cell, or why the text is none.
struct ParsedPytorchCell {
  PytorchCell cell;
  std::string what{};     ///< what is wrong, after the cell's text; "" if nothing is
  std::string allowed{};  ///< what would be right
};

/// PyTorch's grammar, without what its matcher lets pass: nothing may follow an action, and only
/// two actions overlap. Blanks around actions say nothing.
ParsedPytorchCell parse_pytorch_cell(std::string_view text, PytorchB meaning);

/// Reads a file. Throws Error (bad input) with the row, the column and the cell of every fault.
PytorchFile parse_pytorch_csv(std::string name, std::string_view text, PytorchB meaning);

/// The bytes that PyTorch writes for the same cells.
std::string pytorch_csv(const PytorchFile& file);

}  // namespace pipesim
