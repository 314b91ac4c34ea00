#pragma once

#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>

#if defined(__unix__) || defined(__APPLE__)
#include <fcntl.h>
#include <unistd.h>
#endif

#include "nearfar/core/errors.hpp"

/// \file
/// Files that are written completely or not at all, even if the program or the machine stops.

namespace nearfar::detail {

/// ": No space left on device", for example; empty if the system gives no reason.
inline std::string reason_of(int error) {
  return error == 0 ? std::string() : ": " + std::generic_category().message(error);
}

#if defined(__unix__) || defined(__APPLE__)

/// Waits until a file, or a folder's list of files, is on the disk. Returns false, with errno, if
/// that fails.
inline bool flush_to_disk(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool flushed = ::fsync(descriptor) == 0;
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return flushed;
}

/// A name to which no other process and no other call of this process writes.
inline std::filesystem::path name_of_part(std::filesystem::path file) {
  static std::atomic<unsigned> calls{0};
  file += ".part-" + std::to_string(::getpid()) + "-" + std::to_string(calls++);
  return file;
}

#else

inline bool flush_to_disk(const std::filesystem::path&) { return true; }
inline std::filesystem::path name_of_part(std::filesystem::path file) { return file += ".part"; }

#endif

/// Calls `write(stream)` to write a temporary file beside `file`, and renames it to `file` once it
/// is on the disk. Throws std::runtime_error, with the name of the file and the system's reason, or
/// the exception of `write`; `file` is then unchanged, and the temporary file is removed.
template <class Write>
void write_whole_file(const std::filesystem::path& file, const Write& write) {
  std::error_code error;
  if (std::filesystem::exists(file, error) && !std::filesystem::is_regular_file(file, error)) {
    fail_file(file.string(), "is no regular file and was not written");
  }
  const std::filesystem::path part = name_of_part(file);
  const auto fail = [&] { fail_file(file.string(), "could not be written" + reason_of(errno)); };
  errno = 0;
  std::ofstream out(part, std::ios::binary);
  if (!out) fail();
  try {
    try {
      write(out);
    } catch (const std::runtime_error&) {
      if (!out) fail();
      throw;
    }
    out.close();
    if (!out || !flush_to_disk(part)) fail();
    std::filesystem::rename(part, file, error);
    if (error) {
      errno = error.value();
      fail();
    }
  } catch (...) {
    out.close();
    std::filesystem::remove(part, error);
    throw;
  }
  // So that the new name also survives a loss of power. If a folder cannot be flushed, the file is
  // the old one or the new one, complete.
  static_cast<void>(flush_to_disk(file.has_parent_path() ? file.parent_path() : "."));
}

}  // namespace nearfar::detail
