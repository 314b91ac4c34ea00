#pragma once

#include "nearfar/core/denominator.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/pair_target_calls.hpp"

namespace nearfar {

/// Settings of NtXent.
struct NtXentOptions {
  double temperature = 0.5;  ///< tau > 0: logits are scores / tau
  Denominator denominator = Denominator::with_positive;
  Reduction reduction = Reduction::mean;  ///< terms are views, 2N of them
  /// A view is unusable when there is no other sample, and thus no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("denominator", o.denominator...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const NtXentOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs, const Targets& targets);

}  // namespace detail

/// NT-Xent, SimCLR's normalised temperature-scaled cross entropy: for two views x and y of each of
/// N samples, cross entropy of a view's partner among the 2N - 1 other views (Chen et al., A simple
/// framework for contrastive learning of visual representations, 2020, eq. 1):
///
///     L_i = -log( exp(s_{i,partner(i)} / tau) / sum_{j != i} exp(s_ij / tau) )
///
/// for each of the 2N views i, with scores of kernel K (minus the distance for distances). The
/// denominator has the partner and both views of all other samples, but not the view itself. With
/// Denominator::negatives_only the partner is left out, too (decoupled contrastive learning, DCL:
/// Yeh et al., Decoupled contrastive learning, 2022, eq. 6); values may then be negative.
///
/// With ids, one a sample (Targets::ids), a view's sum leaves out views of other samples of its id:
/// copies of one sample are no negatives of each other. The partner stays. Labels are refused:
/// SupCon takes them.
///
/// Terms are views: Reduction::mean divides by 2N; none gives the N values of x's rows, then y's.
/// Extra memory O(N D). An object is immutable and may be shared by threads, each with its own
/// Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class NtXent : public PairTargetCalls<NtXent<S, K>, S, TemperatureResult> {
  static_assert(is_symmetric<K>(), "nearfar: NtXent needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit NtXent(NtXentOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const NtXentOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  NtXentOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/nt_xent.hpp"
#endif
