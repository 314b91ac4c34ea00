#include <cmath>

#include "suite.hpp"
#include "support/data.hpp"

/// The same losses as one writes them with four lines of Eigen: the whole matrix of scores, and
/// what follows from it. Compiled for this machine's own instruction set.

namespace {

using bench::RowMatrix;
using bench::Size;
using Index = Eigen::Index;
template <class S>
using Vector = Eigen::Matrix<S, Eigen::Dynamic, 1>;

/// Rows divided by their norms, and the way back.
template <class S>
struct UnitRows {
  Vector<S> norms;
  RowMatrix<S> rows;

  explicit UnitRows(const RowMatrix<S>& x)
      : norms(x.rowwise().norm()), rows(norms.cwiseInverse().asDiagonal() * x) {}

  RowMatrix<S> gradient(const RowMatrix<S>& g) const {
    const Vector<S> along = rows.cwiseProduct(g).rowwise().sum();
    return norms.cwiseInverse().asDiagonal() * (g - along.asDiagonal() * rows);
  }
};

/// Softmax of rows, in place; returns the log of each row's sum.
template <class S>
Vector<S> softmax_rows(RowMatrix<S>& p) {
  const Vector<S> best = p.rowwise().maxCoeff();
  p = (p.colwise() - best).array().exp();
  const Vector<S> sums = p.rowwise().sum();
  p = sums.cwiseInverse().asDiagonal() * p;
  return sums.array().log() + best.array();
}

template <class S>
double info_nce(const RowMatrix<S>& x, const RowMatrix<S>& y, RowMatrix<S>& dx, RowMatrix<S>& dy) {
  const auto t = static_cast<S>(bench::temperature);
  const auto n = static_cast<S>(x.rows());
  const UnitRows<S> q(x);
  const UnitRows<S> k(y);
  RowMatrix<S> p = q.rows * k.rows.transpose() / t;
  const Vector<S> own = p.diagonal();
  const double value = static_cast<double>((softmax_rows(p) - own).mean());
  p.diagonal().array() -= 1;
  p /= t * n;
  dx = q.gradient(p * k.rows);
  dy = k.gradient(p.transpose() * q.rows);
  return value;
}

template <class S>
double clip(const RowMatrix<S>& x, const RowMatrix<S>& y, RowMatrix<S>& dx, RowMatrix<S>& dy) {
  const auto t = static_cast<S>(bench::temperature);
  const auto n = static_cast<S>(x.rows());
  const UnitRows<S> q(x);
  const UnitRows<S> k(y);
  RowMatrix<S> p = q.rows * k.rows.transpose() / t;
  RowMatrix<S> r = p.transpose();
  const Vector<S> own = p.diagonal();
  const S rows = (softmax_rows(p) - own).mean();
  const S cols = (softmax_rows(r) - own).mean();
  p += r.transpose();
  p.diagonal().array() -= 2;
  p /= 2 * t * n;
  dx = q.gradient(p * k.rows);
  dy = k.gradient(p.transpose() * q.rows);
  return static_cast<double>(rows + cols) / 2;
}

template <class S>
double nt_xent(const RowMatrix<S>& view1, const RowMatrix<S>& view2, RowMatrix<S>& d_view1,
               RowMatrix<S>& d_view2) {
  const auto t = static_cast<S>(bench::temperature);
  const Index half = view1.rows();
  const Index n = 2 * half;
  RowMatrix<S> x(n, view1.cols());
  x << view1, view2;
  const UnitRows<S> z(x);
  RowMatrix<S> p = z.rows * z.rows.transpose() / t;
  p.diagonal().setConstant(-std::numeric_limits<S>::infinity());
  Vector<S> own(n);
  for (Index i = 0; i < n; ++i) own[i] = p(i, (i + half) % n);
  const double value = static_cast<double>((softmax_rows(p) - own).mean());
  for (Index i = 0; i < n; ++i) p(i, (i + half) % n) -= 1;
  p /= t * static_cast<S>(n);
  const RowMatrix<S> dx = z.gradient((p + p.transpose()) * z.rows);
  d_view1 = dx.topRows(half);
  d_view2 = dx.bottomRows(half);
  return value;
}

template <class S>
double sup_con(const RowMatrix<S>& x, const std::vector<int>& labels, RowMatrix<S>& dx) {
  const auto t = static_cast<S>(bench::temperature);
  const Index n = x.rows();
  const UnitRows<S> z(x);
  RowMatrix<S> p = z.rows * z.rows.transpose() / t;
  RowMatrix<S> positive(n, n);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      const bool same = labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)];
      positive(i, j) = S(i != j && same ? 1 : 0);
    }
  }
  const Vector<S> count = positive.rowwise().sum();
  positive = count.cwiseInverse().asDiagonal() * positive;
  const Vector<S> own = positive.cwiseProduct(p).rowwise().sum();
  p.diagonal().setConstant(-std::numeric_limits<S>::infinity());
  const double value = static_cast<double>((softmax_rows(p) - own).mean());
  p = (p - positive) / (t * static_cast<S>(n));
  dx = z.gradient((p + p.transpose()) * z.rows);
  return value;
}

template <class S>
RowMatrix<S> distances(const RowMatrix<S>& x) {
  const Vector<S> squares = x.rowwise().squaredNorm();
  RowMatrix<S> d = S(-2) * x * x.transpose();
  d.colwise() += squares;
  d.rowwise() += squares.transpose();
  d.diagonal().setZero();
  return d.cwiseMax(S(0)).cwiseSqrt();
}

template <class S>
double hadsell(const RowMatrix<S>& x, const std::vector<int>& labels, RowMatrix<S>& dx) {
  const Index n = x.rows();
  const auto margin = static_cast<S>(bench::hadsell_margin(x.cols()));
  RowMatrix<S> w = distances(x);
  double sum = 0;
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      const bool same = labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)];
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
  // Each unordered pair stands twice in w.
  w *= static_cast<S>(2 / pairs);
  const Vector<S> sums = w.rowwise().sum();
  dx = sums.asDiagonal() * x - w * x;
  return sum / pairs;
}

template <class S>
double batch_hard(const RowMatrix<S>& x, const std::vector<int>& labels, RowMatrix<S>& dx) {
  const Index n = x.rows();
  const auto margin = static_cast<S>(bench::triplet_margin(x.cols()));
  const RowMatrix<S> d = distances(x);
  dx = RowMatrix<S>::Zero(n, x.cols());
  double sum = 0;
  for (Index i = 0; i < n; ++i) {
    Index p = -1;
    Index q = -1;
    for (Index j = 0; j < n; ++j) {
      if (i == j) continue;
      if (labels[static_cast<std::size_t>(i)] == labels[static_cast<std::size_t>(j)]) {
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

template <class S, class Loss>
void two_sided(benchmark::State& state, const Loss& loss, double units, const Size& size,
               Index rows) {
  const bench::TwoViews<S> views(rows, size.d);
  RowMatrix<S> dx;
  RowMatrix<S> dy;
  Eigen::setNbThreads(size.threads);
  bench::measure<S>(
      state, units, size, [&] { return loss(views.x, views.y, dx, dy); },
      [&] { return static_cast<double>(size.n) * static_cast<double>(size.n) * sizeof(S); });
}

template <class S, class Loss>
void labelled(benchmark::State& state, const Loss& loss, double units, const Size& size) {
  const RowMatrix<S> x = bench::normal_rows<S>(size.n, size.d, 1);
  const std::vector<int> labels = bench::labels(size.n);
  RowMatrix<S> dx;
  Eigen::setNbThreads(size.threads);
  bench::measure<S>(
      state, units, size, [&] { return loss(x, labels, dx); },
      [&] { return static_cast<double>(size.n) * static_cast<double>(size.n) * sizeof(S); });
}

template <class S>
void add(const Size& size) {
  const auto two = [&](const char* name, const auto& loss, double units, Index rows) {
    benchmark::RegisterBenchmark(
        bench::name_of<S>(std::string("dense_eigen/") + name, true, size).c_str(),
        [=](benchmark::State& state) { two_sided<S>(state, loss, units, size, rows); })
        ->UseRealTime();
  };
  two("InfoNce", info_nce<S>, bench::info_nce_floor.forward_backward, size.n);
  two("Clip", clip<S>, bench::clip_floor.forward_backward, size.n);
  two("NtXent", nt_xent<S>, bench::symmetric_floor.forward_backward, size.n / 2);
  const auto one = [&](const char* name, const auto& loss, double units) {
    benchmark::RegisterBenchmark(
        bench::name_of<S>(std::string("dense_eigen/") + name, true, size).c_str(),
        [=](benchmark::State& state) { labelled<S>(state, loss, units, size); })
        ->UseRealTime();
  };
  one("SupCon", sup_con<S>, bench::symmetric_floor.forward_backward);
  one("HadsellContrastive", hadsell<S>, bench::pairs_floor.forward_backward);
  one("TripletBatchHard", batch_hard<S>, bench::batch_hard_floor.forward_backward);
}

const bool added = [] {
  for (const int threads : {1, 2}) add<float>({4096, 128, threads});
  for (const Size& size : bench::growing_sizes()) add<float>(size);
  add<double>({4096, 128, 1});
  return true;
}();

}  // namespace
