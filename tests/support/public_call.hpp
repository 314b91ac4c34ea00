#pragma once

#include <array>
#include <functional>
#include <nearfar/nearfar.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/any_loss.hpp"
#include "support/random.hpp"

/// \file
/// A public call with one signature for all losses, and the names of its arguments.

namespace support {

enum class Way { forward, forward_backward };

/// The arguments of a call.
template <class S>
struct Arguments {
  std::vector<Matrix<S>> rows;
  Matrix<S> parameter;  ///< the kernel's matrix, if it has one
  std::vector<std::vector<int>> labels;
  std::vector<std::vector<S>> numbers;
  std::array<double, 2> moved = {};                 ///< added to the learnable numbers
  std::vector<nearfar::GradientRows<S>> gradients;  ///< one a set of rows
  nearfar::CallOptions<S> options = {};
  nearfar::Reduction reduction = nearfar::Reduction::mean;
  nearfar::UnusableAnchor unusable = nearfar::UnusableAnchor::skip;
};

/// The number of rows that a set may have.
enum class Fit {
  first,     ///< the first set, which determines the others
  equal,     ///< as many as the first
  at_least,  ///< as many as the first or more
  free
};

/// A set of rows and its name in a call.
struct NamedSet {
  const char* name;
  Index rows;
  Fit fit = Fit::equal;
  bool constant = false;  ///< without a gradient; such sets come last
};

/// Labels or numbers, one a row of a set.
struct NamedColumn {
  const char* name;
  Index size;
};

template <class S>
struct PublicCall {
  std::string name;
  std::vector<NamedSet> sets;
  std::vector<NamedColumn> labels;
  std::vector<NamedColumn> numbers;
  Arguments<S> good;        ///< valid arguments, without gradients
  bool parametric = false;  ///< the kernel has a matrix
  bool reduces = true;      ///< has a Reduction
  Index upstream_rows = 0;  ///< numbers of upstream with Reduction::none
  std::size_t learnt = 0;   ///< number of learnable numbers
  /// The start of the message for one row in every set, if anchors may be unusable.
  std::string unusable = {};
  /// Returns numbers_of the result.
  std::function<std::vector<double>(Way, const Arguments<S>&)> call;

  /// The name of a set's gradient: dx, da, but d_queries.
  std::string gradient_name(std::size_t k) const {
    const std::string of = sets[k].name;
    return (of.size() == 1 ? "d" : "d_") + of;
  }
};

/// Everything a call returns, the value first.
template <class Result>
std::vector<double> numbers_of(const Result& r) {
  const nearfar::Diagnostics& d = r.diagnostics;
  std::vector<double> out = {r.value};
  out.insert(out.end(), r.values.begin(), r.values.end());
  for (const std::int64_t count :
       {d.anchors, d.anchors_without_positive, d.anchors_without_negative, d.terms, d.active_terms,
        d.zero_distances}) {
    out.push_back(static_cast<double>(count));
  }
  out.push_back(d.smallest_score);
  out.push_back(d.largest_score);
  const std::vector<double> own = own_numbers_of(r);
  out.insert(out.end(), own.begin(), own.end());
  return out;
}

/// Calls `loss` in one of the ways; the first `sets` gradients are those of its sets of rows.
template <std::size_t sets, class S, class Loss, class... Inputs>
std::vector<double> call_one_way(const Loss& loss, Way way, const Arguments<S>& a,
                                 const Inputs&... inputs) {
  if (way == Way::forward) return numbers_of(loss.forward(inputs..., a.options));
  return [&]<std::size_t... k>(std::index_sequence<k...>) {
    return numbers_of(loss.forward_backward(inputs..., a.gradients[k]..., a.options));
  }
  (std::make_index_sequence<sets>());
}

template <class S>
class PublicCalls {
 public:
  static constexpr Index rows = 5;
  static constexpr Index cols = 4;

  std::vector<PublicCall<S>> list;

  /// `call(way, arguments)` makes one call.
  template <class K, class Call>
  PublicCall<S>& add(std::string name, std::vector<NamedSet> sets, std::vector<NamedColumn> labels,
                     const Call& call) {
    PublicCall<S> out;
    out.name = std::move(name);
    out.sets = std::move(sets);
    out.labels = std::move(labels);
    out.parametric = nearfar::ParametricKernel<K>;
    out.upstream_rows = out.sets[0].rows;
    for (std::size_t k = 0; k < out.sets.size(); ++k) {
      out.good.rows.push_back(random_rows<S>(out.sets[k].rows, cols, 31 + k));
    }
    for (const NamedColumn& column : out.labels) {
      std::vector<int> labels_of;
      for (Index i = 0; i < column.size; ++i) labels_of.push_back(static_cast<int>(i % 2));
      out.good.labels.push_back(labels_of);
    }
    // Square, so that it fits keys and queries.
    if (out.parametric) out.good.parameter = random_rows<S>(cols, cols, 41);
    out.call = call;
    list.push_back(std::move(out));
    return list.back();
  }

  /// f(a, b); `make(arguments)` is the loss.
  template <class K, class Make>
  PublicCall<S>& two(const std::string& name, NamedSet a, NamedSet b, const Make& make) {
    return add<K>(name, {a, b}, {}, [=](Way way, const Arguments<S>& x) {
      return call_one_way<2>(make(x), way, x, x.rows[0], x.rows[1]);
    });
  }

  template <class K, class Make>
  PublicCall<S>& three(const std::string& name, NamedSet a, NamedSet b, NamedSet c,
                       const Make& make) {
    return add<K>(name, {a, b, c}, {}, [=](Way way, const Arguments<S>& x) {
      return call_one_way<3>(make(x), way, x, x.rows[0], x.rows[1], x.rows[2]);
    });
  }

  /// A batch with labels.
  template <class K, class Make>
  void batch(const std::string& name, const Make& make) {
    add<K>(name + ", batch", {{"x", rows}}, {{"labels", rows}},
           [=](Way way, const Arguments<S>& x) {
             return call_one_way<1>(make(x), way, x, x.rows[0], x.labels[0]);
           });
  }

  /// Both forms of a loss over labels.
  template <class K, class Make>
  void labelled(const std::string& name, const Make& make) {
    batch<K>(name, make);
    add<K>(name + ", references", {{"queries", rows}, {"references", rows + 1, Fit::free}},
           {{"query_labels", rows}, {"reference_labels", rows + 1}},
           [=](Way way, const Arguments<S>& x) {
             return call_one_way<2>(make(x), way, x, x.rows[0], x.labels[0], x.rows[1],
                                    x.labels[1]);
           });
  }
};

}  // namespace support
