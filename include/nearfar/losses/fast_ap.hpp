#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of FastAp.
struct FastApOptions {
  /// From 1 to 1024: the number of intervals of the squared distances, which lie from 0 to 4.
  Index bins = 10;
  Reduction reduction = Reduction::mean;  ///< terms are anchors that have a positive
  /// An anchor is unusable when no other row has its label.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("bins", o.bins...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("bins", o.bins...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
Result evaluate(const FastApOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs);

}  // namespace detail

/// FastAP of a labelled batch: one minus the average precision of each anchor's ranking, with ranks
/// from a soft histogram of distances (Cakir et al., Deep metric learning to rank, 2019):
///
///     L_a = 1 - 1/|P(a)| sum_{b=0..bins} h+_b H+_b / H_b,
///     h+_b = sum_{p in P(a)} max(0, 1 - |d_ap - c_b| / w),   w = 4 / bins,   c_b = b w
///
/// with d_aj = 2 - 2 cos(x_a, x_j) the squared distance of the normalised rows, H+_b the sum of h+
/// up to bin b, and H_b the same over all rows but a. Summands with H_b = 0 are 0. A distance
/// counts in two neighbouring bins, linearly, so the derivatives of h+ and of h with respect to d
/// are piecewise constant.
///
/// Terms are anchors with a positive: Reduction::mean divides by their number. Extra memory
/// O(N (D + bins)); 3 to 4 N^2 D floating point operations, 6 N M D with references, and N M bins
/// for the histograms. An object is immutable and may be shared by threads, each with its own
/// Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class FastAp : public LabelCalls<FastAp<S, K>, S, Result> {
  static_assert(std::is_same_v<K, Cosine>,
                "nearfar: FastAp needs Cosine: its bins are of distances between normalised rows");

 public:
  /// Throws std::invalid_argument unless there are 1 to 1024 bins.
  explicit FastAp(FastApOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    if (options.bins >= 1 && options.bins <= 1024) return;
    fail_argument("bins", "a number from 1 to 1024", std::to_string(options.bins));
  }

  const FastApOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  FastApOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/fast_ap.hpp"
#endif
