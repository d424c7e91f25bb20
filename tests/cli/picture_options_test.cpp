#include <doctest/doctest.h>
#include <fmt/format.h>

#include <string>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

/// What stands on stderr when the options are given to a run that draws a picture.
std::string faults(const std::string& options) {
  return refusal("--config configs/hw5_2.json " + options, "--svg");
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
          "command line: --from: at 66 ms the run has ended; 0 to less than T_total, 66 ms\n");
    CHECK(faults("--from 0.01s --to 10ms") ==
          "command line: --to: 10 ms does not lie behind --from; more than 10 ms\n");
    CHECK(faults("--devices 4") == "command line: --devices: there is no device 4; 0 to 3\n");
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

  TEST_CASE("picture options: each is for the pictures that take it") {
    const TemporaryDirectory directory;
    const auto fault = [&](const std::string& arguments) {
      const Outcome outcome = run_pipesim_in(directory, arguments +
                                                            " -p 4 -m 8 --t-f 2 --t-b 4 "
                                                            "--schedule 1f1b");
      CHECK(outcome.exit_code == 2);
      CHECK(directory.entries() == 0);
      return outcome.err;
    };
    const std::string begin = "command line: --";
    const std::string what = ": no picture that takes it is asked for; ";
    CHECK(fault("--html a.html --theme dark") == begin + "theme" + what + "--svg FILE\n");
    CHECK(fault("--svg a.svg --color never") ==
          begin + "color" + what + "pipesim show or compare --show\n");
    CHECK(fault("show --critical --memory") == begin + "critical" + what +
                                                   "--svg FILE or --html FILE\n" + begin +
                                                   "memory" + what + "--svg FILE or --html FILE\n");
    CHECK(fault("compare --show --theme light gpipe 1f1b") ==
          begin + "theme" + what + "--svg FILE\n");
  }
}
