#include "sim/io/svg_style.hpp"

#include <fmt/format.h>

#include <cctype>

namespace pipesim {

namespace {

/// The rules that name a colour.
std::string colours(Ground ground, std::int32_t shades) {
  const Scenery& view = scenery(ground);
  std::string text = fmt::format(
      "#ground{{fill:{0}}}\n"
      "text{{fill:{1}}}\n"
      ".faint{{fill:{2}}}\n"
      ".rule{{stroke:{3}}}\n"
      ".hatch{{stroke:{4}}}\n"
      ".block rect{{stroke:{0}}}\n"
      ".critical{{stroke:{5}}}\n"
      ".memory{{fill:{6};stroke:{1}}}\n"
      ".limit{{stroke:{7}}}\n",
      css(view.ground), css(view.ink), css(view.faint), css(view.rule), css(view.hatch),
      css(view.critical), css(view.memory), css(view.limit));
  for (int i = 0; i < kLooks; ++i) {
    const auto look = static_cast<Look>(i);
    for (std::int32_t shade = 0; shade < shades; ++shade) {
      text += fmt::format(".{}{{fill:{}}}", block_class(look, shade),
                          css(paint(look, shade, shades, ground).fill));
    }
    text +=
        fmt::format(".{}{{fill:{}}}\n", text_class(look), css(paint(look, 0, shades, ground).text));
  }
  return text;
}

}  // namespace

std::string block_class(Look look, std::int32_t shade) {
  return fmt::format("{}{}", static_cast<char>(std::tolower(letter(look))), shade);
}

std::string text_class(Look look) {
  return fmt::format("t{}", static_cast<char>(std::tolower(letter(look))));
}

std::string style_sheet(Theme theme, std::int32_t shades) {
  std::string text =
      "text{font:12px \"Helvetica Neue\",Helvetica,Arial,\"Liberation Sans\",sans-serif}\n"
      ".title{font-size:14px;font-weight:bold}\n"
      ".axis,.note{font-size:11px}\n"
      ".axis,.block text{text-anchor:middle}\n"
      ".block text{font-size:11px;pointer-events:none}\n"
      ".device{text-anchor:end}\n"
      ".rule,.hatch,.critical,.memory,.limit{fill:none}\n"
      ".block rect{stroke-width:.6}\n"
      ".block .n{stroke:none}\n"
      ".critical{stroke-width:2;pointer-events:none}\n"
      ".limit{stroke-width:1.5;stroke-dasharray:5 3}\n";
  text += colours(theme == Theme::dark ? Ground::dark : Ground::light, shades);
  if (theme == Theme::automatic) {
    text += fmt::format("@media screen and (prefers-color-scheme:dark){{\n{}}}\n",
                        colours(Ground::dark, shades));
  }
  return text;
}

}  // namespace pipesim
