// Times of a model's passes and collectives.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sim/error.hpp"
#include "sim/model.hpp"
#include "sim/tensor_parallel.hpp"
#include "tests/models.hpp"

using namespace pipesim;
using test::gpt;
using test::gpt3;
using test::llama;
using test::tensor_parallel;
using test::with_recompute;

namespace {

Hardware machine() {
  return {.peak = {1'000'000'000'000},
          .achievable = Decimal{Decimal::kOne / 2},
          .memory = {8'000'000'000'000},
          .intra = {.latency = Ticks{1'000}, .bandwidth = {8'000'000'000'000}},
          .inter = {.latency = Ticks{10'000}, .bandwidth = {800'000'000'000}},
          .devices_per_node = 8};
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("ring collectives: latency a step, 2(P-1)/P or (P-1)/P of the bytes") {
    const Connection connection{.latency = Ticks{1000},
                                .bandwidth = {8'000'000'000'000}};  // 1 B/ps
    CHECK(collective_time(Collective::all_reduce, Bytes(4000), 4, connection) ==
          Ticks{6 * 1000 + 6000});
    CHECK(collective_time(Collective::all_gather, Bytes(4000), 4, connection) ==
          Ticks{3 * 1000 + 3000});
    CHECK(collective_time(Collective::all_to_all, Bytes(4000), 4, connection) ==
          Ticks{3 * 1000 + 3000});
    CHECK(collective_time(Collective::all_reduce, Bytes(10), 4, connection) ==
          Ticks{6 * 1000 + 15});
    CHECK(collective_time(Collective::all_reduce, Bytes(11), 4, connection) ==
          Ticks{6 * 1000 + 17});  // 16.5 rounded up
    CHECK(collective_time(Collective::all_reduce, Bytes(4000), 1, connection) == Ticks{});
  }

  TEST_CASE("times: the roofline's longer side, then what is exposed of communication") {
    // s = h = 64, b = 1: F has 64 * 64 * (24 * 64 + 4 * 64) = 7,340,032 operations.
    Transformer model = gpt(64, 4, 128, 64);
    Hardware hardware = machine();
    hardware.memory = {std::int64_t{1} << 62};
    const PassTimes alone = pass_times(model, {}, hardware, ModelPart::layer);
    CHECK(alone.forward == Ticks{7'340'032 * 2});  // 0.5 operations a tick
    CHECK(alone.input == Ticks{64 * 64 * (24 * 64 + 8 * 64) * 2});
    CHECK(alone.weight == Ticks{64 * 64 * 24 * 64 * 2});
    // Weights 2 * (12 h^2 + 13 h) and activations 34 sh + 5as^2 at a byte a tick.
    hardware.peak = {std::int64_t{1} << 62};
    hardware.memory = {8'000'000'000'000};
    const Int128 weights = 2 * (12 * 64 * 64 + 13 * 64);
    const Int128 activations = 34 * 64 * 64 + 5 * 4 * 64 * 64;
    const PassTimes bound = pass_times(model, {}, hardware, ModelPart::layer);
    CHECK((bound.forward.count == weights + activations));
    CHECK((bound.input.count == weights + activations));
    CHECK((bound.weight.count == 2 * weights + 32 * 64 * 64));
    // Two all-reduces of 2 * 64 * 64 bytes in each direction.
    hardware = machine();
    const ModelParallel two{.tp = 2};
    const Ticks whole = collective_time(Collective::all_reduce, Bytes(8192), 2, hardware.intra);
    const PassTimes split = pass_times(model, two, hardware, ModelPart::layer);
    CHECK(split.forward == Ticks{7'340'032} + whole * 2);
    CHECK(split.input == Ticks{64 * 64 * (24 * 64 + 8 * 64)} + whole * 2);
    CHECK(split.weight == Ticks{64 * 64 * 24 * 64});
    ModelParallel hidden = two;
    hidden.sp = true;  // the same volume
    CHECK(pass_times(model, hidden, hardware, ModelPart::layer).forward == split.forward);
    hidden.tp_overlap = Decimal{Decimal::kOne / 4};
    CHECK(pass_times(model, hidden, hardware, ModelPart::layer).forward ==
          Ticks{7'340'032} + Ticks{whole.count * 3 / 2});
    hidden.tp_overlap = Decimal{Decimal::kOne};
    CHECK(pass_times(model, hidden, hardware, ModelPart::layer).forward == Ticks{7'340'032});
  }

  TEST_CASE("times: what is computed again is part of the input's gradient") {
    const ModelParallel two{.tp = 2};
    Hardware hardware = machine();
    const auto times = [&](LayerRecompute recompute) {
      return pass_times(with_recompute(gpt3(), recompute), two, hardware, ModelPart::layer);
    };
    const PassTimes none = times(LayerRecompute::none);
    const PassTimes selective = times(LayerRecompute::selective);
    const PassTimes full = times(LayerRecompute::full);
    CHECK(selective.forward == none.forward);
    CHECK(full.forward == none.forward);
    CHECK(full.weight == none.weight);
    // 4 s^2 h operations on 2 ranks at 0.5 a tick.
    CHECK(selective.input - none.input == Ticks{4ll * 2048 * 2048 * 12288});
    CHECK(full.input == none.input + none.forward);  // its all-reduces too
    // What is computed again is read again, which is what counts where memory is slow.
    hardware.memory = {8'000'000};
    const PassTimes slow = times(LayerRecompute::none);
    CHECK(slow.forward > none.forward);
    CHECK(times(LayerRecompute::full).input == slow.input + slow.forward);
  }

  TEST_CASE("times: embedding and head of a vocabulary that the ranks share") {
    const Transformer model = gpt(64, 4, 128, 64);
    Hardware hardware = machine();
    hardware.memory = {std::int64_t{1} << 62};
    const auto times = [&](ModelPart part, bool sp) {
      return pass_times(model, tensor_parallel(2, sp), hardware, part);
    };
    const Ticks whole = collective_time(Collective::all_reduce, Bytes(8192), 2, hardware.intra);
    const Ticks half = collective_time(Collective::all_gather, Bytes(8192), 2, hardware.intra);
    CHECK(half * 2 == whole);
    const Ticks loss =
        collective_time(Collective::all_reduce, Bytes(4 * 64), 2, hardware.intra) * 3;
    const Ticks logits{2 * 64 * 64 * 128};  // on 2 ranks at 0.5 operations a tick
    CHECK(times(ModelPart::head, false).forward == logits + loss);
    CHECK(times(ModelPart::head, false).input == logits + whole);
    CHECK(times(ModelPart::head, false).weight == logits);
    CHECK(times(ModelPart::head, true).forward == logits + half + loss);
    CHECK(times(ModelPart::head, true).input == logits + half);
    const Ticks mask{1};  // a tick to write it
    CHECK(times(ModelPart::embedding, false).forward == mask + whole);
    CHECK(times(ModelPart::embedding, false).input == mask);
    CHECK(times(ModelPart::embedding, true).forward == mask + half);
    CHECK(times(ModelPart::embedding, true).input == mask + half);
    CHECK(times(ModelPart::embedding, true).weight == Ticks{});
  }

  TEST_CASE("times: tokens go to their experts and back, in both directions") {
    Transformer model = gpt(64, 4, 128, 64);
    model.experts = 8;
    model.top_k = 2;
    const auto times = [&](std::int32_t ep) {
      return pass_times(model, {.tp = 2, .sp = true, .ep = ep, .dp = 8}, machine(),
                        ModelPart::layer);
    };
    const auto exchange = [&](std::int32_t ep, const Connection& connection) {
      return collective_time(Collective::all_to_all, Bytes(2 * 8192 / 2), ep, connection) * 2;
    };
    // Fewer experts on a rank are fewer weights to read, here below what computing takes.
    CHECK(times(4).forward - times(1).forward == exchange(4, machine().intra));
    CHECK(times(4).input - times(1).input == exchange(4, machine().intra));
    CHECK(times(8).forward - times(1).forward == exchange(8, machine().inter));  // 16 ranks
    CHECK(times(4).weight == times(1).weight);
    // Megatron-Core: all-to-all over ep, all-gather over tp, and the same back with a
    // reduce-scatter; twice the tokens for two experts each, so twice a dense layer's bytes.
    Transformer dense = model;
    dense.experts = dense.top_k = 1;
    const Ticks once = collective_time(Collective::all_gather, Bytes(8192), 2, machine().intra);
    const Ticks twice = collective_time(Collective::all_gather, Bytes(16384), 2, machine().intra);
    Hardware endless = machine();
    endless.peak = {std::int64_t{1} << 62};
    endless.memory = {std::int64_t{1} << 62};
    const auto communicated = [&](const Transformer& of) {
      const ModelParallel sp = tensor_parallel(2, true);
      const Ticks all = pass_times(of, sp, endless, ModelPart::layer).forward;
      ModelParallel hidden = sp;
      hidden.tp_overlap = Decimal{Decimal::kOne};
      return all - pass_times(of, hidden, endless, ModelPart::layer).forward;
    };
    CHECK(communicated(dense) == once * 4);
    CHECK(communicated(model) == once * 2 + twice * 2);
  }

  TEST_CASE("a model's collectives put on the wire what pipesim shapes says") {
    Hardware wire = machine();
    wire.peak = {std::int64_t{1} << 62};
    wire.memory = {std::int64_t{1} << 62};
    wire.intra = {.latency = {}, .bandwidth = {8'000'000'000'000}};  // a byte a tick
    const auto compare = [&](const Transformer& model, const ModelParallel& parallel) {
      CAPTURE(parallel.tp);
      CAPTURE(parallel.sp);
      CAPTURE(parallel.ep);
      LayerSizes sizes{.batch = model.microbatch,
                       .seq = model.seq,
                       .hidden = model.hidden,
                       .tp = parallel.tp,
                       .dtype = model.dtype,
                       .ffn = model.ffn,
                       .heads = model.heads,
                       .kv_heads = model.kv_heads,
                       .vocab = model.vocab,
                       .sequence_parallel = parallel.sp};
      if (model.has_mixture()) {
        sizes.experts = model.experts;
        sizes.top_k = model.top_k;
        sizes.ep = parallel.ep;
      }
      const auto timed = [&](ModelPart part, Ticks PassTimes::*pass) {
        return (pass_times(model, parallel, wire, part).*pass).count;
      };
      const auto told = [&](const std::vector<LayerBlock>& blocks, PassDirection direction) {
        Ratio total{0, 1};
        for (const LayerBlock& block : blocks) {
          for (const LayerCommunication& given : block.communications) {
            // X is gathered again beside the gradient of the input, which hides it.
            const bool is_hidden = given.tensor == "X" && direction == PassDirection::backward;
            if (given.direction != direction || given.once_per_step || is_hidden) continue;
            total = sum(total, given.wire_bytes);
          }
        }
        CHECK((total.denominator == 1));
        return total.numerator;
      };
      const std::vector<LayerBlock> layer = {
          attention_block(sizes),
          sizes.experts ? mixture_block(sizes) : ffn_block(sizes, kColumnRow)};
      const auto same = [](Int128 left, Int128 right) {
        return left >= right && left - right <= 20;  // ticks to compute
      };
      using enum PassDirection;
      CHECK(same(timed(ModelPart::layer, &PassTimes::forward), told(layer, forward)));
      CHECK(same(timed(ModelPart::layer, &PassTimes::input), told(layer, backward)));
      CHECK(same(timed(ModelPart::head, &PassTimes::forward), told({loss_block(sizes)}, forward)));
      CHECK(same(timed(ModelPart::head, &PassTimes::input), told({loss_block(sizes)}, backward)));
      CHECK(same(timed(ModelPart::embedding, &PassTimes::forward),
                 told({embedding_block(sizes)}, forward)));
      CHECK(same(timed(ModelPart::embedding, &PassTimes::input),
                 told({embedding_block(sizes)}, backward)));
    };
    Transformer model = llama(64, 8, 4, 96, 128, 64);
    for (const std::int32_t tp : {1, 2, 4}) {
      compare(model, tensor_parallel(tp, false));
      if (tp > 1) compare(model, tensor_parallel(tp, true));
    }
    model.experts = 8;
    model.top_k = 2;
    for (const std::int32_t tp : {1, 2, 4}) {
      for (const std::int32_t ep : {1, 2}) {
        compare(model, {.tp = tp, .sp = tp > 1, .ep = ep, .dp = ep});
      }
    }
  }

  TEST_CASE("gradients are reduced over the replicas in 4 bytes") {
    const Transformer model = gpt(64, 4, 128, 64);
    const Hardware hardware = machine();
    CHECK(gradient_sync(model, {}, hardware, ModelPart::layer) == Ticks{});
    const ModelParallel replicas{.dp = 16};  // beyond a node
    const Bytes bytes(4 * (12 * 64 * 64 + 13 * 64));
    CHECK(gradient_sync(model, replicas, hardware, ModelPart::layer) ==
          collective_time(Collective::all_reduce, bytes, 16, hardware.inter));
    const ModelParallel in_node{.tp = 2, .dp = 4};
    CHECK(gradient_sync(model, in_node, hardware, ModelPart::layer) ==
          collective_time(Collective::all_reduce,
                          Bytes(4 * (12 * 64 * 64 + 7 * 64 + 6 * 64 * 2) / 2), 4, hardware.intra));
  }

  TEST_CASE("amounts become ticks, or an error") {
    CHECK(computing_time(Flops(3), {2'000'000'000'000}) == Ticks{2});  // 1.5 half up
    CHECK(computing_time(Flops(0), {1}) == Ticks{});
    CHECK(computing_time(Flops(9'000'000), {1}) == Ticks{9'000'000'000'000'000'000});
    CHECK_THROWS_AS(computing_time(Flops(Int128{1} << 120), {1}), Error);
    CHECK(scaled(FlopRate{1000}, Decimal{1}) == FlopRate{1});
    CHECK(scaled(FlopRate{312}, Decimal{Decimal::kOne / 2}) == FlopRate{156});
  }
}
