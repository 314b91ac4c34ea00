#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// A term of Sincere, and thus the divisor of Reduction::mean.
enum class SincereTerms {
  anchors,        ///< an anchor that has a positive, with the mean over its positives
  positive_pairs  ///< an anchor and one of its positives
};

/// Settings of Sincere.
struct SincereOptions {
  double temperature = 0.1;  ///< tau > 0: logits are scores / tau
  SincereTerms terms = SincereTerms::anchors;
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when no other row has its label.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("terms", o.terms...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const SincereOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs);

}  // namespace detail

/// SINCERE, supervised InfoNCE: each positive p of an anchor i against the anchor's negatives N(i),
/// the rows of other labels. Other positives are not in the denominator (Feeney and Hughes,
/// SINCERE: supervised information noise-contrastive estimation revisited, 2023):
///
///     L_ip = -log( exp(s_ip / tau) / (exp(s_ip / tau) + sum_{n in N(i)} exp(s_in / tau)) )
///     L_i = 1/|P(i)| sum_{p in P(i)} L_ip
///
/// with scores of kernel K (minus the distance for distances). With SincereTerms::positive_pairs
/// L_i is the sum over p, and Reduction::mean divides by the number of pairs (i, p).
///
/// Anchors without a positive are no terms. An anchor without a negative has loss 0 and counts.
/// Extra memory O((N + M) D). An object is immutable and may be shared by threads, each with its
/// own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class Sincere : public LabelCalls<Sincere<S, K>, S, TemperatureResult> {
  static_assert(is_symmetric<K>(), "nearfar: Sincere needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit Sincere(SincereOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const SincereOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  SincereOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/sincere.hpp"
#endif
