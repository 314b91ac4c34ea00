#include <gtest/gtest.h>

#include <nearfar/core/instruction_set.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/scores/pairwise.hpp>

#include "support/compare.hpp"
#include "support/kernel_cases.hpp"

/// A kernel of a user's own runs in the same engine as the library's kernels, with any active
/// instruction set: equal kernels give equal bits. Code compiled into this program, without wide
/// vectors and fused multiply-adds, rounds differently.

namespace {

using namespace support;

/// Cosine, or the inner product, by hand.
template <nearfar::Geometry of>
struct Identity {
  static constexpr auto geometry = of;
  static constexpr auto orientation = nearfar::Orientation::similarity;
  template <class T>
  T score(T u) const {
    return u;
  }
  template <class T>
  T slope(T, T) const {
    return 1;
  }
};

/// SquaredEuclidean by hand.
struct Square : Identity<nearfar::Geometry::squared_distance> {
  static constexpr auto orientation = nearfar::Orientation::distance;
};

template <class S>
class OwnKernelInTheEngine : public testing::Test {
 protected:
  void SetUp() override {
    RecordProperty("instruction_set", nearfar::name_of(nearfar::active_instruction_set()));
  }
  const Matrix<S> a = random_rows<S>(210, 67, 1);
  const Matrix<S> b = random_rows<S>(395, 67, 2);

  template <class Own, class Library>
  void expect_same_bits() const {
    EXPECT_TRUE(same_bits<S>(nearfar::pairwise(a, b, Own()), nearfar::pairwise(a, b, Library())));

    const Matrix<S> upstream = uniform_matrix<S>(a.rows(), b.rows(), 3);
    Matrix<S> da;
    Matrix<S> db;
    Matrix<S> wanted_da;
    Matrix<S> wanted_db;
    nearfar::pairwise_backward(upstream, a, b, da, db, Own());
    nearfar::pairwise_backward(upstream, a, b, wanted_da, wanted_db, Library());
    EXPECT_TRUE(same_bits(da, wanted_da));
    EXPECT_TRUE(same_bits(db, wanted_db));
  }
};
TYPED_TEST_SUITE(OwnKernelInTheEngine, Scalars, CaseNames);

TYPED_TEST(OwnKernelInTheEngine, InnerProductHasTheLibrarysBits) {
  this->template expect_same_bits<Identity<nearfar::Geometry::inner_product>,
                                  nearfar::InnerProduct>();
}

TYPED_TEST(OwnKernelInTheEngine, CosineHasTheLibrarysBits) {
  this->template expect_same_bits<Identity<nearfar::Geometry::cosine>, nearfar::Cosine>();
}

TYPED_TEST(OwnKernelInTheEngine, SquaredDistanceHasTheLibrarysBits) {
  this->template expect_same_bits<Square, nearfar::SquaredEuclidean>();
}

TYPED_TEST(OwnKernelInTheEngine, LossesOfAKernelByHandAreTheLibrarysToRounding) {
  using S = TypeParam;
  Matrix<S> da;
  Matrix<S> db;
  Matrix<S> wanted_da;
  Matrix<S> wanted_db;
  const nearfar::InfoNce<S, Square> own({.temperature = 0.5});
  const nearfar::InfoNce<S, nearfar::SquaredEuclidean> library({.temperature = 0.5});
  const double got = own.forward_backward(this->a, this->b, da, db).value;
  const double want = library.forward_backward(this->a, this->b, wanted_da, wanted_db).value;
  EXPECT_NEAR(got, want, Tolerance<S>::same * want);
  expect_same<S>(da, wanted_da, "d_queries");
  expect_same<S>(db, wanted_db, "d_keys");
}

}  // namespace
