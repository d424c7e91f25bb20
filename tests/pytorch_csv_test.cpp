#include "sim/io/pytorch_csv.hpp"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "sim/error.hpp"
#include "sim/io/pytorch_steps.hpp"
#include "tests/problems.hpp"
#include "tests/pytorch_files.hpp"

using namespace pipesim;
using test::golden;

namespace {

PytorchFile read(const std::string& text, PytorchB meaning = PytorchB::full_backward) {
  return parse_pytorch_csv("x.csv", text, meaning);
}

/// What reading a file as an order says; "" if nothing.
std::string fault(const std::string& text, PytorchB meaning = PytorchB::full_backward) {
  try {
    step_orders(read(text, meaning));
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string tokens(const std::vector<Step>& steps) {
  std::string text;
  for (const Step& step : steps) text += (text.empty() ? "" : " ") + token(step);
  return text;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("pytorch csv: every file that PyTorch 2.14.1 wrote is written again byte for byte") {
    const std::vector<test::NamedText> files = test::pytorch_files();
    CHECK(files.size() == 190);
    for (const test::NamedText& file : files) {
      CAPTURE(file.name);
      const PytorchFile read_file = read(file.text);
      CHECK(pytorch_csv(read_file) == file.text);
      const StepOrders orders = step_orders(read_file);
      validate_program(test::problem_of(orders), unrolled(orders));
    }
  }

  TEST_CASE("pytorch csv: PyTorch's own test files, old and new, have the same orders") {
    const auto new_format = [](const std::string& name) {
      return read(golden("pytorch_upstream/" + name));
    };
    const auto old_format = [](const std::string& name) {
      return read(golden("pytorch_upstream/" + name), PytorchB::input_gradient);
    };
    const std::string dual = golden("pytorch_upstream/dualpipev_4rank_10mb.csv");
    CHECK(pytorch_csv(read(dual)) == test::with_carriage_returns(dual));
    CHECK(pytorch_csv(old_format("zb1p_2rank_2stagep_compute_OLDFORMAT_B_is_input_grad.csv")) ==
          pytorch_csv(new_format("zb1p_2rank_2stagep_compute.csv")));
    const PytorchFile comms = new_format("zb1p_2rank_2stagep_comms.csv");
    const PytorchFile old_comms = old_format("zb1p_2rank_2stagep_comms_OLDFORMAT_B_BW.csv");
    CHECK(pytorch_csv(old_comms) == pytorch_csv(comms));
    CHECK(step_orders(old_comms) == step_orders(comms));
    // Rank 0 of the file with communication runs the full backward where the other splits it.
    const StepOrders compute = step_orders(new_format("zb1p_2rank_2stagep_compute.csv"));
    CHECK(compute[1] == step_orders(comms)[1]);
    CHECK(tokens(compute[0]).rfind("0F0 0F1 2F0 2F1 2I0 2W0 0F2 ", 0) == 0);
  }

  TEST_CASE("pytorch csv: the grammar is PyTorch's, without junk after an action") {
    const auto cases = nlohmann::json::parse(golden("pytorch_action_grammar.json"));
    CHECK(cases.size() == 34);
    for (const auto& row : cases) {
      const auto text = row[0].get<std::string>();
      CAPTURE(text);
      const ParsedPytorchCell parsed = parse_pytorch_cell(text, PytorchB::full_backward);
      CHECK(parsed.what.empty() == !row[2].is_null());
      if (row[2].is_null()) continue;
      CHECK(row[1] == row[2]);
      CHECK(token(parsed.cell) == row[2].get<std::string>());
    }
    for (const std::string text :
         {"2147483648F0", "0F2147483648", "99999999999999999999F0", "+1F0", "0F+1", "0 F0", "0F 0",
          "0F0 0F1", "(0F0;0B0)", "(0F0;0B0) OVERLAP_F_B", "(0F0;(0F1;0B0)OVERLAP_F_B)OVERLAP_F_B",
          "OVERLAP_F_B", "(;)OVERLAP_F_B", "0R0", "0SEND_F0x", "\xC3\xBC"}) {
      CAPTURE(text);
      CHECK_FALSE(parse_pytorch_cell(text, PytorchB::full_backward).what.empty());
    }
    CHECK(token(parse_pytorch_cell("2147483647F2147483647", PytorchB::full_backward).cell) ==
          "2147483647F2147483647");
  }

  TEST_CASE("pytorch csv: in an old file B is the input gradient and BW the full backward") {
    const auto old_token = [](const std::string& text) {
      const ParsedPytorchCell parsed = parse_pytorch_cell(text, PytorchB::input_gradient);
      return parsed.what.empty() ? token(parsed.cell) : parsed.what;
    };
    CHECK(old_token("3B1") == "3I1");
    CHECK(old_token("3BW1") == "3B1");
    CHECK(old_token("3W1") == "3W1");
    CHECK(old_token("3SEND_B1") == "3SEND_B1");
    CHECK(old_token("3I1") == "is no action");
  }

  TEST_CASE("pytorch csv: rows of any shape") {
    const auto again = [](const std::string& text) { return pytorch_csv(read(text)); };
    CHECK(again("") == "");
    CHECK(again("\r\n") == "\r\n");                    // a rank without a step of time
    CHECK(again("\"\"\r\n,\r\n") == "\"\"\r\n,\r\n");  // one idle step, two
    CHECK(again(",0F0,,\r\n0F1\r\n") == ",0F0,,\r\n0F1\r\n");
    CHECK(again("\xEF\xBB\xBF"
                "0F0,\"0B0\"\n 1F0 ,1B0") == "0F0,0B0\r\n1F0,1B0\r\n");
  }

  TEST_CASE("pytorch csv: faults name the row, the column and the cell, all of them at once") {
    const std::string allowed =
        "; a stage, one of F, B, I, W, SEND_F, RECV_F, SEND_B, RECV_B, UNSHARD, RESHARD and "
        "REDUCE_GRAD, and a microbatch, such as 0F1, or (0F7;7B3)OVERLAP_F_B, or nothing";
    CHECK(fault("0F0,,0F0junk\r\n1F0,(1F1;1B0,0F2\r\n") ==
          "x.csv:1:6: rank 0, cell 3: \"0F0junk\" is no action" + allowed +
              "\n"
              "x.csv:2:5: rank 1, cell 2: \"(1F1;1B0\" is no pair; two actions that overlap: "
              "(0F7;7B3)OVERLAP_F_B");
    CHECK(fault("0I0\r\n", PytorchB::input_gradient) ==
          "x.csv:1:1: rank 0, cell 1: \"0I0\" is no action; a stage, one of F, B (the input "
          "gradient), BW (the full backward), W, SEND_F, RECV_F, SEND_B, RECV_B, UNSHARD, RESHARD "
          "and REDUCE_GRAD, and a microbatch, such as 0F1, or nothing");
    CHECK(fault("0F,0B0\r\n") ==
          "x.csv:1:1: rank 0, cell 1: \"0F\" has no microbatch; a microbatch after the type, such "
          "as 0F1");
    CHECK(fault("0F0,(0B0;0F1)OVERLAP_F_B\r\n") ==
          "x.csv:1:5: rank 0, cell 2: \"(0B0;0F1)OVERLAP_F_B\" overlaps other ops than a forward "
          "and a gradient; a forward, then a full backward or an input gradient: (0F3;7B1)");
    CHECK(fault("(0F1;0UNSHARD)OVERLAP_F_B\r\n").rfind("x.csv:1:1: rank 0, cell 1:", 0) == 0);
    CHECK(fault("0UNSHARD,0F0,0B0,0REDUCE_GRAD,0RESHARD\r\n") == "");
  }

  TEST_CASE("pytorch csv: communication must be what the ops need") {
    const std::string first = "0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0RECV_B1,0B1\r\n";
    const std::string second = "1RECV_F0,1F0,1RECV_F1,1B0,1SEND_B0,1F1,1B1,1SEND_B1\r\n";
    CHECK(fault(first + second) == "");
    const std::string before = "x.csv:2:1: rank 1, cell 1: ";
    const std::string needed = "; a receive of each input that another rank computes";
    // A receive that is missing is missed by the op and by the sender.
    CHECK(fault(first + "1F0,1RECV_F1,1B0,1SEND_B0,1F1,1B1,1SEND_B1\r\n") ==
          before + "\"1F0\" comes without a 1RECV_F0 before it" + needed +
              "\nx.csv:2:5: rank 1, cell 2: \"1RECV_F1\" comes where rank 0 sends 0SEND_F0; "
              "sends and receives between two ranks in one order");
    CHECK(fault(first + "1F0,1RECV_F0,1RECV_F1,1B0,1SEND_B0,1F1,1B1,1SEND_B1\r\n") ==
          before + "\"1F0\" comes without a 1RECV_F0 before it" + needed);
    CHECK(fault("0F0,0SEND_F0,0F1,0RECV_B0,0B0,0RECV_B1,0B1\r\n" + second) ==
          "x.csv:2:14: rank 1, cell 3: \"1RECV_F1\" comes where rank 0 sends nothing more; sends "
          "and receives between two ranks in one order");
    CHECK(fault(first + "1RECV_F0,1F0,1B0,1SEND_B0,1RECV_F1,1F1,1SEND_B1,1B1\r\n") ==
          "x.csv:2:40: rank 1, cell 7: \"1SEND_B1\" sends what its rank has not computed; the "
          "backward of stage 1 and microbatch 1 before it\n"
          "x.csv:1:40: rank 0, cell 7: \"0RECV_B1\" comes where rank 1 sends nothing more; sends "
          "and receives between two ranks in one order");
    CHECK(fault(first + "1RECV_F0,1F0,1RECV_F1,,1B0,1SEND_B0,1F1,1B1,1SEND_B1\r\n") ==
          "x.csv:2:23: rank 1, cell 4: \"\" is an idle step; none in a file with communication");
    CHECK(fault("0F0,0SEND_F0,0SEND_F0,0RECV_B0,0B0\r\n1RECV_F0,1F0,1B0,1SEND_B0\r\n") ==
          "x.csv:1:14: rank 0, cell 3: \"0SEND_F0\" is not received by rank 1; a receive for each "
          "send");
    CHECK(fault("0F0,0SEND_F0,0RECV_B0,0B0\r\n1RECV_F0,1RECV_F0,1F0,1B0,1SEND_B0\r\n") ==
          "x.csv:2:10: rank 1, cell 2: \"1RECV_F0\" stands twice; each receive once");
    CHECK(fault("0F0,1F0,0SEND_F0,1B0,0B0\r\n2F0,2B0\r\n") ==
          "x.csv:1:9: rank 0, cell 3: \"0SEND_F0\" brings nothing from one rank to another; "
          "communication between stages on different ranks: stages 0 and 1 are not\n"
          "x.csv:1:18: rank 0, cell 4: \"1B0\" comes without a 1RECV_B0 before it" +
              needed + "\nx.csv:2:1: rank 1, cell 1: \"2F0\" comes without a 2RECV_F0 before it" +
              needed);
    CHECK(fault("0F0,0SEND_F0,1RECV_F0,0RECV_B0,0B0\r\n1RECV_F0,1F0,1B0,1SEND_B0\r\n") ==
          "x.csv:1:14: rank 0, cell 3: \"1RECV_F0\" is of stage 1; stage 1 is on rank 1");
    CHECK(fault("0F0,0SEND_F0,0F1,0RECV_B0,0B0\r\n1RECV_F0,1F0,1B0,1SEND_B0,0B1\r\n") ==
          "x.csv:2:27: rank 1, cell 5: \"0B1\" is of a stage that is on rank 0 too; one rank for "
          "each stage where there is communication\n"
          "x.csv:2:27: rank 1, cell 5: \"0B1\" comes without a 0RECV_B1 before it" +
              needed);
    CHECK(fault("0F0,0SEND_F\r\n1F0\r\n") ==
          "x.csv:1:5: rank 0, cell 2: \"0SEND_F\" has no microbatch; a microbatch after the type, "
          "such as 0F1");
    CHECK(fault("2147483647F0,2147483647SEND_F0,0RECV_F0,2147483647RECV_B0\r\n") != "");
  }

  TEST_CASE("pytorch csv: no send or receive can be lost, doubled or exchanged unnoticed") {
    std::mt19937_64 random(11);
    for (const test::NamedText& file : test::pytorch_files()) {
      if (!test::has_comms(file) || file.text.size() > 4000) continue;
      CAPTURE(file.name);
      const PytorchFile right = read(file.text);
      for (int round = 0; round < 20; ++round) {
        PytorchFile wrong = right;
        auto& row = wrong.ranks[random() % wrong.ranks.size()];
        const auto communicates_at = [&](std::size_t index) {
          return row[index].action && communicates(row[index].action->kind);
        };
        const std::size_t index = random() % row.size();
        if (!communicates_at(index)) continue;
        CAPTURE(token(row[index]));
        if (round % 2 == 0) {
          row.erase(row.begin() + static_cast<std::ptrdiff_t>(index));
        } else {
          row.insert(row.begin() + static_cast<std::ptrdiff_t>(random() % row.size()), row[index]);
        }
        CHECK(fault(pytorch_csv(wrong)) != "");
      }
    }
  }

  TEST_CASE("pytorch csv: whatever a file holds, it is read or refused with a place") {
    constexpr std::uint64_t kSeed = 172668;
    MESSAGE("seed " << kSeed);
    std::mt19937_64 random(kSeed);
    const std::vector<test::NamedText> files = test::pytorch_files();
    const std::string bytes = "0123456789FBIW_SENDRCVUHAO();,,\"\r\n \xFF\x01-";
    int refused = 0;
    for (int round = 0; round < 3000; ++round) {
      std::string text = files[random() % files.size()].text.substr(0, 2000);
      for (std::int64_t edits = test::draw(random, 1, 4); edits > 0; --edits) {
        const std::size_t at = random() % text.size();
        if (random() % 2 == 0) text.erase(at, random() % 5);
        text.insert(std::min(at, text.size()), 1, bytes[random() % bytes.size()]);
      }
      try {
        const PytorchFile file =
            read(text, round % 3 == 0 ? PytorchB::input_gradient : PytorchB::full_backward);
        CHECK(pytorch_csv(read(pytorch_csv(file))) == pytorch_csv(file));
        step_orders(file);
      } catch (const Error& error) {
        ++refused;
        for (const Fault& found : error.faults()) {
          CHECK(found.place.rfind("x.csv:", 0) == 0);
          CHECK(found.line >= 1);
          CHECK(found.column >= 1);
          CHECK_FALSE(found.allowed.empty());
        }
      }
    }
    CHECK(refused > 1000);
  }
}
