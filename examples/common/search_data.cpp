#include "common/search_data.hpp"

#include <algorithm>
#include <numeric>
#include <stdexcept>

namespace example {

SearchData::SearchData(const Definitions& definitions, double held_out_share, WordPieces& words,
                       Random& random)
    : answers_of(definitions.answers_of), train(definitions.texts.size()) {
  for (const std::string& text : definitions.texts) texts.push_back(words.numbers(text));
  for (const std::string& answer : definitions.answers) answers.push_back(words.numbers(answer));
  std::iota(train.begin(), train.end(), std::size_t{0});
  random.shuffle(train);
  const auto share = static_cast<std::size_t>(held_out_share * static_cast<double>(texts.size()));
  const std::size_t held = std::max<std::size_t>(1, share);
  if (held + 2 > texts.size()) {
    throw std::runtime_error("too few texts to learn from and hold some out");
  }
  held_out.assign(train.end() - static_cast<std::ptrdiff_t>(held), train.end());
  train.resize(train.size() - held);
  std::sort(train.begin(), train.end());
  std::sort(held_out.begin(), held_out.end());
  for (const std::size_t text : train) {
    for (const WordPieces::Word word : texts[text]) words.count(word);
  }
}

std::vector<SearchPair> SearchData::pairs() const {
  std::vector<SearchPair> out;
  for (const std::size_t text : train) {
    for (const Eigen::Index answer : answers_of[text]) {
      out.push_back({text, static_cast<std::size_t>(answer)});
    }
  }
  return out;
}

bool BatchMembers::add(const SearchPair& pair) {
  if (is_positive_[pair.answer] == batch_) return false;
  const auto& positives = data_.answers_of[pair.text];
  for (const Eigen::Index answer : positives) {
    if (is_key_[static_cast<std::size_t>(answer)] == batch_) return false;
  }
  is_key_[pair.answer] = batch_;
  for (const Eigen::Index answer : positives) {
    is_positive_[static_cast<std::size_t>(answer)] = batch_;
  }
  return true;
}

bool BatchMembers::add_negative(std::size_t answer) {
  if (is_positive_[answer] == batch_ || is_key_[answer] == batch_) return false;
  is_key_[answer] = batch_;
  return true;
}

}  // namespace example
