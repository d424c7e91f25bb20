#include "sim/stream_starts.hpp"

#include <algorithm>
#include <numeric>
#include <utility>

namespace pipesim {

void StreamStarts::reset(const std::vector<std::int64_t>& ops) {
  used_lists_ = 0;
  lanes_.resize(ops.size());
  const std::int64_t all = std::accumulate(ops.begin(), ops.end(), std::int64_t{0});
  std::int64_t* next = singles_.of(static_cast<std::size_t>(all));
  for (std::size_t lane = 0; lane < ops.size(); ++lane) {
    lanes_[lane].size = static_cast<std::size_t>(ops[lane]);
    lanes_[lane].singles = next;
    lanes_[lane].parts.clear();
    lanes_[lane].parts.push_back({.places = {}, .singles = next});
    next += ops[lane];
  }
}

std::int64_t StreamStarts::at(std::size_t lane, std::size_t place) const {
  const std::vector<Part>& parts = lanes_[lane].parts;
  const Part& part = *std::prev(
      std::upper_bound(parts.begin(), parts.end(), place,
                       [](std::size_t at, const Part& each) { return at < each.first; }));
  const std::size_t within = place - part.first;
  if (within >= part.size) return part.singles[within - part.size];
  const std::size_t list = within / part.places.size();
  return part.lists[list * part.ops_of_list + part.places[within % part.places.size()]];
}

std::int64_t* StreamStarts::add_lists(std::size_t lists, std::size_t ops,
                                      std::vector<std::vector<std::uint32_t>> places,
                                      const std::vector<LaneState>& states) {
  if (used_lists_ == lists_.size()) lists_.emplace_back();
  std::int64_t* const first = lists_[used_lists_++].of(lists * ops);
  for (std::size_t i = 0; i < lanes_.size(); ++i) {
    if (places[i].empty()) continue;
    std::vector<Part>& parts = lanes_[i].parts;
    const Part& last = parts.back();
    const std::int64_t* const singles = states[i].starts;
    const std::size_t begin =
        last.first + last.size + static_cast<std::size_t>(singles - last.singles);
    parts.push_back({.first = begin,
                     .size = lists * places[i].size(),
                     .lists = first,
                     .ops_of_list = ops,
                     .places = std::move(places[i]),
                     .singles = singles});
  }
  return first;
}

}  // namespace pipesim
