#include "sim/io/terminal_picture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
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

constexpr int kWaits = 1000;
constexpr int kBlank = 1001;

/// By tick: the op as 100 * look + shade, or one of the numbers above.
std::vector<int> contents(const Picture& picture, const PictureRow& row) {
  std::vector<int> result(static_cast<std::size_t>((picture.to - picture.from).count), kBlank);
  const auto fill = [&](Ticks begin, Ticks end, int what) {
    for (Ticks at = std::max(begin, picture.from); at < std::min(end, picture.to); at.count += 1) {
      result[static_cast<std::size_t>((at - picture.from).count)] = what;
    }
  };
  for (const IdlePart& part : row.idle) {
    const bool waits =
        part.cause == IdleCause::communication || part.cause == IdleCause::head_of_line;
    if (waits) fill(part.begin, part.end, kWaits);
  }
  for (const Block& block : row.blocks) {
    const auto what = [](const Op& op, std::int32_t shade) {
      return 100 * static_cast<int>(look(op.kind)) + shade;
    };
    fill(block.start, block.end, what(block.step.op, block.shade));
    if (!block.step.overlapped) continue;
    const Ticks middle{block.end.count - (block.end - block.start).count / 2};
    fill(middle, block.end, what(*block.step.overlapped, block.overlapped_shade));
  }
  return result;
}

/// What fills most of a column, the least number of those that fill as much.
int most_of(const std::vector<int>& contents, std::size_t column, std::size_t columns) {
  // A tick is as many parts as there are columns, so a column is as many parts as there are ticks.
  std::map<int, std::size_t> parts;
  for (std::size_t i = 0; i < contents.size(); ++i) {
    ++parts[contents[(column * contents.size() + i) / columns]];
  }
  return std::max_element(
             parts.begin(), parts.end(),
             [](const auto& left, const auto& right) { return left.second < right.second; })
      ->first;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("terminal picture: a cell shows what fills most of it") {
    test::for_random_pictures(20261, 300, [](const Picture& picture, std::mt19937_64& random) {
      const auto width = static_cast<std::int32_t>(test::draw(random, 40, 160));
      CAPTURE(width);
      const std::string text = drawn(picture, width);
      const std::vector<std::string> rows = rows_of(text);
      REQUIRE(rows.size() == picture.rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i) {
        CAPTURE(rows[i]);
        CHECK(rows[i].size() == rows.front().size());
        const std::vector<int> by_tick = contents(picture, picture.rows[i]);
        char begun = ' ';  // the letter with which a block began
        for (std::size_t column = 0; column < rows[i].size(); ++column) {
          const int what = most_of(by_tick, column, rows[i].size());
          const char shown = rows[i][column];
          const bool is_letter = std::isalpha(static_cast<unsigned char>(shown)) != 0;
          if (is_letter || shown == ' ' || shown == '~') begun = shown;
          char expected = what == kWaits ? '~' : ' ';
          if (what < kWaits) {
            expected = letter(static_cast<Look>(what / 100));
            if (what % 2 == 1) {
              expected = static_cast<char>(std::tolower(static_cast<unsigned char>(expected)));
            }
          }
          CAPTURE(column);
          CHECK(begun == expected);
        }
      }
      for (const std::string& line : lines_of(text)) {
        CHECK(line.size() <= static_cast<std::size_t>(width));
      }
    });
  }

  TEST_CASE("terminal picture: many ops in a cell do not alias") {
    for (const std::int32_t microbatches : {99, 100, 1000, 5003}) {
      CAPTURE(microbatches);
      const Problem problem = test::equal_stages(4, microbatches, 1, 2);
      for (const std::string& row : rows_of(drawn(test::picture_of("1f1b", problem), 100))) {
        CHECK(row.find_first_not_of(" FB") == std::string::npos);
        CHECK(row.substr(5, 70) == std::string(70, 'B'));
      }
      const std::string coloured =
          drawn(test::picture_of("1f1b", problem), 100, TerminalColour::palette);
      for (const std::string& line : lines_of(coloured)) {
        // The forwards at its begin, the backwards, idle time, and their ends.
        CHECK(std::count(line.begin(), line.end(), '\x1b') <= 6);
      }
      for (const std::string& row : rows_of(drawn(test::picture_of("gpipe", problem), 100))) {
        CHECK(row.substr(4, 22) == std::string(22, 'F'));
        CHECK(row.substr(30, 48) == std::string(48, 'B'));
      }
    }
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

  TEST_CASE("terminal picture: time begins two columns after the longest name of a device") {
    for (const int devices : {10, 11, 1000, 1001}) {
      CAPTURE(devices);
      const Problem problem = test::equal_stages(devices, 1, 1, 2);
      const std::vector<std::string> lines =
          lines_of(drawn(test::picture_of("1f1b", problem), 100));
      const std::size_t last = static_cast<std::size_t>(devices);  // the first line is a title
      const std::string name = "device " + std::to_string(devices - 1);
      REQUIRE(lines.size() > last + 1);
      CHECK(lines[last].starts_with(name + "  "));
      CHECK(lines[last + 1].find('0') == name.size() + 2);
    }
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
