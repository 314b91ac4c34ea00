#include "common/bm25.hpp"

#include <algorithm>
#include <cmath>

namespace example {

Bm25::Bm25(const std::vector<std::vector<Word>>& documents, Bm25Options options)
    : documents_(documents.size()) {
  double length = 0;
  Word last = -1;
  for (const auto& document : documents) {
    length += static_cast<double>(document.size());
    for (const Word word : document) last = std::max(last, word);
  }
  const double average = length / static_cast<double>(std::max<std::size_t>(documents_, 1));
  // How often each document has each of its words.
  struct Count {
    Word word;
    Posting posting;
  };
  std::vector<Count> counts;
  begins_.assign(static_cast<std::size_t>(last) + 2, 0);
  std::vector<Word> sorted;
  for (std::size_t d = 0; d < documents_; ++d) {
    sorted = documents[d];
    std::sort(sorted.begin(), sorted.end());
    const double norm =
        options.k1 * (1 - options.b + options.b * static_cast<double>(sorted.size()) / average);
    for (std::size_t i = 0; i < sorted.size();) {
      std::size_t end = i;
      while (end < sorted.size() && sorted[end] == sorted[i]) ++end;
      const auto f = static_cast<double>(end - i);
      counts.push_back(
          {sorted[i], {static_cast<std::int32_t>(d), static_cast<float>(f / (f + norm))}});
      ++begins_[static_cast<std::size_t>(sorted[i]) + 1];
      i = end;
    }
  }
  for (std::size_t w = 1; w < begins_.size(); ++w) begins_[w] += begins_[w - 1];
  postings_.resize(counts.size());
  std::vector<std::size_t> next(begins_);
  const auto all = static_cast<double>(documents_);
  for (const Count& count : counts) {
    const auto w = static_cast<std::size_t>(count.word);
    const auto having = static_cast<double>(begins_[w + 1] - begins_[w]);
    const double rarity = std::log(1 + (all - having + 0.5) / (having + 0.5));
    postings_[next[w]++] = {count.posting.document,
                            static_cast<float>(rarity * count.posting.weight)};
  }
}

void Bm25::scores(std::span<const Word> query, std::vector<float>& out) const {
  out.assign(documents_, 0.0f);
  std::vector<Word> words(query.begin(), query.end());
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  for (const Word word : words) {
    const auto w = static_cast<std::size_t>(word);
    if (w + 1 >= begins_.size()) continue;
    for (std::size_t p = begins_[w]; p < begins_[w + 1]; ++p) {
      out[static_cast<std::size_t>(postings_[p].document)] += postings_[p].weight;
    }
  }
}

}  // namespace example
