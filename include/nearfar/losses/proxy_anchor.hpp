#pragma once

#include "nearfar/kernels/cosine.hpp"
#include "nearfar/losses/proxy_calls.hpp"

namespace nearfar {

/// Settings of ProxyAnchor.
struct ProxyAnchorOptions {
  double margin = 0.1;  ///< delta, finite
  double alpha = 32;    ///< > 0: the factor of cosines

  /// Calls visit("margin", o.margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("margin", o.margin...);
    visit("alpha", o.alpha...);
  }
};

namespace detail {

template <class S>
Result evaluate(const ProxyAnchorOptions& options, const ProxyInputs<S>& inputs);

}  // namespace detail

/// Proxy-Anchor, with the proxy of each class as an anchor (Kim et al., Proxy anchor loss for deep
/// metric learning, 2020, eq. 4): of N rows x_i with labels y_i and C proxies w_c, with s_ic = x_i
/// . w_c / (|x_i| |w_c|),
///
///     L = 1/|P+| sum_{c in P+} log(1 + sum_{i: y_i = c}  exp(-alpha (s_ic - delta)))
///         + 1/C  sum_c         log(1 + sum_{i: y_i != c} exp( alpha (s_ic + delta)))
///
/// P+ are the classes that have rows in the batch. The value is one number, without terms to
/// reduce. The diagnostics count proxies as anchors and terms, and proxies of other classes than P+
/// as anchors without a positive. An empty batch has value 0.
///
/// Memory beyond inputs and gradients is O((N + C) D), without an N x C matrix; 6 N C D floating
/// point operations forward and backward, 2 N C D forward. A zero row has cosine 0 and gradient 0.
/// An object is immutable and may be shared by threads, each with its own Workspace. Results have
/// the same bits at any number of threads.
template <class S>
class ProxyAnchor : public ProxyCalls<ProxyAnchor<S>, S, Result> {
 public:
  /// Throws std::invalid_argument unless the margin is finite and alpha finite and > 0.
  explicit ProxyAnchor(ProxyAnchorOptions options = {}) : options_(options) {
    check_offset<S>("margin", options.margin);
    check_scale<S>("alpha", options.alpha);
    check_offset<S>("margin", options.alpha * options.margin);
  }

  const ProxyAnchorOptions& options() const { return options_; }

 private:
  ProxyAnchorOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/proxy_anchor.hpp"
#endif
