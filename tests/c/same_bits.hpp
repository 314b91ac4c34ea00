#pragma once

#include <gtest/gtest.h>
#include <nearfar/nearfar.h>

#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <memory>
#include <nearfar/core/reduction.hpp>
#include <nearfar/core/result.hpp>
#include <nearfar/core/targets.hpp>
#include <nearfar/losses/register.hpp>
#include <vector>

#include "support/random.hpp"

/// \file
/// A call through the interface beside the same call of the class: they must agree bit by bit.

namespace support {

using nearfar::CallOptions;
using nearfar::Reduction;
using nearfar::Upstream;

constexpr Index depth = 7;

struct Destroy {
  void operator()(nearfar_loss* loss) const { nearfar_loss_destroy(loss); }
};
using CLoss = std::unique_ptr<nearfar_loss, Destroy>;

/// The loss that `create` makes of options.
template <class Options>
CLoss made(nearfar_status (*create)(const Options*, nearfar_loss**), const Options& options) {
  nearfar_loss* loss = nullptr;
  EXPECT_EQ(create(&options, &loss), NEARFAR_OK) << nearfar_last_error();
  return CLoss(loss);
}

/// Default options.
template <class Options>
Options defaults(nearfar_status (*init)(Options*, size_t)) {
  Options options;
  EXPECT_EQ(init(&options, sizeof options), NEARFAR_OK) << nearfar_last_error();
  return options;
}

template <class S>
nearfar_rows c_rows(const Matrix<S>& m) {
  return {m.data(), m.rows(), m.cols(), m.cols(),
          sizeof(S) == sizeof(float) ? NEARFAR_FLOAT : NEARFAR_DOUBLE};
}

template <class S>
nearfar_gradient c_gradient(Matrix<S>& m) {
  return {m.data(),
          m.rows(),
          m.cols(),
          0,
          sizeof(S) == sizeof(float) ? NEARFAR_FLOAT : NEARFAR_DOUBLE,
          NEARFAR_OVERWRITE};
}

template <class S>
void expect_same_bits(const Matrix<S>& got, const Matrix<S>& wanted, const char* what) {
  ASSERT_EQ(got.rows(), wanted.rows()) << what;
  ASSERT_EQ(got.cols(), wanted.cols()) << what;
  const auto bytes = static_cast<std::size_t>(got.size()) * sizeof(S);
  EXPECT_TRUE(bytes == 0 || std::memcmp(got.data(), wanted.data(), bytes) == 0) << what << "\n"
                                                                                << got << "\nand\n"
                                                                                << wanted;
}

inline void expect_same_bits(double got, double wanted, const char* what) {
  EXPECT_EQ(std::bit_cast<std::uint64_t>(got), std::bit_cast<std::uint64_t>(wanted))
      << what << ": " << got << " and " << wanted;
}

/// All that a result has; what R lacks must be what the interface says of it.
template <class R>
void expect_same_result(const nearfar_result& got, const R& wanted) {
  expect_same_bits(got.value, wanted.value, "value");
  ASSERT_EQ(static_cast<std::size_t>(got.values_count), wanted.values.size());
  for (std::size_t i = 0; i < wanted.values.size(); ++i) {
    expect_same_bits(got.values[i], wanted.values[i], "values");
  }
  const nearfar::Diagnostics& d = wanted.diagnostics;
  EXPECT_EQ(got.anchors, d.anchors);
  EXPECT_EQ(got.anchors_without_positive, d.anchors_without_positive);
  EXPECT_EQ(got.anchors_without_negative, d.anchors_without_negative);
  EXPECT_EQ(got.terms, d.terms);
  EXPECT_EQ(got.active_terms, d.active_terms);
  EXPECT_EQ(got.zero_distances, d.zero_distances);
  expect_same_bits(got.smallest_score, d.smallest_score, "smallest_score");
  expect_same_bits(got.largest_score, d.largest_score, "largest_score");
  const auto number = [&](double in_c, const auto& member, const char* what) {
    expect_same_bits(in_c, member(wanted), what);
  };
  const auto count = [&](std::int64_t in_c, const auto& member) {
    EXPECT_EQ(in_c, member(wanted));
  };
#define NEARFAR_MEMBER(name, otherwise)   \
  [](const auto& r) {                     \
    if constexpr (requires { r.name; }) { \
      return r.name;                      \
    } else {                              \
      return otherwise;                   \
    }                                     \
  }
  number(got.d_temperature, NEARFAR_MEMBER(d_temperature, 0.0), "d_temperature");
  number(got.d_log_z, NEARFAR_MEMBER(d_log_z, 0.0), "d_log_z");
  number(got.d_logit_scale, NEARFAR_MEMBER(d_logit_scale, 0.0), "d_logit_scale");
  number(got.d_logit_bias, NEARFAR_MEMBER(d_logit_bias, 0.0), "d_logit_bias");
  number(got.d_beta, NEARFAR_MEMBER(d_beta, 0.0), "d_beta");
  number(got.d_scale, NEARFAR_MEMBER(d_scale, 0.0), "d_scale");
  number(got.d_lambda, NEARFAR_MEMBER(d_lambda, 0.0), "d_lambda");
  number(got.d_gamma, NEARFAR_MEMBER(d_gamma, 0.0), "d_gamma");
  number(got.ceiling, NEARFAR_MEMBER(ceiling, std::numeric_limits<double>::infinity()), "ceiling");
  count(got.positive_pairs, NEARFAR_MEMBER(positive_pairs, std::int64_t(0)));
  count(got.negative_pairs, NEARFAR_MEMBER(negative_pairs, std::int64_t(0)));
  count(got.active_positive_pairs, NEARFAR_MEMBER(active_positive_pairs, std::int64_t(0)));
  count(got.active_negative_pairs, NEARFAR_MEMBER(active_negative_pairs, std::int64_t(0)));
  count(got.hard_triplets, NEARFAR_MEMBER(hard_triplets, std::int64_t(0)));
  count(got.semihard_triplets, NEARFAR_MEMBER(semihard_triplets, std::int64_t(0)));
  count(got.easy_triplets, NEARFAR_MEMBER(easy_triplets, std::int64_t(0)));
#undef NEARFAR_MEMBER
}

/// Makes both calls. `c_forward(call, result)` and `c_forward_backward(gradients, call, result)`
/// are those of the interface; `forward(call)` and `forward_backward(gradients, call)` those of the
/// class, whose gradients have the shapes of `inputs`. `values`: numbers of upstream with
/// Reduction::none, 0 for a loss without reduction.
template <class S, class K, std::size_t count, class CForward, class CForwardBackward,
          class Forward, class ForwardBackward>
void expect_same_calls(const K& kernel, Reduction reduction, Index values,
                       const std::array<const Matrix<S>*, count>& inputs, const CForward& c_forward,
                       const CForwardBackward& c_forward_backward, const Forward& forward,
                       const ForwardBackward& forward_backward) {
  std::vector<double> buffer(static_cast<std::size_t>(values) + 1);
  nearfar_result got = defaults(nearfar_result_init);
  got.values = buffer.data();
  got.values_capacity = values;
  ASSERT_EQ(c_forward(static_cast<const nearfar_call*>(nullptr), &got), NEARFAR_OK)
      << nearfar_last_error();
  expect_same_result(got, forward(CallOptions<S>()));

  std::array<Matrix<S>, count> mine;
  std::array<Matrix<S>, count> theirs;
  std::array<nearfar_gradient, count> gradients;
  for (std::size_t i = 0; i < count; ++i) {
    mine[i].setConstant(inputs[i]->rows(), inputs[i]->cols(), S(-77));
    gradients[i] = c_gradient(mine[i]);
  }
  Matrix<S> my_parameter;
  Matrix<S> their_parameter;
  nearfar_gradient d_parameter = {};
  nearfar_call call = defaults(nearfar_call_init);
  CallOptions<S> options;
  if constexpr (nearfar::ParametricKernel<K>) {
    my_parameter.setConstant(kernel.parameter().rows(), kernel.parameter().cols(), S(-77));
    d_parameter = c_gradient(my_parameter);
    call.d_parameter = &d_parameter;
    options.d_parameter = their_parameter;
  }
  std::vector<double> upstream = {0.75};
  if (reduction == Reduction::none) upstream = random_upstream(values, 9);
  call.upstream = {upstream.data(), static_cast<std::int64_t>(upstream.size())};
  options.upstream = reduction == Reduction::none ? Upstream(upstream) : Upstream(0.75);
  ASSERT_EQ(c_forward_backward(gradients, &call, &got), NEARFAR_OK) << nearfar_last_error();
  const auto wanted = forward_backward(theirs, options);
  expect_same_result(got, wanted);
  for (std::size_t i = 0; i < count; ++i) expect_same_bits(mine[i], theirs[i], "gradient");
  expect_same_bits(my_parameter, their_parameter, "d_parameter");

  // Without upstream it is 1.
  const std::vector<double> ones(static_cast<std::size_t>(values), 1.0);
  call.upstream = {nullptr, 0};
  options.upstream = reduction == Reduction::none ? Upstream(ones) : Upstream(1.0);
  ASSERT_EQ(c_forward_backward(gradients, &call, &got), NEARFAR_OK) << nearfar_last_error();
  forward_backward(theirs, options);
  for (std::size_t i = 0; i < count; ++i) expect_same_bits(mine[i], theirs[i], "gradient");
}

// ---- kernels: body(number, matrix, kernel) for each, with both scalar types --------------------

/// With each of a list of the register's.
template <class S, class... K, class Body>
void for_kernels(nearfar::registered::KernelList<K...>, const Body& body) {
  const Matrix<S> weight = random_rows<S>(depth, depth, 72);
  const Matrix<S> transform = random_rows<S>(5, depth, 71);
  const auto with = [&]<class Kernel>() {
    if constexpr (std::is_same_v<Kernel, nearfar::Bilinear<S>>) {
      body(NEARFAR_BILINEAR, c_rows(weight), Kernel(weight));
    } else if constexpr (std::is_same_v<Kernel, nearfar::Mahalanobis<S>>) {
      body(NEARFAR_MAHALANOBIS, c_rows(transform), Kernel(transform));
    } else if constexpr (std::is_same_v<Kernel, nearfar::Cosine>) {
      body(NEARFAR_COSINE, nearfar_rows(), Kernel());
    } else if constexpr (std::is_same_v<Kernel, nearfar::InnerProduct>) {
      body(NEARFAR_INNER_PRODUCT, nearfar_rows(), Kernel());
    } else if constexpr (std::is_same_v<Kernel, nearfar::Euclidean>) {
      body(NEARFAR_EUCLIDEAN, nearfar_rows(), Kernel());
    } else if constexpr (std::is_same_v<Kernel, nearfar::SquaredEuclidean>) {
      body(NEARFAR_SQUARED_EUCLIDEAN, nearfar_rows(), Kernel());
    } else {
      static_assert(std::is_same_v<Kernel, nearfar::CosineDistance>);
      body(NEARFAR_COSINE_DISTANCE, nearfar_rows(), Kernel());
    }
  };
  (with.template operator()<K>(), ...);
}

template <class S, class Body>
void each_similarity(const Body& body) {
  for_kernels<S>(nearfar::registered::kernel_lists::Similarities<S>(), body);
}

template <class S, class Body>
void each_symmetric(const Body& body) {
  for_kernels<S>(nearfar::registered::kernel_lists::Symmetric<S>(), body);
}

template <class S, class Body>
void each_distance(const Body& body) {
  for_kernels<S>(nearfar::registered::kernel_lists::Distances<S>(), body);
}

/// body(S()) for float and double, and with each the two ways that values go.
template <class Body>
void each_scalar_and_reduction(const Body& body) {
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    body(float(), reduction);
    body(double(), reduction);
  }
}

inline nearfar_reduction number_of(Reduction reduction) {
  return reduction == Reduction::none ? NEARFAR_NONE : NEARFAR_MEAN;
}

}  // namespace support
