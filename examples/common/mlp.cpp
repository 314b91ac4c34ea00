#include "common/mlp.hpp"

#include <cmath>
#include <stdexcept>
#include <utility>

namespace example {

template <class S>
Mlp<S>::Mlp(std::vector<Index> widths, Random& random) : widths_(std::move(widths)) {
  if (widths_.size() < 2) throw std::invalid_argument("Mlp: needs an input and an output width");
  Index size = 0;
  for (std::size_t l = 0; l < layers(); ++l) {
    if (widths_[l] < 1 || widths_[l + 1] < 1)
      throw std::invalid_argument("Mlp: widths must be > 0");
    offsets_.push_back(size);
    size += (widths_[l] + 1) * widths_[l + 1];
  }
  parameters_.setZero(size);
  for (std::size_t l = 0; l < layers(); ++l) {
    const double gain = l + 1 < layers() ? 2 : 1;
    const double deviation = std::sqrt(gain / static_cast<double>(widths_[l]));
    for (Index i = 0; i < widths_[l] * widths_[l + 1]; ++i) {
      parameters_[offsets_[l] + i] = static_cast<S>(deviation * random.normal());
    }
  }
}

template <class S>
const typename Mlp<S>::Matrix& Mlp<S>::forward(const Rows& input, Tape& tape) const {
  tape.outputs.resize(layers());
  const auto layer = [&](std::size_t l, const Rows& x) {
    const Index in = widths_[l];
    const Index out = widths_[l + 1];
    const Eigen::Map<const Matrix> weights(parameters_.data() + offsets_[l], in, out);
    const Eigen::Map<const Vector> biases(parameters_.data() + offsets_[l] + in * out, out);
    Matrix& y = tape.outputs[l];
    y.noalias() = x * weights;
    y.rowwise() += biases.transpose();
    if (l + 1 < layers()) y = y.cwiseMax(S(0));
  };
  layer(0, input);
  for (std::size_t l = 1; l < layers(); ++l) layer(l, tape.outputs[l - 1]);
  return tape.outputs.back();
}

template <class S>
void Mlp<S>::backward(const Rows& input, Tape& tape, const Rows& d_embeddings,
                      Vector& d_parameters) const {
  tape.gradients.resize(layers());
  d_parameters.resize(parameters_.size());
  const auto layer = [&](std::size_t l, const Rows& x, const Rows& dy) {
    const Index in = widths_[l];
    const Index out = widths_[l + 1];
    const Eigen::Map<const Matrix> weights(parameters_.data() + offsets_[l], in, out);
    Eigen::Map<Matrix> d_weights(d_parameters.data() + offsets_[l], in, out);
    Eigen::Map<Vector> d_biases(d_parameters.data() + offsets_[l] + in * out, out);
    d_weights.noalias() = x.transpose() * dy;
    d_biases = dy.colwise().sum().transpose();
    if (l == 0) return;  // nobody asks for the gradient of the images
    Matrix& dx = tape.gradients[l - 1];
    dx.noalias() = dy * weights.transpose();
    // Through the ReLU that made x: it passed where x is positive.
    dx = (x.array() > S(0)).select(dx, S(0));
  };
  for (std::size_t l = layers(); l-- > 0;) {
    const Rows x = l > 0 ? Rows(tape.outputs[l - 1]) : input;
    const Rows dy = l + 1 < layers() ? Rows(tape.gradients[l]) : d_embeddings;
    layer(l, x, dy);
  }
}

template class Mlp<float>;
template class Mlp<double>;

}  // namespace example
