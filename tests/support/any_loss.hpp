#pragma once

#include <cstdint>
#include <nearfar/core/matrix.hpp>
#include <nearfar/kernels/kernel.hpp>
#include <vector>

/// \file
/// Helpers of tests over all losses.

namespace support {

/// A kernel, with this matrix if the kernel has one.
template <class K, class Parameter>
K kernel_of(const Parameter& parameter) {
  if constexpr (nearfar::ParametricKernel<K>) {
    return K(parameter);
  } else {
    return K();
  }
}

/// The further numbers in a loss's result: derivatives of learnable numbers, a bound, counts of
/// kinds.
template <class Result>
std::vector<double> own_numbers_of(const Result& r) {
  std::vector<double> out;
  if constexpr (requires { r.d_temperature; }) out.push_back(r.d_temperature);
  if constexpr (requires { r.d_logit_scale; }) out.push_back(r.d_logit_scale);
  if constexpr (requires { r.d_logit_bias; }) out.push_back(r.d_logit_bias);
  if constexpr (requires { r.d_log_z; }) out.push_back(r.d_log_z);
  if constexpr (requires { r.d_beta; }) out.push_back(r.d_beta);
  if constexpr (requires { r.d_scale; }) out.push_back(r.d_scale);
  if constexpr (requires { r.d_lambda; }) out.push_back(r.d_lambda);
  if constexpr (requires { r.d_gamma; }) out.push_back(r.d_gamma);
  if constexpr (requires { r.ceiling; }) out.push_back(r.ceiling);
  if constexpr (requires { r.hard_triplets; }) {
    for (const std::int64_t count : {r.hard_triplets, r.semihard_triplets, r.easy_triplets}) {
      out.push_back(static_cast<double>(count));
    }
  }
  if constexpr (requires { r.positive_pairs; }) {
    for (const std::int64_t count :
         {r.positive_pairs, r.negative_pairs, r.active_positive_pairs, r.active_negative_pairs}) {
      out.push_back(static_cast<double>(count));
    }
  }
  return out;
}

}  // namespace support
