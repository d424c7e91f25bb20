// pipesim(1): what is typed by hand here says what no option's help can.
#include <fmt/format.h>

#include <cctype>
#include <string>
#include <string_view>
#include <vector>

#include "tools/command_syntax.hpp"

namespace pipesim {

namespace {

/// Text in which roff finds nothing of its own, and - and ' stay what they are when copied.
std::string roff(std::string_view text) {
  std::string escaped;
  for (const char letter : text) {
    switch (letter) {
      case '\\':
        escaped += "\\e";
        break;
      case '-':
        escaped += "\\-";
        break;
      case '\'':
        escaped += "\\(aq";
        break;
      case '"':
        escaped += "\\(dq";
        break;
      case '`':
        escaped += "\\(ga";
        break;
      case '^':
        escaped += "\\(ha";
        break;
      case '~':
        escaped += "\\(ti";
        break;
      default:
        escaped += letter;
    }
  }
  return escaped.starts_with('.') ? "\\&" + escaped : escaped;
}

std::string bold(std::string_view text) { return fmt::format("\\fB{}\\fR", roff(text)); }
std::string italic(std::string_view text) { return fmt::format("\\fI{}\\fR", roff(text)); }

/// Whether what stands for the value names all that it can be.
bool is_choice(const ArgumentSyntax& argument) { return argument.value.starts_with('{'); }

std::string value_of(const ArgumentSyntax& argument) {
  if (!is_choice(argument)) return italic(argument.value);
  std::string words;
  for (const std::string& word : argument.words) {
    words += (words.empty() ? "" : "|") + bold(word);
  }
  return words;
}

std::string paragraph(const std::string& tag, std::string_view text) {
  return fmt::format(".TP\n{}\n{}\n", tag, roff(text));
}

std::string paragraphs(const std::vector<ArgumentSyntax>& arguments) {
  std::string text;
  for (const ArgumentSyntax& argument : arguments) {
    const bool is_option = argument.names.front().starts_with('-');
    std::string tag;
    for (const std::string& name : argument.names) {
      tag += (tag.empty() ? "" : ", ") + (is_option ? bold(name) : italic(name));
    }
    if (is_option ? !argument.value.empty() : is_choice(argument)) tag += " " + value_of(argument);
    if (argument.takes_several) tag += " ...";
    text += paragraph(tag, argument.help + (argument.is_required ? " (required)" : ""));
  }
  return text;
}

std::string section_of(const CommandSyntax& program, const CommandSyntax& command) {
  std::string usage = bold(program.name + " " + command.name) + " [" + italic("OPTION") + "]...";
  for (const ArgumentSyntax& argument : command.positionals) {
    const std::string words =
        italic(argument.names.front()) + (argument.takes_several ? "..." : "");
    usage += argument.is_required ? " " + words : " [" + words + "]";
  }
  std::string help = command.help;
  help.front() = static_cast<char>(std::toupper(help.front()));
  std::vector<ArgumentSyntax> options = command.options;
  std::erase_if(options, [&](const ArgumentSyntax& option) {
    return option.names == program.options.front().names;  // --help, as everywhere
  });
  std::string text = fmt::format(".SS {}\n{}\n.PP\n{}.\n{}{}", roff(command.name), usage,
                                 roff(help), paragraphs(command.positionals), paragraphs(options));
  if (command.taken) text += fmt::format(".PP\n{}\n", roff(command.footer));
  return text;
}

constexpr std::string_view kBefore = R"(.SH NAME
pipesim \- simulate pipeline\-parallel training schedules
.SH SYNOPSIS
.B pipesim
.B \-\-config
.I FILE
.RI [ OPTION ]...
.br
.B pipesim
.I COMMAND
.RI [ OPTION ]...
.SH DESCRIPTION
A training step of a large model is split into p pipeline stages and m microbatches; every stage
runs a forward and a backward of each microbatch, in an order that a schedule decides.
.B pipesim
runs such a step in integer picoseconds and says how long it takes, where its bubbles are, what they
cost in memory and how far from the optimum it is.
.PP
The run stands in a config, a file in JSON. Options override it, in the order of the command line.
Without a config they must give p, m, t_f, t_b and the schedule.
Standard output is data only. Files appear whole or not at all; those whose names end in .gz are
compressed, and compressed inputs are read.
)";

constexpr std::string_view kAfter = R"(.SH EXIT STATUS
.TP
.B 0
done
.TP
.B 1
the run failed: a deadlock, over the memory limit, or a comparison in which no schedule keeps it
.TP
.B 2
bad input, or an output that cannot be written
.SH ENVIRONMENT
.TP
.B NO_COLOR
if set, no colour in the terminal unless \fB\-\-color always\fR
.TP
.B COLUMNS
the width of \fBpipesim show\fR where there is no terminal
.SH EXAMPLES
.TP
.B pipesim \-p 4 \-m 8 \-\-t\-f 2 \-\-t\-b 4 \-\-schedule 1f1b
4 stages, 8 microbatches, a forward of 2 ms, a backward of 4 ms
.TP
.B pipesim compare \-\-config run.json gpipe 1f1b
two schedules beside each other
.TP
.B pipesim \-\-config run.json \-\-trace run.json.gz
a trace for Perfetto
.TP
.B pipesim sweep \-\-config run.json \-\-vary m=4:256:x2 \-\-out results.jsonl
one run for each m of 4, 8, 16 to 256
.SH SEE ALSO
.BR gnuplot (1)
.PP
README.md describes the config; docs/config.schema.json is its JSON schema.
)";

}  // namespace

std::string manual_page(const CommandSyntax& program, std::string_view version) {
  std::string page =
      fmt::format(".TH PIPESIM 1 \"\" \"{} {}\" \"User Commands\"\n{}.SH OPTIONS\n{}", program.name,
                  version, kBefore, paragraphs(program.options));
  page += ".SH COMMANDS\nWhere nothing else is said, all of these options apply too.\n";
  for (const CommandSyntax& command : program.commands) page += section_of(program, command);
  page += kAfter;
  return page;
}

}  // namespace pipesim
