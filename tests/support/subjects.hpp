#pragma once

#include <functional>
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

template <class S>
struct Subject {
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
  std::function<nearfar::Result(const Inputs&, const AllLabels&, Inputs* gradients,
                                nearfar::Workspace*, const nearfar::Upstream*)>
      call;
  std::function<std::vector<Scalar>(const Inputs&, const AllLabels&)> scalars;

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
