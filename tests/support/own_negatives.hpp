#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/core/reduction.hpp>
#include <utility>
#include <vector>

#include "support/compare.hpp"
#include "support/kernel_cases.hpp"

/// \file
/// Negatives of each query's own: the result of every query is that of a call with it and its
/// negatives alone.

namespace support {

template <class S>
Matrix<S> rows_of(const Matrix<S>& m, Index first, Index count) {
  return m.middleRows(first, count);
}

/// n queries with k negatives each, for a case's kernel.
template <class Case>
struct OwnNegativesProblem {
  using S = typename Case::Scalar;

  OwnNegativesProblem(Index n, Index k, Index depth)
      : count(k),
        of_kernel(depth),
        queries(random_rows<S>(n, of_kernel.query_cols, 41)),
        keys(random_rows<S>(n, of_kernel.key_cols, 42)),
        negatives(random_rows<S>(n * k, of_kernel.key_cols, 43)) {}

  Index count;
  Case of_kernel;
  Matrix<S> queries;
  Matrix<S> keys;
  Matrix<S> negatives;
};

/// `make(kernel)` makes the loss; `together` runs it on all rows, `alone` on those of one query,
/// both with gradients.
template <class Case, class Make, class Together, class Alone>
void expect_as_if_alone(OwnNegativesProblem<Case>& p, const Make& make, const Together& together,
                        const Alone& alone) {
  using S = typename Case::Scalar;
  const Index n = p.queries.rows();
  const std::vector<double> weights = random_upstream(n, 44);
  Matrix<S> dq;
  Matrix<S> dk;
  Matrix<S> dn;
  const auto loss = make(p.of_kernel.kernel());
  const auto got = together(loss, nearfar::Upstream(weights), dq, dk, dn);
  ASSERT_EQ(got.values.size(), static_cast<std::size_t>(n));
  double d_temperature = 0;
  double reach = 0;
  for (Index i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    const std::vector<double> weight = {weights[at]};
    Matrix<S> q;
    Matrix<S> k;
    Matrix<S> m;
    const auto want =
        alone(loss, nearfar::Upstream(weight), i, rows_of(p.queries, i, 1), rows_of(p.keys, i, 1),
              rows_of(p.negatives, i * p.count, p.count), q, k, m);
    EXPECT_NEAR(got.values[at], want.value, Tolerance<S>::same * std::max(1.0, want.value));
    // Alone, rows may be packed relative to another centre: equal up to rounding errors.
    expect_same<S>(rows_of(dq, i, 1), q, "d_queries");
    expect_same<S>(rows_of(dk, i, 1), k, "d_keys");
    expect_same<S>(rows_of(dn, i * p.count, p.count), m, "d_negatives");
    d_temperature += want.d_temperature;
    reach += std::abs(want.d_temperature);
  }
  EXPECT_NEAR(got.d_temperature, d_temperature, Tolerance<S>::same * std::max(1.0, reach));
}

constexpr std::pair<Index, Index> queries_and_negatives[] = {{1, 1}, {5, 3}, {3, 400}, {33, 7}};

}  // namespace support
