#include "sim/io/output_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "sim/error.hpp"
#include "sim/io/ending_signals.hpp"

namespace pipesim {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBufferBytes = std::size_t{1} << 16;
constexpr mode_t kPermissionBits = 07777;

/// The descriptor of this process that a path such as /dev/stdout or /dev/fd/3 stands for.
std::optional<int> own_descriptor(const fs::path& path) {
  std::error_code error;
  const fs::path directory =
      fs::canonical(path.has_parent_path() ? path.parent_path() : ".", error);
  if (error || directory != fmt::format("/proc/{}/fd", ::getpid())) return std::nullopt;
  const std::string name = path.filename();
  int descriptor = -1;
  std::from_chars(name.data(), name.data() + name.size(), descriptor);
  return descriptor;
}

/// Where symbolic links lead, whether or not there is a file.
struct Target {
  fs::path path;
  std::optional<int> descriptor{};
};

Target follow_links(fs::path path) {
  constexpr int kMostLinks = 40;
  std::error_code error;
  for (int i = 0; i < kMostLinks; ++i) {
    if (const auto descriptor = own_descriptor(path)) return {path, descriptor};
    const fs::path next = fs::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / next;
  }
  return {.path = path};
}

std::string temporary_name(const fs::path& target) {
  static std::atomic<unsigned> count = 0;
  return target.parent_path() / fmt::format(".pipesim-{}-{}.tmp", ::getpid(), count++);
}

}  // namespace

std::string link_target(const std::string& path) { return follow_links(path).path; }

OutputFile::OutputFile(std::string path, std::string pointer)
    : path_(std::move(path)), pointer_(std::move(pointer)), buffer_(kBufferBytes) {
  const int descriptor = open();
  if (descriptor < 0) fail(errno);
  file_ = ::fdopen(descriptor, "w");
  if (file_ == nullptr) {
    const int error_number = errno;
    ::close(descriptor);
    fail(error_number);
  }
  std::setvbuf(file_, buffer_.data(), _IOFBF, buffer_.size());
  if (path_.ends_with(".gz")) gzip_.emplace([this](std::string_view bytes) { write_bytes(bytes); });
}

OutputFile::~OutputFile() { discard(); }

int OutputFile::open() {
  const Target target = follow_links(path_);
  if (target.descriptor) return ::fcntl(*target.descriptor, F_DUPFD_CLOEXEC, 0);
  target_ = target.path;
  struct stat status {};
  const bool exists = ::stat(target_.c_str(), &status) == 0;
  if (!exists && errno != ENOENT) return -1;
  if (!exists) return open_temporary();
  if (!S_ISREG(status.st_mode)) return ::open(target_.c_str(), O_WRONLY | O_CLOEXEC);
  if (::access(target_.c_str(), W_OK) != 0) return -1;
  const int descriptor = open_temporary();
  if (descriptor >= 0) ::fchmod(descriptor, status.st_mode & kPermissionBits);
  return descriptor;
}

// A file without a name vanishes with the process, however that ends; not every file system has
// them.
int OutputFile::open_temporary() {
  constexpr mode_t kReadWriteForAll = 0666;
  const fs::path parent = fs::path(target_).parent_path();
  const int nameless = ::open(parent.empty() ? "." : parent.c_str(),
                              O_WRONLY | O_TMPFILE | O_CLOEXEC, kReadWriteForAll);
  if (nameless >= 0) {
    is_nameless_ = true;
    return nameless;
  }
  const std::string name = temporary_name(target_);
  const int descriptor =
      ::open(name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, kReadWriteForAll);
  if (descriptor >= 0) temporary_ = name;
  return descriptor;
}

void OutputFile::write(std::string_view bytes) {
  if (gzip_) {
    gzip_->write(bytes);
  } else {
    write_bytes(bytes);
  }
}

void OutputFile::write_bytes(std::string_view bytes) {
  if (reader_gone_) return;
  require(std::fwrite(bytes.data(), 1, bytes.size(), file_) == bytes.size());
}

void OutputFile::flush() {
  if (gzip_) gzip_->finish();
  if (!reader_gone_) require(std::fflush(file_) == 0);
}

void OutputFile::commit() {
  flush();
  const HeldSignals held;  // between the two names
  if (is_nameless_) {
    const std::string source = fmt::format("/proc/self/fd/{}", ::fileno(file_));
    const std::string name = temporary_name(target_);
    if (::linkat(AT_FDCWD, source.c_str(), AT_FDCWD, name.c_str(), AT_SYMLINK_FOLLOW) != 0) {
      fail(errno);
    }
    temporary_ = name;
  }
  std::FILE* const file = std::exchange(file_, nullptr);
  require(std::fclose(file) == 0);
  if (temporary_.empty()) return;
  if (std::rename(temporary_.c_str(), target_.c_str()) != 0) fail(errno);
  temporary_.clear();
}

void OutputFile::require(bool succeeded) {
  if (succeeded || reader_gone_) return;
  if (errno != EPIPE) fail(errno);
  reader_gone_ = true;
}

void OutputFile::discard() {
  if (file_ != nullptr) std::fclose(std::exchange(file_, nullptr));
  if (!temporary_.empty()) ::unlink(std::exchange(temporary_, "").c_str());
}

void OutputFile::fail(int error_number) {
  discard();
  throw Error(
      Fault{.pointer = pointer_,
            .value = path_,
            .what = fmt::format("cannot write \"{}\": {}", path_, std::strerror(error_number))});
}

}  // namespace pipesim
