#include "sim/io/output_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "sim/error.hpp"
#include "sim/io/gzip.hpp"

using namespace pipesim;
namespace fs = std::filesystem;

namespace {

/// An empty directory that is gone afterwards.
class Directory {
 public:
  Directory() {
    std::string name = fs::temp_directory_path() / "pipesim-test-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Directory() { fs::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  std::string operator/(const std::string& name) const { return path_ / name; }
  long entries() const { return std::distance(fs::directory_iterator(path_), {}); }

 private:
  fs::path path_;
};

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void put(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

void write_whole(const std::string& path, const std::string& text) {
  OutputFile file(path, "/output/file");
  file.write(text);
  file.commit();
}

/// The message of the failure to write `text` to the path; "" if it succeeds.
std::string failure(const std::string& path, const std::string& text = "text") {
  try {
    write_whole(path, text);
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::bad_input);
    CHECK(error.faults().front().value == path);
    return error.what();
  }
  return "";
}

mode_t permissions(const std::string& path) {
  struct stat status = {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

}  // namespace

TEST_SUITE("unit") {
  TEST_CASE("a file appears only when it is committed, whole") {
    const Directory directory;
    const std::string path = directory / "result";
    put(path, "old");
    {
      OutputFile file(path, "/output/file");
      file.write("new ");
      file.write(std::string(3 << 20, 'x'));
      CHECK(content(path) == "old");
      file.flush();
      CHECK(content(path) == "old");
      file.commit();
      CHECK(content(path) == "new " + std::string(3 << 20, 'x'));
    }
    CHECK(directory.entries() == 1);
  }

  TEST_CASE("what is not committed leaves nothing behind") {
    const Directory directory;
    put(directory / "old", "old");
    {
      OutputFile new_file(directory / "new", "/output/file");
      OutputFile old_file(directory / "old", "/output/trace");
      OutputFile same_file(directory / "old", "/output/trace");
      new_file.write("text");
      old_file.write("text");
      // Whether a file has a name before it is committed is the file system's choice.
      CHECK(content(directory / "old") == "old");
    }
    CHECK(content(directory / "old") == "old");
    CHECK(directory.entries() == 1);
  }

  TEST_CASE("permissions: the old file's, else as the umask has them") {
    const Directory directory;
    put(directory / "old", "old");
    REQUIRE(::chmod((directory / "old").c_str(), 0640) == 0);
    const mode_t before = ::umask(0027);
    write_whole(directory / "old", "text");
    write_whole(directory / "new", "text");
    ::umask(before);
    CHECK(permissions(directory / "old") == 0640);
    CHECK(permissions(directory / "new") == 0640);
    const mode_t open_umask = ::umask(0);
    REQUIRE(::chmod((directory / "old").c_str(), 0600) == 0);
    write_whole(directory / "old", "text");
    write_whole(directory / "newer", "text");
    ::umask(open_umask);
    CHECK(permissions(directory / "old") == 0600);
    CHECK(permissions(directory / "newer") == 0666);
  }

  TEST_CASE("symbolic links are followed, also to a file that is not there yet") {
    const Directory directory;
    fs::create_directory(directory / "sub");
    put(directory / "sub/old", "old");
    fs::create_symlink("sub/old", directory / "link");
    fs::create_symlink("link", directory / "link_to_link");
    fs::create_symlink("sub/new", directory / "dangling");
    write_whole(directory / "link_to_link", "text");
    write_whole(directory / "dangling", "text");
    CHECK(content(directory / "sub/old") == "text");
    CHECK(content(directory / "sub/new") == "text");
    CHECK(fs::is_symlink(directory / "link"));
    CHECK(fs::is_symlink(directory / "dangling"));
    fs::create_symlink("loop", directory / "loop");
    CHECK(failure(directory / "loop").ends_with(": Too many levels of symbolic links"));
  }

  TEST_CASE("a path that cannot be written is refused before anything is done") {
    const Directory directory;
    const std::string start = "/output/file: cannot write \"";
    CHECK(failure(directory / "") == start + (directory / "") + "\": Is a directory");
    CHECK(failure(directory / "no/file") ==
          start + (directory / "no/file") + "\": No such file or directory");
    put(directory / "file", "old");
    CHECK(failure(directory / "file/below") ==
          start + (directory / "file/below") + "\": Not a directory");
    CHECK(failure("") == start + "\": No such file or directory");
    CHECK(failure(directory / std::string(300, 'x')).ends_with(": File name too long"));
    CHECK(directory.entries() == 1);
    CHECK(content(directory / "file") == "old");
    CHECK_THROWS_AS(OutputFile("/dev", "/output/file"), Error);
  }

  TEST_CASE("a full disk is noticed, however little was written") {
    const std::string message = "/output/file: cannot write \"/dev/full\": No space left on device";
    CHECK(failure("/dev/full") == message);
    CHECK(failure("/dev/full", std::string(5 << 20, 'x')) == message);
    OutputFile file("/dev/full", "/output/file");
    file.write("text");
    CHECK_THROWS_AS(file.flush(), Error);
    CHECK(failure("/dev/null") == "");
  }

  TEST_CASE("a file named .gz is compressed, and complete once it is flushed") {
    const Directory directory;
    const std::string text(5 << 20, 'x');
    OutputFile file(directory / "text.gz", "/output/file");
    file.write("new ");
    file.write(text);
    file.flush();
    CHECK(directory.entries() <= 1);
    file.commit();
    const std::string written = content(directory / "text.gz");
    CHECK(written.size() < 100'000);
    CHECK(gunzip(written).bytes == "new " + text);
    CHECK(directory.entries() == 1);
    fs::create_symlink("/dev/full", directory / "full.gz");
    CHECK(failure(directory / "full.gz") == "/output/file: cannot write \"" +
                                                (directory / "full.gz") +
                                                "\": No space left on device");
  }

  TEST_CASE("an open descriptor is written through, where it stands") {
    const Directory directory;
    const int descriptor = ::open((directory / "shared").c_str(), O_RDWR | O_CREAT, 0600);
    REQUIRE(descriptor >= 0);
    REQUIRE(::write(descriptor, "before ", 7) == 7);
    write_whole("/dev/fd/" + std::to_string(descriptor), "text");
    REQUIRE(::write(descriptor, " after", 6) == 6);
    ::close(descriptor);
    CHECK(content(directory / "shared") == "before text after");
    CHECK(directory.entries() == 1);
    CHECK(failure("/dev/fd/" + std::to_string(descriptor)).ends_with(": Bad file descriptor"));
  }

  TEST_CASE("a pipe whose reader has gone is no failure") {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    auto* const before = std::signal(SIGPIPE, SIG_IGN);
    ::close(ends[0]);
    CHECK(failure("/dev/fd/" + std::to_string(ends[1])) == "");
    CHECK(failure("/dev/fd/" + std::to_string(ends[1]), std::string(5 << 20, 'x')) == "");
    ::close(ends[1]);
    std::signal(SIGPIPE, before);
  }
}
