#include "common/network.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace example {
namespace {

using Eigen::Index;

/// Calls body(patch row, its first column, first pixel column, count) for every stretch of a
/// patch's row that lies inside the image; a stretch is `count` neighbouring numbers.
template <class Body>
void for_each_stretch(const Layer& layer, const Body& body) {
  const ImageShape& in = layer.input;
  const ImageShape out = layer.output();
  for (Index y = 0; y < out.height; ++y) {
    for (Index x = 0; x < out.width; ++x) {
      const Index left = x * layer.stride - layer.padding;
      const Index first = std::max(left, Index{0});
      const Index count = (std::min(left + layer.kernel, in.width) - first) * in.channels;
      for (Index k = 0; k < layer.kernel; ++k) {
        const Index row = y * layer.stride - layer.padding + k;
        if (row < 0 || row >= in.height || count <= 0) continue;
        body(y * out.width + x, (k * layer.kernel + first - left) * in.channels,
             (row * in.width + first) * in.channels, count);
      }
    }
  }
}

/// One row of `patches` for each position of each image.
template <class Rows, class Matrix>
void cut_patches(const Layer& layer, const Rows& images, Matrix& patches) {
  const ImageShape out = layer.output();
  const Index positions = out.height * out.width;
  patches.setZero(images.rows() * positions, layer.patch());
  for (Index i = 0; i < images.rows(); ++i) {
    for_each_stretch(layer, [&](Index position, Index to, Index from, Index count) {
      patches.row(i * positions + position).segment(to, count) = images.row(i).segment(from, count);
    });
  }
}

/// The opposite: each pixel gets the sum over the patches that saw it.
template <class Rows, class Matrix>
void add_patches(const Layer& layer, const Rows& patches, Matrix& images) {
  const ImageShape out = layer.output();
  const Index positions = out.height * out.width;
  images.setZero(patches.rows() / positions, layer.input.size());
  for (Index i = 0; i < images.rows(); ++i) {
    for_each_stretch(layer, [&](Index position, Index from, Index to, Index count) {
      images.row(i).segment(to, count) +=
          patches.row(i * positions + position).segment(from, count);
    });
  }
}

std::vector<Layer> linear_layers(const std::vector<Index>& widths) {
  std::vector<Layer> layers;
  for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
    layers.push_back({.input = {1, 1, widths[l]}, .outputs = widths[l + 1]});
  }
  return layers;
}

}  // namespace

std::vector<Layer> convolutional(Index height, Index width,
                                 const std::vector<Index>& linear_widths) {
  const Layer first{
      .input = {height, width, 1}, .outputs = 16, .kernel = 5, .stride = 2, .padding = 2};
  const Layer second{
      .input = first.output(), .outputs = 32, .kernel = 3, .stride = 2, .padding = 1};
  std::vector<Layer> layers = {first, second};
  std::vector<Index> widths = {second.output().size()};
  widths.insert(widths.end(), linear_widths.begin(), linear_widths.end());
  for (const Layer& layer : linear_layers(widths)) layers.push_back(layer);
  return layers;
}

template <class S>
Network<S>::Network(const std::vector<Index>& widths, Random& random)
    : Network(linear_layers(widths), random) {}

template <class S>
Network<S>::Network(std::vector<Layer> layers, Random& random) : layers_(std::move(layers)) {
  if (layers_.empty()) throw std::invalid_argument("Network: needs an input and an output width");
  Index size = 0;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const Layer& layer = layers_[l];
    const ImageShape out = layer.output();
    if (layer.input.size() < 1 || layer.stride < 1 || layer.kernel < 1 || out.height < 1 ||
        out.width < 1 || out.channels < 1) {
      throw std::invalid_argument("Network: widths must be > 0");
    }
    if (l > 0 && layers_[l - 1].output().size() != layer.input.size()) {
      throw std::invalid_argument("Network: a layer's input is not the output before it");
    }
    offsets_.push_back(size);
    size += (layer.patch() + 1) * layer.outputs;
  }
  parameters_.setZero(size);
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const double gain = l + 1 < layers_.size() ? 2 : 1;
    const double deviation = std::sqrt(gain / static_cast<double>(layers_[l].patch()));
    for (Index i = 0; i < layers_[l].patch() * layers_[l].outputs; ++i) {
      parameters_[offsets_[l] + i] = static_cast<S>(deviation * random.normal());
    }
  }
}

template <class S>
const typename Network<S>::Matrix& Network<S>::forward(const Rows& input, Tape& tape) const {
  tape.outputs.resize(layers());
  tape.patches.resize(layers());
  for (std::size_t l = 0; l < layers(); ++l) {
    const Layer& layer = layers_[l];
    const Rows x = l > 0 ? Rows(tape.outputs[l - 1]) : input;
    if (!layer.linear()) cut_patches(layer, x, tape.patches[l]);
    const Rows seen = layer.linear() ? x : Rows(tape.patches[l]);
    const Eigen::Map<const Matrix> weights(parameters_.data() + offsets_[l], layer.patch(),
                                           layer.outputs);
    const Eigen::Map<const Vector> biases(parameters_.data() + offsets_[l] + weights.size(),
                                          layer.outputs);
    // An image's positions one below the other are the image as one row.
    tape.outputs[l].resize(x.rows(), layer.output().size());
    Eigen::Map<Matrix> y(tape.outputs[l].data(), seen.rows(), layer.outputs);
    y.noalias() = seen * weights;
    y.rowwise() += biases.transpose();
    if (l + 1 < layers()) y = y.cwiseMax(S(0));
  }
  return tape.outputs.back();
}

template <class S>
void Network<S>::backward(const Rows& input, Tape& tape, const Rows& d_embeddings,
                          Vector& d_parameters, Matrix* d_input) const {
  tape.gradients.resize(layers());
  d_parameters.resize(parameters_.size());
  tape.gradients.back() = d_embeddings;
  for (std::size_t l = layers(); l-- > 0;) {
    const Layer& layer = layers_[l];
    const Rows x = l > 0 ? Rows(tape.outputs[l - 1]) : input;
    const Rows seen = layer.linear() ? x : Rows(tape.patches[l]);
    const Eigen::Map<const Matrix> weights(parameters_.data() + offsets_[l], layer.patch(),
                                           layer.outputs);
    const Eigen::Map<const Matrix> dy(tape.gradients[l].data(), seen.rows(), layer.outputs);
    Eigen::Map<Matrix> d_weights(d_parameters.data() + offsets_[l], layer.patch(), layer.outputs);
    Eigen::Map<Vector> d_biases(d_parameters.data() + offsets_[l] + weights.size(), layer.outputs);
    d_weights.noalias() = seen.transpose() * dy;
    d_biases = dy.colwise().sum().transpose();
    if (l == 0 && d_input == nullptr) return;
    Matrix& dx = l > 0 ? tape.gradients[l - 1] : *d_input;
    if (layer.linear()) {
      dx.noalias() = dy * weights.transpose();
    } else {
      // The patches have been read for the last time: their gradient takes their place.
      tape.patches[l].noalias() = dy * weights.transpose();
      add_patches(layer, tape.patches[l], dx);
    }
    // Through the ReLU that made x: it passed where x is positive.
    if (l > 0) dx = (x.array() > S(0)).select(dx, S(0));
  }
}

template class Network<float>;
template class Network<double>;

}  // namespace example
