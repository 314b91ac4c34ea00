#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of Nca.
struct NcaOptions {
  double temperature = 1;  ///< tau > 0: logits are scores / tau
  /// Terms are anchors that have a positive.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when no other row has its label.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const NcaOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs);

}  // namespace detail

/// Neighbourhood components analysis (Goldberger et al., Neighbourhood components analysis, 2004,
/// the objective of eq. 6). An anchor i picks a row j != i with a probability proportional to
/// exp(-d_ij / tau); the loss is the negative logarithm of the probability of a row of its class:
///
///     L_i = -log( sum_{p in P(i)} exp(-d_ip / tau) / sum_{j != i} exp(-d_ij / tau) )
///
/// with d the distance of kernel K, the squared Euclidean one in the paper, or minus the score for
/// similarities. The paper has no temperature. Its linear map is here the network, or the matrix of
/// Mahalanobis.
///
/// Anchors without a positive are no terms: Reduction::mean divides by the number of the others. An
/// anchor without a negative has the value 0. Extra memory O((N + M) D). An object is immutable and
/// may be shared by threads, each with its own Workspace. Results have the same bits at any number
/// of threads.
template <class S, Kernel K = SquaredEuclidean>
class Nca : public LabelCalls<Nca<S, K>, S, TemperatureResult> {
  static_assert(is_symmetric<K>(), "nearfar: Nca needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit Nca(NcaOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const NcaOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  NcaOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/nca.hpp"
#endif
