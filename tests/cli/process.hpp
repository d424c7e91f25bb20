// Runs the pipesim binary as a user does.
#pragma once

#include <filesystem>
#include <string>

namespace pipesim::test {

struct Outcome {
  int exit_code = -1;
  std::string out;
  std::string err;
};

/// A directory of its own for one test, removed at its end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string path(const std::string& name) const { return (directory_ / name).string(); }
  /// Writes a file there and returns its path.
  std::string file(const std::string& name, const std::string& text) const;
  /// How many entries it has.
  std::size_t entries() const;

 private:
  std::filesystem::path directory_;
};

std::string read_file(const std::string& path);

/// Runs `pipesim ARGUMENTS` through the shell, in the project's root, with that standard input.
Outcome run_pipesim(const std::string& arguments, const std::string& input = "");

/// The same in `directory`, so that messages name short paths.
Outcome run_pipesim_in(const TemporaryDirectory& directory, const std::string& arguments,
                       const std::string& input = "");

/// What stands on stderr of `pipesim ARGUMENTS OPTION FILE`; checks that it is refused as bad input
/// with nothing on standard output and no file left.
std::string refusal(const std::string& arguments, const std::string& option);

/// Runs a shell command in the project's root; `$PIPESIM` is the binary.
Outcome shell(const std::string& command);

}  // namespace pipesim::test
