#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <vector>

#include "sim/io/shapes_report.hpp"
#include "sim/io/text_table.hpp"

namespace pipesim {

namespace {

std::string with_commas(Int128 number) {
  std::string text = format_int128(number);
  for (std::size_t left = text.size(); left > 3; left -= 3) text.insert(left - 3, ",");
  return text;
}

std::string readable_bytes(const Ratio& bytes) {
  constexpr std::array<std::string_view, 6> kUnits = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  std::size_t unit = 0;
  Ratio value = bytes;
  while (unit + 1 < kUnits.size() && value >= Ratio{1024, 1}) {
    value = product(value, {1, 1024});
    ++unit;
  }
  return fmt::format("{} {}", format_ratio(value, 6), kUnits[unit]);
}

std::string shape_text(const std::vector<std::int64_t>& shape) {
  return fmt::format("{}", fmt::join(shape, "x"));
}

std::string names_text(const std::vector<Dimension>& dimensions) {
  std::string text;
  for (const Dimension& dimension : dimensions) {
    text += fmt::format("{}{}", text.empty() ? "" : ",", dimension.name);
  }
  return fmt::format("[{}]", text);
}

std::string sizes_text(const std::vector<Dimension>& dimensions) {
  std::vector<std::int64_t> shape;
  shape.reserve(dimensions.size());
  for (const Dimension& dimension : dimensions) shape.push_back(dimension.size);
  return shape_text(shape);
}

std::string placement_text(const TensorPlacement& placement) {
  switch (placement.kind) {
    case TensorPlacement::Kind::whole:
      return "whole";
    case TensorPlacement::Kind::partial_sum:
      return "partial sum";
    case TensorPlacement::Kind::split:
      break;
  }
  if (placement.parts == 1) return "whole";
  std::string text = fmt::format("split along {}", placement.dimension);
  if (placement.copies > 1) {
    text += fmt::format(", each part on {} ranks", placement.copies);
  }
  return text;
}

std::string placements_text(const Tensor& tensor) {
  std::string first = placement_text(tensor.placement);
  if (tensor.over_tp == whole()) return first;
  std::string within = placement_text(tensor.over_tp);
  if (first == "whole") return within;
  if (tensor.over_tp.kind == TensorPlacement::Kind::partial_sum) {
    return fmt::format("{} over ep, {} over tp", first, within);
  }
  return fmt::format("{} over ep, along {} over tp", first, tensor.over_tp.dimension);
}

std::string heading(const LayerSizes& sizes) {
  std::string text = fmt::format("B={}  S={}  d={}  f={}  tp={}", sizes.batch, sizes.seq,
                                 sizes.hidden, sizes.inner(), sizes.tp);
  const auto add = [&](std::string_view name, const std::optional<std::int64_t>& size) {
    if (size) text += fmt::format("  {}={}", name, *size);
  };
  add("a", sizes.heads);
  if (sizes.heads) {
    add("g", sizes.kv_heads.value_or(*sizes.heads));
    add("h", sizes.hidden / *sizes.heads);
  }
  add("V", sizes.vocab);
  add("E", sizes.experts);
  if (sizes.experts) {
    add("k", sizes.top_k.value_or(1));
    add("ep", sizes.ep.value_or(1));
  }
  text += fmt::format("  {}\n", name(sizes.dtype));
  if (sizes.heads) text += "a heads of h columns, g of keys and values\n";
  if (sizes.experts) text += "n: the tokens of all ep ranks, once for each of their k experts\n";
  if (sizes.sequence_parallel) {
    text += "sequence parallel: between blocks a rank has its slice of the positions S\n";
  }
  return text;
}

std::string tensors_text(const LayerBlock& block, Dtype dtype) {
  TextTable table("lllrrrl");
  table.add({"  tensor", "", "dimensions", "whole", "on each rank", "bytes there", "placement"});
  for (const Tensor& tensor : block.tensors) {
    table.add({"  " + tensor.name, tensor.role, names_text(tensor.dimensions),
               sizes_text(tensor.dimensions), shape_text(shape_on_rank(tensor)),
               readable_bytes({bytes_on_rank(tensor, dtype).count, 1}), placements_text(tensor)});
  }
  return table.text(0);
}

std::string communication_text(const LayerBlock& block) {
  TextTable table("llllrrrl");
  table.add({"  operation", "direction", "communication", "of", "elements", "bytes",
             "wire per rank", "why"});
  for (const LayerCommunication& given : block.communications) {
    const bool is_none = given.collective == Collective::none;
    table.add({"  " + given.operation, std::string(name(given.direction)),
               std::string(name(given.collective)), given.tensor,
               is_none ? "" : with_commas(given.elements),
               is_none ? "" : readable_bytes({given.bytes.count, 1}),
               is_none ? "" : readable_bytes(given.wire_bytes), given.reason});
  }
  return table.text(0);
}

std::string wire_text(const Ratio& forward, const Ratio& backward) {
  return fmt::format("forward {}, backward {}, together {}", readable_bytes(forward),
                     readable_bytes(backward), readable_bytes(sum(forward, backward)));
}

Ratio wire_of(std::span<const LayerBlock> blocks, PassDirection direction) {
  Ratio total{0, 1};
  for (const LayerBlock& block : blocks) total = sum(total, wire_bytes(block, direction));
  return total;
}

std::string block_text(const LayerBlock& block, Dtype dtype) {
  return fmt::format("\n{}\n{}\n{}\n  wire per rank and microbatch: {}\n", block.name,
                     tensors_text(block, dtype), communication_text(block),
                     wire_text(wire_bytes(block, PassDirection::forward),
                               wire_bytes(block, PassDirection::backward)));
}

std::string collectives_text(const LayerBlock& block, PassDirection direction) {
  std::string text;
  for (const LayerCommunication& given : block.communications) {
    if (given.direction != direction || given.collective == Collective::none) continue;
    if (given.once_per_step) continue;
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", name(given.collective), given.tensor);
  }
  return text.empty() ? "none" : text;
}

/// The FFN of each pairing beside the first.
std::string comparison_text(std::span<const LayerBlock> blocks) {
  const auto wire = [](const LayerBlock& block) {
    return sum(wire_bytes(block, PassDirection::forward),
               wire_bytes(block, PassDirection::backward));
  };
  TextTable table("lllrr");
  table.add({"  FFN", "forward", "backward", "wire per rank", "times the first"});
  const LayerBlock& first = blocks.front();
  for (const LayerBlock& block : blocks) {
    const Ratio least = wire(first);
    const Ratio times = least.numerator == 0
                            ? Ratio{1, 1}
                            : product(wire(block), {least.denominator, least.numerator});
    table.add({"  " + block.name.substr(block.name.find(' ') + 1),
               collectives_text(block, PassDirection::forward),
               collectives_text(block, PassDirection::backward), readable_bytes(wire(block)),
               format_ratio(times, 6)});
  }
  return table.text(0);
}

}  // namespace

std::string shapes_table(const ShapesConfig& config, std::span<const LayerBlock> blocks) {
  std::string text = heading(config.sizes);
  for (const LayerBlock& block : blocks) text += block_text(block, config.sizes.dtype);
  std::vector<LayerBlock> ffn;
  std::copy_if(blocks.begin(), blocks.end(), std::back_inserter(ffn),
               [](const LayerBlock& block) { return block.name.starts_with("FFN"); });
  if (ffn.size() > 1) {
    text += "\n" + comparison_text(ffn);
  } else if (blocks.size() > 1) {
    text += fmt::format("\nall blocks, wire per rank and microbatch: {}\n",
                        wire_text(wire_of(blocks, PassDirection::forward),
                                  wire_of(blocks, PassDirection::backward)));
  }
  return text +
         "\nwire: what a rank sends; 2(P-1)/P of the bytes in a ring all-reduce over P ranks, "
         "(P-1)/P in the others\n";
}

}  // namespace pipesim
