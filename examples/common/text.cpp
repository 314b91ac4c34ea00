#include "common/text.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <map>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace example {
namespace {

namespace fs = std::filesystem;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// In WordNet's files the gloss follows the bar; lines of the licence begin with a blank.
std::string_view gloss_of(std::string_view line) {
  const std::size_t bar = line.find('|');
  const bool entry = !line.empty() && line.front() != ' ' && bar != std::string_view::npos;
  return entry ? line.substr(bar + 1) : std::string_view();
}

/// Appends the passages of a file, one a line; `part` returns the text in a line.
void append_passages(const fs::path& file, std::string_view (*part)(std::string_view),
                     std::vector<Passage>& passages) {
  std::ifstream stream(file, std::ios::binary);
  std::string line;
  const std::size_t before = passages.size();
  while (std::getline(stream, line)) {
    Passage words = words_of(part(line));
    if (words.size() >= 2) passages.push_back(std::move(words));
  }
  if (!stream.eof() || stream.bad()) throw std::runtime_error(file.string() + ": cannot be read");
  if (passages.size() == before) {
    throw std::runtime_error(file.string() + ": no line with two words in it");
  }
}

}  // namespace

Passage words_of(std::string_view line) {
  Passage words;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (!is_letter(line[i])) continue;
    std::string word;
    while (i < line.size() && is_letter(line[i])) {
      word += lower(line[i++]);
      const bool inside = i + 1 < line.size() && line[i] == '\'' && is_letter(line[i + 1]);
      if (inside) word += line[i++];
    }
    words.push_back(std::move(word));
  }
  return words;
}

std::vector<Passage> read_passages(const fs::path& path) {
  std::vector<Passage> passages;
  if (fs::is_directory(path)) {
    for (const char* name : {"data.noun", "data.verb", "data.adj", "data.adv"}) {
      append_passages(path / name, gloss_of, passages);
    }
  } else {
    append_passages(
        path, [](std::string_view line) { return line; }, passages);
  }
  return passages;
}

Vocabulary::Vocabulary(const std::vector<Passage>& passages, std::size_t least_count) {
  std::map<std::string, std::size_t> counts;
  for (const Passage& passage : passages) {
    for (const std::string& word : passage) ++counts[word];
  }
  std::vector<std::pair<std::string, std::size_t>> kept;
  for (const auto& entry : counts) {
    if (entry.second >= least_count) kept.push_back(entry);
  }
  // Stable: equally frequent words stay in the order of the map.
  std::stable_sort(kept.begin(), kept.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  for (const auto& [word, count] : kept) {
    words_.push_back(word);
    counts_.push_back(static_cast<double>(count));
  }
  alphabetical_.resize(words_.size());
  std::iota(alphabetical_.begin(), alphabetical_.end(), std::size_t{0});
  std::sort(alphabetical_.begin(), alphabetical_.end(),
            [&](std::size_t a, std::size_t b) { return words_[a] < words_[b]; });
}

Vocabulary::Word Vocabulary::find(const std::string& word) const {
  const auto at =
      std::lower_bound(alphabetical_.begin(), alphabetical_.end(), word,
                       [&](std::size_t i, const std::string& w) { return words_[i] < w; });
  return at != alphabetical_.end() && words_[*at] == word ? static_cast<Word>(*at) : -1;
}

std::vector<Vocabulary::Word> Vocabulary::numbers(const Passage& passage) const {
  std::vector<Word> out;
  for (const std::string& word : passage) {
    const Word number = find(word);
    if (number >= 0) out.push_back(number);
  }
  return out;
}

}  // namespace example
