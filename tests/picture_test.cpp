#include "sim/io/picture.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "sim/error.hpp"
#include "tests/drawn_runs.hpp"

using namespace pipesim;

namespace {

bool overlaps(Ticks begin, Ticks end, const Picture& picture) {
  return begin < end && begin < picture.to && end > picture.from;
}

std::map<TaskId, int> times_drawn(const Picture& picture) {
  std::map<TaskId, int> count;
  for (const PictureRow& row : picture.rows) {
    for (const Block& block : row.blocks) ++count[block.task];
    for (const Block& block : row.beside) ++count[block.task];
  }
  return count;
}

Ticks busy_or_idle(const Picture& picture, const PictureRow& row, Ticks at) {
  Ticks covered;
  for (const Block& block : row.blocks) {
    const bool computes = is_compute(block.step.op.kind);
    if (computes && block.start <= at && at < block.end) covered += Ticks{1};
  }
  for (const IdlePart& part : row.idle) {
    if (part.begin <= at && at < part.end) covered += Ticks{1};
  }
  return picture.from <= at && at < picture.to ? covered : Ticks{1};
}

/// A part of the run, and some of its devices.
PictureView random_view(std::mt19937_64& random, const test::Drawn& drawn) {
  PictureView view;
  const std::int64_t end = drawn.report.metrics.t_total.count;
  const std::int64_t from = test::draw(random, 0, end - 1);
  view.from = Ticks{from};
  view.to = Ticks{test::draw(random, from + 1, end)};
  for (std::size_t device = 0; device < drawn.graph.devices(); ++device) {
    if (test::flip(random)) view.devices.emplace_back(device);
  }
  return view;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("picture: whatever takes time is drawn once, a blocking transfer on both its devices") {
    test::for_random_runs(20251, 400, [](const test::Drawn& drawn, std::mt19937_64&) {
      std::map<TaskId, int> expected;
      for (TaskId task = 0; task < drawn.graph.size(); ++task) {
        const Span& span = drawn.timeline.spans[task];
        if (span.start == span.end) continue;
        const bool blocks_both =
            drawn.graph.is_transfer(task) &&
            drawn.graph.problem().communication.mode == TransferMode::rendezvous;
        expected[task] = blocks_both ? 2 : 1;
      }
      CHECK(times_drawn(drawn.picture()) == expected);
    });
  }

  TEST_CASE("picture: the blocks of a row do not overlap, and with its idle time fill it") {
    test::for_random_runs(20252, 400, [](const test::Drawn& drawn, std::mt19937_64&) {
      const Picture picture = drawn.picture();
      for (const PictureRow& row : picture.rows) {
        for (std::size_t i = 1; i < row.blocks.size(); ++i) {
          CHECK(row.blocks[i - 1].end <= row.blocks[i].start);
        }
        for (const Block& block : row.blocks) {
          CHECK((0 <= block.chunk && block.chunk < picture.chunks));
        }
        for (Ticks at{0}; at < picture.t_total; at += Ticks{1}) {
          CHECK(busy_or_idle(picture, row, at) == Ticks{1});
        }
      }
    });
  }

  TEST_CASE("picture: a view has what overlaps it, of its devices, and their idle share") {
    test::for_random_runs(20253, 300, [](const test::Drawn& drawn, std::mt19937_64& random) {
      const PictureView view = random_view(random, drawn);
      const Picture whole = drawn.picture();
      const Picture part = drawn.picture(view);
      CHECK(part.from == view.from);
      CHECK(part.to == view.to);
      std::size_t shown = 0;
      for (const PictureRow& row : whole.rows) {
        const bool is_chosen =
            view.devices.empty() ||
            std::count(view.devices.begin(), view.devices.end(), row.device) == 1;
        if (!is_chosen) continue;
        REQUIRE(shown < part.rows.size());
        const PictureRow& same = part.rows[shown++];
        CHECK(same.device == row.device);
        const auto visible = [&](const std::vector<Block>& blocks) {
          std::vector<TaskId> tasks;
          for (const Block& block : blocks) {
            if (overlaps(block.start, block.end, part)) tasks.push_back(block.task);
          }
          return tasks;
        };
        const auto all = [](const std::vector<Block>& blocks) {
          std::vector<TaskId> tasks;
          tasks.reserve(blocks.size());
          for (const Block& block : blocks) tasks.push_back(block.task);
          return tasks;
        };
        CHECK(all(same.blocks) == visible(row.blocks));
        CHECK(all(same.beside) == visible(row.beside));
        std::int64_t idle = 0;
        for (Ticks at = part.from; at < part.to; at += Ticks{1}) {
          const auto covers = [at](const IdlePart& idle_part) {
            return idle_part.begin <= at && at < idle_part.end;
          };
          idle += std::any_of(row.idle.begin(), row.idle.end(), covers) ? 1 : 0;
        }
        CHECK(same.idle_share == Ratio{idle, (part.to - part.from).count});
      }
      CHECK(shown == part.rows.size());
    });
  }

  TEST_CASE("picture: in a run that takes no time nobody is idle") {
    const Picture picture = test::picture_of("1f1b", test::equal_stages(2, 2, 0, 0));
    for (const PictureRow& row : picture.rows) CHECK((row.idle_share == Ratio{0, 1}));
  }

  TEST_CASE("picture: the critical path is marked, and nothing else") {
    test::for_random_runs(20254, 200, [](const test::Drawn& drawn, std::mt19937_64&) {
      const std::vector<TaskId>& critical = drawn.report.critical_path->tasks;
      for (const PictureRow& row : drawn.picture().rows) {
        for (const auto* blocks : {&row.blocks, &row.beside}) {
          for (const Block& block : *blocks) {
            CHECK(block.is_critical ==
                  (std::count(critical.begin(), critical.end(), block.task) == 1));
          }
        }
      }
    });
  }

  TEST_CASE("picture: chunks count a device's stages from the first on") {
    test::Run run{.problem = test::equal_stages(2, 2, 1, 2), .program = {}};
    run.problem.placement = v_placement(2);
    run.problem.costs.assign(4, run.problem.costs.front());
    run.program.lanes = {
        {forward(Stage{0}, 0), forward(Stage{3}, 0), backward(Stage{3}, 0), backward(Stage{0}, 0)},
        {forward(Stage{1}, 0), forward(Stage{2}, 0), backward(Stage{2}, 0), backward(Stage{1}, 0)}};
    run.problem.microbatches = 1;
    const Picture picture = test::Drawn(run).picture();
    CHECK(picture.chunks == 2);
    CHECK(picture.looks == std::vector{Look::forward, Look::backward});
    std::vector<std::int32_t> chunks;
    for (const Block& block : picture.rows[0].blocks) chunks.push_back(block.chunk);
    CHECK(chunks == std::vector<std::int32_t>{0, 1, 1, 0});
  }

  TEST_CASE("picture: what a view may be") {
    const Problem problem = test::equal_stages(4, 8, 2, 4);
    const auto fault = [&](const PictureView& view) -> std::string {
      try {
        require_view(view, problem, Ticks{66'000'000'000}, TimeUnit::ms);
      } catch (const Error& error) {
        return error.what();
      }
      return "";
    };
    constexpr std::int64_t kMs = 1'000'000'000;
    CHECK(fault({}).empty());
    CHECK(fault({.from = Ticks{65 * kMs}, .to = Ticks{66 * kMs}, .devices = {Device{3}}}).empty());
    CHECK(fault({.from = Ticks{66 * kMs}, .to = {}, .devices = {}}) ==
          "command line: --from: at 66 ms the run has ended; 0 to less than T_total, 66 ms");
    CHECK(fault({.from = {}, .to = Ticks{67 * kMs}, .devices = {}}) ==
          "command line: --to: 67 ms lies behind the end of the run; at most T_total, 66 ms");
    CHECK(fault({.from = Ticks{5 * kMs}, .to = Ticks{5 * kMs}, .devices = {}}) ==
          "command line: --to: 5 ms does not lie behind --from; more than 5 ms");
    CHECK(fault({.from = {}, .to = {}, .devices = {Device{0}, Device{4}}}) ==
          "command line: --devices: there is no device 4; 0 to 3");
  }

  TEST_CASE("picture: labels") {
    const Op op{.kind = OpKind::forward, .stage = Stage{1}, .microbatch = Microbatch{7}};
    CHECK(microbatch_label(op, 1) == "7");
    CHECK(microbatch_label(op, 4) == "1.3");
  }
}
