// A large trace as a streaming parser reads it back, whole.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sim/units.hpp"
#include "tests/cli/process.hpp"
#include "tests/places.hpp"

using namespace pipesim;

namespace {

/// Checks a trace event by event and counts its phases.
class TraceReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  std::map<std::string, std::int64_t> events;  // by phase
  std::int64_t wrong_slices = 0;               // that begin before the one before them ends
  std::int64_t wrong_arrows = 0;               // ends of which there are two
  std::string fault;

  /// Arrows of which only one end was read.
  std::int64_t open_arrows() const {
    std::int64_t open = 0;
    for (const std::uint8_t ends : arrow_ends_) open += ends == kLeaves || ends == kEnters ? 1 : 0;
    return open;
  }

  bool null() override { return true; }
  bool boolean(bool /*value*/) override { return true; }
  bool binary(binary_t& /*value*/) override { return true; }
  bool number_integer(number_integer_t /*value*/) override { return false; }
  bool number_unsigned(number_unsigned_t value) override {
    const auto number = static_cast<std::int64_t>(value);
    if (depth_ != kEvent) return true;
    if (key_ == "pid") track_.first = number;
    if (key_ == "tid") track_.second = number;
    if (key_ == "id") id_ = value;
    return set_time(Ticks{number} * 1'000'000);
  }
  bool number_float(number_float_t /*value*/, const string_t& text) override {
    const ParsedTime parsed = parse_time(text, TimeUnit::us);
    return depth_ == kEvent && parsed.ticks && set_time(*parsed.ticks);
  }
  bool string(string_t& text) override {
    if (depth_ == kEvent && key_ == "ph") phase_ = text;
    return true;
  }
  bool key(string_t& text) override {
    if (depth_ == kEvent) key_ = text;
    return true;
  }
  bool start_object(std::size_t /*size*/) override {
    ++depth_;
    return true;
  }
  bool end_object() override {
    if (depth_-- == kEvent) end_event();
    return true;
  }
  bool start_array(std::size_t /*size*/) override {
    ++depth_;
    return true;
  }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool parse_error(std::size_t position, const std::string& token,
                   const nlohmann::detail::exception& error) override {
    fault = fmt::format("{} at {}: {}", token, position, error.what());
    return false;
  }

 private:
  static constexpr int kEvent = 3;  // in an array in an object
  static constexpr std::uint8_t kLeaves = 1;
  static constexpr std::uint8_t kEnters = 2;

  bool set_time(Ticks time) {
    if (key_ == "ts") start_ = time;
    if (key_ == "dur") duration_ = time;
    return true;
  }

  void end_event() {
    ++events[phase_];
    if (phase_ == "X") {
      Ticks& end = ends_[track_];
      if (start_ < end || duration_ <= Ticks{0}) ++wrong_slices;
      end = start_ + duration_;
    }
    if (phase_ == "s" || phase_ == "f") {
      if (id_ >= arrow_ends_.size()) arrow_ends_.resize(2 * id_ + 1);
      const std::uint8_t end = phase_ == "s" ? kLeaves : kEnters;
      if ((arrow_ends_[id_] & end) != 0) ++wrong_arrows;
      arrow_ends_[id_] = static_cast<std::uint8_t>(arrow_ends_[id_] | end);
    }
  }

  int depth_ = 0;
  std::string key_;
  std::string phase_;
  std::pair<std::int64_t, std::int64_t> track_;
  std::uint64_t id_ = 0;
  Ticks start_;
  Ticks duration_;
  std::map<std::pair<std::int64_t, std::int64_t>, Ticks> ends_;  // by pid and tid
  std::vector<std::uint8_t> arrow_ends_;                         // by id
};

}  // namespace

TEST_SUITE("slow") {
  TEST_CASE("ten million events are read back whole") {
#ifdef NDEBUG
    constexpr std::int64_t kMicrobatches = 357'143;
#else
    constexpr std::int64_t kMicrobatches = 7'143;
#endif
    const std::string command = fmt::format(
        "{} -p 4 -m {} --t-f 2 --t-b 4.000001 --schedule gpipe --quiet --format csv "
        "--output /dev/null --trace /dev/stdout",
        test::binary(), kMicrobatches);
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(::popen(command.c_str(), "r"),
                                                               ::pclose);
    REQUIRE(pipe);
    TraceReader reader;
    CHECK(nlohmann::json::sax_parse(pipe.get(), &reader));
    CHECK(reader.fault == "");
    // A forward and a backward on each of 4 devices, arrows across 3 boundaries in both
    // directions, and every op changes what its device holds; three devices hold nothing at first.
    CHECK(reader.events == std::map<std::string, std::int64_t>{{"M", 12},
                                                               {"X", 8 * kMicrobatches},
                                                               {"s", 6 * kMicrobatches},
                                                               {"f", 6 * kMicrobatches},
                                                               {"C", 8 * kMicrobatches + 3}});
    CHECK(reader.wrong_slices == 0);
    CHECK(reader.wrong_arrows == 0);
    CHECK(reader.open_arrows() == 0);
  }

#ifdef NDEBUG
  TEST_CASE("a trace that grows too large is given up, and nothing is left of it") {
    const test::TemporaryDirectory directory;
    const test::Outcome outcome = test::run_pipesim_in(
        directory, "-p 4 -m 900000 --t-f 2 --t-b 4 --schedule gpipe --trace t.json.gz");
    CHECK(outcome.exit_code == 2);
    CHECK(outcome.out == "");
    CHECK(directory.entries() == 0);
    CHECK(outcome.err ==
          "command line: --trace: /output/trace: a trace of about 3.0 GB is too large for "
          "viewers; at most 2.0 GB: --trace-window from=TIME,to=TIME writes a part\n");
  }
#endif
}
