// The manual page, the completions and the help say what the command line takes.
#include <doctest/doctest.h>

#include <map>
#include <regex>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

std::vector<std::string> matches(const std::string& text, const std::regex& pattern) {
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), pattern), end; at != end; ++at) {
    found.push_back((*at)[1]);
  }
  return found;
}

std::string help_of(const std::string& command) { return run_pipesim(command + " --help").out; }

std::vector<std::string> commands() {
  const std::string help = help_of("");
  return matches(help.substr(help.find("Subcommands:")), std::regex("\n  ([a-z]+) "));
}

std::vector<std::string> options_of(const std::string& command) {
  return matches(help_of(command), std::regex("\n  (?:-h,)?(--?[a-z][a-z-]*)"));
}

/// The part of the manual page about a command, "" for pipesim itself, as it is read.
std::string section_of(const std::string& command) {
  std::string page = run_pipesim("manual").out;
  const std::size_t start = page.find(command.empty() ? ".SH OPTIONS" : "\n.SS " + command + "\n");
  if (start == std::string::npos) return "";
  page = page.substr(start, page.find("\n.S", start + 1) - start);
  return std::regex_replace(page, std::regex(R"(\\(f[BIR]|(?=-)))"), "");
}

/// Where an option of {a,b} can be seen to be refused, by command and option.
const std::map<std::string, std::string> kUses = {
    {" --format", "--config configs/hw5_2.json"},
    {" --color", "show --config configs/hw5_2.json"},
    {" --theme", "--config configs/hw5_2.json --svg /dev/null"},
    {" --progress", "--config configs/hw5_2.json"},
    {" --errors", "--config configs/hw5_2.json"},
    {"import --category", "import --kineto tests/data/kineto_rank0.json"},
    {"plot --kind", "plot --x m --y t_total no_file"},
    {"plot --log", "plot --x m --y t_total no_file"},
    {"shapes --dtype", "shapes --batch 8 --seq 128 --hidden 1024 --tp 4"},
    {"shapes --pairing", "shapes --batch 8 --seq 128 --hidden 1024 --tp 4"},
    {"completion shell", "completion"},
};

bool has_use(const std::string& command, const std::string& option) {
  return kUses.count(command + " " + option) == 1;
}

/// Whether the value is refused as such.
bool is_refused(const std::string& command, const std::string& option, const std::string& value) {
  const std::string use = kUses.at(command + " " + option);
  const bool is_option = option.starts_with('-');
  const Outcome outcome = run_pipesim(use + (is_option ? " " + option : "") + " " + value);
  return outcome.exit_code == 2 && outcome.err.find(option) != std::string::npos;
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("the manual page has every command and its options") {
    CHECK(commands().size() >= 16);
    std::vector<std::string> sections = commands();
    sections.emplace_back("");
    for (const std::string& command : sections) {
      const std::string section = section_of(command);
      INFO(command);
      CHECK(section != "");
      for (const std::string& option : options_of(command)) {
        if (!command.empty() && option == "--help") continue;
        INFO(option);
        CHECK(std::regex_search(section, std::regex("\n.TP\n(-h, )?" + option + "\\b")));
      }
    }
  }

  TEST_CASE("help names exactly the words that an option takes") {
    std::vector<std::string> names = commands();
    names.emplace_back("");
    std::size_t seen = 0;
    for (const std::string& command : names) {
      const std::string help = help_of(command);
      const std::regex choice(R"(\n  ([a-z-]+) \{([a-z0-9/_,]+)\})");
      for (std::sregex_iterator at(help.begin(), help.end(), choice), end; at != end; ++at) {
        const std::string option = (*at)[1];
        INFO(command, " ", option);
        ++seen;
        REQUIRE(has_use(command, option));
        CHECK(is_refused(command, option, "zzz"));
        for (const std::string& word :
             matches("," + (*at)[2].str() + ",", std::regex(",([^,]+)(?=,)"))) {
          INFO(word);
          CHECK_FALSE(is_refused(command, option, word));
        }
      }
    }
    CHECK(seen == kUses.size());
  }

  TEST_CASE("texts about pipesim take none of its options") {
    CHECK(run_pipesim("completion tcsh").err ==
          "command line: shell: tcsh not in {bash,zsh,fish}; see pipesim --help\n");
    CHECK(run_pipesim("completion").err == "command line: shell is required; see pipesim --help\n");
    CHECK(run_pipesim("--format json completion bash").err ==
          "command line: --format: completion takes only --errors\n");
    const Outcome outcome = run_pipesim("manual -p 3");
    CHECK(outcome.err == "command line: -p: manual takes only --errors\n");
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.out == "");
  }

  TEST_CASE("bash completes commands, options and values") {
    const auto completed = [](const std::string& words) {
      return shell("bash -c 'source <(\"$PIPESIM\" completion bash); COMP_WORDS=(pipesim " + words +
                   "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _pipesim; echo ${COMPREPLY[*]}'")
          .out;
    };
    CHECK(completed("com") == "compare completion\n");
    CHECK(completed("--format \"\"") == "table json csv\n");
    CHECK(completed("--format = js") == "json\n");
    CHECK(completed("--config show --format csv sh") == "show shapes\n");
    CHECK(completed("sweep --va") == "--vary\n");
    CHECK(completed("sweep --vary m = 4 : 8 --over") == "--overwrite\n");
    CHECK(completed("--set schedule = g") == "\n");
    CHECK(completed("compare gpipe zb_h") == "zb_h1 zb_h2\n");
    CHECK(completed("list --") == "--help --format --errors\n");
  }
}
