#include "sim/io/terminal_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <numeric>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/palette.hpp"

namespace pipesim {

namespace {

constexpr char kWaits = '~';
constexpr char kContinues = '.';

/// Columns and the times that they stand for.
struct Columns {
  Ticks from;
  Ticks to;
  std::int32_t count = 0;

  Int128 span() const { return Int128{to.count} - from.count; }
  /// The first column whose middle is not before that time: [column(start), column(end)) are those
  /// in whose middles [start, end) is under way.
  std::int32_t column(Ticks time) const {
    const Int128 offset = Int128{std::clamp(time, from, to).count} - from.count;
    return static_cast<std::int32_t>((2 * offset * count + span() - 1) / (2 * span()));
  }
};

/// The common measure of all times that the pictures show; the axis' ends among them.
std::int64_t common_measure(std::span<const Picture* const> pictures, Ticks from, Ticks to) {
  std::int64_t measure = to.count - from.count;
  const auto add = [&](Ticks time) {
    if (from < time && time < to) measure = std::gcd(measure, time.count - from.count);
  };
  for (const Picture* picture : pictures) {
    for (const PictureRow& row : picture->rows) {
      for (const Block& block : row.blocks) {
        add(block.start);
        add(block.end);
      }
    }
  }
  return measure;
}

Columns columns_of(std::span<const Picture* const> pictures, std::int32_t room) {
  Columns columns{.from = pictures.front()->from, .to = pictures.front()->to, .count = room};
  for (const Picture* picture : pictures) columns.to = std::max(columns.to, picture->to);
  const std::int64_t parts =
      (columns.to.count - columns.from.count) / common_measure(pictures, columns.from, columns.to);
  if (parts <= room) columns.count = static_cast<std::int32_t>(room / parts * parts);
  return columns;
}

/// What stands in the cells of a row.
struct Cell {
  char text = ' ';
  std::optional<Paint> paint{};
};

std::string colour_codes(const Paint& paint, TerminalColour kind) {
  const auto code = [kind](int layer, Colour colour) {
    if (kind == TerminalColour::true_colour) {
      return fmt::format("{};2;{};{};{}", layer, colour.red, colour.green, colour.blue);
    }
    // The cube of 6 * 6 * 6 colours begins at 16; its steps are 0, 95, 135, ... 255.
    const auto step = [](int channel) {
      return channel < 48 ? 0 : std::max(1, (channel - 35) / 40);
    };
    return fmt::format("{};5;{}", layer,
                       16 + 36 * step(colour.red) + 6 * step(colour.green) + step(colour.blue));
  };
  return fmt::format("\x1b[{};{}m", code(38, paint.text), code(48, paint.fill));
}

/// The fill a fifth of the way further from the colour of the text.
Paint stronger(Paint paint) {
  const bool is_light_text = paint.text.green > 127;
  const auto moved = [&](std::uint8_t channel) {
    const int end = is_light_text ? 0 : 255;
    return static_cast<std::uint8_t>(channel + (end - channel) / 5);
  };
  paint.fill = {moved(paint.fill.red), moved(paint.fill.green), moved(paint.fill.blue)};
  return paint;
}

class TerminalPicture {
 public:
  TerminalPicture(std::span<const Picture* const> pictures, const TerminalStyle& style)
      : pictures_(pictures), style_(style) {
    std::int32_t last_device = 0;
    for (const Picture* picture : pictures) {
      for (const PictureRow& row : picture->rows) {
        last_device = std::max(last_device, row.device.value);
      }
    }
    label_width_ = fmt::formatted_size("device {}", last_device) + 2;
    columns_ = columns_of(pictures, style.width - static_cast<std::int32_t>(label_width_) -
                                        static_cast<std::int32_t>(kShareWidth));
  }

  std::string text() {
    for (const Picture* picture : pictures_) {
      add_title(*picture);
      for (const PictureRow& row : picture->rows) add_row(*picture, row);
      if (pictures_.size() > 1 && picture != pictures_.back()) text_ += '\n';
    }
    add_axis();
    add_legend();
    return std::move(text_);
  }

 private:
  /// A sign, the columns that it takes, and what it means.
  struct LegendEntry {
    std::string sign;
    std::size_t columns = 0;
    std::string meaning;
  };

  static constexpr std::size_t kLegendGap = 3;
  static constexpr std::size_t kShareWidth = 8;  // "  27.3 %"

  bool in_colour() const { return style_.colour != TerminalColour::none; }
  TimeUnit unit() const { return pictures_.front()->time_unit; }

  void add_title(const Picture& picture) {
    const std::string title = fmt::format("{}  T_total {} {}  bubble fraction {}", picture.title,
                                          format_time(picture.t_total, unit()), name(unit()),
                                          format_ratio(picture.bubble_fraction, 6));
    text_ += title.substr(0, static_cast<std::size_t>(style_.width)) + "\n";
  }

  /// "F", or "f" for every second chunk or flow.
  static char letter_of(Look look, std::int32_t shade) {
    const char upper = letter(look);
    return shade % 2 == 0 ? upper
                          : static_cast<char>(std::tolower(static_cast<unsigned char>(upper)));
  }

  void put_op(std::vector<Cell>& cells, const Picture& picture, const Op& op, std::int32_t shade,
              std::int32_t begin, std::int32_t end) {
    const auto width = static_cast<std::size_t>(end - begin);
    const Look of_op = look(op.kind);
    drawn_.insert(of_op);
    const bool has_number = of_op != Look::optimizer && op.kind != OpKind::grad_sync;
    const std::string number = has_number ? microbatch_label(op, picture.slices) : "";
    std::string shown(1, letter_of(of_op, shade));
    if (in_colour()) shown.clear();
    if (shown.size() + number.size() <= width) shown += number;
    shown.resize(width, in_colour() ? ' ' : kContinues);
    std::optional<Paint> paint;
    if (in_colour()) {
      paint = pipesim::paint(of_op, shade, picture.shades, Ground::dark);
      if (op.microbatch.value % 2 == 1) paint = stronger(*paint);
    }
    for (std::int32_t column = begin; column < end; ++column) {
      cells[static_cast<std::size_t>(column)] = {shown[static_cast<std::size_t>(column - begin)],
                                                 paint};
    }
  }

  void put_block(std::vector<Cell>& cells, const Picture& picture, const Block& block) {
    const std::int32_t begin = columns_.column(block.start);
    const std::int32_t end = columns_.column(block.end);
    if (begin == end) return;
    std::int32_t middle = end;
    if (block.step.overlapped) {
      middle = begin + (end - begin + 1) / 2;
      if (middle < end) {
        put_op(cells, picture, *block.step.overlapped, block.overlapped_shade, middle, end);
      }
    }
    put_op(cells, picture, block.step.op, block.shade, begin, middle);
  }

  void add_row(const Picture& picture, const PictureRow& row) {
    std::vector<Cell> cells(static_cast<std::size_t>(columns_.count));
    for (const IdlePart& part : row.idle) {
      const bool waits =
          part.cause == IdleCause::communication || part.cause == IdleCause::head_of_line;
      if (!waits) continue;
      for (std::int32_t column = columns_.column(part.begin); column < columns_.column(part.end);
           ++column) {
        cells[static_cast<std::size_t>(column)].text = kWaits;
        any_waits_ = true;
      }
    }
    for (const Block& block : row.blocks) {
      put_block(cells, picture, block);
      any_pair_ = any_pair_ || block.step.overlapped.has_value();
      any_odd_shade_ = any_odd_shade_ || block.shade % 2 == 1 || block.overlapped_shade % 2 == 1;
    }
    text_ += fmt::format("{:<{}}", fmt::format("device {}", row.device.value), label_width_);
    add_cells(cells);
    text_ += fmt::format("{:>8}\n", percent(row.idle_share));
  }

  /// Rounded half up to a tenth.
  static std::string percent(const Ratio& share) {
    const Int128 tenths =
        (Int128{2000} * share.numerator + share.denominator) / (2 * share.denominator);
    const auto whole = static_cast<std::int64_t>(tenths);
    return fmt::format("{}.{} %", whole / 10, whole % 10);
  }

  void add_cells(const std::vector<Cell>& cells) {
    std::string codes;
    for (const Cell& cell : cells) {
      const std::string wanted = cell.paint ? colour_codes(*cell.paint, style_.colour) : "";
      if (wanted != codes) text_ += wanted.empty() ? "\x1b[0m" : wanted;
      codes = wanted;
      text_ += cell.text;
    }
    if (!codes.empty()) text_ += "\x1b[0m";
  }

  /// The labels of multiples of a step, each from the column of its time on; nothing if they touch.
  std::optional<std::string> labels(std::int64_t step) const {
    const Int128 span = columns_.span();
    if (span / step > columns_.count) return std::nullopt;
    std::string line;
    Int128 time = (Int128{columns_.from.count} + step - 1) / step * step;
    for (; time <= columns_.to.count; time += step) {
      const Ticks at{static_cast<std::int64_t>(time)};
      const auto column = static_cast<std::size_t>(columns_.column(at));
      if (!line.empty() && line.size() >= column) return std::nullopt;
      line.resize(column, ' ');
      line += format_time(at, unit());
    }
    return line;
  }

  void add_axis() {
    constexpr std::int64_t kHighestPower = 1'000'000'000'000'000'000;
    std::string line;
    for (std::int64_t power = 1; line.empty(); power *= 10) {
      for (const std::int64_t factor : {1, 2, 5}) {
        if (!line.empty()) break;
        line = labels(factor * power).value_or("");
      }
      if (power == kHighestPower) break;
    }
    text_ += fmt::format("{:<{}}{} {}\n", "", label_width_, line, name(unit()));
  }

  void add_legend() {
    std::vector<LegendEntry> entries;
    for (const Look look : drawn_) {
      const std::string sign =
          in_colour() ? colour_codes(paint(look, 0, 1, Ground::dark), style_.colour) + "  \x1b[0m"
                      : std::string(1, letter(look));
      entries.push_back(
          {.sign = sign, .columns = in_colour() ? 2U : 1U, .meaning = std::string(legend(look))});
    }
    const auto add = [&entries](bool holds, const std::string& sign, std::string meaning) {
      if (!holds) return;
      entries.push_back({.sign = sign, .columns = sign.size(), .meaning = std::move(meaning)});
    };
    add(!in_colour(), std::string(1, kContinues), "goes on");
    add(any_waits_, std::string(1, kWaits), "waits for communication");
    add(true, "blank", "idle");
    add(any_pair_, "side by side", "an overlapped pair");
    add(any_odd_shade_ && !in_colour(), "small letters",
        fmt::format("every second {}", pictures_.front()->flows > 1 ? "flow" : "chunk"));
    text_ += '\n';
    std::size_t column = 0;
    for (const LegendEntry& entry : entries) {
      const std::size_t columns = entry.columns + 1 + entry.meaning.size();
      const bool fits = column + kLegendGap + columns <= static_cast<std::size_t>(style_.width);
      if (column > 0) text_ += fits ? std::string(kLegendGap, ' ') : "\n";
      column = column > 0 && fits ? column + kLegendGap + columns : columns;
      text_ += fmt::format("{} {}", entry.sign, entry.meaning);
    }
    text_ += '\n';
  }

  std::span<const Picture* const> pictures_;
  TerminalStyle style_;
  std::size_t label_width_ = 0;
  Columns columns_;
  std::set<Look> drawn_;
  bool any_waits_ = false;
  bool any_pair_ = false;
  bool any_odd_shade_ = false;
  std::string text_;
};

}  // namespace

std::string terminal_picture(std::span<const Picture* const> pictures, const TerminalStyle& style) {
  PIPESIM_CHECK(!pictures.empty() && style.width >= kLeastTerminalWidth);
  return TerminalPicture(pictures, style).text();
}

}  // namespace pipesim
