// Batch-hard triplets: for each row its farthest positive and its nearest negative.
#include <iostream>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/sampling/m_per_class.hpp>
#include <vector>

int main() {
  std::vector<int> labels(1000);  // of a data set: 50 classes
  for (int i = 0; i < 1000; ++i) labels[static_cast<std::size_t>(i)] = i % 50;
  const nearfar::Matrix<float> data = nearfar::Matrix<float>::Random(1000, 16);

  // Mining needs batches in which every row has positives: 8 classes, 4 rows of each.
  const nearfar::MPerClassSampler sampler(labels, {.classes = 8, .m = 4});
  std::vector<nearfar::Index> rows;
  sampler.draw(/*step=*/0, rows);
  nearfar::Matrix<float> x(sampler.batch_size(), 16);
  std::vector<int> batch_labels;
  for (const nearfar::Index row : rows) {
    x.row(static_cast<nearfar::Index>(batch_labels.size())) = data.row(row);
    batch_labels.push_back(labels[static_cast<std::size_t>(row)]);
  }

  const nearfar::MinedTriplet<float> loss({.margin = 0.2, .mining = nearfar::Mining::batch_hard});
  nearfar::Matrix<float> dx;
  const auto result = loss.forward_backward(x, batch_labels, dx);  // Euclidean distances

  std::cout << "loss " << result.value << " of " << result.diagnostics.terms << " triplets, "
            << result.hard_triplets << " of them hard\n";
  x -= dx;
  const bool better = loss.forward(x, batch_labels).value < result.value;
  return result.diagnostics.terms == 32 && better ? 0 : 1;
}
