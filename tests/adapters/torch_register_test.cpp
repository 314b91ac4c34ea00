#include <gtest/gtest.h>

#include <nearfar/adapters/torch.hpp>

#include "adapters/tensors.hpp"

/// Every function over labels that comes from the register, beside its class: the same bits.

namespace adapters {
namespace {

using nearfar::Matrix;
using nearfar::Rows;

Rows<float> view(const Tensor& x) { return {x.data_ptr<float>(), x.size(0), x.size(1)}; }

void expect_equal(const Tensor& tensor, const Matrix<float>& matrix) {
  ASSERT_TRUE(tensor.defined());
  ASSERT_EQ(tensor.size(0), matrix.rows());
  for (Index k = 0; k < matrix.size(); ++k) {
    EXPECT_EQ(tensor.data_ptr<float>()[k], matrix.data()[k]);
  }
}

/// `call(tensors...)` is the function with its defaults.
template <class Line, class Call>
void expect_the_class(const Call& call) {
  SCOPED_TRACE(Line::name);
  const std::vector<std::int64_t> labels = {0, 1, 2, 0, 1, 2, 0, 1, 3};
  const std::vector<std::int64_t> others = {2, 1, 0, 0, 1, 2, 4};
  const Tensor x = rows(9, 5, 1).to(at::kFloat).requires_grad_(true);
  const Tensor y = rows(7, 5, 2).to(at::kFloat).requires_grad_(true);
  const typename Line::template Loss<float> loss(typename Line::Options{});
  Matrix<float> dx;
  Matrix<float> dy;

  const Tensor batch = call(x, at::tensor(labels));
  batch.backward();
  const double value = loss.forward_backward(view(x), labels, dx).value;
  EXPECT_EQ(batch.item<float>(), static_cast<float>(value));
  expect_equal(x.grad(), dx);

  x.mutable_grad().reset();
  const Tensor against = call(x, at::tensor(labels), y, at::tensor(others));
  against.backward();
  const double other = loss.forward_backward(view(x), labels, view(y), others, dx, dy).value;
  EXPECT_EQ(against.item<float>(), static_cast<float>(other));
  expect_equal(x.grad(), dx);
  expect_equal(y.grad(), dy);
}

TEST(LibTorchRegister, HasEachLossOverLabels) {
#define NEARFAR_EXPECT_THE_CLASS(name, ...)    \
  expect_the_class<nearfar::registered::name>( \
      [](const auto&... tensors) { return nearfar::libtorch::name(tensors...); });
  NEARFAR_LOSSES_OVER_LABELS(NEARFAR_EXPECT_THE_CLASS)
#undef NEARFAR_EXPECT_THE_CLASS
}

}  // namespace
}  // namespace adapters
