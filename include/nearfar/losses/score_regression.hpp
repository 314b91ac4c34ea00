#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/scored_pair_calls.hpp"

namespace nearfar {

/// Settings of ScoreRegression.
struct ScoreRegressionOptions {
  Reduction reduction = Reduction::mean;  ///< terms are pairs

  /// Calls visit("reduction", o.reduction...).
  static void fields(const auto& visit, auto&... o) { visit("reduction", o.reduction...); }
};

namespace detail {

template <class S>
Result evaluate(const ScoreRegressionOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 2>& inputs, const Numbers<S>& scores);

}  // namespace detail

/// Regression of scores: the score of a pair of rows should be a given number (Reimers & Gurevych,
/// Sentence-BERT, 2019, section 3, the regression objective; sentence-transformers'
/// CosineSimilarityLoss):
///
///     L_i = (s(a_i, b_i) - scores_i)^2
///
/// with the score of kernel K, a distance for kernels that are distances. Time and extra memory
/// O(N D). An object is immutable and may be shared by threads, each with its own Workspace.
/// Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class ScoreRegression : public ScoredPairCalls<ScoreRegression<S, K>, S, Result> {
 public:
  explicit ScoreRegression(ScoreRegressionOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {}

  const ScoreRegressionOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  ScoreRegressionOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/score_regression.hpp"
#endif
