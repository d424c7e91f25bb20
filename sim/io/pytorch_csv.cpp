#include "sim/io/pytorch_csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/csv_fields.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/io/step_token.hpp"

namespace pipesim {

namespace {

constexpr std::size_t kMostFaults = 1000;
constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kAllowed =
    "a stage, one of F, B, I, W, SEND_F, RECV_F, SEND_B, RECV_B, UNSHARD, RESHARD and REDUCE_GRAD, "
    "and a microbatch, such as 0F1, or (0F7;7B3)OVERLAP_F_B, or nothing";
constexpr std::string_view kAllowedOfOld =
    "a stage, one of F, B (the input gradient), BW (the full backward), W, SEND_F, RECV_F, SEND_B, "
    "RECV_B, UNSHARD, RESHARD and REDUCE_GRAD, and a microbatch, such as 0F1, or nothing";

struct KindName {
  PytorchActionKind kind;
  std::string_view letters;
};

// In the order of PytorchActionKind.
constexpr std::array<KindName, 11> kKindNames = {{{PytorchActionKind::forward, "F"},
                                                  {PytorchActionKind::backward, "B"},
                                                  {PytorchActionKind::backward_input, "I"},
                                                  {PytorchActionKind::backward_weight, "W"},
                                                  {PytorchActionKind::send_forward, "SEND_F"},
                                                  {PytorchActionKind::receive_forward, "RECV_F"},
                                                  {PytorchActionKind::send_backward, "SEND_B"},
                                                  {PytorchActionKind::receive_backward, "RECV_B"},
                                                  {PytorchActionKind::unshard, "UNSHARD"},
                                                  {PytorchActionKind::reshard, "RESHARD"},
                                                  {PytorchActionKind::reduce_grad, "REDUCE_GRAD"}}};

std::optional<PytorchActionKind> kind_of(std::string_view letters, PytorchB meaning) {
  if (meaning == PytorchB::input_gradient) {
    if (letters == "B") return PytorchActionKind::backward_input;
    if (letters == "BW") return PytorchActionKind::backward;
    if (letters == "I") return std::nullopt;
  }
  const auto* const found =
      std::find_if(kKindNames.begin(), kKindNames.end(),
                   [&](const KindName& known) { return known.letters == letters; });
  return found == kKindNames.end() ? std::nullopt : std::optional(found->kind);
}

std::string_view without_blanks(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(kBlanks), text.size()));
  return text.substr(0, text.find_last_not_of(kBlanks) + 1);
}

/// Splits at the first character that is not one of them.
std::string_view take(std::string_view& text, bool digits) {
  const std::size_t end = digits ? text.find_first_not_of(kDigits) : text.find_first_of(kDigits);
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(taken.size());
  return taken;
}

std::optional<PytorchAction> parse_action(std::string_view text, PytorchB meaning) {
  text = without_blanks(text);
  const auto stage = parse_index(take(text, true));
  const auto kind = kind_of(take(text, false), meaning);
  if (!stage || !kind) return std::nullopt;
  PytorchAction action{.kind = *kind, .stage = Stage{*stage}};
  if (text.empty()) return action;
  const auto microbatch = parse_index(text);
  if (!microbatch) return std::nullopt;
  action.microbatch = Microbatch{*microbatch};
  return action;
}

/// Two actions between parentheses.
std::optional<PytorchCell> parse_pair(std::string_view text, PytorchB meaning) {
  if (!text.ends_with(kPairMark)) return std::nullopt;
  text.remove_suffix(kPairMark.size());
  const std::size_t middle = text.find(';');
  if (middle == std::string_view::npos || !text.ends_with(')')) return std::nullopt;
  const auto first = parse_action(text.substr(1, middle - 1), meaning);
  const auto second = parse_action(text.substr(middle + 1, text.size() - middle - 2), meaning);
  if (!first || !second) return std::nullopt;
  return PytorchCell{.action = first, .overlapped = second};
}

class PytorchReader {
 public:
  PytorchReader(std::string name, std::string_view text, PytorchB meaning)
      : rest_(without_byte_order_mark(text)), meaning_(meaning) {
    file_.name = std::move(name);
  }

  PytorchFile read() {
    while (faults_.size() < kMostFaults && !rest_.empty()) read_row(take_line(rest_));
    if (!faults_.empty()) throw Error(std::move(faults_));
    return std::move(file_);
  }

 private:
  void read_row(std::string_view line) {
    auto& row = file_.ranks.emplace_back();
    if (line.empty()) return;
    for (const CsvField& field : csv_fields(line)) read_cell(row, field.text, field.column);
  }

  void read_cell(std::vector<PytorchCell>& row, std::string_view text, int column) {
    // A row of one idle step is written as "".
    if (text.size() >= 2 && text.starts_with('"') && text.ends_with('"')) {
      text = text.substr(1, text.size() - 2);
    }
    ParsedPytorchCell parsed = parse_pytorch_cell(text, meaning_);
    parsed.cell.column = column;
    row.push_back(parsed.cell);
    if (parsed.what.empty() || faults_.size() == kMostFaults) return;
    const auto line = static_cast<int>(file_.ranks.size());
    faults_.push_back({.place = fmt::format("{}:{}:{}", file_.name, line, column),
                       .line = line,
                       .column = column,
                       .value = std::string(text),
                       .what = fmt::format("rank {}, cell {}: \"{}\" {}", line - 1, row.size(),
                                           abbreviated(text), parsed.what),
                       .allowed = std::move(parsed.allowed)});
  }

  std::string_view rest_;
  PytorchB meaning_;
  PytorchFile file_;
  std::vector<Fault> faults_;
};

}  // namespace

std::string token(const PytorchAction& action) {
  const std::string_view letters = kKindNames[static_cast<std::size_t>(action.kind)].letters;
  return fmt::format("{}{}{}", action.stage.value, letters,
                     action.microbatch ? std::to_string(action.microbatch->value) : "");
}

std::string token(const PytorchCell& cell) {
  if (!cell.action) return "";
  if (!cell.overlapped) return token(*cell.action);
  return fmt::format("({};{}){}", token(*cell.action), token(*cell.overlapped), kPairMark);
}

ParsedPytorchCell parse_pytorch_cell(std::string_view text, PytorchB meaning) {
  text = without_blanks(text);
  if (text.empty()) return {};
  if (text.starts_with('(')) {
    if (const auto pair = parse_pair(text, meaning)) return {.cell = *pair};
    return {.cell = {},
            .what = "is no pair",
            .allowed = fmt::format("two actions that overlap: (0F7;7B3){}", kPairMark)};
  }
  if (const auto action = parse_action(text, meaning)) return {.cell = {.action = action}};
  const bool is_old = meaning == PytorchB::input_gradient;
  return {.cell = {},
          .what = "is no action",
          .allowed = std::string(is_old ? kAllowedOfOld : kAllowed)};
}

PytorchFile parse_pytorch_csv(std::string name, std::string_view text, PytorchB meaning) {
  return PytorchReader(std::move(name), text, meaning).read();
}

std::string pytorch_csv(const PytorchFile& file) {
  std::string text;
  for (const auto& row : file.ranks) {
    bool is_first = true;
    for (const PytorchCell& cell : row) {
      if (!is_first) text += ',';
      text += token(cell);
      is_first = false;
    }
    // An empty line would be a row without a cell.
    if (row.size() == 1 && !row.front().action) text += "\"\"";
    text += "\r\n";
  }
  return text;
}

}  // namespace pipesim
