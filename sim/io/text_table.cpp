#include "sim/io/text_table.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace pipesim {

std::string TextTable::text(std::size_t indent) const {
  std::vector<std::size_t> width;
  for (const auto& row : rows_) {
    width.resize(std::max(width.size(), row.size()));
    for (std::size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows_) {
    std::string line(indent, ' ');
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool is_left = i < alignment_.size() && alignment_[i] == 'l';
      line += fmt::format("{}{}", i == 0 ? "" : "  ",
                          is_left ? fmt::format("{:<{}}", row[i], width[i])
                                  : fmt::format("{:>{}}", row[i], width[i]));
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + '\n';
  }
  return text;
}

}  // namespace pipesim
