// How far a long computation has come, for whoever waits for it.
#pragma once

#include <cstdint>
#include <string_view>
#include <utility>

namespace pipesim {

/// Is told of the work that is being done, in parts within parts. What it does with that changes no
/// result.
class Progress {
 public:
  Progress() = default;
  virtual ~Progress() = default;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// A part begins, inside the one that began last and has not ended. It consists of `total` units
  /// ("tasks"); 0: nobody knows how many.
  virtual void begin(std::string_view what, std::int64_t total, std::string_view unit) = 0;
  /// So many more units are done of the part that began last. Any thread may say so.
  virtual void advance(std::int64_t units) = 0;
  /// The part that began last is over.
  virtual void end() = 0;
};

/// A part of the work, as long as this lives or until finish(). Without a Progress it does nothing.
class Phase {
 public:
  Phase() = default;
  Phase(Progress* progress, std::string_view what, std::int64_t total = 0,
        std::string_view unit = "")
      : progress_(progress) {
    if (progress_) progress_->begin(what, total, unit);
  }
  ~Phase() { finish(); }
  Phase(const Phase&) = delete;
  Phase& operator=(const Phase&) = delete;

  /// As Progress::advance. Requires that no part inside this one is under way.
  void advance(std::int64_t units = 1) const {
    if (progress_) progress_->advance(units);
  }
  void finish() {
    if (progress_) std::exchange(progress_, nullptr)->end();
  }

 private:
  Progress* progress_ = nullptr;
};

}  // namespace pipesim
