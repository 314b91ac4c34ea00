#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of RankedList.
struct RankedListOptions {
  double margin = 0.4;     ///< m >= 0: positives should be within alpha - m, a possible distance
  double alpha = 1.2;      ///< a possible distance: negatives should be at least this far apart
  double t_p = 0;          ///< T_p >= 0: the larger, the more the farthest positives weigh
  double t_n = 10;         ///< T_n >= 0: the larger, the more the nearest negatives weigh
  double imbalance = 0.5;  ///< lambda, from 0 to 1: weight of negatives; positives have the rest
  Reduction reduction = Reduction::mean;  ///< terms are anchors, all of them
  /// An anchor is unusable when it has neither a positive nor a negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("margin", o.margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("margin", o.margin...);
    visit("alpha", o.alpha...);
    visit("t_p", o.t_p...);
    visit("t_n", o.t_n...);
    visit("imbalance", o.imbalance...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
Result evaluate(const RankedListOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs);

}  // namespace detail

/// Ranked list loss of a labelled batch (Wang et al., Ranked list loss for deep metric learning,
/// 2019, in the form of the extended paper of 2021): positives should be within alpha - m of their
/// anchor, negatives at least alpha away.
///
///     L_i = (1 - lambda) sum_p w_p (d_ip - (alpha - m)) / sum_p w_p
///         + lambda       sum_n w_n (alpha - d_in)       / sum_n w_n
///     w_p = exp(T_p (d_ip - (alpha - m))),  w_n = exp(T_n (alpha - d_in))
///
/// with d the distance of kernel K. The sums are over the pairs that are not yet where they should
/// be: positives with d_ip > alpha - m, negatives with d_in < alpha. Without one of a kind its part
/// is 0. The gradient treats the weights as constants, as in the paper: except with T_p = T_n = 0
/// it is not the derivative of the value.
///
/// The paper's rows have length 1; here rows are taken as they are. Terms are anchors:
/// Reduction::mean divides by N, as in the paper. Extra memory O((N + M) D), 3 to 4 N^2 D floating
/// point operations for a batch. An object is immutable and may be shared by threads, each with its
/// own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class RankedList : public LabelCalls<RankedList<S, K>, S, Result> {
  static_assert(is_symmetric<K>(),
                "nearfar: RankedList needs a kernel that treats both rows alike");
  static_assert(K::orientation == Orientation::distance,
                "nearfar: RankedList needs a kernel that is a distance");

 public:
  /// Throws std::invalid_argument unless margin, t_p and t_n are finite and >= 0, imbalance is from
  /// 0 to 1, and alpha and alpha - margin are possible scores of the library's kernel: 0 or more
  /// (up to 2 for CosineDistance).
  explicit RankedList(RankedListOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_not_negative("margin", options.margin);
    detail::check_score_option<S, K>("alpha", options.alpha);
    detail::check_score_option<S, K>("alpha - margin", options.alpha - options.margin);
    check_not_negative("t_p", options.t_p);
    check_not_negative("t_n", options.t_n);
    check_offset<S>("t_p", options.t_p);
    check_offset<S>("t_n", options.t_n);
    if (!(options.imbalance >= 0 && options.imbalance <= 1)) {
      fail_argument("imbalance", "a number from 0 to 1", detail::number_text(options.imbalance));
    }
  }

  const RankedListOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  RankedListOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/ranked_list.hpp"
#endif
