// Random configs, read and run as the program does. The environment says how many and which:
// tools/fuzz-configs.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <map>

#include "schedules/schedule.hpp"
#include "tests/cli/process.hpp"
#include "tests/config_fuzz/check_config.hpp"
#include "tests/config_fuzz/config_classes.hpp"
#include "tests/config_fuzz/random_config.hpp"
#include "tests/config_fuzz/written_inputs.hpp"
#include "tests/config_schema.hpp"

using namespace pipesim;

namespace {

/// While it lives, a crash or a run of more than a minute first prints the text that it was told.
class LastWords {
 public:
  LastWords() {
    struct sigaction action = {};
    action.sa_handler = print_and_die;
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], &action, &before_[i]);
    }
  }
  ~LastWords() {
    ::alarm(0);
    for (std::size_t i = 0; i < kSignals.size(); ++i) {
      ::sigaction(kSignals[i], &before_[i], nullptr);
    }
  }
  LastWords(const LastWords&) = delete;
  LastWords& operator=(const LastWords&) = delete;

  static void running(std::string text) {
    told = std::move(text);
    ::alarm(60);
  }

 private:
  static void print_and_die(int signal) {
    const auto print = [](std::string_view text) {
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, text.data(), text.size());
    };
    print(signal == SIGALRM ? "\nruns for more than a minute:\n" : "\ncrashed:\n");
    print(told);
    print("\n");
    ::_exit(EXIT_FAILURE);
  }

  static constexpr std::array kSignals = {SIGALRM, SIGABRT, SIGSEGV, SIGFPE, SIGILL};
  static inline std::string told;
  std::array<struct sigaction, kSignals.size()> before_{};
};

std::int64_t from_environment(const char* name, std::int64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::stoll(value);
}

/// What became of all configs.
struct Summary {
  std::int64_t drawn = 0;
  std::int64_t ran = 0;
  std::int64_t refused = 0;
  std::int64_t deadlocked = 0;
  std::map<std::string, std::int64_t> reasons{};     // why they did not run
  std::map<std::string, std::int64_t> properties{};  // how often each was checked
  double slowest = 0;
  std::string slowest_config{};

  void add(const test::CheckedConfig& checked, const std::string& config) {
    using Outcome = test::CheckedConfig::Outcome;
    ++drawn;
    ++(checked.outcome == Outcome::ran       ? ran
       : checked.outcome == Outcome::refused ? refused
                                             : deadlocked);
    if (checked.outcome != Outcome::ran) ++reasons[checked.reason];
    for (const std::string& property : checked.properties) ++properties[property];
    if (checked.seconds <= slowest) return;
    slowest = checked.seconds;
    slowest_config = config;
  }

  std::string text() const {
    std::string text = fmt::format(
        "{} configs drawn: {} ran, {} refused ({:.1f} %), {} deadlocked\nslowest {:.3f} s: {}\n",
        drawn, ran, refused, 100.0 * static_cast<double>(refused) / static_cast<double>(drawn),
        deadlocked, slowest, slowest_config);
    for (const auto& [property, times] : properties) {
      text += fmt::format("checked {} times: {}\n", times, property);
    }
    for (const auto& [reason, times] : reasons) text += fmt::format("{:6} {}\n", times, reason);
    return text;
  }
};

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("random configs of every section run, and keep what runs must keep") {
#ifdef NDEBUG
    constexpr int kConfigs = 800;
#else
    constexpr int kConfigs = 80;  // with sanitizers each takes ten times as long
#endif
    const bool is_measured = std::getenv("PIPESIM_CONFIGS") != nullptr;
    const std::int64_t configs = from_environment("PIPESIM_CONFIGS", kConfigs);
    const auto seed = static_cast<std::uint64_t>(from_environment("PIPESIM_CONFIG_SEED", 1));
    MESSAGE("seed ", seed);
    const test::TemporaryDirectory temporary;
    const std::string directory = std::filesystem::path(temporary.path("")).parent_path();
    const LastWords last_words;
    const test::ConfigSchema schema;
    test::ConfigClasses classes(signatures(builtin_schedules()));
    Summary summary;
    // Those that are wanted; then, as long as something was never drawn, those that have it.
    constexpr std::uint64_t kMostDrawn = 200'000;
    std::uint64_t drawn = 0;
    while (summary.ran < configs || (drawn < kMostDrawn && !classes.missing().empty())) {
      const std::uint64_t number = seed * 1'000'000'000 + drawn++;
      LastWords::running(fmt::format("config {}, as it is drawn", number));
      std::mt19937_64 random(number);
      const test::DrawnConfig config = test::random_config(random, directory);
      if (summary.ran >= configs && !classes.has_new(config)) continue;
      const std::string text = fmt::format("config {}:\n{}", number, test::text_of(config));
      INFO(text);
      LastWords::running(text);
      const test::CheckedConfig checked = test::check_config(config, directory);
      if (is_measured) CHECK(checked.seconds < 1);
      summary.add(checked, text);
      if (checked.outcome != test::CheckedConfig::Outcome::ran) continue;
      CHECK(schema.accepts(nlohmann::json(config.document)));
      classes.add(config);
    }
    MESSAGE(summary.text(), is_measured ? classes.table() : "");
    CHECK(summary.refused * 5 < summary.drawn);
    CHECK(fmt::format("{}", fmt::join(classes.missing(), "\n")) == "");
  }
}
