#include <c10/core/Allocator.h>
#include <gtest/gtest.h>
#include <torch/version.h>

#include <algorithm>
#include <functional>
#include <memory>

#include "adapters/tensors.hpp"
#include "support/errors.hpp"

// Rows of half and bfloat16: losses compute in float, and gradients have the type of the rows. The
// bits of each loss are tested beside its values in torch_test.cpp.

namespace adapters {
namespace {

using nearfar::Reduction;

using Call = std::function<Tensor(const std::vector<Tensor>&)>;

/// The call has the bits of the same call with rows of float, its gradients rounded.
void expect_floats_rounded(const std::vector<Tensor>& rows_of_double, const Call& call) {
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    std::vector<Tensor> narrow;
    std::vector<Tensor> wide;
    for (const Tensor& x : rows_of_double) {
      narrow.push_back(x.to(type).requires_grad_(true));
      wide.push_back(x.to(type).to(at::kFloat).requires_grad_(true));
    }
    const Tensor value = call(narrow);
    const Tensor expected = call(wide);
    EXPECT_EQ(value.scalar_type(), at::kFloat);
    EXPECT_TRUE(value.equal(expected));
    const Tensor upstream = at::linspace(0.5, 1.5, value.numel(), at::kFloat).view_as(value);
    value.backward(upstream);
    expected.backward(upstream);
    for (std::size_t k = 0; k < narrow.size(); ++k) {
      EXPECT_EQ(narrow[k].grad().scalar_type(), type);
      EXPECT_TRUE(narrow[k].grad().equal(wide[k].grad().to(type))) << k;
      EXPECT_GT(narrow[k].grad().abs().max().item<float>(), 0) << k;
    }
  }
}

/// Constants that all types hold, in the type of `like`.
Tensor eighths(const Tensor& x, const Tensor& like) {
  return (x * 8).round().div(8).to(like.scalar_type());
}

TEST(LibTorchHalf, LossesComputeInFloat) {
  const Tensor labels = integers({0, 1, 2, 0, 1, 2, 0, 1});
  const Tensor x = rows(8, 5, 1);
  const Tensor y = rows(8, 5, 2);
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    expect_floats_rounded({x, y}, [&](const auto& in) {
      return libtorch::info_nce(in[0], in[1], {.reduction = reduction});
    });
    expect_floats_rounded({x}, [&](const auto& in) {
      return libtorch::multi_similarity(in[0], labels, {.reduction = reduction});
    });
  }
  expect_floats_rounded({x, y, rows(6, 5, 3)}, [](const auto& in) {
    return libtorch::in_batch_info_nce(in[0], in[1],
                                       {.false_negatives = nearfar::FalseNegatives::drop},
                                       {.negatives = in[2],
                                        .guide_queries = in[0].detach(),
                                        .guide_keys = in[1].detach(),
                                        .guide_negatives = in[2].detach()});
  });
  expect_floats_rounded({x, rows(3, 5, 4)}, [&](const auto& in) {
    return libtorch::arc_face(
        in[0], labels,
        libtorch::TensorProxies(in[1]).margins(at::full({3}, 0.25, in[1].options())));
  });
  expect_floats_rounded({x, y}, [](const auto& in) {
    const Tensor target1 = eighths(rows(8, 5, 6), in[0]);
    const Tensor target2 = eighths(rows(8, 5, 7), in[0]);
    return libtorch::byol(in[0], in[1], target1, target2);
  });
  expect_floats_rounded({x, y}, [](const auto& in) {
    return libtorch::co_sent(in[0], in[1], eighths(rows(1, 8, 8).flatten(), in[0]));
  });
  expect_floats_rounded({x, y, rows(5, 5, 5)}, [](const auto& in) {
    return libtorch::info_nce(in[0], in[1], {}, {}, libtorch::BilinearTensor{in[2]});
  });
}

/// Each type beside each other, and beside float.
TEST(LibTorchHalf, EachSideHasATypeOfItsOwn) {
  const Tensor labels = integers({0, 1, 2, 0, 1, 2});
  const std::vector<at::ScalarType> types = {at::kHalf, at::kBFloat16, at::kFloat};
  for (const at::ScalarType of_queries : types) {
    for (const at::ScalarType of_references : types) {
      const Tensor x = rows(6, 5, 1).to(of_queries).requires_grad_(true);
      const Tensor y = rows(6, 5, 2).to(of_references).requires_grad_(true);
      const Tensor wide_x = x.detach().to(at::kFloat, false, true).requires_grad_(true);
      const Tensor wide_y = y.detach().to(at::kFloat, false, true).requires_grad_(true);
      const Tensor value = libtorch::sup_con(x, labels, y, labels);
      const Tensor expected = libtorch::sup_con(wide_x, labels, wide_y, labels);
      EXPECT_TRUE(value.equal(expected));
      (value * 3).backward();
      (expected * 3).backward();
      EXPECT_TRUE(x.grad().equal(wide_x.grad().to(of_queries)));
      EXPECT_TRUE(y.grad().equal(wide_y.grad().to(of_references)));
    }
  }
}

/// A gradient in bfloat16 that is multiplied by 0.7 is rounded twice.
TEST(LibTorchHalf, GradientsAreRoundedOnce) {
  const Tensor x = rows(40, 16, 1).to(at::kBFloat16).requires_grad_(true);
  const Tensor wide = x.detach().to(at::kFloat).requires_grad_(true);
  const Tensor labels = at::arange(40, at::kLong).remainder(5);
  (libtorch::sup_con(x, labels) * 0.7).backward();
  libtorch::sup_con(wide, labels).backward();
  const Tensor once = (wide.grad() * 0.7).to(at::kBFloat16);
  const Tensor twice = wide.grad().to(at::kBFloat16) * 0.7;
  EXPECT_TRUE(x.grad().equal(once));
  EXPECT_FALSE(once.equal(twice)) << "the batch can't tell them apart";
}

/// During its life, adds up the memory that the thread's tensors take.
class TensorBytes {
 public:
  TensorBytes() : guard_(c10::DebugInfoKind::PROFILER_STATE, counter_) {}
  std::int64_t taken() const { return counter_->taken; }

 private:
#if TORCH_VERSION_MAJOR >= 2
  using Total = std::size_t;
#else
  using Total = std::int64_t;
#endif
  struct Counter : c10::MemoryReportingInfoBase {
    std::int64_t taken = 0;
    void reportMemoryUsage(void*, std::int64_t bytes, Total, Total, c10::Device) override {
      taken += std::max<std::int64_t>(bytes, 0);
    }
    bool memoryProfilingEnabled() const override { return true; }
  };

  std::shared_ptr<Counter> counter_ = std::make_shared<Counter>();
  c10::DebugInfoGuard guard_;
};

/// Memory of tensors: no copy of the rows; one gradient in float, and in the type of the rows.
TEST(LibTorchHalf, RowsAreNotCopied) {
  constexpr std::int64_t n = 200;
  constexpr std::int64_t width = 32;
  constexpr std::int64_t small = 1024;  // values and the like
  const Tensor labels = at::arange(n, at::kLong).remainder(7);
  const auto calls = [&](const Tensor& x, const Tensor& y, Reduction reduction) {
    return std::vector<std::function<Tensor()>>{
        [=] { return libtorch::info_nce(x, y, {.reduction = reduction}); },
        [=] { return libtorch::sup_con(x, labels, y, labels, {.reduction = reduction}); },
        [=] { return libtorch::byol(x, y, y.detach(), x.detach(), {.reduction = reduction}); },
        [=] {
          return libtorch::in_batch_info_nce(
              x, y, {.false_negatives = nearfar::FalseNegatives::drop, .reduction = reduction},
              {.guide_queries = x.detach(), .guide_keys = y.detach()});
        }};
  };
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    const Tensor x = rows(n, width, 1).to(type);
    const Tensor y = rows(n, width, 2).to(type);
    const Tensor wide = x.to(at::kFloat);
    {
      const TensorBytes bytes;
      EXPECT_EQ(x.to(at::kFloat).numel(), x.numel());
      EXPECT_EQ(bytes.taken(), n * width * 4) << "copies are not counted";
    }
    for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
      const std::int64_t values = reduction == Reduction::none ? n * 4 : 0;
      for (const auto& call : calls(x, y, reduction)) {
        const TensorBytes bytes;
        call();
        EXPECT_LE(bytes.taken(), values + small);
      }
      const Tensor leaf = x.detach().clone().requires_grad_(true);
      for (const auto& call : calls(leaf, y, reduction)) {
        const Tensor value = call().sum();
        leaf.mutable_grad() = Tensor();
        const TensorBytes bytes;
        call().sum().backward();
        EXPECT_LE(bytes.taken(), n * width * (4 + 2) + 4 * (values + small));
      }
    }
    const TensorBytes bytes;
    libtorch::retrieval(x, labels);
    libtorch::knn_accuracy(x, labels, y, labels);
    EXPECT_LE(bytes.taken(), small);
    libtorch::nearest_keys(x, y, {.k = 2});
    EXPECT_LE(bytes.taken(), small + n * 2 * (8 + 4) + n * 8);
  }
}

TEST(LibTorchHalf, MetricsComputeInFloat) {
  const Tensor labels = integers({0, 1, 2, 0, 1, 2, 0, 1});
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    const Tensor x = rows(8, 5, 1).to(type);
    const Tensor y = rows(8, 5, 2).to(type);
    const Tensor wide_x = x.to(at::kFloat);
    const Tensor wide_y = y.to(at::kFloat);
    EXPECT_EQ(libtorch::retrieval(x, labels).map_at_r,
              libtorch::retrieval(wide_x, labels).map_at_r);
    EXPECT_EQ(libtorch::retrieval(x, labels, wide_y, labels).map_at_r,
              libtorch::retrieval(wide_x, labels, wide_y, labels).map_at_r);
    EXPECT_EQ(libtorch::knn_accuracy(x, labels, {.k = 3}).accuracy,
              libtorch::knn_accuracy(wide_x, labels, {.k = 3}).accuracy);
    const libtorch::BilinearTensor w{rows(5, 5, 3).to(type)};
    const libtorch::BilinearTensor wide_w{w.matrix.to(at::kFloat)};
    const auto found = libtorch::nearest_keys(x, y, {.k = 3}, {}, w);
    const auto expected = libtorch::nearest_keys(wide_x, wide_y, {.k = 3}, {}, wide_w);
    EXPECT_EQ(found.scores.scalar_type(), at::kFloat);
    EXPECT_TRUE(found.scores.equal(expected.scores));
    EXPECT_TRUE(found.indices.equal(expected.indices));
  }
}

/// The bits of the class, in calls under the guard alone and in their backward.
TEST(LibTorchHalf, ProductsInBfloat16AreThoseOfTheClass) {
  using nearfar::Products;
  if (!nearfar::has_bfloat16_products()) {
    GTEST_SKIP() << "no AVX-512 BF16, or another instruction set is active";
  }
  using Stored = nearfar::Matrix<Eigen::bfloat16>;
  const auto matrix_of = [](const Tensor& x) {
    const auto* data = static_cast<const Eigen::bfloat16*>(x.data_ptr());
    return Stored(Eigen::Map<const Stored>(data, x.size(0), x.size(1)));
  };
  const auto bits = [](const Tensor& x, const nearfar::Matrix<float>& y) {
    return x.equal(at::from_blob(const_cast<float*>(y.data()), {y.rows(), y.cols()}, at::kFloat)
                       .to(x.scalar_type()));
  };
  const Tensor x = rows(70, 33, 1).to(at::kBFloat16).requires_grad_(true);
  const Tensor y = rows(90, 33, 2).to(at::kBFloat16);
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    const nearfar::InfoNce<float> loss({.temperature = 0.1, .reduction = reduction});
    nearfar::Matrix<float> dx;
    const auto expected = loss.forward_backward(
        matrix_of(x), matrix_of(y), dx, nearfar::no_gradient, {.products = Products::bfloat16});
    const auto call = [&] {
      return libtorch::info_nce(x, y, {.temperature = 0.1, .reduction = reduction});
    };
    const Tensor value = [&] {
      const libtorch::ProductsGuard guard(Products::bfloat16);
      {
        const libtorch::ProductsGuard inner(Products::scalar);
        EXPECT_EQ(libtorch::ProductsGuard::current(), Products::scalar);
      }
      return call();
    }();
    EXPECT_EQ(libtorch::ProductsGuard::current(), Products::scalar);
    if (reduction == Reduction::mean) {
      EXPECT_EQ(value.item<float>(), static_cast<float>(expected.value));
    } else {
      EXPECT_TRUE(value.equal(at::tensor(expected.values, at::kFloat)));
    }
    x.mutable_grad() = Tensor();
    value.sum().backward();
    EXPECT_TRUE(bits(x.grad(), dx));
    x.mutable_grad() = Tensor();
    call().sum().backward();
    EXPECT_FALSE(bits(x.grad(), dx)) << "the guard makes no difference";
  }
}

TEST(LibTorchHalf, ProductsInBfloat16AreRefusedElsewhere) {
  const libtorch::ProductsGuard guard(nearfar::Products::bfloat16);
  const auto refused = [](const auto& call) {
    return support::caught(call).message.find("products: wanted Products::scalar") !=
           std::string::npos;
  };
  const Tensor labels = integers({0, 1, 2, 0, 1, 2});
  const Tensor x = rows(6, 4, 1).to(at::kBFloat16);
  EXPECT_TRUE(refused([&] { libtorch::info_nce(x.to(at::kFloat), x); }));
  EXPECT_TRUE(refused([&] { libtorch::info_nce(x.to(at::kDouble), x.to(at::kDouble)); }));
  EXPECT_TRUE(refused([&] { libtorch::multi_similarity(x, labels); }));
  EXPECT_TRUE(refused([&] { libtorch::retrieval(x, labels); }));
}

TEST(LibTorchHalf, LearntNumbersKeepTheirType) {
  const Tensor scale = at::full({}, 5, at::kBFloat16).requires_grad_(true);
  libtorch::clip(rows(6, 4, 1).to(at::kFloat), rows(6, 4, 2).to(at::kFloat), {},
                 {.logit_scale = scale})
      .backward();
  EXPECT_EQ(scale.grad().scalar_type(), at::kBFloat16);
  EXPECT_NE(scale.grad().item<double>(), 0);
}

/// A linear layer under autocast has bfloat16, the weights of classes stay float.
TEST(LibTorchHalf, StandsBesideFloat) {
  const Tensor x = rows(6, 4, 1).to(at::kBFloat16).requires_grad_(true);
  const Tensor weight = rows(2, 4, 2).to(at::kFloat).requires_grad_(true);
  const Tensor labels = integers({0, 1, 0, 1, 0, 1});
  const Tensor value = libtorch::normalized_softmax(x, labels, weight);
  value.backward();
  EXPECT_EQ(x.grad().scalar_type(), at::kBFloat16);
  EXPECT_EQ(weight.grad().scalar_type(), at::kFloat);
  EXPECT_TRUE(value.equal(libtorch::normalized_softmax(x.to(at::kFloat), labels, weight)));
}

TEST(LibTorchHalf, IsRefusedBesideDouble) {
  const Tensor x = rows(6, 4, 1);
  try {
    libtorch::info_nce(x, x.to(at::kHalf));
    ADD_FAILURE() << "no error";
  } catch (const c10::Error& error) {
    EXPECT_NE(error.msg().find("keys: wanted Double as queries, got Half"), std::string::npos)
        << error.msg();
  }
}

TEST(LibTorchHalf, OtherTypesAreNamed) {
  const Tensor x = rows(6, 4, 1).to(at::kLong);
  const Tensor labels = integers({0, 1, 0, 1, 0, 1});
  const std::vector<std::function<void()>> calls = {
      [&] { libtorch::info_nce(x, x); }, [&] { libtorch::retrieval(x, labels); },
      [&] { libtorch::knn_accuracy(x, labels); }, [&] { libtorch::nearest_keys(x); }};
  for (const auto& call : calls) {
    try {
      call();
      ADD_FAILURE() << "no error";
    } catch (const c10::Error& error) {
      EXPECT_NE(error.msg().find("wanted float, double, half or bfloat16, got Long"),
                std::string::npos)
          << error.msg();
    }
  }
}

}  // namespace
}  // namespace adapters
