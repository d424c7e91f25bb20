#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

/// What two calls may differ in.
std::vector<std::string> everything(const std::string& arguments, int jobs) {
  const TemporaryDirectory directory;
  const std::string drawn = directory.path("picture.svg");
  std::string with_files = arguments;
  const std::size_t place = with_files.find("SVG");
  if (place != std::string::npos) with_files.replace(place, 3, drawn);
  const Outcome outcome = run_pipesim(fmt::format("{} --jobs {}", with_files, jobs));
  return {std::to_string(outcome.exit_code), outcome.out, outcome.err,
          place == std::string::npos || outcome.exit_code != 0 ? "" : read_file(drawn)};
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("jobs: the same bytes for any number") {
    const std::string all = "compare --config configs/hw5_2.json --set t_w=2 ";
    const std::string trials =
        "--set variation.trials=20 --set 'variation.jitter={\"kind\":\"lognormal\",\"cv\":0.2}' ";
    for (const std::string& arguments :
         {all, all + "--format csv", all + "--format json --formula",
          all + "--format json --svg SVG", all + trials, all + trials + "--format json",
          all + "--set memory.limit=2 --format json",
          all + "--show --color always 1f1b zb_h1 gpipe",
          "--config configs/hw5_2.json --format json " + trials,
          std::string("compare --config configs/communication.json --set p2p.mode=rendezvous --set "
                      "p2p.recv_posting=just_in_time 1f1b interleaved_1f1b gpipe")}) {
      CAPTURE(arguments);
      const std::vector<std::string> one = everything(arguments, 1);
      CHECK(one[1].size() + one[2].size() > 100);
      for (const int jobs : {2, 7}) CHECK(everything(arguments, jobs) == one);
    }
  }

  TEST_CASE("jobs: where no schedule can run, the first one says why") {
    for (const int jobs : {1, 2, 16}) {
      // The second has no order at all, which is found sooner.
      const auto fault = [&](const std::string& schedules, int exit_code) {
        const Outcome outcome = run_pipesim(fmt::format(
            "compare --config configs/communication.json --set p2p.mode=rendezvous --set "
            "p2p.recv_posting=just_in_time -p 3 {} --jobs {}",
            schedules, jobs));
        CHECK(outcome.exit_code == exit_code);
        CHECK(outcome.out.empty());
        return outcome.err.substr(0, outcome.err.find('\n'));
      };
      CHECK(fault("1f1b chimera", 1) ==
            "configs/communication.json:6:15: /schedule: deadlock: these ops wait for each other");
      CHECK(fault("chimera 1f1b", 2) ==
            "command line: -p: /p: chimera needs an even p: 3 % 2 = 1; an even number of devices");
    }
  }

  TEST_CASE("jobs: a number that is none") {
    for (const std::string value :
         {"0", "-1", "abc", "1000000000", "1025", "2.5", "1e2", "''", "99999999999999999999"}) {
      const Outcome outcome =
          run_pipesim("compare --config configs/hw5_2.json 1f1b --jobs " + value);
      CHECK(outcome.exit_code == 2);
      CHECK(outcome.out.empty());
      CHECK(outcome.err == fmt::format("command line: --jobs: \"{}\" is no number of jobs; an "
                                       "integer from 1 to 1024\n",
                                       value == "''" ? "" : value));
    }
    CHECK(run_pipesim("compare --config configs/hw5_2.json 1f1b --jobs 1024").exit_code == 0);
  }
}
