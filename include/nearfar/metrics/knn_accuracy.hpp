#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "nearfar/kernels/kernels.hpp"
#include "nearfar/metrics/ranked_inputs.hpp"

namespace nearfar {

/// The weight of a neighbour's vote.
enum class KnnVote {
  weighted,  ///< exp(s / tau), s its score (minus the distance for distances)
  majority   ///< 1
};

/// Settings of KnnAccuracy.
struct KnnOptions {
  Index k = 200;                     ///< >= 1: neighbours that vote; at most all there are
  double temperature = 0.07;         ///< tau > 0, for KnnVote::weighted
  KnnVote vote = KnnVote::weighted;  ///< the weight of a vote
  bool per_query = false;            ///< whether the result has every query's prediction, too
};

/// The result of KnnAccuracy.
struct KnnResult {
  double accuracy = 0;                         ///< correct / queries, 0 without a query
  std::int64_t queries = 0;                    ///< all of them
  std::int64_t correct = 0;                    ///< of these, predicted as labelled
  std::int64_t queries_without_neighbour = 0;  ///< with nobody to vote: not correct
  /// One a query, with KnnOptions::per_query; empty when nobody has a neighbour.
  std::vector<std::int64_t> predictions;
};

namespace detail {

template <class S>
KnnResult evaluate(const KnnOptions& options, const KernelValue<S>& kernel,
                   const RankedInputs<S>& inputs);

}  // namespace detail

/// Accuracy of predicting a query's label from its k nearest references.
///
/// With N_k the k candidates nearest by the score s of kernel K (ties to the lowest index) and s
/// minus the distance for distances, a label c has
///
///     w_c = sum_{j in N_k, c_j = c} exp(s_j / tau)
///
/// (Wu et al., Unsupervised feature learning via non-parametric instance discrimination, 2018,
/// section 3.4; k = 200, tau = 0.07 and cosine similarity there and by default), or with
/// KnnVote::majority their number. The label of the largest w_c is predicted, of equal ones that of
/// the lowest value. Every query counts, those whose label no reference has, too.
///
/// Beside 2 N M D floating point operations for the scores, a query takes O(M + k log k)
/// comparisons, most of them in vectors. Scores are never held as N x M: O((N + M) D) memory and at
/// most 64 MB, or 31 kB k where that is more. An object is immutable and may be shared by threads,
/// each with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Cosine>
class KnnAccuracy {
 public:
  /// Throws std::invalid_argument unless k >= 1 and the temperature is finite and > 0.
  explicit KnnAccuracy(KnnOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    if (options.k < 1) fail_argument("k", "a number >= 1", std::to_string(options.k));
    check_positive("temperature", options.temperature);
  }

  const KnnOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// Of a batch x (N x D) with one label a row: each row by its nearest others (leave one out).
  /// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that
  /// is not finite and on inner products that overflow S.
  KnnResult evaluate(Rows<S> x, Labels labels, CallOptions<S> call = {}) const {
    return run({{x, x, "x", true, call}, labels, labels});
  }

  /// Of queries (N x D) by references (M x D), each with one label a row. A set without rows may
  /// come without columns. Throws as the other does.
  KnnResult evaluate(Rows<S> queries, Labels query_labels, Rows<S> references,
                     Labels reference_labels, CallOptions<S> call = {}) const {
    return run({{queries, references, "references", false, call}, query_labels, reference_labels});
  }

 private:
  KnnResult run(const detail::RankedInputs<S>& inputs) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs);
  }

  KnnOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/metrics/impl/knn_accuracy.hpp"
#endif
