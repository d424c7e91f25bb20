#include "sim/io/results_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>

#include "sim/error.hpp"
#include "sim/io/csv_fields.hpp"
#include "sim/io/exact_decimal.hpp"
#include "sim/io/json_scan.hpp"
#include "sim/io/json_tree.hpp"
#include "sim/units.hpp"

namespace pipesim {

namespace {

/// What is left out for one reason.
struct LeftOut {
  std::string status;
  int count = 0;
  std::string first;  // place, and the reason where it is known
};

/// The end of the JSON document that begins at `at`; the end of the text if it does not end.
std::size_t document_end(std::string_view text, std::size_t at) {
  int depth = 0;
  do {
    at = skip_space(text, at);
    if (at == text.size()) break;
    if (text[at] == '{' || text[at] == '[') ++depth;
    if (text[at] == '}' || text[at] == ']') --depth;
    at = token_end(text, at);
  } while (depth > 0);
  return at;
}

class Reader {
 public:
  void read(const ResultsText& file) {
    file_ = &file;
    const std::string_view text = without_byte_order_mark(file.text);
    const std::size_t begin = skip_space(text, 0);
    if (begin == text.size()) return;
    if (text[begin] == '{' || text[begin] == '[') {
      read_json(text);
    } else {
      read_csv(text);
    }
  }

  Results finish() {
    for (const LeftOut& left_out : left_out_) {
      results_.notes.push_back(
          fmt::format("left out {} result{} with the status {}, the first at {}", left_out.count,
                      left_out.count == 1 ? "" : "s", left_out.status, left_out.first));
    }
    if (results_.rows.empty()) {
      throw Error(Fault{.place = file_ ? file_->name : "",
                        .what = left_out_.empty()
                                    ? "no result in it"
                                    : "no result in it that is ok: " + results_.notes[0],
                        .allowed = "what pipesim prints with --format json or csv"});
    }
    return std::move(results_);
  }

 private:
  void read_json(std::string_view text) {
    int line = 1;
    std::size_t counted = 0;
    for (std::size_t begin = skip_space(text, 0); begin < text.size();) {
      line += static_cast<int>(std::count(text.begin() + static_cast<std::ptrdiff_t>(counted),
                                          text.begin() + static_cast<std::ptrdiff_t>(begin), '\n'));
      counted = begin;
      const std::size_t end = document_end(text, begin);
      read_document(std::string(text.substr(begin, end - begin)), line);
      begin = skip_space(text, end);
    }
  }

  void read_document(std::string text, int line) {
    tree_ = JsonTree();
    JsonFaults faults;
    const JsonTree::Id root =
        tree_.parse({.name = file_->name, .text = std::move(text), .first_line = line}, faults);
    if (tree_.kind(root) != JsonKind::object) {
      faults.add(tree_, tree_.position(root),
                 {.what = fmt::format("{} is no result", tree_.described(root)),
                  .allowed = "one JSON object a result"});
    }
    faults.throw_if_any();
    const auto compared = tree_.find(root, "results");
    if (!compared || tree_.kind(*compared) != JsonKind::array) return add_result(root);
    for (const JsonTree::Id row : tree_.children(*compared)) {
      if (tree_.kind(row) == JsonKind::object) add_result(row);
    }
  }

  /// Of a row of a comparison the result stands one level deeper.
  void add_result(JsonTree::Id id) {
    ResultRow row = new_row(line_of(id));
    const auto inner = tree_.find(id, "result");
    if (inner && tree_.kind(*inner) == JsonKind::object) add_values(*inner, "", row);
    for (const JsonTree::Id member : tree_.children(id)) {
      const std::string key(tree_.key(member));
      if (key != "result" && !row.find(key)) add_value(member, key, row);
    }
    add_row(std::move(row));
  }

  void add_values(JsonTree::Id object, const std::string& prefix, ResultRow& row) const {
    for (const JsonTree::Id member : tree_.children(object)) {
      add_value(member, prefix + std::string(tree_.key(member)), row);
    }
  }

  void add_value(JsonTree::Id id, const std::string& path, ResultRow& row) const {
    ResultValue value{.path = path, .text = std::string(tree_.raw(id)), .line = line_of(id)};
    switch (tree_.kind(id)) {
      case JsonKind::object:
        return add_values(id, path + ".", row);
      case JsonKind::array: {
        const auto largest = largest_of(id);
        if (!largest) return;
        value.text = *largest;
        value.kind = ResultKind::number;
        value.is_largest = true;
        break;
      }
      case JsonKind::number:
        value.kind = ResultKind::number;
        break;
      case JsonKind::null:
        value.kind = ResultKind::nothing;
        break;
      case JsonKind::string:
        value.text = tree_.string(id);
        break;
      case JsonKind::boolean:
        break;
    }
    row.values.push_back(std::move(value));
  }

  /// The largest number of a list of numbers.
  std::optional<std::string> largest_of(JsonTree::Id list) const {
    std::optional<ExactDecimal> largest;
    for (const JsonTree::Id element : tree_.children(list)) {
      const auto number = ExactDecimal::parse(tree_.raw(element));
      if (!number) return std::nullopt;
      if (!largest || *number > *largest) largest = number;
    }
    return largest ? std::optional(largest->text()) : std::nullopt;
  }

  void read_csv(std::string_view rest) {
    std::vector<std::string> header;
    for (int line = 1; !rest.empty(); ++line) {
      const std::string_view text = take_line(rest);
      if (skip_space(text, 0) == text.size()) continue;
      const auto quoted = quoted_csv_fields(text);
      if (!quoted) {
        fail(line, "quotes that do not enclose a field",
             "fields with a quote on both ends and doubled quotes between, on one line");
      }
      const std::vector<std::string>& fields = *quoted;
      if (fields[0] == "schema_version") {
        header.clear();
        for (const std::string& name : fields) {
          if (std::find(header.begin(), header.end(), name) != header.end()) {
            fail(line, fmt::format("the header names {} twice", name), "every field once", name);
          }
          header.push_back(name);
        }
        continue;
      }
      if (header.empty()) {
        fail(line, "neither JSON nor the header line of pipesim's CSV",
             "results with --format json, or csv without --no-header");
      }
      if (fields.size() != header.size()) {
        fail(line, fmt::format("{} fields under a header of {}", fields.size(), header.size()),
             fmt::format("{} fields", header.size()));
      }
      ResultRow row = new_row(line);
      for (std::size_t i = 0; i < fields.size(); ++i) {
        const std::string& field = fields[i];
        const ResultKind kind = field.empty()                ? ResultKind::nothing
                                : ExactDecimal::parse(field) ? ResultKind::number
                                                             : ResultKind::text;
        row.values.push_back({.path = header[i], .text = field, .kind = kind, .line = line});
      }
      add_row(std::move(row));
    }
  }

  /// A unit that is absent is a fault only where an axis needs it.
  void require_time_unit(const ResultRow& row) const {
    const ResultValue* const unit = row.find("time_unit");
    if (!unit || unit->kind == ResultKind::nothing || time_unit(unit->text)) return;
    fail(unit->line, fmt::format("time_unit is {}", unit->text), "s, ms, us, ns or ps", unit->text);
  }

  ResultRow new_row(int line) const { return {.file = file_->name, .line = line, .values = {}}; }

  void add_row(ResultRow row) {
    require_time_unit(row);
    const ResultValue* const status = row.find("status");
    if (!status || status->text == "ok") {
      results_.rows.push_back(std::move(row));
      return;
    }
    auto same = std::find_if(left_out_.begin(), left_out_.end(),
                             [&](const LeftOut& one) { return one.status == status->text; });
    if (same == left_out_.end()) {
      const ResultValue* const reason = row.find("reason");
      const std::string why = reason && reason->kind == ResultKind::text ? ": " + reason->text : "";
      left_out_.push_back(
          {.status = status->text, .first = fmt::format("{}:{}{}", row.file, row.line, why)});
      same = std::prev(left_out_.end());
    }
    ++same->count;
  }

  int line_of(JsonTree::Id id) const { return tree_.placed({}, tree_.position(id)).line; }

  [[noreturn]] void fail(int line, std::string what, std::string allowed,
                         std::string value = "") const {
    throw Error(Fault{.place = fmt::format("{}:{}", file_->name, line),
                      .line = line,
                      .value = std::move(value),
                      .what = std::move(what),
                      .allowed = std::move(allowed)});
  }

  const ResultsText* file_ = nullptr;
  JsonTree tree_;  // of one document
  Results results_;
  std::vector<LeftOut> left_out_;
};

}  // namespace

const ResultValue* ResultRow::find(std::string_view path) const {
  const auto found = std::find_if(values.begin(), values.end(),
                                  [&](const ResultValue& value) { return value.path == path; });
  return found == values.end() ? nullptr : &*found;
}

Results read_results(const std::vector<ResultsText>& files) {
  Reader reader;
  for (const ResultsText& file : files) reader.read(file);
  return reader.finish();
}

}  // namespace pipesim
