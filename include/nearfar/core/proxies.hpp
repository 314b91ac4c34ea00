#pragma once

#include <algorithm>
#include <string>

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/labels.hpp"
#include "nearfar/core/matrix.hpp"
#include "nearfar/core/numbers.hpp"

/// \file
/// The class weights that rows are compared with.

namespace nearfar {

/// A view of the proxies (class weights) of C classes, made implicitly from rows: row c of C x D is
/// the proxy of class c. Losses with K centres a class take (C K) x D, with those of class c in
/// rows c K .. c K + K - 1. With `classes` the rows are those of a few classes, and with `margins`
/// each class has a margin of its own:
///
///     loss.forward(x, labels, Proxies(sampled_weights).classes(sampled).margins(margins));
///
/// Rows, numbers of classes and margins are views: their memory must outlive the call.
template <class S>
class Proxies {
 public:
  Proxies() = default;

  Proxies(const Rows<S>& rows) : rows_(rows) {}  // NOLINT(google-explicit-constructor)

  template <detail::EigenDense M>
  Proxies(const M& m) : rows_(m) {}  // NOLINT(google-explicit-constructor): as Rows

  const Rows<S>& rows() const { return rows_; }

  /// The same with the number of each class, C different integers of any value. Labels are then
  /// these numbers instead of row numbers of proxies. The softmax runs over these classes alone
  /// (Partial FC, An et al., 2022: those of the batch and a sample of the others).
  Proxies classes(const Labels& numbers) const {
    Proxies out = *this;
    out.classes_ = numbers;
    out.has_classes_ = true;
    return out;
  }
  bool has_classes() const { return has_classes_; }
  const Labels& classes() const { return classes_; }

  /// The same with the margin of each class, C numbers, in place of the option.
  Proxies margins(const Numbers<S>& margins) const {
    Proxies out = *this;
    out.margins_ = margins;
    out.has_margins_ = true;
    return out;
  }
  bool has_margins() const { return has_margins_; }
  const Numbers<S>& margins() const { return margins_; }

 private:
  Rows<S> rows_;
  bool has_classes_ = false;
  bool has_margins_ = false;
  Labels classes_;
  Numbers<S> margins_;
};

template <detail::EigenDense M>
Proxies(const M&) -> Proxies<detail::ScalarOfStored<typename M::Scalar>>;

namespace detail {

/// Rows, their labels and the proxies of classes.
template <class S>
struct ProxyInputs {
  Inputs<S, 2> sets;
  const Labels& labels;
  const Proxies<S>& proxies;

  /// The number of classes with `centers` proxies each. Throws std::invalid_argument if it is no
  /// integer.
  Index classes(Index centers) const {
    const Index rows = sets.rows[1].rows();
    if (rows % centers != 0) {
      fail_argument("proxies",
                    "a multiple of " + std::to_string(centers) + " rows, the centres of each class",
                    std::to_string(rows));
    }
    return rows / centers;
  }
};

/// The class of each row, numbered from 0 to `classes` - 1 in the order of proxies. Throws
/// std::invalid_argument unless there is one label a row, each of a class that has proxies, and the
/// numbers of classes are different and one a class.
template <class S>
const Index* class_of_rows(Scratch& scratch, const ProxyInputs<S>& inputs, Index classes) {
  const Index n = inputs.sets.rows[0].rows();
  if (n > 0 && classes == 0) fail_argument("proxies", "at least one class", "none");
  if (!inputs.proxies.has_classes()) {
    return checked_indices(scratch, "labels", inputs.labels, n, classes);
  }
  const Labels& numbers = inputs.proxies.classes();
  check_label_count("labels", inputs.labels, n);
  if (numbers.size() != classes) {
    fail_argument("classes", std::to_string(classes) + " numbers, one a class",
                  std::to_string(numbers.size()));
  }
  Index* sorted = scratch.take<Index>(classes);
  for (Index c = 0; c < classes; ++c) sorted[c] = c;
  std::sort(sorted, sorted + classes, [&](Index a, Index b) { return numbers[a] < numbers[b]; });
  for (Index c = 1; c < classes; ++c) {
    if (numbers[sorted[c]] != numbers[sorted[c - 1]]) continue;
    fail_argument("classes", "different numbers", std::to_string(numbers[sorted[c]]) + " twice");
  }
  Index* out = scratch.take<Index>(n);
  for (Index i = 0; i < n; ++i) {
    const std::int64_t label = inputs.labels[i];
    const Index* found = std::lower_bound(sorted, sorted + classes, label,
                                          [&](Index c, auto value) { return numbers[c] < value; });
    if (found == sorted + classes || numbers[*found] != label) {
      fail_argument("labels", "numbers of classes that have proxies",
                    std::to_string(label) + " for row " + std::to_string(i));
    }
    out[i] = *found;
  }
  return out;
}

}  // namespace detail

}  // namespace nearfar
