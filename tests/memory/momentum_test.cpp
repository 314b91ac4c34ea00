#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/memory/momentum.hpp>
#include <vector>

#include "support/errors.hpp"
#include "support/random.hpp"

namespace {

using nearfar::cosine_momentum;
using nearfar::Index;
using nearfar::Matrix;
using nearfar::momentum_update;
using nearfar::MomentumBuffers;
using support::expect_refused;
using support::random_rows;
using support::Thrown;

template <class S>
class Momentum : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Momentum, Scalars);

TYPED_TEST(Momentum, MovesTheTargetTowardsTheOnlineBuffer) {
  using S = TypeParam;
  for (const Index size : {0, 1, 7, 16384, 50001}) {
    for (const double m : {0.0, 0.1, 0.5, 0.999, 1.0}) {
      const Matrix<S> online = random_rows<S>(1, size, 1);
      const Matrix<S> start = random_rows<S>(1, size, 2);
      Matrix<S> target = start;
      momentum_update(target, online, m, 2);
      for (Index i = 0; i < size; ++i) {
        const long double want = static_cast<long double>(m) * start(0, i) +
                                 (1 - static_cast<long double>(m)) * online(0, i);
        const double scale = std::abs(double(start(0, i))) + std::abs(double(online(0, i)));
        EXPECT_NEAR(double(target(0, i)), double(want),
                    4 * double(std::numeric_limits<S>::epsilon()) * scale);
      }
    }
  }
}

TYPED_TEST(Momentum, LeavesEqualBuffersAndCopiesAtZero) {
  using S = TypeParam;
  const Matrix<S> online = random_rows<S>(3, 41, 3);
  for (const double m : {0.0, 0.3, 0.9, 0.99, 1.0}) {
    Matrix<S> target = online;
    momentum_update(target, online, m);
    EXPECT_EQ(target, online) << m;
  }
  Matrix<S> target = random_rows<S>(3, 41, 4);
  const Matrix<S> before = target;
  momentum_update(target, online, 1);
  EXPECT_EQ(target, before);
  momentum_update(target, online, 0);
  EXPECT_EQ(target, online);
}

TYPED_TEST(Momentum, StaysFiniteBetweenTheLargestNumbers) {
  using S = TypeParam;
  const S most = std::numeric_limits<S>::max();
  for (const double m : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    std::vector<S> target = {most, -most, most};
    const std::vector<S> online = {-most, most, most};
    momentum_update(target, online, m);
    EXPECT_NEAR(double(target[0] / most), 2 * m - 1, 1e-6);
    EXPECT_NEAR(double(target[1] / most), 1 - 2 * m, 1e-6);
    EXPECT_EQ(target[2], most);
  }
}

TYPED_TEST(Momentum, TakesAnySetOfBuffersWithTheSameBitsAtAnyNumberOfThreads) {
  using S = TypeParam;
  const Matrix<S> a = random_rows<S>(1, 40000, 5);
  const Matrix<S> b = random_rows<S>(5, 3, 6);
  Matrix<S> want_a = Matrix<S>::Zero(1, 40000);
  Matrix<S> want_b = Matrix<S>::Ones(5, 3);
  momentum_update(want_a, a, 0.9, 1);
  momentum_update(want_b, b, 0.9, 1);
  for (const int threads : {1, 2, 3, 7}) {
    Matrix<S> x = Matrix<S>::Zero(1, 40000);
    Matrix<S> y = Matrix<S>::Ones(5, 3);
    const std::vector<MomentumBuffers<S>> buffers = {
        {x.data(), a.data(), x.size()}, {nullptr, nullptr, 0}, {y.data(), b.data(), y.size()}};
    momentum_update(std::span<const MomentumBuffers<S>>(buffers), 0.9, threads);
    EXPECT_EQ(x, want_a);
    EXPECT_EQ(y, want_b);
  }
}

TEST(MomentumUpdate, RefusesBadInputAndTouchesNothing) {
  std::vector<float> target(20000, 1.0f);
  const std::vector<float> before = target;
  std::vector<float> online(20000, 2.0f);
  for (const double m : {-0.1, 1.1, std::nan("")}) {
    expect_refused(
        {"momentum", Thrown::invalid_argument, {"momentum: wanted a number from 0 to 1"}, [&] {
           momentum_update(target, online, m);
         }});
  }
  const std::vector<float> shorter(7, 2.0f);
  expect_refused(
      {"sizes", Thrown::invalid_argument, {"online: wanted 20000 numbers", "got 7"}, [&] {
         momentum_update(target, shorter, 0.5);
       }});
  const auto of = [&](const MomentumBuffers<float>& buffer) {
    return [=] { momentum_update(std::span<const MomentumBuffers<float>>(&buffer, 1), 0.5); };
  };
  for (const Index size : {7, 20000}) {
    expect_refused({"no target",
                    Thrown::invalid_argument,
                    {"target: wanted " + std::to_string(size) + " numbers, got a null pointer"},
                    of({nullptr, online.data(), size})});
    expect_refused({"nothing to follow",
                    Thrown::invalid_argument,
                    {"online: wanted " + std::to_string(size) + " numbers, got a null pointer"},
                    of({target.data(), nullptr, size})});
  }
  expect_refused({"a size below 0",
                  Thrown::invalid_argument,
                  {"target: wanted a size >= 0, got -1"},
                  of({target.data(), online.data(), -1})});
  online[19999] = std::numeric_limits<float>::quiet_NaN();
  expect_refused({"NaN at the end", Thrown::domain_error, {"online: ", "NaN"}, [&] {
                    momentum_update(target, online, 0.5);
                  }});
  online[19999] = 2;
  online[5000] = std::numeric_limits<float>::infinity();
  expect_refused(
      {"infinity", Thrown::domain_error, {"online: ", "infinity at row 1, column 904"}, [&] {
         momentum_update(target, online, 0.5);
       }});
  EXPECT_EQ(target, before);
}

TEST(CosineMomentum, RisesFromItsBaseToOne) {
  EXPECT_DOUBLE_EQ(cosine_momentum(0.99, 0, 100), 0.99);
  EXPECT_DOUBLE_EQ(cosine_momentum(0.99, 50, 100), 0.995);
  EXPECT_DOUBLE_EQ(cosine_momentum(0.99, 100, 100), 1);
  EXPECT_DOUBLE_EQ(cosine_momentum(0.99, 1000, 100), 1);
  for (Index k = 0; k < 100; ++k) {
    EXPECT_LT(cosine_momentum(0.9, k, 100), cosine_momentum(0.9, k + 1, 100));
  }
  EXPECT_THROW(cosine_momentum(1.1, 0, 1), std::invalid_argument);
  EXPECT_THROW(cosine_momentum(-0.1, 0, 1), std::invalid_argument);
  EXPECT_THROW(cosine_momentum(0.9, -1, 1), std::invalid_argument);
  EXPECT_THROW(cosine_momentum(0.9, 0, 0), std::invalid_argument);
}

}  // namespace
