#include "c/same_bits.hpp"

/// Rows and gradients in 16 bits through the C interface are those of the C++ classes.

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

}  // namespace
