// What the tests of sweeps run, and what they look at.
#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "tests/cli/process.hpp"

namespace pipesim::test {

/// 18 points.
inline const std::string kSweep =
    "sweep -p 4 --t-f 2 --t-b 4 --vary schedule=gpipe,1f1b,interleaved_1f1b --vary m=2:12:2 ";

/// Without their ends.
inline std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) break;
    begin = end + 1;
  }
  return lines;
}

/// Makes of a complete file what a sweep leaves that was interrupted after so many lines. `as` is
/// its --out, if another one.
inline bool interrupt(const TemporaryDirectory& directory, const std::string& file, int lines,
                      const std::string& as = "") {
  const std::string part = (as.empty() ? file : as) + ".part";
  return shell("cd " + directory.path("") + " && head -n " + std::to_string(lines) + " " + file +
               " >" + part + " && sed 's/, .points.: [0-9]*//' " + file + ".sweep >" + part +
               ".sweep" + (as.empty() ? " && rm " + file + " " + file + ".sweep" : ""))
             .exit_code == 0;
}

inline void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace pipesim::test
