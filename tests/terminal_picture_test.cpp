#include "sim/io/terminal_picture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "tests/drawn_runs.hpp"

using namespace pipesim;

namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

/// Without the codes of colours.
std::string plain(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      i = text.find('m', i);
    } else {
      result += text[i];
    }
  }
  return result;
}

std::string drawn(const Picture& picture, std::int32_t width,
                  TerminalColour colour = TerminalColour::none) {
  return terminal_picture(std::array{&picture}, {.width = width, .colour = colour});
}

/// The cells of the devices' rows, without label and share.
std::vector<std::string> rows_of(const std::string& text) {
  std::vector<std::string> rows;
  for (const std::string& line : lines_of(text)) {
    if (line.starts_with("device ")) rows.push_back(line.substr(10, line.size() - 18));
  }
  return rows;
}

/// The letters that a column may show: what is under way at its middle.
std::string expected(const Picture& picture, const PictureRow& row, std::size_t column,
                     std::size_t columns) {
  const Int128 twice_span = 2 * (Int128{picture.to.count} - picture.from.count);
  const auto at_middle = [&](Ticks begin, Ticks end) {
    const Int128 middle = (2 * Int128{column} + 1) * twice_span / 2;  // times 2 * columns
    const auto scaled = [&](Ticks time) {
      return (Int128{time.count} - picture.from.count) * 2 * Int128{columns};
    };
    return scaled(begin) <= middle && middle < scaled(end);
  };
  for (const Block& block : row.blocks) {
    if (!at_middle(block.start, block.end)) continue;
    std::string letters = "C";
    if (block.step.op.kind == OpKind::optimizer) letters = "O";
    if (is_compute(block.step.op.kind)) letters = step_label(block.step);
    return letters + "0123456789.";
  }
  for (const IdlePart& part : row.idle) {
    const bool waits =
        part.cause == IdleCause::communication || part.cause == IdleCause::head_of_line;
    if (waits && at_middle(part.begin, part.end)) return "~";
  }
  return " ";
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("terminal picture: a cell shows what is under way at its middle") {
    test::for_random_pictures(20261, 300, [](const Picture& picture, std::mt19937_64& random) {
      const auto width = static_cast<std::int32_t>(test::draw(random, 40, 160));
      CAPTURE(width);
      const std::string text = drawn(picture, width);
      const std::vector<std::string> rows = rows_of(text);
      REQUIRE(rows.size() == picture.rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        CHECK(rows[i].size() == rows.front().size());
        for (std::size_t column = 0; column < rows[i].size(); ++column) {
          const std::string allowed = expected(picture, picture.rows[i], column, rows[i].size());
          const auto shown = static_cast<unsigned char>(rows[i][column]);
          const char upper = static_cast<char>(std::toupper(shown));
          CAPTURE(rows[i]);
          CAPTURE(column);
          CHECK_MESSAGE(allowed.find(upper) != std::string::npos, allowed);
        }
      }
      for (const std::string& line : lines_of(text)) {
        const bool is_axis = line.starts_with(" ");
        CHECK(line.size() <= static_cast<std::size_t>(width) + (is_axis ? 20 : 0));
      }
    });
  }

  TEST_CASE("terminal picture: where the times allow it equal ops are equally wide") {
    const Picture picture = test::picture_of("1f1b", test::equal_stages(4, 8, 2, 4));
    for (const std::int32_t width : {51, 84, 85, 116, 117, 150}) {
      CAPTURE(width);
      const std::vector<std::string> rows = rows_of(drawn(picture, width));
      // 66 ticks are 33 parts of 2.
      const std::size_t columns = static_cast<std::size_t>(width - 18) / 33 * 33;
      CHECK(rows.front().size() == columns);
      const std::size_t forward = columns / 33;
      for (const std::string& row : rows) {
        const auto cells = [&row](char letter) {
          std::size_t count = 0;
          char block = ' ';
          for (const char cell : row) {
            if (cell == ' ' || std::isalpha(static_cast<unsigned char>(cell)) != 0) block = cell;
            count += block == letter ? 1 : 0;
          }
          return count;
        };
        CHECK(cells('F') == 8 * forward);
        CHECK(cells('B') == 16 * forward);
      }
    }
  }

  TEST_CASE("terminal picture: colours change no column") {
    test::for_random_pictures(20262, 60, [](const Picture& picture, std::mt19937_64&) {
      const std::vector<std::string> without = rows_of(drawn(picture, 120));
      for (const TerminalColour colour : {TerminalColour::palette, TerminalColour::true_colour}) {
        const std::vector<std::string> with = rows_of(plain(drawn(picture, 120, colour)));
        REQUIRE(with.size() == without.size());
        for (std::size_t i = 0; i < with.size(); ++i) CHECK(with[i].size() == without[i].size());
      }
      CHECK(drawn(picture, 120).find('\x1b') == std::string::npos);
    });
  }

  TEST_CASE("terminal picture: a stack has one time axis") {
    const Problem problem = test::equal_stages(2, 4, 1, 2);
    const Picture fast = test::picture_of("1f1b", problem);
    const Picture slow = test::picture_of("gpipe", test::equal_stages(2, 4, 2, 4));
    const std::string text = terminal_picture(std::array{&fast, &slow}, {.width = 100});
    const std::vector<std::string> rows = rows_of(text);
    REQUIRE(rows.size() == 4);
    for (const std::string& row : rows) CHECK(row.size() == rows.front().size());
    CHECK(rows[0].find_last_not_of(' ') * 2 + 1 == rows[2].find_last_not_of(' '));
  }
}
