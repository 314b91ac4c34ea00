#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "nearfar/core/classes.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/positive_rule.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/loops/lifted.hpp"
#include "nearfar/loops/sincere.hpp"
#include "nearfar/loops/softmax.hpp"

/// \file
/// The term of SINCERE: each positive of an anchor against all of the anchor's negatives, without
/// the other positives.

namespace nearfar::detail {

/// Statistics of one anchor.
template <class S>
struct SincereRow {
  S best;               ///< largest nearness of a negative so far
  double sum;           ///< over negatives of exp((nearness - best) / tau)
  double value;         ///< the anchor's loss
  double slopes;        ///< sum of sigmoid(x) over positives, x as in loops/sincere.hpp
  double temperature;   ///< sum of g_j s_j
  std::int64_t active;  ///< positives with a loss above 0
};

/// An angular margin for scores that are cosines: a positive at the angle theta counts with
/// cos(theta - margin).
class AngularMargin {
 public:
  AngularMargin() = default;
  explicit AngularMargin(double margin)
      : cos_(portable::cos(margin)), sin_(portable::sin(margin)), any_(margin != 0) {}

  bool any() const { return any_; }
  /// cos(theta - margin) of the score cos(theta).
  template <class S>
  S score(S s) const {
    const auto c = static_cast<double>(s);
    return static_cast<S>(c * cos_ + sine(c) * sin_);
  }
  /// The derivative. It does not exist at the angles 0 and pi, where the cosine of the rows has
  /// gradient 0, so any finite number is right.
  template <class S>
  double slope(S s) const {
    const auto c = static_cast<double>(s);
    const double sine = AngularMargin::sine(c);
    return cos_ - (sine > 0 ? c / sine * sin_ : 0);
  }

 private:
  static double sine(double c) { return std::sqrt(std::max(0.0, (1 - c) * (1 + c))); }

  double cos_ = 1;
  double sin_ = 0;
  bool any_ = false;
};

/// A positive's loss needs the sum over negatives, which is complete after the last score. The term
/// keeps the positives' scores until then. If there are too many of them, a first pass sums the
/// negatives and, after `begin_positives`, a second one takes the positives.
template <class S>
class SincereTerm final : public LabelledTerm<S> {
 public:
  /// `keys`: their number. `positives`: the number of each row's positives. `average`: whether a
  /// row's loss is the mean over its positives, or their sum. `keeps`: whether the term keeps their
  /// scores. `margin`: of positives, if scores are cosines. Arguments must outlive the term.
  SincereTerm(Scratch& scratch, Index rows, Index keys, int sign, double temperature, bool average,
              bool keeps, const PositiveRule<S>& rule, const Index* positives,
              const Upstream& upstream, const AngularMargin& margin = {})
      : LabelledTerm<S>(rule),
        sign_(sign),
        temperature_(temperature),
        rate_(exponential_rate<S>(temperature)),
        average_(average),
        positives_(positives),
        upstream_(upstream),
        margin_(margin),
        rows_(scratch.take<SincereRow<S>>(rows)) {
    if (rule.by_labels()) sort_by_class(scratch, keys);
    if (!keeps) return;
    kept_ = scratch.take<Kept>(rows);
    Index all = 0;
    for (Index i = 0; i < rows; ++i) all += positives[i];
    S* next = scratch.take<S>(all);
    for (Index i = 0; i < rows; next += positives[i++]) kept_[i] = {next, 0};
  }

  /// Bytes for each positive.
  static constexpr Index bytes = sizeof(S);

  const SincereRow<S>& operator[](Index i) const { return rows_[i]; }

  /// Begins the second pass: the sums over negatives are complete, and the same scores come again.
  void begin_positives() { negatives_are_whole_ = true; }

  void start(Index i) override {
    if (!negatives_are_whole_) rows_[i] = {-std::numeric_limits<S>::infinity(), 0, 0, 0, 0, 0};
    if (kept_ != nullptr) kept_[i].count = 0;
  }

  void accumulate(Index i, Index first, Index n, const S* s) override {
    if (positives_[i] == 0) return;
    const RowPositives<S> positives(this->rule(), i, first, n);
    if (!negatives_are_whole_) accumulate_negatives(rows_[i], positives.mask(), n, s);
    if (kept_ != nullptr) {
      Kept& kept = kept_[i];
      kept.count += take_positives(positives, i, first, n, s, kept.scores + kept.count);
    } else if (negatives_are_whole_) {
      S scores[tile_width];
      add_positives(rows_[i], take_positives(positives, i, first, n, s, scores), scores);
    }
  }

  void close(Index i) override {
    if (kept_ != nullptr) add_positives(rows_[i], kept_[i].count, kept_[i].scores);
    if (average_ && positives_[i] > 0) rows_[i].value /= static_cast<double>(positives_[i]);
  }
  double value(Index i) const override { return rows_[i].value; }

  /// dL_i/ds_ij is, with w = 1 / |P(i)| or 1: for a negative j, sign / tau w times the sum of
  /// sigmoid(x_ik) over positives k times j's share of the sum over negatives; for a positive j,
  /// -sign / tau w sigmoid(x_ij).
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    SincereRow<S>& row = rows_[i];
    if (!(row.slopes > 0)) {
      std::fill_n(g, n, S(0));
      return;
    }
    const RowPositives<S> positives(this->rule(), i, first, n);
    const double share = average_ ? 1 / static_cast<double>(positives_[i]) : 1;
    const double factor = sign_ * upstream_[i] * share / temperature_;
    S with_margin[tile_width];
    const S* scores = s;
    if (margin_.any()) {
      std::copy_n(s, n, with_margin);
      each_positive(positives, i, first, n, [&](Index k) { with_margin[k] = margin_.score(s[k]); });
      scores = with_margin;
    }
    // A row's gradients sum to zero, so scores may be relative to any number.
    row.temperature += sign_ * loops_.gradient(n, scores, sign_, positives.mask(), negatives(row),
                                               static_cast<S>(-factor),
                                               static_cast<S>(factor * (row.slopes / row.sum)), g);
    if (!margin_.any()) return;
    each_positive(positives, i, first, n, [&](Index k) {
      g[k] = static_cast<S>(static_cast<double>(g[k]) * margin_.slope(s[k]));
    });
  }

  // As VisitingTerm has them; for a term that keeps no scores.

  using OpenRow = SincereRow<S>;
  struct ClosedRow {
    S best;
    double sum;
    double slopes;
  };

  SincereTerm of_visitors(Scratch& scratch, Index rows) const {
    SincereTerm out = *this;
    out.counts_ = scratch.take<Index>(rows);
    out.positives_ = out.counts_;
    out.upstream_ = upstream_.of_visitors(scratch, rows);
    out.rows_ = scratch.take<SincereRow<S>>(rows);
    return out;
  }
  /// In the second pass rows take the sums over their negatives along.
  Index numbers_along() const { return upstream_.numbers() + (negatives_are_whole_ ? 3 : 1); }
  void give_numbers(Index i, double* to) const {
    *to++ = static_cast<double>(positives_[i]);
    if (negatives_are_whole_) {
      *to++ = static_cast<double>(rows_[i].best);
      *to++ = rows_[i].sum;
    }
    upstream_.give(i, to);
  }
  void take_numbers(Index i, const double* from) {
    counts_[i] = static_cast<Index>(*from++);
    if (negatives_are_whole_) {
      rows_[i] = {static_cast<S>(from[0]), from[1], 0, 0, 0, 0};
      from += 2;
    }
    upstream_.take(i, from);
  }
  OpenRow open_row(Index i) const { return rows_[i]; }
  void merge(Index i, const OpenRow& more) {
    SincereRow<S>& row = rows_[i];
    if (negatives_are_whole_) {
      row.value += more.value;
      row.slopes += more.slopes;
      row.active += more.active;
    } else if (more.sum > 0) {
      raise_best(row, more.best);
      row.sum += more.sum *
                 portable::exp((static_cast<double>(more.best) - static_cast<double>(row.best)) /
                               temperature_);
    }
  }
  ClosedRow closed_row(Index i) const { return {rows_[i].best, rows_[i].sum, rows_[i].slopes}; }
  void set_closed(Index i, const ClosedRow& row) {
    rows_[i] = {row.best, row.sum, 0, row.slopes, 0, 0};
  }
  void add_moments(const SincereTerm& other, Index rows) {
    for (Index i = 0; i < rows; ++i) rows_[0].temperature += other[i].temperature;
  }

 private:
  /// The scores of one row's positives so far.
  struct Kept {
    S* scores;
    Index count;
  };

  SincereNegatives<S> negatives(const SincereRow<S>& row) const {
    return {row.best, static_cast<S>(temperature_ * portable::log(row.sum)), rate_};
  }

  void accumulate_negatives(SincereRow<S>& row, const PositiveMask<S>& mask, Index n,
                            const S* s) const {
    raise_best(row, lifted_loops<S>().largest_negative(n, s, sign_, mask));
    if (std::isinf(row.best)) return;  // no negatives yet
    row.sum += softmax_loops<S>().sums_with_positives(n, s, sign_, mask, row.best, rate_).negatives;
  }

  void raise_best(SincereRow<S>& row, S best) const {
    if (!(best > row.best)) return;
    row.sum *=
        portable::exp((static_cast<double>(row.best) - static_cast<double>(best)) / temperature_);
    row.best = best;
  }

  /// Sorts keys by class, each class from the position that is its number on, so that a row with
  /// labels finds its positives without a search among all keys.
  void sort_by_class(Scratch& scratch, Index keys) {
    by_class_ = scratch.take<Index>(keys);
    auto* filled = scratch.take<Index>(keys);
    std::fill_n(filled, keys, Index(0));
    for (Index j = 0; j < keys; ++j) {
      const Index place = class_number(this->rule().codes().key[j]);
      by_class_[place + filled[place]++] = j;
    }
  }

  /// Calls body(k) for every positive first + k among n keys.
  template <class Body>
  void each_positive(const RowPositives<S>& positives, Index i, Index first, Index n,
                     const Body& body) const {
    if (by_class_ != nullptr) {
      const Index* begin = by_class_ + class_number(this->rule().codes().query[i]);
      const Index* end = begin + this->rule().members(i);
      for (begin = std::lower_bound(begin, end, first); begin != end && *begin < first + n;
           ++begin) {
        body(*begin - first);
      }
      return;
    }
    for (Index k = 0; k < n; ++k) {
      if (positives[k]) body(k);
    }
  }

  /// Copies the positives' scores among n to `out`, with the margin; returns their number.
  Index take_positives(const RowPositives<S>& positives, Index i, Index first, Index n, const S* s,
                       S* out) const {
    Index count = 0;
    each_positive(positives, i, first, n, [&](Index k) { out[count++] = s[k]; });
    if (margin_.any()) {
      for (Index k = 0; k < count; ++k) out[k] = margin_.score(out[k]);
    }
    return count;
  }

  /// Adds the positives' losses to the row's. Without a negative they are 0.
  void add_positives(SincereRow<S>& row, Index n, const S* s) const {
    if (n == 0 || !(row.sum > 0)) return;
    const SincereSums sums = loops_.sums(n, s, sign_, negatives(row));
    row.value += sums.behind / temperature_ + sums.rest;
    row.slopes += sums.slopes;
    row.active += sums.active;
  }

  const SincereLoops<S>& loops_ = sincere_loops<S>();
  int sign_;
  double temperature_;
  S rate_;
  bool average_;
  const Index* positives_;
  VisitingUpstream upstream_;
  AngularMargin margin_;
  bool negatives_are_whole_ = false;
  SincereRow<S>* rows_;
  Kept* kept_ = nullptr;
  Index* counts_ = nullptr;    ///< of visitors
  Index* by_class_ = nullptr;  ///< keys by class; null if the rule is not by labels
};

/// Runs the loss; terms are anchors, or positive pairs if `by_pairs`.
template <class S, class Frame>
TemperatureResult run_sincere(Frame& call, double temperature, bool by_pairs,
                              UnusableAnchor unusable_anchors, const AngularMargin& margin = {}) {
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      unusable_anchors, [](bool positive, bool) { return !positive; }, "without a positive");
  std::int64_t pairs = 0;
  for (Index i = 0; i < call.anchors(); ++i) pairs += call.positives(i);
  d.terms = by_pairs ? pairs : d.anchors - d.anchors_without_positive;
  const bool keeps = call.may_keep_positives(pairs * SincereTerm<S>::bytes);
  auto term = call.template make<SincereTerm<S>>(call.keys_of_rule(), call.kernel().sign(),
                                                 temperature, !by_pairs, keeps, call.rule(),
                                                 call.positive_counts(), call.upstream(), margin);
  if (!keeps) {
    Diagnostics again;  // discarded: the pass repeats the same scores
    call.forward(term, again);
    term.begin_positives();
  }
  call.run(term, d);
  for (Index i = 0; i < call.anchors(); ++i) {
    d.active_terms += by_pairs ? term[i].active : term[i].value > 0;
  }
  call.combine(d);
  call.reduce([&](Index i) { return term.value(i); }, result);
  if (!call.wants_gradients()) return result;
  // dL/dtau = -1/tau sum_ij dL/ds_ij s_ij.
  const double moments = call.sum([&](Index i) { return term[i].temperature; });
  result.d_temperature =
      checked_derivative("d_temperature", -call.scale(d) * moments / temperature);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
