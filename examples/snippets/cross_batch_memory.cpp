// A cross-batch memory: rows of earlier batches, with labels, as references of any loss over
// labels.
#include <iostream>
#include <nearfar/losses/multi_similarity.hpp>
#include <nearfar/memory/cross_batch_memory.hpp>
#include <vector>

int main() {
  const nearfar::MultiSimilarity<float> loss;
  nearfar::CrossBatchMemory<float> memory(96, 8);
  std::int64_t positives_missing = 0;
  for (int step = 0; step < 10; ++step) {
    // Batches so small that most rows are the only ones of their class.
    const nearfar::Matrix<float> x = nearfar::Matrix<float>::Random(12, 8);
    std::vector<int> labels(12), ids(12);
    for (int i = 0; i < 12; ++i) {
      labels[static_cast<std::size_t>(i)] = (12 * step + i) % 24;
      ids[static_cast<std::size_t>(i)] = 12 * step + i;
    }
    memory.push(x, labels, ids);
    // The batch is part of its own references; ids exclude pairs of a row and its own copy.
    nearfar::Matrix<float> dx;
    const auto result = loss.forward_backward(x, nearfar::Targets(labels).ids(ids), memory.rows(),
                                              memory.targets(), dx, nearfar::no_gradient);
    positives_missing = result.diagnostics.anchors_without_positive;
    std::cout << "step " << step << ": loss " << result.value << ", rows without a positive "
              << positives_missing << '\n';
  }
  return memory.full() && positives_missing == 0 ? 0 : 1;
}
