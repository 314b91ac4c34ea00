#include <nearfar/core/instruction_set.hpp>
#include <string>

#include "c/same_bits.hpp"

/// Rows and gradients in 16 bits, and products of them, through the C interface are those of the
/// C++ classes.

namespace {

using namespace support;

template <class T>
class CRowsIn16Bits : public testing::Test {
 protected:
  static constexpr nearfar_scalar scalar =
      std::is_same_v<T, Eigen::half> ? NEARFAR_HALF : NEARFAR_BFLOAT16;
  static nearfar_rows rows(const Matrix<T>& m) { return {m.data(), m.rows(), m.cols(), 0, scalar}; }
  static nearfar_gradient gradient(Matrix<T>& m) {
    return {m.data(), m.rows(), m.cols(), 0, scalar, NEARFAR_OVERWRITE};
  }
};
using Types = testing::Types<Eigen::bfloat16, Eigen::half>;
TYPED_TEST_SUITE(CRowsIn16Bits, Types);

TYPED_TEST(CRowsIn16Bits, AreTakenBesideRowsInFloat) {
  using T = TypeParam;
  const Matrix<T> queries = random_rows<float>(6, 5, 1).template cast<T>();
  const Matrix<float> keys = random_rows<float>(6, 5, 2);
  Matrix<T> wanted;
  const auto same =
      nearfar::InfoNce<float>().forward_backward(queries, keys, wanted, nearfar::no_gradient);

  const CLoss loss = made(nearfar_info_nce_create, defaults(nearfar_info_nce_options_init));
  nearfar_result result = defaults(nearfar_result_init);
  const nearfar_rows x = TestFixture::rows(queries);
  nearfar_rows y = nearfar_float_rows(keys.data(), 6, 5);
  Matrix<T> got = Matrix<T>::Zero(6, 5);
  const nearfar_gradient dx = TestFixture::gradient(got);
  ASSERT_EQ(nearfar_two_sets_forward_backward(loss.get(), &x, &y, nullptr, &dx, nullptr, nullptr,
                                              &result),
            NEARFAR_OK)
      << nearfar_last_error();
  EXPECT_EQ(result.value, same.value);
  EXPECT_EQ(got.template cast<float>(), wanted.template cast<float>());

  const Matrix<double> other = keys.cast<double>();
  y = nearfar_double_rows(other.data(), 6, 5);
  EXPECT_EQ(nearfar_two_sets_forward(loss.get(), &x, &y, nullptr, nullptr, &result),
            NEARFAR_INVALID_ARGUMENT);
}

/// Two sets of bfloat16 and a call that may multiply them as such.
class CProducts : public testing::Test {
 protected:
  CProducts() { call.products = NEARFAR_PRODUCTS_BFLOAT16; }

  nearfar_status forward_backward(const nearfar_loss* loss, const nearfar_gradient* dx) {
    return nearfar_two_sets_forward_backward(loss, &x, &y, nullptr, dx, nullptr, &call, &result);
  }

  Matrix<Eigen::bfloat16> queries = random_rows<float>(70, 33, 1).cast<Eigen::bfloat16>();
  Matrix<Eigen::bfloat16> keys = random_rows<float>(90, 33, 2).cast<Eigen::bfloat16>();
  nearfar_rows x = {queries.data(), 70, 33, 0, NEARFAR_BFLOAT16};
  nearfar_rows y = {keys.data(), 90, 33, 0, NEARFAR_BFLOAT16};
  nearfar_call call = defaults(nearfar_call_init);
  nearfar_result result = defaults(nearfar_result_init);
  CLoss info_nce = made(nearfar_info_nce_create, defaults(nearfar_info_nce_options_init));
};

TEST_F(CProducts, AreThoseOfTheClass) {
  EXPECT_EQ(nearfar_has_bfloat16_products(), nearfar::has_bfloat16_products() ? 1 : 0);
  if (nearfar_has_bfloat16_products() == 0) {
    GTEST_SKIP() << "no AVX-512 BF16, or another instruction set is active";
  }
  Matrix<float> wanted;
  const auto same = nearfar::InfoNce<float>().forward_backward(
      queries, keys, wanted, nearfar::no_gradient, {.products = nearfar::Products::bfloat16});
  Matrix<float> got(70, 33);
  const nearfar_gradient dx = c_gradient(got);
  ASSERT_EQ(forward_backward(info_nce.get(), &dx), NEARFAR_OK) << nearfar_last_error();
  expect_same_bits(result.value, same.value, "value");
  expect_same_bits(got, wanted, "gradient");

  call.products = NEARFAR_PRODUCTS_SCALAR;
  ASSERT_EQ(forward_backward(info_nce.get(), &dx), NEARFAR_OK) << nearfar_last_error();
  EXPECT_NE(got, wanted) << "the option makes no difference";
}

TEST_F(CProducts, AreRefusedWhereTheyAreNotTaken) {
  const auto expect_error = [&](const nearfar_loss* loss, const std::string& message) {
    result.value = 7;
    EXPECT_EQ(forward_backward(loss, nullptr), NEARFAR_INVALID_ARGUMENT);
    EXPECT_EQ(std::string(nearfar_last_error()).substr(0, message.size()), message);
    EXPECT_EQ(result.value, 7);
  };
  const CLoss alignment = made(nearfar_alignment_create, defaults(nearfar_alignment_options_init));
  y = x;
  expect_error(alignment.get(), "nearfar: call.products: wanted Products::scalar");
  const Matrix<float> wide = keys.cast<float>();
  y = c_rows(wide);
  expect_error(info_nce.get(), "nearfar: call.products: wanted Products::scalar");
  for (const nearfar_products none : {-1, 2}) {
    call.products = none;
    expect_error(info_nce.get(),
                 "nearfar: call.products: wanted NEARFAR_PRODUCTS_SCALAR or "
                 "NEARFAR_PRODUCTS_BFLOAT16, got " +
                     std::to_string(none));
  }
}

}  // namespace
