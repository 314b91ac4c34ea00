#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/pair_calls.hpp"

namespace nearfar {

/// Settings of Dhel.
struct DhelOptions {
  double temperature = 0.5;  ///< tau > 0: logits are scores / tau
  bool both_views = true;  ///< both views have a sum over negatives; if false, the first view alone
  Reduction reduction = Reduction::mean;  ///< terms are samples, N of them
  /// A sample is unusable when it is the only one, and thus has no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("both_views", o.both_views...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const DhelOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs);

}  // namespace detail

/// DHEL, the decoupled hyperspherical energy loss of two views u and v (x and y of the calls) of
/// each of N samples. It draws the two views of a sample together and spreads the samples of each
/// view; it compares no view with the other view of another sample (Koromilas et al., Bridging
/// mini-batch and asymptotic analysis in contrastive learning: from InfoNCE to kernel-based losses,
/// 2024):
///
///     L_i = -s(u_i, v_i) / tau + log sum_{j != i} exp(s(u_i, u_j) / tau)
///                              + log sum_{j != i} exp(s(v_i, v_j) / tau)
///
/// with scores of kernel K (minus the distance for distances). Without `both_views` the last sum is
/// left out. Values may be negative.
///
/// Terms are samples: Reduction::mean divides by N; none gives N values. A sample without another
/// has loss 0. Extra memory O(N D). An object is immutable and may be shared by threads, each with
/// its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class Dhel : public PairCalls<Dhel<S, K>, S, TemperatureResult> {
  static_assert(is_symmetric<K>(), "nearfar: Dhel needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit Dhel(DhelOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const DhelOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  DhelOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/dhel.hpp"
#endif
