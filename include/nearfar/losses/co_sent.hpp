#pragma once

#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/scored_pair_calls.hpp"

namespace nearfar {

/// Settings of CoSent.
struct CoSentOptions {
  double scale = 20;  ///< lambda > 0: logits are scale * score

  /// Calls visit("scale", o.scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) { visit("scale", o.scale...); }
};

/// Settings of Angle.
struct AngleOptions {
  double scale = 20;  ///< > 0: logits are scale * score

  /// Calls visit("scale", o.scale...), and so on for each option.
  static void fields(const auto& visit, auto&... o) { visit("scale", o.scale...); }
};

/// The result of CoSent and Angle.
struct CoSentResult : Result {
  double d_scale = 0;  ///< dL/d(scale) (times upstream); 0 from forward
};

namespace detail {

template <class S>
CoSentResult evaluate(const CoSentOptions& options, const KernelValue<S>& kernel,
                      const Inputs<S, 2>& inputs, const Numbers<S>& scores);
template <class S>
CoSentResult evaluate(const AngleOptions& options, const Inputs<S, 2>& inputs,
                      const Numbers<S>& scores);

}  // namespace detail

/// CoSENT: scores of pairs of rows should have the order of the pairs' target scores (Su, CoSENT,
/// 2022; Huang et al., CoSENT: consistent sentence embedding via similarity ranking, 2024):
///
///     L = log(1 + sum over (i, j) with scores_i < scores_j of exp(scale (s_i - s_j)))
///
/// with s_i the score of row i of a and row i of b under kernel K (minus the distance for
/// distances). Only the order of the targets counts; two pairs of equal targets add nothing, and
/// the value is 0 if all are equal. The value is one number, without terms to reduce;
/// `diagnostics.terms` counts the (i, j) in the sum.
///
/// Time O(N D + N log N), extra memory O(N D). An object is immutable and may be shared by threads,
/// each with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class CoSent : public ScoredPairCalls<CoSent<S, K>, S, CoSentResult> {
 public:
  /// Throws std::invalid_argument unless the scale is finite and > 0.
  explicit CoSent(CoSentOptions options = {}, K kernel = K()) : options_(options), kernel_(kernel) {
    check_scale<S>("scale", options.scale);
  }

  const CoSentOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  CoSentOptions options_;
  K kernel_;
};

/// AnglE's angle loss: CoSent with a score of rows as complex numbers. The first half of a row
/// holds the real parts, the second half the imaginary parts (Li & Li, AnglE-optimized text
/// embeddings, 2024, in the form of sentence-transformers):
///
///     s_i = |sum_k Re(z_k) + Im(z_k)| / (|a_i| |b_i|),   z_k = a_ik conj(b_ik)
///
/// A row of odd width counts as one with a zero at its end. A zero row has score 0 and gradient 0;
/// the gradient is 0 where the sum is 0. All else is as for CoSent.
template <class S>
class Angle : public ScoredPairCalls<Angle<S>, S, CoSentResult> {
 public:
  /// Throws std::invalid_argument unless the scale is finite and > 0.
  explicit Angle(AngleOptions options = {}) : options_(options) {
    check_scale<S>("scale", options.scale);
  }

  const AngleOptions& options() const { return options_; }

 private:
  AngleOptions options_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/co_sent.hpp"
#endif
