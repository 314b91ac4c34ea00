#pragma once

#include "nearfar/core/proxies.hpp"
#include "nearfar/engine/call.hpp"

/// \file
/// The frame of a call of labelled rows against proxies of classes.

namespace nearfar::detail {

/// Throws std::invalid_argument where classes have margins of their own.
template <class S>
void refuse_margins(const Proxies<S>& proxies) {
  if (!proxies.has_margins()) return;
  fail_argument("margins", "none, as the loss adds no margin to the score of a class",
                std::to_string(proxies.margins().size()) + " numbers");
}

/// Sets of rows and proxies, checked and packed, and the class of each row.
template <class S>
class ClassCall : public Call<S> {
 public:
  /// The kernel and the inputs must outlive the call. `centers` proxies a class. `normalises`:
  /// proxies alone are normalised, under a kernel of inner products. check_margin(value) throws on
  /// a class's margin that is out of range.
  template <class CheckMargin>
  ClassCall(const KernelValue<S>& kernel, Reduction reduction, const ProxyInputs<S>& inputs,
            Index centers, bool normalises, const CheckMargin& check_margin)
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
      check_numbers("margins", margins_, classes_);
      for (Index c = 0; c < classes_; ++c) check_margin(static_cast<double>(margins_[c]));
    }
    this->check(rows[0].rows());
    own_ = class_of_rows(this->scratch(), inputs, classes_);
    this->pack();
  }
  /// The same for one proxy a class and a loss without margins that are added.
  ClassCall(const KernelValue<S>& kernel, Reduction reduction, const ProxyInputs<S>& inputs,
            bool normalises = false)
      : ClassCall(kernel, reduction, (refuse_margins(inputs.proxies), inputs), 1, normalises,
                  [](double) {}) {}

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
