#include <torch/torch.h>

#include "suite.hpp"
#include "support/data.hpp"

/// The same losses through LibTorch's operators and autograd, where LibTorch is installed.

namespace {

using bench::RowMatrix;
using bench::Size;
using torch::Tensor;

template <class S>
Tensor leaf(RowMatrix<S>& x) {
  const auto type = sizeof(S) == sizeof(float) ? torch::kFloat32 : torch::kFloat64;
  return torch::from_blob(x.data(), {x.rows(), x.cols()}, type).clone().requires_grad_(true);
}

Tensor unit(const Tensor& x) {
  return torch::nn::functional::normalize(
      x, torch::nn::functional::NormalizeFuncOptions().p(2).dim(1));
}

Tensor info_nce(const Tensor& x, const Tensor& y) {
  const Tensor logits = torch::mm(unit(x), unit(y).t()) / bench::temperature;
  return torch::nn::functional::cross_entropy(logits, torch::arange(x.size(0)));
}

Tensor clip(const Tensor& x, const Tensor& y) {
  const Tensor logits = torch::mm(unit(x), unit(y).t()) / bench::temperature;
  const Tensor own = torch::arange(x.size(0));
  return (torch::nn::functional::cross_entropy(logits, own) +
          torch::nn::functional::cross_entropy(logits.t(), own)) /
         2;
}

Tensor nt_xent(const Tensor& view1, const Tensor& view2) {
  const auto n = view1.size(0);
  const Tensor z = unit(torch::cat({view1, view2}));
  const Tensor mask = torch::eye(2 * n, torch::kBool);
  const Tensor logits = (torch::mm(z, z.t()) / bench::temperature)
                            .masked_fill(mask, -std::numeric_limits<double>::infinity());
  const Tensor own = torch::cat({torch::arange(n) + n, torch::arange(n)});
  return torch::nn::functional::cross_entropy(logits, own);
}

Tensor sup_con(const Tensor& x, const Tensor& labels) {
  const auto n = x.size(0);
  const Tensor z = unit(x);
  const Tensor self = torch::eye(n, torch::kBool);
  const Tensor logits = torch::mm(z, z.t()) / bench::temperature;
  const Tensor all =
      torch::logsumexp(logits.masked_fill(self, -std::numeric_limits<double>::infinity()), 1);
  const Tensor positive =
      (labels.unsqueeze(0) == labels.unsqueeze(1)).logical_and(self.logical_not()).to(z.dtype());
  return (all - (logits * positive).sum(1) / positive.sum(1)).mean();
}

/// loss(tensors) and its gradients; memory is autograd's own affair and not counted.
template <class S, class Loss>
void run(benchmark::State& state, const Loss& loss, double units, const Size& size,
         std::vector<Tensor> leaves) {
  torch::set_num_threads(size.threads);
  bench::measure<S>(
      state, units, size,
      [&] {
        for (Tensor& x : leaves) x.mutable_grad() = Tensor();
        const Tensor value = loss(leaves);
        value.backward();
        return value.template item<double>();
      },
      [] { return 0.0; });
}

template <class S>
void add(const Size& size) {
  const auto one = [&](const char* name, double units, const auto& leaves, const auto& loss) {
    benchmark::RegisterBenchmark(
        bench::name_of<S>(std::string("libtorch/") + name, true, size).c_str(),
        [=](benchmark::State& state) { run<S>(state, loss, units, size, leaves()); })
        ->UseRealTime();
  };
  const auto views = [](Eigen::Index n, Eigen::Index d) {
    return [=] {
      bench::TwoViews<S> two(n, d);
      return std::vector<Tensor>{leaf(two.x), leaf(two.y)};
    };
  };
  using Leaves = std::vector<Tensor>;
  one("InfoNce", bench::info_nce_floor.forward_backward, views(size.n, size.d),
      [](const Leaves& x) { return info_nce(x[0], x[1]); });
  one("Clip", bench::clip_floor.forward_backward, views(size.n, size.d),
      [](const Leaves& x) { return clip(x[0], x[1]); });
  one("NtXent", bench::symmetric_floor.forward_backward, views(size.n / 2, size.d),
      [](const Leaves& x) { return nt_xent(x[0], x[1]); });
  one(
      "SupCon", bench::symmetric_floor.forward_backward,
      [=] {
        RowMatrix<S> x = bench::normal_rows<S>(size.n, size.d, 1);
        return Leaves{leaf(x)};
      },
      [labels = torch::tensor(bench::labels(size.n))](const Leaves& x) {
        return sup_con(x[0], labels);
      });
}

const bool added = [] {
  for (const int threads : {1, 2}) add<float>({4096, 128, threads});
  for (const Size& size : bench::growing_sizes()) add<float>(size);
  return true;
}();

}  // namespace
