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
#include "nearfar/tiles/paired_rows.hpp"

/// \file
/// Scores of row i with row i.

namespace nearfar {

namespace detail {

template <class S, Kernel K>
void check_paired(const K& kernel, int threads, const Rows<S>& a, const Rows<S>& b) {
  if (a.rows() != b.rows()) fail_shape("b", a.rows(), a.cols(), b.rows(), b.cols());
  check_rows<S>(kernel, threads, {{"a", a, Side::query}, {"b", b, Side::key}});
}

}  // namespace detail

/// What paired and paired_backward compute, for buffers of the caller's: compiled once for each
/// kernel of the library's.
template <class S, Kernel K>
class PairedScores {
 public:
  /// Throws as paired does.
  static void check(const K& kernel, const Rows<S>& a, const Rows<S>& b, CallOptions<S> call);

  /// Scores of checked rows of a with those of b (both N x D) into `out`, N numbers.
  static void forward(const K& kernel, const Rows<S>& a, const Rows<S>& b, S* out,
                      CallOptions<S> call);

  /// Gradients of sum_i upstream_i s_i, upstream N x 1.
  static void backward(const K& kernel, const Rows<S>& upstream, const Rows<S>& a, const Rows<S>& b,
                       GradientRows<S> da, GradientRows<S> db, CallOptions<S> call);
};

template <class S, Kernel K>
void PairedScores<S, K>::check(const K& kernel, const Rows<S>& a, const Rows<S>& b,
                               CallOptions<S> call) {
  const detail::Scratch scratch(call.workspace);
  detail::check_paired<S>(kernel, detail::available_threads(scratch.threads()), a, b);
}

template <class S, Kernel K>
void PairedScores<S, K>::forward(const K& kernel, const Rows<S>& a, const Rows<S>& b, S* out,
                                 CallOptions<S> call) {
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  const detail::Batch<S, K, 2> batch(
      scratch, threads, kernel, {{{"a", a, detail::Side::query}, {"b", b, detail::Side::key}}});
  S* u = scratch.take<S>(a.rows());
  detail::paired_scores(threads, kernel, batch.rows(0), batch.rows(1), u, out);
}

template <class S, Kernel K>
void PairedScores<S, K>::backward(const K& kernel, const Rows<S>& upstream, const Rows<S>& a,
                                  const Rows<S>& b, GradientRows<S> da, GradientRows<S> db,
                                  CallOptions<S> call) {
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  detail::check_paired<S>(kernel, threads, a, b);
  if (upstream.rows() != a.rows()) fail_shape("upstream", a.rows(), 1, upstream.rows(), 1);
  detail::check_finite("upstream", upstream, threads);
  da.check_shape("da", a.rows(), a.cols());
  db.check_shape("db", b.rows(), b.cols());
  detail::check_parameter_gradient<S>(kernel, call);

  detail::Batch<S, K, 2> batch(scratch, threads, kernel,
                               {{{"a", a, detail::Side::query}, {"b", b, detail::Side::key}}});
  S* u = scratch.take<S>(a.rows());
  S* s = scratch.take<S>(a.rows());
  detail::paired_scores(threads, kernel, batch.rows(0), batch.rows(1), u, s);
  detail::add_paired_gradients(threads, kernel, batch.rows(0), batch.rows(1), u, s, upstream.data(),
                               batch.want(0, da, call), batch.want(1, db, call));
  batch.hand_back(1, {&da, &db}, call);
}

/// s_i = kernel(a_i, b_i) for rows of a and b (both N x D): N numbers. Rows of a are the kernel's
/// anchors. `S` is the scalar type of the rows: `paired(a, b, Cosine())`.
/// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that is
/// not finite.
template <class A, class B, Kernel K, class S = typename A::Scalar>
Vector<S> paired(const A& a, const B& b, const K& kernel, CallOptions<S> call = {}) {
  const Rows<S> x(a);
  const Rows<S> y(b);
  PairedScores<S, K>::check(kernel, x, y, call);
  Vector<S> scores(x.rows());
  PairedScores<S, K>::forward(kernel, x, y, scores.data(), call);
  return scores;
}

/// Gradients of sum_i upstream_i s_i, s = paired(a, b, kernel): da and db are N x D, and
/// `call.d_parameter` gets that of the kernel's matrix. Throws as paired does, and
/// std::invalid_argument when upstream does not hold N numbers.
template <class A, class B, Kernel K, class S = typename A::Scalar>
void paired_backward(const Eigen::Ref<const Vector<std::type_identity_t<S>>>& upstream, const A& a,
                     const B& b, GradientRows<std::type_identity_t<S>> da,
                     GradientRows<std::type_identity_t<S>> db, const K& kernel,
                     CallOptions<S> call = {}) {
  PairedScores<S, K>::backward(kernel, Rows<S>(upstream.data(), upstream.size(), 1), Rows<S>(a),
                               Rows<S>(b), da, db, call);
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SIMILARITY(NEARFAR_EXTERN_LOSS, PairedScores)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, PairedScores)
#endif

}  // namespace nearfar
