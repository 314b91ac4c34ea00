// A learnt row for each class: normalised softmax, the classifier with cosines and a temperature,
// is InfoNCE of rows against proxies with the label as index.
#include <iostream>
#include <nearfar/losses/info_nce.hpp>
#include <vector>

int main() {
  using Matrix = nearfar::Matrix<float>;
  constexpr int classes = 10;
  Matrix x = Matrix::Random(200, 16);
  Matrix proxies = Matrix::Random(classes, 16);
  std::vector<int> labels(200);
  for (int i = 0; i < 200; ++i) labels[static_cast<std::size_t>(i)] = i % classes;

  const nearfar::InfoNce<float> loss({.temperature = 0.05});
  double first = 0, last = 0;
  for (int step = 0; step < 100; ++step) {
    Matrix dx, d_proxies;
    last = loss.forward_backward(x, proxies, labels, dx, d_proxies).value;
    if (step == 0) first = last;
    x -= dx;
    proxies -= 0.1f * d_proxies;
  }
  std::cout << "loss " << first << " -> " << last << '\n';
  return last < 0.2 * first ? 0 : 1;
}
