#include "tools/command_syntax.hpp"

#include <algorithm>
#include <string>
#include <vector>

namespace pipesim {

namespace {

bool share_a_name(const ArgumentSyntax& left, const ArgumentSyntax& right) {
  return std::find_first_of(left.names.begin(), left.names.end(), right.names.begin(),
                            right.names.end()) != left.names.end();
}

}  // namespace

std::vector<ArgumentSyntax> options_of(const CommandSyntax& program, const CommandSyntax& command) {
  std::vector<ArgumentSyntax> options = command.options;
  for (const ArgumentSyntax& option : program.options) {
    const bool is_own =
        std::any_of(command.options.begin(), command.options.end(),
                    [&](const ArgumentSyntax& own) { return share_a_name(own, option); });
    const bool is_taken =
        !command.taken ||
        std::find_first_of(option.names.begin(), option.names.end(), command.taken->begin(),
                           command.taken->end()) != option.names.end();
    if (!is_own && is_taken) options.push_back(option);
  }
  return options;
}

}  // namespace pipesim
