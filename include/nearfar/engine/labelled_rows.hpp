#pragma once

#include <algorithm>
#include <limits>

#include "nearfar/core/check_targets.hpp"
#include "nearfar/core/kept_rows.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/engine/packed_rows.hpp"

/// \file
/// Rows without a label (Targets::unlabelled): a call copies the others together before all else,
/// so that nothing after that differs from a call of these alone.

namespace nearfar::detail {

/// The rows of a set that a call takes part of, and the targets of these, without a label that
/// stands for none.
struct LabelledRows {
  KeptRows rows;
  Targets targets;
};

/// What tells the rows without a label: labels, or ids where there is nothing else. Throws where
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

/// Whether rows of the set are left out. Throws as telling_labels.
inline bool leaves_out(const NamedTargets& of) {
  if (!of.targets.has_unlabelled()) return false;
  telling_labels(of);
  return of.targets.unlabelled_role() == UnlabelledRows::left_out;
}

/// Those of labels or ids that are kept.
inline Labels gather(Scratch& scratch, const Labels& all, const KeptRows& kept) {
  auto* out = scratch.take<std::int64_t>(kept.count);
  for (Index i = 0; i < kept.count; ++i) out[i] = all[kept[i]];
  return {out, kept.count};
}

/// The rows that are kept, in one place; the rows themselves where all are.
template <class S>
Rows<S> gather(Scratch& scratch, int threads, const Rows<S>& all, const KeptRows& kept) {
  if (kept.are_all()) return all;
  const Index cols = all.cols();
  S* out = scratch.take<S>(kept.count * cols);
  each_row(kept.count, threads,
           [&](Index i) { std::copy_n(all.row(kept[i]), cols, out + i * cols); });
  return Rows<S>(out, kept.count, cols);
}

/// Numbers of rows that are kept.
inline Numbers<double> gather(Scratch& scratch, const Numbers<double>& all, const KeptRows& kept) {
  auto* out = scratch.take<double>(kept.count);
  for (Index i = 0; i < kept.count; ++i) out[i] = all[kept[i]];
  return {out, kept.count};
}

/// The upstream of rows that are kept.
inline Upstream of_kept(Scratch& scratch, const Upstream& all, const KeptRows& kept) {
  if (kept.are_all() || !all.is_given() || all.is_scalar()) return all;
  auto* out = scratch.take<double>(kept.count);
  for (Index i = 0; i < kept.count; ++i) out[i] = all[kept[i]];
  return Upstream(out, kept.count);
}

/// Gradients of rows that are not kept are 0.
template <class S>
void clear_others(const KeptRows& kept, const GradientRows<S>& gradient) {
  if (kept.are_all() || gradient.accumulates()) return;
  for (Index i = 0, next = 0; i < kept.all; ++i) {
    if (next < kept.count && kept[next] == i) {
      ++next;
    } else {
      std::fill_n(gradient.row(i), gradient.cols(), S(0));
    }
  }
}

/// Which of `rows` rows are kept, and their targets. Targets that do not fit the rows are left as
/// they are: check_targets refuses them.
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

/// Labels that none of some rows has.
class FreshLabels {
 public:
  /// Rows of one or two sets.
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

/// The same targets, each row without a label in a class of its own, where these are negatives.
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

/// Whether rows without a label are negatives.
inline bool has_unlabelled_negatives(const Targets& targets) {
  return targets.has_unlabelled() && targets.rule() == Targets::Rule::labels &&
         targets.unlabelled_role() == UnlabelledRows::negatives;
}

/// The targets of pairs of rows that share them, as with_own_classes.
inline Targets pair_classes(Scratch& scratch, const Targets& targets) {
  if (!has_unlabelled_negatives(targets)) return targets;
  FreshLabels fresh(scratch, targets.labels(), {});
  return with_own_classes(scratch, targets, fresh);
}

}  // namespace nearfar::detail
