#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/kernels/kernels.hpp"

namespace nearfar {

/// Settings of ScorePass.
struct ScorePassOptions {
  Reduction reduction = Reduction::mean;  ///< terms are rows: queries, or rows of one set
};

namespace detail {

/// With one set, rows are compared with all others of them, and `inputs.rows[1]` is unused.
template <class S>
Result evaluate(const ScorePassOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 2>& inputs, bool one_set, RowTerm<S>& term);

}  // namespace detail

/// A loss of your own: runs a RowTerm over the scores of kernel K, tile by tile.
///
///     L_i = term(s_i1, ..., s_iM),   s_ij the score of query i and key j
///
/// A call takes O((N + M) D) extra memory besides the term's own, without an N x M matrix, and 6 N
/// M D floating point operations forward and backward (3 to 4 N^2 D for rows with themselves, each
/// score accumulated by both of its rows). Value and gradients have the same bits at any number of
/// threads if the term depends on its arguments alone. `check_gradient` (gradient_check.hpp) checks
/// a term as it does the losses of the library.
template <class S, Kernel K = Cosine>
class ScorePass {
 public:
  explicit ScorePass(ScorePassOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {}

  const ScorePassOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of N queries (N x D) with all keys (M x D). The term has N rows. Throws
  /// std::invalid_argument on shapes that do not fit, std::domain_error on an element that is not
  /// finite.
  Result forward(RowTerm<S>& term, Rows<S> queries, Rows<S> keys, CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {}, false, call}, false, term);
  }

  /// The loss of N rows of x (N x D), each with all others.
  Result forward(RowTerm<S>& term, Rows<S> x, CallOptions<S> call = {}) const {
    static_assert(is_symmetric<K>(), "nearfar: rows with themselves need a symmetric kernel");
    return evaluate({{x}, {}, false, call}, true, term);
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`.
  Result forward_backward(RowTerm<S>& term, Rows<S> queries, Rows<S> keys,
                          GradientRows<S> d_queries, GradientRows<S> d_keys,
                          CallOptions<S> call = {}) const {
    return evaluate({{queries, keys}, {d_queries, d_keys}, true, call}, false, term);
  }
  Result forward_backward(RowTerm<S>& term, Rows<S> x, GradientRows<S> dx,
                          CallOptions<S> call = {}) const {
    static_assert(is_symmetric<K>(), "nearfar: rows with themselves need a symmetric kernel");
    return evaluate({{x}, {dx}, true, call}, true, term);
  }

 private:
  Result evaluate(const detail::Inputs<S, 2>& inputs, bool one_set, RowTerm<S>& term) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs, one_set, term);
  }

  ScorePassOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/terms/impl/score_pass.hpp"
#endif
