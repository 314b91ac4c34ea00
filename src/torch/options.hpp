#pragma once

#include <charconv>
#include <cmath>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "nearfar/losses/register.hpp"
#include "operators.hpp"

/// \file
/// Options of a loss as arguments of an operator: their declaration in the schema, and their values
/// in a call. Choices are strings, by the names of the register.

namespace nearfar::libtorch::operators {

/// The name of an option as an argument. "lambda" is a word of Python's own.
inline std::string argument_name(const std::string& option) {
  return option == "lambda" ? "lambda_" : option;
}

inline std::string text_of(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

/// Declarations of options, a text for each, with their defaults.
struct Declarations {
  struct One {
    std::string name;
    std::string text;
  };
  std::vector<One>& all;
  std::string prefix = {};

  template <class T>
  void operator()(const char* name, const T& value) const {
    const std::string argument = argument_name(prefix + name);
    if constexpr (std::is_same_v<T, bool>) {
      all.push_back({argument, "bool " + argument + (value ? "=True" : "=False")});
    } else if constexpr (std::is_enum_v<T>) {
      const auto choice = registered::choices_of<T>[static_cast<std::size_t>(value)];
      all.push_back({argument, "str " + argument + "=\"" + std::string(choice) + "\""});
    } else if constexpr (std::is_integral_v<T>) {
      all.push_back({argument, "int " + argument + "=" + std::to_string(value)});
    } else if constexpr (std::is_same_v<T, std::optional<double>>) {
      all.push_back({argument, "float? " + argument + "=None"});
    } else if constexpr (std::is_floating_point_v<T>) {
      // A schema cannot say infinity.
      all.push_back({argument, std::isfinite(value) ? "float " + argument + "=" + text_of(value)
                                                    : "float? " + argument + "=None"});
    } else {
      T::fields(Declarations{all, argument + "_"}, value);
    }
  }
};

/// The choice of that name.
template <class E>
E choice_of(const std::string& argument, const std::string& wanted) {
  std::string names;
  for (std::size_t k = 0; k < registered::choices_of<E>.size(); ++k) {
    if (registered::choices_of<E>[k] == wanted) return static_cast<E>(k);
    names += (k > 0 ? ", " : "") + std::string(registered::choices_of<E>[k]);
  }
  fail_argument(argument, "one of " + names, wanted);
}

/// Sets options to the arguments of a call. What is None, a tensor or no argument stays as it is.
struct Reading {
  const Arguments& from;
  std::string prefix = {};

  template <class T>
  void operator()(const char* name, T& option) const {
    const std::string argument = argument_name(prefix + name);
    if constexpr (std::is_class_v<T> && !std::is_same_v<T, std::optional<double>>) {
      T::fields(Reading{from, argument + "_"}, option);
    } else {
      const c10::IValue& value = from.value(argument);
      if (value.isNone() || value.isTensor()) return;
      if constexpr (std::is_same_v<T, bool>) {
        option = value.toBool();
      } else if constexpr (std::is_enum_v<T>) {
        option = choice_of<T>(argument, value.toStringRef());
      } else if constexpr (std::is_integral_v<T>) {
        option = static_cast<T>(value.toInt());
      } else {
        option = value.toDouble();
      }
    }
  }
};

template <class Options>
Options options_of(const Arguments& from) {
  Options out;
  Options::fields(Reading{from}, out);
  return out;
}

// ---- kernels -----------------------------------------------------------------------------------

template <class K>
inline constexpr const char* kernel_name = nullptr;
template <>
inline constexpr const char* kernel_name<Cosine> = "cosine";
template <>
inline constexpr const char* kernel_name<InnerProduct> = "inner_product";
template <>
inline constexpr const char* kernel_name<Euclidean> = "euclidean";
template <>
inline constexpr const char* kernel_name<SquaredEuclidean> = "squared_euclidean";
template <>
inline constexpr const char* kernel_name<CosineDistance> = "cosine_distance";

/// In the place of a kernel, for losses without a choice.
struct NoKernel {};

/// The name of a loss's own kernel; empty where it has no choice.
template <class Line>
std::string own_kernel() {
  if constexpr (std::is_same_v<typename Line::template Kernels<float>, registered::KernelList<>>) {
    return "";
  } else {
    using Loss = typename Line::template Loss<float>;
    return kernel_name<std::remove_cvref_t<decltype(std::declval<Loss>().kernel())>>;
  }
}

/// body(kernel) with the kernel of that name. Those with a matrix have none: a program multiplies
/// rows by a matrix itself.
template <class... K, class Body>
Tensor with_kernel(registered::KernelList<K...>, const std::string& name, const Body& body) {
  Tensor out;
  std::string names;
  const auto one = [&]<class Its>() {
    if constexpr (!ParametricKernel<Its>) {
      if (!out.defined() && name == kernel_name<Its>) out = body(Its());
      names += (names.empty() ? "" : ", ") + std::string(kernel_name<Its>);
    }
  };
  (one.template operator()<K>(), ...);
  if (!out.defined()) fail_argument("kernel", "one of " + names, name);
  return out;
}

// ---- an operator of a loss of the register -----------------------------------------------------

/// What an operator has besides options and a kernel.
struct Signature {
  std::string name;
  std::string arguments;                  ///< those before the options
  std::vector<std::string> inputs;        ///< those of them that have gradients
  std::vector<std::string> learnt;        ///< options that may be learnt
  std::string optional_arguments = {};    ///< those after the options
  std::vector<std::string> omitted = {};  ///< options that other arguments say
};

/// The shape of the value: a number a row of an argument.
inline auto rows_of(const std::string& argument, int times = 1) {
  return [argument, times](const Arguments& from) {
    return std::vector<c10::SymInt>{from.tensor(argument).sym_size(0) * c10::SymInt(times)};
  };
}

/// Adds the operator of a loss: `call(arguments, options, kernel)` is its value. A loss with
/// options that may be learnt has a second overload, where these are tensors. It comes first, as
/// Python takes the first that fits, and a tensor of one element also fits a number.
template <class Line, class Shape, class Call>
void add(Operators& all, const Signature& its, const Shape& shape, const Call& call) {
  using Options = typename Line::Options;
  std::vector<Declarations::One> options;
  const Options defaults = {};
  Options::fields(Declarations{options}, defaults);
  const auto among = [](const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  const auto schema = [&](bool learnt) {
    std::string out = its.arguments;
    if (learnt) {
      for (const std::string& name : its.learnt) out += ", Tensor " + name;
    }
    bool first = !learnt;
    const auto keyword = [&](const std::string& text) {
      out += (out.find(", *") == std::string::npos && !first ? ", *, " : ", ") + text;
      first = false;
    };
    for (const auto& option : options) {
      if (among(its.omitted, option.name) || (learnt && among(its.learnt, option.name))) continue;
      keyword(option.text);
    }
    first = false;
    if (!its.optional_arguments.empty()) keyword(its.optional_arguments);
    if (!own_kernel<Line>().empty()) keyword("str kernel=\"" + own_kernel<Line>() + "\"");
    keyword("str products=\"scalar\"");
    return out;
  };
  const auto value = [call](const Arguments& from) {
    const Options chosen = options_of<Options>(from);
    const ProductsGuard products(
        choice_of<Products>("products", from.value("products").toStringRef()));
    if constexpr (std::is_same_v<typename Line::template Kernels<float>,
                                 registered::KernelList<>>) {
      return call(from, chosen, NoKernel());
    } else {
      return with_kernel(typename Line::template Kernels<float>(),
                         from.value("kernel").toStringRef(),
                         [&](const auto& kernel) { return call(from, chosen, kernel); });
    }
  };
  if (!its.learnt.empty()) {
    std::vector<std::string> inputs = its.inputs;
    inputs.insert(inputs.end(), its.learnt.begin(), its.learnt.end());
    all.push_back({its.name, "learnt", schema(true), inputs, value, shape});
  }
  all.push_back({its.name, "", schema(false), its.inputs, value, shape});
}

/// Targets by the arguments of these names.
inline TensorTargets targets_of(const Arguments& from, const std::string& labels,
                                const std::string& ids, const std::string& weights) {
  const Tensor of_rows = from.tensor(labels);
  TensorTargets out = of_rows.defined() ? TensorTargets(of_rows) : TensorTargets();
  if (const Tensor given = from.tensor(ids); given.defined()) out = out.ids(given);
  if (const Tensor given = from.tensor(weights); given.defined()) out = out.weights(given);
  if (const c10::IValue& none = from.value("unlabelled"); !none.isNone()) {
    out = out.unlabelled(none.toInt());
  }
  return out;
}

}  // namespace nearfar::libtorch::operators
