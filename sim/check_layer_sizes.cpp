#include <fmt/format.h>

#include <algorithm>

#include "sim/error.hpp"
#include "sim/tensor_parallel.hpp"

namespace pipesim {

namespace {

/// Of the tokens that all expert-parallel ranks exchange.
constexpr std::int64_t kMostRows = std::int64_t{1} << 53;

constexpr std::string_view kSplitFfn = "each expert is split over the ranks, column/row";

/// A size with the key that it is given by.
struct NamedSize {
  std::string_view key;
  std::int64_t size;
};

/// Collects the faults of one set of sizes.
class SizeFaults {
 public:
  /// A fault at the key of `size` unless `by` divides it.
  void require_divisible(const NamedSize& size, const NamedSize& by, std::string_view why) {
    const std::int64_t remainder = size.size % by.size;
    if (remainder == 0) return;
    const std::int64_t below = size.size - remainder;
    add(size.key,
        fmt::format("needs {} divisible by {}: {} % {} = {}", size.key, by.key, size.size, by.size,
                    remainder),
        fmt::format("{}, such as {}{}", why, below > 0 ? fmt::format("{} or ", below) : "",
                    below + by.size),
        std::to_string(size.size));
  }

  void add(std::string_view key, std::string what, std::string allowed, std::string value = "") {
    const std::string pointer = fmt::format("/{}", key);
    const bool is_known = std::any_of(faults_.begin(), faults_.end(), [&](const Fault& fault) {
      return fault.pointer == pointer && fault.what == what;
    });
    if (is_known) return;  // of another pairing
    faults_.push_back({.pointer = pointer,
                       .value = std::move(value),
                       .what = std::move(what),
                       .allowed = std::move(allowed)});
  }

  /// An f of 4d that tp does not divide.
  void add_inner(const LayerSizes& sizes, std::string_view why) {
    add("hidden",
        fmt::format("needs 4*hidden divisible by tp: {} % {} = {}", sizes.inner(), sizes.tp,
                    sizes.inner() % sizes.tp),
        std::string(why), std::to_string(sizes.hidden));
  }

  void throw_if_any() const {
    if (!faults_.empty()) throw Error(faults_);
  }

 private:
  std::vector<Fault> faults_;
};

void check_ffn(const LayerSizes& sizes, const Pairing& pairing, SizeFaults& faults) {
  const bool splits_inner =
      pairing.first == WeightSplit::column || pairing.second == WeightSplit::row;
  const bool splits_hidden =
      pairing.first == WeightSplit::row || pairing.second == WeightSplit::column;
  const std::string why = fmt::format("{} splits it over the ranks", name(pairing));
  if (splits_hidden) {
    faults.require_divisible({"hidden", sizes.hidden}, {"tp", sizes.tp}, why);
  }
  if (!splits_inner || sizes.inner() % sizes.tp == 0) return;
  if (sizes.ffn) {
    faults.require_divisible({"ffn", *sizes.ffn}, {"tp", sizes.tp}, why);
  } else if (!splits_hidden) {  // else hidden has its fault already
    faults.add_inner(sizes, why);
  }
}

void check_heads(const LayerSizes& sizes, SizeFaults& faults) {
  if (!sizes.heads) {
    if (sizes.kv_heads) faults.add("kv_heads", "kv_heads without heads", "heads beside it");
    return;
  }
  const NamedSize heads{"heads", *sizes.heads};
  const NamedSize tp{"tp", sizes.tp};
  faults.require_divisible({"hidden", sizes.hidden}, heads, "a head has hidden / heads columns");
  faults.require_divisible(heads, tp, "a head is on one rank");
  if (!sizes.kv_heads) return;
  const NamedSize kv_heads{"kv_heads", *sizes.kv_heads};
  faults.require_divisible(heads, kv_heads, "equally many heads share keys and values");
  if (kv_heads.size >= tp.size) {
    faults.require_divisible(kv_heads, tp, "a head is on one rank");
  } else if (tp.size % kv_heads.size != 0) {
    faults.add("kv_heads",
               fmt::format("needs tp divisible by kv_heads: {} % {} = {}", tp.size, kv_heads.size,
                           tp.size % kv_heads.size),
               "with fewer of them than ranks each is on equally many ranks",
               std::to_string(kv_heads.size));
  }
}

void check_experts(const LayerSizes& sizes, SizeFaults& faults) {
  const auto absent = [&](std::string_view key, bool is_given) {
    if (is_given) faults.add(key, fmt::format("{} without experts", key), "experts beside it");
  };
  if (!sizes.experts) {
    absent("top_k", sizes.top_k.has_value());
    absent("ep", sizes.ep.has_value());
    return;
  }
  const NamedSize experts{"experts", *sizes.experts};
  faults.require_divisible(experts, {"ep", sizes.ep.value_or(1)}, "an expert is on one rank");
  if (sizes.ffn) {
    faults.require_divisible({"ffn", *sizes.ffn}, {"tp", sizes.tp}, kSplitFfn);
  } else if (sizes.inner() % sizes.tp != 0) {
    faults.add_inner(sizes, kSplitFfn);
  }
  const std::int64_t top_k = sizes.top_k.value_or(1);
  if (top_k > experts.size) {
    faults.add("top_k", fmt::format("{} of {} experts", top_k, experts.size),
               fmt::format("at most {}", experts.size));
  }
  const Int128 rows =
      Int128{sizes.batch} * sizes.seq * sizes.top_k.value_or(1) * sizes.ep.value_or(1);
  if (rows > kMostRows) {
    faults.add("experts", fmt::format("batch * seq * top_k * ep is {}", format_int128(rows)),
               fmt::format("at most {}", kMostRows));
  }
  if (sizes.tp > 1 && !sizes.sequence_parallel) {
    faults.add("experts",
               fmt::format("with tp = {} every rank would send the same tokens", sizes.tp),
               "sequence_parallel, so that each sends its own positions; or tp 1");
  }
}

}  // namespace

void check(const LayerSizes& sizes, std::span<const Pairing> pairings) {
  SizeFaults faults;
  const NamedSize tp{"tp", sizes.tp};
  if (!sizes.experts) {
    for (const Pairing& pairing : pairings) check_ffn(sizes, pairing, faults);
  }
  if (sizes.sequence_parallel) {
    faults.require_divisible({"seq", sizes.seq}, tp, "a rank has its slice of the positions");
  }
  if (sizes.vocab) {
    faults.require_divisible({"vocab", *sizes.vocab}, tp,
                             "a rank has its slice of the vocabulary: pad it");
  }
  check_heads(sizes, faults);
  check_experts(sizes, faults);
  faults.throw_if_any();
}

}  // namespace pipesim
