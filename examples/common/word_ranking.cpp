#include "common/word_ranking.hpp"

#include <cstdio>

namespace example {
namespace {

constexpr std::size_t noise_words = 99;

}  // namespace

WordRanking::WordRanking(const std::vector<WordPair>& held_out, const nearfar::NoiseSampler& noise,
                         std::uint64_t seed, const std::filesystem::path& table)
    : held_out_(held_out), csv_(table) {
  std::vector<Eigen::Index> row(noise_words);
  for (std::size_t i = 0; i < held_out.size(); ++i) {
    noise.draw(seed, 0, row, i + 1);  // row 0 is for training
    noise_.insert(noise_.end(), row.begin(), row.end());
  }
  std::printf("\n%-36s %9s %9s\n", "held-out contexts among 100 words", "MRR", "hits@10");
  csv_.stream() << "ranked by,mean reciprocal rank,hits at 10\n";
}

void WordRanking::report(const std::string& name, const Score& score) {
  double reciprocal = 0;
  double hits = 0;
  for (std::size_t i = 0; i < held_out_.size(); ++i) {
    const WordPair& pair = held_out_[i];
    const double own = score(pair);
    double rank = 1;
    for (std::size_t k = i * noise_words; k < (i + 1) * noise_words; ++k) {
      const double other = score({pair.centre, static_cast<std::int32_t>(noise_[k])});
      if (other > own) rank += 1;
      if (other == own) rank += 0.5;
    }
    reciprocal += 1 / rank;
    hits += rank <= 10 ? 1 : 0;
  }
  const auto count = static_cast<double>(held_out_.size());
  std::printf("%-36s %9.4f %9.4f\n", name.c_str(), reciprocal / count, hits / count);
  std::fflush(stdout);
  char line[64];
  std::snprintf(line, sizeof line, ",%.4f,%.4f\n", reciprocal / count, hits / count);
  csv_.stream() << '"' << name << '"' << line;
}

}  // namespace example
