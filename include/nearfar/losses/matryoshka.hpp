#pragma once

#include <string>
#include <vector>

#include "nearfar/core/denominator.hpp"
#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/inner_product.hpp"

namespace nearfar {

/// Settings of MatryoshkaInfoNce.
struct MatryoshkaOptions {
  /// Lengths of the prefixes, ascending; the last is D, the rows' own length.
  std::vector<Index> prefixes;
  /// Weight of each prefix's loss, >= 0; an empty list means 1 for each.
  std::vector<double> weights = {};
  double temperature = 0.07;  ///< tau > 0: logits are scores / tau
  Denominator denominator = Denominator::with_positive;
  Reduction reduction = Reduction::mean;  ///< terms are queries
  /// A query is unusable when it has no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// visit("prefixes", o.prefixes...), and so for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("prefixes", o.prefixes...);
    visit("weights", o.weights...);
    visit("temperature", o.temperature...);
    visit("denominator", o.denominator...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

/// The result of MatryoshkaInfoNce. `value` and `values` are weighted sums over the prefixes.
struct MatryoshkaResult : TemperatureResult {
  std::vector<double> prefix_values;  ///< each prefix's loss, after reduction, without its weight
};

namespace detail {

template <class S>
MatryoshkaResult evaluate(const MatryoshkaOptions& options, const KernelValue<S>& kernel,
                          const Inputs<S, 2>& inputs);

/// Throws std::invalid_argument unless prefixes and weights are as MatryoshkaOptions describes.
inline void check_prefixes(const MatryoshkaOptions& options) {
  const std::vector<Index>& prefixes = options.prefixes;
  if (prefixes.empty()) fail_argument("prefixes", "at least one length", "none");
  for (std::size_t p = 0; p < prefixes.size(); ++p) {
    const Index before = p > 0 ? prefixes[p - 1] : 0;
    if (prefixes[p] > before) continue;
    fail_argument("prefixes", "ascending lengths > 0",
                  std::to_string(prefixes[p]) + " after " + std::to_string(before));
  }
  if (!options.weights.empty() && options.weights.size() != prefixes.size()) {
    fail_argument("weights", std::to_string(prefixes.size()) + " numbers, one a prefix, or none",
                  std::to_string(options.weights.size()));
  }
}

}  // namespace detail

/// InfoNCE of several prefixes of the same rows, so that each prefix is a usable embedding
/// (Kusupati et al., Matryoshka representation learning, 2022, eq. 1):
///
///     L = sum_p w_p InfoNCE(queries[:, :d_p], keys[:, :d_p])
///
/// with cosines that are normalised prefix by prefix, or inner products. All prefixes share one
/// temperature.
///
/// The products cost as much as those of InfoNce on whole rows, 6 N M D floating point operations,
/// for any number of prefixes: the scores of a prefix are those of the shorter prefix plus one more
/// block of columns, and the gradient of a block takes the sum of the weights of all prefixes that
/// contain it. Each prefix has its own exponentials. Extra memory is O((N + M) D), and 48 rows of
/// scores for each prefix and thread.
///
/// Terms are queries: Reduction::mean divides by N, mean_nonzero by the number of queries whose
/// weighted sum is not 0. A prefix may be at most 1e15 times as short as its row (float; 1e150 in
/// double), because the product of two shorter ones underflows. An object is immutable and may be
/// shared by threads, each with its own Workspace. Results have the same bits at any number of
/// threads.
template <class S, Kernel K = Cosine>
class MatryoshkaInfoNce {
  static_assert(std::is_same_v<K, Cosine> || std::is_same_v<K, InnerProduct>,
                "nearfar: MatryoshkaInfoNce takes cosines or inner products");

 public:
  /// Throws std::invalid_argument unless prefixes and weights are as MatryoshkaOptions describes
  /// and the temperature is finite and > 0.
  explicit MatryoshkaInfoNce(MatryoshkaOptions options, K kernel = K())
      : options_(std::move(options)), kernel_(kernel) {
    check_scale<S>("temperature", options_.temperature);
    detail::check_prefixes(options_);
    if (options_.weights.empty()) options_.weights.assign(options_.prefixes.size(), 1.0);
    for (const double weight : options_.weights) {
      check_offset<S>("weights", weight);
      if (weight < 0) fail_argument("weights", "numbers >= 0", std::to_string(weight));
    }
  }

  const MatryoshkaOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of queries (N x D) against keys (M x D, M >= N, key i the positive of query i). An
  /// empty batch has value 0. Throws std::invalid_argument on shapes that do not fit, and unless
  /// the longest prefix is D; std::domain_error on an element that is not finite.
  MatryoshkaResult forward(Rows<S> queries, Rows<S> keys, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {}, false, call});
  }

  /// Value and gradients (the shapes of their inputs), times `call.upstream`: one number, or N
  /// numbers with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  MatryoshkaResult forward_backward(Rows<S> queries, Rows<S> keys, GradientRows<S> d_queries,
                                    GradientRows<S> d_keys, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {d_queries, d_keys}, true, call});
  }

 private:
  MatryoshkaResult evaluate(const detail::Inputs<S, 2>& inputs) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs);
  }

  MatryoshkaOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/matryoshka.hpp"
#endif
