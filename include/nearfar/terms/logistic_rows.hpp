#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/terms/logistic.hpp"

/// \file
/// Losses that ask of every pair, on its own, whether it matches: sums of logistic losses.

namespace nearfar::detail {

/// How a score becomes a logit, and which pairs match.
template <class S>
struct LogisticSettings {
  double scale;
  double bias;
  const S* key_bias = nullptr;  ///< added to every logit of a key, if not null
  bool positives_on_diagonal = false;
};

/// Sums over one row.
struct LogisticRow {
  double value;
  double d_scale;  ///< derivative with respect to the scale
  double d_bias;   ///< and to the bias
};

/// sum_j softplus(-y z), z = scale * s + bias, y = 1 for a match and -1 else.
template <class S>
class LogisticRows {
 public:
  using Row = LogisticRow;
  static constexpr bool scores_are_independent = true;

  LogisticRows(LogisticSettings<S> settings, const Upstream& upstream)
      : scale_(static_cast<S>(settings.scale)),
        bias_(static_cast<S>(settings.bias)),
        key_bias_(settings.key_bias),
        diagonal_(settings.positives_on_diagonal),
        upstream_(upstream) {}

  Row start(Index) const { return {0, 0, 0}; }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    ElementSum<S> sum;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      sum += Softplus<T>(logit<T>(s + j, first + j)).value;
    });
    row.value += sum.total();
    if (!holds_match(i, first, n)) return;
    const S z = logit<S>(s + (i - first), i);
    row.value +=
        static_cast<double>(Softplus<S>(-z).value) - static_cast<double>(Softplus<S>(z).value);
  }

  void close(Row&, Index) const {}

  void differentiate(Row& row, Index i, Index first, Index n, const S* s, S* g) const {
    const S factor = static_cast<S>(row_upstream(upstream_, i));
    ElementSum<S> by_bias;
    ElementSum<S> by_scale;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T dz = Softplus<T>(logit<T>(s + j, first + j)).slope * spread<T>(factor);
      by_bias += dz;
      by_scale += dz * load<T>(s + j);
      store(g + j, dz * spread<T>(scale_));
    });
    row.d_bias += by_bias.total();
    row.d_scale += by_scale.total();
    if (!holds_match(i, first, n)) return;
    const Index at = i - first;
    const S z = logit<S>(s + at, i);
    const S match = -Softplus<S>(-z).slope * factor;
    const double change =
        static_cast<double>(match) - static_cast<double>(Softplus<S>(z).slope * factor);
    row.d_bias += change;
    row.d_scale += change * static_cast<double>(s[at]);
    g[at] = match * scale_;
  }

 private:
  bool holds_match(Index i, Index first, Index n) const {
    return diagonal_ && i >= first && i < first + n;
  }

  template <class T>
  NEARFAR_ALWAYS_INLINE T logit(const S* score, Index key) const {
    const T z = load<T>(score) * spread<T>(scale_) + spread<T>(bias_);
    return key_bias_ != nullptr ? z + load<T>(key_bias_ + key) : z;
  }

  S scale_;
  S bias_;
  const S* key_bias_;
  bool diagonal_;
  const Upstream& upstream_;
};

}  // namespace nearfar::detail
