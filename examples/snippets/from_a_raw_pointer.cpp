// Rows and gradients in memory other than Eigen's: pointers, spans, vectors. Nothing is copied.
#include <iostream>
#include <nearfar/losses/sup_con.hpp>
#include <span>
#include <vector>

int main() {
  const std::vector<float> x = {1, 0, 0.9f, 0.2f, 0, 1, -0.1f, 1};  // 4 x 2
  const std::vector<int> labels = {0, 0, 1, 1};
  std::vector<float> gradient(8);

  const nearfar::SupCon<float> loss;
  const nearfar::Rows<float> rows(x.data(), 4, 2);        // a pointer with a shape
  const nearfar::GradientRows<float> dx(gradient, 4, 2);  // a span, whose size is checked
  const auto result = loss.forward_backward(rows, std::span<const int>(labels), dx);

  const std::vector<float> once = gradient;
  loss.forward_backward(rows, labels, accumulate(dx));  // adds to the contents
  std::cout << "loss " << result.value << ", gradient of the first row (" << once[0] << ", "
            << once[1] << ")\n";
  return rows.data() == x.data() && once[1] != 0 && gradient[1] == 2 * once[1] ? 0 : 1;
}
