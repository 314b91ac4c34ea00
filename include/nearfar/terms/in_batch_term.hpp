#pragma once

#include <array>
#include <span>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/engine/pair_mask.hpp"
#include "nearfar/engine/score_rows.hpp"
#include "nearfar/loops/rows.hpp"
#include "nearfar/loops/softmax.hpp"

/// \file
/// The term of InBatchInfoNce: one positive a query against log-sum-exps of several blocks of
/// scores. Rules without a gradient shift logits or leave them out.

namespace nearfar::detail {

/// Pairs of sides that are compared.
enum class Direction : int { query_to_key, query_to_query, key_to_query, key_to_key };
inline constexpr std::size_t direction_count = 4;

/// True if a sample's own row is among the rows of the other side, so that the positive is.
constexpr bool has_positive(Direction d) {
  return d == Direction::query_to_key || d == Direction::key_to_query;
}

/// The scores of a block whose logits increase with their hardness.
enum class HardScores { none, all, own, others };

/// The logits of a block. A block has negatives alone; positives are outside.
template <class S>
struct InBatchBlock {
  Direction direction = Direction::query_to_key;
  HardScores hard = HardScores::none;
  OwnColumns own = {};       ///< the columns of each query's own, for HardScores
  const S* shift = nullptr;  ///< added to the scores, one a key
};

/// Settings of InBatchTerm.
template <class S>
struct InBatchSettings {
  int sign;  ///< of nearness: 1 for similarities, -1 for distances
  double temperature;
  bool joint;  ///< one sum of all directions, or a sum of each
  std::array<bool, direction_count> used;
  double hardness;     ///< factor of a hard score
  const S* positive;   ///< score of each row's positive
  const S* shift;      ///< added to these scores; may be null
  const S* threshold;  ///< of each row: nearness (or the guide's) above which a negative is left
                       ///< out; may be null
};

/// Statistics of one row.
struct InBatchRow {
  double value;
  double temperature;  ///< sum of g_j (s_j - s_positive)
  double slope;        ///< dL/ds of the positive
  std::int64_t negatives;
  std::int64_t dropped;
  bool overflow;  ///< true if a logit overflows S
};

template <class S>
class InBatchTerm {
 public:
  /// The upstream and the arrays must outlive the term.
  InBatchTerm(Scratch& scratch, Index rows, const InBatchSettings<S>& settings,
              std::span<const InBatchBlock<S>> blocks, const Upstream& upstream)
      : settings_(settings),
        blocks_(blocks),
        inverse_(static_cast<S>(1 / settings.temperature)),
        rate_(exponential_rate<S>(settings.temperature)),
        upstream_(upstream),
        rows_(scratch.take<InBatchRow>(rows)),
        sums_(scratch.take<Sums>(rows)) {}

  const InBatchRow& operator[](Index i) const { return rows_[i]; }

  void start(Index i) {
    rows_[i] = {};
    sums_[i].fill({-std::numeric_limits<S>::infinity(), 0, S(0)});
  }

  void accumulate(Index b, Index i, Index first, Index n, const S* scores, const S* guide) {
    S buffer[tile_width];
    Index dropped = 0;
    const S* s = shifted(b, i, first, n, scores, guide, buffer, dropped);
    InBatchRow& row = rows_[i];
    row.dropped += dropped;
    row.negatives += n - dropped;
    if (dropped == n) return;
    const Range<S> range = score_loops<S>().range(n, s);
    const S nearest = settings_.sign > 0 ? range.largest : -range.smallest;
    if (!is_finite(range.largest) || !is_finite(range.smallest)) {
      row.overflow = true;
      return;
    }
    Sum& sum = sum_of(b, i);
    if (nearest > sum.best) {
      sum.total *= portable::exp(scaled(sum.best, nearest));
      sum.best = nearest;
    }
    sum.total += loops_.exponential_sum(n, s, settings_.sign, sum.best, rate_);
  }

  void close(Index i) {
    const double slope =
        settings_.sign * static_cast<double>(inverse_) * row_upstream(upstream_, i);
    if (settings_.joint) {
      close_joint(i, slope);
    } else {
      close_per_direction(i, slope);
    }
    if (rows_[i].overflow) rows_[i].value = std::numeric_limits<double>::infinity();
  }

  void gradient(Index b, Index i, Index first, Index n, const S* scores, const S* guide, S* g) {
    const Sum& sum = sum_of(b, i);
    if (!(sum.total > 0)) {
      std::fill_n(g, n, S(0));
      return;
    }
    S buffer[tile_width];
    Index dropped = 0;
    const S* s = shifted(b, i, first, n, scores, guide, buffer, dropped);
    const S positive = settings_.positive[i];
    double moment = loops_.gradient(n, s, settings_.sign, sum.best, rate_, sum.factor, positive, g);
    // A shift has no derivative: moments use the scores without it.
    if (has_shift(b)) moment = loops_.moment(n, g, scores, positive);
    rows_[i].temperature += moment;
  }

 private:
  /// A log-sum-exp of one direction.
  struct Sum {
    S best;        ///< largest nearness so far
    double total;  ///< sum of exp((nearness - best) / tau)
    S factor;      ///< dL/ds of a score is this times its exponential
  };
  using Sums = std::array<Sum, direction_count>;

  const InBatchBlock<S>& block(Index b) const { return blocks_[static_cast<std::size_t>(b)]; }
  Sum& sum_of(Index b, Index i) { return sums_[i][static_cast<std::size_t>(block(b).direction)]; }

  double scaled(S nearness, S from) const {
    return static_cast<double>(nearness - from) * static_cast<double>(inverse_);
  }
  /// exp((nearness - from) / tau), 0 where there is no such score.
  double relative(S nearness, S from) const {
    return nearness > -std::numeric_limits<S>::infinity() ? portable::exp(scaled(nearness, from))
                                                          : 0;
  }

  bool has_shift(Index b) const {
    return block(b).hard != HardScores::none || block(b).shift != nullptr;
  }

  /// The nearness of a row's positive in its logit.
  S positive(Index i) const {
    const S score = settings_.positive[i];
    return S(settings_.sign) * (settings_.shift != nullptr ? score + settings_.shift[i] : score);
  }

  /// The scores with shifts, in `buffer` if they differ from s.
  const S* shifted(Index b, Index i, Index first, Index n, const S* s, const S* guide, S* buffer,
                   Index& dropped) const {
    if (!has_shift(b) && settings_.threshold == nullptr) return s;
    std::copy_n(s, n, buffer);
    each_hard_part(block(b), i, first, n, [&](Index from, Index count) {
      row_loops<S>().scale(count, static_cast<S>(settings_.hardness), s + from, buffer + from);
    });
    if (block(b).shift != nullptr) row_loops<S>().add(n, block(b).shift + first, buffer);
    if (settings_.threshold != nullptr) {
      const S out = S(settings_.sign) * left_out<S>;
      dropped =
          guide != nullptr
              ? loops_.replace_above(n, guide, 1, settings_.threshold[i], out, buffer)
              : loops_.replace_above(n, s, settings_.sign, settings_.threshold[i], out, buffer);
    }
    return buffer;
  }

  /// Calls body(from, count) for the hard scores among n of row i from key `first` on.
  template <class Body>
  static void each_hard_part(const InBatchBlock<S>& of, Index i, Index first, Index n,
                             const Body& body) {
    if (of.hard == HardScores::none) return;
    if (of.hard == HardScores::all) {
      body(Index(0), n);
      return;
    }
    const Index before = std::clamp(of.own.first(i) - first, Index(0), n);
    const Index after = std::clamp(of.own.end(i) - first, Index(0), n);
    if (of.hard == HardScores::own) {
      body(before, after - before);
    } else {
      body(Index(0), before);
      body(after, n - after);
    }
  }

  /// log(positives + others) - log(1 positive), in the form that keeps the digits; `below` is the
  /// logarithm of one positive.
  static double log_share(double own, double copies, double others, double below) {
    const double positives = copies * own;
    return positives > others ? portable::log(copies) + portable::log1p(others / positives)
                              : portable::log(positives + others) - below;
  }

  void close_joint(Index i, double slope) {
    InBatchRow& row = rows_[i];
    const S own = positive(i);
    S best = own;
    for (const Sum& sum : sums_[i]) best = std::max(best, sum.best);
    double others = 0;
    for (const Sum& sum : sums_[i]) others += sum.total * relative(sum.best, best);
    const double copies = settings_.used[static_cast<std::size_t>(Direction::key_to_query)] ? 2 : 1;
    const double exponential = relative(own, best);
    const double total = copies * exponential + others;
    row.value = log_share(exponential, copies, others, scaled(own, best));
    for (Sum& sum : sums_[i]) {
      sum.factor = static_cast<S>(slope * relative(sum.best, best) / total);
    }
    row.slope = -slope * others / total;
  }

  void close_per_direction(Index i, double slope) {
    InBatchRow& row = rows_[i];
    const S own = positive(i);
    double count = 0;
    for (const bool used : settings_.used) count += used ? 1 : 0;
    for (std::size_t d = 0; d < direction_count; ++d) {
      Sum& sum = sums_[i][d];
      if (!settings_.used[d] || !(sum.total > 0)) continue;
      const bool with_positive = has_positive(static_cast<Direction>(d));
      const S best = with_positive ? std::max(own, sum.best) : sum.best;
      const double others = sum.total * relative(sum.best, best);
      const double exponential = with_positive ? relative(own, best) : 0;
      const double total = exponential + others;
      const double below = scaled(own, best);
      row.value += (with_positive ? log_share(exponential, 1, others, below)
                                  : portable::log(others) - below) /
                   count;
      sum.factor = static_cast<S>(slope / count * relative(sum.best, best) / total);
      row.slope -= slope / count * others / total;
    }
  }

  const SoftmaxLoops<S>& loops_ = softmax_loops<S>();
  InBatchSettings<S> settings_;
  std::span<const InBatchBlock<S>> blocks_;
  S inverse_;
  S rate_;
  const Upstream& upstream_;
  InBatchRow* rows_;
  Sums* sums_;
};

}  // namespace nearfar::detail
