#pragma once

#include <algorithm>
#include <cmath>
#include <nearfar/core/matrix.hpp>
#include <span>
#include <vector>

/// \file
/// The library's results, as plain loops over elements in long double: kernels, and the chain rule
/// from dL/d(score) to the rows. Nothing here is shared with the library.

namespace oracle {

using nearfar::Index;
using Real = long double;
using Matrix = nearfar::Matrix<Real>;
using Row = std::span<const Real>;
using Out = std::span<Real>;

inline Row row(const Matrix& m, Index i) {
  return {m.data() + i * m.cols(), static_cast<std::size_t>(m.cols())};
}
inline Out row(Matrix& m, Index i) {
  return {m.data() + i * m.cols(), static_cast<std::size_t>(m.cols())};
}

/// The exact numbers of a matrix of floats or doubles.
template <class M>
Matrix exact(const M& m) {
  Matrix out(m.rows(), m.cols());
  for (Index i = 0; i < m.rows(); ++i) {
    for (Index k = 0; k < m.cols(); ++k) out(i, k) = static_cast<Real>(m(i, k));
  }
  return out;
}

inline Real dot(Row x, Row y) {
  Real sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) sum += x[k] * y[k];
  return sum;
}

inline Real length(Row x) { return std::sqrt(dot(x, x)); }

inline Real distance(Row x, Row y) {
  Real sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) sum += (x[k] - y[k]) * (x[k] - y[k]);
  return std::sqrt(sum);
}

inline std::vector<Real> product(const Matrix& m, Row x) {
  std::vector<Real> out(static_cast<std::size_t>(m.rows()));
  for (Index i = 0; i < m.rows(); ++i) out[static_cast<std::size_t>(i)] = dot(row(m, i), x);
  return out;
}

// ---- kernels -----------------------------------------------------------------------------------
//
// score(x, y); add_gradient(g, x, y, dx, dy, dp) adds g times its derivatives (dp: of the kernel's
// matrix) and returns the size of the summands before they cancel, which rounding errors are
// relative to.

struct Reach {
  Real rows;
  Real parameter = 0;
};

struct Euclidean {
  static constexpr bool similarity = false;
  Real score(Row x, Row y) const { return distance(x, y); }
  Reach add_gradient(Real g, Row x, Row y, Out dx, Out dy, Matrix&) const {
    const Real d = distance(x, y);
    if (d == 0) return {0};
    for (std::size_t k = 0; k < x.size(); ++k) {
      dx[k] += g * (x[k] - y[k]) / d;
      dy[k] -= g * (x[k] - y[k]) / d;
    }
    return {std::max(length(x), length(y)) / d};
  }
};

struct SquaredEuclidean {
  static constexpr bool similarity = false;
  Real score(Row x, Row y) const { return distance(x, y) * distance(x, y); }
  Reach add_gradient(Real g, Row x, Row y, Out dx, Out dy, Matrix&) const {
    for (std::size_t k = 0; k < x.size(); ++k) {
      dx[k] += g * 2 * (x[k] - y[k]);
      dy[k] -= g * 2 * (x[k] - y[k]);
    }
    return {2 * std::max(length(x), length(y))};
  }
};

struct InnerProduct {
  static constexpr bool similarity = true;
  Real score(Row x, Row y) const { return dot(x, y); }
  Reach add_gradient(Real g, Row x, Row y, Out dx, Out dy, Matrix&) const {
    for (std::size_t k = 0; k < x.size(); ++k) {
      dx[k] += g * y[k];
      dy[k] += g * x[k];
    }
    return {std::max(length(x), length(y))};
  }
  Real term_size(Row x, Row y) const { return length(x) * length(y); }
};

struct Cosine {
  static constexpr bool similarity = true;
  Real score(Row x, Row y) const {
    const Real a = length(x);
    const Real b = length(y);
    return a > 0 && b > 0 ? dot(x, y) / (a * b) : 0;
  }
  Reach add_gradient(Real g, Row x, Row y, Out dx, Out dy, Matrix&) const {
    const Real a = length(x);
    const Real b = length(y);
    if (a == 0 || b == 0) return {0};
    const Real s = score(x, y);
    for (std::size_t k = 0; k < x.size(); ++k) {
      dx[k] += g * (y[k] / b - s * x[k] / a) / a;
      dy[k] += g * (x[k] / a - s * y[k] / b) / b;
    }
    return {1 / std::min(a, b)};
  }
  Real term_size(Row, Row) const { return 1; }
};

struct CosineDistance {
  static constexpr bool similarity = false;
  Real score(Row x, Row y) const { return 1 - Cosine().score(x, y); }
  Reach add_gradient(Real g, Row x, Row y, Out dx, Out dy, Matrix& dp) const {
    return Cosine().add_gradient(-g, x, y, dx, dy, dp);
  }
};

/// The factor by which a random matrix stretches a row: its typical singular value.
inline Real stretch_of(const Matrix& m) {
  return m.norm() / std::sqrt(static_cast<Real>(std::max<Index>(1, std::min(m.rows(), m.cols()))));
}

class Mahalanobis {
 public:
  static constexpr bool similarity = false;
  explicit Mahalanobis(Matrix transform)
      : transform_(std::move(transform)), stretch_(stretch_of(transform_)) {}

  Real score(Row x, Row y) const { return length(product(transform_, difference(x, y))); }
  Reach add_gradient(Real g, Row x, Row y, Out dx, Out dy, Matrix& dp) const {
    const std::vector<Real> plain = difference(x, y);
    const std::vector<Real> mapped = product(transform_, plain);
    const Real d = length(mapped);
    if (d == 0) return {0};
    for (Index e = 0; e < transform_.rows(); ++e) {
      const Real share = g * mapped[static_cast<std::size_t>(e)] / d;
      for (Index k = 0; k < transform_.cols(); ++k) {
        const auto at = static_cast<std::size_t>(k);
        dx[at] += share * transform_(e, k);
        dy[at] -= share * transform_(e, k);
        dp(e, k) += share * plain[at];
      }
    }
    const Real longest = std::max(length(x), length(y));
    return {stretch_ * stretch_ * longest / d, stretch_ * longest * longest / d};
  }

 private:
  static std::vector<Real> difference(Row x, Row y) {
    std::vector<Real> out(x.size());
    for (std::size_t k = 0; k < x.size(); ++k) out[k] = x[k] - y[k];
    return out;
  }

  Matrix transform_;
  Real stretch_;
};

class Bilinear {
 public:
  static constexpr bool similarity = true;
  explicit Bilinear(Matrix weight) : weight_(std::move(weight)), stretch_(stretch_of(weight_)) {}

  Real score(Row x, Row y) const { return dot(y, product(weight_, x)); }
  Reach add_gradient(Real g, Row x, Row y, Out dx, Out dy, Matrix& dp) const {
    for (Index r = 0; r < weight_.rows(); ++r) {
      for (Index c = 0; c < weight_.cols(); ++c) {
        const Real xc = x[static_cast<std::size_t>(c)];
        const Real yr = y[static_cast<std::size_t>(r)];
        dx[static_cast<std::size_t>(c)] += g * weight_(r, c) * yr;
        dy[static_cast<std::size_t>(r)] += g * weight_(r, c) * xc;
        dp(r, c) += g * yr * xc;
      }
    }
    return {stretch_ * std::max(length(x), length(y)), length(x) * length(y)};
  }
  Real term_size(Row x, Row y) const { return stretch_ * length(x) * length(y); }

 private:
  Matrix weight_;
  Real stretch_;
};

// ---- scores and their gradients ----------------------------------------------------------------

template <class K>
Matrix pairwise(const K& kernel, const Matrix& a, const Matrix& b) {
  Matrix out(a.rows(), b.rows());
  for (Index i = 0; i < a.rows(); ++i) {
    for (Index j = 0; j < b.rows(); ++j) out(i, j) = kernel.score(row(a, i), row(b, j));
  }
  return out;
}

/// Row i with row i: one column.
template <class K>
Matrix paired(const K& kernel, const Matrix& a, const Matrix& b) {
  Matrix out(a.rows(), 1);
  for (Index i = 0; i < a.rows(); ++i) out(i, 0) = kernel.score(row(a, i), row(b, i));
  return out;
}

/// The largest magnitude in these scores, which their rounding errors are relative to. A sum of
/// products may cancel, its terms do not.
template <class K>
Real score_scale(const K& kernel, const Matrix& scores, const Matrix& a, const Matrix& b) {
  Real scale = scores.size() > 0 ? scores.cwiseAbs().maxCoeff() : 0;
  if constexpr (K::similarity) {
    for (Index i = 0; i < a.rows(); ++i) {
      for (Index j = 0; j < b.rows(); ++j) {
        scale = std::max(scale, kernel.term_size(row(a, i), row(b, j)));
      }
    }
  }
  return scale;
}

/// A gradient, and the sum of its absolute summands.
struct Gradient {
  Matrix values;
  std::vector<Real> row_scales;

  Gradient() = default;
  Gradient(Index rows, Index cols)
      : values(Matrix::Zero(rows, cols)), row_scales(static_cast<std::size_t>(rows), 0) {}

  Real scale() const {
    return row_scales.empty() ? 0 : *std::max_element(row_scales.begin(), row_scales.end());
  }
};

/// Gradients of sum g_ij s_ij with respect to rows of a, of b, and the kernel's matrix.
struct Gradients {
  Gradient a;
  Gradient b;
  Gradient parameter;

  Gradients() = default;
  Gradients(const Matrix& rows_a, const Matrix& rows_b, Index parameter_rows, Index parameter_cols)
      : a(rows_a.rows(), rows_a.cols()),
        b(rows_b.rows(), rows_b.cols()),
        parameter(parameter_rows, parameter_cols) {}

  template <class K>
  void add(const K& kernel, Real g, const Matrix& rows_a, Index i, const Matrix& rows_b, Index j) {
    const Row x = row(rows_a, i);
    const Row y = row(rows_b, j);
    const Reach reach =
        kernel.add_gradient(g, x, y, row(a.values, i), row(b.values, j), parameter.values);
    a.row_scales[static_cast<std::size_t>(i)] += std::abs(g) * reach.rows;
    b.row_scales[static_cast<std::size_t>(j)] += std::abs(g) * reach.rows;
    for (Real& scale : parameter.row_scales) scale += std::abs(g) * reach.parameter;
  }
};

}  // namespace oracle
