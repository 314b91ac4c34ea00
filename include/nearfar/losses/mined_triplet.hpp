#pragma once

#include <cmath>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/mining/counted_triplets.hpp"
#include "nearfar/mining/selected_triplets.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/paired_rows.hpp"
#include "nearfar/tiles/walk.hpp"

namespace nearfar {

/// Settings of MinedTriplet.
struct MinedTripletOptions {
  double margin = 0.2;                                 ///< m >= 0, in the kernel's score
  TripletForm form = TripletForm::hinge;               ///< hinge, or soft margin
  Mining mining = Mining::batch_hard;                  ///< which triplets
  PositiveChoice positive = PositiveChoice::easy;      ///< for Mining::batch_easy_hard
  NegativeChoice negative = NegativeChoice::semihard;  ///< for Mining::batch_easy_hard
  /// Terms are the triplets mined: mean divides by their number, mean_nonzero by the number of
  /// those with a loss above zero.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when it has no positive or no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

/// What MinedTriplet returns. Counts are of all triplets of the batch, whichever are mined.
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
/// P positives an anchor, beside the products of scores and gradients; the soft margin O(N M P).
/// Extra memory O((N + M) D). Ties go to the lowest index. Immutable; shared by threads each with
/// its own Workspace; the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class MinedTriplet {
  static_assert(detail::maps_queries<K>() == detail::maps_keys<K>(),
                "nearfar: MinedTriplet needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the margin is finite and >= 0, and when positive and
  /// negative are both to be semi-hard, each of which waits for the other.
  explicit MinedTriplet(MinedTripletOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_not_negative("margin", options.margin);
    if (options.mining == Mining::batch_easy_hard && options.positive == PositiveChoice::semihard &&
        options.negative == NegativeChoice::semihard) {
      fail_argument("positive, negative", "at most one of them semihard", "both");
    }
  }

  const MinedTripletOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of a batch x (N x D) with one label a row. Without a triplet it is 0. Throws
  /// std::invalid_argument on shapes that do not fit, std::domain_error on an element that is not
  /// finite.
  MinedTripletResult forward(Rows<S> x, Labels labels, CallOptions<S> call = {}) const {
    return run(nullptr, x, labels, no_gradient, call);
  }

  /// The loss of anchors queries (N x D) whose positives and negatives are references (M x D), each
  /// with one label a row: cross-batch memory, or a gallery.
  MinedTripletResult forward(Rows<S> queries, Labels query_labels, Rows<S> references,
                             Labels reference_labels, CallOptions<S> call = {}) const {
    return run(nullptr, queries, query_labels, references, reference_labels, no_gradient,
               no_gradient, call);
  }

  /// Value and the gradients of it, in the shapes of their inputs.
  MinedTripletResult forward_backward(Rows<S> x, Labels labels, GradientRows<S> dx,
                                      CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, x.rows());
    return run(&one, x, labels, dx, call);
  }
  MinedTripletResult forward_backward(Rows<S> queries, Labels query_labels, Rows<S> references,
                                      Labels reference_labels, GradientRows<S> d_queries,
                                      GradientRows<S> d_references,
                                      CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options_.reduction, queries.rows());
    return run(&one, queries, query_labels, references, reference_labels, d_queries, d_references,
               call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none (an anchor's value is the sum of its triplets').
  MinedTripletResult backward(const Upstream& upstream, Rows<S> x, Labels labels,
                              GradientRows<S> dx, CallOptions<S> call = {}) const {
    return run(&upstream, x, labels, dx, call);
  }
  MinedTripletResult backward(const Upstream& upstream, Rows<S> queries, Labels query_labels,
                              Rows<S> references, Labels reference_labels,
                              GradientRows<S> d_queries, GradientRows<S> d_references,
                              CallOptions<S> call = {}) const {
    return run(&upstream, queries, query_labels, references, reference_labels, d_queries,
               d_references, call);
  }

 private:
  MinedTripletResult run(const Upstream* upstream, const Rows<S>& x, const Labels& labels,
                         GradientRows<S> dx, CallOptions<S> call) const;
  MinedTripletResult run(const Upstream* upstream, const Rows<S>& queries,
                         const Labels& query_labels, const Rows<S>& references,
                         const Labels& reference_labels, GradientRows<S> d_queries,
                         GradientRows<S> d_references, CallOptions<S> call) const;

  void count_unusable(const detail::Classes<S>& classes, Index queries, Index keys, bool same_rows,
                      Diagnostics& d) const;
  void mine(detail::Scratch& scratch, int threads, const Upstream* upstream,
            const detail::PreparedRows<S>& queries, const detail::PreparedRows<S>& keys,
            const detail::Relation<S>& relation, detail::RowGradients<S>& dq,
            detail::RowGradients<S>& dk, MinedTripletResult& result) const;
  void use_selected(detail::Scratch& scratch, int threads, const Upstream* upstream,
                    const detail::PreparedRows<S>& queries, const detail::PreparedRows<S>& keys,
                    detail::AnchorTriplets* rows, detail::RowGradients<S>& dq,
                    detail::RowGradients<S>& dk) const;

  MinedTripletOptions options_;
  K kernel_;
};

template <class S, Kernel K>
void MinedTriplet<S, K>::count_unusable(const detail::Classes<S>& classes, Index queries,
                                        Index keys, bool same_rows, Diagnostics& d) const {
  std::int64_t unusable = 0;
  d.anchors = queries;
  for (Index i = 0; i < queries; ++i) {
    const bool no_positive = classes.members[i] == (same_rows ? 1 : 0);
    const bool no_negative = classes.members[i] == keys;
    d.anchors_without_positive += no_positive ? 1 : 0;
    d.anchors_without_negative += no_negative ? 1 : 0;
    unusable += no_positive || no_negative ? 1 : 0;
  }
  detail::refuse_unusable(options_.unusable_anchors, unusable, "without a positive or a negative");
}

template <class S, Kernel K>
void MinedTriplet<S, K>::use_selected(detail::Scratch& scratch, int threads,
                                      const Upstream* upstream,
                                      const detail::PreparedRows<S>& queries,
                                      const detail::PreparedRows<S>& keys,
                                      detail::AnchorTriplets* rows, detail::RowGradients<S>& dq,
                                      detail::RowGradients<S>& dk) const {
  constexpr int sign = detail::nearness_sign<K>;
  const Index n = queries.rows;
  struct Pairs {
    Index* partner;
    S* u;
    S* s;
    S* g;
  };
  const auto score = [&](Index detail::AnchorTriplets::*chosen) {
    Pairs pairs{scratch.take<Index>(n), scratch.take<S>(n), scratch.take<S>(n), scratch.take<S>(n)};
    // An anchor without a triplet is paired with any row; its weight stays 0.
    for (Index i = 0; i < n; ++i) pairs.partner[i] = std::max<Index>(rows[i].*chosen, 0);
    detail::paired_scores(threads, kernel_, queries, keys, pairs.u, pairs.s, pairs.partner);
    std::fill(pairs.g, pairs.g + n, S(0));
    return pairs;
  };
  const Pairs positive = score(&detail::AnchorTriplets::positive);
  const Pairs negative = score(&detail::AnchorTriplets::negative);
  for (Index i = 0; i < n; ++i) {
    if (rows[i].terms == 0) continue;
    const double gap =
        sign * (static_cast<double>(negative.s[i]) - static_cast<double>(positive.s[i]));
    const detail::TripletTerm term(options_.form, gap + options_.margin);
    rows[i].value = term.value;
    rows[i].active = term.value > 0 ? 1 : 0;
    if (upstream == nullptr) continue;
    const S g = static_cast<S>(sign * term.slope * detail::row_upstream(*upstream, i));
    positive.g[i] = -g;
    negative.g[i] = g;
  }
  for (const Pairs& pairs : {positive, negative}) {
    if (!dq.wanted() && !dk.wanted()) break;
    detail::add_paired_gradients(threads, kernel_, queries, keys, pairs.u, pairs.s, pairs.g, dq, dk,
                                 pairs.partner);
  }
}

template <class S, Kernel K>
void MinedTriplet<S, K>::mine(detail::Scratch& scratch, int threads, const Upstream* upstream,
                              const detail::PreparedRows<S>& queries,
                              const detail::PreparedRows<S>& keys,
                              const detail::Relation<S>& relation, detail::RowGradients<S>& dq,
                              detail::RowGradients<S>& dk, MinedTripletResult& result) const {
  constexpr int sign = detail::nearness_sign<K>;
  Diagnostics& d = result.diagnostics;
  if (queries.rows == 0 || keys.rows == 0) return;
  auto* memory = scratch.take<detail::AnchorScratch<S>>(threads);
  for (int t = 0; t < threads; ++t) memory[t] = detail::AnchorScratch<S>(scratch, keys.rows);
  detail::Walk<S, K> walk(scratch, threads, kernel_, queries, keys,
                          relation.same_rows ? detail::Pairing::others : detail::Pairing::all);
  const Upstream one(1.0);
  const bool selects =
      options_.mining == Mining::batch_hard || options_.mining == Mining::batch_easy_hard;
  detail::AnchorTriplets* rows = nullptr;
  if (selects) {
    const bool hard = options_.mining == Mining::batch_hard;
    const detail::SelectedTriplets<S, sign> selection(
        hard ? PositiveChoice::hard : options_.positive,
        hard ? NegativeChoice::hard : options_.negative, options_.margin, relation, memory);
    detail::RowGradients<S> none;
    rows = walk.whole_rows(selection, none, none, d);
    use_selected(scratch, threads, upstream, queries, keys, rows, dq, dk);
  } else {
    const detail::CountedTriplets<S, sign> counting(options_.mining, options_.form, options_.margin,
                                                    relation, memory,
                                                    upstream != nullptr ? *upstream : one);
    rows = walk.whole_rows(counting, dq, dk, d);
  }
  for (Index i = 0; i < queries.rows; ++i) {
    d.terms += rows[i].terms;
    d.active_terms += rows[i].active;
    result.hard_triplets += rows[i].hard;
    result.semihard_triplets += rows[i].semihard;
    result.easy_triplets += rows[i].easy;
  }
  detail::reduce_rows(
      options_.reduction, queries.rows, [&](Index i) { return rows[i].value; }, result);
}

template <class S, Kernel K>
MinedTripletResult MinedTriplet<S, K>::run(const Upstream* upstream, const Rows<S>& x,
                                           const Labels& labels, GradientRows<S> dx,
                                           CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  detail::check_rows<S>(kernel_, threads, {{"x", x, Side::query}});
  check_label_count("labels", labels, x.rows());
  MinedTripletResult result;
  const detail::Classes<S> classes = detail::classify<S>(scratch, labels);
  count_unusable(classes, x.rows(), x.rows(), true, result.diagnostics);
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, x.rows());
    dx.check_shape("dx", x.rows(), x.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }
  detail::Batch<S, K, 1> batch(scratch, threads, kernel_, {{{"x", x, Side::query}}});
  detail::RowGradients<S> none;
  detail::RowGradients<S>& gradients = upstream != nullptr ? batch.want(0, dx, call) : none;
  mine(scratch, threads, upstream, batch.rows(0), batch.rows(0), {classes.code, classes.code, true},
       gradients, gradients, result);
  if (upstream == nullptr) return result;
  batch.hand_back(detail::gradient_scale(options_.reduction, result.diagnostics, *upstream), {&dx},
                  call);
  return result;
}

template <class S, Kernel K>
MinedTripletResult MinedTriplet<S, K>::run(const Upstream* upstream, const Rows<S>& queries,
                                           const Labels& query_labels, const Rows<S>& references,
                                           const Labels& reference_labels,
                                           GradientRows<S> d_queries, GradientRows<S> d_references,
                                           CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  detail::check_rows<S>(kernel_, threads,
                        {{"queries", queries, Side::query}, {"references", references, Side::key}});
  check_label_count("query_labels", query_labels, queries.rows());
  check_label_count("reference_labels", reference_labels, references.rows());
  MinedTripletResult result;
  S* reference_codes = nullptr;
  const detail::Classes<S> classes =
      detail::classify<S>(scratch, query_labels, reference_labels, reference_codes);
  count_unusable(classes, queries.rows(), references.rows(), false, result.diagnostics);
  if (upstream != nullptr) {
    detail::check_upstream(*upstream, options_.reduction, queries.rows());
    d_queries.check_shape("d_queries", queries.rows(), queries.cols());
    d_references.check_shape("d_references", references.rows(), references.cols());
    detail::check_parameter_gradient<S>(kernel_, call);
  }
  detail::Batch<S, K, 2> batch(
      scratch, threads, kernel_,
      {{{"queries", queries, Side::query}, {"references", references, Side::key}}});
  detail::RowGradients<S> none;
  detail::RowGradients<S>& dq = upstream != nullptr ? batch.want(0, d_queries, call) : none;
  detail::RowGradients<S>& dr = upstream != nullptr ? batch.want(1, d_references, call) : none;
  mine(scratch, threads, upstream, batch.rows(0), batch.rows(1),
       {classes.code, reference_codes, false}, dq, dr, result);
  if (upstream == nullptr) return result;
  batch.hand_back(detail::gradient_scale(options_.reduction, result.diagnostics, *upstream),
                  {&d_queries, &d_references}, call);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SYMMETRIC_SIMILARITY(NEARFAR_EXTERN_LOSS, MinedTriplet)
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LOSS, MinedTriplet)
#endif

}  // namespace nearfar
