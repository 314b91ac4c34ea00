#pragma once

#include <cstdint>
#include <span>
#include <vector>

/// \file
/// Search by the words that a query and a document share.

namespace example {

struct Bm25Options {
  double k1 = 1.2;  ///< how much more a word counts that a document has more than once
  double b = 0.75;  ///< how much less it counts in a long document
};

/// Okapi BM25 (Robertson and Zaragoza, The probabilistic relevance framework: BM25 and beyond,
/// 2009, eq. 3.15), with the logarithm of 1 + the odds, which is never negative:
///
///     score(q, d) = sum_w log(1 + (N - n_w + 1/2) / (n_w + 1/2)) f / (f + k1 (1 - b + b |d| /
///     avg))
///
/// where f is how often d has w, n_w how many documents have it, |d| the words of d.
class Bm25 {
 public:
  using Word = std::int32_t;

  /// Documents are lists of words, numbered from 0.
  explicit Bm25(const std::vector<std::vector<Word>>& documents, Bm25Options options = {});

  /// The scores of all documents; a word of the query counts once however often it is there.
  void scores(std::span<const Word> query, std::vector<float>& out) const;

 private:
  struct Posting {
    std::int32_t document;
    float weight;
  };

  std::size_t documents_;
  std::vector<std::size_t> begins_;  // of each word's postings
  std::vector<Posting> postings_;
};

}  // namespace example
