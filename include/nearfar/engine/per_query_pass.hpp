#pragma once

#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/score_range.hpp"

/// \file
/// The score pass of queries that have keys of their own each: nothing is shared between rows of
/// scores, so there are no tiles, and time is that of reading the keys.

namespace nearfar::detail {

/// Runs a term as OneSidedPass does, where query i is compared with keys i K .. i K + K - 1 of all
/// N K.
template <class S>
class PerQueryPass {
 public:
  /// Both sides must outlive the object. The number of keys is a multiple of that of queries.
  PerQueryPass(Scratch& scratch, int threads, const KernelValue<S>& kernel,
               const PackedRows<S>& queries, const PackedRows<S>& keys)
      : threads_(threads),
        kernel_(kernel),
        queries_(queries),
        keys_(keys),
        count_(queries.rows > 0 ? keys.rows / queries.rows : 0),
        query_(scratch.take<Index>(keys.rows)),
        pairs_(scratch, keys.rows) {
    for (Index i = 0; i < queries.rows; ++i) std::fill_n(query_ + i * count_, count_, i);
    // Inner products and distances of packed rows are symmetric: keys may stand first.
    paired_scores(threads, kernel, keys, queries, pairs_, query_);
  }

  /// Closes every row of the term. `diagnostics` gets the range of the scores.
  void forward(RowTerm<S>& term, Diagnostics& diagnostics) { run(term, false, diagnostics); }

  /// As forward; and adds the gradients with respect to the packed rows (unscaled) to `dx` and
  /// `dy`, each where wanted.
  void forward_backward(RowTerm<S>& term, RowGradients<S>& dx, RowGradients<S>& dy,
                        Diagnostics& diagnostics) {
    run(term, true, diagnostics);
    add_paired_gradients(threads_, kernel_, keys_, queries_, pairs_, dy, dx, query_);
  }

 private:
  void run(RowTerm<S>& term, bool gradients, Diagnostics& diagnostics) {
    each_row(queries_.rows, threads_, [&](Index i) {
      term.start(i);
      each_part(i, [&](Index first, Index n) { term.accumulate(i, first, n, pairs_.s + first); });
      term.close(i);
      if (!gradients) return;
      each_part(i, [&](Index first, Index n) {
        term.gradient(i, first, n, pairs_.s + first, pairs_.g + first);
      });
    });
    fold_scores(kernel_, keys_.rows, pairs_.s, diagnostics);
  }

  /// Parts as wide as tiles, so that sums have no more terms here than there.
  template <class Body>
  void each_part(Index i, const Body& body) const {
    const Index end = (i + 1) * count_;
    for (Index first = i * count_; first < end; first += tile_width) {
      body(first, std::min(tile_width, end - first));
    }
  }

  int threads_;
  const KernelValue<S>& kernel_;
  const PackedRows<S>& queries_;
  const PackedRows<S>& keys_;
  Index count_;   ///< keys of a query
  Index* query_;  ///< of each key
  PairedScores<S> pairs_;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class PerQueryPass<float>;
extern template class PerQueryPass<double>;
#endif

}  // namespace nearfar::detail
