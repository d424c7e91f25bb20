#include "tests/golden_records.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <stdexcept>
#include <utility>

#include "sim/io/timeline_rows.hpp"
#include "tests/places.hpp"

namespace pipesim::test {

namespace {

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  for (std::size_t end = text.find(separator); end != std::string_view::npos;
       end = text.find(separator, begin)) {
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

Placement placement_of(const GoldenRecord& record) {
  if (record.placement == "v") return v_placement(record.devices);
  if (record.placement == "bidirectional") return bidirectional_placement(record.devices);
  return loop_placement(record.devices, record.stages_per_device);
}

/// Reads lines one after another and tells where it is when something is wrong.
class RecordReader {
 public:
  RecordReader(std::string_view text, const std::string& name)
      : lines_(split(text, '\n')), name_(name) {}

  std::vector<GoldenRecord> read() {
    const std::string_view heading = next_line();
    if (!heading.starts_with("records ")) fail("the first line is not \"records N\"");
    const std::int32_t count = number(heading.substr(heading.find(' ') + 1));
    std::vector<GoldenRecord> records;
    while (at_ + 1 < lines_.size()) {
      if (!next_line().empty()) fail("no empty line before a record");
      records.push_back(read_record(static_cast<int>(records.size()) + 1));
    }
    if (at_ == lines_.size() || !lines_[at_].empty()) fail("the last line has no end");
    if (static_cast<std::int32_t>(records.size()) != count) {
      fail(fmt::format("{} records, not {}", records.size(), count));
    }
    return records;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error(fmt::format("{}:{}: {}", name_, at_, what));
  }

  std::string_view next_line() {
    if (at_ == lines_.size()) fail("the text ends here");
    return lines_[at_++];
  }

  std::int32_t number(std::string_view text) const {
    std::int32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < 0) {
      fail(fmt::format("\"{}\" is no whole number", text));
    }
    return value;
  }

  std::vector<std::int64_t> numbers(std::string_view text) const {
    std::vector<std::int64_t> values;
    for (const std::string_view part : split(text, ',')) values.push_back(number(part));
    return values;
  }

  GoldenRecord read_record(int expected_number) {
    read_heading(next_line(), expected_number);
    GoldenRecord record;
    record.number = expected_number;
    read_shape(record);
    read_costs(record);
    read_results(record);
    if (!fields_.empty()) fail(fmt::format("unknown key \"{}\"", fields_.begin()->first));
    read_lanes(record);
    const bool has_order = !record.order.empty() || !record.sha256.empty();
    if (has_order == !record.rejected.empty()) fail("an order or a rejection, not both");
    if (!has_order) return record;
    if (record.costs.empty()) fail("no costs");
    if (!record.makespan && !record.span) fail("neither makespan nor span");
    return record;
  }

  /// "record 1 p=2 m=2 ..." into fields_.
  void read_heading(std::string_view line, int expected_number) {
    const auto words = split(line, ' ');
    if (words.size() < 2 || words[0] != "record" || number(words[1]) != expected_number) {
      fail(fmt::format("not record {}", expected_number));
    }
    fields_.clear();
    for (std::size_t i = 2; i < words.size(); ++i) {
      const std::size_t middle = words[i].find('=');
      if (middle == std::string_view::npos) fail(fmt::format("\"{}\" is no key=value", words[i]));
      if (!fields_.emplace(words[i].substr(0, middle), words[i].substr(middle + 1)).second) {
        fail(fmt::format("\"{}\" twice", words[i].substr(0, middle)));
      }
    }
  }

  /// The value of a key, which is then done with.
  std::optional<std::string_view> take(std::string_view key) {
    const auto found = fields_.find(key);
    if (found == fields_.end()) return std::nullopt;
    const std::string_view value = found->second;
    fields_.erase(found);
    return value;
  }

  std::optional<std::int64_t> take_number(std::string_view key) {
    const auto text = take(key);
    return text ? std::optional<std::int64_t>(number(*text)) : std::nullopt;
  }

  std::optional<Ticks> take_ticks(std::string_view key) {
    const auto ticks = take_number(key);
    return ticks ? std::optional(Ticks{*ticks}) : std::nullopt;
  }

  void read_shape(GoldenRecord& record) {
    record.devices = static_cast<std::int32_t>(take_number("p").value_or(0));
    record.microbatches = static_cast<std::int32_t>(take_number("m").value_or(0));
    record.stages_per_device = static_cast<int>(take_number("v").value_or(1));
    if (record.devices < 1 || record.microbatches < 1 || record.stages_per_device < 1) {
      fail("p, m and v are at least 1");
    }
    record.group = take_number("group");
    record.rule = take("rule").value_or("");
    record.placement = take("placement").value_or("loop");
    const bool known = record.placement == "loop" ||
                       (record.placement == "v" && record.stages_per_device == 2) ||
                       (record.placement == "bidirectional" && record.stages_per_device == 1);
    if (!known) fail(fmt::format("placement \"{}\"", record.placement));
  }

  /// One value for every stage, or one for all.
  std::vector<std::int64_t> take_times(std::string_view key, std::size_t stages) {
    const auto text = take(key);
    if (!text) return {};
    std::vector<std::int64_t> values = numbers(*text);
    if (values.size() == 1) values.assign(stages, values.front());
    if (values.size() != stages) fail(fmt::format("{} has {} values", key, values.size()));
    return values;
  }

  void read_costs(GoldenRecord& record) {
    const auto stages = static_cast<std::size_t>(placement_of(record).stages());
    const auto forward = take_times("f", stages);
    const auto backward = take_times("b", stages);
    const auto weight = take_times("w", stages);
    const auto fused = take_times("fb", stages);
    record.latency = take_ticks("c").value_or(Ticks{0});
    if (forward.empty() != backward.empty()) fail("f and b belong together");
    for (std::size_t s = 0; s < forward.size(); ++s) {
      StageCosts costs{.forward = Ticks{forward[s]}, .backward = Ticks{backward[s]}};
      if (!weight.empty()) costs.weight = Ticks{weight[s]};
      if (!fused.empty()) costs.fused = Ticks{fused[s]};
      record.costs.push_back(costs);
    }
  }

  std::vector<std::int64_t> take_by_device(std::string_view key, const GoldenRecord& record) {
    const auto text = take(key);
    if (!text) return {};
    std::vector<std::int64_t> values = numbers(*text);
    if (values.size() != static_cast<std::size_t>(record.devices)) {
      fail(fmt::format("{} has {} values", key, values.size()));
    }
    return values;
  }

  void read_results(GoldenRecord& record) {
    record.limit = take_number("limit");
    record.makespan = take_ticks("makespan");
    record.span = take_ticks("span");
    record.peak = take_by_device("peak", record);
    record.peak_memory = take_by_device("peak_memory", record);
    const std::string_view optimum = take("optimum").value_or("proven");
    if (optimum != "proven" && optimum != "unproven") fail(fmt::format("optimum \"{}\"", optimum));
    record.optimum_proven = optimum == "proven";
    record.sha256 = take("sha256").value_or("");
    if (!record.sha256.empty() && record.sha256.size() != 64) fail("sha256 has not 64 digits");
  }

  void read_lanes(GoldenRecord& record) {
    constexpr std::string_view kRejected = "rejected ";
    if (at_ < lines_.size() && lines_[at_].starts_with(kRejected)) {
      record.rejected = next_line().substr(kRejected.size());
      return;
    }
    if (!record.sha256.empty()) return;
    for (int device = 0; device < record.devices; ++device) {
      std::vector<Step> lane;
      for (const std::string_view token : split(next_line(), ' ')) {
        const auto step = parse_step(token);
        if (!step) fail(fmt::format("device {}: \"{}\" is no step", device, token));
        lane.push_back(*step);
      }
      record.order.push_back(std::move(lane));
    }
  }

  std::vector<std::string_view> lines_;
  std::string name_;
  std::size_t at_ = 0;  // the next line, which is the number of the one just read
  std::map<std::string_view, std::string_view> fields_;
};

}  // namespace

std::vector<GoldenRecord> parse_golden_records(std::string_view text, const std::string& name) {
  return RecordReader(text, name).read();
}

std::vector<GoldenRecord> golden_records(const std::string& name) {
  const auto path =
      std::filesystem::path(source_directory()) / "tests/golden/records" / (name + ".txt");
  std::ifstream stream(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  return parse_golden_records(text, path.filename().string());
}

Problem problem_of(const GoldenRecord& record) {
  Problem problem;
  problem.devices = record.devices;
  problem.microbatches = record.microbatches;
  problem.placement = placement_of(record);
  problem.costs = record.costs;
  problem.communication.intra.latency = record.latency;
  problem.communication.inter.latency = record.latency;
  problem.memory.units_per_microbatch = kUnitsPerActivation * record.stages_per_device;
  problem.memory.stages.assign(record.costs.size(), {.activation = 2, .kept_for_weight = 1});
  problem.memory.limit = record.limit;
  return problem;
}

StepOrders unrolled(const Program& program) {
  StepOrders order;
  for (const LaneOrder& items : program.lanes) {
    std::vector<Step>& lane = order.emplace_back();
    for (StepCursor cursor(items); !cursor.done(); cursor.advance()) lane.push_back(cursor.step());
  }
  return order;
}

std::string order_text(const StepOrders& order) {
  std::string text;
  for (std::size_t device = 0; device < order.size(); ++device) {
    if (device > 0) text += '\n';
    for (std::size_t i = 0; i < order[device].size(); ++i) {
      if (i > 0) text += ',';
      text += token(order[device][i]);
    }
  }
  return text;
}

std::string sha256(std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (EVP_Digest(text.data(), text.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("no SHA-256");
  }
  std::string digits;
  for (unsigned i = 0; i < size; ++i) digits += fmt::format("{:02x}", digest[i]);
  return digits;
}

}  // namespace pipesim::test
