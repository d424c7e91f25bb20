// A JSON document whose values know where they were written and keep their numbers as text, so
// that a reader can name the place of every fault and lose no digit.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/error.hpp"

namespace pipesim {

enum class JsonKind : std::uint8_t { null, boolean, number, string, array, object };

/// With its article: "a string", "an object"; "null" has none.
std::string_view name(JsonKind kind);

/// How the place of a value is written.
enum class JsonPlaceStyle {
  line_and_column,  ///< NAME:LINE:COLUMN
  name_only         ///< NAME; for the value of a command-line option
};

/// A text that values are read from.
struct JsonSource {
  std::string name{};
  std::string text{};
  JsonPlaceStyle style = JsonPlaceStyle::line_and_column;
  std::string pointer{};  ///< where its root stands in the document: "" or "/memory"
  int first_line = 1;     ///< of the text in its file
};

/// A byte of one of a tree's sources, ordered by source as they were added, then by offset.
struct JsonPosition {
  std::uint32_t source = 0;
  std::uint32_t offset = 0;

  friend auto operator<=>(const JsonPosition&, const JsonPosition&) = default;
};

/// The text, or its beginning if it is long.
std::string abbreviated(std::string_view text);

class JsonTree;

/// The faults of a tree in the order of their positions, however they were found. Keeps the first
/// thousand that are added and counts the others.
class JsonFaults {
 public:
  void add(const JsonTree& tree, JsonPosition position, Fault fault);
  bool empty() const { return faults_.empty(); }
  /// Whether what is added is counted only.
  bool is_full() const;
  /// Throws Error (bad input) if there is any fault.
  void throw_if_any() const;

 private:
  std::vector<std::pair<JsonPosition, Fault>> faults_;
  std::size_t not_shown_ = 0;
};

/// Values of one document, which may come from several sources. A value takes some 30 bytes;
/// destruction does not recurse.
class JsonTree {
 public:
  /// Names a value; valid as long as the tree.
  using Id = std::uint32_t;

  /// Reads a strict JSON text (RFC 8259, at most 64 levels deep, less than 4 GiB) and returns its
  /// root. A key that stands twice is added to `faults`; a text that is not JSON ends them, and
  /// Error is thrown.
  Id parse(JsonSource source, JsonFaults& faults);
  /// A string whose value is the source's text as it stands.
  Id add_text(JsonSource source);
  /// An empty object that counts as written where `at` is.
  Id add_object(Id at);
  /// Puts a copy of `value` in the place of `old`, under the key of `old`.
  void replace(Id old, Id value);
  /// Adds `value` to an object that does not have the key.
  void add_member(Id object, std::string key, Id value);
  /// Takes the member with that key, if there is one, out of the object.
  void remove_member(Id object, std::string_view key);

  JsonKind kind(Id id) const { return nodes_[id].kind; }
  /// The value as it was written.
  std::string_view raw(Id id) const;
  /// The same, a long one only in part.
  std::string excerpt(Id id) const { return abbreviated(raw(id)); }
  /// The value of a string, without quotes and escapes.
  std::string string(Id id) const;
  /// The value as it stands in a message: the excerpt, a string always in quotes.
  std::string shown(Id id) const;
  /// The value as what it is: "4 is a number", "an object", "null".
  std::string described(Id id) const;
  /// The key of a member of an object.
  std::string_view key(Id id) const { return keys_[nodes_[id].key].text; }
  /// The elements of an array or members of an object as they were written; none of a scalar.
  std::span<const Id> children(Id id) const;
  /// The first member with that key.
  std::optional<Id> find(Id object, std::string_view key) const;

  /// The value that a JSON pointer names below `from`, or the nearest around it that exists.
  struct Found {
    Id id = 0;
    bool exact = false;
  };
  Found nearest(Id from, std::string_view pointer) const;

  JsonPosition position(Id id) const { return {nodes_[id].source, nodes_[id].begin}; }
  JsonPosition key_position(Id id) const { return keys_[nodes_[id].key].position; }
  /// The fault with its place, line and column.
  Fault placed(Fault fault, JsonPosition position) const;

 private:
  friend class JsonParser;

  static constexpr std::uint32_t kNoKey = 0xffffffff;

  struct Source {
    JsonSource given;
    std::vector<std::uint32_t> line_begins{};
    bool is_json = false;
  };
  struct Key {
    std::string text;
    JsonPosition position;
  };
  struct Node {
    std::uint32_t source = 0;
    std::uint32_t begin = 0;  // in the source's text
    std::uint32_t end = 0;
    std::uint32_t key = kNoKey;
    std::uint32_t first_link = 0;
    std::uint32_t links = 0;
    JsonKind kind = JsonKind::null;
  };

  Id add_node(const Node& node);
  void set_children(Id id, std::span<const Id> children);

  // Deques: views into them stay valid, and they grow without a second copy of everything.
  std::deque<Source> sources_;
  std::deque<Node> nodes_;
  std::deque<Key> keys_;
  std::vector<Id> links_;
};

/// The value and all in it, in its order, on one line and spaced in one way.
std::string canonical_json(const JsonTree& tree, JsonTree::Id id);

/// Whether the whole text is one JSON value, of whatever depth.
bool is_json(std::string_view text);

/// The pointer of a member or element below `pointer`: `~` and `/` in the key are escaped.
std::string child_pointer(std::string_view pointer, std::string_view key);

}  // namespace pipesim
