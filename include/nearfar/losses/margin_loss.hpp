#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of MarginLoss.
struct MarginLossOptions {
  double margin = 0.2;  ///< alpha: the distance of pairs from the boundary, on either side
  double beta = 1.2;    ///< the boundary, in the kernel's score; learnable
  double nu = 0;        ///< weight of the boundary in the loss
  /// Terms are hinges, two a triplet: one of its positive pair and one of its negative pair.
  Reduction reduction = Reduction::mean_nonzero;
  /// An anchor is unusable when it has no positive or no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("margin", o.margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("margin", o.margin...);
    visit("beta", o.beta...);
    visit("nu", o.nu...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// The result of MarginLoss with one boundary.
struct MarginLossResult : Result {
  double d_beta = 0;  ///< dL/dbeta (times upstream); 0 from forward
};

namespace detail {

template <class S>
MarginLossResult evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                          const LabelledInputs<S>& inputs);

/// With one boundary for each class.
template <class S>
Result evaluate(const MarginLossOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs, const Rows<S>& betas,
                const GradientRows<S>& d_betas);

}  // namespace detail

/// Margin based loss (Wu et al., Sampling matters in deep embedding learning, 2017, section 4),
/// over triplets: positives should lie a margin inside of a learnable boundary beta, and negatives
/// a margin outside of it. Over all triplets of an anchor i, one of its positives p and one of its
/// negatives n:
///
///     L = sum over (i, p, n) of max(0, d_ip - beta + alpha) + max(0, beta - d_in + alpha)
///         + nu beta
///
/// with d the distance of kernel K; for similarities max(0, beta - s_ip + alpha) and
/// max(0, s_in - beta + alpha). The loss computes the sum over triplets from pairs: a positive pair
/// is in as many triplets as its anchor has negatives, and a negative pair in as many as its anchor
/// has positives. The paper draws one negative for each positive; here all of them count.
///
/// Terms are the hinges, two a triplet: Reduction::mean divides by their number, mean_nonzero by
/// the number of those above zero. Anchors without a positive or without a negative have no
/// triplets. An anchor's nu beta_i has a reduction of its own, over all anchors: the mean for mean
/// and mean_nonzero, the sum for sum. With Reduction::none it is part of the row's value.
///
/// Extra memory O((N + M) D); 3 to 4 N^2 D floating point operations for a batch, 6 N M D with
/// references. An object is immutable and may be shared by threads, each with its own Workspace.
/// Results have the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class MarginLoss : public LabelCalls<MarginLoss<S, K>, S, MarginLossResult> {
  static_assert(is_symmetric<K>(),
                "nearfar: MarginLoss needs a kernel that treats both rows alike");

  using Calls = LabelCalls<MarginLoss<S, K>, S, MarginLossResult>;

 public:
  using Calls::forward;
  using Calls::forward_backward;

  /// Throws std::invalid_argument unless margin, beta and nu are finite.
  explicit MarginLoss(MarginLossOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_offset<S>("margin", options.margin);
    check_offset<S>("beta", options.beta);
    check_offset<S>("nu", options.nu);
  }

  /// The same with one boundary for each class, `betas` (C x 1), in the place of `options().beta`:
  /// anchor i has betas[labels[i]]. `labels` are labels from 0 to C - 1; no other targets are
  /// allowed. Throws as the calls without `betas` do, std::invalid_argument also on a label out of
  /// range, and std::domain_error on a boundary that is not finite.
  Result forward(Rows<S> x, const Targets& labels, Rows<S> betas, CallOptions<S> call = {}) const {
    return per_class({{{x}, {}, false, call}, labels, labels, false}, betas, no_gradient);
  }
  Result forward(Rows<S> queries, const Targets& query_labels, Rows<S> references,
                 const Targets& reference_labels, Rows<S> betas, CallOptions<S> call = {}) const {
    return per_class(
        {{{queries, references}, {}, false, call}, query_labels, reference_labels, true}, betas,
        no_gradient);
  }

  /// Value and gradients, including that of `betas` (C x 1); else as the calls without `betas`.
  Result forward_backward(Rows<S> x, const Targets& labels, Rows<S> betas, GradientRows<S> dx,
                          GradientRows<S> d_betas, CallOptions<S> call = {}) const {
    return per_class({{{x}, {dx}, true, call}, labels, labels, false}, betas, d_betas);
  }
  Result forward_backward(Rows<S> queries, const Targets& query_labels, Rows<S> references,
                          const Targets& reference_labels, Rows<S> betas, GradientRows<S> d_queries,
                          GradientRows<S> d_references, GradientRows<S> d_betas,
                          CallOptions<S> call = {}) const {
    return per_class({{{queries, references}, {d_queries, d_references}, true, call},
                      query_labels,
                      reference_labels,
                      true},
                     betas, d_betas);
  }

  const MarginLossOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  Result per_class(const detail::LabelledInputs<S>& inputs, const Rows<S>& betas,
                   const GradientRows<S>& d_betas) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, betas, d_betas);
  }

  MarginLossOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/margin_loss.hpp"
#endif
