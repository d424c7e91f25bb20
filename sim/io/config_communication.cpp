// The section p2p of a config.
#include <fmt/format.h>

#include <array>
#include <limits>

#include "sim/io/config_section_readers.hpp"

namespace pipesim {

namespace {

const std::vector<std::string> kKeys = {"mode",      "latency",          "bytes",
                                        "bandwidth", "devices_per_node", "intra",
                                        "inter",     "recv_posting",     "shared_link"};
const std::vector<std::string> kHopKeys = {"latency", "bandwidth"};
const std::vector<std::string> kSharedKeys = {"bandwidth"};
// In the order of TransferMode and RecvPosting.
const std::vector<std::string> kModes = {"free", "async", "single_stream", "rendezvous"};
const std::vector<std::string> kPostings = {"eager", "just_in_time"};

constexpr IntegerRange kDevicesPerNode = {1, std::numeric_limits<std::int32_t>::max()};

class P2pReader {
 public:
  P2pReader(const SectionContext& context, const ConfigValue& section, bool has_model,
            P2pConfig& p2p)
      : context_(context),
        values_(context.values),
        section_(section),
        has_model_(has_model),
        p2p_(p2p) {}

  void read() {
    if (const auto value = find("mode")) {
      const auto chosen = values_.choice(*value, kModes, alternatives(kModes));
      if (chosen) p2p_.mode = static_cast<TransferMode>(*chosen);
      mode_is_known_ = chosen.has_value();
    }
    if (const auto value = find("recv_posting")) {
      const auto chosen = values_.choice(*value, kPostings, alternatives(kPostings));
      if (chosen) p2p_.recv_posting = static_cast<RecvPosting>(*chosen);
    }
    if (const auto value = find("latency")) read_latency(*value);
    if (const auto value = find("bandwidth")) p2p_.hop.bandwidth = values_.bandwidth(*value);
    if (const auto value = find("bytes")) p2p_.bytes = values_.bytes(*value).value_or(0);
    if (const auto value = find("devices_per_node")) {
      const auto devices = values_.integer(*value, kDevicesPerNode);
      if (devices) p2p_.devices_per_node = static_cast<std::int32_t>(*devices);
    }
    read_hop("intra", p2p_.intra);
    read_hop("inter", p2p_.inter);
    read_shared_link();
    reject_contradictions();
  }

 private:
  std::optional<ConfigValue> find(std::string_view key) const {
    return values_.find(section_, key);
  }

  std::vector<ConfigValue> elements(const ConfigValue& value) const {
    std::vector<ConfigValue> result;
    for (const JsonTree::Id id : values_.tree().children(value.id)) {
      result.push_back({id, child_pointer(value.pointer, std::to_string(result.size()))});
    }
    return result;
  }

  Ticks time(const ConfigValue& value) {
    return values_.time(value, context_.unit).value_or(Ticks{});
  }

  void read_latency(const ConfigValue& value) {
    const JsonTree& tree = values_.tree();
    if (tree.kind(value.id) != JsonKind::array) {
      p2p_.hop.latency = time(value);
      return;
    }
    if (tree.children(value.id).empty()) {
      values_.add_fault(value, "array of 0", "one latency, or a matrix with a row for each sender");
    }
    for (const ConfigValue& row : elements(value)) {
      if (tree.kind(row.id) != JsonKind::array) {
        values_.add_fault(row, tree.described(row.id), "a row of latencies, one for each receiver");
        continue;
      }
      std::vector<Ticks> times;
      for (const ConfigValue& one : elements(row)) {
        times.push_back(time(one));
        const bool is_own = times.size() == p2p_.latencies.size() + 1;
        if (is_own && times.back() != Ticks{}) {
          values_.add_fault(one, "a latency from a device to itself",
                            "0: hops inside a device are free");
        }
      }
      p2p_.latencies.push_back(std::move(times));
    }
  }

  void read_hop(std::string_view key, std::optional<HopConfig>& hop) {
    const auto given = find(key);
    if (!given) return;
    const auto section = values_.object(*given, kHopKeys);
    if (!section) return;
    hop.emplace();
    if (const auto value = values_.find(*section, "latency")) hop->latency = time(*value);
    if (const auto value = values_.find(*section, "bandwidth")) {
      hop->bandwidth = values_.bandwidth(*value);
    }
    for (const char* const top : {"latency", "bandwidth"}) {
      if (find(top)) {
        values_.add_fault(*given, fmt::format("{} beside p2p.{}", key, top),
                          fmt::format("one of the two: p2p.{} is of every hop", top));
      }
    }
    require_nodes(*given, key);
  }

  void require_nodes(const ConfigValue& value, std::string_view key) {
    if (find("devices_per_node")) return;
    values_.add_fault(value, fmt::format("{} without devices_per_node", key),
                      "p2p.devices_per_node, which says where a node ends");
  }

  void read_shared_link() {
    const auto given = find("shared_link");
    if (!given) return;
    const auto section = values_.object(*given, kSharedKeys);
    if (!section) return;
    const auto value = values_.require(*section, "bandwidth", kBandwidthAllowed);
    if (value) p2p_.shared_link = values_.bandwidth(*value);
    require_nodes(*given, "shared_link");
    if (is_blocking()) {
      values_.add_fault(*given, fmt::format("shared_link in the mode {}", mode()),
                        "free or async: the other modes fix the order of transfers");
    }
  }

  bool is_blocking() const {
    return p2p_.mode == TransferMode::single_stream || p2p_.mode == TransferMode::rendezvous;
  }
  const std::string& mode() const { return kModes[static_cast<std::size_t>(p2p_.mode)]; }

  void reject_contradictions() {
    if (const auto value = find("recv_posting"); value && mode_is_known_ && !is_blocking()) {
      values_.add_fault(*value, fmt::format("recv_posting in the mode {}", mode()),
                        "single_stream or rendezvous: elsewhere nothing waits for a receive");
    }
    if (const auto value = find("bytes");
        value && p2p_.bytes > 0 && !any_bandwidth_given() && !has_model_) {
      values_.add_fault(*value, "bytes without a bandwidth",
                        "p2p.bandwidth, or that of intra, inter or shared_link");
    }
  }

  /// Whether one stands there, valid or not: a second fault for the same mistake helps nobody.
  bool any_bandwidth_given() const {
    if (find("bandwidth") || find("shared_link")) return true;
    for (const char* const key : {"intra", "inter"}) {
      const auto hop = find(key);
      if (hop && values_.find(*hop, "bandwidth")) return true;
    }
    return false;
  }

  const SectionContext& context_;
  ConfigValues& values_;
  const ConfigValue& section_;
  bool has_model_;  // its hardware has a bandwidth
  P2pConfig& p2p_;
  bool mode_is_known_ = true;
};

}  // namespace

void read_p2p(const SectionContext& context, const ConfigValue& root, P2pConfig& p2p) {
  const auto given = context.values.find(root, "p2p");
  if (!given) return;
  const auto section = context.values.object(*given, kKeys);
  if (section) P2pReader(context, *section, has_model(context.values, root), p2p).read();
}

}  // namespace pipesim
