#pragma once

#include "nearfar/tiles/paired_rows.hpp"
#include "nearfar/tiles/walk.hpp"

/// \file
/// Queries that have keys of their own each: nothing is shared between rows of scores, so there are
/// no tiles, and time is that of reading the keys.

namespace nearfar::detail {

/// Runs a RowLoss as Walk does, where query i is compared with keys i K .. i K + K - 1 of all N K.
template <class S, Kernel K>
class OwnKeys {
 public:
  /// Both sides must outlive the object. The number of keys is a multiple of that of queries. Every
  /// key given is compared: what Walk may leave out is here for its signature.
  OwnKeys(Scratch& scratch, int threads, const K& kernel, const PreparedRows<S>& queries,
          const PreparedRows<S>& keys, Pairing = Pairing::all, const Exclusions& = {})
      : scratch_(scratch),
        threads_(threads),
        kernel_(kernel),
        queries_(queries),
        keys_(keys),
        count_(queries.rows > 0 ? keys.rows / queries.rows : 0),
        query_(scratch.take<Index>(keys.rows)),
        u_(scratch.take<S>(keys.rows)),
        s_(scratch.take<S>(keys.rows)) {
    for (Index i = 0; i < queries.rows; ++i) std::fill_n(query_ + i * count_, count_, i);
    // Inner products and distances of prepared rows do not ask which of the two is the query.
    paired_scores(threads, kernel, keys, queries, u_, s_, query_);
  }

  /// The statistics of every row. `diagnostics` gets the extremes of the scores.
  template <RowLoss<S> P>
  typename P::Row* forward(const P& loss, Diagnostics& diagnostics) {
    return look(loss, nullptr, diagnostics);
  }

  /// As forward; and adds the gradients with respect to the prepared rows (unscaled) to `dx` and
  /// `dy`, each where wanted.
  template <RowLoss<S> P>
  typename P::Row* forward_backward(const P& loss, RowGradients<S>& dx, RowGradients<S>& dy,
                                    Diagnostics& diagnostics) {
    S* g = scratch_.take<S>(keys_.rows);
    auto* rows = look(loss, g, diagnostics);
    add_paired_gradients(threads_, kernel_, keys_, queries_, u_, s_, g, dy, dx, query_);
    return rows;
  }

 private:
  template <class P>
  typename P::Row* look(const P& loss, S* g, Diagnostics& diagnostics) {
    auto* rows = scratch_.take<typename P::Row>(queries_.rows);
    parallel_tasks(tasks_of(queries_.rows, rows_per_task), threads_, [&](Index t, int) {
      const Index end = std::min(queries_.rows, (t + 1) * rows_per_task);
      for (Index i = t * rows_per_task; i < end; ++i) {
        rows[i] = loss.start(i);
        each_stretch(i,
                     [&](Index first, Index n) { show(loss, rows[i], i, first, n, s_ + first); });
        loss.close(rows[i], i);
        if (g == nullptr) continue;
        each_stretch(i, [&](Index first, Index n) {
          ask(loss, rows[i], i, first, n, s_ + first, g + first);
        });
      }
    });
    Extremes<S, K> extremes;
    extremes.fold(s_, keys_.rows);
    extremes.add_to(diagnostics);
    return rows;
  }

  /// Stretches as the walk shows them, so that sums have no more terms here than there.
  template <class Body>
  void each_stretch(Index i, const Body& body) const {
    const Index end = (i + 1) * count_;
    for (Index first = i * count_; first < end; first += stretch) {
      body(first, std::min(stretch, end - first));
    }
  }

  Scratch& scratch_;
  int threads_;
  const K& kernel_;
  const PreparedRows<S>& queries_;
  const PreparedRows<S>& keys_;
  Index count_;   ///< keys of a query
  Index* query_;  ///< of each key
  S* u_;
  S* s_;
};

}  // namespace nearfar::detail
