#include "tests/cli/process.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>

#include "tests/places.hpp"

namespace pipesim::test {

TemporaryDirectory::TemporaryDirectory() {
  std::string name = (std::filesystem::temp_directory_path() / "pipesim-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  directory_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string TemporaryDirectory::file(const std::string& name, const std::string& text) const {
  std::ofstream(path(name), std::ios::binary) << text;
  return path(name);
}

std::size_t TemporaryDirectory::entries() const {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(directory_), {}));
}

std::string read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

namespace {

Outcome run(const std::string& directory, const std::string& command, const std::string& input) {
  const TemporaryDirectory streams;
  const std::string whole = "cd '" + directory + "' && export PIPESIM='" + binary() + "' && { " +
                            command + "\n} <'" + streams.file("in", input) + "' >'" +
                            streams.path("out") + "' 2>'" + streams.path("err") + "'";
  const int status = std::system(whole.c_str());
  return {.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1,
          .out = read_file(streams.path("out")),
          .err = read_file(streams.path("err"))};
}

}  // namespace

Outcome run_pipesim(const std::string& arguments, const std::string& input) {
  return run(source_directory(), "\"$PIPESIM\" " + arguments, input);
}

Outcome run_pipesim_in(const TemporaryDirectory& directory, const std::string& arguments,
                       const std::string& input) {
  return run(directory.path(""), "\"$PIPESIM\" " + arguments, input);
}

std::string refusal(const std::string& arguments, const std::string& option) {
  const TemporaryDirectory directory;
  const Outcome outcome =
      run_pipesim(fmt::format("{} {} {}", arguments, option, directory.path("written")));
  CHECK(outcome.exit_code == 2);
  CHECK(outcome.out.empty());
  CHECK(directory.entries() == 0);
  return outcome.err;
}

Outcome shell(const std::string& command) { return run(source_directory(), command, ""); }

}  // namespace pipesim::test
