#pragma once

#include <optional>
#include <type_traits>

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"
#include "nearfar/losses/pair_list_calls.hpp"

namespace nearfar {

/// Settings of LinearContrastive.
struct LinearContrastiveOptions {
  /// A positive pair at least this near costs nothing, in the kernel's score; by default 0 for
  /// distances and 1 for similarities.
  std::optional<double> positive_margin = {};
  /// A negative pair at least this far apart costs nothing, in the kernel's score; by default 1 for
  /// distances and 0 for similarities.
  std::optional<double> negative_margin = {};
  /// Terms are ordered pairs. Positive and negative ones are reduced separately and then added.
  Reduction reduction = Reduction::mean_nonzero;
  /// A row is unusable when there is no other row to form a pair with.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("positive_margin", o.positive_margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("positive_margin", o.positive_margin...);
    visit("negative_margin", o.negative_margin...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// Settings of SnrContrastive.
struct SnrContrastiveOptions {
  double positive_margin = 0;  ///< >= 0: a positive pair at least this near costs nothing
  double negative_margin = 1;  ///< >= 0: a negative pair at least this far apart costs nothing
  /// Terms are ordered pairs. Positive and negative ones are reduced separately and then added.
  Reduction reduction = Reduction::mean_nonzero;
  /// A row is unusable when there is no other row to form a pair with, or when its elements are all
  /// equal, so that its variance is 0.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("positive_margin", o.positive_margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("positive_margin", o.positive_margin...);
    visit("negative_margin", o.negative_margin...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// The result of LinearContrastive and of SnrContrastive.
struct LinearContrastiveResult : Result {
  std::int64_t positive_pairs = 0;         ///< ordered pairs of equal labels, or listed ones
  std::int64_t negative_pairs = 0;         ///< ordered pairs of different labels, or listed ones
  std::int64_t active_positive_pairs = 0;  ///< of these, those farther than the margin
  std::int64_t active_negative_pairs = 0;  ///< of these, those nearer than the margin
};

namespace detail {

template <class S>
LinearContrastiveResult evaluate(const LinearContrastiveOptions& options,
                                 const KernelValue<S>& kernel, const LabelledInputs<S>& inputs);

template <class S>
LinearContrastiveResult evaluate(const LinearContrastiveOptions& options,
                                 const KernelValue<S>& kernel, const PairListInputs<S>& inputs);

template <class S>
LinearContrastiveResult evaluate(const SnrContrastiveOptions& options, const KernelValue<S>& kernel,
                                 const LabelledInputs<S>& inputs);

}  // namespace detail

/// Contrastive loss of a labelled batch with linear hinges, and one margin each for positive and
/// negative pairs:
///
///     L = mean over positives of max(0, d - m_pos) + mean over negatives of max(0, m_neg - d)
///
/// with d the distance of kernel K; for similarities max(0, m_pos - s) and max(0, s - m_neg). It is
/// the contrastive loss of Hadsell et al. (2006) with hinges in place of squares and a second
/// margin, for positives. Other name: pytorch-metric-learning's ContrastiveLoss.
///
/// Pairs are ordered: (i, j) and (j, i) both count. Positive and negative pairs are reduced
/// separately and then added: `mean` divides by all pairs of a kind, `mean_nonzero` by the active
/// ones. With Reduction::none a value is the sum of a row's hinges of both kinds.
///
/// Lists of pairs, by the numbers of their rows, may take the place of labels (PairList): pairs of
/// two rows of a batch, or of a row of x and a reference. Terms are then the listed pairs.
///
/// Extra memory O((N + M) D); 3 to 4 N^2 D floating point operations for a batch, 6 N M D with
/// references. mean_nonzero takes a third more, because its two divisors must be known before the
/// gradient. An object is immutable and may be shared by threads, each with its own Workspace.
/// Results have the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class LinearContrastive
    : public LabelCalls<LinearContrastive<S, K>, S, LinearContrastiveResult>,
      public PairListCalls<LinearContrastive<S, K>, S, LinearContrastiveResult> {
  using OverLabels = LabelCalls<LinearContrastive, S, LinearContrastiveResult>;
  using OfLists = PairListCalls<LinearContrastive, S, LinearContrastiveResult>;

  static_assert(is_symmetric<K>(),
                "nearfar: LinearContrastive needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless both margins are finite, and possible scores of the
  /// library's kernel: 0 or more for distances (up to 2 for CosineDistance), -1 to 1 for Cosine.
  explicit LinearContrastive(LinearContrastiveOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    constexpr bool similarity = K::orientation == Orientation::similarity;
    if (!options.positive_margin) options_.positive_margin = similarity ? 1 : 0;
    if (!options.negative_margin) options_.negative_margin = similarity ? 0 : 1;
    detail::check_score_option<S, K>("positive_margin", *options_.positive_margin);
    detail::check_score_option<S, K>("negative_margin", *options_.negative_margin);
  }

  /// The options, with defaults in the place of margins that were not given.
  const LinearContrastiveOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  using OfLists::forward;
  using OfLists::forward_backward;
  using OverLabels::forward;
  using OverLabels::forward_backward;

 private:
  LinearContrastiveOptions options_;
  K kernel_;
};

/// Contrastive loss of a labelled batch with the signal-to-noise distance (Yuan et al.,
/// Signal-to-noise ratio: a robust distance metric for deep metric learning, 2019, its contrastive
/// loss without the regulariser):
///
///     L = mean over positives of max(0, d - m_pos) + mean over negatives of max(0, m_neg - d),
///     d_ij = var(x_i - x_j) / var(x_i)
///
/// with var the variance of a row's D elements about their own mean, i the anchor. d is not
/// symmetric. It does not change when all rows are scaled, or when a number is added to all
/// elements of a row. Other name: pytorch-metric-learning's SignalToNoiseRatioContrastiveLoss.
///
/// Pairs, reductions and costs are those of LinearContrastive: with z a row less the mean of its
/// elements, d_ij = |z_i - z_j|^2 / |z_i|^2. K is SquaredEuclidean and no other kernel. The
/// gradient goes through both variances.
///
/// An object is immutable and may be shared by threads, each with its own Workspace. Results have
/// the same bits at any number of threads.
template <class S, Kernel K = SquaredEuclidean>
class SnrContrastive : public LabelCalls<SnrContrastive<S, K>, S, LinearContrastiveResult> {
  static_assert(std::is_same_v<K, SquaredEuclidean>,
                "nearfar: SnrContrastive is of squared distances of rows less their means: "
                "SquaredEuclidean");

 public:
  /// Throws std::invalid_argument unless both margins are finite and >= 0.
  explicit SnrContrastive(SnrContrastiveOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_not_negative("positive_margin", options.positive_margin);
    check_not_negative("negative_margin", options.negative_margin);
    check_offset<S>("positive_margin", options.positive_margin);
    check_offset<S>("negative_margin", options.negative_margin);
  }

  const SnrContrastiveOptions& options() const { return options_; }
  /// The kernel of rows less their means.
  const K& kernel() const { return kernel_; }

 private:
  SnrContrastiveOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/linear_contrastive.hpp"
#endif
