#include "tools/cli11_syntax.hpp"

namespace pipesim {

namespace {

/// Of {a,b}, a and b.
std::vector<std::string> words_in(const std::string& value) {
  if (!value.starts_with('{') || !value.ends_with('}')) return {};
  return CLI::detail::split(value.substr(1, value.size() - 2), ',');
}

ArgumentSyntax argument(const CLI::Option& option, const Words& known) {
  ArgumentSyntax syntax{.help = option.get_description(),
                        .takes_several = option.get_items_expected_max() > 1,
                        .repeats = option.get_trigger_on_parse(),
                        .is_required = option.get_required()};
  if (option.get_items_expected_max() > 0) syntax.value = option.get_type_name();
  if (option.get_positional()) syntax.names.push_back(option.get_name(true));
  for (const std::string& name : option.get_snames()) syntax.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) syntax.names.push_back("--" + name);
  const auto words = known.find(syntax.value);
  syntax.words = words != known.end() ? words->second : words_in(syntax.value);
  return syntax;
}

}  // namespace

CommandSyntax syntax_of(const CLI::App& app, const Words& known, const Words& taken) {
  CommandSyntax syntax{
      .name = app.get_name(), .help = app.get_description(), .footer = app.get_footer()};
  for (const CLI::Option* option : app.get_options()) {
    (option->get_positional() ? syntax.positionals : syntax.options)
        .push_back(argument(*option, known));
  }
  if (const auto found = taken.find(syntax.name); found != taken.end()) {
    syntax.taken = found->second;
  }
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    syntax.commands.push_back(syntax_of(*command, known, taken));
  }
  return syntax;
}

std::vector<std::string> names_known_to(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) names.push_back(option->get_name());
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  for (const CLI::App* command : app.get_subcommands()) {
    for (const CLI::Option* option : command->get_options()) names.push_back(option->get_name());
  }
  return names;
}

}  // namespace pipesim
