// The examples of communication in README.md and docs/communication.md, as a user runs them.
#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/process.hpp"

using namespace pipesim::test;

namespace {

nlohmann::json result(const std::string& arguments) {
  const Outcome outcome = run_pipesim(arguments + " --format json --quiet");
  CHECK(outcome.err == "");
  REQUIRE(outcome.exit_code == 0);
  return nlohmann::json::parse(outcome.out);
}

void check_way(const std::string& arguments, int t_total, int communication, int head_of_line) {
  CAPTURE(arguments);
  const nlohmann::json json = result(arguments);
  CHECK(json.at("t_total") == t_total);
  CHECK(json.at("idle_causes").at("communication") == communication);
  CHECK(json.at("idle_causes").at("head_of_line") == head_of_line);
}

}  // namespace

TEST_SUITE("cli") {
  TEST_CASE("README: the same 1f1b, six ways to communicate") {
    const std::string config = "--config configs/communication.json";
    check_way(config + " --set p2p.mode=free", 49, 24, 0);
    check_way(config, 49, 24, 0);
    check_way("--config configs/shared_link.json", 71, 62, 0);
    check_way(config + " --set p2p.mode=single_stream", 52, 33, 9);
    check_way(config + " --set p2p.mode=rendezvous", 78, 55, 22);
    const Outcome deadlock =
        run_pipesim(config + " --set p2p.mode=rendezvous --set p2p.recv_posting=just_in_time");
    CHECK(deadlock.exit_code == 1);
    CHECK(deadlock.out == "");
    CHECK(
        deadlock.err ==
        "configs/communication.json:6:15: /schedule: deadlock: these ops wait for each other\n"
        "  2SEND_F1 from device 2 to device 3 waits for 3SEND_B0 from device 3 to device 2, which "
        "stands before it on a lane that both need\n"
        "  3SEND_B0 from device 3 to device 2 waits for 2SEND_F1 from device 2 to device 3, which "
        "stands before it on a lane that both need\n");
  }

  TEST_CASE("pytorch 172668: deferred receives deadlock an interleaved 1f1b") {
    const Outcome outcome = run_pipesim("--config configs/pytorch_172668.json");
    CHECK(outcome.exit_code == 1);
    CHECK(
        outcome.err ==
        "configs/pytorch_172668.json:6:15: /schedule: deadlock: these ops wait for each other\n"
        "  0SEND_F1 from device 0 to device 1 waits for 1SEND_F0 from device 1 to device 0, which "
        "stands before it on a lane that both need\n"
        "  1SEND_F0 from device 1 to device 0 waits for 0SEND_F1 from device 0 to device 1, which "
        "stands before it on a lane that both need\n");
    CHECK(run_pipesim("--config configs/pytorch_172668.json --set p2p.recv_posting=eager")
              .exit_code == 0);
  }

  TEST_CASE("pytorch 188833: receives that are posted too early hold up the warm-up") {
    const nlohmann::json blocked = result("--config configs/pytorch_188833.json");
    CHECK(blocked.at("t_total") == 49.5);
    CHECK(blocked.at("idle_causes").at("head_of_line") == 17);
    const nlohmann::json apart = result(
        "--config configs/pytorch_188833.json --set "
        "'p2p={\"mode\": \"async\", \"latency\": 0.5}'");
    CHECK(apart.at("idle_causes").at("head_of_line") == 0);
    CHECK(apart.at("t_total") < blocked.at("t_total"));
  }

  TEST_CASE("explain names cause, device and op, and says what a stage's times change") {
    const Outcome outcome =
        run_pipesim("explain --config configs/hw5_2.json --set p2p.latency=0.5");
    CHECK(outcome.exit_code == 0);
    CHECK(outcome.out.find(
              "  device 0 is idle for 14.5 ms, from 8 to 22.5, before 0B0: device 1 has "
              "not yet done what it waits for (released by 1B0)\n") != std::string::npos);
    CHECK(outcome.out.find(
              "  1          0                          3                          3\n") !=
          std::string::npos);
  }

  TEST_CASE("explain shows the critical path of the run") {
    for (const std::string run :
         {"--config configs/hw5_2.json", "--config configs/slow_stage.json"}) {
      CAPTURE(run);
      const nlohmann::json path = result(run).at("critical_path");
      std::string text;
      for (const nlohmann::json& part : path.at("runs")) {
        const auto of = [&](const char* key) { return part.at(key).get<std::string>(); };
        text += "\n  stage " + part.at("stage").dump() + ": " + of("first");
        if (part.at("ops") != 1) text += ".." + of("last") + " (" + part.at("ops").dump() + " ops)";
      }
      const std::string explained = run_pipesim("explain " + run).out;
      CHECK(explained.find(" waiting 0 ms" + text + "\n\n") != std::string::npos);
    }
  }
}
