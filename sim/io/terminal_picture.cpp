#include "sim/io/terminal_picture.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
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
  bool is_scaled = false;  ///< a block may begin within a cell

  /// Of all columns in ticks, and of one of them in ticks / count.
  Int128 span() const { return Int128{to.count} - from.count; }
  /// From the left end, in ticks / count.
  Int128 offset(Ticks time) const {
    return (Int128{std::clamp(time, from, to).count} - from.count) * count;
  }
  /// The column whose beginning is nearest to that time.
  std::int32_t nearest(Ticks time) const {
    return static_cast<std::int32_t>((2 * offset(time) + span()) / (2 * span()));
  }
  /// take(column, how much of it in ticks / count) of each column that [start, end) reaches.
  template <class Take>
  void for_parts(Ticks start, Ticks end, Take take) const {
    const Int128 begin = offset(start);
    const Int128 stop = offset(end);
    for (auto column = static_cast<std::size_t>(begin / span()); column * span() < stop; ++column) {
      const Int128 left = column * span();
      take(column, std::min(stop, left + span()) - std::max(begin, left));
    }
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
  columns.is_scaled = parts > room;
  if (!columns.is_scaled) columns.count = static_cast<std::int32_t>(room / parts * parts);
  return columns;
}

/// An op, or one of the two halves into which a pair is drawn.
struct Piece {
  const Op* op = nullptr;
  std::int32_t shade = 0;
  Ticks start;
  Ticks end;
};

std::vector<Piece> pieces_of(const PictureRow& row) {
  std::vector<Piece> pieces;
  for (const Block& block : row.blocks) {
    Ticks middle = block.end;
    if (block.step.overlapped) middle.count -= (block.end - block.start).count / 2;
    pieces.push_back(
        {.op = &block.step.op, .shade = block.shade, .start = block.start, .end = middle});
    if (middle == block.end) continue;
    pieces.push_back({.op = &*block.step.overlapped,
                      .shade = block.overlapped_shade,
                      .start = middle,
                      .end = block.end});
  }
  return pieces;
}

/// take(begin, end) of each time in which a transfer is waited for and no block, such as the
/// transfer itself, is under way.
template <class Take>
void for_waits(const PictureRow& row, Take take) {
  auto block = row.blocks.begin();
  for (const IdlePart& part : row.idle) {
    if (part.cause != IdleCause::communication && part.cause != IdleCause::head_of_line) continue;
    Ticks at = part.begin;
    while (block != row.blocks.end() && block->end <= at) ++block;
    for (; block != row.blocks.end() && block->start < part.end; ++block) {
      if (at < block->start) take(at, block->start);
      at = block->end;
      if (at >= part.end) break;
    }
    if (at < part.end) take(at, part.end);
  }
}

/// What shares the time of a cell, in the unit of Columns::for_parts().
class Shares {
 public:
  void add(const Piece& piece, Int128 part) {
    Share& share = of_ops_[{look(piece.op->kind), piece.shade}];
    share.sum += part;
    if (part > share.longest_part) share = {share.sum, part, &piece};
    occupied_ += part;
  }
  void add_waiting(Int128 part) { waiting_ += part; }

  /// Of what fills most of a cell of that length the longest piece; nothing if that is idle time.
  /// What fills as much as another stands before it in the legend.
  const Piece* winner(Int128 length) const {
    const Share* most = nullptr;
    for (const auto& [what, share] : of_ops_) {
      if (!most || share.sum > most->sum) most = &share;
    }
    const Int128 blank = length - occupied_ - waiting_;
    return most && most->sum >= std::max(waiting_, blank) ? most->longest : nullptr;
  }
  /// Where no op wins.
  bool mostly_waits(Int128 length) const {
    return waiting_ > 0 && 2 * waiting_ >= length - occupied_;
  }

 private:
  struct Share {
    Int128 sum = 0;
    Int128 longest_part = 0;
    const Piece* longest = nullptr;
  };

  std::map<std::pair<Look, std::int32_t>, Share> of_ops_;
  Int128 waiting_ = 0;
  Int128 occupied_ = 0;
};

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
  struct Phrase {
    std::string text;
    std::size_t columns = 0;  // without the codes of colours
  };

  static constexpr std::size_t kShareWidth = 8;  // "  27.3 %"

  bool in_colour() const { return style_.colour != TerminalColour::none; }
  TimeUnit unit() const { return pictures_.front()->time_unit; }

  void add_title(const Picture& picture) {
    const std::string facts[] = {
        picture.title,
        fmt::format("T_total {} {}", format_time(picture.t_total, unit()), name(unit())),
        fmt::format("bubble fraction {}", format_ratio(picture.bubble_fraction, 6))};
    std::vector<Phrase> phrases;
    for (const std::string& fact : facts) phrases.push_back({.text = fact, .columns = fact.size()});
    add_wrapped(phrases, 2);
  }

  /// Side by side, as many as fit in a line.
  void add_wrapped(const std::vector<Phrase>& phrases, std::size_t gap) {
    std::size_t column = 0;
    for (const Phrase& phrase : phrases) {
      const bool fits = column + gap + phrase.columns <= static_cast<std::size_t>(style_.width);
      if (column > 0) text_ += fits ? std::string(gap, ' ') : "\n";
      column = column > 0 && fits ? column + gap + phrase.columns : phrase.columns;
      text_ += phrase.text;
    }
    text_ += '\n';
  }

  /// "F", or "f" of odd chunks and flows.
  static char letter_of(Look look, std::int32_t shade) {
    const char upper = letter(look);
    return shade % 2 == 0 ? upper
                          : static_cast<char>(std::tolower(static_cast<unsigned char>(upper)));
  }

  /// Whether its microbatch may be shown: a shorter piece is one of several in its cell.
  bool is_alone(const Piece& piece) const {
    return (piece.end - piece.start).count * Int128{columns_.count} >= columns_.span();
  }

  /// What stands in the cells of a piece: "F3.", and the chunk where letters do not tell it.
  std::string label_of(const Picture& picture, const Piece& piece, std::size_t width) {
    const Look of_op = look(piece.op->kind);
    std::string shown(1, letter_of(of_op, piece.shade));
    if (in_colour()) shown.clear();
    if (is_alone(piece) && of_op != Look::optimizer && piece.op->kind != OpKind::grad_sync) {
      const std::string number = microbatch_label(*piece.op, picture.slices);
      if (shown.size() + number.size() <= width) shown += number;
      const std::string chunk = fmt::format(":{}", piece.shade);
      if (!in_colour() && picture.shades > 2 && shown.size() > 1 &&
          shown.size() + chunk.size() <= width) {
        shown += chunk;
        any_chunk_ = true;
      }
    }
    shown.resize(width, in_colour() ? ' ' : kContinues);
    return shown;
  }

  void put_piece(std::vector<Cell>& cells, const Picture& picture, const Piece& piece,
                 std::size_t begin, std::size_t end) {
    const Look of_op = look(piece.op->kind);
    drawn_.insert(of_op);
    if (piece.shade % 2 == 1) {
      shades_are_.insert(picture.flows > 1 ? "flow" : "chunk");
      most_shades_ = std::max(most_shades_, picture.shades);
    }
    std::optional<Paint> paint;
    if (in_colour()) {
      paint = pipesim::paint(of_op, piece.shade, picture.shades, Ground::dark);
      if (is_alone(piece) && piece.op->microbatch.value % 2 == 1) paint = stronger(*paint);
    }
    const std::string label = label_of(picture, piece, end - begin);
    for (std::size_t column = begin; column < end; ++column) {
      cells[column] = {label[column - begin], paint};
    }
  }

  void add_row(const Picture& picture, const PictureRow& row) {
    const std::vector<Piece> pieces = pieces_of(row);
    std::vector<Shares> shares(static_cast<std::size_t>(columns_.count));
    for (const Piece& piece : pieces) {
      columns_.for_parts(piece.start, piece.end,
                         [&](std::size_t column, Int128 part) { shares[column].add(piece, part); });
    }
    for_waits(row, [&](Ticks begin, Ticks end) {
      columns_.for_parts(
          begin, end, [&](std::size_t column, Int128 part) { shares[column].add_waiting(part); });
    });
    std::vector<Cell> cells(shares.size());
    for (std::size_t column = 0; column < cells.size();) {
      const std::size_t begin = column++;
      const Piece* const piece = shares[begin].winner(columns_.span());
      if (piece) {
        while (column < cells.size() && shares[column].winner(columns_.span()) == piece) ++column;
        put_piece(cells, picture, *piece, begin, column);
      } else if (shares[begin].mostly_waits(columns_.span())) {
        cells[begin].text = kWaits;
        any_waits_ = true;
      }
    }
    any_pair_ = any_pair_ ||
                std::any_of(row.blocks.begin(), row.blocks.end(),
                            [](const Block& block) { return block.step.overlapped.has_value(); });
    text_ += fmt::format("{:<{}}", fmt::format("device {}", row.device.value), label_width_);
    add_cells(cells);
    // A run of a comparison may have ended before the part that is shown.
    const bool is_over = picture.to <= picture.from;
    text_ += is_over ? "\n" : fmt::format("{:>8}\n", percent(row.idle_share));
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
    const std::size_t room =
        static_cast<std::size_t>(style_.width) - label_width_ - 1 - name(unit()).size();
    std::string line;
    Int128 time = (Int128{columns_.from.count} + step - 1) / step * step;
    for (; time <= columns_.to.count; time += step) {
      const Ticks at{static_cast<std::int64_t>(time)};
      const auto column = static_cast<std::size_t>(columns_.nearest(at));
      const std::string label = format_time(at, unit());
      if (column + label.size() > room) break;
      if (!line.empty() && line.size() >= column) return std::nullopt;
      line.resize(column, ' ');
      line += label;
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
    std::vector<Phrase> entries;
    const auto add = [&entries](bool holds, std::string_view sign, std::string_view meaning) {
      if (!holds) return;
      const std::string text = fmt::format("{} {}", sign, meaning);
      entries.push_back({.text = text, .columns = text.size()});
    };
    for (const Look look : drawn_) {
      if (in_colour()) {
        const std::string codes = colour_codes(paint(look, 0, 1, Ground::dark), style_.colour);
        entries.push_back({.text = fmt::format("{}  \x1b[0m {}", codes, legend(look)),
                           .columns = 3 + legend(look).size()});
      } else {
        add(true, std::string(1, letter(look)), legend(look));
      }
    }
    add(!in_colour(), std::string(1, kContinues), "goes on");
    add(any_waits_, std::string(1, kWaits), "waits for communication");
    add(true, "blank", "idle");
    add(any_pair_, "side by side", "an overlapped pair");
    if (!in_colour() && !shades_are_.empty()) {
      const std::string what = fmt::format("{}", fmt::join(shades_are_, " or "));
      add(true, "small letters", most_shades_ == 2 ? what + " 1" : "odd " + what + "s");
      add(any_chunk_, ":2", what + " 2");
    }
    add(columns_.is_scaled, "a cell", "what fills most of it");
    text_ += '\n';
    add_wrapped(entries, 3);
  }

  std::span<const Picture* const> pictures_;
  TerminalStyle style_;
  std::size_t label_width_ = 0;
  Columns columns_;
  std::set<Look> drawn_;
  bool any_waits_ = false;
  bool any_pair_ = false;
  bool any_chunk_ = false;
  std::set<std::string_view> shades_are_;  // of the small letters
  std::int32_t most_shades_ = 0;
  std::string text_;
};

}  // namespace

std::string terminal_picture(std::span<const Picture* const> pictures, const TerminalStyle& style) {
  PIPESIM_CHECK(!pictures.empty() && style.width >= kLeastTerminalWidth);
  return TerminalPicture(pictures, style).text();
}

}  // namespace pipesim
