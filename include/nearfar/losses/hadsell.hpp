#pragma once

#include <string>

#include "nearfar/core/instantiate.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/terms/label_calls.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/paired_rows.hpp"
#include "nearfar/tiles/relation.hpp"

namespace nearfar {

/// The factor of the squares in HadsellContrastive.
enum class SquareFactor {
  half,  ///< d^2 / 2: the paper, Caffe
  one    ///< d^2: TensorFlow Addons
};

/// Settings of HadsellContrastive.
struct HadsellOptions {
  double margin = 1.0;  ///< m > 0, in the kernel's distance: dissimilar pairs farther apart rest
  SquareFactor factor = SquareFactor::half;
  Reduction reduction = Reduction::mean;  ///< terms are pairs
  /// An anchor over labels is unusable when there is no other row to form a pair with.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;
};

namespace detail {

/// Hadsell's loss of one distance d: d^2/2 when similar, max(0, m - d)^2/2 when not. Both are half
/// the square of one length, which is also, up to its sign, the derivative.
template <class T>
struct HadsellTerm {
  T length;
  T slope;

  NEARFAR_ALWAYS_INLINE HadsellTerm(T distance, T margin, T code, T other_code) {
    const T gap = max(margin - distance, constant<T>(0));
    length = select_equal(code, other_code, distance, gap);
    slope = select_equal(code, other_code, distance, constant<T>(0) - gap);
  }
};

struct HadsellRow {
  double value;
  std::int64_t active;
};

/// Pairs over labels as the walk sees them. `share` of each pair it is shown belongs to the row: 1
/// when it is shown once, 1/2 when once from each side; times the factor of squares.
template <class S>
class HadsellRows {
 public:
  using Row = HadsellRow;
  static constexpr bool scores_are_independent = true;

  HadsellRows(double margin, double share, const Relation<S>& relation, const Upstream& upstream)
      : margin_(static_cast<S>(margin)), share_(share), relation_(relation), upstream_(upstream) {}

  Row start(Index) const { return {0, 0}; }

  void observe(Row& row, Index i, Index first, Index n, const S* s) const {
    const RowCodes<S> codes(relation_, i, first, n);
    ElementSum<S> squares;
    ElementSum<S> zeros;
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      const T zero = constant<T>(0);
      const HadsellTerm<T> term = term_at<T>(codes, j, s);
      squares += term.length * term.length;
      zeros += select_equal(term.length, zero, constant<T>(1), zero);
    });
    row.value += share_ * 0.5 * squares.total();
    row.active += n - static_cast<std::int64_t>(zeros.total());
  }

  void close(Row&, Index) const {}

  void differentiate(Row&, Index i, Index first, Index n, const S* s, S* g) const {
    const RowCodes<S> codes(relation_, i, first, n);
    const double factor = share_ * row_upstream(upstream_, i);
    each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
      store(g + j, term_at<T>(codes, j, s).slope * constant<T>(factor));
    });
  }

 private:
  template <class T>
  NEARFAR_ALWAYS_INLINE HadsellTerm<T> term_at(const RowCodes<S>& codes, Index j,
                                               const S* s) const {
    return {load<T>(s + j), constant<T>(static_cast<double>(margin_)), spread<T>(codes.own),
            load<T>(codes.key + j)};
  }

  S margin_;
  double share_;
  const Relation<S>& relation_;
  const Upstream& upstream_;
};

}  // namespace detail

/// Contrastive loss of pairs: similar rows are drawn together, dissimilar ones pushed apart until
/// the margin (Hadsell, Chopra & LeCun, Dimensionality reduction by learning an invariant mapping,
/// 2006, eq. 4, with their Y = 1 - same):
///
///     L = same * d^2 / 2 + (1 - same) * max(0, m - d)^2 / 2
///
/// with d the distance of kernel K (Euclidean by default; any kernel that is a distance).
/// dL/dd = d for similar pairs, -(m - d) for dissimilar ones nearer than m, else 0. With
/// SquareFactor::one value and gradient are twice that.
///
/// Three forms: pairs given (row i of a with row i of b; terms are the N pairs); all pairs i < j of
/// a labelled batch, similar when the labels are equal (terms are the N (N - 1) / 2 pairs); and all
/// pairs of a query and a reference (terms are the N M pairs). With Reduction::none, and with
/// weights of anchors, each row of a labelled batch has half of each of its pairs, so that the
/// values sum to the sum of all pairs; in pairs with references all is the query's.
///
/// The labelled forms hold no N x M matrix: O(N D) extra memory; 3 N^2 D floating point operations
/// forward and backward by the symmetry of distances. Objects are immutable and may be shared by
/// threads, each with its own Workspace; results have the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class HadsellContrastive : public LabelCalls<HadsellContrastive<S, K>, S, K, Result> {
  using OverLabels = LabelCalls<HadsellContrastive, S, K, Result>;

  static_assert(K::orientation == Orientation::distance,
                "nearfar: HadsellContrastive needs a kernel that is a distance (Euclidean, "
                "SquaredEuclidean, CosineDistance, Mahalanobis); a similarity has no margin to "
                "push to");

 public:
  using Outcome = Result;

  /// Throws std::invalid_argument unless the margin is finite and > 0.
  explicit HadsellContrastive(HadsellOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_positive("margin", options.margin);
  }

  const HadsellOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// Pairs: rows of a and b (both N x D), same (N numbers, 1 for a similar pair, 0 for another).
  /// Throws std::invalid_argument on shapes or flags that do not fit, std::domain_error on an
  /// element that is not finite.
  Result forward(Rows<S> a, Rows<S> b, Labels same, CallOptions<S> call = {}) const;

  /// Value and the gradients of it, N x D.
  Result forward_backward(Rows<S> a, Rows<S> b, Labels same, GradientRows<S> da, GradientRows<S> db,
                          CallOptions<S> call = {}) const;

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, or N numbers
  /// with Reduction::none.
  Result backward(const Upstream& upstream, Rows<S> a, Rows<S> b, Labels same, GradientRows<S> da,
                  GradientRows<S> db, CallOptions<S> call = {}) const;

  // All pairs over labels: of a batch, and of queries with references.
  using OverLabels::backward;
  using OverLabels::forward;
  using OverLabels::forward_backward;

 private:
  friend OverLabels;

  template <int sets>
  Result run(detail::LabelledBatch<S, K, sets>& batch) const;

  void check_pairs(const Rows<S>& a, const Rows<S>& b, const Labels& same, int threads) const;
  Result pair_values(const S* scores, const Labels& same, Index count) const;

  double factor() const { return options_.factor == SquareFactor::half ? 1.0 : 2.0; }

  detail::HadsellTerm<S> pair_term(S distance, std::int64_t same) const {
    return {distance, static_cast<S>(options_.margin), S(1), static_cast<S>(same)};
  }

  HadsellOptions options_;
  K kernel_;
};

template <class S, Kernel K>
void HadsellContrastive<S, K>::check_pairs(const Rows<S>& a, const Rows<S>& b, const Labels& same,
                                           int threads) const {
  using detail::Side;
  if (a.rows() != b.rows()) fail_shape("b", a.rows(), a.cols(), b.rows(), b.cols());
  detail::check_rows<S>(kernel_, threads, {{"a", a, Side::query}, {"b", b, Side::key}});
  check_label_count("same", same, a.rows());
  for (Index i = 0; i < same.size(); ++i) {
    if (same[i] != 0 && same[i] != 1) {
      fail_argument("same", "0 or 1 for each pair",
                    std::to_string(same[i]) + " for pair " + std::to_string(i));
    }
  }
}

template <class S, Kernel K>
Result HadsellContrastive<S, K>::pair_values(const S* scores, const Labels& same,
                                             Index count) const {
  Result result;
  result.diagnostics = detail::score_extremes<K>(scores, count);
  Diagnostics& d = result.diagnostics;
  d.anchors = d.terms = count;
  const auto value_of = [&](Index i) {
    const double length = static_cast<double>(pair_term(scores[i], same[i]).length);
    return 0.5 * factor() * length * length;
  };
  for (Index i = 0; i < count; ++i) {
    if (value_of(i) > 0) ++d.active_terms;
  }
  detail::reduce_rows(options_.reduction, count, value_of, result);
  return result;
}

template <class S, Kernel K>
Result HadsellContrastive<S, K>::forward(Rows<S> a, Rows<S> b, Labels same,
                                         CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  check_pairs(a, b, same, threads);
  detail::Batch<S, K, 2> batch(scratch, threads, kernel_,
                               {{{"a", a, Side::query}, {"b", b, Side::key}}});
  S* u = scratch.take<S>(a.rows());
  S* s = scratch.take<S>(a.rows());
  detail::paired_scores(threads, kernel_, batch.rows(0), batch.rows(1), u, s);
  return pair_values(s, same, a.rows());
}

template <class S, Kernel K>
Result HadsellContrastive<S, K>::backward(const Upstream& upstream, Rows<S> a, Rows<S> b,
                                          Labels same, GradientRows<S> da, GradientRows<S> db,
                                          CallOptions<S> call) const {
  using detail::Side;
  detail::Scratch scratch(call.workspace);
  const int threads = detail::available_threads(scratch.threads());
  check_pairs(a, b, same, threads);
  detail::check_upstream(upstream, options_.reduction, a.rows());
  da.check_shape("da", a.rows(), a.cols());
  db.check_shape("db", b.rows(), b.cols());
  detail::check_parameter_gradient<S>(kernel_, call);

  detail::Batch<S, K, 2> batch(scratch, threads, kernel_,
                               {{{"a", a, Side::query}, {"b", b, Side::key}}});
  S* u = scratch.take<S>(a.rows());
  S* s = scratch.take<S>(a.rows());
  S* g = scratch.take<S>(a.rows());
  detail::paired_scores(threads, kernel_, batch.rows(0), batch.rows(1), u, s);
  Result result = pair_values(s, same, a.rows());
  for (Index i = 0; i < a.rows(); ++i) {
    g[i] = pair_term(s[i], same[i]).slope *
           static_cast<S>(factor() * detail::row_upstream(upstream, i));
  }
  detail::add_paired_gradients(threads, kernel_, batch.rows(0), batch.rows(1), u, s, g,
                               batch.want(0, da, call), batch.want(1, db, call));
  batch.hand_back(detail::gradient_scale(options_.reduction, result.diagnostics, upstream),
                  {&da, &db}, call);
  return result;
}

template <class S, Kernel K>
Result HadsellContrastive<S, K>::forward_backward(Rows<S> a, Rows<S> b, Labels same,
                                                  GradientRows<S> da, GradientRows<S> db,
                                                  CallOptions<S> call) const {
  return backward(detail::unit_upstream(options_.reduction, a.rows()), a, b, same, da, db, call);
}

template <class S, Kernel K>
template <int sets>
Result HadsellContrastive<S, K>::run(detail::LabelledBatch<S, K, sets>& batch) const {
  Result result;
  Diagnostics& d = result.diagnostics;
  batch.count_anchors(d);
  detail::refuse_unusable(
      options_.unusable_anchors,
      batch.anchors_where([](bool positive, bool negative) { return !positive && !negative; }),
      "without another row to form a pair with");
  // Rows with values of their own need every pair from both sides; else once is enough.
  const bool once = options_.reduction != Reduction::none && batch.pairs_are_mutual();
  const bool twice = batch.same_rows && !once;
  const detail::HadsellRows<S> loss(options_.margin, factor() * (twice ? 0.5 : 1.0),
                                    batch.relation(), batch.upstream());
  const detail::HadsellRow* rows = once ? batch.run_once(loss, d) : batch.run(loss, d);
  for (Index i = 0; i < d.anchors; ++i) {
    d.terms += batch.positives(i) + batch.negatives(i);
    d.active_terms += rows[i].active;
  }
  if (batch.same_rows) d.terms /= 2;
  if (twice) {
    d.active_terms /= 2;
    d.zero_distances /= 2;
  }
  batch.reduce([&](Index i) { return rows[i].value; }, result);
  batch.hand_back(batch.scale(d));
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_DISTANCE(NEARFAR_EXTERN_LABEL_LOSS, HadsellContrastive)
#endif

}  // namespace nearfar
