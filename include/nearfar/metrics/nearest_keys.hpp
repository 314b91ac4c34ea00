#pragma once

#include <concepts>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "nearfar/core/targets.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/metrics/ranked_inputs.hpp"

namespace nearfar {

/// Settings of NearestKeys. Bounds are met by scores that are equal to them, too. What is meant by
/// s is the score as the kernel has it: a distance is a distance.
struct NearestOptions {
  Index k = 10;    ///< >= 1: keys of a query; at most all there are
  Index skip = 0;  ///< >= 0: of the keys that meet all else, the so many nearest are passed over
  double smallest_score = -std::numeric_limits<double>::infinity();  ///< s >= this
  double largest_score = std::numeric_limits<double>::infinity();    ///< s <= this
  /// With s_p the score of the query's own positive: s <= s_p - margin for similarities, s >= s_p +
  /// margin for distances. May be negative.
  std::optional<double> margin = {};
  /// s <= s_p - relative_margin |s_p| for similarities, s >= s_p + relative_margin |s_p| for
  /// distances. May be negative.
  std::optional<double> relative_margin = {};
};

/// The key that is each query's own positive: none, key i of query i, or the one of an index.
class PositiveKeys {
 public:
  /// None.
  PositiveKeys() = default;

  /// N integers from 0 to M - 1, in any form Labels takes. A view: they must outlive the call.
  template <class T>
  requires std::is_convertible_v<const T&, Labels> PositiveKeys(
      const T& indices)  // NOLINT(google-explicit-constructor): as Labels
      : given_(Given::indices), indices_(indices) {}

  /// Key i of query i; M >= N.
  static PositiveKeys aligned() {
    PositiveKeys out;
    out.given_ = Given::aligned;
    return out;
  }

  bool any() const { return given_ != Given::none; }
  bool are_aligned() const { return given_ == Given::aligned; }
  const Labels& indices() const { return indices_; }

 private:
  enum class Given { none, aligned, indices };
  Given given_ = Given::none;
  Labels indices_;
};

/// What is known to be positive, which no query is then given as its nearest key.
struct KnownPositives {
  /// Each query's own, which margins are measured from.
  PositiveKeys own = {};
  /// Of the queries, or of the rows of a batch: keys that are positives by them (the same label, a
  /// label in common, or listed) are left out, and so are keys of the same id. Without weights.
  Targets targets = {};
  Targets key_targets = {};  ///< of the keys; nothing for a batch, and where `targets` are lists
};

/// The result of NearestKeys: of query i, rank r in numbers i k + r. Places that no key was found
/// for are the last ones of a query.
template <class S>
struct NearestResult {
  Index k = 0;                 ///< places of a query: NearestOptions::k
  std::vector<Index> indices;  ///< N x k: keys, nearest first; -1 where there is none
  /// N x k: their scores, distances as distances; where there is none, infinitely far
  std::vector<S> scores;
  std::vector<Index> counts;  ///< N: keys found, at most k

  Index queries() const { return static_cast<Index>(counts.size()); }
  Index index(Index i, Index rank) const { return indices[static_cast<std::size_t>(i * k + rank)]; }
  S score(Index i, Index rank) const { return scores[static_cast<std::size_t>(i * k + rank)]; }
};

namespace detail {

/// Queries, keys, and what is known of them.
template <class S>
struct NearestInputs {
  RankedSets<S> sets;
  const KnownPositives& known;
};

template <class S>
NearestResult<S> evaluate(const NearestOptions& options, const KernelValue<S>& kernel,
                          const NearestInputs<S>& inputs);

template <class S>
void copy_nearest(const NearestResult<S>& found, const Rows<S>& keys, GradientRows<S> rows);

}  // namespace detail

/// The k nearest keys of each query by the score of kernel K, exactly: nearest first, ties to the
/// lowest index. Options pass over keys that are too near or too far, known positives are left out:
/// what is left are hard negatives.
///
/// Of the keys that meet the bounds of NearestOptions and are not left out, ranks skip + 1 to
/// skip + k are the result; a query may have fewer, see NearestResult::counts. A positive's own
/// score is that of `paired`, which may differ by a rounding from the same pair's among others.
///
/// Beside 2 N M D floating point operations for the scores, a query takes O(M + k log k)
/// comparisons, most of them in vectors. Scores are never held as N x M: beside the result O((N +
/// M) D) memory and at most 64 MB, or 31 kB (k + skip) where that is more. An object is immutable
/// and may be shared by threads, each with its own Workspace. Results have the same bits at any
/// number of threads.
template <class S, Kernel K = Cosine>
class NearestKeys {
 public:
  /// Throws std::invalid_argument unless k >= 1 and skip >= 0, on bounds that no score meets or
  /// that are no numbers, and on margins that are not finite.
  explicit NearestKeys(NearestOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    if (options.k < 1) fail_argument("k", "a number >= 1", std::to_string(options.k));
    if (options.skip < 0) fail_argument("skip", "a number >= 0", std::to_string(options.skip));
    if (!(options.smallest_score <= options.largest_score)) {
      fail_argument(
          "smallest_score",
          "a number of at most largest_score = " + detail::number_text(options.largest_score),
          detail::number_text(options.smallest_score));
    }
    if (options.margin) check_finite_option("margin", *options.margin);
    if (options.relative_margin) check_finite_option("relative_margin", *options.relative_margin);
  }

  const NearestOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// Of each row of a batch x (N x D), among the others. Throws std::invalid_argument on shapes and
  /// targets that do not fit and on margins without own positives, std::domain_error on an element
  /// that is not finite and on inner products that overflow S.
  NearestResult<S> find(Rows<S> x, const KnownPositives& known, CallOptions<S> call = {}) const {
    return run({{x, x, "x", true, call}, known});
  }
  NearestResult<S> find(Rows<S> x, CallOptions<S> call = {}) const {
    return find(x, KnownPositives(), call);
  }

  /// Of queries (N x D) among keys (M x D). A set without rows may come without columns. Throws as
  /// the other does.
  NearestResult<S> find(Rows<S> queries, Rows<S> keys, const KnownPositives& known,
                        CallOptions<S> call = {}) const {
    return run({{queries, keys, "keys", false, call}, known});
  }
  NearestResult<S> find(Rows<S> queries, Rows<S> keys, CallOptions<S> call = {}) const {
    return find(queries, keys, KnownPositives(), call);
  }

 private:
  NearestResult<S> run(const detail::NearestInputs<S>& inputs) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs);
  }

  NearestOptions options_;
  K kernel_;
};

/// Writes the keys found into `rows` ((N k) x D, those of query i from row i k on), from the keys
/// they were found among (M x D): what `per_query` takes as InfoNCE's negatives of each query's
/// own. A query with fewer than k has its keys again, from the nearest on: each then counts more
/// than once in a sum over negatives. Throws std::invalid_argument on a query without any, on keys
/// that are fewer than those the result is of, and on rows of another shape.
template <class X, class S = typename X::Scalar>
void copy_nearest(const NearestResult<S>& found, const X& keys,
                  GradientRows<std::type_identity_t<S>> rows) {
  detail::copy_nearest<S>(found, Rows<S>(keys), rows);
}

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/metrics/impl/nearest_keys.hpp"
#endif
