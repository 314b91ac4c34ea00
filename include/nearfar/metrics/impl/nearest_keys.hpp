#pragma once

#include <cmath>
#include <cstring>

#include "nearfar/core/check_targets.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/metrics/impl/nearest_pass.hpp"
#include "nearfar/metrics/nearest_keys.hpp"

namespace nearfar::detail {

/// The largest S that is at most `bound`.
template <class S>
S largest_not_above(double bound) {
  constexpr S most = std::numeric_limits<S>::max();
  constexpr S infinite = std::numeric_limits<S>::infinity();
  if (bound >= static_cast<double>(most)) return is_finite(bound) ? most : infinite;
  if (bound < -static_cast<double>(most)) return -infinite;
  const S near = static_cast<S>(bound);
  return static_cast<double>(near) > bound ? std::nextafter(near, -infinite) : near;
}

/// Whether margins bound the scores of a query's keys.
inline bool has_margins(const NearestOptions& options) {
  return options.margin || options.relative_margin;
}

/// Throws unless the known positives are of kinds that fit each other and the options.
inline void check_kinds(const NearestOptions& options, const KnownPositives& known, bool one) {
  const NamedTargets of_queries{"targets", known.targets};
  const NamedTargets of_keys{"key_targets", known.key_targets};
  if (one && (known.key_targets.rule() != Targets::Rule::none || known.key_targets.has_ids())) {
    fail_argument("key_targets", "nothing, as the keys of a batch are its rows", "targets");
  }
  if (known.targets.has_weights() || known.key_targets.has_weights()) {
    fail_argument("targets", "no weights: no anchor's loss is weighed here", "weights");
  }
  check_pair_weights(of_queries, PairWeights::refused);
  for (const NamedTargets& of : {of_queries, of_keys}) {
    refuse_unlabelled(of, "targets that all rows have: nearest keys are numbers of rows");
  }
  if (known.targets.rule() == Targets::Rule::none &&
      known.key_targets.rule() != Targets::Rule::none) {
    fail_argument("key_targets", "nothing, as the queries have no targets", "targets");
  }
  if (has_margins(options) && !known.own.any()) {
    fail_argument("own", "each query's own positive, which margins are measured from", "none");
  }
}

/// Throws unless there is a key for each query, whose own positive it is.
inline void check_aligned(const PositiveKeys& own, Index queries, Index keys) {
  if (!own.are_aligned() || keys >= queries) return;
  fail_argument("keys", "a key for each of " + std::to_string(queries) + " queries",
                std::to_string(keys) + " keys");
}

/// Throws unless the known positives fit the rows.
template <class S>
void check_known(const NearestOptions& options, const NearestInputs<S>& inputs) {
  const KnownPositives& known = inputs.known;
  const bool one = inputs.sets.same_rows;
  const Index queries = inputs.sets.queries.rows();
  const Index keys = inputs.sets.keys.rows();
  check_kinds(options, known, one);
  const NamedTargets of_queries{"targets", known.targets};
  const NamedTargets of_keys{"key_targets", one ? known.targets : known.key_targets};
  if (known.targets.rule() != Targets::Rule::none) {
    check_targets(of_queries, queries, of_keys, keys, one);
  } else {
    check_ids(of_queries, queries, of_keys, keys, one);
  }
  check_aligned(known.own, queries, keys);
}

/// Own positives as indices, or null.
template <class S>
const Index* own_positives(Scratch& scratch, const NearestInputs<S>& inputs) {
  const PositiveKeys& own = inputs.known.own;
  const Index n = inputs.sets.queries.rows();
  if (!own.any()) return nullptr;
  if (!own.are_aligned()) {
    return checked_indices(scratch, "own", own.indices(), n, inputs.sets.keys.rows());
  }
  auto* out = scratch.take<Index>(n);
  for (Index i = 0; i < n; ++i) out[i] = i;
  return out;
}

/// The largest score, as a similarity, that the margins allow for the keys of a query whose own
/// positive has the score `positive`, as a similarity. `nearest` is the bound for all queries.
template <class S>
S limit_by_margins(const NearestOptions& options, double positive, S nearest) {
  auto limit = static_cast<double>(nearest);
  if (options.margin) limit = std::min(limit, positive - *options.margin);
  if (options.relative_margin) {
    limit = std::min(limit, positive - *options.relative_margin * std::abs(positive));
  }
  return largest_not_above<S>(limit);
}

/// The same for each query; null without margins.
template <class S>
const S* limits_by_margins(Ranking<S>& ranking, const NearestOptions& options, const Index* own,
                           S nearest) {
  if (!has_margins(options)) return nullptr;
  const Index n = ranking.queries();
  auto* limits = ranking.scratch().template take<S>(n);
  const ScratchLoan loan(ranking.scratch());
  const PairedScores<S> positives(ranking.scratch(), n);
  paired_scores(ranking.threads(), ranking.kernel(), ranking.query_rows(), ranking.key_rows(),
                positives, own);
  for (Index i = 0; i < n; ++i) {
    limits[i] =
        limit_by_margins(options, ranking.sign() * static_cast<double>(positives.s[i]), nearest);
  }
  return limits;
}

/// The result for n queries: no key as yet. `sign` is the kernel's.
template <class S>
NearestResult<S> no_keys(Index n, Index k, int sign) {
  constexpr S infinite = std::numeric_limits<S>::infinity();
  NearestResult<S> out;
  out.k = k;
  out.indices.assign(static_cast<std::size_t>(n * k), Index(-1));
  out.scores.assign(static_cast<std::size_t>(n * k), sign > 0 ? -infinite : infinite);
  out.counts.assign(static_cast<std::size_t>(n), Index(0));
  return out;
}

/// Writes the nearest keys of query i, without the first `skip` of them, to the result.
template <class S>
void put_nearest(const NearestOfQuery<S>& nearest, Index skip, int sign, Index i,
                 NearestResult<S>& out) {
  const Index count = std::max<Index>(nearest.count() - skip, 0);
  out.counts[static_cast<std::size_t>(i)] = count;
  for (Index rank = 0; rank < count; ++rank) {
    const Neighbour<S>& one = nearest[skip + rank];
    const auto at = static_cast<std::size_t>(i * out.k + rank);
    out.indices[at] = one.key;
    out.scores[at] = sign > 0 ? -one.distance : one.distance;
  }
}

/// The number of keys to keep, and the bounds of their scores. There are more candidates than
/// `skip`.
template <class S>
NearestSettings<S> settings_of(const NearestOptions& options, Index skip, Index candidates,
                               int sign) {
  const bool similar = sign > 0;
  NearestSettings<S> settings{skip + std::min(options.k, candidates - skip)};
  settings.farthest =
      largest_not_above<S>(similar ? -options.smallest_score : options.largest_score);
  settings.nearest =
      largest_not_above<S>(similar ? options.largest_score : -options.smallest_score);
  return settings;
}

template <class S>
NearestResult<S> evaluate(const NearestOptions& options, const KernelValue<S>& kernel,
                          const NearestInputs<S>& inputs) {
  Ranking<S> ranking(kernel, inputs.sets);
  check_known(options, inputs);
  Scratch& scratch = ranking.scratch();
  const Index n = ranking.queries();
  const Index* own = own_positives(scratch, inputs);

  const int sign = ranking.sign();
  NearestResult<S> out = no_keys<S>(n, options.k, sign);
  const Index candidates = ranking.candidates();
  const Index skip = std::min(options.skip, candidates);
  if (n == 0 || skip == candidates) return out;

  ranking.pack();
  NearestSettings<S> settings = settings_of<S>(options, skip, candidates, sign);
  settings.nearest_of_query = limits_by_margins(ranking, options, own, settings.nearest);
  settings.own_positive = own;
  const Targets& targets = inputs.known.targets;
  const Targets& key_targets = ranking.same_rows() ? targets : inputs.known.key_targets;
  PositiveRule<S> rule;
  if (targets.rule() != Targets::Rule::none) {
    rule = PositiveRule<S>(scratch, targets, key_targets);
    settings.rule = &rule;
  }
  if (targets.has_ids() && key_targets.has_ids()) {
    settings.excluded = ExcludedPairs(scratch, targets.ids(), key_targets.ids());
  }
  each_nearest(ranking, settings, [&](Index i, int, const NearestOfQuery<S>& nearest) {
    put_nearest(nearest, skip, sign, i, out);
  });
  return out;
}

template <class S>
void copy_nearest(const NearestResult<S>& found, const Rows<S>& keys, GradientRows<S> rows) {
  const Index n = found.queries();
  const Index k = found.k;
  for (Index i = 0; i < n; ++i) {
    if (found.counts[static_cast<std::size_t>(i)] == 0) {
      fail_argument("found", "at least one key for each query",
                    "none for query " + std::to_string(i));
    }
  }
  for (const Index key : found.indices) {
    if (key >= keys.rows()) {
      fail_argument("keys", "those that the result is of, at least " + std::to_string(key + 1),
                    std::to_string(keys.rows()) + " rows");
    }
  }
  if (rows.element() != Element::scalar && rows.element() != keys.element()) {
    fail_argument("rows", "elements of the keys' type, or of float", "another 16-bit type");
  }
  if (rows.accumulates()) fail_argument("rows", "a buffer to overwrite", "one to add to");
  rows.check_shape("rows", n * k, keys.cols());
  rows.open(n * k, keys.cols());
  each_row(n, available_threads(0), [&](Index i) {
    const Index count = found.counts[static_cast<std::size_t>(i)];
    for (Index place = 0; place < k; ++place) {
      const Index key = found.index(i, place % count);
      if (rows.element() == Element::scalar) {
        copy_row(keys, key, rows.row(i * k + place));
      } else {
        std::memcpy(rows.address(i * k + place), keys.address(key),
                    static_cast<std::size_t>(keys.cols() * bytes_of<S>(keys.element())));
      }
    }
  });
}

}  // namespace nearfar::detail
