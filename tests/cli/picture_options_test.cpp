#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

/// What stands on stderr when the options are given to a run that draws a picture.
std::string faults(const std::string& options) {
  const TemporaryDirectory directory;
  const Outcome outcome =
      run_pipesim("--config configs/hw5_2.json --svg " + directory.path("a.svg") + " " + options);
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out.empty());
  CHECK(directory.entries() == 0);
  return outcome.err;
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("picture options: what is wrong with each is said") {
    CHECK(
        faults("--from soon --to 1m --devices 0,x") ==
        "command line: --from: \"soon\" is no time of a run; a number of ms of at least 0, or one "
        "with its unit: 2.5ms\n"
        "command line: --to: \"1m\" is no time of a run; a number of ms of at least 0, or one with "
        "its unit: 2.5ms\n"
        "command line: --devices: \"x\" is neither a device nor a range; numbers and ranges of "
        "them: 0,2-5\n");
    for (const std::string devices : {",", "0,", "3-1", "-1", "1-", "0-99999999999"}) {
      CAPTURE(devices);
      CHECK(faults("--devices=" + devices).find("is neither a device nor a range") !=
            std::string::npos);
    }
    CHECK(faults("--from=-1").find("\"-1\" is no time of a run") != std::string::npos);
    CHECK(faults("--from 66") ==
          "command line: --from: begins where the run has ended; 0 to less than T_total, 66 ms\n");
    CHECK(faults("--from 0.01s --to 10ms") ==
          "command line: --to: does not lie behind --from; more than 10 ms\n");
    CHECK(faults("--devices 4") == "command line: --devices: no such device; 0 to 3\n");
  }

  TEST_CASE("picture options: nothing takes them that draws no picture") {
    const std::string allowed =
        "no picture is asked for; --svg FILE, --html FILE, or pipesim show\n";
    for (const std::string command : {"", "compare", "check", "explain", "program"}) {
      CAPTURE(command);
      const Outcome outcome =
          run_pipesim(command + " --config configs/hw5_2.json --from 3 --critical");
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.err ==
            fmt::format("command line: --from: {0}command line: --critical: {0}", allowed));
    }
  }
}
