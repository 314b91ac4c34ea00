#pragma once

#include <nearfar/core/reduction.hpp>

#include "support/labelled_batches.hpp"

/// \file
/// Two views of each sample, and properties of losses over them.

namespace support {

/// Two views stacked, and their cosines over the temperature.
struct TwoViews {
  Matrix<double> a;
  Matrix<double> b;
  oracle::Matrix s;
  Index n;

  TwoViews(Index rows, Real temperature)
      : a(random_rows<double>(rows, 17, 21)), b(random_rows<double>(rows, 17, 22)), n(rows) {
    oracle::Matrix all(2 * rows, 17);
    all << oracle::exact(a), oracle::exact(b);
    s = oracle::pairwise(oracle::Cosine(), all, all) / temperature;
  }

  Index partner(Index i) const { return i < n ? i + n : i - n; }
  bool negative(Index i, Index j) const { return j != i && j != partner(i); }
};

/// forward_backward without a reduction equals that of the sum of the values.
template <class Loss, class Options>
void expect_gradients_of_the_sum(Options options) {
  constexpr double same = 1e-12;
  const TwoViews v(3, 1);
  Matrix<double> da, db, da_of_sum, db_of_sum;
  options.reduction = nearfar::Reduction::none;
  Loss(options).forward_backward(v.a, v.b, da, db);
  options.reduction = nearfar::Reduction::sum;
  Loss(options).forward_backward(v.a, v.b, da_of_sum, db_of_sum);
  EXPECT_LE((da - da_of_sum).norm(), same * da_of_sum.norm());
  EXPECT_LE((db - db_of_sum).norm(), same * db_of_sum.norm());
}

}  // namespace support
