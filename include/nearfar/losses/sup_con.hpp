#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/label_calls.hpp"
#include "nearfar/terms/sup_con_rows.hpp"

namespace nearfar {

/// Which of the two losses of the paper.
enum class SupConVariant {
  out,  ///< the mean over positives outside of the logarithm (eq. 2), the paper's choice
  in    ///< inside of it (eq. 3)
};

/// Settings of SupCon.
struct SupConOptions {
  double temperature = 0.1;  ///< tau > 0: logits are scores / tau
  SupConVariant variant = SupConVariant::out;
  /// Terms are anchors that have a positive.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when no other row has its label.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// Supervised contrastive loss: an anchor's positives are all other rows with its label
/// (Khosla et al., Supervised contrastive learning, 2020):
///
///     out: L_i = -1/|P(i)| sum_{p in P(i)} log( exp(s_ip / tau) / sum_{j != i} exp(s_ij / tau) )
///     in:  L_i = -log( 1/|P(i)| sum_{p in P(i)} exp(s_ip / tau) / sum_{j != i} exp(s_ij / tau) )
///
/// with scores of kernel K (minus the distance for distances). The value is a mean or sum of L_i,
/// without the paper's factor tau / tau_base. With two views a sample and no label shared by two
/// samples it is NtXent of the views.
///
/// Anchors without a positive are no terms: Reduction::mean divides by the number of the others.
/// Extra memory O(N D). Immutable; shared by threads each with its own Workspace; the same bits at
/// any number of threads.
template <class S, Kernel K = Cosine>
class SupCon : public LabelCalls<SupCon<S, K>, S, K, TemperatureResult> {
 public:
  using Outcome = TemperatureResult;
  static constexpr bool takes_pair_weights = true;

  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit SupCon(SupConOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_positive("temperature", options.temperature);
  }

  const SupConOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  friend class LabelCalls<SupCon, S, K, TemperatureResult>;

  template <int sets>
  TemperatureResult run(detail::LabelledBatch<S, K, sets>& batch) const;

  SupConOptions options_;
  K kernel_;
};

template <class S, Kernel K>
template <int sets>
TemperatureResult SupCon<S, K>::run(detail::LabelledBatch<S, K, sets>& batch) const {
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  batch.count_anchors(d);
  detail::refuse_unusable(options_.unusable_anchors, d.anchors_without_positive,
                          "without a positive");
  d.terms = d.anchors - d.anchors_without_positive;
  const detail::SupConRows<S, detail::nearness_sign<K>> loss(
      options_.temperature,
      options_.variant == SupConVariant::out ? detail::MeanOverPositives::outside_log
                                             : detail::MeanOverPositives::inside_log,
      batch.relation(), batch.positive_counts(), batch.upstream());
  const detail::SupConRow<S>* rows = batch.run(loss, d);
  for (Index i = 0; i < d.anchors; ++i) d.active_terms += rows[i].value > 0 ? 1 : 0;
  batch.reduce([&](Index i) { return rows[i].value; }, result);
  if (!batch.wants_gradients()) return result;
  result.d_temperature = loss.temperature_gradient(rows, d.anchors, batch.scale(d));
  batch.hand_back(batch.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LABEL_LOSS, SupCon)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LABEL_LOSS, SupCon)
#endif

}  // namespace nearfar
