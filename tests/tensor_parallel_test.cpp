// What pipesim shapes says of published cases and of bad sizes.
#include "sim/tensor_parallel.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/error.hpp"

using namespace pipesim;

namespace {

constexpr LayerSizes kExercise{.batch = 8, .seq = 128, .hidden = 1024, .tp = 4};

std::string shape_of(const LayerBlock& block, const std::string& name, const std::string& role) {
  for (const Tensor& tensor : block.tensors) {
    if (tensor.name != name || tensor.role != role) continue;
    std::string text;
    for (const std::int64_t size : shape_on_rank(tensor)) {
      text += (text.empty() ? "" : "x") + std::to_string(size);
    }
    const TensorPlacement& placement = tensor.placement;
    if (placement.kind == TensorPlacement::Kind::whole) return text + " whole";
    if (placement.kind == TensorPlacement::Kind::partial_sum) return text + " partial sum";
    return text + " split along " + placement.dimension;
  }
  return "absent";
}

/// "Linear1 forward: none", or with collective, tensor, elements, bytes and bytes on the wire.
std::vector<std::string> lines(const LayerBlock& block) {
  std::vector<std::string> result;
  for (const LayerCommunication& given : block.communications) {
    std::string text = given.operation + " " + std::string(name(given.direction)) + ": " +
                       std::string(name(given.collective));
    if (given.collective != Collective::none) {
      text += " " + given.tensor + " " + format_int128(given.elements) + " " +
              format_int128(given.bytes.count) + " " + format_ratio(given.wire_bytes) +
              (given.once_per_step ? " once per step" : "");
    }
    CHECK_FALSE(given.reason.empty());
    result.push_back(text);
  }
  return result;
}

Ratio wire_of(const LayerBlock& block) {
  return sum(wire_bytes(block, PassDirection::forward), wire_bytes(block, PassDirection::backward));
}

std::vector<std::string> faults_of(const LayerSizes& sizes,
                                   const std::vector<Pairing>& pairings = {kColumnRow}) {
  std::vector<std::string> messages;
  try {
    check(sizes, pairings);
  } catch (const Error& error) {
    for (const Fault& fault : error.faults()) messages.push_back(message(fault));
  }
  return messages;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("hw5_1: the shapes on every rank, B=8 S=128 d=1024 P=4, column then row") {
    const LayerBlock ffn = ffn_block(kExercise, kColumnRow);
    CHECK(shape_of(ffn, "X", "input of Linear1") == "8x128x1024 whole");
    CHECK(shape_of(ffn, "W1", "weight of Linear1") == "1024x1024 split along f");
    CHECK(shape_of(ffn, "Y", "output of Linear1") == "8x128x1024 split along f");
    CHECK(shape_of(ffn, "A", "GeLU(Y), input of Linear2") == "8x128x1024 split along f");
    CHECK(shape_of(ffn, "W2", "weight of Linear2") == "1024x1024 split along f");
    CHECK(shape_of(ffn, "Z", "output of Linear2") == "8x128x1024 partial sum");
    CHECK(shape_of(ffn, "Z", "between blocks") == "8x128x1024 whole");
  }

  TEST_CASE("hw5_1: the communication of every linear and direction, fp32") {
    CHECK(lines(ffn_block(kExercise, kColumnRow)) ==
          Lines{"Linear1 forward: none",
                "Linear1 backward: all-reduce dL/dX 1048576 4194304 6291456",
                "Linear2 forward: all-reduce Z 1048576 4194304 6291456", "Linear2 backward: none"});
  }

  TEST_CASE("hw5_1: row/row sums before GeLU, a reduce-scatter of [B,S,4d] is enough") {
    const LayerBlock ffn = ffn_block(kExercise, {WeightSplit::row, WeightSplit::row});
    CHECK(shape_of(ffn, "X", "input of Linear1") == "8x128x256 split along d");
    CHECK(shape_of(ffn, "W1", "weight of Linear1") == "256x4096 split along d");
    CHECK(shape_of(ffn, "Y", "output of Linear1") == "8x128x4096 partial sum");
    CHECK(lines(ffn) == Lines{"Linear1 forward: reduce-scatter Y 4194304 16777216 12582912",
                              "Linear1 backward: all-gather dL/dY 4194304 16777216 12582912",
                              "Linear1 backward: all-gather dL/dX 1048576 4194304 3145728",
                              "Linear2 forward: all-reduce Z 1048576 4194304 6291456",
                              "Linear2 backward: none"});
    CHECK(ffn.communications[0].reason ==
          "sum over d, a rank has its slice of the terms; due before GeLU, not linear; Linear2 "
          "takes only a slice of f");
  }

  TEST_CASE("hw5_1: column/column gathers Y's slices forward and reduce-scatters backward") {
    CHECK(lines(ffn_block(kExercise, {WeightSplit::column, WeightSplit::column})) ==
          Lines{"Linear1 forward: none",
                "Linear1 backward: all-reduce dL/dX 1048576 4194304 6291456",
                "Linear2 forward: all-gather A 4194304 16777216 12582912",
                "Linear2 forward: all-gather Z 1048576 4194304 3145728",
                "Linear2 backward: reduce-scatter dL/dA 4194304 16777216 12582912"});
  }

  TEST_CASE("hw5_1: row/column needs everything whole between the two") {
    CHECK(lines(ffn_block(kExercise, {WeightSplit::row, WeightSplit::column})) ==
          Lines{"Linear1 forward: all-reduce Y 4194304 16777216 25165824",
                "Linear1 backward: all-gather dL/dX 1048576 4194304 3145728",
                "Linear2 forward: all-gather Z 1048576 4194304 3145728",
                "Linear2 backward: all-reduce dL/dA 4194304 16777216 25165824"});
  }

  TEST_CASE("with f = 4d the pairings send 4, 11, 11 and 18 times (P-1)/P of [B,S,d]") {
    for (const std::int64_t tp : {2, 4, 8}) {
      for (const Dtype dtype : {Dtype::fp32, Dtype::bf16, Dtype::fp8}) {
        LayerSizes sizes = kExercise;
        sizes.tp = tp;
        sizes.dtype = dtype;
        const std::vector<std::int64_t> times = {4, 11, 11, 18};
        for (std::size_t i = 0; i < kPairings.size(); ++i) {
          const Bytes bytes = size(dtype) * (times[i] * 1048576);
          CHECK(wire_of(ffn_block(sizes, kPairings[i])) == Ratio{(bytes * (tp - 1)).count, tp});
        }
      }
    }
  }

  TEST_CASE(
      "arXiv 2205.05198 section 4.2.2: sequence parallelism sends what tensor parallelism "
      "sends, and gathers X again; activations between blocks are 1/P") {
    LayerSizes sizes = kExercise;
    sizes.heads = 16;
    for (const bool is_attention : {false, true}) {
      const auto block = [&](bool sequence_parallel) {
        sizes.sequence_parallel = sequence_parallel;
        return is_attention ? attention_block(sizes) : ffn_block(sizes, kColumnRow);
      };
      const LayerBlock plain = block(false);
      const LayerBlock parallel = block(true);
      CHECK(wire_bytes(plain, PassDirection::forward) ==
            wire_bytes(parallel, PassDirection::forward));
      const Ratio again{3145728, 1};
      CHECK(sum(wire_bytes(plain, PassDirection::backward), again) ==
            wire_bytes(parallel, PassDirection::backward));
      CHECK(shape_of(parallel, "X", "between blocks") == "8x32x1024 split along S");
    }
    sizes.heads.reset();
    CHECK(lines(ffn_block(sizes, kColumnRow)) ==
          Lines{"Linear1 forward: all-gather X 1048576 4194304 3145728",
                "Linear1 backward: reduce-scatter dL/dX 1048576 4194304 3145728",
                "Linear1 backward: all-gather X 1048576 4194304 3145728",
                "Linear2 forward: reduce-scatter Z 1048576 4194304 3145728",
                "Linear2 backward: all-gather dL/dZ 1048576 4194304 3145728"});
  }

  TEST_CASE(
      "arXiv 1909.08053 section 3: a layer has two all-reduces forward and two backward, the "
      "loss none of the logits") {
    LayerSizes sizes = kExercise;
    sizes.heads = 16;
    sizes.vocab = 51200;
    int reductions[2] = {0, 0};
    for (const LayerBlock& block : {attention_block(sizes), ffn_block(sizes, kColumnRow)}) {
      for (const LayerCommunication& given : block.communications) {
        if (given.collective == Collective::none) continue;
        CHECK(given.collective == Collective::all_reduce);
        CHECK(given.elements == 1048576);
        ++reductions[static_cast<int>(given.direction)];
      }
    }
    CHECK(reductions[0] == 2);
    CHECK(reductions[1] == 2);
    CHECK(lines(loss_block(sizes)) ==
          Lines{"LayerNorm forward: none", "LayerNorm backward: none", "Logits forward: none",
                "Logits backward: all-reduce dL/dX 1048576 4194304 6291456",
                "CrossEntropy forward: all-reduce max of logits 1024 4096 6144",
                "CrossEntropy forward: all-reduce logit of target 1024 4096 6144",
                "CrossEntropy forward: all-reduce sum of exp 1024 4096 6144",
                "CrossEntropy backward: none"});
  }

  TEST_CASE("one rank communicates nothing; a ring's share need not be whole") {
    LayerSizes sizes{.batch = 1, .seq = 1, .hidden = 1, .tp = 1, .heads = 1, .vocab = 1};
    for (const LayerBlock& block : layer_blocks(sizes, kPairings)) {
      CHECK(wire_of(block) == Ratio{0, 1});
    }
    sizes = {.batch = 1, .seq = 1, .hidden = 1, .tp = 3, .ffn = 3};
    CHECK(wire_bytes(ffn_block(sizes, kColumnRow), PassDirection::forward) == Ratio{16, 3});
  }

  TEST_CASE("the largest sizes stay exact") {
    const LayerSizes sizes{.batch = kLargestSize,
                           .seq = kLargestSize,
                           .hidden = kLargestSize,
                           .tp = kMostRanks,
                           .ffn = kLargestSize,
                           .heads = kLargestSize,
                           .vocab = kLargestSize,
                           .sequence_parallel = true};
    Ratio total{0, 1};
    for (const LayerBlock& block : layer_blocks(sizes, kPairings))
      total = sum(total, wire_of(block));
    CHECK(total > Ratio{0, 1});
    CHECK(wire_bytes(ffn_block(sizes, kColumnRow), PassDirection::forward) ==
          Ratio{Int128{2} * 4 * (kMostRanks - 1) * (Int128{1} << 56), 1});
  }

  TEST_CASE("sizes that do not divide are named with the numbers") {
    const auto with = [](auto change) {
      LayerSizes sizes = kExercise;
      change(sizes);
      return sizes;
    };
    CHECK(
        faults_of(with([](LayerSizes& of) { of.tp = 3; }), {kPairings.begin(), kPairings.end()}) ==
        Lines{"/hidden: needs 4*hidden divisible by tp: 4096 % 3 = 1; column/row splits it over "
              "the ranks",
              "/hidden: needs hidden divisible by tp: 1024 % 3 = 1; row/row splits it over the "
              "ranks, such as 1023 or 1026"});
    CHECK(faults_of(with([](LayerSizes& of) { of.ffn = 4095; })) ==
          Lines{"/ffn: needs ffn divisible by tp: 4095 % 4 = 3; column/row splits it over the "
                "ranks, such as 4092 or 4096"});
    CHECK(faults_of(with([](LayerSizes& of) {
            of.heads = 6;
            of.kv_heads = 4;
          })) ==
          Lines{"/hidden: needs hidden divisible by heads: 1024 % 6 = 4; a head has hidden / heads "
                "columns, such as 1020 or 1026",
                "/heads: needs heads divisible by tp: 6 % 4 = 2; a head is on one rank, such as 4 "
                "or 8",
                "/heads: needs heads divisible by kv_heads: 6 % 4 = 2; equally many heads share "
                "keys and values, such as 4 or 8"});
    CHECK(faults_of(with([](LayerSizes& of) {
            of.tp = 8;
            of.hidden = 384;
            of.heads = 24;
            of.kv_heads = 3;
          })) == Lines{"/kv_heads: needs tp divisible by kv_heads: 8 % 3 = 2; with fewer of them "
                       "than ranks each is on equally many ranks"});
    CHECK(faults_of(with([](LayerSizes& of) { of.vocab = 50257; })) ==
          Lines{"/vocab: needs vocab divisible by tp: 50257 % 4 = 1; a rank has its slice of the "
                "vocabulary: pad it, such as 50256 or 50260"});
    CHECK(faults_of(with([](LayerSizes& of) {
            of.sequence_parallel = true;
            of.seq = 2;
          })) == Lines{"/seq: needs seq divisible by tp: 2 % 4 = 2; a rank has its slice of the "
                       "positions, such as 4"});
  }

  TEST_CASE("gradients that ranks have a part of the terms of are summed whole, once per step") {
    LayerSizes sizes = kExercise;
    sizes.heads = 16;
    sizes.sequence_parallel = true;
    for (const LayerBlock& block : {attention_block(sizes), ffn_block(sizes, kColumnRow)}) {
      Int128 elements = 0;
      for (const LayerCommunication& given : block.communications) {
        if (given.once_per_step) elements += given.elements;
      }
      CHECK((elements == 2 * sizes.hidden));  // gamma and beta
    }
  }

  TEST_CASE("experts: what has no meaning") {
    LayerSizes sizes = kExercise;
    sizes.top_k = 2;
    sizes.ep = 4;
    CHECK(faults_of(sizes) == Lines{"/top_k: top_k without experts; experts beside it",
                                    "/ep: ep without experts; experts beside it"});
    sizes.experts = 6;
    sizes.top_k = 7;
    CHECK(faults_of(sizes) ==
          Lines{"/experts: needs experts divisible by ep: 6 % 4 = 2; an expert is on one rank, "
                "such as 4 or 8",
                "/top_k: 7 of 6 experts; at most 6",
                "/experts: with tp = 4 every rank would send the same tokens; sequence_parallel, "
                "so that each sends its own positions; or tp 1"});
    sizes = {.hidden = 2, .tp = 3, .experts = 2, .sequence_parallel = true};
    sizes.seq = 3;
    CHECK(faults_of(sizes) ==
          Lines{"/hidden: needs 4*hidden divisible by tp: 8 % 3 = 2; each expert "
                "is split over the ranks, column/row"});
    sizes.ffn = 4;
    CHECK(faults_of(sizes) == Lines{"/ffn: needs ffn divisible by tp: 4 % 3 = 1; each expert is "
                                    "split over the ranks, column/row, such as 3 or 6"});
    sizes = {.hidden = 2, .experts = 1};  // top_k is 1
    CHECK(faults_of(sizes) == Lines{});
    sizes = {.batch = kLargestSize, .seq = kLargestSize, .hidden = 1, .experts = 64, .top_k = 64};
    CHECK(faults_of(sizes) == Lines{"/experts: batch * seq * top_k * ep is 18014398509481984; at "
                                    "most 9007199254740992"});
  }
}
