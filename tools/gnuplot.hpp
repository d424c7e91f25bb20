// The program gnuplot, which draws.
#pragma once

#include <string>

namespace pipesim {

/// What gnuplot writes to standard output when it reads `script` from standard input. Start-up
/// files and the user's locale have no part in it, and no file is written. Throws Error (bad input)
/// at `option` if gnuplot cannot be started, fails or writes nothing, with what it says.
std::string run_gnuplot(const std::string& script, const std::string& option);

}  // namespace pipesim
