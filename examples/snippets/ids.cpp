// Ids: the old key of a sample is no negative of the sample.
#include <iostream>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <vector>

int main() {
  using Matrix = nearfar::Matrix<float>;
  const Matrix queries = Matrix::Random(4, 8);
  const Matrix keys = queries + 0.1f * Matrix::Random(4, 8);
  const std::vector<int> images = {10, 11, 12, 13};

  // The queue still holds keys of images 12 and 13 from the epoch before.
  nearfar::KeyQueue<float> queue(6, 8);
  Matrix old_keys = Matrix::Random(6, 8);
  old_keys.bottomRows(2) = keys.bottomRows(2);
  queue.push(old_keys, std::vector<int>{1, 2, 3, 4, 12, 13});

  const nearfar::InfoNce<float> loss({.temperature = 0.1, .reduction = nearfar::Reduction::none});
  const auto without = loss.forward(queries, keys, queue.negatives()).values;
  const auto with = loss.forward(queries, keys, queue.negatives(images)).values;
  for (std::size_t i = 0; i < 4; ++i) {
    std::cout << "image " << images[i] << ": " << without[i] << " without ids, " << with[i]
              << " with\n";
  }
  // Images 10 and 11 have no old keys; 12 and 13 had an old key among their negatives.
  return with[0] == without[0] && with[1] == without[1] && with[2] < 0.5 * without[2] &&
                 with[3] < 0.5 * without[3]
             ? 0
             : 1;
}
