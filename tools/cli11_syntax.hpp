// The options that CLI11 knows, as a value.
#pragma once

#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "tools/command_syntax.hpp"

namespace pipesim {

/// By key, words.
using Words = std::map<std::string, std::vector<std::string>>;

/// Everything that `app` parses. `known` are the words that a value can be, by what stands for it:
/// NAME; `taken` are the options of the program that a command takes, by command.
CommandSyntax syntax_of(const CLI::App& app, const Words& known, const Words& taken);

/// Commands and options that a word of the command line could have meant, those of the command that
/// was given too.
std::vector<std::string> names_known_to(const CLI::App& app);

}  // namespace pipesim
