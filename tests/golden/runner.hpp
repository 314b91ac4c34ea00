#pragma once

#include <algorithm>
#include <functional>
#include <nearfar/losses/register.hpp>
#include <optional>
#include <type_traits>

#include "golden/golden_case.hpp"

/// \file
/// Parts of runners: a case's kernel and options, and runners of losses whose calls the register
/// describes.

namespace golden {

template <class S>
using Runner = std::function<Computed<S>(Case&)>;

template <class S>
nearfar::Matrix<S> as_matrix(double v) {
  return nearfar::Matrix<S>::Constant(1, 1, static_cast<S>(v));
}

/// A kernel's name in cases.
template <class K>
inline constexpr const char* name_of_kernel = "";
template <>
inline constexpr const char* name_of_kernel<nearfar::Euclidean> = "euclidean";
template <>
inline constexpr const char* name_of_kernel<nearfar::SquaredEuclidean> = "squared_euclidean";
template <>
inline constexpr const char* name_of_kernel<nearfar::Cosine> = "cosine";
template <>
inline constexpr const char* name_of_kernel<nearfar::InnerProduct> = "inner_product";

/// Calls body(kernel) with the kernel that a case names, one of the given ones.
template <class S, class... Kernels, class Body>
auto with_kernel(Case& c, const Body& body) {
  const std::string name = c.word("kernel");
  Computed<S> out;
  bool known = false;
  const auto attempt = [&](const char* its_name, const auto& kernel) {
    if (name == its_name) {
      known = true;
      out = body(kernel);
    }
  };
  (attempt(name_of_kernel<Kernels>, Kernels()), ...);
  if (!known) throw std::runtime_error("unknown kernel " + name + " for " + c.loss());
  return out;
}

/// The options of a case, by their names.
template <class Options>
Options options_of(Case& c) {
  Options options;
  Options::fields(
      [&]<class T>(const std::string& name, T& value) {
        if (!c.has_option(name)) return;
        if constexpr (std::is_same_v<T, nearfar::Reduction>) {
          value = c.reduction();
        } else if constexpr (std::is_same_v<T, double> ||
                             std::is_same_v<T, std::optional<double>>) {
          value = c.number(name);
        } else if constexpr (std::is_same_v<T, bool>) {
          value = c.flag(name);
        } else if constexpr (std::is_integral_v<T>) {
          value = c.integer<T>(name);
        } else if constexpr (std::is_enum_v<T>) {
          const auto& choices = nearfar::registered::choices_of<T>;
          const auto found = std::find(choices.begin(), choices.end(), c.word(name));
          if (found == choices.end()) throw std::runtime_error("unknown choice of " + name);
          value = static_cast<T>(found - choices.begin());
        }
      },
      options);
  return options;
}

/// The classes; an interface to them is a struct with the same functions, which return the value.
struct ThroughClasses {
  template <class Line, class S, class K, class Options>
  static double labelled(const Options& options, const nearfar::Matrix<S>& x,
                         const std::vector<std::int64_t>& labels, nearfar::Matrix<S>& dx) {
    const typename Line::template Loss<S, K> loss(options);
    return loss.forward_backward(x, labels, dx).value;
  }
  template <class Line, class S, class K, class Options>
  static double two_sets(const Options& options, const nearfar::Matrix<S>& a,
                         const nearfar::Matrix<S>& b, nearfar::Matrix<S>& da,
                         nearfar::Matrix<S>& db) {
    const typename Line::template Loss<S, K> loss(options);
    return loss.forward_backward(a, b, da, db).value;
  }
};

/// Runs a loss of the register over labels.
template <class S, class Line, class Through = ThroughClasses>
Computed<S> over_labels(Case& c) {
  auto options = options_of<typename Line::Options>(c);
  if constexpr (requires { options.form; }) {
    const bool soft = c.has_option("soft_margin") && c.flag("soft_margin");
    options.form = soft ? nearfar::TripletForm::soft : nearfar::TripletForm::hinge;
  }
  const auto x = c.matrix<S>("x");
  const auto labels = c.labels("labels");
  return [&]<class... K>(nearfar::registered::KernelList<K...>) {
    Computed<S> out;
    using Own = std::remove_cvref_t<decltype(typename Line::template Loss<S>().kernel())>;
    const std::string kernel = c.has_option("kernel") ? c.word("kernel") : name_of_kernel<Own>;
    const auto attempt = [&]<class Kernel>() {
      if constexpr (!nearfar::ParametricKernel<Kernel>) {
        if (kernel != name_of_kernel<Kernel>) return false;
        out.loss =
            Through::template labelled<Line, S, Kernel>(options, x, labels, out.gradients["x"]);
        return true;
      }
      return false;
    };
    if (!(attempt.template operator()<K>() || ...)) {
      throw std::runtime_error("unknown kernel " + kernel + " for " + c.loss());
    }
    return out;
  }(typename Line::template Kernels<S>());
}

/// Runs a loss of the register over two sets, by their names.
template <class S, class Line, class Through = ThroughClasses>
Runner<S> over_two_sets(const char* first, const char* second) {
  return [=](Case& c) {
    const auto options = options_of<typename Line::Options>(c);
    const auto a = c.matrix<S>(first);
    const auto b = c.matrix<S>(second);
    return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
      Computed<S> out;
      out.loss = Through::template two_sets<Line, S, K>(options, a, b, out.gradients[first],
                                                        out.gradients[second]);
      return out;
    });
  };
}

/// Runners of the losses whose calls follow from the register, through the classes or through an
/// interface to them.
template <class S, class Through>
std::map<std::string, Runner<S>> registered_runners() {
  namespace registered = nearfar::registered;
  return {
#define NEARFAR_OVER_LABELS(name, ...) {#name, over_labels<S, registered::name, Through>},
      NEARFAR_LOSSES_OVER_LABELS(NEARFAR_OVER_LABELS)
#undef NEARFAR_OVER_LABELS
          {"triplet_labels", over_labels<S, registered::mined_triplet, Through>},
      {"linear_contrastive_labels", over_labels<S, registered::linear_contrastive, Through>},
      {"rince", over_two_sets<S, registered::rince, Through>("queries", "keys")},
      {"rince_views", over_two_sets<S, registered::rince_views, Through>("view1", "view2")},
      {"dhel", over_two_sets<S, registered::dhel, Through>("view1", "view2")},
      {"dclw", over_two_sets<S, registered::dclw, Through>("view1", "view2")},
  };
}

}  // namespace golden
