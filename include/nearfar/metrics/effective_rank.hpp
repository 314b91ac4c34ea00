#pragma once

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <limits>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/portable_math.hpp"

/// \file
/// The effective rank of a set of rows, from the eigenvalues of the smaller of their two Gram
/// matrices. The solver is Eigen's, and thus compiled with the caller's code.

namespace nearfar::detail {

/// A square matrix whose upper triangle, with the diagonal, is filled.
struct UpperGram {
  const double* data;
  Index size;
  Index stride;
};

/// exp of the entropy of the singular values divided by their sum; 0 if all are zero. Eigenvalues
/// of a Gram matrix have errors of about one rounding of the largest. Those that may be errors
/// alone count as zero: singular values below sqrt(size epsilon) of the largest.
///
/// A template, so that only programs that call it compile the solver, which takes three times as
/// long as all other headers together.
template <class Gram>
double effective_rank(const Gram& gram) {
  // Eigen reads the lower triangle by columns: the same numbers.
  using Lower = Eigen::Map<const Eigen::MatrixXd, 0, Eigen::OuterStride<>>;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(
      Lower(gram.data, gram.size, gram.size, Eigen::OuterStride<>(gram.stride)),
      Eigen::EigenvaluesOnly);
  const auto& squares = solver.eigenvalues();  // in increasing order
  const double largest = squares[gram.size - 1];
  const double least =
      static_cast<double>(gram.size) * std::numeric_limits<double>::epsilon() * largest;
  const auto singular = [&](Index k) { return squares[k] > least ? std::sqrt(squares[k]) : 0; };
  double sum = 0;
  for (Index k = 0; k < gram.size; ++k) sum += singular(k);
  if (!(sum > 0)) return 0;
  double entropy = 0;
  for (Index k = 0; k < gram.size; ++k) {
    const double p = singular(k) / sum;
    if (p > 0) entropy -= p * portable::log(p);
  }
  return portable::exp(entropy);
}

}  // namespace nearfar::detail
