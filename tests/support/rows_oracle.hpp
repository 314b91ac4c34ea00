#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/labelled_batches.hpp"
#include "support/tolerance.hpp"

/// \file
/// Losses of labelled batches against their value as a function of the rows in long double.

namespace support {

/// The derivatives of f at x, by differences.
template <class F>
oracle::Matrix slopes_of(const F& f, oracle::Matrix x) {
  const Real h = Real(1e-4);
  oracle::Matrix out(x.rows(), x.cols());
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index k = 0; k < x.cols(); ++k) {
      const Real at = x(i, k);
      const auto slope = [&](Real step) {
        x(i, k) = at + step;
        const Real above = f(x);
        x(i, k) = at - step;
        return (above - f(x)) / (2 * step);
      };
      out(i, k) = (4 * slope(h / 2) - slope(h)) / 3;
      x(i, k) = at;
    }
  }
  return out;
}

/// Batches of different rows, small enough for differences.
inline std::vector<Batch> small_batches_without_ties(Index most = 33) {
  std::vector<Batch> out;
  for (const Batch& batch : batches()) {
    if (batch.x.rows() <= most && batch.name.find("ties") == std::string::npos)
      out.push_back(batch);
  }
  return out;
}

/// Compares value and gradient of `loss` with those of `want(x, labels)`.
template <class S, class Loss, class Want>
void expect_value_and_gradient(const Batch& batch, const Loss& loss, const Want& want) {
  SCOPED_TRACE(batch.name);
  const Matrix<S> x = batch.x.template cast<S>();
  const oracle::Matrix exact = oracle::exact(x);
  Matrix<S> dx;
  const auto got = loss.forward_backward(x, batch.labels, dx);
  const Real wanted = want(exact, batch.labels);
  EXPECT_LE(std::abs(static_cast<Real>(got.value) - wanted),
            Tolerance<S>::value * std::max<Real>(1, std::abs(wanted)))
      << "got " << got.value << ", wanted " << wanted;
  EXPECT_EQ(loss.forward(x, batch.labels).value, got.value);
  const oracle::Matrix slopes =
      slopes_of([&](const oracle::Matrix& at) { return want(at, batch.labels); }, exact);
  // Differences have rounding errors, too: those of sums of a thousand terms, divided by the step.
  const Real allowed = Tolerance<S>::same * slopes.cwiseAbs().maxCoeff() +
                       Real(1e-12) * std::max<Real>(1, std::abs(wanted));
  ASSERT_EQ(dx.rows(), x.rows());
  ASSERT_EQ(dx.cols(), x.cols());
  for (Index i = 0; i < x.rows(); ++i) {
    for (Index k = 0; k < x.cols(); ++k) {
      ASSERT_LE(std::abs(static_cast<Real>(dx(i, k)) - slopes(i, k)), allowed)
          << "dx(" << i << ", " << k << ") is " << dx(i, k) << ", wanted " << slopes(i, k);
    }
  }
}

/// Compares the value alone, for all batches, including ties and several tiles.
template <class S, class Loss, class Want>
void expect_values(const Loss& loss, const Want& want) {
  for (const Batch& batch : small_and_large_batches()) {
    SCOPED_TRACE(batch.name);
    const Matrix<S> x = batch.x.template cast<S>();
    const Real wanted = want(oracle::exact(x), batch.labels);
    const double got = loss.forward(x, batch.labels).value;
    EXPECT_LE(std::abs(static_cast<Real>(got) - wanted),
              Tolerance<S>::value * std::max<Real>(1, std::abs(wanted)))
        << "got " << got << ", wanted " << wanted;
  }
}

/// The other rows of a batch, by their relation to row i.
struct OtherRows {
  std::vector<Index> positives;
  std::vector<Index> negatives;

  OtherRows(const std::vector<std::int64_t>& labels, Index i) {
    for (std::size_t j = 0; j < labels.size(); ++j) {
      if (Index(j) == i) continue;
      (labels[std::size_t(i)] == labels[j] ? positives : negatives).push_back(Index(j));
    }
  }
};

/// The sum of of_row(i, positives of i, negatives of i) and the number of its terms.
struct SumOfTerms {
  Real sum = 0;
  std::int64_t terms = 0;
  std::int64_t nonzero = 0;

  void add(Real term, std::int64_t times = 1) {
    sum += term * static_cast<Real>(times);
    terms += times;
    nonzero += term > 0 ? times : 0;
  }
  Real mean() const { return terms > 0 ? sum / static_cast<Real>(terms) : 0; }
  Real mean_nonzero() const { return nonzero > 0 ? sum / static_cast<Real>(nonzero) : 0; }
};

}  // namespace support
