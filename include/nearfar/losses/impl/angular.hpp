#pragma once

#include <algorithm>
#include <cmath>
#include <limits>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/loops/lifted.hpp"
#include "nearfar/loops/softmax.hpp"
#include "nearfar/losses/angular.hpp"
#include "nearfar/terms/log_sum.hpp"
#include "nearfar/terms/logistic.hpp"

namespace nearfar::detail {

/// A positive pair of an anchor (a query) and a key.
struct PositivePair {
  Index anchor;
  Index positive;
};

/// The keys of a part that are no negatives of an anchor, in the form of the vector code:
/// positives, the anchor itself, and keys that ids leave out.
template <class S>
class OthersThanNegatives {
 public:
  /// `rows_with_themselves`: whether the anchor is one of the keys.
  OthersThanNegatives(const PositiveRule<S>& rule, const ExcludedPairs& excluded,
                      bool rows_with_themselves, Index anchor, Index first, Index n) {
    if (rule.by_labels() && !excluded.any()) {  // labels exclude the anchor, whose label is its own
      mask_ = {rule.codes().query[anchor], rule.codes().key + first};
      return;
    }
    rule.match(anchor, first, n, matches_);
    mask_ = {S(1), matches_};
    if (excluded.any()) {
      excluded.each(anchor, first, first + n, [&](Index j) { matches_[j - first] = S(1); });
    } else if (rows_with_themselves && anchor >= first && anchor < first + n) {
      matches_[anchor - first] = S(1);
    }
  }
  OthersThanNegatives(const OthersThanNegatives&) = delete;
  OthersThanNegatives& operator=(const OthersThanNegatives&) = delete;

  const PositiveMask<S>& mask() const { return mask_; }

 private:
  PositiveMask<S> mask_;
  S matches_[tile_width];
};

/// Statistics of one pair.
template <class S>
struct AngularRow {
  LogSum<S> negatives;  ///< of scores of x_i + x_p, before their factor
  double offset;        ///< 2 (1 + t) x_i . x_p
  double above;         ///< upstream factor
  Softplus<double> loss{0};
};

/// A block of pairs. The scores of the rows x_i + x_p come row by row.
template <class S>
class AngularTerm final : public RowTerm<S> {
 public:
  /// `factor`: 4 t. Arguments must outlive the term.
  AngularTerm(Scratch& scratch, Index most, double factor, LabelledCall<S>& call,
              const PositivePair* pairs)
      : factor_(factor),
        rate_(static_cast<S>(factor * 1.4426950408889634)),
        call_(call),
        pairs_(pairs),
        rows_(scratch.take<AngularRow<S>>(most)) {}

  /// Sets pair r: its offset and its upstream factor.
  void set(Index r, double offset, double above) {
    rows_[r].offset = offset;
    rows_[r].above = above;
  }

  const AngularRow<S>& operator[](Index r) const { return rows_[r]; }

  void start(Index r) override { rows_[r].negatives = {}; }

  void accumulate(Index r, Index first, Index n, const S* s) override {
    LogSum<S>& row = rows_[r].negatives;
    const OthersThanNegatives<S> others = others_of(r, first, n);
    const S best = lifted_loops<S>().largest_negative(n, s, 1, others.mask());
    if (best > row.best) {
      row.sum *=
          portable::exp(factor_ * (static_cast<double>(row.best) - static_cast<double>(best)));
      row.best = best;
    }
    if (std::isinf(row.best)) return;  // no negatives yet
    row.sum +=
        softmax_loops<S>().sums_with_positives(n, s, 1, others.mask(), row.best, rate_).negatives;
  }

  void close(Index r) override {
    AngularRow<S>& row = rows_[r];
    row.loss = Softplus<double>(-std::numeric_limits<double>::infinity());
    if (!(row.negatives.sum > 0)) return;
    row.loss = Softplus<double>(factor_ * static_cast<double>(row.negatives.best) - row.offset +
                                portable::log(row.negatives.sum));
  }
  double value(Index r) const override { return rows_[r].loss.value; }

  void gradient(Index r, Index first, Index n, const S* s, S* g) override {
    const AngularRow<S>& row = rows_[r];
    if (!(row.negatives.sum > 0)) {
      std::fill_n(g, n, S(0));
      return;
    }
    const OthersThanNegatives<S> others = others_of(r, first, n);
    const double share = row.above * row.loss.slope * factor_ / row.negatives.sum;
    softmax_loops<S>().gradient_with_positives(
        n, s, 1, others.mask(), rate_,
        {row.negatives.best, row.negatives.best, static_cast<S>(share), S(0), S(0), S(0)}, g);
  }

 private:
  OthersThanNegatives<S> others_of(Index r, Index first, Index n) const {
    return {call_.rule(), call_.excluded(), call_.same_rows(), pairs_[r].anchor, first, n};
  }

  double factor_;
  S rate_;
  LabelledCall<S>& call_;
  const PositivePair* pairs_;
  AngularRow<S>* rows_;
};

/// The positive pairs of a call in blocks, in the order of anchors.
template <class S>
class PairBlocks {
 public:
  /// `once`: whether a pair of rows of one set is taken once for both orders.
  PairBlocks(LabelledCall<S>& call, bool once, Index most)
      : call_(call),
        once_(once),
        most_(most),
        mask_{call.same_rows() ? Pairing::others : Pairing::all, call.excluded()},
        pairs_(call.scratch().template take<PositivePair>(most)) {}

  const PositivePair* pairs() const { return pairs_; }

  /// Calls body(count) for each block of pairs.
  template <class Body>
  void each(const Body& body) const {
    Index count = 0;
    S match[tile_width];
    const Index keys = call_.keys().rows;
    for (Index i = 0; i < call_.anchors(); ++i) {
      if (call_.positives(i) == 0) continue;
      each_tile(once_ ? i + 1 : 0, keys, [&](Index first, Index end) {
        mask_.each_part(i, first, end, [&](Index from, Index n) {
          call_.rule().match(i, from, n, match);
          for (Index k = 0; k < n; ++k) {
            if (match[k] != S(1)) continue;
            pairs_[count++] = {i, from + k};
            if (count < most_) continue;
            body(count);
            count = 0;
          }
        });
      });
    }
    if (count > 0) body(count);
  }

 private:
  LabelledCall<S>& call_;
  bool once_;
  Index most_;
  PairMask mask_;
  PositivePair* pairs_;
};

template <class S>
Result evaluate(const AngularOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  Result result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool) { return !positive; },
      "without a positive");
  d.terms = call.total([&](Index i) { return call.positives(i); });
  const double tangent = portable::sin(options.angle) / portable::cos(options.angle);
  const double t = tangent * tangent;

  Scratch& scratch = call.scratch();
  const PackedRows<S>& x = call.queries();
  const PackedRows<S>& y = call.keys();
  const bool once = call.is_by_class();
  const std::int64_t orders = once ? 2 : 1;
  const Index most = std::clamp<Index>(d.terms / orders, 1, std::max<Index>(1024, x.rows + y.rows));
  const PairBlocks<S> blocks(call, once, most);
  double* values = scratch.template take<double>(call.anchors());
  std::fill_n(values, call.anchors(), 0.0);
  AngularTerm<S> term(scratch, most, 4 * t, call, blocks.pairs());
  PackedRows<S> sums;
  sums.depth = x.depth;
  sums.stride = x.stride;
  sums.data = scratch.template take<S>(round_up(most, panel_rows) * x.stride);
  KernelValue<S> products;  // the inner product of packed rows
  Diagnostics of_sums;
  blocks.each([&](Index count) {
    const ScratchLoan loan(scratch);
    const PositivePair* pairs = blocks.pairs();
    sums.rows = count;
    each_row(round_up(count, panel_rows), call.threads(), [&](Index r) {
      S* const row = sums.data + r * sums.stride;
      std::fill_n(row, sums.stride, S(0));
      if (r >= count) return;
      const auto [i, p] = pairs[r];
      row_loops<S>().add(x.stride, x.row(i), row);
      row_loops<S>().add(x.stride, y.row(p), row);
      const double cosine = row_loops<S>().dot_in_double(x.depth, x.row(i), y.row(p));
      term.set(r, 2 * (1 + t) * cosine,
               row_upstream(call.upstream(), i) + (once ? row_upstream(call.upstream(), p) : 0));
    });
    OneSidedPass<S> pass(scratch, call.threads(), products, sums, y);
    RowGradients<S> d_sums;
    if (call.wants_gradients()) {
      d_sums = take_gradients(scratch, sums);
      pass.forward_backward(term, d_sums, call.d_keys(), of_sums);
    } else {
      pass.forward(term, of_sums);
    }
    for (Index r = 0; r < count; ++r) {
      const auto [i, p] = pairs[r];
      const AngularRow<S>& row = term[r];
      values[i] += row.loss.value;
      if (once) values[p] += row.loss.value;
      d.active_terms += row.loss.value > 0 ? orders : 0;
      const double cosine = std::clamp(row.offset / (2 * (1 + t)), -1.0, 1.0);
      d.smallest_score = std::min(d.smallest_score, cosine);
      d.largest_score = std::max(d.largest_score, cosine);
      const auto add = [&](RowGradients<S>& to, Index at, const S* partner) {
        if (!to.wanted()) return;
        const double of_cosine = -2 * (1 + t) * row.above * row.loss.slope;
        S* const out = to.data + at * x.stride;
        row_loops<S>().add(x.stride, d_sums.data + r * sums.stride, out);
        row_loops<S>().add_scaled(x.stride, static_cast<S>(of_cosine), partner, out);
      };
      if (!call.wants_gradients()) continue;
      add(call.d_queries(), i, y.row(p));
      add(call.d_keys(), p, x.row(i));
    }
  });
  call.reduce([&](Index i) { return values[i]; }, result);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
