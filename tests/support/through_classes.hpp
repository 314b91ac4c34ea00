#pragma once

#include <array>
#include <nearfar/nearfar.hpp>
#include <type_traits>

#include "support/named_arguments.hpp"

namespace support {

/// Targets of pairs: ids, labels, both or neither.
template <class S>
nearfar::Targets pair_targets(const NamedArguments<S>& a) {
  nearfar::Targets out;
  if (!a.labels.empty()) out = nearfar::Targets(a.labels);
  return a.ids.empty() ? out : out.ids(a.ids);
}

template <class S>
nearfar::Negatives<S> negatives_of(const NamedArguments<S>& a) {
  const Matrix<S>& rows = a.sets[2];
  nearfar::Negatives<S> out(rows);
  if (!a.offsets.empty()) {
    out = nearfar::per_query(rows, a.offsets);
  } else if (a.per_query) {
    out = nearfar::per_query(rows);
  }
  return a.negative_ids.empty() ? out : out.ids(a.negative_ids, a.ids);
}

/// The classes.
struct ThroughClasses {
  template <class Line, class S, class K>
  static Outcome<S> call(const typename Line::Options& options, const K& kernel,
                         const NamedArguments<S>& a) {
    const auto loss = loss_of<Line, S>(options, kernel);
    std::array<Matrix<S>, 3> d;
    Matrix<S> d_matrix;
    nearfar::CallOptions<S> call;
    if constexpr (nearfar::ParametricKernel<K>) call.d_parameter = d_matrix;

    const auto& x = a.sets;
    const auto run = [&](auto&&... arguments) { return loss.forward_backward(arguments..., call); };
    Outcome<S> out;
    const auto store = [&](const auto& result) {
      out.loss = result.value;
      out.values = result.values;
      add_numbers(result, out);
    };
    constexpr Takes takes = Line::takes;
    if constexpr (takes == Takes::labels || takes == Takes::labels_or_pairs ||
                  takes == Takes::classes) {
      if constexpr (takes == Takes::labels_or_pairs) {
        if (!a.same.empty()) store(run(x[0], x[1], a.same, d[0], d[1]));
      }
      if constexpr (has_boundaries<Line>) {
        if (x.size() == 2) store(run(x[0], a.labels, x[1], d[0], d[1]));
      }
      if constexpr (has_listed_pairs<Line>) {
        const auto view = [](const ListedPairs& of) {
          return nearfar::PairList{nearfar::Labels(of.first), nearfar::Labels(of.second)};
        };
        const nearfar::PairList positive = view(a.positive_pairs);
        const nearfar::PairList negative = view(a.negative_pairs);
        if (a.listed && x.size() == 2) store(run(x[0], x[1], positive, negative, d[0], d[1]));
        if (a.listed && x.size() == 1) store(run(x[0], positive, negative, d[0]));
      }
      if (x.size() == 1 && !a.listed) store(run(x[0], a.labels, d[0]));
    } else if constexpr (takes == Takes::proxies) {
      store(run(x[0], a.labels, x[1], d[0], d[1]));
    } else if constexpr (has_extras<Line>) {
      nearfar::InBatchExtras<S> extras;
      extras.targets = pair_targets(a);
      if (x.size() == 3) extras.negatives = negatives_of(a);
      if (!a.constants.empty()) {
        extras.guide_queries = a.constants[0];
        extras.guide_keys = a.constants[1];
        if (x.size() == 3) extras.guide_negatives = a.constants[2];
      }
      if (!a.log_q.empty()) extras.log_q = a.log_q;
      if (!a.log_q_negatives.empty()) extras.log_q_negatives = a.log_q_negatives;
      store(run(x[0], x[1], extras, d[0], d[1], d[2]));
    } else if constexpr (takes == Takes::pairs || takes == Takes::views ||
                         takes == Takes::queries) {
      if constexpr (takes == Takes::queries) {
        if (x.size() == 3) store(run(x[0], x[1], negatives_of(a), d[0], d[1], d[2]));
      }
      if constexpr (has_pair_targets<Line>) {
        if (x.size() == 2 && !(a.labels.empty() && a.ids.empty())) {
          store(run(x[0], x[1], pair_targets(a), d[0], d[1]));
        }
      }
      if (x.size() == 2 && a.labels.empty() && a.ids.empty()) store(run(x[0], x[1], d[0], d[1]));
    } else if constexpr (takes == Takes::negatives) {
      store(run(x[0], x[1], negatives_of(a), d[0], d[1], d[2]));
    } else if constexpr (takes == Takes::noise) {
      store(run(x[0], x[1], negatives_of(a), a.numbers, a.negatives_numbers, d[0], d[1], d[2]));
    } else if constexpr (takes == Takes::triplets || takes == Takes::sequences) {
      store(run(x[0], x[1], x[2], d[0], d[1], d[2]));
    } else if constexpr (takes == Takes::matched_pairs) {
      store(run(x[0], x[1], a.same, d[0], d[1]));
    } else if constexpr (takes == Takes::scored_pairs || takes == Takes::scored_lists) {
      store(run(x[0], x[1], a.numbers, d[0], d[1]));
    } else if constexpr (takes == Takes::scored_triplets) {
      store(run(x[0], x[1], x[2], a.numbers, d[0], d[1], d[2]));
    } else if constexpr (takes == Takes::one_set) {
      store(run(x[0], d[0]));
    } else if constexpr (takes == Takes::slices) {
      store(run(x[0], a.constants[0], d[0]));
    } else if constexpr (takes == Takes::predictions) {
      store(run(x[0], x[1], a.constants[0], a.constants[1], d[0], d[1]));
    } else {
      static_assert(takes == Takes::tokens);
      store(run(x[0], a.offsets, x[1], a.document_offsets, d[0], d[1]));
    }
    for (std::size_t k = 0; k < x.size(); ++k) out.gradients[a.names[k]] = d[k];
    if constexpr (nearfar::ParametricKernel<K>) out.gradients[gradient_of_matrix] = d_matrix;
    return out;
  }

 private:
  template <class Line, class S, class K>
  static auto loss_of(const typename Line::Options& options, const K& kernel) {
    using Loss = typename Line::template Loss<S, K>;
    if constexpr (std::is_constructible_v<Loss, typename Line::Options, K>) {
      return Loss(options, kernel);
    } else {
      return Loss(options);
    }
  }

  template <class Result, class S>
  static void add_numbers(const Result& r, Outcome<S>& out) {
    if constexpr (requires { r.d_temperature; }) out.add_number("temperature", r.d_temperature);
    if constexpr (requires { r.d_logit_scale; }) out.add_number("logit_scale", r.d_logit_scale);
    if constexpr (requires { r.d_logit_bias; }) out.add_number("logit_bias", r.d_logit_bias);
    if constexpr (requires { r.d_log_z; }) out.add_number("log_z", r.d_log_z);
    if constexpr (requires { r.d_beta; }) out.add_number("beta", r.d_beta);
    if constexpr (requires { r.d_scale; }) out.add_number("scale", r.d_scale);
    if constexpr (requires { r.d_lambda; }) out.add_number("lambda", r.d_lambda);
    if constexpr (requires { r.d_gamma; }) out.add_number("gamma", r.d_gamma);
  }
};

}  // namespace support
