#pragma once

#include <gtest/gtest.h>

#include <nearfar/core/result.hpp>

#include "support/loss_oracles.hpp"
#include "support/tolerance.hpp"

/// \file
/// Compares results with the oracle's, and with each other. A scale of 0 means equality.

namespace support {

using nearfar::Index;
using nearfar::Matrix;

/// Every element is within `allowed` of the expected one.
template <class S>
void expect_near(const Matrix<S>& got, const oracle::Matrix& want, oracle::Real allowed,
                 const char* what) {
  ASSERT_EQ(got.rows(), want.rows()) << what;
  ASSERT_EQ(got.cols(), want.cols()) << what;
  for (Index i = 0; i < got.rows(); ++i) {
    for (Index k = 0; k < got.cols(); ++k) {
      const oracle::Real error = std::abs(static_cast<oracle::Real>(got(i, k)) - want(i, k));
      ASSERT_TRUE(error <= allowed)
          << what << "(" << i << ", " << k << ") is " << got(i, k) << ", wanted " << want(i, k)
          << "; off by " << error << ", allowed " << allowed;
    }
  }
}

template <class S>
void expect_gradient(const Matrix<S>& got, const oracle::Gradient& want, const char* what) {
  expect_near<S>(got, want.values, Tolerance<S>::gradient * want.scale(), what);
}

inline oracle::Real largest(const oracle::Matrix& m) {
  return m.size() > 0 ? m.cwiseAbs().maxCoeff() : 0;
}

/// Compares numbers that are equal in exact arithmetic, computed in two ways.
template <class S>
void expect_same(const Matrix<S>& got, const Matrix<S>& want, const char* what) {
  const oracle::Matrix exact = oracle::exact(want);
  expect_near<S>(got, exact, Tolerance<S>::same * largest(exact), what);
}

/// Compares bits and shapes.
template <class S>
testing::AssertionResult same_bits(const Matrix<S>& a, const Matrix<S>& b) {
  if (a.rows() != b.rows() || a.cols() != b.cols()) {
    return testing::AssertionFailure() << "shapes differ";
  }
  for (Index i = 0; i < a.rows(); ++i) {
    for (Index k = 0; k < a.cols(); ++k) {
      if (!(a(i, k) == b(i, k))) {
        return testing::AssertionFailure()
               << "(" << i << ", " << k << "): " << a(i, k) << " and " << b(i, k);
      }
    }
  }
  return testing::AssertionSuccess();
}

inline void expect_same_counts(const nearfar::Diagnostics& got, const nearfar::Diagnostics& want) {
  EXPECT_EQ(got.anchors, want.anchors);
  EXPECT_EQ(got.anchors_without_positive, want.anchors_without_positive);
  EXPECT_EQ(got.anchors_without_negative, want.anchors_without_negative);
  EXPECT_EQ(got.terms, want.terms);
  EXPECT_EQ(got.active_terms, want.active_terms);
  EXPECT_EQ(got.zero_distances, want.zero_distances);
}

/// Compares the smallest and the largest score by near(got, wanted). If no pair was compared, they
/// are infinities of opposite signs.
template <class Near>
void expect_scores(const nearfar::Diagnostics& got, const nearfar::Diagnostics& want,
                   const Near& near) {
  if (want.smallest_score > want.largest_score) {
    EXPECT_EQ(got.smallest_score, want.smallest_score);
    EXPECT_EQ(got.largest_score, want.largest_score);
    return;
  }
  near(got.smallest_score, want.smallest_score);
  near(got.largest_score, want.largest_score);
}

/// Compares every bit of two results.
inline void expect_identical(const nearfar::Result& got, const nearfar::Result& want) {
  EXPECT_EQ(got.value, want.value);
  EXPECT_EQ(got.values, want.values);
  expect_same_counts(got.diagnostics, want.diagnostics);
  EXPECT_EQ(got.diagnostics.smallest_score, want.diagnostics.smallest_score);
  EXPECT_EQ(got.diagnostics.largest_score, want.diagnostics.largest_score);
}

/// Compares value, values (with Reduction::none) and diagnostics.
template <class S>
void expect_result(const nearfar::Result& got, const oracle::Loss& want,
                   nearfar::Reduction reduction) {
  const auto expect_value = [](double value, oracle::Real wanted, const char* what) {
    EXPECT_LE(std::abs(value - wanted), Tolerance<S>::value * std::abs(wanted))
        << what << ": got " << value << ", wanted " << wanted;
  };
  expect_value(got.value, want.value, "value");
  if (reduction == nearfar::Reduction::none) {
    ASSERT_EQ(got.values.size(), want.values.size());
    for (std::size_t i = 0; i < want.values.size(); ++i) {
      expect_value(got.values[i], want.values[i], "a row's value");
    }
  } else {
    EXPECT_TRUE(got.values.empty());
  }
  expect_same_counts(got.diagnostics, want.diagnostics);
  const double scale = Tolerance<S>::score * std::max({1.0, want.diagnostics.largest_score,
                                                       -want.diagnostics.smallest_score});
  expect_scores(got.diagnostics, want.diagnostics,
                [&](double score, double wanted) { EXPECT_NEAR(score, wanted, scale); });
}

template <class S>
bool all_finite(const Matrix<S>& m) {
  return m.allFinite();
}

}  // namespace support
