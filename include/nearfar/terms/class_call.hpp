#pragma once

#include <string>

#include "nearfar/core/proxies.hpp"
#include "nearfar/engine/call.hpp"

/// \file
/// The frame of a call of labelled rows against proxies of classes.

namespace nearfar::detail {

/// The check of a class's margin for losses without margins.
struct NoMargins {
  void operator()(double margin) const {
    fail_argument("margins", "none, as the loss adds no margin to a score", number_text(margin));
  }
};

/// The check of margins that are angles.
struct AngleMargins {
  void operator()(double margin) const { check_angle("margins", margin); }
};

/// The check of margins that are added to scores.
template <class S>
struct ScoreMargins {
  void operator()(double margin) const { check_offset<S>("margins", margin); }
};

/// Sets of rows and proxies, checked and packed, and the class of each row.
template <class S>
class ClassCall : public Call<S> {
 public:
  /// The kernel and the inputs must outlive the call. `centers`: proxies a class. `normalises`:
  /// proxies are normalised although the kernel is the inner product. check_margin(value) throws on
  /// a class's margin that is out of range. Without `packs` the caller packs.
  template <class CheckMargin = NoMargins>
  ClassCall(const KernelValue<S>& kernel, Reduction reduction, const ProxyInputs<S>& inputs,
            Index centers = 1, bool normalises = false, const CheckMargin& check_margin = {},
            bool packs = true)
      : Call<S>(kernel, reduction, inputs.sets), margins_(inputs.proxies.margins()) {
    const auto& rows = inputs.sets.rows;
    const auto& gradients = inputs.sets.gradients;
    this->add(Side::query, {"x", rows[0], gradients[0]});
    const NamedRows<S> proxies{"proxies", rows[1], gradients[1]};
    if (normalises) {
      this->add_normalised(Side::key, proxies);
    } else {
      this->add(Side::key, proxies);
    }
    classes_ = inputs.classes(centers);
    if (inputs.proxies.has_margins()) {
      if (margins_.size() != classes_) {
        fail_argument("margins", std::to_string(classes_) + " numbers, one a class",
                      std::to_string(margins_.size()));
      }
      for (Index c = 0; c < classes_; ++c) check_margin(static_cast<double>(margins_[c]));
    }
    this->check(rows[0].rows());
    own_ = class_of_rows(this->scratch(), inputs, classes_);
    if (packs) this->pack();
  }

  // As ShardedClassCall has them.

  /// Adds up counts of own rows, one a class, over the rows of all processes.
  void add_up(Index*) const {}
  /// Closes the proxies, the rows of the term, over all rows.
  void run_from_proxies(RowTerm<S>& term, Diagnostics& d) { this->run(term, 1, 0, d); }
  /// Runs what adds to the gradients of proxies, row by row.
  template <class Body>
  void add_to_proxies(const Body& body) {
    body();
  }
  /// As reduce, of values of the proxies.
  template <class ValueOf>
  void reduce_proxies(const ValueOf& value_of, Result& result) const {
    this->reduce(classes_, value_of, result);
  }

  Index classes() const { return classes_; }
  /// The class of each row.
  const Index* own() const { return own_; }
  /// The margin of class c.
  double margin(Index c, double of_all) const {
    return margins_.size() > 0 ? static_cast<double>(margins_[c]) : of_all;
  }

 private:
  Numbers<S> margins_;
  Index classes_ = 0;
  const Index* own_ = nullptr;
};

}  // namespace nearfar::detail
