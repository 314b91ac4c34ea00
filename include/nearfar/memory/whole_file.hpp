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
/// Files that are there in full or as they were before, whenever the program or the machine stops.

namespace nearfar::detail {

/// ": No space left on device", or nothing where the system gave no reason.
inline std::string reason_of(int error) {
  return error == 0 ? std::string() : ": " + std::generic_category().message(error);
}

#if defined(__unix__) || defined(__APPLE__)

/// Waits until a file, or a folder's list of files, is on the disk. False, with errno, where it
/// cannot be.
inline bool flush_to_disk(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return false;
  const bool flushed = ::fsync(descriptor) == 0;
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return flushed;
}

/// A name that no other process and no other call of this one writes to.
inline std::filesystem::path name_of_part(std::filesystem::path file) {
  static std::atomic<unsigned> calls{0};
  file += ".part-" + std::to_string(::getpid()) + "-" + std::to_string(calls++);
  return file;
}

#else

inline bool flush_to_disk(const std::filesystem::path&) { return true; }
inline std::filesystem::path name_of_part(std::filesystem::path file) { return file += ".part"; }

#endif

/// Lets `write(stream)` write `file` by way of a neighbour, which takes its name once it is on the
/// disk. Throws std::runtime_error, which names the file and the system's reason, or what `write`
/// throws; the file is then as it was, and the neighbour gone.
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
  // So that the new name outlives a loss of power, too. Where a folder cannot be flushed the file
  // is the old one or the new one, whole.
  static_cast<void>(flush_to_disk(file.has_parent_path() ? file.parent_path() : "."));
}

}  // namespace nearfar::detail
