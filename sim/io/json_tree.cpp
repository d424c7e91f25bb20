#include "sim/io/json_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "sim/io/json_text.hpp"

namespace pipesim {

namespace {

constexpr std::size_t kMostFaults = 1000;

std::string unescaped(std::string_view pointer_part) {
  std::string key;
  for (std::size_t at = 0; at < pointer_part.size(); ++at) {
    const bool escape = pointer_part[at] == '~' && at + 1 < pointer_part.size();
    key += escape ? (pointer_part[++at] == '1' ? '/' : '~') : pointer_part[at];
  }
  return key;
}

}  // namespace

std::string_view name(JsonKind kind) {
  switch (kind) {
    case JsonKind::null:
      return "null";
    case JsonKind::boolean:
      return "a boolean";
    case JsonKind::number:
      return "a number";
    case JsonKind::string:
      return "a string";
    case JsonKind::array:
      return "an array";
    case JsonKind::object:
      return "an object";
  }
  return "";
}

bool JsonFaults::is_full() const { return faults_.size() == kMostFaults; }

void JsonFaults::add(const JsonTree& tree, JsonPosition position, Fault fault) {
  if (is_full()) {
    ++not_shown_;
  } else {
    faults_.emplace_back(position, tree.placed(std::move(fault), position));
  }
}

void JsonFaults::throw_if_any() const {
  if (faults_.empty()) return;
  auto sorted = faults_;
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const auto& left, const auto& right) { return left.first < right.first; });
  std::vector<Fault> faults;
  faults.reserve(sorted.size() + 1);
  for (auto& [position, fault] : sorted) faults.push_back(std::move(fault));
  if (not_shown_ > 0) {
    faults.push_back(Fault{.what = fmt::format("{} more faults are not shown", not_shown_)});
  }
  throw Error(std::move(faults));
}

JsonTree::Id JsonTree::add_node(const Node& node) {
  nodes_.push_back(node);
  return static_cast<Id>(nodes_.size() - 1);
}

void JsonTree::set_children(Id id, std::span<const Id> children) {
  nodes_[id].first_link = static_cast<std::uint32_t>(links_.size());
  nodes_[id].links = static_cast<std::uint32_t>(children.size());
  links_.insert(links_.end(), children.begin(), children.end());
}

JsonTree::Id JsonTree::add_text(JsonSource source) {
  const auto size = static_cast<std::uint32_t>(source.text.size());
  sources_.push_back({.given = std::move(source)});
  return add_node({.source = static_cast<std::uint32_t>(sources_.size() - 1),
                   .end = size,
                   .kind = JsonKind::string});
}

JsonTree::Id JsonTree::add_object(Id at) {
  const Node& node = nodes_[at];
  return add_node(
      {.source = node.source, .begin = node.begin, .end = node.end, .kind = JsonKind::object});
}

void JsonTree::replace(Id old, Id value) {
  const std::uint32_t key = nodes_[old].key;
  nodes_[old] = nodes_[value];
  nodes_[old].key = key;
}

void JsonTree::add_member(Id object, std::string key, Id value) {
  keys_.push_back({std::move(key), position(value)});
  nodes_[value].key = static_cast<std::uint32_t>(keys_.size() - 1);
  const auto members = children(object);
  std::vector<Id> with_value(members.begin(), members.end());
  with_value.push_back(value);
  set_children(object, with_value);
}

void JsonTree::remove_member(Id object, std::string_view key) {
  std::vector<Id> others;
  for (const Id member : children(object)) {
    if (this->key(member) != key) others.push_back(member);
  }
  set_children(object, others);
}

std::string canonical_json(const JsonTree& tree, JsonTree::Id id) {
  const bool is_object = tree.kind(id) == JsonKind::object;
  if (!is_object && tree.kind(id) != JsonKind::array) {
    return tree.kind(id) == JsonKind::string ? json_string(tree.string(id))
                                             : std::string(tree.raw(id));
  }
  std::string text;
  for (const JsonTree::Id child : tree.children(id)) {
    if (!text.empty()) text += ", ";
    if (is_object) text += json_string(tree.key(child)) + ": ";
    text += canonical_json(tree, child);
  }
  return is_object ? "{" + text + "}" : "[" + text + "]";
}

std::string_view JsonTree::raw(Id id) const {
  const Node& node = nodes_[id];
  return std::string_view(sources_[node.source].given.text)
      .substr(node.begin, node.end - node.begin);
}

std::string JsonTree::string(Id id) const {
  const std::string_view text = raw(id);
  if (!sources_[nodes_[id].source].is_json) return std::string(text);
  if (text.find('\\') == std::string_view::npos) {
    return std::string(text.substr(1, text.size() - 2));
  }
  return nlohmann::json::parse(text).get<std::string>();
}

std::string JsonTree::shown(Id id) const {
  const bool is_bare = kind(id) == JsonKind::string && !sources_[nodes_[id].source].is_json;
  return is_bare ? '"' + excerpt(id) + '"' : excerpt(id);
}

std::string JsonTree::described(Id id) const {
  const JsonKind kind = nodes_[id].kind;
  const bool says_all =
      kind == JsonKind::null || kind == JsonKind::array || kind == JsonKind::object;
  return says_all ? std::string(name(kind)) : fmt::format("{} is {}", shown(id), name(kind));
}

std::span<const JsonTree::Id> JsonTree::children(Id id) const {
  return std::span(links_).subspan(nodes_[id].first_link, nodes_[id].links);
}

std::optional<JsonTree::Id> JsonTree::find(Id object, std::string_view key) const {
  for (const Id member : children(object)) {
    if (this->key(member) == key) return member;
  }
  return std::nullopt;
}

JsonTree::Found JsonTree::nearest(Id from, std::string_view pointer) const {
  Id at = from;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const std::string key = unescaped(pointer.substr(0, pointer.find('/')));
    pointer.remove_prefix(std::min(pointer.size(), pointer.find('/')));
    std::optional<Id> next;
    if (kind(at) == JsonKind::object) next = find(at, key);
    if (kind(at) == JsonKind::array) {
      std::size_t index = children(at).size();
      std::from_chars(key.data(), key.data() + key.size(), index);
      if (index < children(at).size()) next = children(at)[index];
    }
    if (!next) return {.id = at, .exact = false};
    at = *next;
  }
  return {.id = at, .exact = true};
}

Fault JsonTree::placed(Fault fault, JsonPosition position) const {
  const Source& source = sources_[position.source];
  fault.place = source.given.name;
  if (source.given.style == JsonPlaceStyle::name_only) return fault;
  const auto& begins = source.line_begins;
  const auto next = std::upper_bound(begins.begin(), begins.end(), position.offset);
  fault.line = static_cast<int>(next - begins.begin()) + source.given.first_line - 1;
  fault.column = static_cast<int>(position.offset - *std::prev(next)) + 1;
  fault.place += fmt::format(":{}:{}", fault.line, fault.column);
  return fault;
}

std::string child_pointer(std::string_view pointer, std::string_view key) {
  std::string result(pointer);
  result += '/';
  for (const char c : key) {
    if (c == '~') {
      result += "~0";
    } else if (c == '/') {
      result += "~1";
    } else {
      result += c;
    }
  }
  return result;
}

std::string abbreviated(std::string_view text) {
  constexpr std::size_t kMostBytes = 60;
  if (text.size() <= kMostBytes) return std::string(text);
  std::size_t end = kMostBytes;
  const auto continues_character = [](char c) { return (c & '\xc0') == '\x80'; };
  while (end > 0 && continues_character(text[end])) --end;
  return std::string(text.substr(0, end)) + "...";
}

}  // namespace pipesim
