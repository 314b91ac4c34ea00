#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/kernels/kernels.hpp"

/// \file
/// Scores of row i with row i.

namespace nearfar {

namespace detail {

/// Scores of N pairs of rows into `scores`, N numbers.
template <class S>
void evaluate_paired(const KernelValue<S>& kernel, const Inputs<S, 2>& inputs, S* scores);

/// Gradients of sum_i weights_i s_i, weights N x 1.
template <class S>
void evaluate_paired_backward(const KernelValue<S>& kernel, const Inputs<S, 2>& inputs,
                              const Rows<S>& weights);

}  // namespace detail

/// s_i = kernel(a_i, b_i) for rows of a and b (both N x D): N numbers. Rows of a are the kernel's
/// anchors. `S` is the scalar type of the rows: `paired(a, b, Cosine())`.
/// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that is
/// not finite.
template <class A, class B, Kernel K, class S = detail::ScalarOfStored<typename A::Scalar>>
Vector<S> paired(const A& a, const B& b, const K& kernel, CallOptions<S> call = {}) {
  const Rows<S> x(a);
  const Rows<S> y(b);
  Vector<S> scores(x.rows());
  detail::evaluate_paired<S>(detail::kernel_value<S>(kernel), {{x, y}, {}, false, call},
                             scores.data());
  return scores;
}

/// Gradients of sum_i upstream_i s_i, s = paired(a, b, kernel), times `call.upstream`, one number:
/// da and db are N x D, and `call.d_parameter` gets that of the kernel's matrix. Throws as paired
/// does, and std::invalid_argument when upstream does not hold N numbers.
template <class A, class B, Kernel K, class S = detail::ScalarOfStored<typename A::Scalar>>
void paired_backward(const Eigen::Ref<const Vector<std::type_identity_t<S>>>& upstream, const A& a,
                     const B& b, GradientRows<std::type_identity_t<S>> da,
                     GradientRows<std::type_identity_t<S>> db, const K& kernel,
                     CallOptions<S> call = {}) {
  detail::evaluate_paired_backward<S>(detail::kernel_value<S>(kernel),
                                      {{Rows<S>(a), Rows<S>(b)}, {da, db}, true, call},
                                      Rows<S>(upstream.data(), upstream.size(), 1));
}

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/scores/impl/paired.hpp"
#endif
