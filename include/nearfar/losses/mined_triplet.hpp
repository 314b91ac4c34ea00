#pragma once

#include <cmath>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/mining/chosen_keys.hpp"
#include "nearfar/mining/counted_triplets.hpp"
#include "nearfar/mining/sampled_triplets.hpp"
#include "nearfar/terms/label_calls.hpp"
#include "nearfar/tiles/class_blocks.hpp"
#include "nearfar/tiles/paired_rows.hpp"

namespace nearfar {

/// Settings of MinedTriplet.
struct MinedTripletOptions {
  double margin = 0.2;                                 ///< m >= 0, in the kernel's score
  TripletForm form = TripletForm::hinge;               ///< hinge, or soft margin
  Mining mining = Mining::batch_hard;                  ///< which triplets
  PositiveChoice positive = PositiveChoice::easy;      ///< for Mining::batch_easy_hard
  NegativeChoice negative = NegativeChoice::semihard;  ///< for Mining::batch_easy_hard
  DistanceWeighting weighting = {};                    ///< for Mining::distance_weighted
  /// Terms are the triplets mined: mean divides by their number, mean_nonzero by the number of
  /// those with a loss above zero.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when it has no positive or no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// What MinedTriplet returns. Counts are of all triplets of the batch, whichever are mined; with
/// Mining::batch_hard and batch_easy_hard they are of those mined, at most one an anchor.
struct MinedTripletResult : Result {
  std::int64_t hard_triplets = 0;      ///< d(a, n) <= d(a, p)
  std::int64_t semihard_triplets = 0;  ///< d(a, p) < d(a, n) <= d(a, p) + m
  std::int64_t easy_triplets = 0;      ///< d(a, n) > d(a, p) + m
};

/// Triplet loss of a labelled batch: positives of an anchor are the other rows with its label,
/// negatives those without; which triplets take part is Mining's choice. A triplet costs
///
///     hinge: max(0, d(a, p) - d(a, n) + m),   soft: softplus(d(a, p) - d(a, n) + m)
///
/// with d the distance of kernel K, or minus the score for similarities (see Triplet for sources).
///
/// No triplet is ever listed. Hinge losses over every triplet of a kind take O(N M log P) time for
/// P positives an anchor, beside 3 N^2 D + O(N P D) floating point operations in a batch with plain
/// labels, as long as N P numbers are no more than a multiple of the rows' own, and else 6 N M D;
/// the soft margin O(N M P). One triplet an anchor takes its scores, N^2 D in a batch and 2 N M D
/// with references, twice that where a choice is semi-hard, and O((N + M) D) for gradients.
/// Extra memory O((N + M) D). Ties go to the lowest index. Immutable; shared by threads each with
/// its own Workspace; the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class MinedTriplet : public LabelCalls<MinedTriplet<S, K>, S, K, MinedTripletResult> {
 public:
  using Outcome = MinedTripletResult;

  /// Throws std::invalid_argument unless the margin is finite and >= 0, the weighting's bounds are
  /// 0 < nearest < 2 and farthest > nearest, and when positive and negative are both to be
  /// semi-hard, each of which waits for the other.
  explicit MinedTriplet(MinedTripletOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_not_negative("margin", options.margin);
    if (options.mining == Mining::batch_easy_hard && options.positive == PositiveChoice::semihard &&
        options.negative == NegativeChoice::semihard) {
      fail_argument("positive, negative", "at most one of them semihard", "both");
    }
    const DistanceWeighting& w = options.weighting;
    if (!(w.nearest > 0 && w.nearest < 2)) {
      fail_argument("weighting.nearest", "a number between 0 and 2", std::to_string(w.nearest));
    }
    if (!(w.farthest > w.nearest)) {
      fail_argument("weighting.farthest", "a number above nearest", std::to_string(w.farthest));
    }
  }

  const MinedTripletOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  friend class LabelCalls<MinedTriplet, S, K, MinedTripletResult>;

  template <int sets>
  MinedTripletResult run(detail::LabelledBatch<S, K, sets>& batch) const;

  template <int sets>
  detail::AnchorTriplets* mine(detail::LabelledBatch<S, K, sets>& batch, Diagnostics& d) const;

  template <int sets>
  detail::AnchorTriplets* mine_one(detail::LabelledBatch<S, K, sets>& batch, Diagnostics& d) const;

  /// Whether each score of a batch can be shown to both its rows, once: all hinges of a kind, by
  /// classes whose own scores are few enough to be kept.
  bool is_counted_by_class(const detail::LabelledBatch<S, K, 1>& batch) const;
  detail::AnchorTriplets* mine_by_class(detail::LabelledBatch<S, K, 1>& batch,
                                        Diagnostics& d) const;

  MinedTripletOptions options_;
  K kernel_;
};

template <class S, Kernel K>
template <int sets>
detail::AnchorTriplets* MinedTriplet<S, K>::mine_one(detail::LabelledBatch<S, K, sets>& batch,
                                                     Diagnostics& d) const {
  constexpr int sign = detail::nearness_sign<K>;
  using Chosen = detail::ChosenKeys<S, sign>;
  using ChosenRow = typename Chosen::Row;
  const bool hardest = options_.mining == Mining::batch_hard;
  const PositiveChoice of_positives = hardest ? PositiveChoice::hard : options_.positive;
  const NegativeChoice of_negatives = hardest ? NegativeChoice::hard : options_.negative;
  const auto look = [&](const ChosenRow* first_look, Diagnostics& seen) {
    return batch.look(Chosen(of_positives, of_negatives, batch.relation(), first_look), seen);
  };
  const ChosenRow* chosen = look(nullptr, d);
  if (of_positives == PositiveChoice::semihard || of_negatives == NegativeChoice::semihard) {
    Diagnostics again;  // the same scores
    chosen = look(chosen, again);
  }

  const Index n = batch.anchors();
  struct Pairs {
    Index* partner;
    S* u;
    S* s;
    S* g;
  };
  const auto score = [&](detail::ChosenKey<S> ChosenRow::*kind) {
    detail::Scratch& scratch = batch.scratch();
    Pairs pairs{scratch.template take<Index>(n), scratch.template take<S>(n),
                scratch.template take<S>(n), scratch.template take<S>(n)};
    // An anchor without a triplet is paired with any row; its weight stays 0.
    for (Index i = 0; i < n; ++i) pairs.partner[i] = std::max<Index>((chosen[i].*kind).key, 0);
    detail::paired_scores(batch.threads(), kernel_, batch.queries(), batch.keys(), pairs.u, pairs.s,
                          pairs.partner);
    std::fill(pairs.g, pairs.g + n, S(0));
    return pairs;
  };
  const Pairs positive = score(&ChosenRow::positive);
  const Pairs negative = score(&ChosenRow::negative);
  auto* rows = batch.scratch().template take<detail::AnchorTriplets>(n);
  for (Index i = 0; i < n; ++i) {
    rows[i] = {0, 0, 0, 0, 0, 0};
    if (!chosen[i].positive.found() || !chosen[i].negative.found()) continue;
    const double d_positive = -sign * static_cast<double>(positive.s[i]);
    const double d_negative = -sign * static_cast<double>(negative.s[i]);
    const detail::TripletTerm term(options_.form, d_positive - d_negative + options_.margin);
    rows[i].value = term.value;
    rows[i].terms = 1;
    rows[i].active = term.value > 0 ? 1 : 0;
    ++(d_negative <= d_positive                    ? rows[i].hard
       : d_positive < d_negative - options_.margin ? rows[i].easy
                                                   : rows[i].semihard);
    const S g = static_cast<S>(sign * term.slope * detail::row_upstream(batch.upstream(), i));
    positive.g[i] = -g;
    negative.g[i] = g;
  }
  detail::RowGradients<S>& dq = batch.d_queries();
  detail::RowGradients<S>& dk = batch.d_keys();
  if (!dq.wanted() && !dk.wanted()) return rows;
  for (const Pairs& pairs : {positive, negative}) {
    detail::add_paired_gradients(batch.threads(), kernel_, batch.queries(), batch.keys(), pairs.u,
                                 pairs.s, pairs.g, dq, dk, pairs.partner);
  }
  return rows;
}

template <class S, Kernel K>
bool MinedTriplet<S, K>::is_counted_by_class(const detail::LabelledBatch<S, K, 1>& batch) const {
  const bool every_one_of_a_kind =
      options_.mining == Mining::all || options_.mining == Mining::hard ||
      options_.mining == Mining::semihard || options_.mining == Mining::easy;
  if (!every_one_of_a_kind || options_.form != TripletForm::hinge || !batch.is_by_class()) {
    return false;
  }
  Index bytes = 0;
  for (Index i = 0; i < batch.anchors(); ++i) {
    const Index n = batch.positives(i);
    bytes += detail::ClassBlocks<S, K>::bytes_a_row(n + 1) + detail::PositivesMemory<S>::bytes(n) +
             4 * detail::HingeTriplets<S, detail::nearness_sign<K>>::changes_size(n);
  }
  return bytes <= detail::most_bytes_between(batch.queries(), batch.keys());
}

template <class S, Kernel K>
detail::AnchorTriplets* MinedTriplet<S, K>::mine_by_class(detail::LabelledBatch<S, K, 1>& batch,
                                                          Diagnostics& d) const {
  constexpr int sign = detail::nearness_sign<K>;
  using Anchor = detail::HingeAnchor<S>;
  using Memory = detail::PositivesMemory<S>;
  const Index n = batch.anchors();
  detail::Scratch& scratch = batch.scratch();
  const detail::HingeTriplets<S, sign> triplets(options_.mining, options_.margin);

  detail::ClassBlocks<S, K> classes(scratch, batch.threads(), kernel_, batch.queries(),
                                    batch.relation());
  auto* memory = scratch.template take<Memory>(n);
  auto* anchors = scratch.template take<Anchor>(n);
  for (Index i = 0; i < n; ++i) {
    const Index count = batch.positives(i);
    memory[i] = Memory(scratch, count);
    anchors[i].changes = scratch.template take<std::int32_t>(triplets.changes_size(count));
  }
  classes.each_row([&](Index i, Index count, Index own, const S* s) {
    std::int32_t* keys = memory[i].keys;
    std::iota(keys, keys + own, 0);
    std::iota(keys + own, keys + count - 1, static_cast<std::int32_t>(own) + 1);
    const auto distance = [&](Index k) { return S(-sign) * s[k]; };
    anchors[i] = triplets.start({count - 1, distance, options_.margin, memory[i]},
                                batch.negatives(i), anchors[i].changes);
  });

  anchors = batch.run_in_one_pass(
      detail::HingeNegatives<S, sign>(triplets, anchors, batch.relation(), batch.upstream()), d);

  auto* rows = scratch.template take<detail::AnchorTriplets>(n);
  if (!batch.d_queries().wanted()) {
    for (Index i = 0; i < n; ++i) rows[i] = triplets.finish(anchors[i], [](Index, double) {});
    return rows;
  }
  classes.add_gradients(
      [&](Index i, Index count, Index, S* g) {
        std::fill_n(g, count, S(0));
        const double unit = -sign * detail::row_upstream(batch.upstream(), i);
        rows[i] = triplets.finish(
            anchors[i], [&](Index key, double times) { g[key] = static_cast<S>(unit * times); });
      },
      batch.d_queries());
  return rows;
}

template <class S, Kernel K>
template <int sets>
detail::AnchorTriplets* MinedTriplet<S, K>::mine(detail::LabelledBatch<S, K, sets>& batch,
                                                 Diagnostics& d) const {
  if (options_.mining == Mining::batch_hard || options_.mining == Mining::batch_easy_hard) {
    return mine_one(batch, d);
  }
  if constexpr (sets == 1) {
    if (is_counted_by_class(batch)) return mine_by_class(batch, d);
  }
  constexpr int sign = detail::nearness_sign<K>;
  const detail::Roles<S> roles{batch.relation(), batch.exclusions(), batch.same_rows};
  auto* memory = batch.scratch().template take<detail::AnchorScratch<S>>(batch.threads());
  for (int t = 0; t < batch.threads(); ++t) {
    const Index m = batch.keys().rows;
    memory[t] = detail::AnchorScratch<S>(batch.scratch(), m,
                                         detail::HingeTriplets<S, sign>::changes_size(m));
  }
  if (options_.mining == Mining::distance_weighted) {
    return batch.run_whole_rows(
        detail::SampledTriplets<S, K>(options_.weighting, options_.form, options_.margin,
                                      batch.queries().depth, roles, memory, batch.upstream()),
        true, d);
  }
  return batch.run_whole_rows(
      detail::CountedTriplets<S, sign>(options_.mining, options_.form, options_.margin, roles,
                                       memory, batch.upstream()),
      true, d);
}

template <class S, Kernel K>
template <int sets>
MinedTripletResult MinedTriplet<S, K>::run(detail::LabelledBatch<S, K, sets>& batch) const {
  MinedTripletResult result;
  Diagnostics& d = result.diagnostics;
  batch.count_anchors(d);
  detail::refuse_unusable(
      options_.unusable_anchors,
      batch.anchors_where([](bool positive, bool negative) { return !positive || !negative; }),
      "without a positive or a negative");
  const bool empty = batch.anchors() == 0 || batch.keys().rows == 0;
  const detail::AnchorTriplets* rows = empty ? nullptr : mine(batch, d);
  const auto each = [&](const auto& body) {
    for (Index i = 0; rows != nullptr && i < batch.anchors(); ++i) body(rows[i]);
  };
  each([&](const detail::AnchorTriplets& row) {
    d.terms += row.terms;
    d.active_terms += row.active;
    result.hard_triplets += row.hard;
    result.semihard_triplets += row.semihard;
    result.easy_triplets += row.easy;
  });
  batch.reduce([&](Index i) { return rows != nullptr ? rows[i].value : 0.0; }, result);
  batch.hand_back(batch.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LABEL_LOSS, MinedTriplet)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LABEL_LOSS, MinedTriplet)
#endif

}  // namespace nearfar
