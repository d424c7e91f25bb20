#include "sim/io/trace_window.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

namespace pipesim {

namespace {

bool contains(const std::vector<IndexRange>& ranges, std::int32_t index) {
  return ranges.empty() ||
         std::any_of(ranges.begin(), ranges.end(),
                     [index](const IndexRange& range) { return range.contains(index); });
}

class WindowParser {
 public:
  WindowParser(TimeUnit unit, const WindowFaults& faults) : unit_(unit), faults_(faults) {}

  // A piece without "=" goes on with the list before it.
  TraceWindow parse(std::string_view text) {
    Part list{};
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      const std::string_view piece = text.substr(begin, end - begin);
      const std::size_t equals = piece.find('=');
      if (equals == std::string_view::npos && list.ranges != nullptr) {
        add_range(list, piece);
      } else {
        list = read_part(piece.substr(0, equals), equals == std::string_view::npos
                                                      ? std::nullopt
                                                      : std::optional(piece.substr(equals + 1)));
      }
      begin = end + 1;
    }
    const Ticks from = window_.from.value_or(Ticks{0});
    if (window_.to && *window_.to <= from) {
      fail(fmt::format("to={} does not lie behind from", shown_time(*window_.to, unit_)),
           fmt::format("more than {}", shown_time(from, unit_)));
    }
    return std::move(window_);
  }

 private:
  /// A list that further pieces belong to.
  struct Part {
    std::string_view one;  // "device"
    std::vector<IndexRange>* ranges = nullptr;
  };

  Part read_part(std::string_view key, std::optional<std::string_view> value) {
    static const std::vector<std::string> kKeys = {"from", "to", "microbatches", "devices"};
    const auto found = std::find(kKeys.begin(), kKeys.end(), key);
    if (found == kKeys.end() || !value) {
      const bool is_known = found != kKeys.end();
      fail(fmt::format("\"{}\" {}", key, is_known ? "has no value" : "is no part of a window"),
           "from=TIME, to=TIME, microbatches=LIST and devices=LIST, such as from=1ms,devices=0,2-5",
           is_known ? "" : nearest_name(key, kKeys));
      return {};
    }
    const auto index = static_cast<std::size_t>(found - kKeys.begin());
    if (std::exchange(given_[index], true)) {
      fail(fmt::format("\"{}\" stands there twice", key), "each part once");
    }
    if (key == "from" || key == "to") {
      (key == "from" ? window_.from : window_.to) = time(*value);
      return {};
    }
    const Part list = key == "devices" ? Part{"device", &window_.devices}
                                       : Part{"microbatch", &window_.microbatches};
    add_range(list, *value);
    return list;
  }

  std::optional<Ticks> time(std::string_view text) {
    const ParsedTime parsed = parse_view_time(text, unit_);
    if (parsed.fault) {
      fail(fmt::format("\"{}\" is no time of a run", text), view_time_allowed(unit_));
    }
    return parsed.ticks;
  }

  void add_range(const Part& list, std::string_view text) {
    const auto range = parse_index_range(text);
    if (range) {
      list.ranges->push_back(*range);
    } else {
      fail(fmt::format("\"{}\" is neither a {} nor a range", text, list.one),
           "numbers and ranges of them: 0,2-5");
    }
  }

  void fail(std::string what, std::string allowed, std::string nearest = "") {
    faults_(
        {.what = std::move(what), .allowed = std::move(allowed), .nearest = std::move(nearest)});
  }

  TimeUnit unit_;
  const WindowFaults& faults_;
  std::array<bool, 4> given_{};
  TraceWindow window_;
};

void add_fault(std::vector<Fault>& faults, std::optional<Fault> fault) {
  if (!fault) return;
  fault->pointer = "/output/trace_window";
  faults.push_back(*std::move(fault));
}

void throw_any(std::vector<Fault> faults) {
  if (!faults.empty()) throw Error(std::move(faults));
}

/// The highest number of the lists; -1 if there is none.
std::int32_t highest(const std::vector<IndexRange>& ranges) {
  std::int32_t last = -1;
  for (const IndexRange& range : ranges) last = std::max(last, range.last);
  return last;
}

}  // namespace

bool TraceWindow::shows(Device device) const { return contains(devices, device.value); }

bool TraceWindow::shows(const Span& span, std::int32_t slices) const {
  if (to && span.start >= *to) return false;
  if (from && (span.end < *from || (span.end == *from && span.start < span.end))) return false;
  if (microbatches.empty()) return true;
  const auto is_among = [&](const Op& op) {
    return (is_ordered(op.kind) || is_send(op.kind)) &&
           contains(microbatches, op.microbatch.value / slices);
  };
  return is_among(span.op) || (span.overlapped && is_among(*span.overlapped));
}

TraceWindow parse_trace_window(std::string_view text, TimeUnit unit, const WindowFaults& faults) {
  return WindowParser(unit, faults).parse(text);
}

void require_window(const TraceWindow& window, const Problem& problem) {
  std::vector<Fault> faults;
  add_fault(faults,
            index_fault(highest(window.microbatches), "microbatch", problem.whole_microbatches()));
  add_fault(faults, index_fault(highest(window.devices), "device", problem.devices));
  throw_any(std::move(faults));
}

void require_window(const TraceWindow& window, Ticks t_total, TimeUnit unit) {
  std::vector<Fault> faults;
  if (window.from) add_fault(faults, begin_fault(*window.from, t_total, unit));
  if (window.to) add_fault(faults, end_fault(*window.to, t_total, unit));
  throw_any(std::move(faults));
}

}  // namespace pipesim
