#include "common/speech.hpp"

#include <algorithm>
#include <exception>
#include <stdexcept>

#include "common/parallel.hpp"

namespace example {
namespace {

namespace fs = std::filesystem;

bool is_sound(const fs::path& file) {
  const std::string ending = file.extension().string();
  return ending == ".ogg" || ending == ".wav" || ending == ".flac";
}

std::vector<fs::path> sounds_in(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file() && is_sound(entry.path())) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

Speech read_speech(const fs::path& folder, const LogMelOptions& options) {
  std::error_code error;
  std::vector<fs::path> folders;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  if (error) throw std::runtime_error(folder.string() + ": cannot be read as a folder");
  std::sort(folders.begin(), folders.end());
  Speech speech;
  std::vector<fs::path> files;
  for (const fs::path& language : folders) {
    const std::vector<fs::path> sounds = sounds_in(language);
    if (sounds.empty()) continue;
    for (const fs::path& file : sounds) {
      speech.recordings.push_back(
          {file.stem().string(), static_cast<std::uint8_t>(speech.languages.size()), Pixels()});
    }
    files.insert(files.end(), sounds.begin(), sounds.end());
    speech.languages.push_back(language.filename().string());
  }
  if (speech.languages.size() < 2 || speech.languages.size() > 256) {
    throw std::runtime_error(folder.string() +
                             ": wanted from 2 to 256 folders with recordings, a language each");
  }
  std::vector<std::exception_ptr> errors(files.size());
  parallel_for(static_cast<Eigen::Index>(files.size()), [&](Eigen::Index i) {
    const auto at = static_cast<std::size_t>(i);
    try {
      speech.recordings[at].frames = log_mel(read_sound(files[at]), options);
    } catch (...) {
      errors[at] = std::current_exception();
    }
  });
  for (const std::exception_ptr& failed : errors) {
    if (failed) std::rethrow_exception(failed);
  }
  return speech;
}

Syllable syllable_of(const std::string& name) {
  const auto small = [](char c) { return c >= 'a' && c <= 'z'; };
  const std::size_t vowel = name.find_first_of("aeiou");
  if (vowel == 0 || vowel == std::string::npos || !std::all_of(name.begin(), name.end(), small)) {
    return {};
  }
  return {name.substr(0, vowel), name.substr(vowel)};
}

}  // namespace example
