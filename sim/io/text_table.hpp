// Columns of text, aligned for a person.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace pipesim {

/// Rows of cells. A column is as wide as its widest cell; two spaces stand between columns.
class TextTable {
 public:
  /// One letter a column: l is flush left, r flush right. Columns beyond are flush right.
  explicit TextTable(std::string alignment = "l") : alignment_(std::move(alignment)) {}

  void add(std::vector<std::string> row) { rows_.push_back(std::move(row)); }
  /// The rows as lines, each indented by `indent` spaces, without trailing spaces.
  std::string text(std::size_t indent) const;

 private:
  std::string alignment_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace pipesim
