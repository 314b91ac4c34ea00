#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/kernels/kernels.hpp>
#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/oracle.hpp"
#include "support/random.hpp"

/// Distances of rows that are near each other and far from the mean of all rows are right to 1e-5
/// (float) and 1e-12 (double), and their gradients to 1e-4 and 1e-11.

namespace {

using nearfar::Index;
using nearfar::Matrix;
using nearfar::Vector;
using oracle::Real;

template <class S>
class NearRows : public testing::Test {
 protected:
  static constexpr bool is_float = sizeof(S) == sizeof(float);

  struct Batch {
    std::string name;
    Matrix<S> x;
    Matrix<S> y;
  };

  /// Row i of y is near row i of x, except for the last ones.
  static std::vector<Batch> batches() {
    std::vector<Batch> all;
    for (const double at : is_float ? std::vector{1e6, 1e8} : std::vector{1e8, 1e15}) {
      Batch outlier{"an outlier at " + std::to_string(at), support::random_rows<S>(70, 9, 1),
                    support::random_rows<S>(70, 9, 2)};
      outlier.x(69, 0) = static_cast<S>(at);
      all.push_back(outlier);
    }
    Batch twins{"twins far apart", Matrix<S>(40, 3), Matrix<S>(40, 3)};
    const S far = is_float ? S(1e5) : S(1e13);
    for (Index i = 0; i < 40; ++i) {
      twins.x.row(i) << (i % 2 == 0 ? far : -far), S(i % 7) * 8, S(i % 5) * 8;
      twins.y.row(i) = twins.x.row(i);
      twins.y(i, 0) += S(1) / 128;
    }
    all.push_back(twins);
    return all;
  }

  /// A kernel's definition: the distance of two rows mapped by a matrix.
  class Expected {
   public:
    Expected(const Batch& batch, const Matrix<S>& transform)
        : x_(oracle::exact(batch.x)), y_(oracle::exact(batch.y)), p_(oracle::exact(transform)) {}

    Real distance(Index i, Index j) const { return mapped(i, j).norm(); }
    /// Its derivative with respect to row i of x.
    oracle::Matrix derivative(Index i, Index j) const { return mapped(i, j) * p_ / distance(i, j); }

   private:
    oracle::Matrix mapped(Index i, Index j) const {
      return (x_.row(i) - y_.row(j)) * p_.transpose();
    }

    oracle::Matrix x_;
    oracle::Matrix y_;
    oracle::Matrix p_;
  };

  template <class K>
  static void check(const Batch& batch, const K& kernel, const Expected& want) {
    const Index n = batch.x.rows();
    const Real relative = is_float ? 1e-5L : 1e-12L;
    const Matrix<S> all = nearfar::pairwise(batch.x, batch.y, kernel);
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        const Real distance = want.distance(i, j);
        EXPECT_LE(std::abs(static_cast<Real>(all(i, j)) - distance), relative * distance)
            << batch.name << i << ", " << j;
      }
    }
    const Vector<S> pairs = nearfar::paired(batch.x, batch.y, kernel);
    Matrix<S> dx;
    Matrix<S> dy;
    nearfar::paired_backward(Vector<S>::Ones(n), batch.x, batch.y, dx, dy, kernel);
    for (Index i = 0; i < n; ++i) {
      const Real distance = want.distance(i, i);
      EXPECT_LE(std::abs(static_cast<Real>(pairs(i)) - distance), relative * distance)
          << batch.name << i;
      const oracle::Matrix d = want.derivative(i, i);
      const oracle::Matrix of_x = oracle::exact(dx).row(i);
      const oracle::Matrix of_y = oracle::exact(dy).row(i);
      EXPECT_LE((of_x - d).norm(), 10 * relative * d.norm()) << batch.name << i;
      EXPECT_LE((of_y + d).norm(), 10 * relative * d.norm()) << batch.name << i;
    }
    for (const int threads : {2, 3}) {
      nearfar::Workspace workspace(threads);
      Matrix<S> again_x;
      Matrix<S> again_y;
      nearfar::paired_backward(Vector<S>::Ones(n), batch.x, batch.y, again_x, again_y, kernel,
                               {.workspace = &workspace});
      EXPECT_TRUE(support::same_bits(again_x, dx)) << batch.name;
      EXPECT_TRUE(support::same_bits(again_y, dy)) << batch.name;
      const auto pairwise = nearfar::pairwise(batch.x, batch.y, kernel, {.workspace = &workspace});
      EXPECT_TRUE(support::same_bits<S>(pairwise, all)) << batch.name;
    }
  }
};

using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(NearRows, Scalars);

TYPED_TEST(NearRows, KeepTheDigitsOfEuclideanDistances) {
  using S = TypeParam;
  for (const auto& batch : this->batches()) {
    const Index cols = batch.x.cols();
    this->check(batch, nearfar::Euclidean(),
                typename TestFixture::Expected(batch, Matrix<S>::Identity(cols, cols)));
  }
}

/// Matrices that make rows shorter and longer; wider than a part that a thread takes.
TYPED_TEST(NearRows, KeepTheDigitsOfMahalanobisDistances) {
  using S = TypeParam;
  for (const auto& batch : this->batches()) {
    for (const Index outputs : {2, 5, 70}) {
      const Matrix<S> p = support::random_rows<S>(outputs, batch.x.cols(), 3);
      this->check(batch, nearfar::Mahalanobis<S>(p), typename TestFixture::Expected(batch, p));
    }
  }
}

}  // namespace
