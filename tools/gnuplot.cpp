#include "tools/gnuplot.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

#include "sim/error.hpp"

namespace pipesim {

namespace {

[[noreturn]] void fail(const std::string& option, std::string what, std::string allowed = "") {
  throw Error(Fault{
      .place = "command line: " + option, .what = std::move(what), .allowed = std::move(allowed)});
}

/// An end of a pipe.
class Descriptor {
 public:
  explicit Descriptor(int number) : number_(number) {}
  ~Descriptor() { close(); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int number() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  void close() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
  }

 private:
  int number_;
};

/// Both ends are closed in a program that is started, but for what it is given of them.
struct Pipe {
  explicit Pipe(const std::string& option) : Pipe(opened(option)) {}

  Descriptor out;
  Descriptor in;

 private:
  explicit Pipe(std::array<int, 2> ends) : out(ends[0]), in(ends[1]) {}
  static std::array<int, 2> opened(const std::string& option) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      fail(option, std::string("no pipe: ") + std::strerror(errno));
    return ends;
  }
};

/// gnuplot, from its start until it has ended.
class Gnuplot {
 public:
  explicit Gnuplot(const std::string& option)
      : option_(option), input_(option), output_(option), errors_(option) {
    start();
    input_.out.close();
    output_.in.close();
    errors_.in.close();
    ::fcntl(input_.in.number(), F_SETFL, O_NONBLOCK);
  }

  /// Writes and reads side by side, because each side may wait for the other.
  void talk(std::string_view script) {
    while (input_.in.is_open() || output_.out.is_open() || errors_.out.is_open()) {
      std::array<pollfd, 3> ends = {pollfd{input_.in.number(), POLLOUT, 0},
                                    pollfd{output_.out.number(), POLLIN, 0},
                                    pollfd{errors_.out.number(), POLLIN, 0}};
      if (::poll(ends.data(), ends.size(), -1) < 0 && errno != EINTR) {
        fail(option_, std::string("gnuplot cannot be read: ") + std::strerror(errno));
      }
      if (ends[0].revents != 0) write_some(script);
      if (ends[1].revents != 0) read_some(output_.out, written_);
      if (ends[2].revents != 0) read_some(errors_.out, said_);
    }
  }

  std::string finish() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) {
    }
    const bool is_done = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (is_done && !written_.empty()) return std::move(written_);
    const std::string end = WIFSIGNALED(status)
                                ? fmt::format("was ended by the signal {}", WTERMSIG(status))
                            : is_done ? "wrote nothing"
                                      : fmt::format("failed with {}", WEXITSTATUS(status));
    while (said_.ends_with('\n')) said_.pop_back();
    fail(option_, fmt::format("gnuplot {}{}{}", end, said_.empty() ? "" : ": ", said_));
  }

 private:
  void start() {
    posix_spawn_file_actions_t actions{};
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, input_.out.number(), STDIN_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output_.in.number(), STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, errors_.in.number(), STDERR_FILENO);
    std::string program = "gnuplot";
    std::string no_start_files = "-d";
    std::array<char*, 3> arguments = {program.data(), no_start_files.data(), nullptr};
    const char* const path = std::getenv("PATH");
    std::string search = fmt::format("PATH={}", path ? path : "");
    std::string locale = "LC_ALL=C.UTF-8";
    std::array<char*, 3> environment = {search.data(), locale.data(), nullptr};
    const int error = ::posix_spawnp(&process_, program.c_str(), &actions, nullptr,
                                     arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&actions);
    if (error == 0) return;
    fail(option_, fmt::format("gnuplot cannot be started: {}", std::strerror(error)),
         "install it (Debian: apt-get install gnuplot-nox), or write --html, which needs none");
  }

  void write_some(std::string_view script) {
    const ssize_t count = ::write(input_.in.number(), script.data() + sent_, script.size() - sent_);
    if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
    // Who stops reading has something to say on standard error.
    if (count > 0) sent_ += static_cast<std::size_t>(count);
    if (count <= 0 || sent_ == script.size()) input_.in.close();
  }

  static void read_some(Descriptor& end, std::string& text) {
    std::array<char, 1 << 16> block{};
    const ssize_t count = ::read(end.number(), block.data(), block.size());
    if (count > 0) {
      text.append(block.data(), static_cast<std::size_t>(count));
    } else if (count == 0 || errno != EINTR) {
      end.close();
    }
  }

  std::string option_;
  Pipe input_;
  Pipe output_;
  Pipe errors_;
  pid_t process_ = 0;
  std::size_t sent_ = 0;
  std::string written_;
  std::string said_;
};

}  // namespace

std::string run_gnuplot(const std::string& script, const std::string& option) {
  Gnuplot gnuplot(option);
  gnuplot.talk(script);
  return gnuplot.finish();
}

}  // namespace pipesim
