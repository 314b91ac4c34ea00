#pragma once

#include <Eigen/Core>
#include <filesystem>
#include <string>
#include <vector>

/// \file
/// Texts and the answers to them, such as definitions and the words that they define.

namespace example {

struct Definitions {
  std::vector<std::string> texts;
  std::vector<std::string> answers;  ///< each once
  /// The answers of a text, by number, in ascending order; at least one.
  std::vector<std::vector<Eigen::Index>> answers_of;
};

/// Of a folder with WordNet's database (see wndb(5WN)) the definitions and the words of each
/// synonym set, in lower case; sample sentences are left out. Of a file its lines: a text, a tab,
/// an answer. A text that is there more than once has all of its answers. Texts and answers without
/// a letter are left out. Throws std::runtime_error, one line that names the file and the line,
/// when a file cannot be read, a line has no tab, or nothing is in it.
Definitions read_definitions(const std::filesystem::path& path);

}  // namespace example
