#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// The two losses of the paper.
enum class SupConVariant {
  out,  ///< the mean over positives outside of the logarithm (eq. 2), the paper's choice
  in    ///< the mean inside of it (eq. 3)
};

/// Settings of SupCon.
struct SupConOptions {
  double temperature = 0.1;  ///< tau > 0: logits are scores / tau
  SupConVariant variant = SupConVariant::out;
  /// Terms are anchors that have a positive.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when no other row has its label.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("variant", o.variant...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const SupConOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs);

}  // namespace detail

/// Supervised contrastive loss: an anchor's positives are all other rows with its label
/// (Khosla et al., Supervised contrastive learning, 2020):
///
///     out: L_i = -1/|P(i)| sum_{p in P(i)} log( exp(s_ip / tau) / sum_{j != i} exp(s_ij / tau) )
///     in:  L_i = -log( 1/|P(i)| sum_{p in P(i)} exp(s_ip / tau) / sum_{j != i} exp(s_ij / tau) )
///
/// with scores of kernel K (minus the distance for distances). The value is a mean or sum of L_i,
/// without the paper's factor tau / tau_base. With two views a sample, and a label of its own for
/// each sample, it is NtXent of the views.
///
/// Anchors without a positive are no terms: Reduction::mean divides by the number of the others.
/// Extra memory O(N D). An object is immutable and may be shared by threads, each with its own
/// Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class SupCon : public LabelCalls<SupCon<S, K>, S, TemperatureResult> {
  static_assert(is_symmetric<K>(), "nearfar: SupCon needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit SupCon(SupConOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const SupConOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  SupConOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/sup_con.hpp"
#endif
