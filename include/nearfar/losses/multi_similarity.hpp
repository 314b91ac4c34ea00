#pragma once

#include <optional>

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of MultiSimilarity.
struct MultiSimilarityOptions {
  double alpha = 2;   ///< > 0: scale of the positives' logits
  double beta = 50;   ///< > 0: scale of the negatives' logits
  double base = 0.5;  ///< lambda: the score at which a pair's logit is 0
  /// With a value, the paper's pair mining: a positive counts if its score is less than the highest
  /// negative's plus epsilon, a negative if its score is more than the lowest positive's less
  /// epsilon.
  std::optional<double> epsilon = {};
  Reduction reduction = Reduction::mean;  ///< terms are anchors, all of them
  /// An anchor is unusable when it has neither a positive nor a negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("alpha", o.alpha...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("alpha", o.alpha...);
    visit("beta", o.beta...);
    visit("base", o.base...);
    visit("epsilon", o.epsilon...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
Result evaluate(const MultiSimilarityOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs);

}  // namespace detail

/// Multi-similarity loss of a labelled batch (Wang et al., Multi-similarity loss with general pair
/// weighting for deep metric learning, 2019, eq. 15):
///
///     L_i = 1/alpha log(1 + sum_{p in P(i)} exp(-alpha (s_ip - lambda)))
///         + 1/beta  log(1 + sum_{n in N(i)} exp( beta  (s_in - lambda)))
///
/// with similarities s of kernel K. Terms are anchors: Reduction::mean divides by N, as in the
/// paper. An anchor without positives or without negatives has the other logarithm alone.
///
/// With `epsilon` the sums are over the mined pairs alone (eq. 11 and 12),
/// s_ip < max_n s_in + epsilon and s_in > min_p s_ip - epsilon. The choice has no derivative. An
/// anchor without a positive or without a negative then has the value 0.
///
/// Extra memory O((N + M) D), 3 to 4 N^2 D floating point operations for a batch, N^2 D more with
/// mining. An object is immutable and may be shared by threads, each with its own Workspace.
/// Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class MultiSimilarity : public LabelCalls<MultiSimilarity<S, K>, S, Result> {
  static_assert(is_symmetric<K>(),
                "nearfar: MultiSimilarity needs a kernel that treats both rows alike");
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: MultiSimilarity needs a kernel that is a similarity");

 public:
  /// Throws std::invalid_argument unless alpha and beta are finite and > 0 and base and epsilon are
  /// finite.
  explicit MultiSimilarity(MultiSimilarityOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("alpha", options.alpha);
    check_scale<S>("beta", options.beta);
    check_offset<S>("base", options.base);
    if (options.epsilon) check_offset<S>("epsilon", *options.epsilon);
  }

  const MultiSimilarityOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  MultiSimilarityOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/multi_similarity.hpp"
#endif
