// What can be written on the command line, as a value, and what is made of it for its users.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace pipesim {

/// An option, a flag or, without a dash in its name, an argument that stands for itself.
struct ArgumentSyntax {
  std::vector<std::string> names{};  ///< at least one: "-p", "--t-f"
  std::string value{};               ///< FILE, {table,json}; "" is a flag
  std::string help{};
  std::vector<std::string> words{};  ///< the values that it can have; empty: others as well
  bool takes_several = false;        ///< values, one after the other
  bool repeats = false;              ///< each time with another value
  bool is_required = false;

  bool is_file() const { return value == "FILE"; }
  bool is_directory() const { return value == "DIR"; }
};

struct CommandSyntax {
  std::string name;
  std::string help;
  std::string footer;  ///< what is to be said after its options
  std::vector<ArgumentSyntax> options{};
  std::vector<ArgumentSyntax> positionals{};  ///< in their order
  /// Of a command: the options of the program that it takes too; if absent, all of them.
  std::optional<std::vector<std::string>> taken{};
  std::vector<CommandSyntax> commands{};
};

/// What a user may write after the command: its own options, then those of the program.
std::vector<ArgumentSyntax> options_of(const CommandSyntax& program, const CommandSyntax& command);

/// A script that completes the program's command line in that shell: bash, zsh or fish.
std::string completion_script(const CommandSyntax& program, std::string_view shell);

/// The page for man, as roff.
std::string manual_page(const CommandSyntax& program, std::string_view version);

}  // namespace pipesim
