#pragma once

#include <filesystem>
#include <fstream>

/// \file
/// Files that are there in full or not at all.

namespace example {

/// Makes the folder if there is none, and makes sure that files can be written in it: better told
/// before training than after. Throws std::runtime_error naming the folder.
void prepare_folder(const std::filesystem::path& folder);

/// A file written under another name (`.part` at the end) that takes its own when it is complete.
/// Throws std::runtime_error naming the file when it cannot be written.
class OutputFile {
 public:
  explicit OutputFile(std::filesystem::path file);
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  /// Without commit() nothing remains.
  ~OutputFile();

  std::ofstream& stream() { return stream_; }
  void commit();

 private:
  std::filesystem::path file_;
  std::filesystem::path part_;
  std::ofstream stream_;
};

}  // namespace example
