#pragma once

#include <type_traits>

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"

namespace nearfar {

/// Settings of CentroidTriplet.
struct CentroidTripletOptions {
  double margin = 0.05;  ///< m >= 0, in the kernel's distance
  /// Terms are pairs of an anchor that has a positive and a class that is not its own.
  Reduction reduction = Reduction::mean_nonzero;
  /// An anchor is unusable when its class has no other row, or there is no other class.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("margin", o.margin...), and so on for each option.
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

/// Triplet loss of rows and centroids of classes: a row should be nearer to the centroid of the
/// other rows of its class than to the centroid of any other class, by a margin (after Wieczorek et
/// al., On the unreasonable effectiveness of centroids in image retrieval, 2021; here every row of
/// the batch is an anchor, and every other class is a negative):
///
///     L_ic = max(0, d(x_i, mu_i) - d(x_i, mu_c) + m)
///
/// for each row i whose class has another row and each class c that is not its own, with mu_c the
/// mean of the rows of c, mu_i the mean of the other rows of i's class, and d the distance of
/// kernel K, Euclidean or SquaredEuclidean. A class of one row is a negative of other rows; its row
/// is no anchor. The gradient goes through the centroids. At the hinge's corner the subgradient is
/// 0. An earlier version of pytorch-metric-learning has the same loss under this name.
///
/// With C classes, extra memory is O((N + C) D), without an N x C matrix, and a call takes 6 N C D
/// floating point operations. An object is immutable and may be shared by threads, each with its
/// own Workspace. Results have the same bits at any number of threads.
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

  /// The loss of a batch x (N x D) with one label a row. `labels` may have weights of anchors and
  /// mark rows as `unlabelled`. With Reduction::none a value is the sum of a row's terms. Throws
  /// std::invalid_argument on shapes that do not fit and on targets of another kind (sets, lists,
  /// ids: a row has one class), std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, const Targets& labels, CallOptions<S> call = {}) const {
    return evaluate({{x}, {}, false, call}, labels);
  }

  /// Value and gradient, N x D, times `call.upstream`: one number, or N numbers with
  /// Reduction::none; the gradient may be `no_gradient` or `accumulate(buffer)`.
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
