// A batch whose activations do not fit into memory: embed it chunk by chunk, call the loss over all
// chunks once, then propagate each chunk's gradient back through recomputed activations
// (GradCache).
#include <iostream>
#include <nearfar/sharded.hpp>
#include <vector>

using Matrix = nearfar::Matrix<double>;

/// A layer with ReLU and one without. A large batch has no memory for their activations.
struct Encoder {
  Matrix first = Matrix::Random(20, 64) / 4;
  Matrix second = Matrix::Random(64, 16) / 8;

  Matrix hidden(const Matrix& input) const { return (input * first).cwiseMax(0); }
  Matrix embed(const Matrix& input) const { return hidden(input) * second; }
  /// Adds to the gradient with respect to `second`; a deeper model continues from here.
  void backward(const Matrix& input, const Matrix& d_rows, Matrix& d_second) const {
    d_second += hidden(input).transpose() * d_rows;
  }
};

int main() {
  constexpr int chunks = 4;
  constexpr int rows = 64;
  const Encoder encoder;
  std::vector<Matrix> images, views, z, y, dz(chunks), dy(chunks);
  nearfar::Chunks<double> all_z, all_y;
  for (int c = 0; c < chunks; ++c) {
    images.push_back(Matrix::Random(rows, 20));
    views.push_back(images.back() + 0.1 * Matrix::Random(rows, 20));
    z.push_back(encoder.embed(images.back()));  // discards the activations
    y.push_back(encoder.embed(views.back()));
  }
  for (std::size_t c = 0; c < chunks; ++c) {
    all_z.add(z[c], dz[c]);
    all_y.add(y[c], dy[c]);
  }

  // 256 pairs at once: each row is compared with those of all chunks.
  nearfar::Alone here;  // over MPI: nearfar::mpi::Communicator
  const nearfar::sharded::NtXent<double> loss({.temperature = 0.2});
  const double value = loss.forward_backward(here, all_z, all_y).value;
  Matrix d_second = Matrix::Zero(64, 16);
  for (std::size_t c = 0; c < chunks; ++c) {
    encoder.backward(images[c], dz[c], d_second);
    encoder.backward(views[c], dy[c], d_second);
  }

  // The whole batch in one piece has the same gradient.
  Matrix x(chunks * rows, 20), v(chunks * rows, 20), d1, d2;
  for (int c = 0; c < chunks; ++c) {
    x.middleRows(c * rows, rows) = images[static_cast<std::size_t>(c)];
    v.middleRows(c * rows, rows) = views[static_cast<std::size_t>(c)];
  }
  nearfar::NtXent<double>({.temperature = 0.2})
      .forward_backward(encoder.embed(x), encoder.embed(v), d1, d2);
  Matrix whole = Matrix::Zero(64, 16);
  encoder.backward(x, d1, whole);
  encoder.backward(v, d2, whole);
  const double apart = (d_second - whole).cwiseAbs().maxCoeff();
  std::cout << "loss " << value << ", gradients apart by " << apart << '\n';
  return apart < 1e-14 ? 0 : 1;
}
