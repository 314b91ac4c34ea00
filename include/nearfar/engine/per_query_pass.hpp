#pragma once

#include "nearfar/core/compiled_once.hpp"
#include "nearfar/core/negatives.hpp"
#include "nearfar/engine/pair_mask.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/engine/row_term.hpp"
#include "nearfar/engine/score_range.hpp"

/// \file
/// The score pass of queries with keys of their own. Rows of scores share no keys, so there are no
/// tiles, and reading the keys determines the time.

namespace nearfar::detail {

/// Runs a term like OneSidedPass, with query i compared with negatives of its own.
template <class S>
class PerQueryPass {
 public:
  /// Both sides must outlive the object. `negatives`, whose rows are the keys, must have passed
  /// check_count.
  NEARFAR_COMPILED_ONCE PerQueryPass(Scratch& scratch, int threads, const KernelValue<S>& kernel,
                                     const PackedRows<S>& queries, const PackedRows<S>& keys,
                                     const Negatives<S>& negatives)
      : threads_(threads),
        kernel_(kernel),
        queries_(queries),
        keys_(keys),
        own_(own_columns(negatives, queries.rows)),
        query_(scratch.take<Index>(keys.rows)),
        pairs_(scratch, keys.rows) {
    for (Index i = 0; i < queries.rows; ++i)
      std::fill(query_ + own_.first(i), query_ + own_.end(i), i);
    if (negatives.has_ids()) {
      left_out_ = scratch.take<bool>(keys.rows);
      for (Index j = 0; j < keys.rows; ++j) {
        left_out_[j] = negatives.ids()[j] == negatives.query_ids()[query_[j]];
      }
    }
    // Inner products and distances of packed rows are symmetric, so keys may come first.
    paired_scores(threads, kernel, keys, queries, pairs_, query_);
  }

  /// Closes every row of the term. Adds the range of the scores to `diagnostics`.
  NEARFAR_COMPILED_ONCE void forward(RowTerm<S>& term, Diagnostics& diagnostics) {
    run(term, false, diagnostics);
  }

  /// Like forward; also adds the gradients with respect to the packed rows (unscaled) to `dx` and
  /// `dy`, each if wanted.
  NEARFAR_COMPILED_ONCE void forward_backward(RowTerm<S>& term, RowGradients<S>& dx,
                                              RowGradients<S>& dy, Diagnostics& diagnostics) {
    run(term, true, diagnostics);
    add_paired_gradients(threads_, kernel_, keys_, queries_, pairs_, dy, dx, query_);
  }

  // For a term that another pass runs, see OwnScoresTerm.

  /// Gives query i's scores to a term that has started the row.
  NEARFAR_COMPILED_ONCE void accumulate(RowTerm<S>& term, Index i) const {
    each_part(i, [&](Index first, Index n) { term.accumulate(i, first, n, pairs_.s + first); });
  }
  /// Folds the scores of all queries into the range.
  NEARFAR_COMPILED_ONCE void fold_range(Diagnostics& diagnostics) const {
    for (Index i = 0; i < queries_.rows; ++i) {
      each_part(
          i, [&](Index first, Index n) { fold_scores(kernel_, n, pairs_.s + first, diagnostics); });
    }
  }
  /// Adds the gradients once all rows are closed.
  NEARFAR_COMPILED_ONCE void add_gradients(RowTerm<S>& term, RowGradients<S>& dx,
                                           RowGradients<S>& dy) {
    each_row(queries_.rows, threads_, [&](Index i) { gradient(term, i); });
    add_paired_gradients(threads_, kernel_, keys_, queries_, pairs_, dy, dx, query_);
  }

 private:
  void run(RowTerm<S>& term, bool gradients, Diagnostics& diagnostics) {
    each_row(queries_.rows, threads_, [&](Index i) {
      term.start(i);
      accumulate(term, i);
      term.close(i);
      if (gradients) gradient(term, i);
    });
    fold_range(diagnostics);
  }

  void gradient(RowTerm<S>& term, Index i) const {
    each_part(i, [&](Index first, Index n) {
      term.gradient(i, first, n, pairs_.s + first, pairs_.g + first);
    });
  }

  /// Calls body for parts of query i's keys, at most as wide as tiles, so that sums in S have no
  /// more terms than there.
  template <class Body>
  void each_part(Index i, const Body& body) const {
    const Index last = own_.end(i);
    for (Index first = own_.first(i); first < last;) {
      const Index most = std::min(first + tile_width, last);
      Index end = left_out_ == nullptr ? most : first;
      while (end < most && !left_out_[end]) ++end;
      if (end > first) body(first, end - first);
      first = end < most ? end + 1 : end;  // after the key that is left out
    }
  }

  int threads_;
  const KernelValue<S>& kernel_;
  const PackedRows<S>& queries_;
  const PackedRows<S>& keys_;
  OwnColumns own_;            ///< the keys of each query
  Index* query_;              ///< the query of each key
  bool* left_out_ = nullptr;  ///< true for keys that are not compared; null if there are none
  PairedScores<S> pairs_;
};

/// A term whose rows begin with the scores of each query's own keys: the pass that it is given to
/// adds those of keys that queries share.
template <class S>
class OwnScoresTerm final : public RowTerm<S> {
 public:
  /// Both must outlive the term.
  OwnScoresTerm(RowTerm<S>& term, const PerQueryPass<S>& own) : term_(term), own_(own) {}

  void start(Index i) override {
    term_.start(i);
    own_.accumulate(term_, i);
  }
  void accumulate(Index i, Index first, Index n, const S* s) override {
    term_.accumulate(i, first, n, s);
  }
  void close(Index i) override { term_.close(i); }
  double value(Index i) const override { return term_.value(i); }
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    term_.gradient(i, first, n, s, g);
  }

 private:
  RowTerm<S>& term_;
  const PerQueryPass<S>& own_;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class PerQueryPass<float>;
extern template class PerQueryPass<double>;
#endif

}  // namespace nearfar::detail
