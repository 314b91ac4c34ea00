#pragma once

#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <algorithm>
#include <cstdint>
#include <vector>

#include "common/dataset.hpp"

/// \file
/// An encoder of small images in LibTorch.

namespace example {

namespace nn = torch::nn;
using torch::Tensor;

/// Two convolutions, whose outputs are the representation, and the projection head.
class TorchEncoder {
 public:
  explicit TorchEncoder(const ImageSet& images)
      : height_(static_cast<std::int64_t>(images.height)),
        width_(static_cast<std::int64_t>(images.width)),
        body_(nn::Conv2d(nn::Conv2dOptions(1, 16, 3).stride(2).padding(1)), nn::ReLU(),
              nn::Conv2d(nn::Conv2dOptions(16, 32, 3).stride(2).padding(1)), nn::ReLU()),
        head_(nn::Linear(32 * ((height_ + 3) / 4) * ((width_ + 3) / 4), 256), nn::ReLU(),
              nn::Linear(256, 64)) {}

  /// One row for each image.
  Tensor represent(const Tensor& images) {
    return body_->forward(images.view({images.size(0), 1, height_, width_})).flatten(1);
  }
  Tensor embed(const Tensor& images) { return head_->forward(represent(images)); }

  std::vector<Tensor> parameters() const {
    std::vector<Tensor> all = body_->parameters();
    for (const Tensor& parameter : head_->parameters()) all.push_back(parameter);
    return all;
  }

 private:
  std::int64_t height_;
  std::int64_t width_;
  nn::Sequential body_;
  nn::Sequential head_;
};

/// The representation of the images `which`, without gradients, some at a time.
inline Pixels represent(TorchEncoder& encoder, const ImageSet& set, const PixelScale& scale,
                        const std::vector<std::size_t>& which) {
  constexpr std::size_t at_once = 500;
  const torch::NoGradGuard guard;
  Pixels out;
  for (std::size_t first = 0; first < which.size(); first += at_once) {
    const std::size_t count = std::min(at_once, which.size() - first);
    Pixels pixels;
    gather(set, std::span(which).subspan(first, count), scale, pixels);
    const Tensor rows =
        encoder.represent(torch::from_blob(pixels.data(), {pixels.rows(), pixels.cols()}));
    if (first == 0) out.resize(static_cast<Eigen::Index>(which.size()), rows.size(1));
    out.middleRows(static_cast<Eigen::Index>(first), rows.size(0)) =
        Eigen::Map<const Pixels>(rows.data_ptr<float>(), rows.size(0), rows.size(1));
  }
  return out;
}

}  // namespace example
