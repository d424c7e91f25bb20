// What the shells know of the command line. Each script does the same three things: it finds the
// command among the words, skipping what belongs to options; it offers the values of the option
// before the cursor; and else the options, the commands or the command's arguments.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "sim/error.hpp"
#include "tools/command_syntax.hpp"

namespace pipesim {

namespace {

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

/// The template with each placeholder's text in its place.
std::string filled(std::string_view text,
                   const std::vector<std::pair<std::string_view, std::string>>& places) {
  std::string result(text);
  for (const auto& [place, value] : places) result = replaced(result, place, value);
  return result;
}

std::string joined(const std::vector<std::string>& words) {
  return fmt::format("{}", fmt::join(words, " "));
}

std::vector<std::string> command_names(const CommandSyntax& program) {
  std::vector<std::string> names;
  names.reserve(program.commands.size());
  for (const CommandSyntax& command : program.commands) names.push_back(command.name);
  return names;
}

std::vector<std::string> names_of(const std::vector<ArgumentSyntax>& options) {
  std::vector<std::string> names;
  for (const ArgumentSyntax& option : options) {
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return names;
}

/// The names of all options that are followed by a value, whatever the command.
std::vector<std::string> names_with_value(const CommandSyntax& program) {
  std::vector<ArgumentSyntax> options = program.options;
  for (const CommandSyntax& command : program.commands) {
    options.insert(options.end(), command.options.begin(), command.options.end());
  }
  std::erase_if(options, [](const ArgumentSyntax& option) { return option.value.empty(); });
  std::vector<std::string> names = names_of(options);
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

/// What stands for itself after the command: its positional, or more values of an option.
const ArgumentSyntax* rest_of(const CommandSyntax& command) {
  if (!command.positionals.empty()) return &command.positionals.front();
  const auto several =
      std::find_if(command.options.begin(), command.options.end(),
                   [](const ArgumentSyntax& option) { return option.takes_several; });
  return several == command.options.end() ? nullptr : &*several;
}

// --- bash ---

std::string bash_offer(const ArgumentSyntax& argument) {
  if (argument.is_file()) return "compopt -o default 2>/dev/null";
  if (argument.is_directory()) return "compopt -o dirnames 2>/dev/null";
  return argument.words.empty() ? ":" : fmt::format("words='{}'", joined(argument.words));
}

/// What is offered after each option with a value; `command` is a pattern.
std::string bash_values(std::string_view command, const std::vector<ArgumentSyntax>& options) {
  std::map<std::string, std::vector<std::string>> patterns;
  for (const ArgumentSyntax& option : options) {
    if (option.value.empty()) continue;
    for (const std::string& name : option.names) {
      patterns[bash_offer(option)].push_back(fmt::format("{}' {}'", command, name));
    }
  }
  std::string cases;
  for (const auto& [offer, alike] : patterns) {
    cases += fmt::format("    {}) {} ;;\n", fmt::join(alike, " | "), offer);
  }
  return cases;
}

constexpr std::string_view kBash = R"(# Completes the command line of pipesim in bash.
_pipesim() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command='' words='' i
  COMPREPLY=()
  # To bash --format=json is three words, and so is m=4.
  if [[ $current == = ]]; then
    current=''
  elif [[ $previous == = ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
    [[ $previous == -* ]] || return 0
  fi
  [[ $current != : && $previous != : ]] || return 0
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case ${COMP_WORDS[i]} in
      @VALUED@)
        ((++i))
        [[ ${COMP_WORDS[i]} != = ]] || ((++i))
        ;;
      = | :) ((++i)) ;;
      @COMMANDS@)
        command=${COMP_WORDS[i]}
        break
        ;;
    esac
  done
  case "$command $previous" in
@VALUES@    *)
      case "$command $current" in
@WORDS@      esac
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _pipesim pipesim
)";

std::string bash_script(const CommandSyntax& program) {
  std::string values;
  std::string words =
      fmt::format("        ' -'*) words='{}' ;;\n        ' '*) words='{}' ;;\n",
                  joined(names_of(program.options)), joined(command_names(program)));
  for (const CommandSyntax& command : program.commands) {
    values += bash_values(command.name, command.options);
    words += fmt::format("        '{} -'*) words='{}' ;;\n", command.name,
                         joined(names_of(options_of(program, command))));
    if (const ArgumentSyntax* const rest = rest_of(command)) {
      words += fmt::format("        '{} '*) {} ;;\n", command.name, bash_offer(*rest));
    }
  }
  values += bash_values("*", program.options);
  return filled(kBash,
                {{"@VALUED@", fmt::format("{}", fmt::join(names_with_value(program), " | "))},
                 {"@COMMANDS@", fmt::format("{}", fmt::join(command_names(program), " | "))},
                 {"@VALUES@", values},
                 {"@WORDS@", words}});
}

// --- zsh ---

/// In an argument of zsh's _arguments or _describe these end a part.
std::string zsh_text(std::string text) {
  for (const std::string_view special : {"\\", ":", "[", "]"}) {
    text = replaced(text, special, fmt::format("\\{}", special));
  }
  return replaced(text, "'", "'\\''");
}

std::string zsh_action(const ArgumentSyntax& argument) {
  if (argument.is_file()) return "_files";
  if (argument.is_directory()) return "_path_files -/";
  return argument.words.empty() ? " " : fmt::format("({})", joined(argument.words));
}

std::string zsh_value(const ArgumentSyntax& argument) {
  const std::string label = argument.words.empty() ? argument.value : argument.names.back();
  return fmt::format("{}:{}", zsh_text(label), zsh_action(argument));
}

std::string zsh_options(const std::vector<ArgumentSyntax>& options) {
  std::string specs;
  for (const ArgumentSyntax& option : options) {
    const bool repeats = option.repeats || option.takes_several;
    for (const std::string& name : option.names) {
      const std::string others = joined(option.names);
      std::string spec = repeats ? "*" : option.names.size() > 1 ? fmt::format("({})", others) : "";
      spec += name;
      if (!option.value.empty()) spec += name.starts_with("--") ? "=" : "+";
      spec += fmt::format("[{}]", zsh_text(option.help));
      if (!option.value.empty()) spec += ":" + zsh_value(option);
      specs += fmt::format("    '{}'\n", spec);
    }
  }
  return specs;
}

constexpr std::string_view kZsh = R"(#compdef pipesim
# Completes the command line of pipesim in zsh.
_pipesim() {
  local context curcontext=$curcontext state state_descr line
  typeset -A opt_args
  local -a commands=(
@COMMANDS@  )
  local -a options=(
@OPTIONS@  )
  _arguments -C $options '1:command:->command' '*::argument:->argument' && return
  case $state in
    command) _describe -t commands command commands ;;
    argument)
      case $line[1] in
@CASES@        *) return 1 ;;
      esac
      _arguments $options
      ;;
  esac
}
if [[ $funcstack[1] == _pipesim ]]; then
  _pipesim "$@"
else
  compdef _pipesim pipesim
fi
)";

std::string zsh_script(const CommandSyntax& program) {
  std::string commands;
  std::string cases;
  for (const CommandSyntax& command : program.commands) {
    commands += fmt::format("    '{}:{}'\n", command.name, zsh_text(command.help));
    std::string options = zsh_options(options_of(program, command));
    if (const ArgumentSyntax* const rest = rest_of(command)) {
      options += fmt::format("    '*:{}'\n", zsh_value(*rest));
    }
    cases += fmt::format("        {})\n          options=(\n{}          )\n          ;;\n",
                         command.name, options);
  }
  return filled(
      kZsh,
      {{"@COMMANDS@", commands}, {"@OPTIONS@", zsh_options(program.options)}, {"@CASES@", cases}});
}

// --- fish ---

std::string fish_text(std::string text) {
  for (const std::string_view special : {"\\", "'"}) {
    text = replaced(text, special, fmt::format("\\{}", special));
  }
  return text;
}

std::string fish_value(const ArgumentSyntax& argument) {
  if (argument.is_file()) return " -r -F";
  if (argument.is_directory()) return " -x -a '(__fish_complete_directories)'";
  return argument.words.empty() ? " -x" : fmt::format(" -x -a '{}'", joined(argument.words));
}

/// The options, offered where the command is one of `commands`.
std::string fish_options(std::string_view condition, const std::vector<ArgumentSyntax>& options) {
  std::string lines;
  for (const ArgumentSyntax& option : options) {
    lines += fmt::format("complete -c pipesim -n '{}'", condition);
    for (const std::string& name : option.names) {
      const bool is_long = name.starts_with("--");
      lines += fmt::format(" -{} {}", is_long ? 'l' : 's', name.substr(is_long ? 2 : 1));
    }
    if (!option.value.empty()) lines += fish_value(option);
    lines += fmt::format(" -d '{}'\n", fish_text(option.help));
  }
  return lines;
}

constexpr std::string_view kFish = R"fish(# Completes the command line of pipesim in fish.
function __pipesim_command
    set -l words (commandline -opc)
    set -l is_value no
    for word in $words[2..-1]
        if test $is_value = yes
            set is_value no
            continue
        end
        switch $word
            case @VALUED@
                set is_value yes
            case '-*'
            case '*'
                echo $word
                return
        end
    end
end

function __pipesim_in
    contains -- "$(__pipesim_command)" $argv
end

complete -c pipesim -f
)fish";

std::string fish_script(const CommandSyntax& program) {
  std::string script = filled(kFish, {{"@VALUED@", joined(names_with_value(program))}});
  script += fish_options("__pipesim_in \"\"", program.options);
  for (const CommandSyntax& command : program.commands) {
    script += fmt::format("complete -c pipesim -n '__pipesim_in \"\"' -a {} -d '{}'\n",
                          command.name, fish_text(command.help));
    const std::string condition = fmt::format("__pipesim_in {}", command.name);
    script += fish_options(condition, options_of(program, command));
    const ArgumentSyntax* const rest = rest_of(command);
    if (rest == nullptr) continue;
    if (rest->is_file()) {
      script += fmt::format("complete -c pipesim -n '{}' -F\n", condition);
    } else {
      script +=
          fmt::format("complete -c pipesim -n '{}' -a '{}'\n", condition, joined(rest->words));
    }
  }
  return script;
}

}  // namespace

std::string completion_script(const CommandSyntax& program, std::string_view shell) {
  if (shell == "bash") return bash_script(program);
  if (shell == "zsh") return zsh_script(program);
  PIPESIM_CHECK(shell == "fish");
  return fish_script(program);
}

}  // namespace pipesim
