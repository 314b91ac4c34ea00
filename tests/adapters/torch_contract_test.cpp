#include <gtest/gtest.h>
#include <torch/autograd.h>
#include <torch/nn/modules/activation.h>
#include <torch/nn/modules/container/sequential.h>
#include <torch/nn/modules/linear.h>

#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "adapters/reference_losses.hpp"
#include "adapters/tensors.hpp"
#include "support/errors.hpp"

// Promises of the adapter for all losses: what is computed and what is not, graphs, memory,
// threads.

namespace adapters {
namespace {

using nearfar::Reduction;
using support::caught;
using support::Thrown;

// ---- what is computed
// ------------------------------------------------------------------------------

TEST(LibTorch, ValueAndGradientsAreThoseOfTheLoss) {
  const Tensor x = leaf(20, 6, 1);
  const Tensor y = leaf(23, 6, 2);
  const Tensor value = libtorch::info_nce(x, y, {.temperature = 0.2});
  value.backward();
  nearfar::Matrix<double> dx, dy;
  const auto result =
      nearfar::InfoNce<double>({.temperature = 0.2}).forward_backward(matrix(x), matrix(y), dx, dy);
  EXPECT_EQ(value.item<double>(), result.value);
  EXPECT_TRUE(same(x.grad(), dx));
  EXPECT_TRUE(same(y.grad(), dy));
}

/// A loss that records the gradients it is called for.
struct Noted {
  struct Call {
    std::vector<bool> wanted;
    bool backward;
  };
  std::shared_ptr<std::vector<Call>> calls = std::make_shared<std::vector<Call>>();

  Tensor of(const std::vector<Tensor>& inputs, bool value_a_row) const {
    libtorch::detail::BoundLoss loss;
    loss.value_a_row = value_a_row;
    loss.evaluate = [=, its = calls](at::TensorList x, const std::vector<bool>& wanted,
                                     const nearfar::Upstream* upstream) {
      its->push_back({wanted, upstream != nullptr});
      libtorch::detail::Evaluation out;
      out.value = value_a_row ? x[0].sum(1) : x[0].sum();
      out.gradients.resize(x.size());
      for (std::size_t i = 0; i < x.size(); ++i) {
        if (wanted[i]) out.gradients[i] = at::ones_like(x[i]);
      }
      return out;
    };
    return libtorch::detail::differentiable(inputs, loss);
  }
};

using Wanted = std::vector<bool>;

TEST(LibTorch, AGradientThatIsNotRequiredIsNotComputed) {
  const Noted noted;
  noted.of({leaf(3, 2, 1), rows(3, 2, 2)}, false).backward();
  ASSERT_EQ(noted.calls->size(), 1u);  // value and gradient in one go
  EXPECT_TRUE(noted.calls->front().backward);
  EXPECT_EQ(noted.calls->front().wanted, (Wanted{true, false}));
}

TEST(LibTorch, WithoutGradientsACallIsAForwardPass) {
  const Noted noted;
  EXPECT_FALSE(noted.of({rows(3, 2, 1), rows(3, 2, 2)}, false).requires_grad());
  {
    const at::NoGradGuard guard;
    EXPECT_FALSE(noted.of({leaf(3, 2, 1), leaf(3, 2, 2)}, false).requires_grad());
  }
  ASSERT_EQ(noted.calls->size(), 2u);
  for (const auto& call : *noted.calls) EXPECT_FALSE(call.backward);
}

TEST(LibTorch, AValueARowIsDifferentiatedInBackwardByTheInputsThatRequireIt) {
  const Noted noted;
  const Tensor x = leaf(3, 2, 1);
  const Tensor y = leaf(3, 2, 2);
  const Tensor value = noted.of({x, y}, true);
  ASSERT_EQ(noted.calls->size(), 1u);
  EXPECT_FALSE(noted.calls->front().backward);
  torch::autograd::grad({value.sum()}, {y});
  ASSERT_EQ(noted.calls->size(), 2u);
  EXPECT_EQ(noted.calls->back().wanted, (Wanted{false, true}));
}

TEST(LibTorch, NoGradModeChangesNoValue) {
  const Tensor x = leaf(10, 4, 1);
  const Tensor y = leaf(10, 4, 2);
  const double value = libtorch::nt_xent(x, y).item<double>();
  const at::NoGradGuard guard;
  const Tensor again = libtorch::nt_xent(x, y);
  EXPECT_FALSE(again.requires_grad());
  EXPECT_EQ(again.item<double>(), value);
}

TEST(LibTorch, OneSideAlone) {
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    const Tensor x = leaf(10, 4, 1);
    const Tensor y = leaf(10, 4, 2);
    libtorch::clip(x, y, {.reduction = reduction}).sum().backward();
    const Tensor alone = leaf(10, 4, 2);
    const Tensor other = rows(10, 4, 1);
    libtorch::clip(other, alone, {.reduction = reduction}).sum().backward();
    EXPECT_FALSE(other.grad().defined());
    EXPECT_TRUE(alone.grad().equal(y.grad()));
  }
}

// ---- graphs
// ----------------------------------------------------------------------------------------

TEST(LibTorch, GradientsFlowIntoModules) {
  torch::manual_seed(1);
  torch::nn::Sequential encoder(torch::nn::Linear(6, 8), torch::nn::Tanh(),
                                torch::nn::Linear(8, 3));
  encoder->to(at::kDouble);
  const Tensor x = rows(16, 6, 1);
  const Tensor labels = at::arange(16, at::kLong).remainder(4);
  const auto gradients = [&](const Tensor& loss) {
    encoder->zero_grad();
    loss.backward();
    std::vector<Tensor> out;
    for (const Tensor& parameter : encoder->parameters()) out.push_back(parameter.grad().clone());
    return out;
  };
  const auto ours = gradients(libtorch::sup_con(encoder->forward(x), labels));
  const Tensor y = encoder->forward(x);
  const Tensor expected =
      reference::sup_con(reference::cosine(y, y) / 0.1, reference::Pairs(labels), false)
          .reduced(Reduction::mean);
  const auto theirs = gradients(expected);
  ASSERT_EQ(ours.size(), 4u);
  for (std::size_t k = 0; k < ours.size(); ++k) {
    EXPECT_TRUE(at::allclose(ours[k], theirs[k], 1e-9, 1e-10)) << k;
    EXPECT_GT(ours[k].abs().max().item<double>(), 1e-3);
  }
}

TEST(LibTorch, KeptGradientsAreNotShared) {
  const Tensor x = leaf(10, 4, 1);
  const Tensor y = rows(10, 4, 2);
  const Tensor value = libtorch::info_nce(x, y);
  value.backward({}, /*retain_graph=*/true);
  const Tensor gradient = x.grad().clone();
  x.grad().zero_();
  value.backward();
  EXPECT_TRUE(x.grad().equal(gradient));
  EXPECT_THROW(value.backward(), c10::Error);  // freed
}

TEST(LibTorch, InputsThatChangeBeforeBackwardAreAnErrorWhereTheyAreNeeded) {
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    const Tensor x = leaf(10, 4, 1);
    const Tensor y = rows(10, 4, 2);
    const Tensor value = libtorch::info_nce(x, y, {.reduction = reduction}).sum();
    y.mul_(2);
    if (reduction == Reduction::mean) {
      EXPECT_NO_THROW(value.backward());
    } else {
      EXPECT_THROW(value.backward(), c10::Error);
    }
  }
}

TEST(LibTorch, SecondDerivativesAreRefused) {
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    const Tensor x = leaf(10, 4, 1);
    const Tensor y = leaf(10, 4, 2);
    const Tensor value = libtorch::info_nce(x, y, {.reduction = reduction}).sum();
    // A graph of the gradient is no error as long as nobody follows it.
    const auto gradients = torch::autograd::grad({value}, {x, y}, {}, {}, /*create_graph=*/true);
    const auto plain =
        torch::autograd::grad({libtorch::info_nce(x, y, {.reduction = reduction}).sum()}, {x, y});
    EXPECT_TRUE(gradients[0].equal(plain[0]));
    ASSERT_TRUE(gradients[0].requires_grad());
    const auto got = caught([&] { gradients[0].square().sum().backward(); });
    EXPECT_EQ(got.type, Thrown::something_else);
    EXPECT_NE(got.message.find("differentiated once"), std::string::npos) << got.message;
    EXPECT_THROW(gradients[1].sum().backward(), c10::Error);
  }
}

// ---- memory
// ----------------------------------------------------------------------------------------

TEST(LibTorch, RowsAreReadWhereTheyAre) {
  const Tensor wide = rows(12, 9, 1);
  const Tensor part = wide.narrow(1, 2, 5);                 // a stride from row to row
  const Tensor every_other = wide.slice(0, 0, 12, 2);       // likewise
  const Tensor one = wide.narrow(0, 3, 1).narrow(1, 0, 4);  // a single row
  const Tensor column = wide.select(1, 3).unsqueeze(1);     // rows of one element
  for (const Tensor& x : {wide, part, every_other, one, column}) {
    EXPECT_EQ(libtorch::detail::matrix_of(x).data_ptr(), x.data_ptr()) << x.strides();
  }
  const Tensor transposed = rows(5, 12, 2).t();
  const Tensor repeated = rows(1, 5, 3).expand({12, 5});
  for (const Tensor& x : {transposed, repeated}) {
    EXPECT_NE(libtorch::detail::matrix_of(x).data_ptr(), x.data_ptr()) << x.strides();
  }
}

TEST(LibTorch, StridesChangeNothing) {
  const Tensor wide = rows(12, 9, 1);
  const Tensor fixed = rows(12, 5, 4);
  const Tensor labels = at::arange(12, at::kLong).remainder(3);
  for (const Tensor& view : {wide.narrow(1, 2, 5), rows(5, 12, 2).t(),
                             rows(1, 5, 3).expand({12, 5}), rows(24, 5, 5).slice(0, 0, 24, 2)}) {
    for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
      const Tensor strided = view.detach().requires_grad_(true);
      const Tensor plain = view.clone(at::MemoryFormat::Contiguous).requires_grad_(true);
      const auto loss = [&](const Tensor& x) {
        return libtorch::info_nce(fixed, x, {.reduction = reduction}).sum() +
               libtorch::mined_triplet(x, labels, {.reduction = reduction}).sum();
      };
      const Tensor value = loss(strided);
      value.backward();
      const Tensor expected = loss(plain);
      expected.backward();
      EXPECT_TRUE(value.equal(expected)) << view.strides();
      EXPECT_TRUE(strided.grad().equal(plain.grad())) << view.strides();
    }
  }
  // Labels with a stride.
  const Tensor pairs = at::stack({labels, labels + 7}, 1);
  EXPECT_TRUE(libtorch::sup_con(fixed, pairs.select(1, 0)).equal(libtorch::sup_con(fixed, labels)));
}

TEST(LibTorch, AnEmptyBatch) {
  const Tensor x = at::empty({0, 5}).requires_grad_(true);
  const Tensor y = at::empty({0, 5}).requires_grad_(true);
  const Tensor value = libtorch::nt_xent(x, y);
  value.backward();
  EXPECT_EQ(value.item<double>(), 0);
  EXPECT_EQ(x.grad().sizes(), x.sizes());
}

TEST(LibTorch, ThreadsAreLibTorchsSetting) {
  const int before = at::get_num_threads();
  const Tensor x = leaf(300, 16, 1);
  const Tensor y = rows(300, 16, 2);
  std::optional<Tensor> gradient;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    x.mutable_grad() = Tensor();
    libtorch::info_nce(x, y).backward();
    EXPECT_EQ(libtorch::workspace().threads(), threads);
    if (gradient) {
      EXPECT_TRUE(x.grad().equal(*gradient));
    }
    gradient = x.grad();
  }
  at::set_num_threads(before);
}

TEST(LibTorch, AThreadKeepsItsWorkspace) {
  const auto call = [] { libtorch::info_nce(leaf(100, 16, 1), rows(100, 16, 2)).backward(); };
  libtorch::free_workspace();
  EXPECT_EQ(libtorch::workspace().bytes(), 0u);
  call();
  const auto held = libtorch::workspace().bytes();
  EXPECT_GT(held, 0u);
  call();
  EXPECT_EQ(libtorch::workspace().bytes(), held);
  std::thread([&] {
    EXPECT_EQ(libtorch::workspace().bytes(), 0u);
    call();
  }).join();
  EXPECT_EQ(libtorch::workspace().bytes(), held);
}

}  // namespace
}  // namespace adapters
