// A batch that contains some samples twice: with ids, copies are no negatives of each other.
#include <cmath>
#include <iostream>
#include <nearfar/losses/nt_xent.hpp>
#include <vector>

int main() {
  using Matrix = nearfar::Matrix<float>;
  Matrix view1 = Matrix::Random(6, 8);
  view1.row(5) = view1.row(0);  // sample 10 was drawn twice
  const Matrix view2 = view1 + 0.1f * Matrix::Random(6, 8);
  const std::vector<int> samples = {10, 11, 12, 13, 14, 10};

  const nearfar::NtXent<float> loss({.temperature = 0.1, .reduction = nearfar::Reduction::none});
  Matrix d_view1, d_view2;
  const auto without = loss.forward(view1, view2).values;
  const auto with =
      loss.forward_backward(view1, view2, nearfar::Targets().ids(samples), d_view1, d_view2).values;
  for (std::size_t i = 0; i < 6; ++i) {
    std::cout << "sample " << samples[i] << ": " << without[i] << " without ids, " << with[i]
              << " with\n";
  }
  // With its copy as a negative, the loss of a sample is at least log 2.
  return without[0] > 0.69 && with[0] < 0.3 && std::abs(with[1] - without[1]) < 1e-6 ? 0 : 1;
}
