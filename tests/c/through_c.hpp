#pragma once

#include <array>
#include <limits>
#include <optional>
#include <type_traits>

#include "c/same_bits.hpp"
#include "support/named_arguments.hpp"

namespace support {

/// The number of a kernel.
template <class S, class K>
constexpr nearfar_kernel number_of_kernel() {
  if constexpr (std::is_same_v<K, nearfar::Cosine>) return NEARFAR_COSINE;
  if constexpr (std::is_same_v<K, nearfar::InnerProduct>) return NEARFAR_INNER_PRODUCT;
  if constexpr (std::is_same_v<K, nearfar::Euclidean>) return NEARFAR_EUCLIDEAN;
  if constexpr (std::is_same_v<K, nearfar::SquaredEuclidean>) return NEARFAR_SQUARED_EUCLIDEAN;
  if constexpr (std::is_same_v<K, nearfar::Mahalanobis<S>>) return NEARFAR_MAHALANOBIS;
  if constexpr (std::is_same_v<K, nearfar::Bilinear<S>>) return NEARFAR_BILINEAR;
  return NEARFAR_COSINE_DISTANCE;
}

/// A visitor of `fields` that copies options into those of the interface. A number that is not
/// given is NaN there. Lists are views, which must live until the loss is made.
struct CopyOptions {
  template <class From, class To>
  void operator()(const char*, const From& from, To& to) const {
    if constexpr (std::is_same_v<From, std::optional<double>>) {
      to = from.value_or(std::numeric_limits<double>::quiet_NaN());
    } else if constexpr (requires { From::fields(*this, from, to); }) {
      From::fields(*this, from, to);
    } else if constexpr (std::is_class_v<From>) {
      static_assert(sizeof(typename From::value_type) == sizeof(std::int64_t));
      to.data = from.data();
      to.count = static_cast<std::int64_t>(from.size());
    } else {
      to = static_cast<To>(from);
    }
  }
};

/// The functions of the interface for a loss.
template <class Line>
struct CFunctions;
#define NEARFAR_C_FUNCTIONS(line, name)                          \
  template <>                                                    \
  struct CFunctions<line> {                                      \
    static constexpr auto init = &nearfar_##name##_options_init; \
    static constexpr auto create = &nearfar_##name##_create;     \
  };
#define NEARFAR_C_REGISTERED(name, ...) NEARFAR_C_FUNCTIONS(nearfar::registered::name, name)
NEARFAR_LOSSES_OVER_LABELS(NEARFAR_C_REGISTERED)
NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_C_REGISTERED)
NEARFAR_OTHER_LOSSES(NEARFAR_C_REGISTERED)
NEARFAR_C_FUNCTIONS(MatryoshkaLine, matryoshka_info_nce)
#undef NEARFAR_C_REGISTERED
#undef NEARFAR_C_FUNCTIONS

inline nearfar_integers c_integers(const std::vector<std::int64_t>& values) {
  return {values.data(), static_cast<std::int64_t>(values.size())};
}
inline std::vector<std::int64_t> c_offsets(const std::vector<nearfar::Index>& offsets) {
  return {offsets.begin(), offsets.end()};
}
/// Numbers as a column.
template <class S>
nearfar_rows c_column(const std::vector<S>& values) {
  const auto count = static_cast<std::int64_t>(values.size());
  return {values.data(), count, 1, 1, sizeof(S) == sizeof(float) ? NEARFAR_FLOAT : NEARFAR_DOUBLE};
}

/// The C interface.
struct ThroughC {
  template <class Line, class S, class K>
  static Outcome<S> call(const typename Line::Options& options, const K& kernel,
                         const NamedArguments<S>& a) {
    auto settings = defaults(CFunctions<Line>::init);
    Line::Options::fields(CopyOptions(), options, settings);
    if constexpr (requires { settings.kernel; }) settings.kernel = number_of_kernel<S, K>();
    Matrix<S> matrix;
    if constexpr (nearfar::ParametricKernel<K>) {
      matrix = matrix_of(kernel.parameter());
      settings.matrix = c_rows(matrix);
    }
    const CLoss loss = made(CFunctions<Line>::create, settings);

    std::array<Matrix<S>, 3> d;
    std::array<nearfar_rows, 3> x = {};
    std::array<nearfar_gradient, 3> dx = {};
    const std::size_t sets = a.sets.size();
    for (std::size_t k = 0; k < sets; ++k) {
      d.at(k).resize(a.sets[k].rows(), a.sets[k].cols());
      x.at(k) = c_rows(a.sets[k]);
      dx.at(k) = c_gradient(d.at(k));
    }
    std::array<nearfar_rows, 3> constants = {};
    for (std::size_t k = 0; k < a.constants.size(); ++k) constants.at(k) = c_rows(a.constants[k]);

    nearfar_targets targets = defaults(nearfar_targets_init);
    if (!a.labels.empty()) targets = nearfar_targets_of_labels(a.labels.data(), c_size(a.labels));
    if (!a.ids.empty()) targets.ids = c_integers(a.ids);
    const bool has_targets = !a.labels.empty() || !a.ids.empty();

    const std::vector<std::int64_t> offsets = c_offsets(a.offsets);
    nearfar_negatives negatives = defaults(nearfar_negatives_init);
    negatives.rows = x[2];
    negatives.per_query = a.per_query || !offsets.empty() ? 1 : 0;
    negatives.offsets = c_integers(offsets);
    if (!a.negative_ids.empty()) {
      negatives.ids = c_integers(a.negative_ids);
      negatives.query_ids = c_integers(a.ids);
    }
    if (!a.negatives_numbers.empty()) {
      negatives.log_noise_keys = c_column(a.numbers);
      negatives.log_noise_negatives = c_column(a.negatives_numbers);
    }

    nearfar_call call = defaults(nearfar_call_init);
    Matrix<S> d_matrix(matrix.rows(), matrix.cols());
    const nearfar_gradient of_matrix = c_gradient(d_matrix);
    if (nearfar::ParametricKernel<K>) call.d_parameter = &of_matrix;
    nearfar_result result = defaults(nearfar_result_init);

    const nearfar_integers same = c_integers(a.same);
    const nearfar_rows numbers = c_column(a.numbers);
    const nearfar_loss* const l = loss.get();
    nearfar_status status = NEARFAR_INVALID_ARGUMENT;
    constexpr Takes takes = Line::takes;
    if (takes == Takes::proxies) {
      nearfar_proxies proxies = defaults(nearfar_proxies_init);
      proxies.rows = x[1];
      const nearfar_integers labels = c_integers(a.labels);
      status = nearfar_proxies_forward_backward(l, &x[0], &labels, &proxies, &dx[0], &dx[1], &call,
                                                &result);
    } else if (has_boundaries<Line> && sets == 2) {
      status = nearfar_boundaries_forward_backward(l, &x[0], &targets, nullptr, nullptr, &x[1],
                                                   &dx[0], nullptr, &dx[1], &call, &result);
    } else if (a.listed) {
      const auto list = [](const ListedPairs& of) {
        return nearfar_pair_list{c_integers(of.first), c_integers(of.second)};
      };
      const nearfar_pair_list positive = list(a.positive_pairs);
      const nearfar_pair_list negative = list(a.negative_pairs);
      const bool alone = sets == 1;
      status = nearfar_listed_pairs_forward_backward(l, &x[0], alone ? nullptr : &x[1], &positive,
                                                     &negative, &dx[0], alone ? nullptr : &dx[1],
                                                     &call, &result);
    } else if (has_extras<Line>) {
      nearfar_in_batch extras = defaults(nearfar_in_batch_init);
      if (sets == 3) extras.negatives = &negatives;
      if (has_targets) extras.targets = &targets;
      if (!a.constants.empty()) {
        extras.guide_queries = &constants[0];
        extras.guide_keys = &constants[1];
        if (sets == 3) extras.guide_negatives = &constants[2];
      }
      extras.log_q = {a.log_q.data(), c_size(a.log_q)};
      extras.log_q_negatives = {a.log_q_negatives.data(), c_size(a.log_q_negatives)};
      status = nearfar_in_batch_forward_backward(l, &x[0], &x[1], &extras, &dx[0], &dx[1],
                                                 sets == 3 ? &dx[2] : nullptr, &call, &result);
    } else if (takes == Takes::scored_triplets) {
      status = nearfar_scored_triplets_forward_backward(l, &x[0], &x[1], &x[2], &numbers, &dx[0],
                                                        &dx[1], &dx[2], &call, &result);
    } else if (takes == Takes::scored_pairs || takes == Takes::scored_lists) {
      status = nearfar_scored_forward_backward(l, &x[0], &x[1], &numbers, &dx[0], &dx[1], &call,
                                               &result);
    } else if (takes == Takes::predictions) {
      status = nearfar_predictions_forward_backward(l, &x[0], &x[1], &constants[0], &constants[1],
                                                    &dx[0], &dx[1], &call, &result);
    } else if (takes == Takes::tokens) {
      const std::vector<std::int64_t> of_documents = c_offsets(a.document_offsets);
      const nearfar_integers first = c_integers(offsets);
      const nearfar_integers second = c_integers(of_documents);
      status = nearfar_tokens_forward_backward(l, &x[0], &first, &x[1], &second, &dx[0], &dx[1],
                                               &call, &result);
    } else if (takes == Takes::triplets || takes == Takes::sequences) {
      status = nearfar_three_sets_forward_backward(l, &x[0], &x[1], &x[2], &dx[0], &dx[1], &dx[2],
                                                   &call, &result);
    } else if (sets == 3) {
      status = nearfar_negatives_forward_backward(l, &x[0], &x[1], &negatives, &dx[0], &dx[1],
                                                  &dx[2], &call, &result);
    } else if (takes == Takes::slices) {
      status = nearfar_two_sets_forward_backward(l, &x[0], &constants[0], nullptr, &dx[0], nullptr,
                                                 &call, &result);
    } else if (sets == 2 && has_targets) {
      status =
          nearfar_pairs_forward_backward(l, &x[0], &x[1], &targets, &dx[0], &dx[1], &call, &result);
    } else if (sets == 2) {
      status = nearfar_two_sets_forward_backward(l, &x[0], &x[1], a.same.empty() ? nullptr : &same,
                                                 &dx[0], &dx[1], &call, &result);
    } else if (takes == Takes::one_set) {
      status = nearfar_one_set_forward_backward(l, &x[0], &dx[0], &call, &result);
    } else {
      status = nearfar_labelled_forward_backward(l, &x[0], &targets, &dx[0], &call, &result);
    }
    EXPECT_EQ(status, NEARFAR_OK) << nearfar_last_error();

    Outcome<S> out;
    out.loss = result.value;
    for (std::size_t k = 0; k < sets; ++k) out.gradients[a.names[k]] = d.at(k);
    if (nearfar::ParametricKernel<K>) out.gradients[gradient_of_matrix] = d_matrix;
    out.add_number("temperature", result.d_temperature);
    out.add_number("logit_scale", result.d_logit_scale);
    out.add_number("logit_bias", result.d_logit_bias);
    out.add_number("log_z", result.d_log_z);
    if (!(has_boundaries<Line> && sets == 2)) out.add_number("beta", result.d_beta);
    out.add_number("scale", result.d_scale);
    out.add_number("lambda", result.d_lambda);
    out.add_number("gamma", result.d_gamma);
    return out;
  }

 private:
  template <class T>
  static std::int64_t c_size(const std::vector<T>& values) {
    return static_cast<std::int64_t>(values.size());
  }
};

}  // namespace support
