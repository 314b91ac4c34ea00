#pragma once

#include <type_traits>

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"

namespace nearfar {

/// Settings of CentroidTriplet.
struct CentroidTripletOptions {
  double margin = 0.05;  ///< m >= 0, in the kernel's distance
  /// Terms are pairs of an anchor that has a positive and a class other than its own.
  Reduction reduction = Reduction::mean_nonzero;
  /// An anchor is unusable when its class has no other row, or there is no other class.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// visit("margin", o.margin...), and so for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("margin", o.margin...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
Result evaluate(const CentroidTripletOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 1>& inputs, const Targets& targets);

}  // namespace detail

/// Triplet loss of rows and the centroids of classes (after Wieczorek et al., On the unreasonable
/// effectiveness of centroids in image retrieval, 2021, the centroid triplet loss, with every row
/// of the batch as an anchor and every other class as its negative): a row is to be nearer to the
/// centroid of the other rows of its class than to that of any other class, by a margin:
///
///     L_ic = max(0, d(x_i, mu_i) - d(x_i, mu_c) + m)
///
/// for each row i whose class has another row and each class c but its own, with mu_c the mean of
/// the rows of c, mu_i the mean of the other rows of i's class, and d the distance of kernel K,
/// Euclidean or SquaredEuclidean. A class of one row is a negative of others, and its row no
/// anchor. The gradient goes through the centroids. At the hinge's corner the subgradient is 0.
/// pytorch-metric-learning's former CentroidTripletLoss.
///
/// With C classes extra memory O((N + C) D), 6 N C D floating point operations; neither triplets
/// nor the N x C distances are held. Immutable; shared by threads each with its own Workspace; the
/// same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class CentroidTriplet {
  static_assert(std::is_same_v<K, Euclidean> || std::is_same_v<K, SquaredEuclidean>,
                "nearfar: CentroidTriplet needs a distance that means of rows are made for: "
                "Euclidean or SquaredEuclidean");

 public:
  /// Throws std::invalid_argument unless the margin is finite and >= 0.
  explicit CentroidTriplet(CentroidTripletOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_not_negative("margin", options.margin);
    check_offset<S>("margin", options.margin);
  }

  const CentroidTripletOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of a batch x (N x D) with a label a row; weights of anchors and `unlabelled` may add
  /// to them. With Reduction::none a value is the sum of a row's terms. Throws
  /// std::invalid_argument on shapes that do not fit and on targets of another kind (sets, lists,
  /// ids: a row has one class), std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, const Targets& labels, CallOptions<S> call = {}) const {
    return evaluate({{x}, {}, false, call}, labels);
  }

  /// Value and the gradient of it, N x D, times `call.upstream`: one number, or N numbers with
  /// Reduction::none; it may be `no_gradient` or `accumulate(buffer)`.
  Result forward_backward(Rows<S> x, const Targets& labels, GradientRows<S> dx,
                          CallOptions<S> call = {}) const {
    return evaluate({{x}, {dx}, true, call}, labels);
  }

 private:
  Result evaluate(const detail::Inputs<S, 1>& inputs, const Targets& labels) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, labels);
  }

  CentroidTripletOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/centroid_triplet.hpp"
#endif
