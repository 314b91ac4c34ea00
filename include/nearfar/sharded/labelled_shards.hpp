#pragma once

#include "nearfar/core/check_tags.hpp"
#include "nearfar/core/tags.hpp"
#include "nearfar/sharded/introduce.hpp"
#include "nearfar/sharded/sharded_batch.hpp"

/// \file
/// What every sharded loss over labels does around its terms, once.

namespace nearfar::detail {

/// Own rows and labels of one call, compared with those of all processes.
template <class S, Kernel K>
class LabelledShards {
 public:
  /// As ShardedBatch; and counts each row's positives and negatives.
  LabelledShards(const Sharding& where, const K& kernel, const Introduction& introduction,
                 Reduction reduction, const Upstream* upstream, const Chunks<S>& x,
                 const Tags& tags, CallOptions<S>& call)
      : sets_{tagged(x, tags)},
        batch_(where, kernel, with_ids(introduction, tags), sets_, upstream, call,
               [&] { check(tags, reduction, upstream, x.rows()); }),
        reduction_(reduction) {
    if (upstream != nullptr) upstream_ = *upstream;
    batch_.team().agree([&] {
      positives_ = batch_.scratch().template take<Index>(x.rows());
      negatives_ = batch_.scratch().template take<Index>(x.rows());
    });
    batch_.count_pairs(positives_, negatives_);
  }

  ShardedBatch<S, K, 1>& batch() { return batch_; }
  const Team& team() const { return batch_.team(); }
  Index anchors() const { return batch_.rows(0); }
  Index positives(Index i) const { return positives_[i]; }
  Index negatives(Index i) const { return negatives_[i]; }
  const Index* positive_counts() const { return positives_; }
  /// dL/d(value) as weights need it: 1 when there is none.
  const Upstream& upstream() const { return upstream_; }

  /// Counts own anchors, and those without a positive or a negative.
  void count_anchors(Diagnostics& d) const {
    d.anchors = anchors();
    for (Index i = 0; i < anchors(); ++i) {
      d.anchors_without_positive += positives(i) == 0 ? 1 : 0;
      d.anchors_without_negative += negatives(i) == 0 ? 1 : 0;
    }
  }

  /// Refuses, on all processes, own anchors that cannot learn, when the policy says so.
  template <class IsUnusable>
  void refuse(UnusableAnchor policy, const IsUnusable& is_unusable, const char* why) const {
    team().agree([&] {
      std::int64_t count = 0;
      for (Index i = 0; i < anchors(); ++i) {
        count += is_unusable(positives(i) > 0, negatives(i) > 0) ? 1 : 0;
      }
      refuse_unusable(policy, count, why);
    });
  }

  template <class ValueOf>
  void reduce(const ValueOf& value_of, Result& result) const {
    batch_.reduce(reduction_, anchors(), value_of, result);
  }
  double scale(const Diagnostics& d) const { return gradient_scale(reduction_, d, upstream_); }

 private:
  static ShardedSet<S> tagged(const Chunks<S>& x, const Tags& tags) {
    ShardedSet<S> set("x", x);
    set.with_labels(tags.labels());
    return tags.has_ids() ? set.with_ids(tags.ids()) : set;
  }

  static Introduction with_ids(Introduction introduction, const Tags& tags) {
    introduction.add({{"ids", tags.has_ids() ? 1.0 : 0.0}});
    return introduction;
  }

  static void check(const Tags& tags, Reduction reduction, const Upstream* upstream, Index rows) {
    if (tags.rule() != Tags::Rule::labels) {
      fail_argument("labels", "one label a row, in a sharded call", "another rule");
    }
    if (tags.has_weights()) fail_argument("labels", "no weights in a sharded call", "weights");
    if (upstream != nullptr) check_upstream(*upstream, reduction, rows);
  }

  typename ShardedBatch<S, K, 1>::Sets sets_;
  ShardedBatch<S, K, 1> batch_;
  Reduction reduction_;
  Upstream upstream_{1.0};
  Index* positives_ = nullptr;
  Index* negatives_ = nullptr;
};

}  // namespace nearfar::detail
