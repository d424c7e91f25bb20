#include "sim/layer_split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <tuple>

#include "sim/error.hpp"

namespace pipesim {

namespace {

constexpr std::size_t kMostItems = 1 << 20;

/// A letter of a layout without repetitions, and the character that it comes from.
struct LayoutItem {
  char letter;
  std::size_t at;
};

class LayoutParser {
 public:
  LayoutParser(std::string_view text, const std::string& pointer)
      : text_(text), pointer_(pointer) {}

  LayerLayout read() {
    const std::vector<LayoutItem> items = group(0, 0);
    return stages_of(items);
  }

 private:
  [[noreturn]] void fail(std::size_t at, const std::string& what, std::string allowed) const {
    throw Error(Fault{.pointer = pointer_,
                      .what = fmt::format("character {}: {}", at, what),
                      .allowed = std::move(allowed)});
  }

  /// To the end of the text, or to the parenthesis that closes what opened at that character.
  std::vector<LayoutItem> group(std::size_t opened_at, int depth) {
    constexpr int kDeepest = 16;
    if (depth > kDeepest) {
      fail(opened_at, "too many parentheses in each other", fmt::format("at most {}", kDeepest));
    }
    std::vector<LayoutItem> items;
    while (next_ < text_.size()) {
      const char c = text_[next_++];
      const std::size_t at = next_;
      if (c == ' ' || c == ',') continue;
      if (c == ')' && opened_at > 0) return items;
      std::vector<LayoutItem> repeated;
      if (c == '(') {
        repeated = group(at, depth + 1);
      } else if (std::string_view("EtL|").find(c) != std::string_view::npos) {
        repeated.push_back({c, at});
      } else {
        fail(at, fmt::format("'{}' is no part of a layout", c),
             "E, t, L, |, groups in parentheses, and *n behind one of them");
      }
      append(items, repeated, take_count(), at);
    }
    if (opened_at > 0) fail(opened_at, "'(' is not closed", "a ) for each (");
    return items;
  }

  std::size_t take_count() {
    if (next_ >= text_.size() || text_[next_] != '*') return 1;
    const std::size_t at = ++next_;
    std::size_t count = 0;
    const char* const end = text_.data() + text_.size();
    const auto [stop, error] = std::from_chars(text_.data() + next_, end, count);
    if (error != std::errc{} || count == 0 || count > kMostItems) {
      const std::string_view digits(text_.data() + next_,
                                    static_cast<std::size_t>(stop - (text_.data() + next_)));
      fail(at, digits.empty() ? "'*' without a count" : fmt::format("a count of {}", digits),
           fmt::format("an integer from 1 to {}", kMostItems));
    }
    next_ = static_cast<std::size_t>(stop - text_.data());
    return count;
  }

  void append(std::vector<LayoutItem>& items, const std::vector<LayoutItem>& repeated,
              std::size_t count, std::size_t at) const {
    if (count * repeated.size() > kMostItems - items.size()) {
      fail(at, "too many layers and stages", fmt::format("at most {} of both", kMostItems));
    }
    for (std::size_t i = 0; i < count; ++i) {
      items.insert(items.end(), repeated.begin(), repeated.end());
    }
  }

  LayerLayout stages_of(const std::vector<LayoutItem>& items) const {
    LayerLayout layout;
    layout.layers = {0};
    layout.stage_at = {1};
    layout.end = text_.size() + 1;
    if (items.empty() || items.front().letter != 'E') {
      fail(items.empty() ? 1 : items.front().at, "the layout does not begin with E",
           "the embedding E in front of the first layer, once");
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto [letter, at] = items[i];
      if (letter == 'E' && i > 0) fail(at, "a second E", "the embedding E at the beginning only");
      if (letter == 'L' && i + 1 < items.size()) {
        fail(at, "L is not the last", "head and loss L at the end only");
      }
      if (letter == 't') {
        ++layout.layers.back();
        layout.layer_at.push_back(at);
      } else if (letter == '|') {
        layout.layers.push_back(0);
        layout.stage_at.push_back(at);
      }
    }
    if (items.back().letter != 'L') {
      fail(layout.end, "the layout does not end with L", "head and loss L behind the last layer");
    }
    return layout;
  }

  std::string_view text_;
  const std::string& pointer_;
  std::size_t next_ = 0;
};

}  // namespace

LayerLayout parse_layer_layout(std::string_view text, const std::string& pointer) {
  return LayoutParser(text, pointer).read();
}

std::vector<std::int32_t> balanced_layers(std::int64_t layers, const Placement& placement,
                                          const PartTimes& times) {
  const auto stages = static_cast<std::size_t>(placement.stages());
  PIPESIM_CHECK(layers >= static_cast<std::int64_t>(stages));
  std::int32_t devices = 0;
  for (const auto& flow : placement.device_of) {
    for (const Device device : flow) devices = std::max(devices, device.value + 1);
  }
  std::vector<Int128> load(static_cast<std::size_t>(devices));
  const auto add = [&](std::size_t stage, Ticks time) {
    for (const auto& flow : placement.device_of) {
      load[static_cast<std::size_t>(flow[stage].value)] += time.count;
    }
  };
  add(0, times.embedding);
  add(stages - 1, times.head);
  std::vector<std::int32_t> result(stages);
  // All layers are equal, so the next one goes where the least load comes out. A stage may be on
  // one device in both flows, which then computes it twice.
  const auto weight = [&](std::size_t stage) {
    add(stage, times.layer);
    Int128 highest = 0;
    for (const auto& flow : placement.device_of) {
      highest = std::max(highest, load[static_cast<std::size_t>(flow[stage].value)]);
    }
    add(stage, Ticks{-times.layer.count});
    return std::tuple(highest, result[stage], stage);
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    auto lightest = weight(0);
    for (std::size_t stage = 1; stage < stages; ++stage) {
      lightest = std::min(lightest, weight(stage));
    }
    const std::size_t stage = std::get<2>(lightest);
    ++result[stage];
    add(stage, times.layer);
  }
  return result;
}

}  // namespace pipesim
