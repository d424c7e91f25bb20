#include "sim/io/svg_row.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "sim/io/svg_style.hpp"

namespace pipesim {

namespace {

constexpr Px kBlockHeight = px(24);
constexpr Px kBesideHeight = px(8);
constexpr Px kMemoryHeight = px(26);
constexpr Px kOutline = px(2);  // the stroke-width of .critical

/// The part of the row's memory that is shown: what it holds from each time on, one point a time.
std::vector<MemoryPoint> shown_memory(const Picture& picture, const PictureRow& row) {
  std::vector<MemoryPoint> shown;
  for (const MemoryPoint& point : row.memory) {
    if (point.time >= picture.to) break;
    const Ticks time = std::max(point.time, picture.from);
    if (!shown.empty() && shown.back().time == time) shown.pop_back();
    shown.push_back({.time = time, .amount = point.amount});
  }
  return shown;
}

std::int64_t most(const std::vector<MemoryPoint>& points) {
  std::int64_t result = 0;
  for (const MemoryPoint& point : points) result = std::max(result, point.amount);
  return result;
}

/// By block: how many strips lie above it, so that none covers another.
std::vector<std::size_t> strip_levels(const std::vector<Block>& blocks, std::size_t& levels) {
  std::vector<std::size_t> result;
  std::vector<Ticks> free_from;
  for (const Block& block : blocks) {
    const auto level = std::find_if(free_from.begin(), free_from.end(),
                                    [&](Ticks time) { return time <= block.start; });
    result.push_back(static_cast<std::size_t>(level - free_from.begin()));
    if (level == free_from.end()) {
      free_from.push_back(block.end);
    } else {
      *level = block.end;
    }
  }
  levels = std::max<std::size_t>(1, free_from.size());
  return result;
}

class RowWriter {
 public:
  RowWriter(const Picture& picture, const PictureRow& row, const TimeScale& scale,
            const SvgOptions& options)
      : picture_(picture),
        row_(row),
        scale_(scale),
        options_(options),
        layout_(row_layout(picture, options)) {
    scale_.to = picture.to;
    scale_.width = scale.at(picture.to);
  }

  std::string write() {
    add_idle();
    text_ += "<g class=\"block\">\n";
    for (const Block& block : row_.blocks) add_block(block);
    add_beside();
    text_ += "</g>\n" + outlines_;
    // A run of a comparison may have ended before the part that is shown.
    if (options_.memory && picture_.from < picture_.to) add_memory();
    return std::move(text_);
  }

 private:
  struct Across {
    Px x;
    Px width;
  };

  Across across(Ticks start, Ticks end) const {
    const Px x = scale_.at(start);
    return {.x = x, .width = scale_.at(end) - x};
  }

  std::string time(Ticks start, Ticks end) const {
    return fmt::format("{} to {} {}", format_time(start, picture_.time_unit),
                       format_time(end, picture_.time_unit), name(picture_.time_unit));
  }

  void add_idle() {
    for (const IdlePart& part : row_.idle) {
      const auto [x, width] = across(part.begin, part.end);
      text_ += fmt::format(
          "<rect fill=\"url(#idle)\" x=\"{}\" width=\"{}\" height=\"{}\">"
          "<title>idle, {}: {}</title></rect>\n",
          svg_number(x), svg_number(width), svg_number(layout_.block), name(part.cause),
          time(part.begin, part.end));
    }
  }

  std::string described(const Op& op) const {
    if (op.kind == OpKind::optimizer) return "optimizer";
    if (op.kind == OpKind::grad_sync) return fmt::format("SYNC of stage {}", op.stage.value);
    return fmt::format("{}{} of stage {}", letters(op.kind), microbatch_label(op, picture_.slices),
                       op.stage.value);
  }

  std::string title(const Block& block) const {
    std::string text = described(block.step.op);
    if (block.step.overlapped) text += " and " + described(*block.step.overlapped);
    return fmt::format("{}: {}", text, time(block.start, block.end));
  }

  void add_rectangle(const Block& block, const Op& op, std::int32_t of_shade, Px y, Px height) {
    const auto [x, width] = across(block.start, block.end);
    // The line between blocks would be all that is seen of them.
    const std::string_view narrow = width < px(3) ? " n" : "";
    text_ += fmt::format(
        "<rect class=\"{}{}\" x=\"{}\"{} width=\"{}\" height=\"{}\"><title>{}"
        "</title></rect>",
        block_class(look(op.kind), of_shade), narrow, svg_number(x), y_attribute(y),
        svg_number(width), svg_number(height), title(block));
  }

  static std::string y_attribute(Px y) {
    return y == Px{} ? "" : fmt::format(" y=\"{}\"", svg_number(y));
  }

  /// `middle` of the line, which is the baseline less a third of the font.
  void add_label(const Block& block, const Op& op, Px middle, Px font) {
    const auto [x, width] = across(block.start, block.end);
    if (label_width(block, op, picture_, options_, font) > width) return;
    text_ += fmt::format("<text class=\"{}\" x=\"{}\" y=\"{}\"", text_class(look(op.kind)),
                         svg_number(x + width / 2), svg_number(middle + font * 35 / 100));
    if (font != kBlockFont) text_ += fmt::format(" font-size=\"{}\"", svg_number(font));
    text_ += fmt::format(">{}</text>", block_label(op, picture_.slices));
  }

  void add_block(const Block& block) {
    const Px height = layout_.block;
    if (const std::optional<Op>& second = block.step.overlapped) {
      add_rectangle(block, block.step.op, block.shade, Px{}, height / 2);
      add_label(block, block.step.op, height / 4, px(9));
      add_rectangle(block, *second, block.overlapped_shade, height / 2, height / 2);
      add_label(block, *second, height * 3 / 4, px(9));
    } else {
      add_rectangle(block, block.step.op, block.shade, Px{}, height);
      add_label(block, block.step.op, height / 2, kBlockFont);
    }
    text_ += '\n';
    if (options_.critical && block.is_critical) add_outline(block, Px{}, height);
  }

  void add_outline(const Block& block, Px y, Px height) {
    // The stroke lies within the block.
    const Px inset = kOutline / 2;
    const auto [x, width] = across(block.start, block.end);
    outlines_ += fmt::format(
        "<rect class=\"critical\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"/>\n",
        svg_number(x + inset), svg_number(y + inset), svg_number(std::max(Px{}, width - inset * 2)),
        svg_number(std::max(Px{}, height - inset * 2)));
  }

  void add_beside() {
    std::size_t levels = 1;
    const std::vector<std::size_t> level_of = strip_levels(row_.beside, levels);
    const Px room = layout_.beside - px(1);
    const Px height = room / static_cast<std::int64_t>(std::max<std::size_t>(2, levels));
    for (std::size_t i = 0; i < row_.beside.size(); ++i) {
      const Block& block = row_.beside[i];
      const Px y = layout_.block + px(1) + height * static_cast<std::int64_t>(level_of[i]);
      add_rectangle(block, block.step.op, block.shade, y, height);
      text_ += '\n';
      if (options_.critical && block.is_critical) add_outline(block, y, height);
    }
  }

  void add_memory() {
    const Px bottom = layout_.block + layout_.beside + layout_.memory;
    const Px top_space = px(4);
    const std::int64_t whole =
        std::max<std::int64_t>({1, picture_.peak_memory, picture_.memory.limit.value_or(0)});
    const auto y = [&](std::int64_t amount) {
      const Px full = layout_.memory - top_space;
      return bottom - Px{static_cast<std::int64_t>(Int128{amount} * full.hundredths / whole)};
    };
    const std::vector<MemoryPoint> points = shown_memory(picture_, row_);
    std::string path = fmt::format("M0 {}", svg_number(bottom));
    for (const MemoryPoint& point : points) {
      path += fmt::format("H{}V{}", svg_number(scale_.at(point.time)), svg_number(y(point.amount)));
    }
    path += fmt::format("H{}V{}Z", svg_number(scale_.width), svg_number(bottom));
    const std::string peak = peak_label(picture_, row_);
    text_ += fmt::format(
        "<path class=\"memory\" d=\"{}\"><title>memory of device {}, {}</title>"
        "</path>\n",
        path, row_.device.value, peak);
    if (picture_.memory.limit) {
      text_ += fmt::format("<path class=\"limit\" d=\"M0 {}H{}\"/>\n",
                           svg_number(y(*picture_.memory.limit)), svg_number(scale_.width));
    }
    text_ += fmt::format("<text class=\"note\" x=\"{}\" y=\"{}\">{}</text>\n",
                         svg_number(scale_.width + px(8)), svg_number(bottom - px(7)), peak);
  }

  const Picture& picture_;
  const PictureRow& row_;
  TimeScale scale_;
  const SvgOptions& options_;
  RowLayout layout_;
  std::string text_;
  std::string outlines_;  // over the blocks, whose neighbours would cover them
};

}  // namespace

RowLayout row_layout(const Picture& picture, const SvgOptions& options) {
  const bool has_beside = std::any_of(picture.rows.begin(), picture.rows.end(),
                                      [](const PictureRow& row) { return !row.beside.empty(); });
  return {.block = kBlockHeight,
          .beside = has_beside ? kBesideHeight : Px{},
          .memory = options.memory ? kMemoryHeight : Px{},
          .space = options.memory ? px(8) : px(3)};
}

std::string svg_row(const Picture& picture, const PictureRow& row, const TimeScale& scale,
                    const SvgOptions& options) {
  return RowWriter(picture, row, scale, options).write();
}

Px label_width(const Block& block, const Op& op, const Picture& picture, const SvgOptions& options,
               Px font) {
  const bool is_outlined = options.critical && block.is_critical;
  return text_width(block_label(op, picture.slices), font) + (is_outlined ? kOutline * 2 : Px{});
}

std::string block_label(const Op& op, std::int32_t slices) {
  if (op.kind == OpKind::optimizer) return "opt";
  if (op.kind == OpKind::grad_sync) return "sync";
  return microbatch_label(op, slices);
}

std::string peak_label(const Picture& picture, const PictureRow& row) {
  return "peak " + format_amount(picture.memory, most(shown_memory(picture, row)));
}

}  // namespace pipesim
