#include "common/output.hpp"

#include <stdexcept>
#include <system_error>
#include <utility>

namespace example {

namespace fs = std::filesystem;

void prepare_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error || !fs::is_directory(folder, error)) {
    throw std::runtime_error(folder.string() + ": cannot be made a folder to write to");
  }
  // Only an attempt also detects full disks and read-only mounts.
  const fs::path probe = folder / ".write_test.part";
  std::ofstream stream(probe);
  stream << "x" << std::flush;
  const bool written = stream.good();
  stream.close();
  fs::remove(probe, error);
  if (!written) throw std::runtime_error(folder.string() + ": folder cannot be written to");
}

OutputFile::OutputFile(fs::path file) : file_(std::move(file)), part_(file_) {
  part_ += ".part";
  stream_.open(part_, std::ios::binary);
  if (!stream_) throw std::runtime_error(file_.string() + ": cannot be written");
}

OutputFile::~OutputFile() {
  if (!stream_.is_open()) return;
  stream_.close();
  std::error_code ignored;
  fs::remove(part_, ignored);
}

void OutputFile::commit() {
  stream_.close();
  std::error_code error;
  if (stream_) fs::rename(part_, file_, error);
  if (!stream_ || error) {
    std::error_code ignored;
    fs::remove(part_, ignored);
    throw std::runtime_error(file_.string() + ": cannot be written");
  }
}

}  // namespace example
