#include "sim/layer_split.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <vector>

#include "sim/error.hpp"

using namespace pipesim;

namespace {

using Layers = std::vector<std::int32_t>;

Layers read(const std::string& text) { return parse_layer_layout(text, "/model/layers").layers; }

std::string fault_of(const std::string& text) {
  try {
    read(text);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

/// The most work of a device.
std::int64_t bottleneck(const Layers& layers, const Placement& placement, const PartTimes& times) {
  std::vector<std::int64_t> load(layers.size());
  for (const auto& flow : placement.device_of) {
    for (std::size_t stage = 0; stage < layers.size(); ++stage) {
      std::int64_t& of = load[static_cast<std::size_t>(flow[stage].value)];
      of += layers[stage] * times.layer.count;
      if (stage == 0) of += times.embedding.count;
      if (stage + 1 == layers.size()) of += times.head.count;
    }
  }
  return *std::max_element(load.begin(), load.end());
}

/// The smallest bottleneck over every way to give `left` layers to the stages from `stage` on.
std::int64_t best(Layers& layers, std::size_t stage, std::int32_t left, const Placement& placement,
                  const PartTimes& times) {
  if (stage + 1 == layers.size()) {
    layers[stage] = left;
    return bottleneck(layers, placement, times);
  }
  std::int64_t result = INT64_MAX;
  for (std::int32_t here = 0; here <= left; ++here) {
    layers[stage] = here;
    result = std::min(result, best(layers, stage + 1, left - here, placement, times));
  }
  return result;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("Megatron's layouts") {
    CHECK(read("Et*3|t*4|t*2L") == Layers{3, 4, 2});
    CHECK(read("Et|t|t|tL") == Layers{1, 1, 1, 1});
    CHECK(read("E,t*4|t*4|t*4,L") == Layers{4, 4, 4});
    CHECK(read("Ett|(tt|)*6L") == Layers{2, 2, 2, 2, 2, 2, 2, 0});
    CHECK(read("Et|(t|)*30tL") == Layers(32, 1));
    CHECK(read("E|((t*2|)*2t|)*2L") == Layers{0, 2, 2, 1, 2, 2, 1, 0});
    CHECK(read("E |*3 t L") == Layers{0, 0, 0, 1});
  }

  TEST_CASE("a layout that is none says at which character") {
    const std::string parts = "; E, t, L, |, groups in parentheses, and *n behind one of them";
    CHECK(fault_of("Et*3|x") == "/model/layers: character 6: 'x' is no part of a layout" + parts);
    CHECK(fault_of("Et*3|m|L") == "/model/layers: character 6: 'm' is no part of a layout" + parts);
    CHECK(fault_of("Et)L") == "/model/layers: character 3: ')' is no part of a layout" + parts);
    CHECK(fault_of("E*|t") ==
          "/model/layers: character 2: '*' without a count; an integer from 1 to 1048576");
    CHECK(fault_of("Et*0L") ==
          "/model/layers: character 3: a count of 0; an integer from 1 to 1048576");
    CHECK(fault_of("E(t|t") == "/model/layers: character 2: '(' is not closed; a ) for each (");
    CHECK(fault_of("") ==
          "/model/layers: character 1: the layout does not begin with E; "
          "the embedding E in front of the first layer, once");
    CHECK(fault_of("tEL") ==
          "/model/layers: character 1: the layout does not begin with E; "
          "the embedding E in front of the first layer, once");
    CHECK(fault_of("Et|EL") ==
          "/model/layers: character 4: a second E; the embedding E at the beginning only");
    CHECK(fault_of("EtL|t") ==
          "/model/layers: character 3: L is not the last; head and loss L at the end only");
    CHECK(fault_of("Et|t") ==
          "/model/layers: character 5: the layout does not end with L; "
          "head and loss L behind the last layer");
    CHECK(fault_of("E((t*1048576)*1048576)*1048576L") ==
          "/model/layers: character 3: too many layers and stages; at most 1048576 of both");
    CHECK(fault_of("E" + std::string(100, '(')) ==
          "/model/layers: character 18: too many parentheses in each other; at most 16");
  }

  TEST_CASE("where stages and layers of a layout stand") {
    const LayerLayout layout = parse_layer_layout("Et*2|(t|)*2L", "");
    CHECK(layout.stage_at == std::vector<std::size_t>{1, 5, 8, 8});
    CHECK(layout.layer_at == std::vector<std::size_t>{2, 2, 7, 7});
    CHECK(layout.end == 13);
  }

  TEST_CASE("balance is the best of all splits, on every placement") {
    for (const auto& [embedding, layer, head] : std::vector<std::array<std::int64_t, 3>>{
             {0, 10, 0}, {0, 10, 4}, {3, 10, 25}, {25, 7, 90}}) {
      const PartTimes times{
          .embedding = Ticks{embedding}, .layer = Ticks{layer}, .head = Ticks{head}};
      for (const Placement& placement : {loop_placement(4, 1), loop_placement(2, 2), v_placement(2),
                                         bidirectional_placement(3), loop_placement(1, 3)}) {
        for (std::int32_t count = placement.stages(); count < 12; ++count) {
          const Layers chosen = balanced_layers(count, placement, times);
          CHECK(std::accumulate(chosen.begin(), chosen.end(), 0) == count);
          Layers tried(chosen.size());
          CHECK(bottleneck(chosen, placement, times) == best(tried, 0, count, placement, times));
        }
      }
    }
  }

  TEST_CASE("balance takes layers from where the head is") {
    const PartTimes times{.embedding = Ticks{0}, .layer = Ticks{10}, .head = Ticks{25}};
    CHECK(balanced_layers(14, loop_placement(4, 1), times) == Layers{4, 4, 4, 2});
    CHECK(balanced_layers(16, loop_placement(4, 1),
                          {.embedding = {}, .layer = Ticks{1}, .head = {}}) == Layers{4, 4, 4, 4});
  }
}
