#pragma once

#include <algorithm>
#include <atomic>
#include <limits>

#include "nearfar/core/check_targets.hpp"
#include "nearfar/core/kept_rows.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/engine/packed_rows.hpp"

/// \file
/// Rows without a label (Targets::unlabelled). A call copies the other rows together first, so that
/// all that follows is the same as in a call of these alone.

namespace nearfar::detail {

/// The rows of a set that take part, and the targets of these rows.
struct LabelledRows {
  KeptRows rows;
  Targets targets;
};

/// The labels that mark rows as unlabelled: labels, or ids if there are no labels. Throws if
/// targets have neither.
inline const Labels& telling_labels(const NamedTargets& of) {
  const Targets& targets = of.targets;
  if (targets.rule() == Targets::Rule::labels) return targets.labels();
  if (targets.rule() != Targets::Rule::none || !targets.has_ids()) {
    fail_argument(of.name, "labels, or ids alone, where some are unlabelled", "another rule");
  }
  if (targets.unlabelled_role() == UnlabelledRows::negatives) {
    fail_argument(of.name, "labels where unlabelled rows are negatives", "ids alone");
  }
  return targets.ids();
}

/// True if some rows of the set are left out. Throws as telling_labels does.
inline bool leaves_out(const NamedTargets& of) {
  if (!of.targets.has_unlabelled()) return false;
  telling_labels(of);
  return of.targets.unlabelled_role() == UnlabelledRows::left_out;
}

/// The labels or ids of kept rows.
inline Labels gather(Scratch& scratch, const Labels& all, const KeptRows& kept) {
  auto* out = scratch.take<std::int64_t>(kept.count);
  for (Index i = 0; i < kept.count; ++i) out[i] = all[kept[i]];
  return {out, kept.count};
}

/// The kept rows in one place; the rows themselves if all are kept.
template <class S>
Rows<S> gather(Scratch& scratch, int threads, const Rows<S>& all, const KeptRows& kept) {
  if (kept.are_all()) return all;
  const Index cols = all.cols();
  S* out = scratch.take<S>(kept.count * cols);
  each_row(kept.count, threads, [&](Index i) { copy_row(all, kept[i], out + i * cols); });
  return Rows<S>(out, kept.count, cols);
}

/// The numbers of kept rows.
inline Numbers<double> gather(Scratch& scratch, const Numbers<double>& all, const KeptRows& kept) {
  auto* out = scratch.take<double>(kept.count);
  for (Index i = 0; i < kept.count; ++i) out[i] = all[kept[i]];
  return {out, kept.count};
}

/// The upstream of kept rows.
inline Upstream of_kept(Scratch& scratch, const Upstream& all, const KeptRows& kept) {
  if (kept.are_all() || !all.is_given() || all.is_scalar()) return all;
  auto* out = scratch.take<double>(kept.count);
  for (Index i = 0; i < kept.count; ++i) out[i] = all[kept[i]];
  return Upstream(out, kept.count);
}

/// Sets gradients of rows that are not kept to 0.
template <class S>
void clear_others(const KeptRows& kept, const GradientRows<S>& gradient) {
  if (kept.are_all() || gradient.accumulates()) return;
  for (Index i = 0, next = 0; i < kept.all; ++i) {
    if (next < kept.count && kept[next] == i) {
      ++next;
    } else {
      clear_row(gradient, i);
    }
  }
}

/// Throws std::domain_error when gradients of a piece, rows `first` of `from` and on, do not fit
/// the caller's type. A piece has a name, rows, those that are kept, and the place of their
/// gradient.
template <class S, class Piece>
void check_piece_fits(int threads, const InputGradients<S>& from, Index first, const Piece& piece) {
  if (!may_overflow(piece.gradient)) return;
  std::atomic<bool> fit = true;
  each_row(piece.rows.rows(), threads, [&](Index i) {
    const S* row = from.data + (first + i) * from.stride;
    if (!fits(piece.gradient, piece.kept[i], piece.rows.cols(), row)) fit = false;
  });
  if (!fit) fail_half_overflow(piece.name);
}

/// Writes them to the caller's buffer, which is open.
template <class S, class Piece>
void scatter_piece(int threads, const InputGradients<S>& from, Index first, const Piece& piece) {
  if (!piece.gradient.wanted()) return;
  clear_others(piece.kept, piece.gradient);
  each_row(piece.rows.rows(), threads, [&](Index i) {
    write_row(piece.gradient, piece.kept[i], piece.rows.cols(),
              from.data + (first + i) * from.stride);
  });
}

/// The kept ones of `rows` rows, and their targets. Leaves targets that do not fit the rows
/// unchanged: check_targets throws on them.
inline LabelledRows labelled_rows(Scratch& scratch, const NamedTargets& of, Index rows) {
  const Targets& all = of.targets;
  if (!leaves_out(of)) return {rows, all};
  const Labels& labels = telling_labels(of);
  if (labels.size() != rows || (all.has_ids() && all.ids().size() != rows) ||
      (all.has_weights() && all.weights().size() != rows)) {
    return {rows, all};
  }
  auto* number = scratch.take<Index>(rows);
  Index count = 0;
  for (Index i = 0; i < rows; ++i) {
    if (labels[i] != all.unlabelled_value()) number[count++] = i;
  }
  if (count == rows) return {rows, all};
  LabelledRows out{{number, count, rows}, {}};
  if (all.rule() == Targets::Rule::labels) {
    out.targets = Targets(gather(scratch, all.labels(), out.rows));
  }
  if (all.has_ids()) out.targets = out.targets.ids(gather(scratch, all.ids(), out.rows));
  if (all.has_weights()) {
    out.targets = out.targets.weights(gather(scratch, all.weights(), out.rows));
  }
  return out;
}

/// Labels that none of the given rows has.
class FreshLabels {
 public:
  /// From the rows of one or two sets.
  FreshLabels(Scratch& scratch, const Labels& some, const Labels& others)
      : size_(some.size() + others.size()), sorted_(scratch.take<std::int64_t>(size_)) {
    for (Index i = 0; i < some.size(); ++i) sorted_[i] = some[i];
    for (Index i = 0; i < others.size(); ++i) sorted_[some.size() + i] = others[i];
    std::sort(sorted_, sorted_ + size_);
  }

  std::int64_t next() {
    for (; at_ < size_ && sorted_[at_] <= candidate_; ++at_) {
      if (sorted_[at_] == candidate_) ++candidate_;
    }
    return candidate_++;
  }

 private:
  Index size_;
  std::int64_t* sorted_;
  Index at_ = 0;
  std::int64_t candidate_ = std::numeric_limits<std::int64_t>::min();
};

/// The same targets with each unlabelled row in a class of its own, if these are negatives.
inline Targets with_own_classes(Scratch& scratch, const Targets& targets, FreshLabels& fresh) {
  const Labels& labels = targets.labels();
  auto* out = scratch.take<std::int64_t>(labels.size());
  for (Index i = 0; i < labels.size(); ++i) {
    const bool unlabelled = targets.has_unlabelled() && labels[i] == targets.unlabelled_value();
    out[i] = unlabelled ? fresh.next() : labels[i];
  }
  Targets same = Targets(Labels(out, labels.size()));
  if (targets.has_ids()) same = same.ids(targets.ids());
  return targets.has_weights() ? same.weights(targets.weights()) : same;
}

/// True if rows without a label are negatives.
inline bool has_unlabelled_negatives(const Targets& targets) {
  return targets.has_unlabelled() && targets.rule() == Targets::Rule::labels &&
         targets.unlabelled_role() == UnlabelledRows::negatives;
}

/// The targets of pairs of rows that share them, like with_own_classes.
inline Targets pair_classes(Scratch& scratch, const Targets& targets) {
  if (!has_unlabelled_negatives(targets)) return targets;
  FreshLabels fresh(scratch, targets.labels(), {});
  return with_own_classes(scratch, targets, fresh);
}

}  // namespace nearfar::detail
