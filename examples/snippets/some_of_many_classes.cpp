// ArcFace over some of many classes (Partial FC): each step's softmax runs over the classes of its
// batch and a sample of the others.
#include <cstdint>
#include <iostream>
#include <nearfar/losses/class_softmax.hpp>
#include <nearfar/sampling/class_sampler.hpp>
#include <vector>

int main() {
  using Matrix = nearfar::Matrix<float>;
  constexpr int classes = 500;
  Matrix x = Matrix::Random(64, 16);
  Matrix weights = Matrix::Random(classes, 16);
  std::vector<int> labels(64);
  for (int i = 0; i < 64; ++i) labels[static_cast<std::size_t>(i)] = 7 * i;

  const nearfar::ClassSampler sampler({.classes = classes, .count = 100});
  const nearfar::ArcFace<float> loss({.scale = 16, .margin = 0.3});
  const double first = loss.forward(x, labels, weights).value;
  std::vector<nearfar::Index> drawn;
  for (int step = 0; step < 100; ++step) {
    sampler.draw(labels, static_cast<std::uint64_t>(step), drawn);
    Matrix rows(static_cast<nearfar::Index>(drawn.size()), 16);
    for (std::size_t c = 0; c < drawn.size(); ++c) {
      rows.row(static_cast<nearfar::Index>(c)) = weights.row(drawn[c]);
    }
    Matrix dx, d_rows;
    loss.forward_backward(x, labels, nearfar::Proxies(rows).classes(drawn), dx, d_rows);
    x -= dx;
    for (std::size_t c = 0; c < drawn.size(); ++c) {
      weights.row(drawn[c]) -= 0.1f * d_rows.row(static_cast<nearfar::Index>(c));
    }
  }
  const double last = loss.forward(x, labels, weights).value;  // over all classes
  std::cout << "loss " << first << " -> " << last << '\n';
  return last < 0.2 * first ? 0 : 1;
}
