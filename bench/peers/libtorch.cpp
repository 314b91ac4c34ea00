#include "peers/libtorch.hpp"

#include <torch/torch.h>

#include <functional>

namespace bench {

namespace {

using torch::Tensor;

template <class S>
Tensor tensor_of(const S* data, std::ptrdiff_t rows, std::ptrdiff_t cols) {
  const auto type = sizeof(S) == sizeof(float) ? torch::kFloat32 : torch::kFloat64;
  return torch::from_blob(const_cast<S*>(data), {rows, cols}, type);
}

/// Logits of rows x and y.
template <class S>
Tensor logits_of(const Batch<S>& b, const Tensor& x, const Tensor& y) {
  const auto scored = [&](const Tensor& rows) {
    return b.kernel == Kernel::cosine
               ? torch::nn::functional::normalize(
                     rows, torch::nn::functional::NormalizeFuncOptions().p(2).dim(1))
               : rows;
  };
  return torch::mm(scored(x), scored(y).t()) / b.temperature;
}

template <class S>
Tensor info_nce(const Batch<S>& b, const Tensor& x, const Tensor& y) {
  return torch::nn::functional::cross_entropy(logits_of(b, x, y), torch::arange(b.n));
}

template <class S>
Tensor clip(const Batch<S>& b, const Tensor& x, const Tensor& y) {
  const Tensor logits = logits_of(b, x, y);
  const Tensor own = torch::arange(b.n);
  return (torch::nn::functional::cross_entropy(logits, own) +
          torch::nn::functional::cross_entropy(logits.t(), own)) /
         2;
}

template <class S>
Tensor nt_xent(const Batch<S>& b, const Tensor& x, const Tensor&) {
  const Tensor logits = logits_of(b, x, x).masked_fill(torch::eye(b.n, torch::kBool),
                                                       -std::numeric_limits<double>::infinity());
  const Tensor first = torch::arange(b.n / 2);
  return torch::nn::functional::cross_entropy(logits, torch::cat({first + b.n / 2, first}));
}

template <class S>
Tensor sup_con(const Batch<S>& b, const Tensor& x, const Tensor&) {
  const Tensor labels = torch::from_blob(const_cast<int*>(b.labels), {b.n}, torch::kInt32);
  const Tensor self = torch::eye(b.n, torch::kBool);
  const Tensor logits = logits_of(b, x, x);
  const Tensor all =
      torch::logsumexp(logits.masked_fill(self, -std::numeric_limits<double>::infinity()), 1);
  const Tensor positive =
      (labels.unsqueeze(0) == labels.unsqueeze(1)).logical_and(self.logical_not()).to(x.dtype());
  return (all - (logits * positive).sum(1) / positive.sum(1)).mean();
}

/// Operators and autograd.
template <class S>
class Torch final : public Peer<S> {
 public:
  using Evaluate = Tensor (*)(const Batch<S>&, const Tensor&, const Tensor&);

  Torch(const Batch<S>& b, Evaluate evaluate)
      : b_(b),
        evaluate_(evaluate),
        x_(tensor_of(b.x, b.n, b.d).clone().requires_grad_(true)),
        y_(b.is_symmetric() ? x_ : tensor_of(b.y, b.m, b.d).clone().requires_grad_(true)) {
    torch::set_num_threads(b.threads);
  }

  double call() override {
    x_.mutable_grad() = Tensor();
    y_.mutable_grad() = Tensor();
    const Tensor value = evaluate_(b_, x_, y_);
    value.backward();
    return value.template item<double>();
  }
  void fetch() override {
    tensor_of(b_.dx, b_.n, b_.d).copy_(x_.grad());
    if (!b_.is_symmetric()) tensor_of(b_.dy, b_.m, b_.d).copy_(y_.grad());
  }
  double extra_bytes() const override { return 0; }

 private:
  Batch<S> b_;
  Evaluate evaluate_;
  Tensor x_;
  Tensor y_;
};

/// InfoNCE of inner products over chunks of queries: logits of one chunk at a time, no larger than
/// the rows, whose gradients are computed at once. Queries are samples, keys the weights of a
/// linear layer, as in PyTorch's linear_cross_entropy.
template <class S>
class ChunkedTorch final : public Peer<S> {
 public:
  explicit ChunkedTorch(const Batch<S>& b)
      : b_(b), x_(tensor_of(b.x, b.n, b.d)), y_(tensor_of(b.y, b.m, b.d)) {
    torch::set_num_threads(b.threads);
    while (chunk_ * b.m < b.n * b.d) chunk_ *= 2;
  }

  double call() override {
    const torch::NoGradGuard no_grad;
    dx_ = torch::empty_like(x_);
    dy_ = torch::zeros_like(y_);
    const double share = 1 / (b_.temperature * static_cast<double>(b_.n));
    double sum = 0;
    for (std::ptrdiff_t first = 0; first < b_.n; first += chunk_) {
      const std::ptrdiff_t size = std::min(chunk_, b_.n - first);
      const Tensor x = x_.narrow(0, first, size);
      Tensor logits = torch::mm(x, y_.t()).div_(b_.temperature);
      const Tensor all = torch::logsumexp(logits, 1, true);
      sum += (all.sum() - logits.diagonal(first).sum()).template item<double>();
      logits.sub_(all).exp_();
      logits.diagonal(first).sub_(1);
      logits.mul_(share);
      Tensor dx = dx_.narrow(0, first, size);
      torch::mm_out(dx, logits, y_);
      dy_.addmm_(logits.t(), x);
    }
    return sum / static_cast<double>(b_.n);
  }
  void fetch() override {
    tensor_of(b_.dx, b_.n, b_.d).copy_(dx_);
    tensor_of(b_.dy, b_.m, b_.d).copy_(dy_);
  }
  double extra_bytes() const override {
    return static_cast<double>(std::min(chunk_, b_.n) * b_.m) * sizeof(S);
  }

 private:
  Batch<S> b_;
  Tensor x_;
  Tensor y_;
  Tensor dx_;
  Tensor dy_;
  std::ptrdiff_t chunk_ = 64;
};

}  // namespace

template <class S>
Peer<S>* libtorch(const Batch<S>& batch) {
  if (batch.kernel != Kernel::cosine && batch.kernel != Kernel::inner_product) return nullptr;
  if (batch.loss == Loss::info_nce) return new Torch<S>(batch, info_nce<S>);
  if (batch.loss == Loss::clip) return new Torch<S>(batch, clip<S>);
  if (batch.loss == Loss::nt_xent) return new Torch<S>(batch, nt_xent<S>);
  if (batch.loss == Loss::sup_con) return new Torch<S>(batch, sup_con<S>);
  return nullptr;
}

template <class S>
Peer<S>* libtorch_chunked(const Batch<S>& batch) {
  const bool its = batch.loss == Loss::info_nce && batch.kernel == Kernel::inner_product;
  return its ? new ChunkedTorch<S>(batch) : nullptr;
}

template Peer<float>* libtorch(const Batch<float>&);
template Peer<double>* libtorch(const Batch<double>&);
template Peer<float>* libtorch_chunked(const Batch<float>&);
template Peer<double>* libtorch_chunked(const Batch<double>&);

}  // namespace bench
