// What takes how long, drawn.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "sim/io/quantities.hpp"
#include "tests/config_fuzz/random_config.hpp"

namespace pipesim::test {

namespace {

/// Draws t_f and its kin.
class TimeKeys {
 public:
  TimeKeys(QuantityDraws& draws, const ConfigShape& shape, Json& document)
      : draws_(draws), shape_(shape), document_(document) {}

  void fill() {
    const auto any_time = [](QuantityDraws& draws) { return draws.any_time(); };
    document_["t_f"] = draw_spread(draws_, shape_, any_time);
    draw_backward();
    if (draws_.chance(20)) document_["t_fb"] = draw_spread(draws_, shape_, any_time);
    if (draws_.chance(20)) document_["t_r"] = draw_spread(draws_, shape_, any_time);
    for (const char* const end : {"first", "last"}) {
      if (draws_.chance(25)) draw_extra(end);
    }
  }

 private:
  /// t_b and t_w in the same form, so that one is a part of the other wherever they are split.
  void draw_backward() {
    const bool has_weight = shape_.splits() || draws_.chance(30);
    Json backward = Json::array();
    Json weight = Json::array();
    const std::int64_t form = draws_.integer(0, 3);
    const bool is_list = form >= 2;
    for (std::int64_t left = form < 2    ? 1
                             : form == 2 ? shape_.p
                                         : shape_.stages();
         left > 0; --left) {
      const std::int64_t ticks = draws_.ticks();
      backward.push_back(draws_.time(ticks));
      weight.push_back(draws_.time(draws_.ticks_up_to(ticks)));
    }
    document_["t_b"] = is_list ? backward : backward[0];
    if (has_weight) document_["t_w"] = is_list ? weight : weight[0];
  }

  void draw_extra(const char* end) {
    Json extra = Json::object();
    draw_extra(extra);
    document_[end] = extra;
  }

  void draw_extra(Json& extra) {
    const std::int64_t backward = draws_.ticks();
    if (draws_.chance(60)) extra["t_f"] = draws_.any_time();
    if (!draws_.chance(60)) return;
    extra["t_b"] = draws_.time(backward);
    if (!document_.contains("t_w") || draws_.chance(30)) return;
    extra["t_w"] = draws_.time(draws_.ticks_up_to(backward));
  }

  QuantityDraws& draws_;
  const ConfigShape& shape_;
  Json& document_;
};

/// Draws a file of costs.
class CostsFile {
 public:
  CostsFile(QuantityDraws& draws, const ConfigShape& shape) : draws_(draws), shape_(shape) {
    const std::int64_t parts = draws.integer(shape.splits() ? 1 : 0, 4);
    has_backward_ = parts != 3;
    has_input_ = parts >= 2;
    has_weight_ = parts == 1 || parts >= 3;
    has_recompute_ = draws.chance(40);
    by_microbatch_ = draws.chance(50);
  }

  bool by_microbatch() const { return by_microbatch_; }

  std::string text() {
    text_ = by_microbatch_ ? "stage,kind,microbatch,time\n" : "stage,kind,time\n";
    for (std::int64_t stage = 0; stage < shape_.stages(); ++stage) {
      add_stage(stage, "");
      if (!by_microbatch_) continue;
      for (std::int32_t microbatch = 0; microbatch < shape_.m; ++microbatch) {
        if (draws_.chance(30)) add_stage(stage, std::to_string(microbatch));
      }
    }
    return std::move(text_);
  }

 private:
  void add_stage(std::int64_t stage, const std::string& microbatch) {
    const auto add = [&](char kind, std::int64_t ticks) {
      text_ += fmt::format("{},{},{}{}\n", stage, kind, by_microbatch_ ? microbatch + "," : "",
                           draws_.time_field(ticks));
    };
    const std::int64_t backward = draws_.ticks();
    const std::int64_t weight = draws_.ticks_up_to(backward);
    add('F', draws_.ticks(stage > 0));
    if (has_backward_) add('B', backward);
    if (has_input_) add('I', backward - weight);
    if (has_weight_) add('W', weight);
    if (has_recompute_) add('R', draws_.ticks());
  }

  QuantityDraws& draws_;
  const ConfigShape& shape_;
  bool has_backward_ = false;
  bool has_input_ = false;
  bool has_weight_ = false;
  bool has_recompute_ = false;
  bool by_microbatch_ = false;
  std::string text_;
};

void draw_link(QuantityDraws& draws, Json& link) {
  link = Json::object();
  if (draws.chance(70)) link["latency"] = draws.any_time();
  if (draws.chance(60)) link["bandwidth"] = draws.bandwidth();
}

Json draw_latencies(QuantityDraws& draws, const ConfigShape& shape) {
  if (draws.chance(60)) return draws.any_time();
  Json rows = Json::array();
  for (std::int32_t from = 0; from < shape.p; ++from) {
    Json row = Json::array();
    for (std::int32_t to = 0; to < shape.p; ++to) {
      row.push_back(from == to ? Json(0) : draws.any_time());
    }
    rows.push_back(row);
  }
  return rows;
}

/// The slowest bandwidth of the section in bytes a second; 0 if it has none.
std::int64_t slowest(const Json& section) {
  std::int64_t slowest = 0;
  const auto look = [&](const Json& object) {
    if (!object.contains("bandwidth")) return;
    const std::string text = object.at("bandwidth");
    const std::int64_t rate = parse_bandwidth(text).value.value().bits_per_second / 8;
    slowest = slowest == 0 ? rate : std::min(slowest, rate);
  };
  look(section);
  for (const char* const inner : {"intra", "inter", "shared_link"}) {
    if (section.contains(inner)) look(section.at(inner));
  }
  return slowest;
}

}  // namespace

void draw_costs(QuantityDraws& draws, const ConfigShape& shape, const std::string& directory,
                DrawnConfig& config) {
  Json& document = config.document;
  if (draws.chance(80)) {
    TimeKeys(draws, shape, document).fill();
    return;
  }
  CostsFile costs(draws, shape);
  const std::string path = directory + "/costs.csv";
  document["costs"] = path;
  config.files[path] = costs.text();
  if (!costs.by_microbatch() && draws.chance(20)) {
    document["t_fb"] =
        draw_spread(draws, shape, [](QuantityDraws& each) { return each.any_time(); });
  }
}

void draw_p2p(QuantityDraws& draws, const ConfigShape& shape, Json& document) {
  if (!draws.chance(55)) return;
  Json& p2p = document["p2p"] = Json::object();
  const std::string mode =
      draws.pick(std::vector<std::string>{"free", "async", "single_stream", "rendezvous"});
  if (mode != "free" || draws.chance(50)) p2p["mode"] = mode;
  const bool blocks = mode == "single_stream" || mode == "rendezvous";
  if (blocks && draws.chance(40)) {
    p2p["recv_posting"] = draws.chance(60) ? "eager" : "just_in_time";
  }
  if (draws.chance(50)) p2p["devices_per_node"] = draws.count(1, 40);
  const bool has_nodes = p2p.contains("devices_per_node");
  if (has_nodes && draws.chance(60)) {
    if (draws.chance(70)) draw_link(draws, p2p["intra"]);
    if (draws.chance(70)) draw_link(draws, p2p["inter"]);
  } else {
    if (draws.chance(60)) p2p["latency"] = draw_latencies(draws, shape);
    if (draws.chance(40)) p2p["bandwidth"] = draws.bandwidth();
  }
  if (has_nodes && !blocks && draws.chance(40)) {
    p2p["shared_link"] = {{"bandwidth", draws.bandwidth()}};
  }
  // A message takes some seconds at most.
  const std::int64_t rate = slowest(p2p);
  if (rate > 0 && draws.chance(80)) p2p["bytes"] = draws.bytes(draws.byte_count(8 * rate));
}

void draw_iterations(QuantityDraws& draws, const ConfigShape& shape, Json& document) {
  if (!draws.chance(40)) return;
  Json& iterations = document["iterations"] = Json::object();
  if (draws.chance(80)) {
    iterations["count"] = draws.chance(3) && shape.p * shape.m < 40 ? 16 : draws.integer(1, 3);
  }
  if (!shape.flushes()) {
    if (draws.chance(50)) iterations["flush"] = false;
    return;
  }
  if (draws.chance(50)) iterations["flush"] = draws.chance(60);
  const auto any_time = [](QuantityDraws& each) { return each.any_time(); };
  const bool flushes = iterations.value("flush", true);
  const bool has_sync = flushes && draws.chance(50);
  if (has_sync) iterations["grad_sync"] = draw_spread(draws, shape, any_time);
  if (draws.chance(40)) iterations["overlap_grad_sync"] = has_sync && draws.chance(60);
  if (draws.chance(40)) iterations["barrier"] = flushes && draws.chance(60);
  if (!flushes || !draws.chance(40)) return;
  if (draws.chance(50)) {
    iterations["optimizer"] = draws.any_time();
    return;
  }
  Json& optimizer = iterations["optimizer"] = Json::array();
  for (std::int32_t device = 0; device < shape.p; ++device) optimizer.push_back(draws.any_time());
}

void draw_variation(QuantityDraws& draws, const ConfigShape& shape, Json& document) {
  if (!draws.chance(40)) return;
  Json& variation = document["variation"] = Json::object();
  if (draws.chance(25)) {
    Json& scale = variation["microbatch_scale"] = Json::array();
    for (std::int32_t left = shape.m; left > 0; --left) scale.push_back(draws.number(0, 20));
  }
  if (draws.chance(30)) variation["launch_overhead"] = draws.any_time();
  if (draws.chance(25)) {
    Json& stragglers = variation["stragglers"] = Json::array();
    for (std::int64_t left = draws.integer(0, 2); left > 0; --left) {
      Json straggler = {{"device", draws.integer(0, shape.p - 1)}, {"factor", draws.number(1, 20)}};
      const std::int64_t from = draws.chance(60) ? draws.ticks() : 0;
      if (from > 0 || draws.chance(20)) straggler["from"] = draws.time(from);
      if (draws.chance(50)) straggler["to"] = draws.time(from + draws.ticks(false));
      stragglers.push_back(straggler);
    }
  }
  const bool varies = draws.chance(25);
  if (varies) {
    Json jitter = Json::object();
    if (draws.chance(60)) jitter["kind"] = draws.chance(50) ? "lognormal" : "normal";
    jitter["cv"] = draws.number(0, 100);
    variation["jitter"] = jitter;
  }
  if (draws.chance(30)) {
    variation["seed"] =
        draws.chance(20) ? std::int64_t{1} << draws.integer(5, 62) : draws.integer(0, 15);
  }
  if (draws.chance(40)) variation["trials"] = varies ? draws.count(1, 20) : 1;
}

}  // namespace pipesim::test
