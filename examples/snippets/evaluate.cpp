// Evaluate embeddings: recall@k and MAP@R among themselves, votes of a gallery's neighbours, and
// signs of collapse.
#include <iostream>
#include <nearfar/metrics/collapse.hpp>
#include <nearfar/metrics/knn_accuracy.hpp>
#include <nearfar/metrics/retrieval.hpp>
#include <vector>

int main() {
  const nearfar::Matrix<float> centres = nearfar::Matrix<float>::Random(10, 16);
  nearfar::Matrix<float> x = 0.5f * nearfar::Matrix<float>::Random(500, 16);
  std::vector<int> labels(500);
  for (int i = 0; i < 500; ++i) {
    labels[static_cast<std::size_t>(i)] = i % 10;
    x.row(i) += centres.row(i % 10);
  }

  const nearfar::Retrieval<float> retrieval({.ks = {1, 10}});
  const auto found = retrieval.evaluate(x, labels);
  std::cout << "recall@1 " << found.recall[0] << ", recall@10 " << found.recall[1] << ", MAP@R "
            << found.map_at_r << '\n';

  const nearfar::KnnAccuracy<float> knn({.k = 20});
  const std::vector<int> seen(labels.begin(), labels.begin() + 400);
  const std::vector<int> held_out(labels.begin() + 400, labels.end());
  const auto votes = knn.evaluate(x.bottomRows(100), held_out, x.topRows(400), seen);
  std::cout << "accuracy of 20 neighbours " << votes.accuracy << '\n';

  const auto signs = nearfar::collapse(x);
  std::cout << "effective rank " << signs.effective_rank << " of 16\n";
  return found.recall[0] > 0.9 && votes.accuracy > 0.9 && signs.effective_rank > 8 ? 0 : 1;
}
