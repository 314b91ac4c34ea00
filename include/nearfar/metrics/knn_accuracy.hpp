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
  majority   ///< 1 for each neighbour
};

/// Settings of KnnAccuracy.
struct KnnOptions {
  Index k = 200;              ///< >= 1: neighbours that vote; all candidates if there are fewer
  double temperature = 0.07;  ///< tau > 0, for KnnVote::weighted
  KnnVote vote = KnnVote::weighted;  ///< the weight of a vote
  bool per_query = false;            ///< whether the result has a prediction for each query
};

/// The result of KnnAccuracy.
struct KnnResult {
  double accuracy = 0;                         ///< correct / queries, 0 without a query
  std::int64_t queries = 0;                    ///< number of queries
  std::int64_t correct = 0;                    ///< of these, those predicted correctly
  std::int64_t queries_without_neighbour = 0;  ///< of these, those without a candidate: wrong
  /// One a query, with KnnOptions::per_query; empty if no query has a neighbour.
  std::vector<std::int64_t> predictions;
};

namespace detail {

template <class S>
KnnResult evaluate(const KnnOptions& options, const KernelValue<S>& kernel,
                   const RankedInputs<S>& inputs);

}  // namespace detail

/// Accuracy of the prediction of a query's label from its k nearest references.
///
/// N_k are the k nearest candidates by the score s of kernel K (minus the distance for distances);
/// ties go to the lowest index. A label c has the weight
///
///     w_c = sum_{j in N_k, c_j = c} exp(s_j / tau)
///
/// (Wu et al., Unsupervised feature learning via non-parametric instance discrimination, 2018,
/// section 3.4; k = 200, tau = 0.07 and cosine similarity there and by default), or with
/// KnnVote::majority the number of these neighbours. The prediction is the label of the largest
/// w_c, of equal ones the smallest label. Every query counts, including those whose label no
/// reference has.
///
/// Besides 2 N M D floating point operations for the scores, a query takes O(M + k log k)
/// comparisons, most of them in vectors. Memory is O((N + M) D) and at most 64 MB, or 31 kB k if
/// that is more, without an N x M matrix. An object is immutable and may be shared by threads, each
/// with its own Workspace. Results have the same bits at any number of threads.
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

  /// The accuracy of a batch x (N x D) with one label a row: each row is predicted from the nearest
  /// other rows (leave one out). Throws std::invalid_argument on shapes that do not fit,
  /// std::domain_error on an element that is not finite and on inner products that overflow S.
  KnnResult evaluate(Rows<S> x, Labels labels, CallOptions<S> call = {}) const {
    return run({{x, x, "x", true, call}, labels, labels});
  }

  /// The accuracy of queries (N x D) predicted from references (M x D), each with one label a row.
  /// A set without rows may have no columns. Throws as above.
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
