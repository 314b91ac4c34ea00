#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of SmoothAp.
struct SmoothApOptions {
  double temperature = 0.01;  ///< tau > 0: width of the sigmoids, in the kernel's score
  /// If true, an anchor of a batch is among the rows that it ranks, as a positive, as in the
  /// authors' code. Without effect with references.
  bool include_self = false;
  /// Terms are anchors that have a positive; with include_self all anchors of a batch.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when no other row has its label.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("include_self", o.include_self...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const SmoothApOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs);

}  // namespace detail

/// Smooth-AP of a labelled batch: one minus the average precision of each anchor's ranking, with
/// sigmoids in place of comparisons (Brown et al., Smooth-AP: smoothing the path towards
/// large-scale image retrieval, 2020):
///
///     L_a = 1 - 1/|P(a)| sum_{p in P(a)} R+(p) / R(p),
///     R(p) = 1 + sum_{k != p} sigmoid((s_ak - s_ap) / tau)
///
/// with scores of kernel K (minus the distance for distances). The sum in R(p) is over all rows but
/// a, and in R+(p) over a's positives. `include_self` adds a to both.
///
/// Terms are anchors with a positive: Reduction::mean divides by their number. A call takes |P(a)|
/// M sigmoids for each anchor a, and 6 N M D floating point operations; extra memory O((N + M) D).
/// An object is immutable and may be shared by threads, each with its own Workspace. Results have
/// the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class SmoothAp : public LabelCalls<SmoothAp<S, K>, S, TemperatureResult> {
  static_assert(is_symmetric<K>(), "nearfar: SmoothAp needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit SmoothAp(SmoothApOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const SmoothApOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  SmoothApOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/smooth_ap.hpp"
#endif
