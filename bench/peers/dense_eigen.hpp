#pragma once

#include <Eigen/Core>
#include <algorithm>
#include <cmath>
#include <limits>

#include "support/batch.hpp"

/// \file
/// Losses in a few lines of Eigen: the whole matrix of scores, and expressions of it.

namespace bench::BENCH_SET {

template <class S>
using RowMatrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class S>
using Vector = Eigen::Matrix<S, Eigen::Dynamic, 1>;
template <class S>
using RowsOf = Eigen::Map<const RowMatrix<S>>;
template <class S>
using GradientOf = Eigen::Map<RowMatrix<S>>;

template <class S>
RowsOf<S> x_of(const Batch<S>& b) {
  return {b.x, b.n, b.d};
}
template <class S>
RowsOf<S> y_of(const Batch<S>& b) {
  return {b.y, b.m, b.d};
}
template <class S>
GradientOf<S> dx_of(const Batch<S>& b) {
  return {b.dx, b.n, b.d};
}
template <class S>
GradientOf<S> dy_of(const Batch<S>& b) {
  return {b.dy, b.m, b.d};
}

/// Rows divided by their norms if the score is their cosine, and the gradient through the division.
template <class S>
struct ScoredRows {
  bool cosine;
  Vector<S> norms;
  RowMatrix<S> rows;

  ScoredRows(const Batch<S>& b, const RowsOf<S>& x)
      : cosine(b.kernel == Kernel::cosine),
        norms(cosine ? Vector<S>(x.rowwise().norm()) : Vector<S>::Ones(x.rows())),
        rows(norms.cwiseInverse().asDiagonal() * x) {}

  RowMatrix<S> gradient(const RowMatrix<S>& g) const {
    if (!cosine) return g;
    const Vector<S> along = rows.cwiseProduct(g).rowwise().sum();
    return norms.cwiseInverse().asDiagonal() * (g - along.asDiagonal() * rows);
  }
};

/// Softmax of rows, in place; returns the logarithm of each row's sum.
template <class S>
Vector<S> softmax_rows(RowMatrix<S>& p) {
  const Vector<S> best = p.rowwise().maxCoeff();
  p = (p.colwise() - best).array().exp();
  const Vector<S> sums = p.rowwise().sum();
  p = sums.cwiseInverse().asDiagonal() * p;
  return sums.array().log() + best.array();
}

template <class S>
double info_nce(const Batch<S>& b) {
  const auto t = static_cast<S>(b.temperature);
  const ScoredRows<S> q(b, x_of(b));
  const ScoredRows<S> k(b, y_of(b));
  RowMatrix<S> p = q.rows * k.rows.transpose() / t;
  const Vector<S> own = p.diagonal();
  const double value = static_cast<double>((softmax_rows(p) - own).mean());
  p.diagonal().array() -= 1;
  p /= t * static_cast<S>(b.n);
  dx_of(b) = q.gradient(p * k.rows);
  dy_of(b) = k.gradient(p.transpose() * q.rows);
  return value;
}

template <class S>
double clip(const Batch<S>& b) {
  const auto t = static_cast<S>(b.temperature);
  const ScoredRows<S> q(b, x_of(b));
  const ScoredRows<S> k(b, y_of(b));
  RowMatrix<S> p = q.rows * k.rows.transpose() / t;
  RowMatrix<S> r = p.transpose();
  const Vector<S> own = p.diagonal();
  const S rows = (softmax_rows(p) - own).mean();
  const S cols = (softmax_rows(r) - own).mean();
  p += r.transpose();
  p.diagonal().array() -= 2;
  p /= 2 * t * static_cast<S>(b.n);
  dx_of(b) = q.gradient(p * k.rows);
  dy_of(b) = k.gradient(p.transpose() * q.rows);
  return static_cast<double>(rows + cols) / 2;
}

template <class S>
double nt_xent(const Batch<S>& b) {
  const auto t = static_cast<S>(b.temperature);
  const auto other = [&](Eigen::Index i) { return (i + b.n / 2) % b.n; };
  const ScoredRows<S> z(b, x_of(b));
  RowMatrix<S> p = z.rows * z.rows.transpose() / t;
  p.diagonal().setConstant(-std::numeric_limits<S>::infinity());
  Vector<S> own(b.n);
  for (Eigen::Index i = 0; i < b.n; ++i) own[i] = p(i, other(i));
  const double value = static_cast<double>((softmax_rows(p) - own).mean());
  for (Eigen::Index i = 0; i < b.n; ++i) p(i, other(i)) -= 1;
  p /= t * static_cast<S>(b.n);
  dx_of(b) = z.gradient((p + p.transpose()) * z.rows);
  return value;
}

template <class S>
double sup_con(const Batch<S>& b) {
  const auto t = static_cast<S>(b.temperature);
  const ScoredRows<S> z(b, x_of(b));
  RowMatrix<S> p = z.rows * z.rows.transpose() / t;
  RowMatrix<S> positive(b.n, b.n);
  for (Eigen::Index i = 0; i < b.n; ++i) {
    for (Eigen::Index j = 0; j < b.n; ++j) {
      positive(i, j) = S(i != j && b.labels[i] == b.labels[j] ? 1 : 0);
    }
  }
  const Vector<S> count = positive.rowwise().sum();
  positive = count.cwiseInverse().asDiagonal() * positive;
  const Vector<S> own = positive.cwiseProduct(p).rowwise().sum();
  p.diagonal().setConstant(-std::numeric_limits<S>::infinity());
  const double value = static_cast<double>((softmax_rows(p) - own).mean());
  p = (p - positive) / (t * static_cast<S>(b.n));
  dx_of(b) = z.gradient((p + p.transpose()) * z.rows);
  return value;
}

template <class S>
RowMatrix<S> distances(const RowsOf<S>& x) {
  const Vector<S> squares = x.rowwise().squaredNorm();
  RowMatrix<S> d = S(-2) * x * x.transpose();
  d.colwise() += squares;
  d.rowwise() += squares.transpose();
  d.diagonal().setZero();
  return d.cwiseMax(S(0)).cwiseSqrt();
}

template <class S>
double hadsell(const Batch<S>& b) {
  const Eigen::Index n = b.n;
  const RowsOf<S> x = x_of(b);
  const auto margin = static_cast<S>(b.margin);
  RowMatrix<S> w = distances(x);
  double sum = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    for (Eigen::Index j = 0; j < n; ++j) {
      const bool same = b.labels[i] == b.labels[j];
      const S d = w(i, j);
      const S gap = std::max(margin - d, S(0));
      if (i == j) {
        w(i, j) = 0;
      } else if (same) {
        sum += static_cast<double>(d) * static_cast<double>(d) / 2;
        w(i, j) = 1;
      } else {
        sum += static_cast<double>(gap) * static_cast<double>(gap) / 2;
        w(i, j) = d > 0 ? -gap / d : S(0);
      }
    }
  }
  const double pairs = static_cast<double>(n) * static_cast<double>(n - 1);
  // w contains each unordered pair twice.
  w *= static_cast<S>(2 / pairs);
  const Vector<S> sums = w.rowwise().sum();
  dx_of(b) = sums.asDiagonal() * x - w * x;
  return sum / pairs;
}

template <class S>
double batch_hard(const Batch<S>& b) {
  const Eigen::Index n = b.n;
  const RowsOf<S> x = x_of(b);
  GradientOf<S> dx = dx_of(b);
  const auto margin = static_cast<S>(b.margin);
  const RowMatrix<S> d = distances(x);
  dx.setZero();
  double sum = 0;
  for (Eigen::Index i = 0; i < n; ++i) {
    Eigen::Index p = -1;
    Eigen::Index q = -1;
    for (Eigen::Index j = 0; j < n; ++j) {
      if (i == j) continue;
      if (b.labels[i] == b.labels[j]) {
        if (p < 0 || d(i, j) > d(i, p)) p = j;
      } else if (q < 0 || d(i, j) < d(i, q)) {
        q = j;
      }
    }
    const S term = d(i, p) - d(i, q) + margin;
    if (!(term > 0)) continue;
    sum += static_cast<double>(term);
    const auto up = ((x.row(i) - x.row(p)) / d(i, p)).eval();
    const auto down = ((x.row(i) - x.row(q)) / d(i, q)).eval();
    dx.row(i) += up - down;
    dx.row(p) -= up;
    dx.row(q) += down;
  }
  dx /= static_cast<S>(n);
  return sum / static_cast<double>(n);
}

template <class S>
class DenseEigen final : public Peer<S> {
 public:
  using Evaluate = double (*)(const Batch<S>&);

  DenseEigen(const Batch<S>& batch, Evaluate evaluate) : batch_(batch), evaluate_(evaluate) {
    Eigen::setNbThreads(batch.threads);
  }
  double call() override { return evaluate_(batch_); }
  double extra_bytes() const override {
    return static_cast<double>(batch_.n) * static_cast<double>(batch_.m) * sizeof(S);
  }

 private:
  Batch<S> batch_;
  Evaluate evaluate_;
};

/// Null for other losses and kernels.
template <class S>
Peer<S>* dense_eigen(const Batch<S>& batch) {
  const auto with = [&](double (*evaluate)(const Batch<S>&)) -> Peer<S>* {
    return new DenseEigen<S>(batch, evaluate);
  };
  if (batch.kernel == Kernel::cosine || batch.kernel == Kernel::inner_product) {
    if (batch.loss == Loss::info_nce) return with(info_nce<S>);
    if (batch.loss == Loss::clip) return with(clip<S>);
    if (batch.loss == Loss::nt_xent) return with(nt_xent<S>);
    if (batch.loss == Loss::sup_con) return with(sup_con<S>);
  }
  if (batch.kernel == Kernel::euclidean) {
    if (batch.loss == Loss::hadsell) return with(hadsell<S>);
    if (batch.loss == Loss::batch_hard) return with(batch_hard<S>);
  }
  return nullptr;
}

}  // namespace bench::BENCH_SET
