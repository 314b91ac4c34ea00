// NCE: a model of words, from a classifier of words against noise. Noise is drawn from word2vec's
// unigram^0.75, and its probabilities enter the logits.
#include <iostream>
#include <nearfar/losses/nce.hpp>
#include <nearfar/sampling/noise_sampler.hpp>
#include <vector>

int main() {
  using Matrix = nearfar::Matrix<float>;
  const std::vector<double> counts = {1000, 500, 200, 100, 50, 20, 10, 5};  // of 8 words
  const nearfar::NoiseSampler noise(nearfar::powered_counts(counts, 0.75));
  const Matrix contexts = Matrix::Random(8, 4);  // one row for each word
  const Matrix queries = Matrix::Random(3, 4);
  const std::vector<nearfar::Index> words = {0, 2, 5};  // the data for each query

  std::vector<nearfar::Index> drawn(32);  // shared by all queries
  noise.draw(/*seed=*/7, /*step=*/0, drawn);
  std::vector<float> log_noise_keys, log_noise_negatives;
  noise.log_probabilities(words, log_noise_keys);
  noise.log_probabilities(drawn, log_noise_negatives);

  const nearfar::Nce<float> loss({.log_z = 2});
  Matrix d_queries, d_keys, d_negatives;
  const auto result =
      loss.forward_backward(queries, contexts(words, Eigen::indexing::all).eval(),
                            contexts(drawn, Eigen::indexing::all).eval(), log_noise_keys,
                            log_noise_negatives, d_queries, d_keys, d_negatives);
  std::cout << "loss " << result.value << ", d log Z " << result.d_log_z << '\n';

  // The derivative is that of the value.
  const auto at = [&](double log_z) {
    return nearfar::Nce<float>({.log_z = log_z})
        .forward(queries, contexts(words, Eigen::indexing::all).eval(),
                 contexts(drawn, Eigen::indexing::all).eval(), log_noise_keys, log_noise_negatives)
        .value;
  };
  const double slope = (at(2.01) - at(1.99)) / 0.02;
  return std::abs(slope - result.d_log_z) < 1e-3 * std::abs(slope) ? 0 : 1;
}
