#pragma once

#include <filesystem>
#include <functional>
#include <nearfar/sampling/noise_sampler.hpp>
#include <string>
#include <vector>

#include "common/output.hpp"
#include "common/skip_gram.hpp"

/// \file
/// Ranks of the contexts of held-out pairs of words among words of a noise distribution.

namespace example {

/// A pair's context is ranked by a score among noise words, 100 words in all. Words of equal score
/// have their middle rank. By chance, mean reciprocal rank is 0.052 and hits@10 0.1.
class WordRanking {
 public:
  /// The higher, the more likely the context.
  using Score = std::function<double(const WordPair&)>;

  /// `held_out` must outlive the object. Throws std::runtime_error if `table` cannot be written.
  WordRanking(const std::vector<WordPair>& held_out, const nearfar::NoiseSampler& noise,
              std::uint64_t seed, const std::filesystem::path& table);

  /// Prints a line of the table. The file is on disk after the end.
  void report(const std::string& name, const Score& score);
  void finish() { csv_.commit(); }

 private:
  const std::vector<WordPair>& held_out_;
  std::vector<Eigen::Index> noise_;  // the same number for each pair
  OutputFile csv_;
};

}  // namespace example
