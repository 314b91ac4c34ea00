#include <gtest/gtest.h>

#include <nearfar/adapters/torch.hpp>

#include "adapters/tensors.hpp"
#include "support/drawn_batches.hpp"

/// Every function over labels that comes from the register, beside its class: the same bits.

namespace adapters {
namespace {

using nearfar::Matrix;

void expect_equal(const Tensor& tensor, const Matrix<float>& matrix) {
  ASSERT_TRUE(tensor.defined());
  ASSERT_EQ(tensor.size(0), matrix.rows());
  for (Index k = 0; k < matrix.size(); ++k) {
    EXPECT_EQ(tensor.data_ptr<float>()[k], matrix.data()[k]);
  }
}

/// `call(tensors...)` is the function with its defaults. Batches are those that tests of the C
/// interface draw.
template <class Line, class Call>
void expect_the_class(const Call& call) {
  SCOPED_TRACE(Line::name);
  const typename Line::template Loss<float> loss(typename Line::Options{});
  for (std::uint64_t k = 0; k < 2 * support::kinds_of_batches; ++k) {
    const auto own = support::drawn_batch<float>(k, 5);
    const auto others = support::drawn_batch<float>(k + 3, 5);
    SCOPED_TRACE(own.name + " against " + others.name);
    const Tensor x = leaf_of(own.x);
    const Tensor y = leaf_of(others.x);
    Matrix<float> dx;
    Matrix<float> dy;

    const Tensor batch = call(x, at::tensor(own.labels));
    batch.backward();
    const double value = loss.forward_backward(own.x, own.labels, dx).value;
    EXPECT_EQ(batch.item<float>(), static_cast<float>(value));
    expect_equal(x.grad(), dx);

    x.mutable_grad().reset();
    const Tensor against = call(x, at::tensor(own.labels), y, at::tensor(others.labels));
    against.backward();
    const double other =
        loss.forward_backward(own.x, own.labels, others.x, others.labels, dx, dy).value;
    EXPECT_EQ(against.item<float>(), static_cast<float>(other));
    expect_equal(x.grad(), dx);
    expect_equal(y.grad(), dy);
  }
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
