#include "sim/io/pytorch_export.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/pytorch_steps.hpp"
#include "tests/problems.hpp"
#include "tests/pytorch_files.hpp"

using namespace pipesim;

namespace {

StepOrders orders_of(const std::string& text) {
  return step_orders(parse_pytorch_csv("x.csv", text, PytorchB::full_backward));
}

std::string exported(const StepOrders& orders, PytorchFormat format) {
  return pytorch_csv(export_pytorch(test::problem_of(orders), unrolled(orders), format).file);
}

std::string fault(const Problem& problem, const Program& program) {
  for (const PytorchFormat format : {PytorchFormat::compute_comms, PytorchFormat::compute_only}) {
    try {
      export_pytorch(problem, program, format);
    } catch (const Error& error) {
      if (format == PytorchFormat::compute_only) return error.what();
    }
  }
  return "";
}

/// p and m of "Interleaved1F1B_4rank_2stage_3mb_...".
struct Size {
  int p = 0;
  int m = 0;
};

Size size_of(const std::string& name) {
  const auto number_before = [&](const std::string& word) {
    const std::size_t end = name.find(word);
    return std::stoi(name.substr(name.rfind('_', end) + 1, end));
  };
  return {.p = number_before("rank_"), .m = number_before("mb_")};
}

/// The files that have each action at its first step: Looped BFS where every microbatch has come
/// to the last rank before the first one needs rank 0 again, ZB-V where none was taken out.
bool is_laid_out_like_ours(const std::string& name) {
  const Size size = size_of(name);
  return (name.starts_with("LoopedBFS") && size.m >= size.p) ||
         (name.starts_with("ZBVZeroBubble") && size.m >= 2 * size.p - 1);
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("pytorch export: communication is PyTorch 2.14.1's, byte for byte, in all its files") {
    int files = 0;
    for (const test::NamedText& file : test::pytorch_files()) {
      if (!test::has_comms(file)) continue;
      ++files;
      CAPTURE(file.name);
      CHECK(exported(orders_of(file.text), PytorchFormat::compute_comms) == file.text);
    }
    CHECK(files == 75);
  }

  TEST_CASE("pytorch export: ops are PyTorch 2.14.1's, its layout for Looped BFS and ZB-V") {
    int alike = 0;
    for (const test::NamedText& file : test::pytorch_files()) {
      if (test::has_comms(file)) continue;
      CAPTURE(file.name);
      const StepOrders orders = orders_of(file.text);
      const std::string text = exported(orders, PytorchFormat::compute_only);
      CHECK(orders_of(text) == orders);
      if (!is_laid_out_like_ours(file.name)) continue;
      ++alike;
      CHECK(text == file.text);
    }
    CHECK(alike == 27);
  }

  TEST_CASE("pytorch export: 1f1b, every op at its first step") {
    const Problem problem = test::equal_stages(3, 3, 2, 4);
    const Program program = test::program_of("1f1b", problem);
    CHECK(pytorch_csv(export_pytorch(problem, program, PytorchFormat::compute_only).file) ==
          "0F0,0F1,0F2,,,0B0,,0B1,,0B2\r\n"
          ",1F0,1F1,,1B0,1F2,1B1,,1B2\r\n"
          ",,2F0,2B0,2F1,2B1,2F2,2B2\r\n");
    CHECK(pytorch_csv(export_pytorch(problem, program, PytorchFormat::compute_comms).file) ==
          "0UNSHARD,0F0,0SEND_F0,0F1,0SEND_F1,0F2,0SEND_F2,0RECV_B0,0B0,0RECV_B1,0B1,0RECV_B2,"
          "0B2,0REDUCE_GRAD,0RESHARD\r\n"
          "1UNSHARD,1RECV_F0,1F0,1SEND_F0,1RECV_F1,1F1,1SEND_F1,1RECV_B0,1RECV_F2,1B0,1SEND_B0,"
          "1F2,1SEND_F2,1RECV_B1,1B1,1SEND_B1,1RECV_B2,1B2,1SEND_B2,1REDUCE_GRAD,1RESHARD\r\n"
          "2UNSHARD,2RECV_F0,2F0,2RECV_F1,2B0,2SEND_B0,2F1,2RECV_F2,2B1,2SEND_B1,2F2,2B2,2SEND_B2,"
          "2REDUCE_GRAD,2RESHARD\r\n");
  }

  TEST_CASE("pytorch export: recomputations are left out, and it says so") {
    Problem problem = test::equal_stages(2, 3, 1, 2);
    problem.recompute = {true, false};
    const Program program = test::program_of("gpipe", problem);
    const PytorchExport result = export_pytorch(problem, program, PytorchFormat::compute_only);
    CHECK(pytorch_csv(result.file) ==
          "0F0,0F1,0F2,,,0B0,0B1,0B2\r\n"
          ",1F0,1F1,1F2,1B0,1B1,1B2\r\n");
    CHECK(result.notes ==
          std::vector<std::string>{"3 recomputations are not in the file: PyTorch recomputes "
                                   "inside the backward"});
  }

  TEST_CASE("pytorch export: what the format cannot carry is refused with the reason") {
    Problem problem = test::equal_stages(2, 2, 1, 2);
    const Program gpipe = test::program_of("gpipe", problem);
    CHECK(fault(problem, gpipe) == "");

    Problem joined = problem;
    joined.iterations.joined = 2;
    CHECK(fault(joined, gpipe) ==
          "/iterations/flush: steps without a flush between them; true: PyTorch flushes at the end "
          "of each step");

    Problem both = problem;
    both.placement = bidirectional_placement(2);
    CHECK(fault(both, gpipe) ==
          "/schedule: stage 0 is on devices 0 and 1; one rank for each stage: PyTorch's files have "
          "no second copy of a stage");

    Problem sliced = problem;
    sliced.slices = 2;
    CHECK(fault(sliced, gpipe) ==
          "/schedule: PyTorch's files have no slices, here 2; whole microbatches");

    Program stuck = gpipe;
    stuck.lanes[0] = {backward(Stage{0}, 0), backward(Stage{0}, 1), forward(Stage{0}, 0),
                      forward(Stage{0}, 1)};
    CHECK(fault(problem, stuck).find("deadlock") != std::string::npos);
  }
}
