// Files of many results: what pipesim prints with --format json or csv, one after another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pipesim {

enum class ResultKind { number, text, nothing };

/// A value of a result. A list of numbers stands as the largest of them; other lists have none.
struct ResultValue {
  std::string path;    ///< dotted: "t_total", "config.memory.limit"; in CSV the column's name
  std::string text{};  ///< a number as it is written, "true", a string without its quotes
  ResultKind kind = ResultKind::text;
  bool is_largest = false;  ///< of a list
  int line = 0;             ///< 1-based, where it stands
};

/// A result in the order in which it is written.
struct ResultRow {
  std::string file;
  int line = 0;  ///< 1-based, where it begins
  std::vector<ResultValue> values;

  /// The value with that path, or null.
  const ResultValue* find(std::string_view path) const;
};

/// Results of runs that were done.
struct Results {
  std::vector<ResultRow> rows;
  std::vector<std::string> notes;  ///< what was left out, and why: a sentence for each status
};

/// A file as it was read.
struct ResultsText {
  std::string name;
  std::string text;
};

/// Reads JSON documents one after another, with or without line ends between and in them, or CSV
/// with its header line, which may come again. Of a comparison every row is a result. A result with
/// a `status` other than ok is left out. Throws Error (bad input) if a text is neither, or if all
/// files together hold no result that is ok.
Results read_results(const std::vector<ResultsText>& files);

}  // namespace pipesim
