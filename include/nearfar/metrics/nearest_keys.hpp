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

/// Settings of NearestKeys. A score s equal to a bound meets it. s is the score of the kernel: a
/// distance is a distance.
struct NearestOptions {
  Index k = 10;    ///< >= 1: keys for each query; all candidates if there are fewer
  Index skip = 0;  ///< >= 0: number of nearest keys left out, of those that meet all else
  double smallest_score = -std::numeric_limits<double>::infinity();  ///< s >= this
  double largest_score = std::numeric_limits<double>::infinity();    ///< s <= this
  /// With s_p the score of the query's own positive: s <= s_p - margin for similarities, s >= s_p +
  /// margin for distances. May be negative.
  std::optional<double> margin = {};
  /// s <= s_p - relative_margin |s_p| for similarities, s >= s_p + relative_margin |s_p| for
  /// distances. May be negative.
  std::optional<double> relative_margin = {};
};

/// Each query's own positive: none, key i for query i, or a key by its index.
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

/// Known positives, which the result leaves out.
struct KnownPositives {
  /// Each query's own positive, from which margins are measured.
  PositiveKeys own = {};
  /// Targets of the queries, or of the rows of a batch. Keys that are positives by them (the same
  /// label, a shared label, or listed) are left out, and so are keys of the same id. Without
  /// weights.
  Targets targets = {};
  Targets key_targets = {};  ///< of the keys; empty for a batch, and if `targets` are lists
};

/// The result of NearestKeys: rank r of query i is at position i k + r. A query with fewer keys
/// than k has unused positions at its end.
template <class S>
struct NearestResult {
  Index k = 0;                 ///< positions of a query: NearestOptions::k
  std::vector<Index> indices;  ///< N x k: keys, nearest first; -1 where there is none
  /// N x k: their scores, distances as distances; an infinitely bad score if there is none
  std::vector<S> scores;
  std::vector<Index> counts;  ///< N: number of keys of each query, at most k

  Index queries() const { return static_cast<Index>(counts.size()); }
  Index index(Index i, Index rank) const { return indices[static_cast<std::size_t>(i * k + rank)]; }
  S score(Index i, Index rank) const { return scores[static_cast<std::size_t>(i * k + rank)]; }
};

namespace detail {

/// Queries, keys and known positives.
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
/// lowest index. With options that leave out keys that are too near or too far, and with known
/// positives, the result is hard negatives.
///
/// The result has ranks skip + 1 to skip + k of the keys that meet the bounds of NearestOptions and
/// are not left out. A query may have fewer, see NearestResult::counts. The score of a positive
/// that margins are measured from is that of `paired`; it may differ by a rounding from the score
/// of the same pair in a tile.
///
/// Besides 2 N M D floating point operations for the scores, a query takes O(M + k log k)
/// comparisons, most of them in vectors. Besides the result, memory is O((N + M) D) and at most 64
/// MB, or 31 kB (k + skip) if that is more, without an N x M matrix. An object is immutable and may
/// be shared by threads, each with its own Workspace. Results have the same bits at any number of
/// threads.
template <class S, Kernel K = Cosine>
class NearestKeys {
 public:
  /// Throws std::invalid_argument unless k >= 1 and skip >= 0, on bounds that are NaN or that no
  /// score meets, and on margins that are not finite.
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

  /// The nearest other rows of each row of a batch x (N x D). Throws std::invalid_argument on
  /// shapes and targets that do not fit and on margins without own positives, std::domain_error on
  /// an element that is not finite and on inner products that overflow S.
  NearestResult<S> find(Rows<S> x, const KnownPositives& known, CallOptions<S> call = {}) const {
    return run({{x, x, "x", true, call}, known});
  }
  NearestResult<S> find(Rows<S> x, CallOptions<S> call = {}) const {
    return find(x, KnownPositives(), call);
  }

  /// The nearest keys (of M x D) of each query (N x D). A set without rows may have no columns.
  /// Throws as above.
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

/// Copies the keys of a result to `rows` ((N k) x D, those of query i from row i k on), from the
/// keys of the search (M x D). `per_query(rows)` then passes them to InfoNCE as negatives of each
/// query's own. If a query has fewer than k, its keys are repeated, from the nearest on, and then
/// count more than once in a sum over negatives. Throws std::invalid_argument on a query without
/// keys, on fewer keys than the search had, and on rows of another shape.
template <class X, class S = detail::ScalarOfStored<typename X::Scalar>>
void copy_nearest(const NearestResult<S>& found, const X& keys,
                  GradientRows<std::type_identity_t<S>> rows) {
  detail::copy_nearest<S>(found, Rows<S>(keys), rows);
}

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/metrics/impl/nearest_keys.hpp"
#endif
