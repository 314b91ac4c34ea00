#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/pair_calls.hpp"

namespace nearfar {

/// Settings of Rince.
struct RinceOptions {
  double temperature = 0.5;  ///< tau > 0: logits are scores / tau
  double lambda = 0.01;      ///< > 0: weight of the sum over all keys
  double q = 0.5;            ///< in (0, 1]: towards 0 InfoNCE; at 1 the most robust to wrong pairs
  Reduction reduction = Reduction::mean;  ///< terms are queries
  /// A query is unusable when its own key is the only key, and thus it has no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("lambda", o.lambda...);
    visit("q", o.q...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// Settings of RinceViews.
struct RinceViewsOptions {
  double temperature = 0.5;  ///< tau > 0: logits are scores / tau
  double lambda = 0.01;      ///< > 0: weight of the sum over all other views
  double q = 0.5;            ///< in (0, 1]: towards 0 NT-Xent; at 1 the most robust to wrong pairs
  Reduction reduction = Reduction::mean;  ///< terms are views, 2N of them
  /// A view is unusable when there is no other sample, and thus no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("temperature", o.temperature...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("temperature", o.temperature...);
    visit("lambda", o.lambda...);
    visit("q", o.q...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

/// Throws unless temperature, lambda and their inverses are finite in S and q is in (0, 1].
template <class S>
void check_rince(const auto& options) {
  check_scale<S>("temperature", options.temperature);
  check_scale<S>("lambda", options.lambda);
  check_scale<S>("q", options.q);
  if (options.q > 1) fail_argument("q", "a number in (0, 1]", number_text(options.q));
}

template <class S>
TemperatureResult evaluate(const RinceOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs);
template <class S>
TemperatureResult evaluate(const RinceViewsOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs);

}  // namespace detail

/// RINCE, robust InfoNCE, for keys of which some positives may be wrong (Chuang et al., Robust
/// contrastive learning against noisy views, 2022):
///
///     L_i = -exp(q s_ii / tau) / q + (lambda sum_j exp(s_ij / tau))^q / q
///
/// for queries x and keys y, with scores of kernel K (minus the distance for distances). Key i is
/// the positive of query i and a negative of all others. The sum is over all keys, including the
/// query's own. As q goes to 0, the loss goes to InfoNCE plus log(lambda). Values may be negative.
///
/// A value that overflows double, or a gradient that overflows S, is a std::domain_error. Powers
/// exp(q s / tau) that underflow are 0.
///
/// Terms are queries: Reduction::mean divides by N. A query without a negative is a term, too.
/// Extra memory O(N D). An object is immutable and may be shared by threads, each with its own
/// Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class Rince : public PairCalls<Rince<S, K>, S, TemperatureResult> {
 public:
  /// Throws std::invalid_argument unless temperature and lambda are finite and > 0 and q is in
  /// (0, 1].
  explicit Rince(RinceOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    detail::check_rince<S>(options);
  }

  const RinceOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  RinceOptions options_;
  K kernel_;
};

/// RINCE of two views x and y of each of N samples. Each of the 2N views is a query, its partner is
/// the positive, and the sum is over the 2N - 1 other views (Chuang et al., 2022, as for Rince):
///
///     L_i = -exp(q s_{i,partner(i)} / tau) / q + (lambda sum_{j != i} exp(s_ij / tau))^q / q
///
/// Terms are views: Reduction::mean divides by 2N; none gives the N values of x's rows, then y's.
/// Overflow, memory and threads are as for Rince.
template <class S, Kernel K = Cosine>
class RinceViews : public PairCalls<RinceViews<S, K>, S, TemperatureResult> {
  static_assert(is_symmetric<K>(),
                "nearfar: RinceViews needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless temperature and lambda are finite and > 0 and q is in
  /// (0, 1].
  explicit RinceViews(RinceViewsOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    detail::check_rince<S>(options);
  }

  const RinceViewsOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  RinceViewsOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/rince.hpp"
#endif
