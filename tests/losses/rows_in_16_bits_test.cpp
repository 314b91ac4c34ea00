#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <nearfar/kernels/kernels.hpp>
#include <nearfar/losses/cpc.hpp>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/losses/nt_xent.hpp>
#include <nearfar/losses/sup_con.hpp>
#include <nearfar/losses/triplet.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "support/subjects.hpp"

/// \file
/// Rows and gradients in 16 bits: a call's numbers are those of the same rows in float.

namespace {

using nearfar::GradientRows;
using nearfar::Index;
using nearfar::Matrix;
using nearfar::Rows;
using support::Subject;

using Loss = Subject<float>;

template <class T>
class RowsIn16Bits : public testing::Test {};
using Types = testing::Types<Eigen::bfloat16, Eigen::half>;
TYPED_TEST_SUITE(RowsIn16Bits, Types);

/// Sets of rows in 16 bits and the same in float. A kernel's matrix stays as it is.
template <class T>
struct Batch {
  std::vector<Matrix<T>> stored;
  std::vector<Matrix<float>> exact;

  Batch(const Loss& subject, const std::vector<Matrix<float>>& rows) {
    for (std::size_t k = 0; k < rows.size(); ++k) {
      stored.push_back(rows[k].template cast<T>());
      const bool is_rows = !(subject.parametric && k + 1 == rows.size());
      exact.push_back(is_rows ? Matrix<float>(stored.back().template cast<float>()) : rows[k]);
    }
  }

  /// Views of the sets for which in_16_bits(k).
  template <class Which>
  Loss::RowViews views(const Loss& subject, const Which& in_16_bits) const {
    Loss::RowViews out;
    for (std::size_t k = 0; k < exact.size(); ++k) {
      const bool is_rows = !(subject.parametric && k + 1 == exact.size());
      out.push_back(is_rows && in_16_bits(k) ? Rows<float>(stored[k]) : Rows<float>(exact[k]));
    }
    return out;
  }
};

/// Two clusters far from each other, so that distances within one are computed from the rows.
Matrix<float> in_two_clusters(const Matrix<float>& rows) {
  Matrix<float> out = rows * 4;
  for (Index i = 0; i < out.rows(); ++i) out.row(i).array() += i % 2 == 0 ? 1000.0f : -1000.0f;
  return out;
}

template <class T>
void expect_bits(const Matrix<T>& got, const Matrix<T>& want, const std::string& what) {
  ASSERT_EQ(got.rows(), want.rows()) << what;
  ASSERT_EQ(got.cols(), want.cols()) << what;
  for (Index i = 0; i < got.rows(); ++i) {
    for (Index k = 0; k < got.cols(); ++k) {
      ASSERT_EQ(float(got(i, k)), float(want(i, k))) << what << " " << i << ", " << k;
    }
  }
}

template <class T>
void expect_as_float(const Loss& subject, const std::vector<Matrix<float>>& rows) {
  const Batch<T> batch(subject, rows);
  std::vector<Matrix<float>> want(rows.size());
  const Loss::RowViews in_float(batch.exact);
  const Loss::GradientViews to_want(want);
  nearfar::Result result;
  try {
    result = subject.call_views(in_float, subject.labels, &to_want, nullptr, nullptr);
  } catch (const std::domain_error&) {
    return;  // such rows overflow this loss
  }
  const auto expect = [&](const Loss::RowViews& views, int threads, const char* what) {
    nearfar::Workspace workspace(threads);
    std::vector<Matrix<float>> got(rows.size());
    const Loss::GradientViews to_got(got);
    const nearfar::Result other =
        subject.call_views(views, subject.labels, &to_got, &workspace, nullptr);
    EXPECT_EQ(other.value, result.value) << subject.name << what;
    EXPECT_EQ(other.values, result.values) << subject.name << what;
    for (std::size_t k = 0; k < rows.size(); ++k) expect_bits(got[k], want[k], subject.name + what);
  };
  const auto all = batch.views(subject, [](std::size_t) { return true; });
  expect(all, 1, ", all in 16 bits");
  expect(all, 3, ", on three threads");
  if (rows.size() > 1) {
    expect(batch.views(subject, [](std::size_t k) { return k == 1; }), 1, ", the second set alone");
  }

  const bool fits = std::all_of(want.begin(), want.end(), [](const Matrix<float>& g) {
    return std::is_same_v<T, Eigen::bfloat16> || g.size() == 0 ||
           g.cwiseAbs().maxCoeff() < 65520.0f;
  });
  std::vector<Matrix<T>> rounded(rows.size());
  const Loss::GradientViews to_rounded(rounded);
  const auto call = [&](const Loss::GradientViews& to) {
    return subject.call_views(all, subject.labels, &to, nullptr, nullptr);
  };
  if (!fits) {
    EXPECT_THROW(call(to_rounded), std::domain_error) << subject.name;
    return;
  }
  EXPECT_EQ(call(to_rounded).value, result.value) << subject.name;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    expect_bits<T>(rounded[k], want[k].template cast<T>(), subject.name + ", rounded");
  }
  Loss::GradientViews to_sums;
  std::vector<Matrix<T>> sums = rounded;
  for (Matrix<T>& sum : sums) to_sums.push_back(nearfar::accumulate(sum));
  EXPECT_EQ(call(to_sums).value, result.value) << subject.name;
  for (std::size_t k = 0; k < rows.size(); ++k) {
    const Matrix<float> sum = rounded[k].template cast<float>() + want[k];
    expect_bits<T>(sums[k], sum.cast<T>(), subject.name + ", added");
  }
}

TYPED_TEST(RowsIn16Bits, GiveTheNumbersOfTheSameRowsInFloat) {
  for (const auto reduction : {nearfar::Reduction::mean, nearfar::Reduction::none}) {
    for (const Loss& subject : support::all_subjects<float>(9, 19, reduction)) {
      expect_as_float<TypeParam>(subject, subject.inputs);
    }
  }
}

TYPED_TEST(RowsIn16Bits, GiveTheNumbersOfRowsInFloatThatAreNearEachOther) {
  for (const Loss& subject : support::all_subjects<float>(12, 7, nearfar::Reduction::mean)) {
    std::vector<Matrix<float>> rows = subject.inputs;
    for (std::size_t k = 0; k + (subject.parametric ? 1 : 0) < rows.size(); ++k) {
      rows[k] = in_two_clusters(rows[k]);
    }
    expect_as_float<TypeParam>(subject, rows);
  }
}

TYPED_TEST(RowsIn16Bits, GiveTheNumbersOfCpcInFloat) {
  using T = TypeParam;
  const Matrix<T> contexts = support::random_rows<float>(12, 5, 8).template cast<T>();
  const Matrix<T> targets = support::random_rows<float>(12, 4, 9).template cast<T>();
  const Matrix<T> weights = support::random_rows<float>(2 * 4, 5, 10).template cast<T>();
  const auto exact = [](const Matrix<T>& x) { return Matrix<float>(x.template cast<float>()); };
  const nearfar::Cpc<float> loss({.length = 4, .steps = 2});
  Matrix<float> want[3];
  Matrix<float> got[3];
  Matrix<T> rounded[3];
  const double value = loss.forward_backward(exact(contexts), exact(targets), exact(weights),
                                             want[0], want[1], want[2])
                           .value;
  EXPECT_EQ(loss.forward_backward(contexts, targets, weights, got[0], got[1], got[2]).value, value);
  EXPECT_EQ(
      loss.forward_backward(contexts, targets, weights, rounded[0], rounded[1], rounded[2]).value,
      value);
  for (int k = 0; k < 3; ++k) {
    expect_bits(got[k], want[k], "float");
    expect_bits<T>(rounded[k], want[k].template cast<T>(), "rounded");
  }
  if (!std::is_same_v<T, Eigen::half>) return;
  for (int k = 0; k < 3; ++k) {
    GradientRows<float> to[3] = {nearfar::no_gradient, nearfar::no_gradient, nearfar::no_gradient};
    to[k] = GradientRows<float>(rounded[k]);
    EXPECT_THROW(
        loss.forward_backward(contexts, targets, weights, to[0], to[1], to[2], {.upstream = 1e8}),
        std::domain_error)
        << k;
  }
}

/// So many rows that threads share them, near each other so that each thread reads some anew.
TYPED_TEST(RowsIn16Bits, AreReadByEachThreadForItself) {
  using T = TypeParam;
  Matrix<float> near = support::random_rows<float>(320, 40, 12) / 8;
  for (Index i = 0; i < near.rows(); ++i) near.row(i).array() += i % 2 == 0 ? 100.0f : -100.0f;
  const Matrix<T> x = near.cast<T>();
  const Matrix<float> exact = x.template cast<float>();
  const std::vector<int> labels = support::random_labels(320, 40, 13);
  nearfar::Workspace workspace(7);
  const auto expect = [&](const auto& loss) {
    Matrix<float> want, got;
    const double value = loss.forward_backward(exact, labels, want).value;
    EXPECT_GT(want.cwiseAbs().maxCoeff(), 0);
    EXPECT_EQ(loss.forward_backward(x, labels, got, {.workspace = &workspace}).value, value);
    expect_bits(got, want, "seven threads");
  };
  expect(nearfar::HadsellContrastive<float, nearfar::Euclidean>({.margin = 50}));
  expect(nearfar::SupCon<float, nearfar::Euclidean>());
  expect(nearfar::MinedTriplet<float, nearfar::SquaredEuclidean>(
      {.mining = nearfar::Mining::batch_hard}));
}

TYPED_TEST(RowsIn16Bits, MayLieInStandardContainers) {
  using T = TypeParam;
  const std::vector<T> x(12, T(2));
  std::vector<T> dx(12, T(1));
  const nearfar::InfoNce<float> loss;
  loss.forward_backward(Rows<float>(x, 4, 3), Rows<float>(x, 4, 3), GradientRows<float>(dx, 4, 3),
                        nearfar::no_gradient);
  EXPECT_NE(float(dx[0]), 1);
  EXPECT_THROW(Rows<float>(x, 5, 3), std::invalid_argument);
  EXPECT_THROW(GradientRows<float>(dx, 5, 3), std::invalid_argument);
}

/// Each would be rounded by itself, and the second be checked without the first.
TYPED_TEST(RowsIn16Bits, RefuseGradientsThatShareMemory) {
  using T = TypeParam;
  const Matrix<T> x = support::random_rows<float>(4, 3, 14).template cast<T>();
  Matrix<T> dx = x;
  const nearfar::InfoNce<float> loss;
  EXPECT_THROW(loss.forward_backward(x, x, nearfar::accumulate(dx), nearfar::accumulate(dx)),
               std::invalid_argument);
  EXPECT_EQ(dx.template cast<float>(), x.template cast<float>());
}

TYPED_TEST(RowsIn16Bits, GiveTheGradientOfAKernelsMatrix) {
  using T = TypeParam;
  const Matrix<T> x = support::random_rows<float>(6, 4, 15).template cast<T>();
  const Matrix<T> y = support::random_rows<float>(6, 4, 16).template cast<T>();
  const Matrix<float> matrix = support::random_rows<float>(4, 4, 17);
  const nearfar::InfoNce<float, nearfar::Bilinear<float>> loss({}, nearfar::Bilinear(matrix));
  Matrix<float> want;
  Matrix<T> got;
  loss.forward_backward(x, y, nearfar::no_gradient, nearfar::no_gradient, {.d_parameter = want});
  loss.forward_backward(x, y, nearfar::no_gradient, nearfar::no_gradient, {.d_parameter = got});
  expect_bits<T>(got, want.cast<T>(), "matrix");
  if (!std::is_same_v<T, Eigen::half>) return;
  EXPECT_THROW(loss.forward_backward(x, y, nearfar::no_gradient, nearfar::no_gradient,
                                     {.d_parameter = got, .upstream = 1e8}),
               std::domain_error);
}

TEST(GradientsInHalf, OfStackedAndOfKeptRowsAreChecked) {
  using Half = Eigen::half;
  const Matrix<Half> x = support::random_rows<float>(6, 4, 18).cast<Half>();
  const Matrix<Half> y = support::random_rows<float>(6, 4, 19).cast<Half>();
  const std::vector<int> ids = {0, 1, -1, 3, 4, 5};
  const auto targets = nearfar::Targets().ids(ids).unlabelled(-1);
  const nearfar::NtXent<float> loss;
  Matrix<float> want_x, want_y;
  Matrix<Half> dx, dy;
  loss.forward_backward(x, y, targets, want_x, want_y);
  loss.forward_backward(x, y, targets, dx, dy);
  expect_bits<Half>(dx, want_x.cast<Half>(), "view1");
  expect_bits<Half>(dy, want_y.cast<Half>(), "view2");
  EXPECT_EQ(float(dx(2, 1)), 0);
  const nearfar::CallOptions<float> too_much{.upstream = 1e7};
  EXPECT_THROW(loss.forward_backward(x, y, targets, dx, nearfar::no_gradient, too_much),
               std::domain_error);
  EXPECT_THROW(loss.forward_backward(x, y, targets, nearfar::no_gradient, dy, too_much),
               std::domain_error);
  expect_bits<Half>(dx, want_x.cast<Half>(), "untouched");
}

TYPED_TEST(RowsIn16Bits, MayLieInAPartOfALargerMatrix) {
  using T = TypeParam;
  const Matrix<T> all = support::random_rows<float>(10, 12, 3).template cast<T>();
  const Matrix<T> queries = all.block(2, 3, 5, 7);
  const nearfar::InfoNce<float> loss;
  EXPECT_EQ(loss.forward(all.block(2, 3, 5, 7), queries).value,
            loss.forward(queries, queries).value);
  EXPECT_EQ(loss.forward(Rows<float>(&all(2, 3), 5, 7, 12), queries).value,
            loss.forward(queries, queries).value);

  Matrix<T> gradients = Matrix<T>::Constant(10, 12, T(7));
  Matrix<T> want;
  loss.forward_backward(queries, queries, want, nearfar::no_gradient);
  loss.forward_backward(queries, queries, gradients.block(2, 3, 5, 7), nearfar::no_gradient);
  expect_bits<T>(gradients.block(2, 3, 5, 7), want, "block");
  EXPECT_EQ(float(gradients(1, 3)), 7);
  EXPECT_EQ(float(gradients(2, 2)), 7);
  EXPECT_EQ(float(gradients(6, 10)), 7);
}

TYPED_TEST(RowsIn16Bits, AreRefusedWhereTheyAreNotFinite) {
  using T = TypeParam;
  Matrix<T> x = support::random_rows<float>(6, 37, 4).template cast<T>();
  const Matrix<T> keys = x;
  const nearfar::InfoNce<float> loss;
  for (const float bad :
       {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
        std::numeric_limits<float>::quiet_NaN()}) {
    for (const Index col : {Index(0), Index(16), Index(36)}) {
      x = keys;
      x(4, col) = T(bad);
      try {
        loss.forward(x, keys);
        FAIL() << "nothing thrown for " << bad;
      } catch (const std::domain_error& e) {
        const std::string where = "row 4, column " + std::to_string(col);
        EXPECT_NE(std::string(e.what()).find(where), std::string::npos) << e.what();
      }
    }
  }
}

TEST(GradientsInHalf, AreRefusedBeyondItsRangeAndNothingIsWritten) {
  using Half = Eigen::half;
  const Matrix<Half> q = support::random_rows<float>(6, 5, 5).cast<Half>();
  const Matrix<float> k = support::random_rows<float>(6, 5, 6);
  const nearfar::InfoNce<float> loss;
  Matrix<float> exact;
  loss.forward_backward(q, k, exact, nearfar::no_gradient);
  const float largest = exact.cwiseAbs().maxCoeff();
  Matrix<Half> dq = Matrix<Half>::Constant(2, 2, Half(3));
  Matrix<float> dk = Matrix<float>::Constant(2, 2, 3);
  const auto with_upstream = [&](float factor) {
    loss.forward_backward(q, k, dq, dk, {.upstream = factor / largest});
  };
  try {
    with_upstream(65521);
    FAIL() << "nothing thrown";
  } catch (const std::domain_error& e) {
    EXPECT_NE(std::string(e.what()).find("queries: wanted a gradient that fits Eigen::half"),
              std::string::npos)
        << e.what();
  }
  EXPECT_EQ(dq.rows(), 2);
  EXPECT_EQ(float(dq(1, 1)), 3);
  EXPECT_EQ(dk.rows(), 2);
  EXPECT_EQ(dk(1, 1), 3);
  EXPECT_NO_THROW(with_upstream(65500));
  EXPECT_EQ(dq.rows(), 6);
  // What is there already counts.
  EXPECT_THROW(
      loss.forward_backward(q, k, nearfar::accumulate(dq), dk, {.upstream = 100 / largest}),
      std::domain_error);
}

TEST(GradientsInBfloat16, AreAtMostItsLargestNumber) {
  using Bfloat16 = Eigen::bfloat16;
  // The gradient is 2 (x - y).
  Matrix<Bfloat16> x = Matrix<Bfloat16>::Constant(1, 1, Bfloat16(0));
  const Matrix<Bfloat16> n = Matrix<Bfloat16>::Constant(1, 1, Bfloat16(1));
  Matrix<Bfloat16> dx;
  const nearfar::Triplet<float, nearfar::SquaredEuclidean> loss({.margin = 10});
  loss.forward_backward(x, x, n, dx, nearfar::no_gradient, nearfar::no_gradient,
                        {.upstream = 3e38});
  EXPECT_EQ(float(dx(0, 0)), float(std::numeric_limits<Bfloat16>::max()));
}

TEST(RowsIn16Bits, TakeNoMoreMemoryThanRowsInFloat) {
  const Matrix<float> rows = support::random_rows<float>(600, 40, 7);
  const Matrix<Eigen::bfloat16> stored = rows.cast<Eigen::bfloat16>();
  const nearfar::InfoNce<float> loss;
  nearfar::Workspace of_float;
  nearfar::Workspace of_stored;
  loss.forward(rows, rows, {.workspace = &of_float});
  loss.forward(stored, stored, {.workspace = &of_stored});
  EXPECT_EQ(of_stored.bytes(), of_float.bytes());
}

TEST(RowsIn16Bits, AreReadOneByOne) {
  Matrix<Eigen::half> x(2, 3);
  x << Eigen::half(1), Eigen::half(2), Eigen::half(3), Eigen::half(4), Eigen::half(5),
      Eigen::half(6);
  const Rows<float> rows(x);
  EXPECT_EQ(rows(1, 2), 6);
  EXPECT_EQ(rows.data(), nullptr);
  EXPECT_EQ(rows.row(1), nullptr);
  const auto deduced = Rows(x);
  static_assert(std::is_same_v<decltype(deduced), const Rows<float>>);
  EXPECT_EQ(deduced(0, 1), 2);
}

}  // namespace
