#include "common/word_pieces.hpp"

#include <algorithm>

#include "common/text.hpp"

namespace example {
namespace {

/// Fowler, Noll and Vo's hash, 64 bits.
std::uint64_t hash(std::string_view text) {
  std::uint64_t h = 14695981039346656037ULL;
  for (const char c : text) {
    h ^= static_cast<unsigned char>(c);
    h *= 1099511628211ULL;
  }
  return h ^ h >> 32;
}

}  // namespace

std::vector<WordPieces::Word> WordPieces::numbers(std::string_view text) {
  std::vector<Word> out;
  for (const std::string& word : words_of(text)) {
    const auto [at, is_new] = numbers_.emplace(word, static_cast<Word>(counts_.size()));
    out.push_back(at->second);
    if (!is_new) continue;
    names_.push_back(word);
    counts_.push_back(0);
    const std::string marked = "<" + word + ">";
    pieces_.push_back(static_cast<std::uint32_t>(hash(word) % rows_));
    for (std::size_t length = 3; length <= 5; ++length) {
      for (std::size_t i = 0; i + length <= marked.size(); ++i) {
        if (length == marked.size()) continue;  // the word itself
        const std::uint64_t piece = hash(marked.substr(i, length)) + 0x9E3779B97F4A7C15ULL;
        pieces_.push_back(static_cast<std::uint32_t>(piece % rows_));
      }
    }
    begins_.push_back(pieces_.size());
  }
  return out;
}

void WordPieces::count(Word word, double more) {
  counts_[static_cast<std::size_t>(word)] += more;
  total_ += more;
}

float WordPieces::weight(Word word) const {
  constexpr double a = 1e-3;
  const double share = counts_[static_cast<std::size_t>(word)] / std::max(total_, 1.0);
  return static_cast<float>(a / (a + share));
}

}  // namespace example
