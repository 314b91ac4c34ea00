#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/labels.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/cosine.hpp"

namespace nearfar {

/// Settings of CosineEmbedding.
struct CosineEmbeddingOptions {
  double margin = 0;  ///< m in [-1, 1]: a dissimilar pair of cosine m or less costs nothing
  Reduction reduction = Reduction::mean;  ///< terms are pairs

  /// Calls visit("margin", o.margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("margin", o.margin...);
    visit("reduction", o.reduction...);
  }
};

namespace detail {

template <class S>
Result evaluate(const CosineEmbeddingOptions& options, const Inputs<S, 2>& inputs,
                const Labels& same);

}  // namespace detail

/// The cosine embedding loss of similar and dissimilar pairs (torch.nn.CosineEmbeddingLoss, with
/// same = 1 for its target 1 and same = 0 for its target -1):
///
///     L_i = 1 - cos(a_i, b_i)              if the pair is similar
///     L_i = max(0, cos(a_i, b_i) - m)      else
///
/// A zero row has cosine 0 and gradient 0. At the hinge's corner the gradient is 0. Time and extra
/// memory O(N D). An object is immutable and may be shared by threads, each with its own Workspace.
/// Results have the same bits at any number of threads.
template <class S>
class CosineEmbedding {
 public:
  /// Throws std::invalid_argument unless the margin is in [-1, 1].
  explicit CosineEmbedding(CosineEmbeddingOptions options = {}) : options_(options) {
    detail::check_score_option<S, Cosine>("margin", options.margin);
  }

  const CosineEmbeddingOptions& options() const { return options_; }

  /// The loss of rows of a and b (both N x D) with same, N numbers: 1 for a similar pair, 0 for a
  /// dissimilar one. Throws std::invalid_argument on shapes or flags that do not fit,
  /// std::domain_error on an element that is not finite.
  Result forward(Rows<S> a, Rows<S> b, Labels same, CallOptions<S> call = {}) const {
    return evaluate({{a, b}, {}, false, call}, same);
  }

  /// Value and gradients, N x D, times `call.upstream`: one number, or N numbers with
  /// Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  Result forward_backward(Rows<S> a, Rows<S> b, Labels same, GradientRows<S> da, GradientRows<S> db,
                          CallOptions<S> call = {}) const {
    return evaluate({{a, b}, {da, db}, true, call}, same);
  }

 private:
  Result evaluate(const detail::Inputs<S, 2>& inputs, const Labels& same) const {
    return detail::evaluate(options_, inputs, same);
  }

  CosineEmbeddingOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/cosine_embedding.hpp"
#endif
