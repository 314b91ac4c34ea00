#pragma once

#include <algorithm>
#include <limits>
#include <memory>
#include <numeric>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/mining/key_ranks.hpp"
#include "nearfar/mining/sampled_triplets.hpp"
#include "nearfar/terms/log_sum.hpp"

/// \file
/// One negative for each positive of an anchor whose keys come in blocks, in any order: the nearest
/// that is farther, or a drawn one. Positives are known first.

namespace nearfar::detail {

/// A key, by its number among all keys, and its distance.
template <class S>
struct FoundKey {
  Index key = -1;
  S distance = 0;

  bool found() const { return key >= 0; }
};

/// For each positive the nearest negative farther than it, or else the farthest; ties go to the
/// lowest number. Has no gradients.
template <class S>
class NearestFartherTerm final : public LabelledTerm<S> {
 public:
  /// For `rows` anchors with count_of(i) positives.
  template <class CountOf>
  NearestFartherTerm(Scratch& scratch, Index rows, const CountOf& count_of, int sign,
                     const PositiveRule<S>& rule)
      : LabelledTerm<S>(rule), sign_(sign), anchors_(scratch.take<Anchor>(rows)) {
    std::uninitialized_fill_n(anchors_, rows, Anchor());
    for (Index i = 0; i < rows; ++i) {
      anchors_[i].nearest = scratch.take<FoundKey<S>>(count_of(i) + 1);
    }
  }

  /// Sets the positives of anchor i, before any pass.
  void set_positives(Index i, const SortedPositives<S>& positives) {
    Anchor& anchor = anchors_[i];
    anchor.positives = positives;
    std::fill_n(anchor.nearest, positives.count() + 1, FoundKey<S>());
  }
  void set_number(Index number) { number_ = number; }

  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    Anchor& anchor = anchors_[i];
    if (anchor.positives.count() == 0) return;
    S role[tile_width];
    this->rule().match(i, first, n, role);
    each_negative(anchor.positives, sign_, role, n, s, anchor.counts,
                  [&](Index k, double, const Ranks& ranks) {
                    const FoundKey<S> one{number_ + first + k, S(-sign_) * s[k]};
                    // A negative farther than r positives is a candidate for those below rank r.
                    FoundKey<S>& nearest = anchor.nearest[ranks.semihard];
                    if (!nearest.found() || one.distance < nearest.distance ||
                        (one.distance == nearest.distance && one.key < nearest.key)) {
                      nearest = one;
                    }
                    FoundKey<S>& farthest = anchor.farthest;
                    if (!farthest.found() || one.distance > farthest.distance ||
                        (one.distance == farthest.distance && one.key < farthest.key)) {
                      farthest = one;
                    }
                  });
  }
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

  /// Counts of the triplets of each kind that the anchor could form.
  const AnchorTriplets& counts(Index i) const { return anchors_[i].counts; }

  /// Calls body(rank, negative) for each positive of an anchor that has a negative.
  template <class Body>
  void each_pair(Index i, const Body& body) const {
    const Anchor& anchor = anchors_[i];
    if (!anchor.farthest.found()) return;
    FoundKey<S> best;
    for (Index r = anchor.positives.count() - 1; r >= 0; --r) {
      if (anchor.nearest[r + 1].found()) best = anchor.nearest[r + 1];
      body(r, best.found() ? best : anchor.farthest);
    }
  }

 private:
  struct Anchor {
    SortedPositives<S> positives;
    FoundKey<S>* nearest = nullptr;  ///< of the negatives of each rank
    FoundKey<S> farthest;
    AnchorTriplets counts = {0, 0, 0, 0, 0, 0};
  };

  int sign_;
  Index number_ = 0;
  Anchor* anchors_;
};

/// Draws a negative for each positive, with the same result as SampledTriplets: from weights summed
/// in the order of all keys. The first pass sums the weights of each block, and draws are then
/// assigned to blocks. The second pass, over the same blocks in the same order, finds the keys. Has
/// no gradients.
template <class S>
class DrawnNegativesTerm final : public LabelledTerm<S> {
 public:
  /// For `rows` anchors with count_of(i) positives, and keys in at most `blocks` blocks.
  template <class CountOf>
  DrawnNegativesTerm(Scratch& scratch, Index rows, const CountOf& count_of, Index blocks,
                     const DrawWeights<S>& weights, int sign, const PositiveRule<S>& rule)
      : LabelledTerm<S>(rule),
        weights_(weights),
        sign_(sign),
        rows_(rows),
        firsts_(scratch.take<Index>(blocks)),
        order_(scratch.take<Index>(blocks)),
        sums_(scratch.take<BlockSum>(blocks * rows)),
        anchors_(scratch.take<Anchor>(rows)) {
    std::uninitialized_fill_n(sums_, blocks * rows, BlockSum());
    std::uninitialized_fill_n(anchors_, rows, Anchor());
    for (Index i = 0; i < rows; ++i) {
      anchors_[i].draws = scratch.take<Draw>(count_of(i));
      anchors_[i].negatives = scratch.take<FoundKey<S>>(count_of(i));
    }
  }

  /// Sets the positives of anchor i, before any pass.
  void set_positives(Index i, const SortedPositives<S>& positives) {
    anchors_[i].positives = positives;
  }

  /// Sets the number of the first key of a block.
  void set_number(Index number) {
    if (second_pass_) end_block();
    number_ = number;
    firsts_[++block_] = number;
  }

  /// After the first pass: draws for anchor i, which is row `number` of all, and its positives,
  /// whose numbers are key_of(rank).
  template <class KeyOf>
  void draw(Index i, Index number, const KeyOf& key_of) {
    Anchor& anchor = anchors_[i];
    const Index blocks = block_ + 1;
    std::iota(order_, order_ + blocks, Index(0));
    std::sort(order_, order_ + blocks, [&](Index a, Index b) { return firsts_[a] < firsts_[b]; });
    double best = nothing;
    Index negatives = 0;
    for (Index b = 0; b < blocks; ++b) {
      best = std::max(best, sum_of(i, b).weights.best);
      negatives += sum_of(i, b).negatives;
    }
    if (negatives == 0) return;
    // If no negative can be drawn, all have the same probability.
    anchor.alike = best == nothing;
    const auto sum = [&](Index b) {
      const BlockSum& of = sum_of(i, b);
      return anchor.alike ? static_cast<double>(of.negatives) : of.weights.sum;
    };
    const auto in_all = [&](Index b) {
      if (anchor.alike || !(sum(b) > 0)) return sum(b);
      return sum(b) * portable::exp(sum_of(i, b).weights.best - best);
    };
    double total = 0;
    for (Index k = 0; k < blocks; ++k) total += in_all(order_[k]);
    anchor.draw_count = anchor.positives.count();
    for (Index r = 0; r < anchor.draw_count; ++r) {
      const double at = weights_.unit(number, key_of(r)) * total;
      Draw& draw = anchor.draws[r] = {r, 0, 0};
      double before = 0;
      for (Index k = 0; k < blocks && !(before > at); ++k) {
        const Index b = order_[k];
        if (!(in_all(b) > 0)) continue;
        draw.block = b;
        draw.at = (at - before) / in_all(b) * sum(b);
        before += in_all(b);
      }
    }
    std::sort(anchor.draws, anchor.draws + anchor.draw_count, [](const Draw& a, const Draw& b) {
      return a.block != b.block ? a.block < b.block : a.at < b.at;
    });
  }

  void begin_second_pass() {
    second_pass_ = true;
    block_ = -1;
  }

  /// Ends a block of the second pass. Its remaining draws go to its last key, since sums are
  /// rounded.
  void end_block() {
    for (Index i = 0; i < rows_ && block_ >= 0; ++i) {
      anchors_[i].give(block_, std::numeric_limits<double>::infinity());
      anchors_[i].sum = 0;
    }
  }

  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    Anchor& anchor = anchors_[i];
    if (anchor.positives.count() == 0) return;
    S role[tile_width];
    this->rule().match(i, first, n, role);
    if (second_pass_) {
      find(anchor, sum_of(i, block_).weights.best, role, first, n, s);
      return;
    }
    each_ranks(anchor.positives, sign_, role, n, s, anchor.counts,
               [](Index, Index, const KeyRanks<S>&) {});
    BlockSum& sum = sum_of(i, block_);
    for (Index k = 0; k < n; ++k) {
      if (role[k] != Role<S>::negative) continue;
      const double weight = weights_.log(s[k]);
      ++sum.negatives;
      if (weight == nothing) continue;
      sum.weights.raise(weight);
      sum.weights.sum += portable::exp(weight - sum.weights.best);
    }
  }
  void close(Index) override {}
  void gradient(Index, Index, Index n, const S*, S* g) override { std::fill_n(g, n, S(0)); }

  /// Counts of the triplets of each kind that the anchor could form.
  const AnchorTriplets& counts(Index i) const { return anchors_[i].counts; }

  /// Calls body(rank, negative) for each positive of an anchor that has a negative.
  template <class Body>
  void each_pair(Index i, const Body& body) const {
    for (Index r = 0; r < anchors_[i].draw_count; ++r) body(r, anchors_[i].negatives[r]);
  }

 private:
  static constexpr double nothing = -std::numeric_limits<double>::infinity();

  /// The weights of an anchor's negatives in one block.
  struct BlockSum {
    LogSum<double> weights;
    Index negatives = 0;
  };

  /// The negative of a rank is the first at which its block's sum is above `at`.
  struct Draw {
    Index rank;
    Index block;
    double at;
  };

  struct Anchor {
    SortedPositives<S> positives;
    Draw* draws = nullptr;  ///< by block, and by position in it
    Index draw_count = 0;
    Index next = 0;                    ///< the first draw whose negative is not yet found
    FoundKey<S>* negatives = nullptr;  ///< by rank
    FoundKey<S> last;
    double sum = 0;  ///< of the block's weights so far
    bool alike = false;
    AnchorTriplets counts = {0, 0, 0, 0, 0, 0};

    /// Assigns the last key to all draws of the block below `below`.
    void give(Index block, double below) {
      for (; next < draw_count && draws[next].block == block && draws[next].at < below; ++next) {
        negatives[draws[next].rank] = last;
      }
    }
  };

  BlockSum& sum_of(Index i, Index block) const { return sums_[block * rows_ + i]; }

  void find(Anchor& anchor, double best, const S* role, Index first, Index n, const S* s) const {
    for (Index k = 0; k < n; ++k) {
      if (role[k] != Role<S>::negative) continue;
      const double weight = weights_.log(s[k]);
      if (!anchor.alike && weight == nothing) continue;
      anchor.sum += anchor.alike ? 1 : portable::exp(weight - best);
      anchor.last = {number_ + first + k, S(-sign_) * s[k]};
      anchor.give(block_, anchor.sum);
    }
  }

  const DrawWeights<S>& weights_;
  int sign_;
  Index rows_;
  bool second_pass_ = false;
  Index number_ = 0;
  Index block_ = -1;
  Index* firsts_;   ///< of each block, in the order of the pass
  Index* order_;    ///< of blocks by their first keys
  BlockSum* sums_;  ///< of each block and row
  Anchor* anchors_;
};

/// Derivatives of single scores, given by the keys' numbers.
template <class S>
class KeyWeightsTerm final : public RowTerm<S> {
 public:
  /// For `rows` rows with at most most_of(i) weights.
  template <class MostOf>
  KeyWeightsTerm(Scratch& scratch, Index rows, const MostOf& most_of)
      : rows_(scratch.take<Row>(rows)) {
    for (Index i = 0; i < rows; ++i) rows_[i] = {scratch.take<Weight>(most_of(i)), 0};
  }

  /// Adds to the weight of a key in row i.
  void add(Index i, Index key, S weight) {
    Row& row = rows_[i];
    row.weights[row.count++] = {key, weight};
  }
  /// Sorts row i, after its last weight.
  void sort(Index i) {
    std::sort(rows_[i].weights, rows_[i].weights + rows_[i].count,
              [](const Weight& a, const Weight& b) { return a.key < b.key; });
  }

  /// Sets the number of the first key of a block.
  void set_number(Index number) { number_ = number; }

  void start(Index) override {}
  void accumulate(Index, Index, Index, const S*) override {}
  void close(Index) override {}
  void gradient(Index i, Index first, Index n, const S*, S* g) override {
    std::fill_n(g, n, S(0));
    const Row& row = rows_[i];
    const Index begin = number_ + first;
    const Weight* end = row.weights + row.count;
    const Weight* at = std::partition_point(row.weights, row.weights + row.count,
                                            [&](const Weight& one) { return one.key < begin; });
    for (; at != end && at->key < begin + n; ++at) g[at->key - begin] += at->weight;
  }

 private:
  struct Weight {
    Index key;
    S weight;
  };
  struct Row {
    Weight* weights;
    Index count;
  };

  Index number_ = 0;
  Row* rows_;
};

}  // namespace nearfar::detail
