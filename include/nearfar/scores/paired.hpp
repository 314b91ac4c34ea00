#pragma once

#include "nearfar/kernels/kernel.hpp"
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

/// s_i = kernel(a_i, b_i) for rows of a and b (both N x D): N numbers. Rows of a are the kernel's
/// anchors. `S` is the scalar type of the rows: `paired(a, b, Cosine())`.
/// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that is
/// not finite.
template <class A, class B, Kernel K, class S = typename A::Scalar>
Vector<S> paired(const A& a, const B& b, const K& kernel, CallOptions<S> call = {}) {
  const Rows<S> x(a);
  const Rows<S> y(b);
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  detail::check_paired<S>(kernel, threads, x, y);
  const detail::Batch<S, K, 2> batch(
      scratch, threads, kernel, {{{"a", x, detail::Side::query}, {"b", y, detail::Side::key}}});
  S* u = scratch.take<S>(x.rows());
  Vector<S> scores(x.rows());
  detail::paired_scores(threads, kernel, batch.rows(0), batch.rows(1), u, scores.data());
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
  const Rows<S> x(a);
  const Rows<S> y(b);
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  detail::check_paired<S>(kernel, threads, x, y);
  if (upstream.size() != x.rows()) fail_shape("upstream", x.rows(), 1, upstream.size(), 1);
  detail::check_finite("upstream", Rows<S>(upstream.data(), upstream.size(), 1), threads);
  da.check_shape("da", x.rows(), x.cols());
  db.check_shape("db", y.rows(), y.cols());
  detail::check_parameter_gradient<S>(kernel, call);

  detail::Batch<S, K, 2> batch(scratch, threads, kernel,
                               {{{"a", x, detail::Side::query}, {"b", y, detail::Side::key}}});
  S* u = scratch.take<S>(x.rows());
  S* s = scratch.take<S>(x.rows());
  detail::paired_scores(threads, kernel, batch.rows(0), batch.rows(1), u, s);
  detail::add_paired_gradients(threads, kernel, batch.rows(0), batch.rows(1), u, s, upstream.data(),
                               batch.want(0, da, call), batch.want(1, db, call));
  batch.hand_back(1, {&da, &db}, call);
}

}  // namespace nearfar
