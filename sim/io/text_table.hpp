// Columns of text, aligned for a person.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace pipesim {

/// Rows of cells. A column is as wide as its widest cell; the first is flush left, the others
/// flush right; two spaces stand between columns.
class TextTable {
 public:
  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// The rows as lines, each indented by `indent` spaces, without trailing spaces.
  std::string text(std::size_t indent) const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pipesim
