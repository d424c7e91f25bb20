// Traces a rank: what the whole trace has of a device, in the shape of a profile.
#include <doctest/doctest.h>

#include <deque>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/io/trace.hpp"
#include "tests/cli/process.hpp"
#include "tests/problems.hpp"
#include "tests/random_runs.hpp"
#include "tests/written_text.hpp"

using namespace pipesim;
using Json = nlohmann::json;

namespace {

std::vector<Json> rank_traces(const TaskGraph& graph, const Timeline& timeline) {
  const test::TemporaryDirectory directory;
  std::deque<OutputFile> files;
  std::vector<OutputFile*> outputs;
  for (std::size_t rank = 0; rank < timeline.devices(); ++rank) {
    outputs.push_back(&files.emplace_back(directory.path(std::to_string(rank)), "/output"));
  }
  write_rank_traces(graph, timeline, outputs);
  std::vector<Json> traces;
  for (std::size_t rank = 0; rank < timeline.devices(); ++rank) {
    files[rank].commit();
    traces.push_back(Json::parse(test::read_file(directory.path(std::to_string(rank)))));
  }
  return traces;
}

bool is_arrow(const Json& event) {
  const std::string phase = event.at("ph");
  return phase == "s" || phase == "t" || phase == "f";
}

/// The slice of a whole trace as a profile has it.
Json profiled(Json event) {
  const std::string phase = event.at("ph");
  if (phase != "X" && phase != "i") return event;
  const std::string category = event.at("cat");
  const bool is_communication =
      category.starts_with("send") || category == "parking" || category == "grad_sync";
  if (is_communication) event["name"] = "nccl:" + event.at("name").get<std::string>();
  event["cat"] = "kernel";
  event["args"]["device"] = event.at("pid");
  event["args"]["stream"] = event.at("tid");
  return event;
}

/// The rank's part of a whole trace.
std::vector<Json> part_of(const Json& whole, std::size_t rank) {
  std::vector<Json> events;
  for (const Json& event : whole.at("traceEvents")) {
    if (event.at("pid") == rank && !is_arrow(event)) events.push_back(profiled(event));
  }
  return events;
}

void check_ranks(const Problem& problem, const Program& program) {
  const TaskGraph graph(problem, program);
  const Timeline timeline = simulate(graph);
  std::int64_t slices = 0;
  const Json whole = Json::parse(
      test::written_text([&](OutputFile& file) { slices = write_trace(graph, timeline, file); }));
  const std::vector<Json> ranks = rank_traces(graph, timeline);
  REQUIRE(ranks.size() == timeline.devices());
  std::int64_t kernels = 0;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    CAPTURE(rank);
    CHECK(ranks[rank].at("distributedInfo") ==
          Json{{"rank", rank}, {"world_size", timeline.devices()}});
    CHECK(ranks[rank].at("displayTimeUnit") == whole.at("displayTimeUnit"));
    CHECK(ranks[rank].at("traceEvents") == Json(part_of(whole, rank)));
    for (const Json& event : ranks[rank].at("traceEvents")) {
      kernels += event.value("cat", "") == "kernel" ? 1 : 0;
    }
  }
  CHECK(kernels == slices);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("traces a rank: random runs over the whole model") {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      CAPTURE(seed);
      std::mt19937_64 random(seed);
      const test::Run run =
          seed % 3 == 0 ? test::random_run_with_step_ends(random) : test::random_run(random);
      check_ranks(run.problem, run.program);
    }
  }

  TEST_CASE("traces a rank: one device is one file, and says that it is a rank's") {
    const Problem problem = test::equal_stages(1, 2, 1'000'000, 2'000'000);
    check_ranks(problem, test::program_of("1f1b", problem));
  }

  TEST_CASE("traces a rank: memory in bytes") {
    Problem problem = test::equal_stages(2, 4, 1'000'000, 2'000'000);
    problem.memory = {
        .in_bytes = true,
        .units_per_microbatch = 1,
        .stages = {{.activation = 100, .kept_for_weight = 50, .input = 0, .resident = 7},
                   {.activation = 30, .kept_for_weight = 15, .input = 0, .resident = 5}},
        .message = 0,
        .limit = std::nullopt};
    check_ranks(problem, test::program_of("gpipe", problem));
  }
}
