// What is to be trained, on what, and what it takes of memory, drawn.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tests/config_fuzz/random_config.hpp"

namespace pipesim::test {

namespace {

class ModelDraw {
 public:
  ModelDraw(QuantityDraws& draws, const ConfigShape& shape, Json& document)
      : draws_(draws), shape_(shape), document_(document) {}

  void fill() {
    draw_parallel();
    draw_sizes();
    draw_layers();
    draw_kinds();
    draw_hardware();
    if (draws_.chance(15)) {
      document_["t_fb"] =
          draw_spread(draws_, shape_, [](QuantityDraws& each) { return each.any_time(); });
    }
  }

 private:
  Json& model() { return document_["model"]; }

  void draw_parallel() {
    if (!draws_.chance(70)) return;
    Json& parallel = document_["parallel"] = Json::object();
    const std::int64_t ranks = draws_.count(1, 32);
    if (draws_.chance(60)) parallel["tp"] = tp_ = ranks;
    if (draws_.chance(50)) parallel["sp"] = sp_ = tp_ > 1 && draws_.chance(70);
    const bool may_have_experts = tp_ == 1 || sp_;
    if (draws_.chance(50)) parallel["ep"] = ep_ = may_have_experts ? draws_.count(1, 20) : 1;
    if (ep_ > 1 || draws_.chance(60)) parallel["dp"] = ep_ * draws_.count(1, 20);
    if (draws_.chance(40)) parallel["tp_overlap"] = draws_.number(0, 1);
  }

  void draw_sizes() {
    // One of a kind now and then, else some of them, in parts for each rank.
    const std::int64_t groups = draws_.count(1, 16);
    const std::int64_t heads = tp_ * groups;
    model() = {{"layers", 1},
               {"hidden", heads * draws_.pick(std::vector<int>{1, 1, 8, 64, 128})},
               {"heads", heads},
               {"vocab", tp_ * draws_.pick(std::vector<int>{1, 2, 8, 1000})},
               {"seq", tp_ * draws_.pick(std::vector<int>{1, 2, 8, 1024})}};
    if (draws_.chance(40)) model()["kv_heads"] = draws_.chance(50) ? tp_ : heads;
    if (draws_.chance(40)) model()["ffn"] = tp_ * draws_.count(1, 4096);
    if (draws_.chance(40)) model()["microbatch"] = draws_.count(1, 64);
    const bool may_have_experts = tp_ == 1 || sp_;
    std::int64_t experts = ep_;
    if (may_have_experts && draws_.chance(40)) experts *= draws_.count(1, 20);
    if (experts > 1 || draws_.chance(20)) model()["experts"] = experts;
    if (draws_.chance(40))
      model()["top_k"] = draws_.integer(draws_.chance(50) ? 1 : experts, experts);
  }

  std::int64_t layers_of_stage() { return draws_.chance(10) ? 16 : draws_.integer(0, 3); }

  void draw_layers() {
    const std::int64_t stages = shape_.stages();
    const std::int64_t form = draws_.integer(0, 3);
    if (form == 0) {
      model()["layers"] = stages * draws_.integer(1, 3);
      return;
    }
    if (form == 1) {
      model()["layers"] = "balance";
      model()["layer_count"] = stages == 1 && draws_.chance(50) ? 1 : stages + draws_.integer(0, 8);
      return;
    }
    std::vector<std::int64_t> layers;
    std::int64_t all = 0;
    for (std::int64_t stage = 0; stage < stages; ++stage) {
      layers.push_back(layers_of_stage());
      all += layers.back();
    }
    if (all == 0) all = layers.back() = 1;
    model()["layers"] = form == 2 ? Json(layers) : Json(layout(layers));
    if (draws_.chance(40)) model()["layer_count"] = all;
  }

  std::string layout(const std::vector<std::int64_t>& layers) {
    std::string text = "E";
    for (std::size_t stage = 0; stage < layers.size(); ++stage) {
      if (stage > 0) text += draws_.chance(20) ? ",|" : "|";
      const std::int64_t count = layers[stage];
      if (count > 0 && draws_.chance(50)) {
        text += fmt::format("t*{}", count);
      } else {
        text.append(static_cast<std::size_t>(count), 't');
      }
    }
    return text + "L";
  }

  void draw_kinds() {
    const auto choose = [&](const char* key, const std::vector<std::string>& names) {
      if (draws_.chance(40)) model()[key] = draws_.pick(names);
    };
    choose("activation", {"gelu", "swiglu"});
    choose("normalization", {"layernorm", "rmsnorm"});
    choose("positions", {"learned", "rotary"});
    choose("dtype", {"fp32", "bf16", "fp16", "fp8"});
    if (draws_.chance(40)) model()["bias"] = draws_.chance(50);
    if (draws_.chance(40)) model()["tied_embeddings"] = draws_.chance(50);
    if (shape_.splits()) {
      choose("recompute", {"none", "selective"});
    } else {
      choose("recompute", {"none", "selective", "full"});
    }
  }

  void draw_hardware() {
    Json& hardware = document_["hardware"] = {{"achievable", draws_.number(0, 1)}};
    if (hardware["achievable"] == 0) hardware["achievable"] = 1;
    const bool has_preset = draws_.chance(60);
    if (has_preset) {
      hardware["preset"] =
          draws_.pick(std::vector<std::string>{"a100_80gb", "h100_sxm", "h200", "b200"});
    }
    const bool is_fp8 = model().value("dtype", "bf16") == "fp8";  // not all presets have it
    if (!has_preset || is_fp8 || draws_.chance(30)) hardware["peak_flops"] = draws_.flop_rate();
    if (!has_preset || draws_.chance(30)) hardware["memory_bandwidth"] = draws_.fast_bandwidth();
    for (const char* const key : {"intra", "inter"}) {
      if (has_preset && draws_.chance(60)) continue;
      Json& link = hardware[key] = Json::object();
      if (draws_.chance(60)) link["latency"] = draws_.any_time();
      if (!has_preset || draws_.chance(60)) link["bandwidth"] = draws_.fast_bandwidth();
    }
    if (draws_.chance(40)) hardware["devices_per_node"] = draws_.count(1, 40);
  }

  QuantityDraws& draws_;
  const ConfigShape& shape_;
  Json& document_;
  std::int64_t tp_ = 1;
  std::int64_t ep_ = 1;
  bool sp_ = false;
};

/// Bytes of devices or stages, and parts of them in the same form.
class MemoryDraw {
 public:
  MemoryDraw(QuantityDraws& draws, const ConfigShape& shape, Json& memory)
      : draws_(draws), memory_(memory), form_(draws.integer(0, 3)) {
    values_ = form_ < 2 ? 1 : form_ == 2 ? shape.p : shape.stages();
    stages_ = shape.stages();
    m_ = shape.m;
  }

  void fill(bool has_model) {
    if (!has_model || draws_.chance(40)) {
      Json part = Json::array();
      draw("activation", [&](std::int64_t bytes) {
        part.push_back(draws_.bytes(draws_.integer(0, 4) * (bytes / 4)));
      });
      if (draws_.chance(50)) memory_["activation_w"] = form_ < 2 ? part[0] : part;
    }
    if (draws_.chance(50)) draw("parameters", [](std::int64_t) {});
    if (draws_.chance(50)) draw("optimizer", [](std::int64_t) {});
    if (!draws_.chance(50)) return;
    const bool is_ample = has_model || draws_.chance(30);
    const std::int64_t need =
        is_ample ? std::int64_t{1} << (has_model ? 52 : 45) : sum_ * draws_.integer(1, m_);
    memory_["limit"] = draws_.bytes_text(std::max<std::int64_t>(1, need));
  }

 private:
  void draw(const char* key, const std::function<void(std::int64_t)>& use) {
    Json values = Json::array();
    std::int64_t largest = 0;
    for (std::int64_t left = values_; left > 0; --left) {
      const std::int64_t bytes = draws_.byte_count(std::int64_t{1} << 44);
      largest = std::max(largest, bytes);
      values.push_back(draws_.bytes(bytes));
      use(bytes);
    }
    memory_[key] = form_ < 2 ? values[0] : values;
    sum_ += form_ < 3 ? largest : largest * stages_;
  }

  QuantityDraws& draws_;
  Json& memory_;
  std::int64_t form_;
  std::int64_t values_ = 0;
  std::int64_t stages_ = 0;
  std::int64_t m_ = 0;
  std::int64_t sum_ = 0;  // what a device needs at most for one microbatch
};

}  // namespace

void draw_model(QuantityDraws& draws, const ConfigShape& shape, Json& document) {
  ModelDraw(draws, shape, document).fill();
}

void draw_memory(QuantityDraws& draws, const ConfigShape& shape, Json& document) {
  if (!draws.chance(45)) return;
  Json& memory = document["memory"] = Json::object();
  const bool has_model = document.contains("model");
  if (has_model || draws.chance(60)) {
    MemoryDraw(draws, shape, memory).fill(has_model);
    return;
  }
  if (!draws.chance(85)) return;
  Json limit = draws.number(1, 40);
  // A schedule's own limit must be the same.
  const auto own = integer(shape.parameters, "limit");
  if (own && draws.chance(80)) limit = *own;
  memory["limit"] = limit;
}

}  // namespace pipesim::test
