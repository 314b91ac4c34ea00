#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/kernels/kernels.hpp"

/// \file
/// Scores of every row with every row. The matrix is the result; no loss calls these functions.

namespace nearfar {

namespace detail {

/// Scores of N rows with M rows into `scores`, N x M.
template <class S>
void evaluate_pairwise(const KernelValue<S>& kernel, const Inputs<S, 2>& inputs,
                       GradientRows<S> scores);

/// Gradients of sum_ij weights_ij s_ij, weights N x M.
template <class S>
void evaluate_pairwise_backward(const KernelValue<S>& kernel, const Inputs<S, 2>& inputs,
                                const Rows<S>& weights);

}  // namespace detail

/// s_ij = kernel(a_i, b_j) for rows of a (N x D) and b (M x D): N x M. Rows of a are the kernel's
/// anchors. 2 N M D floating point operations.
/// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that is
/// not finite.
template <class A, class B, Kernel K, class S = detail::ScalarOfStored<typename A::Scalar>>
Matrix<S> pairwise(const A& a, const B& b, const K& kernel, CallOptions<S> call = {}) {
  Matrix<S> scores;
  detail::evaluate_pairwise<S>(detail::kernel_value<S>(kernel),
                               {{Rows<S>(a), Rows<S>(b)}, {}, false, call}, scores);
  return scores;
}

/// Gradients of sum_ij upstream_ij s_ij, s = pairwise(a, b, kernel), upstream N x M, times
/// `call.upstream`, one number: da is N x D, db is M x D, and `call.d_parameter` gets that of the
/// kernel's matrix. Throws as pairwise does.
template <class U, class A, class B, Kernel K, class S = detail::ScalarOfStored<typename A::Scalar>>
void pairwise_backward(const U& upstream, const A& a, const B& b,
                       GradientRows<std::type_identity_t<S>> da,
                       GradientRows<std::type_identity_t<S>> db, const K& kernel,
                       CallOptions<S> call = {}) {
  detail::evaluate_pairwise_backward<S>(detail::kernel_value<S>(kernel),
                                        {{Rows<S>(a), Rows<S>(b)}, {da, db}, true, call},
                                        Rows<S>(upstream));
}

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/scores/impl/pairwise.hpp"
#endif
