#include <fmt/format.h>

#include <optional>

#include "sim/io/json_text.hpp"
#include "sim/io/shapes_report.hpp"
#include "sim/version.hpp"

namespace pipesim {

namespace {

template <class List, class Write>
std::string array_json(const List& list, Write write) {
  std::string text;
  for (const auto& value : list) {
    text += fmt::format("{}{}", text.empty() ? "" : ", ", write(value));
  }
  return fmt::format("[{}]", text);
}

template <class List, class Write>
std::string lines_json(const List& list, int indent, Write write) {
  std::string text;
  for (const auto& value : list) {
    text += fmt::format("{}\n{:{}}{}", text.empty() ? "" : ",", "", indent, write(value));
  }
  return fmt::format("[{}\n{:{}}]", text, "", indent - 2);
}

std::string sizes_json(const ShapesConfig& config) {
  const LayerSizes& sizes = config.sizes;
  std::string text = fmt::format(
      "\"batch\": {}, \"seq\": {}, \"hidden\": {}, \"tp\": {}, \"dtype\": \"{}\", "
      "\"ffn\": {}",
      sizes.batch, sizes.seq, sizes.hidden, sizes.tp, name(sizes.dtype), sizes.inner());
  const auto add = [&](std::string_view key, const std::optional<std::int64_t>& size) {
    if (size) text += fmt::format(", \"{}\": {}", key, *size);
  };
  add("heads", sizes.heads);
  add("kv_heads", sizes.kv_heads);
  add("vocab", sizes.vocab);
  add("experts", sizes.experts);
  add("top_k", sizes.top_k);
  add("ep", sizes.ep);
  return fmt::format("{{{}, \"sequence_parallel\": {}}}", text, sizes.sequence_parallel);
}

std::string placement_json(const TensorPlacement& placement) {
  switch (placement.kind) {
    case TensorPlacement::Kind::whole:
      return "\"placement\": \"whole\"";
    case TensorPlacement::Kind::partial_sum:
      return "\"placement\": \"partial_sum\"";
    case TensorPlacement::Kind::split:
      break;
  }
  return fmt::format("\"placement\": \"split\", \"along\": {}, \"parts\": {}, \"copies\": {}",
                     json_string(placement.dimension), placement.parts, placement.copies);
}

/// Of a tensor that expert-parallel ranks share too.
std::string over_tp_json(const TensorPlacement& placement) {
  if (placement == whole()) return "";
  return fmt::format(", \"over_tp\": {{{}}}", placement_json(placement));
}

std::string tensor_json(const Tensor& tensor, Dtype dtype) {
  const auto number = [](std::int64_t size) { return std::to_string(size); };
  return fmt::format(
      "{{\"name\": {}, \"role\": {}, \"dimensions\": {}, \"shape\": {}, {}, "
      "\"shape_on_rank\": {}, \"bytes_on_rank\": {}}}",
      json_string(tensor.name), json_string(tensor.role),
      array_json(tensor.dimensions, [](const Dimension& of) { return json_string(of.name); }),
      array_json(tensor.dimensions, [](const Dimension& of) { return std::to_string(of.size); }),
      placement_json(tensor.placement) + over_tp_json(tensor.over_tp),
      array_json(shape_on_rank(tensor), number), format_int128(bytes_on_rank(tensor, dtype).count));
}

std::string communication_json(const LayerCommunication& given) {
  std::string text = fmt::format("{{\"operation\": {}, \"direction\": \"{}\", \"collective\": ",
                                 json_string(given.operation), name(given.direction));
  if (given.collective == Collective::none) {
    text += "null";
  } else {
    const Ratio factor = ring_factor(given.collective, given.ranks);
    text += fmt::format(
        "\"{}\", \"tensor\": {}, \"ranks\": {}, \"elements\": {}, \"bytes\": {}, "
        "\"wire_factor\": \"{}/{}\", \"wire_bytes\": {}, \"once_per_step\": {}",
        name(given.collective), json_string(given.tensor), given.ranks,
        format_int128(given.elements), format_int128(given.bytes.count),
        format_int128(factor.numerator), format_int128(factor.denominator),
        exact_or_rounded(given.wire_bytes), given.once_per_step);
  }
  return text + fmt::format(", \"reason\": {}}}", json_string(given.reason));
}

std::string block_json(const LayerBlock& block, Dtype dtype) {
  return fmt::format(
      "{{\n      \"name\": {},\n      \"tensors\": {},\n      \"communication\": {},\n"
      "      \"wire_bytes\": {{\"forward\": {}, \"backward\": {}}}\n    }}",
      json_string(block.name),
      lines_json(block.tensors, 8, [&](const Tensor& of) { return tensor_json(of, dtype); }),
      lines_json(block.communications, 8, communication_json),
      exact_or_rounded(wire_bytes(block, PassDirection::forward)),
      exact_or_rounded(wire_bytes(block, PassDirection::backward)));
}

}  // namespace

std::string exact_or_rounded(const Ratio& ratio) {
  return ratio.denominator == 1 ? format_int128(ratio.numerator) : format_ratio(ratio);
}

std::string shapes_json(const ShapesConfig& config, std::span<const LayerBlock> blocks) {
  return fmt::format(
      "{{\n  \"schema_version\": 1,\n  \"sizes\": {},\n  \"blocks\": {},\n"
      "  \"pipesim_version\": \"{}\"\n}}\n",
      sizes_json(config),
      lines_json(blocks, 4,
                 [&](const LayerBlock& block) { return block_json(block, config.sizes.dtype); }),
      kVersion);
}

}  // namespace pipesim
