// Runs the pipesim binary as a user at a terminal does.
#pragma once

#include <chrono>
#include <string>

namespace pipesim::test {

struct TerminalOutcome {
  int exit_code = -1;
  std::string bytes;                        ///< all that the terminal got
  std::chrono::duration<double> silence{};  ///< from the start to the first of them
};

/// Runs a shell command on a terminal of its own of that width, in the project's root; `$PIPESIM`
/// is the binary, TERM is xterm. It has one processor, however many there are, so that what takes
/// long takes long everywhere.
TerminalOutcome run_on_terminal(const std::string& command, unsigned short columns = 100);

/// What stands on the screen after those bytes, without the blanks at the ends of lines. Knows of
/// control sequences only "erase to the end of the line", and a line never wraps.
std::string screen(const std::string& bytes);

}  // namespace pipesim::test
