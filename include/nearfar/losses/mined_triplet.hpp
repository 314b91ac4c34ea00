#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/core/triplet_form.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"
#include "nearfar/mining/mining.hpp"

namespace nearfar {

/// Settings of MinedTriplet.
struct MinedTripletOptions {
  double margin = 0.2;                                 ///< m >= 0, in the kernel's score
  TripletForm form = TripletForm::hinge;               ///< hinge, or soft margin
  Mining mining = Mining::batch_hard;                  ///< the triplets that count
  PositiveChoice positive = PositiveChoice::easy;      ///< for Mining::batch_easy_hard
  NegativeChoice negative = NegativeChoice::semihard;  ///< for Mining::batch_easy_hard
  DistanceWeighting weighting = {};                    ///< for Mining::distance_weighted
  /// Terms are the triplets mined: mean divides by their number, mean_nonzero by the number of
  /// those with a loss above zero.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when it has no positive or no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("margin", o.margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("margin", o.margin...);
    visit("form", o.form...);
    visit("mining", o.mining...);
    visit("positive", o.positive...);
    visit("negative", o.negative...);
    visit("weighting", o.weighting...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// The result of MinedTriplet. Counts are of all triplets of the batch, mined or not; with
/// Mining::batch_hard and batch_easy_hard they are of the mined triplets, at most one an anchor.
struct MinedTripletResult : Result {
  std::int64_t hard_triplets = 0;      ///< d(a, n) <= d(a, p)
  std::int64_t semihard_triplets = 0;  ///< d(a, p) < d(a, n) <= d(a, p) + m
  std::int64_t easy_triplets = 0;      ///< d(a, n) > d(a, p) + m
};

namespace detail {

template <class S>
MinedTripletResult evaluate(const MinedTripletOptions& options, const KernelValue<S>& kernel,
                            const LabelledInputs<S>& inputs);

}  // namespace detail

/// Triplet loss of a labelled batch: positives of an anchor are the other rows with its label,
/// negatives are the rows without it. `mining` selects the triplets that count. A triplet costs
///
///     hinge: max(0, d(a, p) - d(a, n) + m),   soft: softplus(d(a, p) - d(a, n) + m)
///
/// with d the distance of kernel K, or minus the score for similarities (see Triplet for sources).
///
/// The triplets are never listed. Hinge losses over every triplet of a kind take O(N M log P) time
/// for P positives an anchor, and products: in a batch with plain labels 3 N^2 D + O(N P D)
/// floating point operations, if N P numbers need no more memory than a small multiple of the rows,
/// else 6 N M D. The soft margin takes O(N M P). One triplet an anchor takes the scores, N^2 D in a
/// batch and 2 N M D with references, twice that if a choice is semi-hard, and O((N + M) D) for
/// gradients. Extra memory O((N + M) D). Ties go to the lowest index. An object is immutable and
/// may be shared by threads, each with its own Workspace. Results have the same bits at any number
/// of threads.
template <class S, Kernel K = Euclidean>
class MinedTriplet : public LabelCalls<MinedTriplet<S, K>, S, MinedTripletResult> {
  static_assert(is_symmetric<K>(),
                "nearfar: MinedTriplet needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the margin is finite and >= 0, the weighting's bounds are
  /// 0 < nearest < 2 and farthest > nearest, and the positive or the negative is not semi-hard:
  /// each semi-hard choice needs the other one first.
  explicit MinedTriplet(MinedTripletOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_not_negative("margin", options.margin);
    check_offset<S>("margin", options.margin);
    if (options.mining == Mining::batch_easy_hard && options.positive == PositiveChoice::semihard &&
        options.negative == NegativeChoice::semihard) {
      fail_argument("positive, negative", "at most one of them semihard", "both");
    }
    const DistanceWeighting& w = options.weighting;
    if (!detail::is_finite(w.nearest) || !(w.nearest > 0 && w.nearest < 2)) {
      fail_argument("weighting.nearest", "a number between 0 and 2",
                    detail::number_text(w.nearest));
    }
    if (detail::is_nan(w.farthest) || !(w.farthest > w.nearest)) {
      fail_argument("weighting.farthest", "a number above nearest",
                    detail::number_text(w.farthest));
    }
  }

  const MinedTripletOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  MinedTripletOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/mined_triplet.hpp"
#endif
