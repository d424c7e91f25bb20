#include "sim/io/svg.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "sim/io/svg_row.hpp"
#include "sim/io/svg_scale.hpp"
#include "sim/io/svg_style.hpp"
#include "tests/cli/process.hpp"
#include "tests/drawn_runs.hpp"
#include "tests/xml_elements.hpp"

using namespace pipesim;
using test::Drawn;
using test::Element;

namespace {

std::string svg(const std::vector<const Picture*>& pictures, const SvgOptions& options) {
  const test::TemporaryDirectory directory;
  const std::string path = directory.path("a.svg");
  OutputFile file(path, "/output/svg");
  write_svg(pictures, options, file);
  file.commit();
  return test::read_file(path);
}

Px length(const std::string& number) {
  return Px{number.empty() ? 0 : std::lround(std::stod(number) * 100)};
}

/// The elements of one device's row.
struct Row {
  std::vector<Element> idle;
  std::vector<Element> lane;  // rectangles of ops
  std::vector<Element> beside;
  std::vector<Element> texts;  // on blocks
  std::vector<Element> critical;
};

std::vector<Row> rows_of(const std::vector<Element>& elements) {
  std::vector<Row> rows;
  for (const Element& element : elements) {
    const Element& parent = elements[element.parent];
    if (parent.attribute("class") == "block") {
      if (element.name == "text") rows.back().texts.push_back(element);
      if (element.name != "rect") continue;
      const bool is_beside = length(element.attribute("y")) > px(24);
      (is_beside ? rows.back().beside : rows.back().lane).push_back(element);
    }
    const bool is_legend = elements[parent.parent].attribute("class") == "legend";
    if (is_legend || parent.attribute("class") == "legend") continue;
    if (element.name == "g" && !element.attribute("transform").empty()) rows.emplace_back();
    if (element.attribute("fill") == "url(#idle)") rows.back().idle.push_back(element);
    if (element.attribute("class") == "critical") rows.back().critical.push_back(element);
  }
  return rows;
}

Px width_of(const Element& element) { return length(element.attribute("width")); }
Px x_of(const Element& element) { return length(element.attribute("x")); }

Px axis_width(const std::vector<Element>& elements) {
  for (const Element& element : elements) {
    const std::string path = element.attribute("d");
    const std::size_t across = path.find('h');
    if (element.attribute("class") == "rule") return length(path.substr(across + 1));
  }
  return {};
}

double luminance(Colour colour) {
  const auto linear = [](std::uint8_t channel) {
    const double value = channel / 255.0;
    return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  };
  return 0.2126 * linear(colour.red) + 0.7152 * linear(colour.green) + 0.0722 * linear(colour.blue);
}

double contrast(Colour left, Colour right) {
  const double of_left = luminance(left) + 0.05;
  const double of_right = luminance(right) + 0.05;
  return std::max(of_left, of_right) / std::min(of_left, of_right);
}

/// L* of CIE 1976.
double lightness(Colour colour) { return 116 * std::cbrt(luminance(colour)) - 16; }

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("svg: what a device computes and its idle time fill the axis") {
    test::for_random_runs(20261, 150, [](const Drawn& drawn, std::mt19937_64& random) {
      PictureView view;
      const std::int64_t end = drawn.report.metrics.t_total.count;
      view.from = Ticks{test::draw(random, 0, end - 1)};
      view.to = Ticks{test::draw(random, view.from->count + 1, end)};
      const Picture picture = drawn.picture(test::flip(random) ? view : PictureView{});
      const std::vector<Element> elements =
          test::XmlReader(svg({&picture}, {.memory = test::flip(random)})).read();
      const std::vector<Row> rows = rows_of(elements);
      REQUIRE(rows.size() == picture.rows.size());
      for (const Row& row : rows) {
        Px filled;
        for (const Element& idle : row.idle) filled += width_of(idle);
        for (const Element& block : row.lane) {
          const bool is_first = block.attribute("y").empty();
          const char look = block.attribute("class").front();
          if (is_first && look != 'c' && look != 'o') filled += width_of(block);
        }
        CHECK(filled == axis_width(elements));
      }
    });
  }

  TEST_CASE("svg: a block has its number, or is too narrow for it") {
    test::for_random_runs(20262, 100, [](const Drawn& drawn, std::mt19937_64& random) {
      const Picture picture = drawn.picture();
      const SvgOptions options = {.critical = test::flip(random)};
      const std::vector<Row> rows = rows_of(test::XmlReader(svg({&picture}, options)).read());
      REQUIRE(rows.size() == picture.rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        std::vector<std::string> expected;
        std::size_t at = 0;
        const auto expect = [&](const Block& of, const Op& op, Px font) {
          const std::string label = block_label(op, picture.slices);
          REQUIRE(at < rows[i].lane.size());
          const Element& block = rows[i].lane[at++];
          CHECK(block.attribute("class").substr(0, 1) ==
                block_class(look(op.kind), 0).substr(0, 1));
          const Px outline = options.critical && of.is_critical ? px(4) : Px{};
          if (text_width(label, font) + outline <= width_of(block)) expected.push_back(label);
          const bool is_narrow = block.attribute("class").ends_with(" n");
          CHECK(is_narrow == (width_of(block) < px(3)));
        };
        for (const Block& block : picture.rows[i].blocks) {
          const Px font = block.step.overlapped ? px(9) : kBlockFont;
          expect(block, block.step.op, font);
          if (block.step.overlapped) expect(block, *block.step.overlapped, font);
        }
        CHECK(at == rows[i].lane.size());
        std::vector<std::string> labels;
        for (const Element& text : rows[i].texts) labels.push_back(text.text);
        CHECK(labels == expected);
        CHECK(rows[i].beside.size() == picture.rows[i].beside.size());
      }
    });
  }

  TEST_CASE("svg: as wide as the numbers that can have room need it") {
    const auto width = [](std::int32_t microbatches, std::int64_t backward) {
      Problem problem = test::equal_stages(3, microbatches, 1'000, backward);
      const Picture picture = test::picture_of("1f1b", problem);
      return axis_width(test::XmlReader(svg({&picture}, {})).read());
    };
    CHECK(width(4, 2'000) == px(800));
    CHECK(width(4, 1) == px(800));  // no picture would do for the backwards
    CHECK(width(60, 2'000) > px(800));
    CHECK(width(60, 2'000) < px(2250));
    CHECK(width(1'000, 2'000) == px(2250));
  }

  TEST_CASE("svg: the critical path's blocks are outlined, and no others") {
    test::for_random_runs(20263, 100, [](const Drawn& drawn, std::mt19937_64&) {
      const Picture picture = drawn.picture();
      const std::string plain = svg({&picture}, {});
      CHECK(plain == svg({&picture}, {}));
      for (const Row& row : rows_of(test::XmlReader(plain).read())) CHECK(row.critical.empty());
      const std::vector<Element> elements =
          test::XmlReader(svg({&picture}, {.critical = true})).read();
      const std::vector<Row> rows = rows_of(elements);
      const TimeScale scale{.from = picture.from, .to = picture.to, .width = axis_width(elements)};
      for (std::size_t i = 0; i < rows.size(); ++i) {
        std::vector<Px> expected;
        for (const auto& list : {picture.rows[i].blocks, picture.rows[i].beside}) {
          for (const Block& block : list) {
            if (block.is_critical) expected.push_back(scale.at(block.start) + px(1));
          }
        }
        std::vector<Px> outlined;
        for (const Element& outline : rows[i].critical) outlined.push_back(x_of(outline));
        CHECK(outlined == expected);
      }
    });
  }

  TEST_CASE("svg: axis ticks are round, inside, and their labels do not touch") {
    std::mt19937_64 random(20264);
    for (int i = 0; i < 2000; ++i) {
      const std::int64_t magnitude = std::int64_t{1} << test::draw(random, 0, 61);
      const std::int64_t from = test::draw(random, 0, magnitude);
      const TimeScale scale{.from = Ticks{from},
                            .to = Ticks{from + test::draw(random, 1, magnitude)},
                            .width = px(test::draw(random, 300, 2400))};
      const std::vector<AxisTick> ticks = axis_ticks(scale, TimeUnit::ms, px(11));
      for (std::size_t t = 0; t < ticks.size(); ++t) {
        CHECK(scale.from <= ticks[t].time);
        CHECK(ticks[t].time <= scale.to);
        CHECK(ticks[t].label == format_time(ticks[t].time, TimeUnit::ms));
        if (t == 0) continue;
        std::int64_t step = (ticks[t].time - ticks[t - 1].time).count;
        CHECK(ticks[t].time.count % step == 0);
        while (step % 10 == 0) step /= 10;
        CHECK((step == 1 || step == 2 || step == 5));
        CHECK(scale.at(ticks[t].time) - scale.at(ticks[t - 1].time) >
              (text_width(ticks[t].label, px(11)) + text_width(ticks[t - 1].label, px(11))) / 2);
      }
    }
  }

  TEST_CASE("svg: whatever stands in a title is text") {
    Picture picture;
    picture.title = "custom  file=<a&\"b\">\n\xff";
    picture.to = Ticks{10};
    picture.memory.limit = 4;
    picture.rows.emplace_back();
    const std::string text = svg({&picture}, {.critical = true, .memory = true});
    const std::vector<Element> elements = test::XmlReader(text).read();
    CHECK(text.find("&lt;a&amp;&quot;b&quot;&gt;\\x0a\\xff") != std::string::npos);
    CHECK(text.find("limit 2 microbatches") != std::string::npos);
  }

  TEST_CASE("svg: a theme is fixed, or left to the screen") {
    Picture picture;
    picture.to = Ticks{10};
    picture.rows.emplace_back();
    const std::string light = svg({&picture}, {.theme = Theme::light});
    const std::string dark = svg({&picture}, {.theme = Theme::dark});
    const std::string either = svg({&picture}, {.theme = Theme::automatic});
    const std::string dark_ground = "#ground{fill:" + css(scenery(Ground::dark).ground);
    CHECK(light.find("@media") == std::string::npos);
    CHECK(light.find(dark_ground) == std::string::npos);
    CHECK(dark.find("@media") == std::string::npos);
    CHECK(dark.find(dark_ground) != std::string::npos);
    CHECK(either.find("@media screen and (prefers-color-scheme:dark){\n" + dark_ground) !=
          std::string::npos);
  }

  TEST_CASE("palette: text on blocks is legible, and grey tells looks apart") {
    for (const Ground ground : {Ground::light, Ground::dark}) {
      std::vector<std::array<double, 2>> bands;
      for (int i = 0; i < kLooks; ++i) {
        const auto look = static_cast<Look>(i);
        CAPTURE(i);
        for (int chunks = 1; chunks <= 5; ++chunks) {
          for (int chunk = 0; chunk < chunks; ++chunk) {
            const Paint painted = paint(look, chunk, chunks, ground);
            CHECK(contrast(painted.fill, painted.text) >= 4.5);
            CHECK(contrast(painted.fill, scenery(ground).ground) >= 1.1);
          }
        }
        bands.push_back(
            {lightness(paint(look, 0, 2, ground).fill), lightness(paint(look, 1, 2, ground).fill)});
        CHECK(bands.back()[0] <= bands.back()[1]);
      }
      if (ground == Ground::dark) continue;  // paper is light
      std::sort(bands.begin(), bands.end());
      for (std::size_t i = 1; i < bands.size(); ++i) {
        CAPTURE(i);
        CHECK(bands[i][0] - bands[i - 1][1] >= 2);
      }
    }
    for (const Ground ground : {Ground::light, Ground::dark}) {
      CHECK(contrast(scenery(ground).ink, scenery(ground).ground) >= 7);
      CHECK(contrast(scenery(ground).faint, scenery(ground).ground) >= 4.5);
    }
  }
}
