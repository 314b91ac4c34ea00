#pragma once

#include <filesystem>
#include <fstream>

/// \file
/// Files that are written completely or not at all.

namespace example {

/// Makes the folder if there is none, and checks that files can be written in it, before training
/// starts. Throws std::runtime_error with the name of the folder.
void prepare_folder(const std::filesystem::path& folder);

/// A file that is written under another name (with `.part` at the end) and renamed when it is
/// complete. Throws std::runtime_error with the name of the file if it cannot be written.
class OutputFile {
 public:
  explicit OutputFile(std::filesystem::path file);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  /// Removes the file, unless commit() was called.
  ~OutputFile();

  std::ofstream& stream() { return stream_; }
  void commit();

 private:
  std::filesystem::path file_;
  std::filesystem::path part_;
  std::ofstream stream_;
};

}  // namespace example
