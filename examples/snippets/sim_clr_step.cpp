// A step of SimCLR: two views of each sample, NT-Xent, and the gradient back into the encoder.
#include <cmath>
#include <iostream>
#include <nearfar/losses/nt_xent.hpp>

int main() {
  using Matrix = nearfar::Matrix<float>;
  const Matrix samples = Matrix::Random(128, 32);
  Matrix encoder = Matrix::Random(32, 8);
  const nearfar::NtXent<float> loss({.temperature = 0.5});

  double first = 0, last = 0;
  for (int step = 0; step < 100; ++step) {
    const Matrix input1 = samples + 0.3f * Matrix::Random(128, 32);  // two random views
    const Matrix input2 = samples + 0.3f * Matrix::Random(128, 32);
    const Matrix view1 = input1 * encoder;
    const Matrix view2 = input2 * encoder;
    Matrix d_view1, d_view2;
    const auto result = loss.forward_backward(view1, view2, d_view1, d_view2);
    encoder -= 2.f * (input1.transpose() * d_view1 + input2.transpose() * d_view2);
    last = result.value;
    if (step == 0) first = last;
  }
  std::cout << "loss " << first << " -> " << last << "; of embeddings that all coincide "
            << std::log(2.0 * 128 - 1) << '\n';
  return last < first ? 0 : 1;
}
