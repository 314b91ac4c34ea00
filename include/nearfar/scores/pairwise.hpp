#pragma once

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/walk.hpp"

/// \file
/// Scores of every row with every row. The matrix is the result here; no loss calls these.

namespace nearfar {

namespace detail {

/// Copies scores out as the walk shows them.
template <class S>
struct ScoreCopy {
  struct Row {};
  S* out;
  Index stride;

  Row start(Index) const { return {}; }
  void observe(Row&, Index i, Index first, Index n, const S* s) const {
    std::copy(s, s + n, out + i * stride + first);
  }
  void close(Row&, Index) const {}
  void differentiate(Row&, Index, Index, Index n, const S*, S* g) const {
    std::fill(g, g + n, S(0));
  }
};

/// Hands the caller's dL/ds to the walk.
template <class S>
struct GivenGradient {
  struct Row {};
  Rows<S> upstream;

  Row start(Index) const { return {}; }
  void observe(Row&, Index, Index, Index, const S*) const {}
  void close(Row&, Index) const {}
  void differentiate(Row&, Index i, Index first, Index n, const S*, S* g) const {
    std::copy(upstream.row(i) + first, upstream.row(i) + first + n, g);
  }
};

template <class S, Kernel K>
void check_pairwise(const K& kernel, int threads, const Rows<S>& a, const Rows<S>& b) {
  check_rows<S>(kernel, threads, {{"a", a, Side::query}, {"b", b, Side::key}});
}

}  // namespace detail

/// What pairwise and pairwise_backward compute, for buffers of the caller's: compiled once for each
/// kernel of the library's.
template <class S, Kernel K>
class PairwiseScores {
 public:
  /// Throws as pairwise does.
  static void check(const K& kernel, const Rows<S>& a, const Rows<S>& b, CallOptions<S> call);

  /// Scores of checked rows of a (N x D) with rows of b (M x D) into `out`, row-major N x M.
  static void forward(const K& kernel, const Rows<S>& a, const Rows<S>& b, S* out,
                      CallOptions<S> call);

  /// Gradients of sum_ij upstream_ij s_ij, upstream N x M.
  static void backward(const K& kernel, const Rows<S>& upstream, const Rows<S>& a, const Rows<S>& b,
                       GradientRows<S> da, GradientRows<S> db, CallOptions<S> call);
};

template <class S, Kernel K>
void PairwiseScores<S, K>::check(const K& kernel, const Rows<S>& a, const Rows<S>& b,
                                 CallOptions<S> call) {
  const detail::Scratch scratch(call.workspace);
  detail::check_pairwise<S>(kernel, detail::available_threads(scratch.threads()), a, b);
}

template <class S, Kernel K>
void PairwiseScores<S, K>::forward(const K& kernel, const Rows<S>& a, const Rows<S>& b, S* out,
                                   CallOptions<S> call) {
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const detail::Batch<S, K, 2> batch(
      scratch, threads, kernel, {{{"a", a, detail::Side::query}, {"b", b, detail::Side::key}}});
  detail::Walk<S, K> walk(scratch, threads, kernel, batch.rows(0), batch.rows(1));
  Diagnostics seen;
  walk.forward(detail::ScoreCopy<S>{out, b.rows()}, seen);
}

template <class S, Kernel K>
void PairwiseScores<S, K>::backward(const K& kernel, const Rows<S>& upstream, const Rows<S>& a,
                                    const Rows<S>& b, GradientRows<S> da, GradientRows<S> db,
                                    CallOptions<S> call) {
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  detail::check_pairwise<S>(kernel, threads, a, b);
  if (upstream.rows() != a.rows() || upstream.cols() != b.rows()) {
    fail_shape("upstream", a.rows(), b.rows(), upstream.rows(), upstream.cols());
  }
  detail::check_finite("upstream", upstream, threads);
  da.check_shape("da", a.rows(), a.cols());
  db.check_shape("db", b.rows(), b.cols());
  detail::check_parameter_gradient<S>(kernel, call);

  detail::Batch<S, K, 2> batch(scratch, threads, kernel,
                               {{{"a", a, detail::Side::query}, {"b", b, detail::Side::key}}});
  detail::Walk<S, K> walk(scratch, threads, kernel, batch.rows(0), batch.rows(1));
  Diagnostics seen;
  walk.forward_backward(detail::GivenGradient<S>{upstream}, batch.want(0, da, call),
                        batch.want(1, db, call), seen);
  batch.hand_back(1, {&da, &db}, call);
}

/// s_ij = kernel(a_i, b_j) for rows of a (N x D) and b (M x D): N x M. Rows of a are the kernel's
/// anchors. 2 N M D floating point operations.
/// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that is
/// not finite.
template <class A, class B, Kernel K, class S = typename A::Scalar>
Matrix<S> pairwise(const A& a, const B& b, const K& kernel, CallOptions<S> call = {}) {
  const Rows<S> x(a);
  const Rows<S> y(b);
  PairwiseScores<S, K>::check(kernel, x, y, call);
  Matrix<S> scores(x.rows(), y.rows());
  PairwiseScores<S, K>::forward(kernel, x, y, scores.data(), call);
  return scores;
}

/// Gradients of sum_ij upstream_ij s_ij, s = pairwise(a, b, kernel), upstream N x M: da is N x D,
/// db is M x D, and `call.d_parameter` gets that of the kernel's matrix. Throws as pairwise does.
template <class U, class A, class B, Kernel K, class S = typename A::Scalar>
void pairwise_backward(const U& upstream, const A& a, const B& b,
                       GradientRows<std::type_identity_t<S>> da,
                       GradientRows<std::type_identity_t<S>> db, const K& kernel,
                       CallOptions<S> call = {}) {
  PairwiseScores<S, K>::backward(kernel, Rows<S>(upstream), Rows<S>(a), Rows<S>(b), da, db, call);
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, PairwiseScores)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, PairwiseScores)
#endif

}  // namespace nearfar
