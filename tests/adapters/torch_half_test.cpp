#include <gtest/gtest.h>

#include <functional>

#include "adapters/tensors.hpp"
#include "support/errors.hpp"

// Rows of half and bfloat16: losses compute in float, and gradients have the type of the rows.

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

}  // namespace
}  // namespace adapters
