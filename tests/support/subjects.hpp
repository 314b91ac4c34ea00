#pragma once

#include <array>
#include <functional>
#include <nearfar/core/matrix.hpp>
#include <nearfar/core/reduction.hpp>
#include <nearfar/core/result.hpp>
#include <nearfar/core/workspace.hpp>
#include <string>
#include <vector>

#include "support/random.hpp"

/// \file
/// Every loss of the library under every kernel and in every form, with one signature, for tests of
/// the promises of all losses.

namespace support {

/// A learnable number of a loss: its derivative from the call, and the value at other numbers.
struct Scalar {
  std::string name;
  double at;
  double derivative;
  std::function<double(double)> value;
};

/// Views of a call's sets of rows, or of the places of their gradients, without memory of their
/// own.
template <class View>
class Views {
 public:
  Views() = default;
  template <class Matrices>
  explicit Views(Matrices& some) : size_(some.size()) {
    for (std::size_t k = 0; k < size_; ++k) views_.at(k) = View(some[k]);
  }

  void push_back(const View& view) { views_.at(size_++) = view; }
  std::size_t size() const { return size_; }
  const View& operator[](std::size_t k) const { return views_.at(k); }
  const View& back() const { return views_.at(size_ - 1); }

 private:
  std::array<View, 5> views_;
  std::size_t size_ = 0;
};

template <class S>
struct Subject {
  using RowViews = Views<nearfar::Rows<S>>;
  using GradientViews = Views<nearfar::GradientRows<S>>;
  using Inputs = std::vector<Matrix<S>>;
  using AllLabels = std::vector<std::vector<int>>;

  std::string name;
  std::vector<std::string> input_names;
  Inputs inputs;         ///< sets of rows; the kernel's matrix last, if it has one
  AllLabels labels;      ///< of the first sets of rows, if the loss takes any
  bool paired = true;    ///< row i of one set belongs to row i of the others
  bool in_sets = false;  ///< rows belong together by their positions
  bool parametric = false;
  /// Labels are numbers of classes, each of this many rows of the second set; 0: any integers.
  Index centers = 0;
  bool smooth = true;  ///< no hinge, no mining
  /// Forward if `gradients` is null, else forward_backward, times the upstream if given.
  std::function<nearfar::Result(const RowViews&, const AllLabels&, const GradientViews* gradients,
                                nearfar::Workspace*, const nearfar::Upstream*)>
      call_views;
  std::function<std::vector<Scalar>(const Inputs&, const AllLabels&)> scalars;

  nearfar::Result call(const Inputs& x, const AllLabels& of_x, Inputs* g, nearfar::Workspace* w,
                       const nearfar::Upstream* upstream) const {
    const RowViews rows(x);
    if (g == nullptr) return call_views(rows, of_x, nullptr, w, upstream);
    g->resize(x.size());
    const GradientViews gradient_rows(*g);
    return call_views(rows, of_x, &gradient_rows, w, upstream);
  }
  nearfar::Result forward(const Inputs& x) const { return call(x, labels, nullptr, nullptr, {}); }
  nearfar::Result gradients(const Inputs& x, Inputs& g, nearfar::Workspace* w = nullptr) const {
    return call(x, labels, &g, w, nullptr);
  }
};

/// Every loss with every kernel and form, with one reduction. Settings are gentle, so that
/// differences in float are accurate; `sharpness` multiplies all logits.
template <class S>
std::vector<Subject<S>> all_subjects(Index rows, Index cols, nearfar::Reduction reduction,
                                     double sharpness = 1);

inline const std::vector<nearfar::Reduction>& all_reductions() {
  using nearfar::Reduction;
  static const std::vector<Reduction> all = {Reduction::mean, Reduction::sum,
                                             Reduction::mean_nonzero, Reduction::none};
  return all;
}

}  // namespace support
