// When every op starts, as a walk writes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "sim/stream_state.hpp"

namespace pipesim {

/// The start of every op of every lane, in ticks. Where the lanes had a rhythm, the starts stand as
/// they came, those of all lanes together, since that is the order in which memory is fastest;
/// elsewhere each lane has its own.
class StreamStarts {
 public:
  /// Makes room for as many ops by lane, in the memory that is there already where that is enough.
  /// Requires that none is negative.
  void reset(const std::vector<std::int64_t>& ops);

  std::size_t lanes() const { return lanes_.size(); }
  /// How many ops the lane has.
  std::size_t size(std::size_t lane) const { return lanes_[lane].size; }
  /// The start of the lane's op at a place of its order, from 0. Requires that both exist. Takes
  /// the logarithm of the number of rhythms of the run.
  std::int64_t at(std::size_t lane, std::size_t place) const;

  /// Where the starts of the lane that come one by one go, one after another.
  std::int64_t* singles(std::size_t lane) { return lanes_[lane].singles; }

  /// Makes room for the next starts of all lanes: `lists` times those of a list of ops. `places`
  /// are, by lane, those of its ops in that list, ascending; `states` tell how many single starts
  /// there were before. Returns where the starts of the first list go; the next ones follow.
  std::int64_t* add_lists(std::size_t lists, std::size_t ops,
                          std::vector<std::vector<std::uint32_t>> places,
                          const std::vector<LaneState>& states);

 private:
  /// Ops of a lane that are in lists, and its singles after them.
  struct Part {
    std::size_t first = 0;  ///< place of the first op
    std::size_t size = 0;   ///< in the lists
    const std::int64_t* lists = nullptr;
    std::size_t ops_of_list = 0;
    std::vector<std::uint32_t> places;
    const std::int64_t* singles = nullptr;
  };
  struct Lane {
    std::size_t size = 0;
    std::int64_t* singles = nullptr;
    std::vector<Part> parts;
  };

  /// Memory that is written before it is read.
  class Room {
   public:
    std::int64_t* of(std::size_t size) {
      if (size > size_) {
        values_.reset();  // before the next is there: they need not be there together
        values_ = std::make_unique_for_overwrite<std::int64_t[]>(size);
        size_ = size;
      }
      return values_.get();
    }

   private:
    std::unique_ptr<std::int64_t[]> values_;
    std::size_t size_ = 0;
  };

  std::vector<Lane> lanes_;
  Room singles_;             // for all ops, of which those in lists are never touched
  std::vector<Room> lists_;  // the first used_lists_ are in use
  std::size_t used_lists_ = 0;
};

}  // namespace pipesim
