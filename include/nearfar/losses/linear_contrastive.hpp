#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/label_calls.hpp"
#include "nearfar/terms/linear_contrastive_rows.hpp"

namespace nearfar {

/// Settings of LinearContrastive.
struct LinearContrastiveOptions {
  double positive_margin = 0;  ///< positives at least that near rest, in the kernel's score
  double negative_margin = 1;  ///< negatives at least that far rest, in the kernel's score
  /// Terms are ordered pairs, positive and negative ones reduced apart and then added.
  Reduction reduction = Reduction::mean_nonzero;
  /// A row is unusable when there is no other row to form a pair with.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// What LinearContrastive returns.
struct LinearContrastiveResult : Result {
  std::int64_t positive_pairs = 0;         ///< ordered pairs of equal labels
  std::int64_t negative_pairs = 0;         ///< ordered pairs of different labels
  std::int64_t active_positive_pairs = 0;  ///< of these, beyond the margin
  std::int64_t active_negative_pairs = 0;  ///< of these, within the margin
};

/// Contrastive loss of a labelled batch with linear hinges and a margin for either kind of pair:
///
///     L = mean over positives of max(0, d - m_pos) + mean over negatives of max(0, m_neg - d)
///
/// with d the distance of kernel K; for similarities max(0, m_pos - s) and max(0, s - m_neg). The
/// contrastive loss of Hadsell et al. (2006) with hinges in place of squares and a second margin,
/// for positives; pytorch-metric-learning's ContrastiveLoss.
///
/// Pairs are ordered: (i, j) and (j, i) both count. The two kinds are reduced apart, `mean` over
/// all of a kind, `mean_nonzero` over those of a kind that do not rest, and added. With
/// Reduction::none a value is the sum of a row's hinges of both kinds.
///
/// Extra memory O((N + M) D); 4 N^2 D floating point operations for a batch, 6 N M D with
/// references; a third more for mean_nonzero, whose divisors weigh the two kinds against each other
/// and must be known first. Immutable; shared by threads each with its own Workspace; the same bits
/// at any number of threads.
template <class S, Kernel K = Euclidean>
class LinearContrastive
    : public LabelCalls<LinearContrastive<S, K>, S, K, LinearContrastiveResult> {
 public:
  using Outcome = LinearContrastiveResult;

  /// Throws std::invalid_argument unless both margins are finite.
  explicit LinearContrastive(LinearContrastiveOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_finite_option("positive_margin", options.positive_margin);
    check_finite_option("negative_margin", options.negative_margin);
  }

  const LinearContrastiveOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  friend class LabelCalls<LinearContrastive, S, K, LinearContrastiveResult>;
  using Terms = detail::LinearContrastiveRows<S, detail::nearness_sign<K>>;

  template <int sets>
  LinearContrastiveResult run(detail::LabelledBatch<S, K, sets>& batch) const;

  static void count(const detail::LinearContrastiveRow* rows, Index anchors,
                    LinearContrastiveResult& result) {
    result.active_positive_pairs = result.active_negative_pairs = 0;
    for (Index i = 0; i < anchors; ++i) {
      result.active_positive_pairs += rows[i].positives.active;
      result.active_negative_pairs += rows[i].negatives.active;
    }
  }

  detail::PairScales scales(const LinearContrastiveResult& result) const {
    const auto share = [](std::int64_t pairs) {
      return pairs > 0 ? 1 / static_cast<double>(pairs) : 0.0;
    };
    switch (options_.reduction) {
      case Reduction::mean:
        return {share(result.positive_pairs), share(result.negative_pairs)};
      case Reduction::mean_nonzero:
        return {share(result.active_positive_pairs), share(result.active_negative_pairs)};
      case Reduction::sum:
      case Reduction::none:
        break;
    }
    return {};
  }

  LinearContrastiveOptions options_;
  K kernel_;
};

template <class S, Kernel K>
template <int sets>
LinearContrastiveResult LinearContrastive<S, K>::run(
    detail::LabelledBatch<S, K, sets>& batch) const {
  LinearContrastiveResult result;
  Diagnostics& d = result.diagnostics;
  batch.count_anchors(d);
  detail::refuse_unusable(
      options_.unusable_anchors,
      batch.anchors_where([](bool positive, bool negative) { return !positive && !negative; }),
      "without any other row");
  for (Index i = 0; i < d.anchors; ++i) {
    result.positive_pairs += batch.positives(i);
    result.negative_pairs += batch.negatives(i);
  }
  const auto terms = [&](detail::PairScales scales) {
    return Terms(options_.positive_margin, options_.negative_margin, scales, batch.relation(),
                 batch.upstream());
  };
  if (options_.reduction == Reduction::mean_nonzero) {
    Diagnostics first_look;
    count(batch.look(terms({}), first_look), d.anchors, result);
  }
  const Terms loss = terms(scales(result));
  const auto* rows = batch.run(loss, d);
  count(rows, d.anchors, result);
  d.terms = result.positive_pairs + result.negative_pairs;
  d.active_terms = result.active_positive_pairs + result.active_negative_pairs;
  // The divisors are in the terms' scales already.
  const Reduction rest = options_.reduction == Reduction::none ? Reduction::none : Reduction::sum;
  batch.reduce(
      rest, [&](Index i) { return loss.value(rows[i]); }, result);
  batch.hand_back(detail::gradient_scale(rest, d, batch.upstream()));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LABEL_LOSS, LinearContrastive)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LABEL_LOSS, LinearContrastive)
#endif

}  // namespace nearfar
