#pragma once

#include <numeric>
#include <optional>
#include <string>

#include "nearfar/core/check_tags.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/mutual_walk.hpp"
#include "nearfar/tiles/relation.hpp"
#include "nearfar/tiles/walk.hpp"

/// \file
/// What every call of a loss over labels does around its terms, once: a set of rows compared with
/// itself, or queries compared with references that have tags of their own.

namespace nearfar::detail {

/// Whether a loss knows what to do with weights of listed positives.
enum class PairWeights { refused, used };

/// One call: checks, the walk, and the gradients' way back. `sets` is 1 for rows compared with each
/// other, 2 for queries against references.
template <class S, Kernel K, int sets>
class LabelledBatch {
  static_assert(maps_queries<K>() == maps_keys<K>(),
                "nearfar: a loss over labels needs a kernel that treats both rows alike");

 public:
  using Sets = std::array<NamedRows<S>, static_cast<std::size_t>(sets)>;
  using SetTags = std::array<NamedTags, static_cast<std::size_t>(sets)>;
  using Gradients = std::array<GradientRows<S>*, static_cast<std::size_t>(sets)>;

  /// Checks everything; throws before any output is touched. Without `upstream` there will be no
  /// gradients. Arguments must outlive the object.
  LabelledBatch(const K& kernel, Reduction reduction, PairWeights pair_weights,
                const Upstream* upstream, const Sets& rows, const SetTags& tags,
                const Gradients& gradients, CallOptions<S>& call)
      : scratch_(call.workspace),
        threads_(available_threads(scratch_.threads())),
        kernel_(kernel),
        reduction_(reduction),
        wants_gradients_(upstream != nullptr),
        gradients_(gradients),
        call_(call) {
    if constexpr (sets == 1) {
      check_rows<S>(kernel, threads_, {rows[0]});
    } else {
      check_rows<S>(kernel, threads_, {rows[0], rows[1]});
    }
    const NamedTags& own = tags.front();
    const NamedTags& other = tags.back();
    check_tags(own, rows.front().rows.rows(), other, rows.back().rows.rows(), sets == 1);
    if (pair_weights == PairWeights::refused && !own.tags.lists().weights.empty())
      fail_argument(own.name, "lists without weights for this loss", "weights");
    if (upstream != nullptr) {
      check_upstream(*upstream, reduction, rows[0].rows.rows());
      for (std::size_t k = 0; k < rows.size(); ++k) {
        const std::string name = (sets == 1 ? "d" : "d_") + std::string(rows[k].name);
        gradients[k]->check_shape(name.c_str(), rows[k].rows.rows(), rows[k].rows.cols());
      }
      check_parameter_gradient<S>(kernel, call);
      upstream_ = *upstream;
    }
    if (own.tags.has_weights()) upstream_ = upstream_.weighted(own.tags.weights().data());
    weighted_ = own.tags.has_weights();
    relation_ = Relation<S>(scratch_, own.tags, other.tags);
    if (own.tags.has_ids()) {
      query_ids_ = own.tags.ids();
      key_ids_ = other.tags.ids();
      exclusions_ = Exclusions(scratch_, query_ids_, key_ids_);
    }
    batch_.emplace(scratch_, threads_, kernel_, rows);
    count_pairs();
    if (wants_gradients_) {
      d_queries_ = &batch_->want(0, *gradients_[0], call_);
      d_keys_ = sets == 1 ? d_queries_ : &batch_->want(sets - 1, *gradients_.back(), call_);
    }
  }

  static constexpr bool same_rows = sets == 1;
  Index anchors() const { return queries().rows; }
  const PreparedRows<S>& queries() const { return batch_->rows(0); }
  const PreparedRows<S>& keys() const { return batch_->rows(sets - 1); }
  const Relation<S>& relation() const { return relation_; }
  const Exclusions& exclusions() const { return exclusions_; }
  /// dL/d(value) as weights need it: 1 when there is none; anchors' weights are in it.
  const Upstream& upstream() const { return upstream_; }
  bool wants_gradients() const { return wants_gradients_; }
  /// Gradients of the prepared rows; not wanted() where the call wants none.
  RowGradients<S>& d_queries() { return *d_queries_; }
  RowGradients<S>& d_keys() { return *d_keys_; }
  Scratch& scratch() { return scratch_; }
  int threads() const { return threads_; }

  const Index* positive_counts() const { return positives_; }
  Index positives(Index i) const { return positives_[i]; }
  Index negatives(Index i) const { return negatives_[i]; }

  /// Number of anchors for which is_one(has a positive, has a negative).
  template <class IsOne>
  std::int64_t anchors_where(const IsOne& is_one) const {
    std::int64_t count = 0;
    for (Index i = 0; i < anchors(); ++i) {
      count += is_one(positives(i) > 0, negatives(i) > 0) ? 1 : 0;
    }
    return count;
  }

  /// Counts anchors, and those without a positive or a negative.
  void count_anchors(Diagnostics& d) const {
    d.anchors = anchors();
    d.anchors_without_positive = anchors_where([](bool positive, bool) { return !positive; });
    d.anchors_without_negative = anchors_where([](bool, bool negative) { return !negative; });
  }

  /// Whether positives are the other rows of a class and negatives all of the other classes.
  bool is_by_class() const { return same_rows && relation_.by_labels() && !exclusions_.any(); }

  /// Whether both rows of a pair see it in the same way, so that it may be shown once.
  bool pairs_are_mutual() const { return is_by_class() && !weighted_; }

  /// Statistics of all anchors, without gradients.
  template <class P>
  typename P::Row* look(const P& loss, Diagnostics& d) {
    if constexpr (same_rows) {
      return mutual_walk().forward(loss, d).queries;
    } else {
      return walk().forward(loss, d);
    }
  }

  /// Statistics of all anchors, with gradients when the call wants any.
  template <class P>
  typename P::Row* run(const P& loss, Diagnostics& d) {
    if (!wants_gradients_) return look(loss, d);
    if constexpr (same_rows) {
      return mutual_walk().forward_backward(loss, d_queries(), d_queries(), d).queries;
    } else {
      return walk().forward_backward(loss, d_queries(), d_keys(), d);
    }
  }

  /// As run, with each unordered pair shown once, from its first row; for mutual pairs.
  template <class P>
  typename P::Row* run_once(const P& loss, Diagnostics& d) {
    Walk<S, K> walk(scratch_, threads_, kernel_, queries(), keys(), Pairing::upper);
    if (!wants_gradients_) return walk.forward(loss, d);
    return walk.forward_backward(loss, d_queries(), d_keys(), d);
  }

  /// Statistics of all anchors, of a loss that needs one pass, with gradients when the call wants
  /// any.
  template <class P>
  typename P::Row* run_in_one_pass(const P& loss, Diagnostics& d) {
    static_assert(same_rows);
    // What a loss keeps of a key is fetched once a strip: where there are strips enough, higher
    // ones pay.
    const Index usual = StripProducts<S>::height(anchors());
    MutualWalk<S, K> walk(scratch_, threads_, kernel_, queries(), keys(), exclusions_,
                          anchors() >= 4096 ? 2 * usual : usual);
    return walk.one_pass(loss, d_queries(), d);
  }

  /// The same for a loss that must see whole rows; `gradients` false where it hands them out
  /// itself.
  template <class P>
  typename P::Row* run_whole_rows(const P& loss, bool gradients, Diagnostics& d) {
    return walk().whole_rows(loss, gradients ? d_queries() : none_, gradients ? d_keys() : none_,
                             d);
  }

  /// The rule as the keys see it.
  Relation<S> relation_from_keys() {
    return same_rows ? relation_ : relation_.reversed(scratch_, anchors(), keys().rows);
  }

  /// Statistics of all keys over the queries, with gradients where `gradients` and wanted.
  template <class P>
  typename P::Row* run_from_keys(const P& loss, bool gradients) {
    static_assert(!same_rows, "nearfar: the same as from the queries");
    Diagnostics again;  // the same scores
    const Exclusions from_keys =
        exclusions_.any() ? Exclusions(scratch_, key_ids_, query_ids_) : exclusions_;
    Walk<S, K> walk(scratch_, threads_, kernel_, keys(), queries(), Pairing::all, from_keys);
    if (!gradients || !wants_gradients_) return walk.forward(loss, again);
    return walk.forward_backward(loss, d_keys(), d_queries(), again);
  }

  /// Sets value and values from the anchors' values value_of(i), each times its weight.
  template <class ValueOf>
  void reduce(Reduction reduction, const ValueOf& value_of, Result& result) const {
    reduce_rows(
        reduction, anchors(), [&](Index i) { return upstream_.weight(i) * value_of(i); }, result);
  }
  template <class ValueOf>
  void reduce(const ValueOf& value_of, Result& result) const {
    reduce(reduction_, value_of, result);
  }

  /// What gradients are multiplied by, once the terms are counted.
  double scale(const Diagnostics& d) const { return gradient_scale(reduction_, d, upstream()); }

  /// Gradients times `scale` into the caller's buffers, when the call wants any.
  void hand_back(double scale) {
    if (wants_gradients_) batch_->hand_back(scale, gradients_, call_);
  }

 private:
  Walk<S, K>& walk() {
    if (!walk_) {
      walk_.emplace(scratch_, threads_, kernel_, queries(), keys(),
                    same_rows ? Pairing::others : Pairing::all, exclusions_);
    }
    return *walk_;
  }

  MutualWalk<S, K>& mutual_walk() {
    if (!mutual_walk_) {
      mutual_walk_.emplace(scratch_, threads_, kernel_, queries(), keys(), exclusions_);
    }
    return *mutual_walk_;
  }

  void count_pairs() {
    const Index m = keys().rows;
    positives_ = scratch_.take<Index>(anchors());
    negatives_ = scratch_.take<Index>(anchors());
    if (relation_.by_labels() && !exclusions_.any()) {
      for (Index i = 0; i < anchors(); ++i) {
        positives_[i] = relation_.members(i) - (same_rows ? 1 : 0);
        negatives_[i] = m - relation_.members(i);
      }
      return;
    }
    constexpr Index rows_a_task = 16;
    parallel_tasks(tasks_of(anchors(), rows_a_task), threads_, [&](Index t, int) {
      const Index end = std::min(anchors(), (t + 1) * rows_a_task);
      for (Index i = t * rows_a_task; i < end; ++i) count_pairs_of(i, m);
    });
  }

  void count_pairs_of(Index i, Index m) {
    S match[stretch];
    Index seen = 0;
    double positive = 0;
    for (Index first = 0; first < m; first += stretch) {
      const Index n = std::min(stretch, m - first);
      relation_.match(i, first, n, match);
      const auto count = [&](Index from, Index some) {
        seen += some;
        positive += std::accumulate(match + (from - first), match + (from - first + some), 0.0);
      };
      if (exclusions_.any()) {
        exclusions_.each_part(i, first, first + n, count);
        continue;
      }
      count(first, n);
      if (same_rows && i >= first && i < first + n) {
        --seen;
        positive -= static_cast<double>(match[i - first]);
      }
    }
    positives_[i] = static_cast<Index>(positive);
    negatives_[i] = seen - positives_[i];
  }

  Scratch scratch_;
  int threads_;
  const K& kernel_;
  Reduction reduction_;
  bool wants_gradients_;
  Upstream upstream_{1.0};
  bool weighted_ = false;
  Gradients gradients_;
  CallOptions<S>& call_;
  Relation<S> relation_;
  Exclusions exclusions_;
  Labels query_ids_;
  Labels key_ids_;
  Index* positives_ = nullptr;
  Index* negatives_ = nullptr;
  RowGradients<S> none_;
  RowGradients<S>* d_queries_ = &none_;
  RowGradients<S>* d_keys_ = &none_;
  std::optional<Batch<S, K, sets>> batch_;
  std::optional<Walk<S, K>> walk_;
  std::optional<MutualWalk<S, K>> mutual_walk_;
};

}  // namespace nearfar::detail
