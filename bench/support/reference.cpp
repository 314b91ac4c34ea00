#include "support/reference.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace bench {

namespace {

using Index = std::ptrdiff_t;
using Numbers = std::vector<double>;

struct Pairs {
  Index n, m;
  Numbers of;

  Pairs(Index rows, Index cols) : n(rows), m(cols), of(static_cast<std::size_t>(rows * cols)) {}
  double& operator()(Index i, Index j) { return of[static_cast<std::size_t>(i * m + j)]; }
  double operator()(Index i, Index j) const { return of[static_cast<std::size_t>(i * m + j)]; }
};

double dot(const double* x, const double* y, Index d) {
  double sum = 0;
  for (Index k = 0; k < d; ++k) sum += x[k] * y[k];
  return sum;
}

/// The divisors of a set's scores.
Numbers lengths(const Batch<double>& b, const double* x, Index n) {
  Numbers out;
  for (Index i = 0; i < n; ++i) {
    const double* row = x + i * b.d;
    out.push_back(b.kernel == Kernel::cosine ? std::sqrt(dot(row, row, b.d)) : 1);
  }
  return out;
}

double score(const Batch<double>& b, const double* x, const double* y) {
  if (b.kernel != Kernel::euclidean) return dot(x, y, b.d);
  double sum = 0;
  for (Index k = 0; k < b.d; ++k) sum += (x[k] - y[k]) * (x[k] - y[k]);
  return std::sqrt(sum);
}

/// dx_i += sum over j of w(i, j) d(score of x_i and y_j)/dx_i; `turned` means w(j, i).
void add_gradient(const Batch<double>& b, const Pairs& scores, const Pairs& w, bool turned,
                  const double* x, Index n, const double* y, Index m, double* dx) {
  const Numbers lengths_x = lengths(b, x, n);
  const Numbers lengths_y = lengths(b, y, m);
  for (Index i = 0; i < n; ++i) {
    const double* xi = x + i * b.d;
    const double lx = lengths_x[static_cast<std::size_t>(i)];
    double* to = dx + i * b.d;
    for (Index j = 0; j < m; ++j) {
      const double g = turned ? w(j, i) : w(i, j);
      const double s = turned ? scores(j, i) : scores(i, j);
      const double* yj = y + j * b.d;
      if (g == 0 || (b.kernel == Kernel::euclidean && s == 0)) continue;
      const double ly = lengths_y[static_cast<std::size_t>(j)];
      for (Index k = 0; k < b.d; ++k) {
        if (b.kernel == Kernel::cosine) {
          to[k] += g * (yj[k] / (lx * ly) - s * xi[k] / (lx * lx));
        } else if (b.kernel == Kernel::inner_product) {
          to[k] += g * yj[k];
        } else {
          to[k] += g * (xi[k] - yj[k]) / s;
        }
      }
    }
  }
}

/// -log softmax of the positives in a line of logits, row i or column i, over the pairs that count;
/// adds dL/dlogit times `factor`.
template <class Logit, class Seen, class Positive, class Weight>
double softmax(Index m, double factor, const Logit& logit, const Seen& seen,
               const Positive& positive, const Weight& weight) {
  double best = -HUGE_VAL;
  double count = 0;
  double own = 0;
  for (Index j = 0; j < m; ++j) {
    if (!seen(j)) continue;
    best = std::max(best, logit(j));
    if (positive(j)) {
      count += 1;
      own += logit(j);
    }
  }
  double sum = 0;
  for (Index j = 0; j < m; ++j) {
    if (seen(j)) sum += std::exp(logit(j) - best);
  }
  for (Index j = 0; j < m; ++j) {
    if (!seen(j)) continue;
    weight(j) += factor * (std::exp(logit(j) - best) / sum - (positive(j) ? 1 / count : 0));
  }
  return best + std::log(sum) - own / count;
}

double softmax_losses(const Batch<double>& b, const Pairs& scores, Pairs& w) {
  const double n = static_cast<double>(b.n);
  const double share = b.loss == Loss::clip ? 0.5 / n : 1 / n;
  double value = 0;
  for (Index i = 0; i < b.n; ++i) {
    const auto seen = [&](Index j) { return !b.is_symmetric() || j != i; };
    const auto positive = [&](Index j) {
      if (b.loss == Loss::nt_xent) return j == (i + b.n / 2) % b.n;
      if (b.loss == Loss::sup_con) return b.labels[i] == b.labels[j];
      return j == i;
    };
    const double factor = share / b.temperature;
    value += share * softmax(
                         b.m, factor, [&](Index j) { return scores(i, j) / b.temperature; }, seen,
                         positive, [&](Index j) -> double& { return w(i, j); });
    if (b.loss != Loss::clip) continue;
    value += share * softmax(
                         b.n, factor, [&](Index j) { return scores(j, i) / b.temperature; }, seen,
                         positive, [&](Index j) -> double& { return w(j, i); });
  }
  return value;
}

double hadsell(const Batch<double>& b, const Pairs& scores, Pairs& w) {
  const double pairs = static_cast<double>(b.n) * static_cast<double>(b.n - 1) / 2;
  double value = 0;
  for (Index i = 0; i < b.n; ++i) {
    for (Index j = i + 1; j < b.n; ++j) {
      const double d = scores(i, j);
      const double gap = std::max(b.margin - d, 0.0);
      const bool same = b.labels[i] == b.labels[j];
      value += (same ? d * d : gap * gap) / 2 / pairs;
      w(i, j) = (same ? d : -gap) / pairs;
    }
  }
  return value;
}

double batch_hard(const Batch<double>& b, const Pairs& scores, Pairs& w) {
  const double n = static_cast<double>(b.n);
  double value = 0;
  for (Index i = 0; i < b.n; ++i) {
    Index p = -1;
    Index q = -1;
    for (Index j = 0; j < b.n; ++j) {
      if (j == i) continue;
      if (b.labels[i] == b.labels[j]) {
        if (p < 0 || scores(i, j) > scores(i, p)) p = j;
      } else if (q < 0 || scores(i, j) < scores(i, q)) {
        q = j;
      }
    }
    const double term = scores(i, p) - scores(i, q) + b.margin;
    if (!(term > 0)) continue;
    value += term / n;
    w(i, p) += 1 / n;
    w(i, q) -= 1 / n;
  }
  return value;
}

}  // namespace

bool has_plain_loops(const Batch<double>& b) {
  const bool pairs = b.loss == Loss::hadsell || b.loss == Loss::batch_hard;
  if (b.loss == Loss::other || b.kernel == Kernel::other) return false;
  return pairs == (b.kernel == Kernel::euclidean);
}

double plain_loops(const Batch<double>& b) {
  Pairs scores(b.n, b.m);
  const Numbers lengths_x = lengths(b, b.x, b.n);
  const Numbers lengths_y = lengths(b, b.y, b.m);
  for (Index i = 0; i < b.n; ++i) {
    for (Index j = 0; j < b.m; ++j) {
      scores(i, j) =
          score(b, b.x + i * b.d, b.y + j * b.d) /
          (lengths_x[static_cast<std::size_t>(i)] * lengths_y[static_cast<std::size_t>(j)]);
    }
  }
  Pairs w(b.n, b.m);
  const double value = b.loss == Loss::hadsell      ? hadsell(b, scores, w)
                       : b.loss == Loss::batch_hard ? batch_hard(b, scores, w)
                                                    : softmax_losses(b, scores, w);
  std::fill(b.dx, b.dx + b.n * b.d, 0.0);
  double* dy = b.is_symmetric() ? b.dx : b.dy;
  if (!b.is_symmetric()) std::fill(dy, dy + b.m * b.d, 0.0);
  add_gradient(b, scores, w, false, b.x, b.n, b.y, b.m, b.dx);
  add_gradient(b, scores, w, true, b.y, b.m, b.x, b.n, dy);
  return value;
}

}  // namespace bench
