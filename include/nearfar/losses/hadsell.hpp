#pragma once

#include "nearfar/core/labels.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"
#include "nearfar/losses/pair_list_calls.hpp"

namespace nearfar {

/// The factor of the squares in HadsellContrastive.
enum class SquareFactor {
  half,  ///< d^2 / 2: the paper, Caffe
  one    ///< d^2: TensorFlow Addons
};

/// Settings of HadsellContrastive.
struct HadsellOptions {
  double margin =
      1.0;  ///< m > 0, in the kernel's distance: dissimilar pairs farther apart cost nothing
  SquareFactor factor = SquareFactor::half;
  Reduction reduction = Reduction::mean;  ///< terms are pairs
  /// An anchor over labels is unusable when there is no other row to form a pair with.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("margin", o.margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("margin", o.margin...);
    visit("factor", o.factor...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs);

/// Pairs of row i of the first set and row i of the second.
template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 2>& inputs, const Labels& same);

/// Listed pairs.
template <class S>
Result evaluate(const HadsellOptions& options, const KernelValue<S>& kernel,
                const PairListInputs<S>& inputs);

}  // namespace detail

/// Contrastive loss of pairs: similar rows are drawn together, dissimilar rows are pushed apart up
/// to the margin (Hadsell, Chopra & LeCun, Dimensionality reduction by learning an invariant
/// mapping, 2006, eq. 4, with their Y = 1 - same):
///
///     L = same * d^2 / 2 + (1 - same) * max(0, m - d)^2 / 2
///
/// with d the distance of kernel K (Euclidean by default; any kernel that is a distance).
/// dL/dd = d for similar pairs, -(m - d) for dissimilar ones nearer than m, else 0. With
/// SquareFactor::one value and gradient are twice that.
///
/// There are four forms:
///
/// - given pairs, row i of a with row i of b: terms are the N pairs;
/// - pairs listed by the numbers of their rows, where positive pairs are similar: terms are the
///   listed pairs;
/// - all pairs i < j of a labelled batch, similar if the labels are equal: terms are the
///   N (N - 1) / 2 pairs;
/// - all pairs of a query and a reference: terms are the N M pairs.
///
/// With Reduction::none, and with weights of anchors, each row of a labelled batch has half of each
/// of its pairs, so that the values add up to the sum over all pairs. A pair with a reference
/// belongs to the query. If one row of a batch lists a pair and the other row does not, the pair
/// counts as half similar and half dissimilar.
///
/// The labelled forms take O(N D) extra memory, without an N x M matrix, and 3 N^2 D floating point
/// operations forward and backward, since distances are symmetric. An object is immutable and may
/// be shared by threads, each with its own Workspace. Results have the same bits at any number of
/// threads.
template <class S, Kernel K = Euclidean>
class HadsellContrastive : public LabelCalls<HadsellContrastive<S, K>, S, Result>,
                           public PairListCalls<HadsellContrastive<S, K>, S, Result> {
  using OverLabels = LabelCalls<HadsellContrastive, S, Result>;
  using OfLists = PairListCalls<HadsellContrastive, S, Result>;

  static_assert(is_symmetric<K>(),
                "nearfar: HadsellContrastive needs a kernel that treats both rows alike");
  static_assert(K::orientation == Orientation::distance,
                "nearfar: HadsellContrastive needs a kernel that is a distance (Euclidean, "
                "SquaredEuclidean, CosineDistance, Mahalanobis); a similarity has no margin to "
                "push to");

 public:
  /// Throws std::invalid_argument unless the margin is finite and > 0.
  explicit HadsellContrastive(HadsellOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_positive("margin", options.margin);
    check_offset<S>("margin", options.margin);
  }

  const HadsellOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  // All pairs over labels: of a batch, and of queries with references.
  using OverLabels::forward;
  using OverLabels::forward_backward;

  // Pairs listed by the numbers of their rows.
  using OfLists::forward;
  using OfLists::forward_backward;

  /// The loss of rows of a and b (both N x D) with same, N numbers: 1 for a similar pair, 0 for a
  /// dissimilar one. Throws std::invalid_argument on shapes or flags that do not fit,
  /// std::domain_error on an element that is not finite.
  Result forward(Rows<S> a, Rows<S> b, Labels same, CallOptions<S> call = {}) const {
    return evaluate({{a, b}, {}, false, call}, same);
  }

  /// Value and gradients, N x D, times `call.upstream`: one number, or N numbers with
  /// Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  Result forward_backward(Rows<S> a, Rows<S> b, Labels same, GradientRows<S> da, GradientRows<S> db,
                          CallOptions<S> call = {}) const {
    return evaluate({{a, b}, {da, db}, true, call}, same);
  }

 private:
  Result evaluate(const detail::Inputs<S, 2>& inputs, const Labels& same) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, same);
  }

  HadsellOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/hadsell.hpp"
#endif
