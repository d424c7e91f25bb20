#include "sim/throughput.hpp"

#include <array>

namespace pipesim {

namespace {

constexpr Int128 kTicksPerSecond = 1'000'000'000'000;

/// A product without the lowest bits that do not fit.
struct ShortProduct {
  Int128 value = 1;
  int dropped = 0;  // bits

  void multiply(Int128 factor) {
    constexpr Int128 kMost = Int128{1} << 119;
    while (factor > 1 && value > kMost / factor) {
      Int128& larger = value > factor ? value : factor;
      larger >>= 1;
      ++dropped;
    }
    value *= factor;
  }
};

}  // namespace

Ratio ratio_of_products(std::span<const Int128> numerators, std::span<const Int128> denominators) {
  std::vector<Int128> above(numerators.begin(), numerators.end());
  std::vector<Int128> below(denominators.begin(), denominators.end());
  ShortProduct numerator;
  ShortProduct denominator;
  for (Int128& a : above) {
    for (Int128& b : below) {
      const Int128 common = greatest_common_divisor(a, b);
      if (common == 0) continue;
      a /= common;
      b /= common;
    }
    numerator.multiply(a);
  }
  for (const Int128 b : below) denominator.multiply(b);
  for (; numerator.dropped > denominator.dropped; --numerator.dropped) denominator.value >>= 1;
  for (; denominator.dropped > numerator.dropped; --denominator.dropped) numerator.value >>= 1;
  return {.numerator = numerator.value,
          .denominator = denominator.value > 0 ? denominator.value : Int128{1}};
}

StepFlops microbatch_flops(const Transformer& model, std::int64_t layers) {
  StepFlops result;
  const auto add = [&](ModelPart part, Int128 times) {
    const PassFlops flops = pass_flops(model, part);
    result.model += (flops.forward + flops.input + flops.weight) * times;
    result.hardware += flops.recompute * times;
  };
  add(ModelPart::embedding, 1);
  add(ModelPart::layer, layers);
  add(ModelPart::head, 1);
  result.hardware += result.model;
  return result;
}

Int128 all_parameters(const Transformer& model, std::int64_t layers) {
  return parameters(model, ModelPart::embedding) + parameters(model, ModelPart::layer) * layers +
         parameters(model, ModelPart::head);
}

Ratio utilisation(Flops flops, Int128 times, const Ratio& time, std::int64_t devices,
                  FlopRate peak) {
  return ratio_of_products(std::array{flops.count, times, time.denominator, kTicksPerSecond},
                           std::array{time.numerator, Int128{devices}, Int128{peak.per_second}});
}

}  // namespace pipesim
