#include "sim/io/program_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include "sim/io/csv_fields.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/io/step_token.hpp"

namespace pipesim {

namespace {

constexpr std::size_t kMostFaults = 1000;
constexpr std::size_t kDeepestLoop = 64;
constexpr std::size_t kIndent = 2;
constexpr std::int64_t kLongestStride = std::numeric_limits<std::int32_t>::max();
constexpr std::string_view kBlanks = " \t";
constexpr std::string_view kItem = "an op such as 0F0, or repeat 3, each perhaps with step 2";

struct Word {
  std::string_view text;
  int column = 1;
};

std::vector<Word> words_of(std::string_view line) {
  std::vector<Word> words;
  std::size_t begin = line.find_first_not_of(kBlanks);
  while (begin != std::string_view::npos) {
    const std::size_t end = std::min(line.find_first_of(kBlanks, begin), line.size());
    words.push_back({line.substr(begin, end - begin), static_cast<int>(begin) + 1});
    begin = line.find_first_not_of(kBlanks, end);
  }
  return words;
}

std::optional<std::int64_t> parse_integer(std::string_view text) {
  std::int64_t value = 0;
  const char* const last = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), last, value);
  if (error != std::errc{} || stop != last) return std::nullopt;
  return value;
}

class ProgramParser {
 public:
  ProgramParser(std::string_view text, std::int64_t microbatches)
      : rest_(text), microbatches_(microbatches) {}

  ParsedProgram parse() {
    while (parsed_.faults.size() < kMostFaults && !rest_.empty()) {
      ++line_;
      const std::string_view line = take_line(rest_);
      const std::vector<Word> words = words_of(line);
      if (!words.empty() && !words.front().text.starts_with('#')) read_line(line, words);
    }
    leave_loops(0);
    return std::move(parsed_);
  }

 private:
  // The body of a loop that is being read, or a device's order.
  struct Open {
    std::vector<Item>* items;  // stays where it is: nothing is added around it while it is open
    int line;
    bool reads_nothing = false;  // after a fault: what stands in it is judged all the same
  };

  void report(const Word& word, std::string what, std::string allowed) {
    parsed_.faults.push_back({.line = line_,
                              .column = word.column,
                              .value = std::string(word.text),
                              .what = std::move(what),
                              .allowed = std::move(allowed)});
  }

  static std::string shown(const Word& word) {
    return fmt::format("\"{}\"", abbreviated(word.text));
  }

  void read_line(std::string_view line, const std::vector<Word>& words) {
    const Word& first = words.front();
    const auto indent = static_cast<std::size_t>(first.column) - 1;
    if (indent == 0) return read_device({line, 1});
    if (line.find('\t') < indent || indent % kIndent != 0) {
      return report(first, fmt::format("{} is indented by {}", shown(first), indent),
                    fmt::format("{} spaces for each level", kIndent));
    }
    const std::size_t level = indent / kIndent;
    if (level > open_.size()) {
      return report(first, fmt::format("{} is deeper than what stands above it", shown(first)),
                    open_.empty() ? "a line such as device 0 first"
                                  : fmt::format("at most {} spaces here", kIndent * open_.size()));
    }
    leave_loops(level);
    read_item(words);
  }

  void read_device(const Word& line) {
    leave_loops(0);
    const std::string expected = fmt::format("device {}", parsed_.program.lanes.size());
    if (line.text.substr(0, line.text.find_last_not_of(kBlanks) + 1) != expected) {
      report(line, fmt::format("{} where {} should begin", shown(line), expected),
             fmt::format("{}, or two spaces before an op", expected));
    }
    parsed_.program.lanes.emplace_back();
    open_.push_back({.items = &parsed_.program.lanes.back(), .line = line_});
  }

  /// Leaves the loops at and below a level; level 0 is outside of every device.
  void leave_loops(std::size_t level) {
    while (open_.size() > level) {
      const Open& left = open_.back();
      if (open_.size() > 1 && left.items->empty() && !left.reads_nothing) {
        parsed_.faults.push_back({.line = left.line,
                                  .column = static_cast<int>(kIndent * (open_.size() - 1)) + 1,
                                  .value = "repeat",
                                  .what = "\"repeat\" repeats nothing",
                                  .allowed = "lines below it that are indented further"});
      }
      open_.pop_back();
    }
  }

  void read_item(const std::vector<Word>& words) {
    Item item;
    const bool is_loop = words.front().text == "repeat";
    const std::size_t step_at = is_loop ? 2 : 1;
    bool is_good = is_loop ? read_loop(words, item) : read_step(words.front(), item);
    is_good = read_stride(words, step_at, item) && is_good;
    std::vector<Item>& items = *open_.back().items;
    items.push_back(std::move(item));
    if (!is_loop) return;
    if (open_.size() > kDeepestLoop) {
      return report(words.front(), "loops are nested too deep",
                    fmt::format("at most {} levels", kDeepestLoop));
    }
    open_.push_back({.items = &std::get<Loop>(items.back().what).body,
                     .line = line_,
                     .reads_nothing = !is_good});
  }

  bool read_loop(const std::vector<Word>& words, Item& item) {
    Loop loop;
    const Word& count = words[std::min<std::size_t>(1, words.size() - 1)];
    const std::optional<std::int64_t> parsed = parse_integer(count.text);
    loop.count = parsed.value_or(0);
    const bool is_good = loop.count >= 1 && loop.count <= microbatches_;
    if (!is_good) {
      report(count,
             words.size() == 1 ? "repeat without a number"
                               : fmt::format("{} is no number of repetitions here", shown(count)),
             fmt::format("an integer from 1 to {}: each repetition is another microbatch",
                         microbatches_));
    }
    item.what = std::move(loop);
    return is_good;
  }

  bool read_step(const Word& word, Item& item) {
    const ParsedStep parsed = parse_compute_step(word.text);
    item.what = parsed.step;
    if (parsed.what.empty()) return true;
    report(word, fmt::format("{} {}", shown(word), parsed.what),
           std::string(parsed.allowed == kStepTokens ? kItem : parsed.allowed));
    return false;
  }

  /// The words from `at` on: none, or `step` and a stride.
  bool read_stride(const std::vector<Word>& words, std::size_t at, Item& item) {
    if (words.size() <= at) return true;
    if (words[at].text != "step" || words.size() > at + 2) {
      const Word& wrong = words[words[at].text == "step" ? at + 2 : at];
      report(wrong, fmt::format("{} does not belong here", shown(wrong)), std::string(kItem));
      return false;
    }
    const std::optional<std::int64_t> stride =
        words.size() == at + 2 ? parse_integer(words[at + 1].text) : std::nullopt;
    if (!stride || *stride < -kLongestStride || *stride > kLongestStride) {
      const Word& wrong = words.back();
      report(wrong, fmt::format("{} is no stride", shown(wrong)),
             fmt::format("step and an integer from {} to {}", -kLongestStride, kLongestStride));
      return false;
    }
    if (open_.size() == 1) {
      report(words[at], "step outside of every loop", "step only in a loop");
      return false;
    }
    item.stride = *stride;
    return true;
  }

  std::string_view rest_;
  std::int64_t microbatches_;
  ParsedProgram parsed_;
  std::vector<Open> open_;
  int line_ = 0;
};

}  // namespace

bool is_program_text(std::string_view text) {
  constexpr std::string_view kWhite = " \t\r\n";
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(kWhite), text.size()));
    if (!text.starts_with('#')) break;
    text.remove_prefix(std::min(text.find('\n'), text.size()));
  }
  return text.substr(0, text.find_first_of(kWhite)) == "device";
}

ParsedProgram parse_program_text(std::string_view text, std::int64_t microbatches) {
  return ProgramParser(text, microbatches).parse();
}

}  // namespace pipesim
