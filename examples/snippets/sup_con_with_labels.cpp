// SupCon: a row's positives are all other rows with its label; a row may have several labels.
#include <cmath>
#include <cstdint>
#include <iostream>
#include <nearfar/losses/sup_con.hpp>
#include <vector>

int main() {
  const nearfar::Matrix<float> x = nearfar::Matrix<float>::Random(6, 16);
  const std::vector<int> labels = {3, 3, 7, 7, 7, -1};  // any integers
  const nearfar::SupCon<float> loss({.temperature = 0.1});
  nearfar::Matrix<float> dx;
  const auto result = loss.forward_backward(x, labels, dx);
  std::cout << "loss " << result.value << " over " << result.diagnostics.terms << " rows, "
            << result.diagnostics.anchors_without_positive << " without a positive\n";

  // The same as sets of labels, one bit for each label: rows that share one are positives.
  const std::vector<std::uint64_t> sets = {0b001, 0b001, 0b010, 0b010, 0b010, 0b100};
  const auto of_sets = loss.forward(x, nearfar::MultiLabels{sets.data(), 6, 1});
  std::cout << "from sets of labels " << of_sets.value << '\n';

  const bool counts = result.diagnostics.terms == 5 && of_sets.diagnostics.terms == 5;
  return counts && std::abs(of_sets.value - result.value) < 1e-5 ? 0 : 1;
}
