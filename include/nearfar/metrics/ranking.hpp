#pragma once

#include "nearfar/core/labels.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/walk.hpp"

/// \file
/// What every call of a metric over ranked keys does around its rows, once: checks, prepared rows,
/// and the walk that shows each query's scores with all keys.

namespace nearfar::detail {

/// Labels of rows, under the name the caller knows them by.
struct NamedLabels {
  const char* name;
  const Labels& labels;
};

/// Queries and the references ranked for them, under the names the caller knows them by. Without
/// references of their own, `same_rows`, queries are ranked among each other.
template <class S>
struct RankedSets {
  NamedRows<S> queries;
  NamedLabels query_labels;
  NamedRows<S> references;
  NamedLabels reference_labels;
  bool same_rows;

  static RankedSets one(const Rows<S>& x, const Labels& labels) {
    const NamedLabels named{"labels", labels};
    return {{"x", x, Side::query}, named, {"x", x, Side::key}, named, true};
  }
  static RankedSets two(const Rows<S>& queries, const Labels& query_labels,
                        const Rows<S>& references, const Labels& reference_labels) {
    return {{"queries", queries, Side::query},
            {"query_labels", query_labels},
            {"references", references, Side::key},
            {"reference_labels", reference_labels},
            false};
  }
};

template <class S, Kernel K>
class Ranking {
 public:
  /// Checks everything. Arguments must outlive the object. A set without rows may come without
  /// columns, too.
  Ranking(const K& kernel, const RankedSets<S>& sets, const CallOptions<S>& call)
      : scratch_(call.workspace),
        threads_(std::max(1, available_threads(scratch_.threads()))),
        kernel_(kernel),
        sets_(sets) {
    const auto check_labels = [](const NamedRows<S>& rows, const NamedLabels& labels) {
      check_label_count(labels.name, labels.labels, rows.rows.rows());
    };
    check_labels(sets.queries, sets.query_labels);
    check_labels(sets.references, sets.reference_labels);
    if (call.d_parameter.wanted()) {
      fail_argument("d_parameter", "none, as metrics have no gradient", "a buffer");
    }
    if (queries() > 0 && keys() > 0 && !(alike && sets.same_rows)) {
      check_rows<S>(kernel, threads_, {sets.queries, sets.references});
    } else if (queries() > 0) {
      check_rows<S>(kernel, threads_, {sets.queries});
    } else if (keys() > 0) {
      check_rows<S>(kernel, threads_, {sets.references});
    }
  }

  Scratch& scratch() { return scratch_; }
  int threads() const { return threads_; }
  Index queries() const { return sets_.queries.rows.rows(); }
  Index keys() const { return sets_.references.rows.rows(); }
  bool same_rows() const { return sets_.same_rows; }
  const Labels& query_labels() const { return sets_.query_labels.labels; }
  const Labels& reference_labels() const { return sets_.reference_labels.labels; }

  /// Keys that a query is compared with: a row is no candidate for itself.
  Index candidates() const { return keys() - (same_rows() && keys() > 0 ? 1 : 0); }

  /// What the metric makes of each query's row of scores, a query's own included. Throws
  /// std::domain_error when inner products can overflow S. There must be candidates.
  template <WholeRowLoss<S> P>
  const typename P::Row* look(const P& metric) {
    if constexpr (alike) {
      if (same_rows()) {
        Batch<S, K, 1> batch(scratch_, threads_, kernel_, {{sets_.queries}});
        return walk(metric, batch.rows(0), batch.rows(0));
      }
    }
    Batch<S, K, 2> batch(scratch_, threads_, kernel_, {{sets_.queries, sets_.references}});
    return walk(metric, batch.rows(0), batch.rows(1));
  }

 private:
  // Else one set of rows becomes two, one for each side of the kernel.
  static constexpr bool alike = maps_queries<K>() == maps_keys<K>();

  template <class P>
  const typename P::Row* walk(const P& metric, const PreparedRows<S>& queries,
                              const PreparedRows<S>& keys) {
    Walk<S, K> walk(scratch_, threads_, kernel_, queries, keys,
                    same_rows() ? Pairing::others : Pairing::all);
    RowGradients<S> none;
    Diagnostics seen;
    return walk.whole_rows(metric, none, none, seen);
  }

  Scratch scratch_;
  int threads_;
  const K& kernel_;
  const RankedSets<S>& sets_;
};

/// Offers a query's row of scores with n keys, without the key `self` (-1 where there is none).
template <class Nearest, class S>
void offer_candidates(Nearest& nearest, Index self, Index n, const S* s) {
  if (self < 0) {
    nearest.offer(s, 0, n);
  } else {
    nearest.offer(s, 0, self);
    nearest.offer(s + self + 1, self + 1, n - self - 1);
  }
}

}  // namespace nearfar::detail
