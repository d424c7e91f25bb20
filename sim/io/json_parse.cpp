#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "sim/io/json_scan.hpp"
#include "sim/io/json_tree.hpp"

namespace pipesim {

namespace {

std::vector<std::uint32_t> find_line_begins(std::string_view text) {
  std::vector<std::uint32_t> begins = {0};
  for (std::size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at)) {
    begins.push_back(static_cast<std::uint32_t>(++at));
  }
  return begins;
}

}  // namespace

/// Receives nlohmann's SAX events and walks the text beside them, because an event tells neither
/// where its token stands nor how a number was written.
class JsonParser {
 public:
  using Id = JsonTree::Id;

  JsonParser(JsonTree& tree, std::uint32_t source, JsonFaults& faults)
      : tree_(tree), source_(source), text_(tree.sources_[source].given.text), faults_(faults) {}

  /// Returns whether the text is JSON; its root is the first value added.
  bool run() {
    if (skip_space(text_, 0) == text_.size()) {
      report(0, {.what = "the file is empty", .allowed = "a JSON object"});
      return false;
    }
    return nlohmann::json::sax_parse(without_numbers(text_), this);
  }

  // The SAX interface; an event returns whether to go on.
  bool null() { return add_scalar(JsonKind::null); }
  bool boolean(bool) { return add_scalar(JsonKind::boolean); }
  bool number_integer(std::int64_t) { return add_scalar(JsonKind::number); }
  bool number_unsigned(std::uint64_t) { return add_scalar(JsonKind::number); }
  bool number_float(double, const std::string&) { return add_scalar(JsonKind::number); }
  bool string(std::string&) { return add_scalar(JsonKind::string); }
  bool binary(nlohmann::json::binary_t&) { return false; }  // not in JSON texts
  bool start_object(std::size_t) { return open(JsonKind::object); }
  bool start_array(std::size_t) { return open(JsonKind::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& key) {
    tree_.keys_.push_back({key, take_token()});
    open_.back().key = static_cast<std::uint32_t>(tree_.keys_.size() - 1);
    return true;
  }
  bool parse_error(std::size_t read, const std::string&, const std::exception& exception) {
    const SyntaxFault fault = explain_syntax_fault(text_, at_, read, exception.what());
    std::string where = pointer();
    if (fault.value_expected && in_array()) where += fmt::format("/{}", siblings());
    report(fault.offset, {.pointer = std::move(where),
                          .what = "not valid JSON: " + fault.what,
                          .allowed = fault.expected});
    return false;
  }

 private:
  static constexpr std::size_t kMostLevels = 64;

  /// A container that is not yet closed.
  struct Open {
    Id id;
    std::size_t first_child;               // in children_
    std::uint32_t key = JsonTree::kNoKey;  // of an object: of the member whose value comes next
  };

  JsonPosition take_token() {
    at_ = text_.find_first_not_of(" \t\r\n,:", at_);
    const JsonPosition begin = {source_, static_cast<std::uint32_t>(at_)};
    at_ = token_end(text_, at_);
    return begin;
  }

  Id add(JsonKind kind) {
    const JsonPosition begin = take_token();
    const Id id = tree_.add_node({.source = source_,
                                  .begin = begin.offset,
                                  .end = static_cast<std::uint32_t>(at_),
                                  .key = open_.empty() ? JsonTree::kNoKey : open_.back().key,
                                  .kind = kind});
    if (!open_.empty()) children_.push_back(id);
    return id;
  }

  bool add_scalar(JsonKind kind) {
    add(kind);
    end_value();
    return true;
  }

  bool open(JsonKind kind) {
    if (open_.size() == kMostLevels) {
      report(take_token().offset,
             {.pointer = pointer(),
              .what = fmt::format("nested more than {} levels deep", kMostLevels),
              .allowed = fmt::format("at most {} levels", kMostLevels)});
      return false;
    }
    const Id id = add(kind);
    open_.push_back({.id = id, .first_child = children_.size()});
    return true;
  }

  bool close() {
    take_token();
    const Open& closed = open_.back();
    tree_.nodes_[closed.id].end = static_cast<std::uint32_t>(at_);
    tree_.set_children(closed.id, std::span(children_).subspan(closed.first_child));
    children_.resize(closed.first_child);
    if (!in_array()) report_duplicates(closed.id);
    open_.pop_back();
    end_value();
    return true;
  }

  void end_value() {
    if (!open_.empty()) open_.back().key = JsonTree::kNoKey;
  }

  void report_duplicates(Id object) {
    const auto members = tree_.children(object);
    std::vector<Id> sorted(members.begin(), members.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [&](Id left, Id right) { return tree_.key(left) < tree_.key(right); });
    std::size_t first = 0;
    for (std::size_t i = 1; i < sorted.size(); ++i) {
      if (tree_.key(sorted[i]) != tree_.key(sorted[first])) {
        first = i;
        continue;
      }
      const Fault at_first = tree_.placed({}, tree_.key_position(sorted[first]));
      report(tree_.key_position(sorted[i]).offset,
             {.pointer = child_pointer(pointer(), tree_.key(sorted[i])),
              .what = "duplicate key",
              .allowed = at_first.line > 0 ? "the first one is at " + at_first.place : ""});
    }
  }

  bool in_array() const { return !open_.empty() && tree_.kind(open_.back().id) == JsonKind::array; }
  std::size_t siblings() const { return children_.size() - open_.back().first_child; }

  /// Of the innermost open container, or of its member whose key was read.
  std::string pointer() const {
    std::string result = tree_.sources_[source_].given.pointer;
    for (std::size_t i = 0; i < open_.size(); ++i) {
      if (open_[i].key != JsonTree::kNoKey) {
        result = child_pointer(result, tree_.keys_[open_[i].key].text);
      } else if (i + 1 < open_.size()) {
        result += fmt::format("/{}", open_[i + 1].first_child - open_[i].first_child - 1);
      }
    }
    return result;
  }

  void report(std::size_t offset, Fault fault) {
    faults_.add(tree_, {source_, static_cast<std::uint32_t>(offset)}, std::move(fault));
  }

  JsonTree& tree_;
  std::uint32_t source_;
  std::string_view text_;
  JsonFaults& faults_;
  std::size_t at_ = 0;  // behind the last token that had an event
  std::vector<Open> open_;
  std::vector<Id> children_;  // of all open containers, outermost first
};

JsonTree::Id JsonTree::parse(JsonSource source, JsonFaults& faults) {
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (source.text.starts_with(kByteOrderMark)) source.text.erase(0, kByteOrderMark.size());
  const bool too_large = source.text.size() >= std::numeric_limits<std::uint32_t>::max();
  if (too_large) source.text.clear();
  auto line_begins = find_line_begins(source.text);
  sources_.push_back(
      {.given = std::move(source), .line_begins = std::move(line_begins), .is_json = true});
  const auto index = static_cast<std::uint32_t>(sources_.size() - 1);
  const Id root = static_cast<Id>(nodes_.size());
  if (too_large) {
    faults.add(*this, {index, 0}, {.what = "the file is too large", .allowed = "less than 4 GiB"});
    faults.throw_if_any();
  }
  if (!JsonParser(*this, index, faults).run()) faults.throw_if_any();
  return root;
}

bool is_json(std::string_view text) { return nlohmann::json::accept(without_numbers(text)); }

}  // namespace pipesim
