#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/pair_calls.hpp"

namespace nearfar {

/// Settings of Dclw.
struct DclwOptions {
  double temperature = 0.1;  ///< tau > 0: logits are scores / tau
  double sigma = 0.5;        ///< > 0: width of the weights; the larger, the nearer weights are to 1
  Reduction reduction = Reduction::mean;  ///< terms are views, 2N of them
  /// A view is unusable when there is no other sample, and thus no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("sigma", o.sigma...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
TemperatureResult evaluate(const DclwOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs);

}  // namespace detail

/// DCLW, decoupled contrastive learning with weighted positives, of two views x and y of each of N
/// samples (Yeh et al., Decoupled contrastive learning, 2022, eq. 6 with the von Mises-Fisher
/// weight):
///
///     L_i = -w_i s_{i,partner(i)} / tau + log sum_j exp(s_ij / tau)
///     w_i = 2 - exp(s_i / sigma) / (1/N sum_k exp(s_k / sigma)),   s_k the score of sample k's
///                                                                  two views
///
/// with scores of kernel K (minus the distance for distances) and the sum over the 2N - 2 views of
/// other samples. The gradient treats the weights as constants. Their mean over the batch is 1, and
/// pairs that are far apart weigh more. With w = 1 it is NtXent with Denominator::negatives_only.
/// Values may be negative.
///
/// Terms are views: Reduction::mean divides by 2N; none gives the N values of x's rows, then y's. A
/// view without a negative has loss 0. Extra memory O(N D). An object is immutable and may be
/// shared by threads, each with its own Workspace. Results have the same bits at any number of
/// threads.
template <class S, Kernel K = Cosine>
class Dclw : public PairCalls<Dclw<S, K>, S, TemperatureResult> {
  static_assert(is_symmetric<K>(), "nearfar: Dclw needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless temperature and sigma are finite and > 0.
  explicit Dclw(DclwOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
    check_scale<S>("sigma", options.sigma);
  }

  const DclwOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  DclwOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/dclw.hpp"
#endif
