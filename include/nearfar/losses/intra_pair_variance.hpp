#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of IntraPairVariance.
struct IntraPairVarianceOptions {
  /// >= 0: a positive pair of a score of at least (1 - positive_epsilon) m_p costs nothing.
  double positive_epsilon = 0.01;
  /// >= 0: a negative pair of a score of at most (1 + negative_epsilon) m_n costs nothing.
  double negative_epsilon = 0.01;
  /// Terms are ordered pairs. Positive and negative ones are reduced separately and then added.
  Reduction reduction = Reduction::mean;
  /// A row is unusable when there is no other row to form a pair with.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("positive_epsilon", o.positive_epsilon...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("positive_epsilon", o.positive_epsilon...);
    visit("negative_epsilon", o.negative_epsilon...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// The result of IntraPairVariance.
struct IntraPairVarianceResult : Result {
  double positive_mean = 0;                ///< mean score of positive pairs; 0 when there is none
  double negative_mean = 0;                ///< mean score of negative pairs; 0 when there is none
  std::int64_t positive_pairs = 0;         ///< ordered pairs of equal labels
  std::int64_t negative_pairs = 0;         ///< ordered pairs of different labels
  std::int64_t active_positive_pairs = 0;  ///< of these, below their bound
  std::int64_t active_negative_pairs = 0;  ///< of these, above their bound
};

namespace detail {

template <class S>
IntraPairVarianceResult evaluate(const IntraPairVarianceOptions& options,
                                 const KernelValue<S>& kernel, const LabelledInputs<S>& inputs);

}  // namespace detail

/// Intra-pair variance loss of a labelled batch (Yu & Tao, Deep metric learning with tuplet margin
/// loss, 2019, eq. 9 to 11): scores of positive pairs should be near their mean, and scores of
/// negative pairs near theirs:
///
///     L = mean over positives of max(0, (1 - positive_epsilon) m_p - s)^2
///       + mean over negatives of max(0, s - (1 + negative_epsilon) m_n)^2
///
/// with similarities s of kernel K, m_p the mean of s over all positive pairs and m_n the mean over
/// all negative ones. The gradient goes through both means. Use it together with a loss that
/// separates positives from negatives, such as the tuplet margin loss.
///
/// Pairs are ordered: (i, j) and (j, i) both count. Positive and negative pairs are reduced
/// separately and then added: `mean` divides by all pairs of a kind, `mean_nonzero` by the active
/// ones. m_p and m_n do not depend on the anchors' weights. With Reduction::none a value is the sum
/// of a row's squares of both kinds.
///
/// Extra memory O((N + M) D). Three passes over the scores: 5 to 6 N^2 D floating point operations
/// for a batch, 10 N M D with references. An object is immutable and may be shared by threads, each
/// with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class IntraPairVariance : public LabelCalls<IntraPairVariance<S, K>, S, IntraPairVarianceResult> {
  static_assert(is_symmetric<K>(),
                "nearfar: IntraPairVariance needs a kernel that treats both rows alike");
  static_assert(K::orientation == Orientation::similarity,
                "nearfar: IntraPairVariance needs a kernel that is a similarity");

 public:
  /// Throws std::invalid_argument unless both epsilons are finite and >= 0.
  explicit IntraPairVariance(IntraPairVarianceOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_not_negative("positive_epsilon", options.positive_epsilon);
    check_not_negative("negative_epsilon", options.negative_epsilon);
    check_offset<S>("positive_epsilon", options.positive_epsilon);
    check_offset<S>("negative_epsilon", options.negative_epsilon);
  }

  const IntraPairVarianceOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  IntraPairVarianceOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/intra_pair_variance.hpp"
#endif
