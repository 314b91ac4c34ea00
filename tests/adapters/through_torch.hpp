#pragma once

#include <gtest/gtest.h>

#include <array>
#include <type_traits>

#include "adapters/tensors.hpp"
#include "support/named_arguments.hpp"

namespace adapters {

using nearfar::Matrix;
using support::NamedArguments;
using support::Outcome;
using support::Takes;

/// LibTorch's functions by the names of the register.
namespace named {
using namespace nearfar::libtorch;
template <class... A>
auto hadsell_contrastive(const A&... arguments) -> decltype(hadsell(arguments...)) {
  return hadsell(arguments...);
}
}  // namespace named

template <class Line>
struct Function;
#define NEARFAR_TORCH_FUNCTION(line, name)                                           \
  template <>                                                                        \
  struct Function<line> {                                                            \
    template <class... A>                                                            \
    static auto call(const A&... arguments) -> decltype(named::name(arguments...)) { \
      return named::name(arguments...);                                              \
    }                                                                                \
  };
#define NEARFAR_TORCH_REGISTERED(name, ...) NEARFAR_TORCH_FUNCTION(nearfar::registered::name, name)
NEARFAR_LOSSES_OVER_LABELS(NEARFAR_TORCH_REGISTERED)
NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_TORCH_REGISTERED)
NEARFAR_OTHER_LOSSES(NEARFAR_TORCH_REGISTERED)
NEARFAR_TORCH_FUNCTION(support::MatryoshkaLine, matryoshka_info_nce)
#undef NEARFAR_TORCH_REGISTERED
#undef NEARFAR_TORCH_FUNCTION

/// LibTorch's struct of a loss's learnable numbers, each with the value of its option.
template <class Line>
auto learnt_numbers(const typename Line::Options& o) {
  const auto leaf = [](double value) { return number(value).requires_grad_(true); };
  using Options = typename Line::Options;
  if constexpr (requires { o.log_z; }) {
    return libtorch::NceTensors{leaf(o.temperature), leaf(o.log_z)};
  } else if constexpr (requires { o.logit_bias; }) {
    return libtorch::LogitTensors{leaf(o.logit_scale), leaf(o.logit_bias)};
  } else if constexpr (requires { o.logit_scale; }) {
    return libtorch::LogitScaleTensor{leaf(o.logit_scale)};
  } else if constexpr (std::is_same_v<Options, nearfar::SoftTripleOptions>) {
    return libtorch::SoftTripleTensors{leaf(o.lambda), leaf(o.gamma)};
  } else if constexpr (std::is_same_v<Options, nearfar::MarginLossOptions>) {
    return libtorch::BoundaryTensor{leaf(o.beta)};
  } else if constexpr (requires { o.temperature; }) {
    return libtorch::TemperatureTensor{leaf(o.temperature)};
  } else if constexpr (requires { o.scale; }) {
    return libtorch::ScaleTensor{leaf(double(o.scale))};
  } else {
    return 0;
  }
}

/// LibTorch's functions.
struct ThroughTorch {
  template <class Line, class S, class K>
  static Outcome<S> call(const typename Line::Options& options, const K& kernel,
                         const NamedArguments<S>& a) {
    std::vector<Tensor> x;
    for (const Matrix<S>& rows : a.sets) x.push_back(leaf_of(rows));
    const auto learnt = learnt_numbers<Line>(options);
    Tensor matrix;
    const auto of_tensors = [&] {
      if constexpr (nearfar::ParametricKernel<K>) {
        matrix = leaf_of(support::matrix_of(kernel.parameter()));
        using Tensors = std::conditional_t<std::is_same_v<K, nearfar::Bilinear<S>>,
                                           libtorch::BilinearTensor, libtorch::MahalanobisTensor>;
        return Tensors{matrix};
      } else {
        return kernel;
      }
    }();
    const Tensor value = value_of<Line>(options, learnt, of_tensors, x, a);
    value.backward();

    Outcome<S> out;
    out.loss = value.item<double>();
    for (std::size_t k = 0; k < x.size(); ++k) out.gradients[a.names[k]] = gradient_of<S>(x[k]);
    if (matrix.defined()) out.gradients[support::gradient_of_matrix] = gradient_of<S>(matrix);
    const auto add = [&](const char* name, const Tensor& leaf) {
      if (leaf.grad().defined()) out.add_number(name, leaf.grad().template item<double>());
    };
    if constexpr (requires { learnt.temperature; }) add("temperature", learnt.temperature);
    if constexpr (requires { learnt.log_z; }) add("log_z", learnt.log_z);
    if constexpr (requires { learnt.logit_scale; }) add("logit_scale", learnt.logit_scale);
    if constexpr (requires { learnt.logit_bias; }) add("logit_bias", learnt.logit_bias);
    if constexpr (requires { learnt.beta; }) add("beta", learnt.beta);
    if constexpr (requires { learnt.scale; }) add("scale", learnt.scale);
    if constexpr (requires { learnt.lambda; }) add("lambda", learnt.lambda);
    if constexpr (requires { learnt.gamma; }) add("gamma", learnt.gamma);
    return out;
  }

 private:
  template <class S>
  static Matrix<S> gradient_of(const Tensor& leaf) {
    if (!leaf.grad().defined()) return Matrix<S>::Zero(leaf.size(0), leaf.size(1));
    const Tensor g = leaf.grad().contiguous();
    return Eigen::Map<const Matrix<S>>(g.data_ptr<S>(), g.size(0), g.size(1));
  }
  template <class S>
  static Tensor numbers(const std::vector<S>& values) {
    return at::tensor(values, c10::CppTypeToScalarType<S>::value);
  }
  static Tensor offsets_of(const std::vector<nearfar::Index>& offsets) {
    return integers({offsets.begin(), offsets.end()});
  }

  /// Rows of each of n queries as n x K x D.
  static Tensor of_queries(const Tensor& rows, std::int64_t n) {
    return rows.view({n, rows.size(0) / n, rows.size(1)});
  }

  template <class S>
  static libtorch::TensorTargets targets_of(const NamedArguments<S>& a) {
    libtorch::TensorTargets out;
    if (!a.labels.empty()) out = libtorch::TensorTargets(integers(a.labels));
    return a.ids.empty() ? out : out.ids(integers(a.ids));
  }

  template <class S>
  static libtorch::TensorNegatives negatives_of(const std::vector<Tensor>& x,
                                                const NamedArguments<S>& a) {
    libtorch::TensorNegatives out(a.per_query ? of_queries(x[2], x[0].size(0)) : x[2]);
    if (!a.offsets.empty()) out = out.offsets(offsets_of(a.offsets));
    if (a.negative_ids.empty()) return out;
    return out.ids(integers(a.negative_ids), integers(a.ids));
  }

  template <class Line, class Learnt, class K, class S>
  static Tensor value_of(const typename Line::Options& options, const Learnt& learnt,
                         const K& kernel, const std::vector<Tensor>& x,
                         const NamedArguments<S>& a) {
    // The function with the arguments that come after the rows, as far as it takes them.
    const auto run = [&](const auto&... rows) {
      using F = Function<Line>;
      using Kernels = typename Line::template Kernels<S>;
      if constexpr (requires { F::call(rows..., options, learnt, kernel); }) {
        return F::call(rows..., options, learnt, kernel);
      } else if constexpr (!std::is_same_v<Kernels, nearfar::registered::KernelList<>>) {
        return F::call(rows..., options, kernel);
      } else if constexpr (requires { F::call(rows..., options, learnt); }) {
        return F::call(rows..., options, learnt);
      } else if constexpr (requires { F::call(rows..., options); }) {
        return F::call(rows..., options);
      } else {
        return F::call(rows..., options.reduction);
      }
    };
    constexpr Takes takes = Line::takes;
    if constexpr (takes == Takes::labels || takes == Takes::labels_or_pairs ||
                  takes == Takes::classes) {
      if constexpr (takes == Takes::labels_or_pairs) {
        if (!a.same.empty()) {
          return libtorch::hadsell_pairs(x[0], x[1], integers(a.same), options, kernel);
        }
      }
      if constexpr (support::has_boundaries<Line>) {
        if (x.size() == 2) {
          return libtorch::margin_loss_per_class(x[0], integers(a.labels), x[1].view({-1}), options,
                                                 kernel);
        }
      }
      if constexpr (support::has_listed_pairs<Line>) {
        const auto list = [](const support::ListedPairs& of) {
          return at::stack({integers(of.first), integers(of.second)}, 1);
        };
        const Tensor positive = list(a.positive_pairs);
        const Tensor negative = list(a.negative_pairs);
        if (a.listed && x.size() == 2) {
          return libtorch::linear_contrastive_listed(x[0], x[1], positive, negative, options,
                                                     kernel);
        }
        if (a.listed) {
          return libtorch::linear_contrastive_listed(x[0], positive, negative, options, kernel);
        }
      }
      return run(x[0], libtorch::TensorTargets(integers(a.labels)));
    } else if constexpr (takes == Takes::proxies) {
      return run(x[0], integers(a.labels), libtorch::TensorProxies(x[1]));
    } else if constexpr (support::has_extras<Line>) {
      libtorch::InBatchTensors extras;
      if (x.size() == 3) extras.negatives = negatives_of(x, a);
      extras.targets = targets_of(a);
      if (!a.constants.empty()) {
        extras.guide_queries = leaf_of(a.constants[0]);
        extras.guide_keys = leaf_of(a.constants[1]);
        if (x.size() == 3) extras.guide_negatives = leaf_of(a.constants[2]);
      }
      if (!a.log_q.empty()) extras.log_q = numbers(a.log_q);
      if (!a.log_q_negatives.empty()) extras.log_q_negatives = numbers(a.log_q_negatives);
      return libtorch::in_batch_info_nce(x[0], x[1], options, extras, learnt, kernel);
    } else if constexpr (takes == Takes::pairs || takes == Takes::views ||
                         takes == Takes::queries) {
      if constexpr (std::is_same_v<Line, nearfar::registered::info_nce>) {
        if (x.size() == 3) {
          return libtorch::info_nce_against(x[0], x[1], negatives_of(x, a), options, learnt,
                                            kernel);
        }
      }
      if constexpr (support::has_pair_targets<Line>) {
        if (!(a.labels.empty() && a.ids.empty())) return run(x[0], x[1], targets_of(a));
      }
      return run(x[0], x[1]);
    } else if constexpr (takes == Takes::negatives) {
      return run(x[0], x[1], a.per_query ? of_queries(x[2], x[0].size(0)) : x[2]);
    } else if constexpr (takes == Takes::noise) {
      return run(x[0], x[1], a.per_query ? of_queries(x[2], x[0].size(0)) : x[2],
                 numbers(a.numbers), numbers(a.negatives_numbers));
    } else if constexpr (takes == Takes::triplets) {
      return run(x[0], x[1], x[2]);
    } else if constexpr (takes == Takes::sequences) {
      const auto in_time = [&](const Tensor& rows) {
        return rows.view({-1, options.length, rows.size(1)});
      };
      return run(in_time(x[0]), in_time(x[1]),
                 x[2].view({options.steps, x[1].size(1), x[0].size(1)}));
    } else if constexpr (takes == Takes::matched_pairs) {
      return run(x[0], x[1], integers(a.same));
    } else if constexpr (takes == Takes::scored_pairs) {
      return run(x[0], x[1], numbers(a.numbers));
    } else if constexpr (takes == Takes::scored_lists) {
      return run(x[0], of_queries(x[1], x[0].size(0)), numbers(a.numbers).view({x[0].size(0), -1}));
    } else if constexpr (takes == Takes::scored_triplets) {
      return run(x[0], x[1], of_queries(x[2], x[0].size(0)),
                 numbers(a.numbers).view({x[0].size(0), -1}));
    } else if constexpr (takes == Takes::one_set) {
      return run(x[0]);
    } else if constexpr (takes == Takes::slices) {
      return run(x[0], leaf_of(a.constants[0]));
    } else if constexpr (takes == Takes::predictions) {
      return run(x[0], x[1], leaf_of(a.constants[0]), leaf_of(a.constants[1]));
    } else {
      static_assert(takes == Takes::tokens);
      return run(x[0], offsets_of(a.offsets), x[1], offsets_of(a.document_offsets));
    }
  }
};

}  // namespace adapters
