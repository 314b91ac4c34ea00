#include "common/definitions.hpp"

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "common/text.hpp"

namespace example {
namespace {

namespace fs = std::filesystem;
using Eigen::Index;

/// Collects pairs; equal texts are one text and equal answers one answer.
class Collector {
 public:
  void add(const std::string& text, const std::vector<std::string>& answers) {
    if (words_of(text).empty()) return;
    for (const std::string& answer : answers) {
      if (words_of(answer).empty()) continue;
      const std::size_t t = number(text, texts_, found_.texts);
      if (t == found_.answers_of.size()) found_.answers_of.emplace_back();
      const auto a = static_cast<Index>(number(answer, answers_, found_.answers));
      std::vector<Index>& own = found_.answers_of[t];
      const auto at = std::lower_bound(own.begin(), own.end(), a);
      if (at == own.end() || *at != a) own.insert(at, a);
    }
  }

  Definitions take() { return std::move(found_); }

 private:
  using Numbers = std::unordered_map<std::string, std::size_t>;

  static std::size_t number(const std::string& name, Numbers& numbers,
                            std::vector<std::string>& names) {
    const auto [at, is_new] = numbers.emplace(name, names.size());
    if (is_new) names.push_back(name);
    return at->second;
  }

  Definitions found_;
  Numbers texts_;
  Numbers answers_;
};

/// A gloss is a definition and then, in quotation marks, sample sentences.
std::string definition_of(std::string_view gloss) {
  std::string_view text = gloss.substr(0, gloss.find("; \""));
  const std::size_t first = text.find_first_not_of(' ');
  if (first == std::string_view::npos) return {};
  return std::string(text.substr(first, text.find_last_not_of(' ') + 1 - first));
}

/// A word as WordNet writes it: blanks are underscores, and an adjective may end in a mark such as
/// (p) for predicate.
std::string word_of(std::string word) {
  word = word.substr(0, word.find('('));
  for (char& c : word) {
    if (c == '_') c = ' ';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return word;
}

/// Calls add(line, its number) for each line, without its line end.
template <class Add>
void for_each_line(const fs::path& file, const Add& add) {
  std::ifstream stream(file, std::ios::binary);
  std::string line;
  for (std::size_t number = 1; std::getline(stream, line); ++number) {
    if (line.ends_with('\r')) line.pop_back();
    add(line, number);
  }
  if (!stream.eof() || stream.bad()) throw std::runtime_error(file.string() + ": cannot be read");
}

[[noreturn]] void fail_line(const fs::path& file, std::size_t number, const std::string& reason) {
  throw std::runtime_error(file.string() + ": line " + std::to_string(number) + " " + reason);
}

/// Lines are: offset, number of a file, part of speech, words in hexadecimal, for each word the
/// word and a number, more that is not needed here, a bar, the gloss. Lines of the licence begin
/// with a blank.
void add_synonym_sets(const fs::path& file, Collector& collector) {
  for_each_line(file, [&](const std::string& line, std::size_t number) {
    if (line.empty() || line.front() == ' ') return;
    const std::size_t bar = line.find('|');
    if (bar == std::string::npos) fail_line(file, number, "has no gloss");
    std::istringstream fields(line.substr(0, bar));
    std::string skipped;
    std::size_t count = 0;
    fields >> skipped >> skipped >> skipped >> std::hex >> count;
    std::vector<std::string> words;
    for (std::string word; words.size() < count && fields >> word >> skipped;) {
      words.push_back(word_of(word));
    }
    if (count == 0 || words.size() < count) fail_line(file, number, "has no words");
    collector.add(definition_of(std::string_view(line).substr(bar + 1)), words);
  });
}

void add_pairs(const fs::path& file, Collector& collector) {
  for_each_line(file, [&](const std::string& line, std::size_t number) {
    if (line.empty()) return;
    const std::size_t tab = line.find('\t');
    if (tab == std::string::npos) fail_line(file, number, "has no tab");
    collector.add(line.substr(0, tab), {line.substr(tab + 1)});
  });
}

}  // namespace

Definitions read_definitions(const fs::path& path) {
  Collector collector;
  if (fs::is_directory(path)) {
    for (const char* name : {"data.noun", "data.verb", "data.adj", "data.adv"}) {
      add_synonym_sets(path / name, collector);
    }
  } else {
    add_pairs(path, collector);
  }
  Definitions found = collector.take();
  if (found.texts.empty()) throw std::runtime_error(path.string() + ": no text with an answer");
  return found;
}

}  // namespace example
