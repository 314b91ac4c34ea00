#pragma once

#include <cmath>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/triplet_term.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/paired_rows.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Settings of Triplet.
struct TripletOptions {
  double margin = 1.0;                    ///< m >= 0, in the kernel's score
  TripletForm form = TripletForm::hinge;  ///< hinge or soft margin
  bool swap = false;  ///< use the positive in the anchor's place where it is nearer the negative
  Reduction reduction = Reduction::mean;  ///< terms are triplets
};

/// Triplet loss of triplets given as rows: an anchor is to be nearer to its positive than to its
/// negative, by a margin:
///
///     hinge: L_i = max(0, d(a_i, p_i) - d(a_i, n_i) + m)
///     soft:  L_i = softplus(d(a_i, p_i) - d(a_i, n_i) + m)
///
/// (hinge: Weinberger & Saul 2009; Schroff et al., FaceNet, 2015, eq. 2, with SquaredEuclidean;
/// soft margin: Hermans et al., In defense of the triplet loss, 2017, with m = 0). For kernels that
/// are similarities, d is minus the score: max(0, s(a, n) - s(a, p) + m). With `swap`, d(a, n) is
/// the smaller of d(a, n) and d(p, n) (Balntas et al., Learning local feature descriptors with
/// triplets and shallow convolutional neural networks, 2016), as in PyTorch's triplet_margin_loss.
/// At the hinge's corner the subgradient is 0.
///
/// Time and extra memory O(N D). Immutable; shared by threads each with its own Workspace; the same
/// bits at any number of threads.
template <class S, Kernel K = Euclidean>
class Triplet {
 public:
  /// Throws std::invalid_argument unless the margin is finite and >= 0; and for `swap` with a
  /// kernel that does not treat both rows alike (Bilinear).
  explicit Triplet(TripletOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_not_negative("margin", options.margin);
    if (options.swap && !symmetric) {
      fail_argument("swap", "a kernel that treats both rows alike", "one that does not");
    }
  }

  const TripletOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of N triplets: anchors, positives, negatives, each N x D. An empty batch has value 0.
  /// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that
  /// is not finite.
  Result forward(Rows<S> anchors, Rows<S> positives, Rows<S> negatives,
                 CallOptions<S> call = {}) const {
    return run(nullptr, anchors, positives, negatives, no_gradient, no_gradient, no_gradient, call);
  }

  /// Value and the gradients of it, each N x D.
  Result forward_backward(Rows<S> anchors, Rows<S> positives, Rows<S> negatives,
                          GradientRows<S> d_anchors, GradientRows<S> d_positives,
                          GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, anchors.rows());
    return run(&one, anchors, positives, negatives, d_anchors, d_positives, d_negatives, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none.
  Result backward(const Upstream& upstream, Rows<S> anchors, Rows<S> positives, Rows<S> negatives,
                  GradientRows<S> d_anchors, GradientRows<S> d_positives,
                  GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    return run(&upstream, anchors, positives, negatives, d_anchors, d_positives, d_negatives, call);
  }

 private:
  static constexpr bool symmetric = detail::maps_queries<K>() == detail::maps_keys<K>();

  Result run(const Upstream* upstream, const Rows<S>& anchors, const Rows<S>& positives,
             const Rows<S>& negatives, GradientRows<S> d_anchors, GradientRows<S> d_positives,
             GradientRows<S> d_negatives, CallOptions<S> call) const;

  TripletOptions options_;
  K kernel_;
};

template <class S, Kernel K>
Result Triplet<S, K>::run(const Upstream* upstream, const Rows<S>& anchors,
                          const Rows<S>& positives, const Rows<S>& negatives,
                          GradientRows<S> d_anchors, GradientRows<S> d_positives,
                          GradientRows<S> d_negatives, CallOptions<S> call) const {
  using detail::Side;
  constexpr int sign = detail::nearness_sign<K>;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const Index n = anchors.rows();
  if (positives.rows() != n) {
    fail_shape("positives", n, positives.cols(), positives.rows(), positives.cols());
  }
  if (negatives.rows() != n) {
    fail_shape("negatives", n, negatives.cols(), negatives.rows(), negatives.cols());
  }
  detail::check_rows<S>(kernel_, threads,
                        {{"anchors", anchors, Side::query},
                         {"positives", positives, Side::key},
                         {"negatives", negatives, Side::key}});
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, n);
    d_anchors.check_shape("d_anchors", n, anchors.cols());
    d_positives.check_shape("d_positives", n, positives.cols());
    d_negatives.check_shape("d_negatives", n, negatives.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }

  detail::Batch<S, K, 3> batch(scratch, threads, kernel_,
                               {{{"anchors", anchors, Side::query},
                                 {"positives", positives, Side::key},
                                 {"negatives", negatives, Side::key}}});
  // A pair of sets: u and s a row, and dL/ds.
  struct Pairs {
    S* u;
    S* s;
    S* g;
  };
  const auto score = [&](int x, int y) {
    Pairs pairs{scratch.take<S>(n), scratch.take<S>(n), scratch.take<S>(n)};
    detail::paired_scores(threads, kernel_, batch.rows(x), batch.rows(y), pairs.u, pairs.s);
    std::fill(pairs.g, pairs.g + n, S(0));
    return pairs;
  };
  const Pairs with_positive = score(0, 1);
  const Pairs with_negative = score(0, 2);
  const Pairs swapped = options_.swap ? score(1, 2) : Pairs{nullptr, nullptr, nullptr};

  Result result;
  Diagnostics& d = result.diagnostics;
  d = detail::score_extremes<K>(with_positive.s, n);
  d.anchors = d.terms = n;
  detail::Extremes<S, K>(with_negative.s, n).add_to(d);

  double* values = scratch.take<double>(n);
  for (Index i = 0; i < n; ++i) {
    const bool swap = options_.swap && sign * swapped.s[i] > sign * with_negative.s[i];
    const Pairs& negative = swap ? swapped : with_negative;
    const double gap =
        sign * (static_cast<double>(negative.s[i]) - static_cast<double>(with_positive.s[i]));
    const detail::TripletTerm term(options_.form, gap + options_.margin);
    values[i] = term.value;
    if (term.value > 0) ++d.active_terms;
    if (upstream == nullptr) continue;
    const S g = static_cast<S>(sign * term.slope * detail::row_upstream(*upstream, i));
    with_positive.g[i] = -g;
    negative.g[i] = g;
  }
  detail::reduce_rows(
      options_.reduction, n, [&](Index i) { return values[i]; }, result);
  if (upstream == nullptr) return result;

  const std::array<detail::RowGradients<S>*, 3> gradients = {&batch.want(0, d_anchors, call),
                                                             &batch.want(1, d_positives, call),
                                                             &batch.want(2, d_negatives, call)};
  const auto add = [&](int x, int y, const Pairs& pairs) {
    detail::add_paired_gradients(threads, kernel_, batch.rows(x), batch.rows(y), pairs.u, pairs.s,
                                 pairs.g, *gradients[static_cast<std::size_t>(x)],
                                 *gradients[static_cast<std::size_t>(y)]);
  };
  add(0, 1, with_positive);
  add(0, 2, with_negative);
  if (options_.swap) add(1, 2, swapped);
  batch.hand_back(detail::gradient_scale(options_.reduction, d, *upstream),
                  {&d_anchors, &d_positives, &d_negatives}, call);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, Triplet)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, Triplet)
#endif

}  // namespace nearfar
