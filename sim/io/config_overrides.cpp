#include "sim/io/config_overrides.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace pipesim {

namespace {

using Id = JsonTree::Id;

/// One override on its way into the document.
class Path {
 public:
  Path(JsonTree& tree, Id root, Id value, JsonFaults& faults)
      : tree_(tree), at_(root), value_(value), faults_(faults) {}

  /// Goes on to a member or element, created if an object lacks it. Returns whether it is there.
  bool enter(std::string_view name) {
    if (tree_.kind(at_) == JsonKind::array) return enter_element(name);
    if (tree_.kind(at_) == JsonKind::object) return enter_member(name);
    return fault({.pointer = pointer_,
                  .value = tree_.excerpt(at_),
                  .what = tree_.described(at_),
                  .allowed = "an object or an array"});
  }

  void assign() { tree_.replace(at_, value_); }

 private:
  bool enter_member(std::string_view name) {
    pointer_ = child_pointer(pointer_, name);
    std::optional<Id> member = tree_.find(at_, name);
    if (!member) {
      member = tree_.add_object(value_);
      tree_.add_member(at_, std::string(name), *member);
    }
    at_ = *member;
    return true;
  }

  bool enter_element(std::string_view name) {
    pointer_ = child_pointer(pointer_, name);
    const auto elements = tree_.children(at_);
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
    if (error != std::errc{} || end != name.data() + name.size() || index >= elements.size()) {
      return fault({.pointer = pointer_,
                    .value = std::string(name),
                    .what = "no such element",
                    .allowed = elements.empty() ? "the array is empty"
                                                : fmt::format("0 to {}", elements.size() - 1)});
    }
    at_ = elements[index];
    return true;
  }

  bool fault(Fault fault) {
    faults_.add(tree_, tree_.position(value_), std::move(fault));
    return false;
  }

  JsonTree& tree_;
  Id at_;
  Id value_;
  JsonFaults& faults_;
  std::string pointer_{};
};

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> names;
  while (true) {
    const std::size_t dot = path.find('.');
    names.push_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return names;
    path.remove_prefix(dot + 1);
  }
}

Id add_value(JsonTree& tree, const Override& given, std::span<const std::string_view> names,
             JsonFaults& faults) {
  JsonSource source = {.name = "command line: " + given.option,
                       .text = given.value,
                       .style = JsonPlaceStyle::name_only};
  if (given.kind == OverrideKind::text || !is_json(given.value)) {
    return tree.add_text(std::move(source));
  }
  for (const std::string_view name : names) source.pointer = child_pointer(source.pointer, name);
  return tree.parse(std::move(source), faults);
}

void apply_override(JsonTree& tree, Id root, const Override& given, JsonFaults& faults) {
  const std::vector<std::string_view> names = split(given.path);
  const Id value = add_value(tree, given, names, faults);
  if (std::find(names.begin(), names.end(), "") != names.end()) {
    faults.add(tree, tree.position(value),
               {.value = given.path,
                .what = fmt::format("the path \"{}\" has an empty name", given.path),
                .allowed = "names joined by dots, such as memory.limit"});
    return;
  }
  Path path(tree, root, value, faults);
  for (const std::string_view name : names) {
    if (!path.enter(name)) return;
  }
  path.assign();
  if (given.path == "schedule") normalise_schedule(tree, root);
}

}  // namespace

JsonTree::Id read_document(JsonTree& tree, const std::optional<ConfigText>& file,
                           JsonFaults& faults) {
  if (!file) {
    return tree.add_object(
        tree.add_text({.name = "command line", .style = JsonPlaceStyle::name_only}));
  }
  const auto root = tree.parse({.name = file->name, .text = file->text}, faults);
  if (tree.kind(root) != JsonKind::object) {
    faults.add(
        tree, tree.position(root),
        {.value = tree.excerpt(root), .what = tree.described(root), .allowed = "a JSON object"});
    faults.throw_if_any();
  }
  return root;
}

void normalise_schedule(JsonTree& tree, Id root) {
  const std::optional<Id> schedule = tree.find(root, "schedule");
  if (!schedule || tree.kind(*schedule) != JsonKind::string) return;
  const Id object = tree.add_object(*schedule);
  const Id name = tree.add_object(*schedule);
  tree.replace(name, *schedule);
  tree.add_member(object, "name", name);
  tree.replace(*schedule, object);
}

void apply_overrides(JsonTree& tree, Id root, std::span<const Override> overrides,
                     JsonFaults& faults) {
  for (const Override& given : overrides) apply_override(tree, root, given, faults);
}

}  // namespace pipesim
