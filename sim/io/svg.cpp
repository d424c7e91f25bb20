#include "sim/io/svg.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/page_text.hpp"
#include "sim/io/svg_row.hpp"
#include "sim/io/svg_scale.hpp"
#include "sim/io/svg_style.hpp"

namespace pipesim {

namespace {

constexpr Px kFont = px(12);
constexpr Px kNoteFont = px(11);
constexpr Px kMargin = px(12);
constexpr Px kHeading = px(44);  // title and facts over the rows
constexpr Px kPanelSpace = px(20);
constexpr Px kAxis = px(34);
constexpr Px kLegend = px(22);
constexpr Px kLeastPlot = px(800);
constexpr Px kMostPlot = px(2250);

std::string heading(const Picture& picture) {
  constexpr std::size_t kMost = 110;
  std::string text = picture.title;
  if (text.size() > kMost) {
    std::size_t end = kMost;
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // within a character
    text.resize(end);
    text += "...";
  }
  return fmt::format("{}  p={}  m={}", text, picture.devices, picture.microbatches);
}

std::string facts(const Picture& picture) {
  return fmt::format("T_total {} {}, bubble ratio {}, bubble fraction {}, peak memory {}",
                     format_time(picture.t_total, picture.time_unit), name(picture.time_unit),
                     format_ratio(picture.bubble_ratio, 6),
                     format_ratio(picture.bubble_fraction, 6),
                     format_amount(picture.memory, picture.peak_memory));
}

std::string device_label(const PictureRow& row) {
  return fmt::format("device {}", row.device.value);
}

/// The least width at which nine of ten of those ops have room for their numbers that can have it.
Px legible_width(const Picture& picture, Ticks length, const SvgOptions& options) {
  std::vector<std::int64_t> widths;
  bool any_too_short = false;
  for (const PictureRow& row : picture.rows) {
    for (const Block& block : row.blocks) {
      if (!is_compute(block.step.op.kind)) continue;
      const Px label = label_width(block, block.step.op, picture, options, kBlockFont) + px(1);
      const Int128 width =
          (Int128{label.hundredths} * length.count + (block.end - block.start).count - 1) /
          (block.end - block.start).count;
      if (width <= kMostPlot.hundredths) {
        widths.push_back(static_cast<std::int64_t>(width));
      } else {
        any_too_short = true;
      }
    }
  }
  if (widths.empty()) return any_too_short ? kMostPlot : kLeastPlot;
  const auto chosen = widths.begin() + static_cast<std::ptrdiff_t>((widths.size() - 1) * 9 / 10);
  std::nth_element(widths.begin(), chosen, widths.end());
  return Px{(*chosen + 99) / 100 * 100};
}

class SvgWriter {
 public:
  SvgWriter(std::span<const Picture* const> pictures, const SvgOptions& options, OutputFile& file)
      : pictures_(pictures), options_(options), file_(file) {
    PIPESIM_CHECK(!pictures.empty());
    scale_.from = pictures.front()->from;
    scale_.to = scale_.from;
    for (const Picture* picture : pictures) scale_.to = std::max(scale_.to, picture->to);
    scale_.width = kLeastPlot;
    for (const Picture* picture : pictures) {
      scale_.width =
          std::max(scale_.width, legible_width(*picture, scale_.to - scale_.from, options));
      shades_ = std::max(shades_, picture->shades);
      for (const PictureRow& row : picture->rows) measure(*picture, row);
    }
    scale_.width = std::min(scale_.width, kMostPlot);
  }

  void write() {
    Px height = kMargin;
    for (const Picture* picture : pictures_) {
      height += kHeading + rows_height(*picture) + kPanelSpace;
    }
    height += kAxis - kPanelSpace;
    const std::string legend = legend_lines(height + px(8));
    begin(legend_end_ + kMargin);
    Px top = kMargin;
    for (const Picture* picture : pictures_) {
      write_panel(*picture, top);
      top += kHeading + rows_height(*picture) + kPanelSpace;
    }
    write_axis(top - kPanelSpace);
    file_.write(legend + "</svg>\n");
  }

 private:
  void measure(const Picture& picture, const PictureRow& row) {
    left_ = std::max(left_, kMargin + text_width(device_label(row), kFont) + px(14));
    if (!options_.memory) return;
    right_ = std::max(right_, px(8) + text_width(peak_label(picture, row), kNoteFont) + kMargin);
  }

  Px rows_height(const Picture& picture) const {
    return row_layout(picture, options_).pitch() * static_cast<std::int64_t>(picture.rows.size());
  }

  Px total_width() const { return left_ + scale_.width + right_; }

  void begin(Px height) {
    std::string label = heading(*pictures_.front());
    for (const Picture* picture : pictures_.subspan(1)) label += ", " + heading(*picture);
    file_.write(fmt::format(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0}\" height=\"{1}\" "
        "viewBox=\"0 0 {0} {1}\" role=\"img\" aria-label=\"{2}\">\n<style>\n{3}</style>\n"
        "<defs><pattern id=\"idle\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">"
        "<path class=\"hatch\" d=\"M-1 7L7 -1M-1 1L1 -1M5 7L7 5\"/></pattern></defs>\n"
        "<rect id=\"ground\" width=\"{0}\" height=\"{1}\"/>\n",
        svg_number(total_width()), svg_number(height), xml_text(label),
        style_sheet(options_.theme, shades_)));
  }

  void write_panel(const Picture& picture, Px top) {
    file_.write(
        fmt::format("<text class=\"title\" x=\"{0}\" y=\"{1}\">{2}</text>\n"
                    "<text class=\"faint\" x=\"{0}\" y=\"{3}\">{4}</text>\n",
                    svg_number(left_), svg_number(top + px(14)), xml_text(heading(picture)),
                    svg_number(top + px(32)), xml_text(facts(picture))));
    const RowLayout layout = row_layout(picture, options_);
    Px y = top + kHeading;
    for (const PictureRow& row : picture.rows) {
      file_.write(fmt::format("<text class=\"device\" x=\"{}\" y=\"{}\">{}</text>\n",
                              svg_number(left_ - px(8)), svg_number(y + layout.block / 2 + px(4)),
                              device_label(row)));
      file_.write(
          fmt::format("<g transform=\"translate({} {})\">\n", svg_number(left_), svg_number(y)));
      file_.write(svg_row(picture, row, scale_, options_));
      file_.write("</g>\n");
      y += layout.pitch();
    }
  }

  void write_axis(Px top) {
    const Px line = top + px(6);
    const TimeUnit unit = pictures_.front()->time_unit;
    std::string path =
        fmt::format("M{} {}h{}", svg_number(left_), svg_number(line), svg_number(scale_.width));
    std::string labels;
    for (const AxisTick& tick : axis_ticks(scale_, unit, kNoteFont)) {
      const std::string x = svg_number(left_ + scale_.at(tick.time));
      path += fmt::format("M{} {}v5", x, svg_number(line));
      labels += fmt::format("<text class=\"axis faint\" x=\"{}\" y=\"{}\">{}</text>\n", x,
                            svg_number(line + px(17)), tick.label);
    }
    file_.write(fmt::format(
        "<path class=\"rule\" d=\"{}\"/>\n{}"
        "<text class=\"device faint\" x=\"{}\" y=\"{}\">time ({})</text>\n",
        path, labels, svg_number(left_ - px(14)), svg_number(line + px(17)), name(unit)));
  }

  /// A swatch and what it means; begins a line where the last one is full.
  void add_entry(std::string& text, std::string_view swatch, Px swatch_width,
                 std::string_view label) {
    const Px indent = swatch.empty() ? Px{} : swatch_width + px(6);
    const Px width = indent + text_width(label, kFont);
    if (legend_x_ > left_ && legend_x_ + width > total_width() - kMargin) {
      legend_x_ = left_;
      legend_y_ += kLegend;
    }
    text += fmt::format(
        "<g transform=\"translate({} {})\">{}<text x=\"{}\" y=\"11\">{}</text></g>\n",
        svg_number(legend_x_), svg_number(legend_y_), swatch, svg_number(indent), label);
    legend_x_ += width + px(18);
  }

  void add_look(std::string& text, Look look) {
    const bool has_shades = look != Look::communication && look != Look::optimizer;
    const std::int32_t shown = has_shades ? std::min(shades_, std::int32_t{8}) : 1;
    std::string swatch;
    const Px cell = px(shown == 1 ? 20 : 14);
    for (std::int32_t i = 0; i < shown; ++i) {
      const std::int32_t of = shown == 1 ? 0 : i * (shades_ - 1) / (shown - 1);
      swatch += fmt::format("<rect class=\"{}\" x=\"{}\" width=\"{}\" height=\"14\"/>",
                            block_class(look, of), svg_number(cell * i), svg_number(cell));
    }
    add_entry(text, swatch, cell * shown, legend(look));
  }

  /// What the shades mean: "chunk 0 to 3, dark to pale".
  std::string shades_meaning() const {
    std::set<std::string_view> of;
    for (const Picture* picture : pictures_) {
      if (picture->shades > 1) of.insert(picture->flows > 1 ? "flow" : "chunk");
    }
    std::string words;
    for (const std::string_view word : of)
      words += (words.empty() ? "" : " or ") + std::string(word);
    return fmt::format("dark to pale: {} 0 to {}", words, shades_ - 1);
  }

  std::string legend_lines(Px top) {
    legend_x_ = left_;
    legend_y_ = top;
    std::set<Look> looks;
    for (const Picture* picture : pictures_) {
      looks.insert(picture->looks.begin(), picture->looks.end());
    }
    std::string text;
    for (const Look look : looks) add_look(text, look);
    add_entry(text, "<rect fill=\"url(#idle)\" width=\"20\" height=\"14\"/>", px(20), "idle");
    if (options_.critical) {
      add_entry(text, "<rect class=\"critical\" x=\"1\" y=\"1\" width=\"18\" height=\"12\"/>",
                px(20), "critical path");
    }
    if (options_.memory) {
      add_entry(text, "<path class=\"memory\" d=\"M0 14V6H10V2H20V14Z\"/>", px(20), "memory");
      add_limit(text);
    }
    if (shades_ > 1) add_entry(text, "", Px{}, shades_meaning());
    legend_end_ = legend_y_ + px(16);
    return "<g class=\"legend\">\n" + text + "</g>\n";
  }

  void add_limit(std::string& text) {
    const Memory& memory = pictures_.front()->memory;
    if (!memory.limit) return;
    add_entry(text, "<path class=\"limit\" d=\"M0 7H20\"/>", px(20),
              "limit " + format_amount(memory, *memory.limit));
  }

  std::span<const Picture* const> pictures_;
  const SvgOptions& options_;
  OutputFile& file_;
  TimeScale scale_;
  std::int32_t shades_ = 1;
  Px left_;
  Px right_ = kMargin + px(4);
  Px legend_x_;
  Px legend_y_;
  Px legend_end_;
};

}  // namespace

void write_svg(std::span<const Picture* const> pictures, const SvgOptions& options,
               OutputFile& file) {
  SvgWriter(pictures, options, file).write();
}

}  // namespace pipesim
