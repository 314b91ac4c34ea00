#pragma once

#include <array>
#include <optional>
#include <tuple>
#include <type_traits>

#include "nearfar/adapters/torch/function.hpp"
#include "nearfar/adapters/torch/kernels.hpp"
#include "nearfar/adapters/torch/targets.hpp"
#include "nearfar/core/negatives.hpp"
#include "nearfar/core/reduction.hpp"

/// \file
/// From a loss of nearfar's to a function of tensors: `call` does what is the same for all of them.

namespace nearfar::libtorch {

/// Numbers of a loss that are tensors, of one floating point number each, and get a gradient where
/// they require one: `clip(images, texts, {}, {.logit_scale = log_scale.exp()})`. One that is given
/// takes the place of the option of its name.
struct TemperatureTensor {
  Tensor temperature = {};
};
struct BoundaryTensor {
  Tensor beta = {};
};
struct ScaleTensor {
  Tensor scale = {};
};
struct LogitScaleTensor {
  Tensor logit_scale = {};
};
struct LogitTensors {
  Tensor logit_scale = {};
  Tensor logit_bias = {};
};
struct NceTensors {
  Tensor temperature = {};
  Tensor log_z = {};
};

namespace detail {

/// A set of rows that a loss can be differentiated by.
struct RowInput {
  const char* name;
  Tensor tensor;
  int dimensions = 2;
  int or_dimensions = 2;  ///< another number of them, where there are two
};

/// A number that may be learnt: a tensor that takes an option's place, unless undefined, and where
/// the loss says its derivative.
template <class Options, class R>
struct Number {
  const char* name;
  Tensor tensor;
  double Options::*option;
  double R::*derivative;
};

template <class Options, class R>
std::vector<Number<Options, R>> temperature_of(const TemperatureTensor& learnt) {
  return {{"temperature", learnt.temperature, &Options::temperature, &R::d_temperature}};
}

/// Throws c10::Error unless x is one real number on the CPU.
inline void check_number(const char* name, const Tensor& x) {
  check_dense(name, x);
  TORCH_CHECK(x.numel() == 1 && x.is_floating_point(), "nearfar: ", name,
              ": wanted one floating point number, got ", x.numel(), " of ", x.scalar_type());
}

template <class Body>
auto for_scalar(at::ScalarType type, const Body& body) {
  return type == at::kFloat ? body.template operator()<float>()
                            : body.template operator()<double>();
}

/// The value of a loss of these rows, as a tensor.
inline Tensor value_tensor(const Result& result, bool value_a_row, const Tensor& rows) {
  const at::TensorOptions options = rows.options().dtype(computed_type(rows));
  return value_a_row ? at::tensor(result.values, options)
                     : at::scalar_tensor(result.value, options);
}

/// Memory for the gradient of x, in the type that is computed in: a gradient is rounded to the type
/// of x once, after it is multiplied by what comes from above.
inline Tensor gradient_like(const Tensor& x) {
  return at::empty(x.sizes(), x.options().dtype(computed_type(x)));
}

/// One call of Loss<S, kernel> on `inputs`: sets of rows, the kernel's matrix if it has one,
/// numbers. `arguments(views)` is the tuple of what the loss's calls take before gradients.
template <template <class S, Kernel K> class Loss, class S, std::size_t sets, class Options,
          class K, class R, class Arguments>
Evaluation evaluate(at::TensorList inputs, const std::vector<bool>& wanted,
                    const Upstream* upstream, bool value_a_row, Products products, Options options,
                    const K& kernel, const std::vector<Number<Options, R>>& numbers,
                    const Arguments& arguments) {
  using OwnKernel = typename KernelOver<S, K>::Type;
  constexpr std::size_t matrices = ParametricKernel<OwnKernel> ? 1 : 0;
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    options.*numbers[k].option = inputs[sets + matrices + k].template item<double>();
  }
  std::array<Tensor, sets + matrices> tensors;
  std::array<Rows<S>, sets + matrices> views;
  for (std::size_t k = 0; k < sets + matrices; ++k) {
    tensors[k] = matrix_of(inputs[k].detach());
    views[k] = rows_of<S>(tensors[k]);
  }
  const auto loss = [&] {
    using Own = Loss<S, OwnKernel>;
    if constexpr (std::is_constructible_v<Own, Options, OwnKernel>) {
      return Own(options, KernelOver<S, K>::make(kernel, views.back()));
    } else {
      return Own(options);
    }
  }();
  CallOptions<S> call{.workspace = &workspace(), .products = products};
  Evaluation out;
  if (upstream == nullptr) {
    const auto result =
        std::apply([&](const auto&... a) { return loss.forward(a..., call); }, arguments(views));
    out.value = value_tensor(result, value_a_row, inputs[0]);
    return out;
  }

  out.gradients.resize(inputs.size());
  std::array<GradientRows<S>, sets + matrices> gradients;
  for (std::size_t k = 0; k < sets + matrices; ++k) {
    if (!wanted[k]) continue;
    out.gradients[k] = gradient_like(inputs[k]);
    gradients[k] = gradient_rows<S>(out.gradients[k], views[k]);
  }
  if constexpr (matrices > 0) call.d_parameter = gradients.back();
  call.upstream = *upstream;
  const R result = [&]<std::size_t... k>(std::index_sequence<k...>) {
    return std::apply(
        [&](const auto&... a) { return loss.forward_backward(a..., gradients[k]..., call); },
        arguments(views));
  }
  (std::make_index_sequence<sets>());
  out.value = value_tensor(result, value_a_row, inputs[0]);
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    const std::size_t at = sets + matrices + k;
    if (wanted[at]) {
      out.gradients[at] = gradient_like(inputs[at]).fill_(result.*numbers[k].derivative);
    }
  }
  return out;
}

/// Loss<S, kernel>(options) of sets of rows, S their scalar type; see `evaluate`. R is what the
/// loss returns.
template <template <class S, Kernel K> class Loss, class R, std::size_t sets, class Options,
          class K, class Arguments>
Tensor call(RowInput (&&rows)[sets], const Options& options, const K& kernel,
            const std::vector<Number<Options, R>>& numbers, const Arguments& arguments) {
  variable_list inputs;
  const auto add = [&](const RowInput& input) {
    check_rows(input.name, input.tensor, input.dimensions, input.or_dimensions);
    check_same_type(input.name, input.tensor, rows[0].name, rows[0].tensor);
    inputs.push_back(input.tensor);
  };
  for (const RowInput& input : rows) add(input);
  if constexpr (requires { kernel.matrix; }) {
    add({"kernel's matrix", kernel.matrix});
    inputs.back() = as_computed(kernel.matrix);  // kernels hold theirs as S
  }
  std::vector<Number<Options, R>> learnt;
  for (const auto& number : numbers) {
    if (!number.tensor.defined()) continue;
    check_number(number.name, number.tensor);
    learnt.push_back(number);
    inputs.push_back(number.tensor);
  }
  BoundLoss bound;
  if constexpr (requires { options.reduction; }) {
    bound.value_a_row = options.reduction == Reduction::none;
  }
  const at::ScalarType type = computed_type(inputs[0]);
  bound.evaluate = [=, each = bound.value_a_row, products = ProductsGuard::current()](
                       at::TensorList its_inputs, const std::vector<bool>& wanted,
                       const Upstream* upstream) {
    return for_scalar(type, [&]<class S>() {
      return evaluate<Loss, S, sets>(its_inputs, wanted, upstream, each, products, options, kernel,
                                     learnt, arguments);
    });
  };
  return differentiable(inputs, bound);
}

/// Negatives of K x D or N x K x D as nearfar has them.
template <class S>
Negatives<S> negatives_of(const Rows<S>& rows, bool shared) {
  return shared ? Negatives<S>(rows) : per_query(rows);
}

/// A loss of a batch over labels.
template <template <class S, Kernel K> class Loss, class R, class Options, class K>
Tensor over_batch(const Tensor& x, const TensorTargets& labels, const Options& options,
                  const K& kernel, const std::vector<Number<Options, R>>& numbers = {}) {
  return call<Loss, R>({{"x", x}}, options, kernel, numbers,
                       [labels](const auto& views) { return std::tuple(views[0], labels.view()); });
}

/// A loss of queries and references, both with labels.
template <template <class S, Kernel K> class Loss, class R, class Options, class K>
Tensor over_references(const Tensor& queries, const TensorTargets& query_labels,
                       const Tensor& references, const TensorTargets& reference_labels,
                       const Options& options, const K& kernel,
                       const std::vector<Number<Options, R>>& numbers = {}) {
  return call<Loss, R>({{"queries", queries}, {"references", references}}, options, kernel, numbers,
                       [query_labels, reference_labels](const auto& views) {
                         return std::tuple(views[0], query_labels.view(), views[1],
                                           reference_labels.view());
                       });
}

}  // namespace detail
}  // namespace nearfar::libtorch
