#pragma once

#include <Eigen/Core>
#include <cmath>

#include "support/batch.hpp"

/// \file
/// Softmax losses for programs with memory for all scores, written for speed: three matrix products
/// (two if scores are symmetric), scores that are kept from call to call, and two passes over them
/// between the products, row by row, which include the norms of a cosine. One exponential a score
/// serves both directions of CLIP. It is relative to a bound on all scores, and thus underflows if
/// scores are far apart, which nearfar's do not.

namespace bench::BENCH_SET {

struct EigenProducts {
  template <class P, class A, class B>
  static void scores(const A& x, const B& y, P& p) {
    p.noalias() = x * y.transpose();
  }
  template <class P, class B, class G>
  static void weighted(const P& p, const B& y, G& g) {
    g.noalias() = p * y;
  }
  template <class P, class A, class G>
  static void transposed(const P& p, const A& x, G& g) {
    g.noalias() = p.transpose() * x;
  }
  static void use_threads(int threads) { Eigen::setNbThreads(threads); }
};

template <class S, class Products>
class KeptScores final : public Peer<S> {
  using Index = Eigen::Index;
  using Matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  using Array = Eigen::Array<S, Eigen::Dynamic, 1>;
  using Rows = Eigen::Map<const Matrix>;

 public:
  explicit KeptScores(const Batch<S>& b)
      : b_(b),
        x_(b.x, b.n, b.d),
        y_(b.y, b.m, b.d),
        dx_(b.dx, b.n, b.d),
        dy_(b.dy, b.m, b.d),
        p_(b.n, b.m),
        row_sums_(b.n),
        column_sums_(b.m) {
    Products::use_threads(b.threads);
  }

  double call() override {
    // A logit is x_i . y_j times scale_x_i times scale_y_j.
    scale_x_ = scales(x_);
    scale_y_ = scales(y_);
    bound_ = (scale_x_ * x_.rowwise().norm().array()).maxCoeff() *
             (scale_y_ * y_.rowwise().norm().array()).maxCoeff();
    scale_x_ /= static_cast<S>(b_.temperature);
    bound_ /= static_cast<S>(b_.temperature);
    if (b_.loss == Loss::sup_con) sort_by_class();

    Products::scores(x_, y_, p_);
    const double value = exponentials();
    weights();
    Products::weighted(p_, y_, dx_);
    if (!b_.is_symmetric()) Products::transposed(p_, x_, dy_);
    if (b_.kernel == Kernel::cosine) {
      through_norms(x_, dx_);
      if (!b_.is_symmetric()) through_norms(y_, dy_);
    }
    return value;
  }

  double extra_bytes() const override { return static_cast<double>(p_.size()) * sizeof(S); }

 private:
  bool is_clip() const { return b_.loss == Loss::clip; }

  Array scales(const Rows& rows) const {
    if (b_.kernel == Kernel::cosine) return rows.rowwise().norm().array().inverse();
    return Array::Ones(rows.rows());
  }

  /// Sorts rows by class, and finds the start of each class.
  void sort_by_class() {
    const Eigen::Map<const Eigen::ArrayXi> labels(b_.labels, b_.n);
    begin_ = Eigen::ArrayXi::Zero(labels.maxCoeff() + 2);
    for (const int label : labels) ++begin_[label + 1];
    for (Index c = 1; c < begin_.size(); ++c) begin_[c] += begin_[c - 1];
    Eigen::ArrayXi next = begin_;
    order_.resize(b_.n);
    for (Index i = 0; i < b_.n; ++i) order_[next[labels[i]]++] = static_cast<int>(i);
  }

  /// Calls visit(j) for each positive j of row i; returns their number.
  template <class Visit>
  Index for_positives(Index i, const Visit& visit) const {
    if (b_.loss != Loss::sup_con) {
      visit(b_.loss == Loss::nt_xent ? (i + b_.n / 2) % b_.n : i);
      return 1;
    }
    const int label = b_.labels[i];
    for (int k = begin_[label]; k < begin_[label + 1]; ++k) {
      if (order_[k] != i) visit(order_[k]);
    }
    return begin_[label + 1] - begin_[label] - 1;
  }

  /// Turns scores into exponentials; returns the value.
  double exponentials() {
    double sum = 0;
    column_sums_.setZero();
#pragma omp parallel num_threads(b_.threads) reduction(+ : sum)
    {
      Array columns = Array::Zero(is_clip() ? b_.m : 0);
#pragma omp for
      for (Index i = 0; i < b_.n; ++i) {
        auto row = p_.row(i).transpose().array();
        row *= scale_x_[i] * scale_y_;
        S own = 0;
        const Index count = for_positives(i, [&](Index j) { own += row[j]; });
        row = (row - bound_).exp();
        if (b_.is_symmetric()) row[i] = 0;
        row_sums_[i] = row.sum();
        if (is_clip()) columns += row;
        sum += static_cast<double>(std::log(row_sums_[i]) + bound_ - own / static_cast<S>(count));
      }
      if (is_clip()) {
#pragma omp critical
        column_sums_ += columns;
      }
    }
    if (is_clip()) {
      const double columns_less_rows =
          static_cast<double>((column_sums_.log() - row_sums_.log()).sum());
      sum += columns_less_rows / 2;
    }
    return sum / static_cast<double>(b_.n);
  }

  /// Turns exponentials into dL/d(x_i . y_j); for symmetric scores those of both sides at once.
  void weights() {
    const bool both = b_.loss != Loss::info_nce;
    const S share = 1 / static_cast<S>(is_clip() ? 2 * b_.n : b_.n);
    row_sums_ = share / row_sums_;
    if (is_clip()) {
      column_sums_ = share / column_sums_;
    } else if (both) {
      column_sums_ = row_sums_;
    }
    const S own_share = (both ? 2 : 1) * share;
#pragma omp parallel for num_threads(b_.threads)
    for (Index i = 0; i < b_.n; ++i) {
      auto row = p_.row(i).transpose().array();
      if (both) {
        row *= (row_sums_[i] + column_sums_) * (scale_x_[i] * scale_y_);
      } else {
        row *= (row_sums_[i] * scale_x_[i]) * scale_y_;
      }
      const auto count = static_cast<S>(for_positives(i, [](Index) {}));
      for_positives(i, [&](Index j) { row[j] -= own_share / count * scale_x_[i] * scale_y_[j]; });
    }
  }

  /// Subtracts from g its part along each row.
  void through_norms(const Rows& rows, Eigen::Map<Matrix>& g) const {
#pragma omp parallel for num_threads(b_.threads)
    for (Index i = 0; i < rows.rows(); ++i) {
      g.row(i) -= rows.row(i).dot(g.row(i)) / rows.row(i).squaredNorm() * rows.row(i);
    }
  }

  Batch<S> b_;
  Rows x_;
  Rows y_;
  Eigen::Map<Matrix> dx_;
  Eigen::Map<Matrix> dy_;
  Matrix p_;
  Array scale_x_;
  Array scale_y_;
  Array row_sums_;
  Array column_sums_;
  S bound_ = 0;
  Eigen::ArrayXi begin_;
  Eigen::ArrayXi order_;
};

/// Null for other losses and kernels.
template <class S, class Products>
Peer<S>* kept_scores(const Batch<S>& batch) {
  const bool softmax = batch.loss == Loss::info_nce || batch.loss == Loss::clip ||
                       batch.loss == Loss::nt_xent || batch.loss == Loss::sup_con;
  const bool product = batch.kernel == Kernel::cosine || batch.kernel == Kernel::inner_product;
  return softmax && product ? new KeptScores<S, Products>(batch) : nullptr;
}

}  // namespace bench::BENCH_SET
