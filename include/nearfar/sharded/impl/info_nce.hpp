#pragma once

#include <string>

#include "nearfar/losses/impl/info_nce.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/sharded/info_nce.hpp"

namespace nearfar::detail {

/// Throws where the positive of a query is left out and the query is not, or the other way round;
/// and where positives have numbers, which count keys that are left out.
inline void check_positives_kept(const InfoNceTargets& targets, Index queries) {
  const auto is_left_out = [](const Targets& of, Index i) {
    return of.has_unlabelled() && i < of.ids().size() && of.ids()[i] == of.unlabelled_value();
  };
  if (!targets.of_queries.has_unlabelled() && !targets.of_keys.has_unlabelled()) return;
  if (targets.positives != nullptr) {
    fail_argument("positives", "no numbers where keys may be unlabelled, on shards", "numbers");
  }
  for (Index i = 0; i < queries; ++i) {
    if (is_left_out(targets.of_queries, i) != is_left_out(targets.of_keys, i)) {
      fail_argument("key_targets", "a query and its positive to be unlabelled together",
                    "one of them alone at row " + std::to_string(i));
    }
  }
}

template <class S>
InfoNceResult evaluate(const InfoNceOptions& options, const KernelValue<S>& kernel,
                       const ShardedInputs<S, 2>& inputs, const InfoNceTargets& targets) {
  const Chunks<S>& queries = inputs.sets_of_rows[0];
  const Chunks<S>& keys = inputs.sets_of_rows[1];
  const Index n = queries.rows();
  ShardedCall<S> call(
      kernel, options.reduction,
      introduction("InfoNce", kernel, inputs, options,
                   {{"temperature", options.temperature},
                    {"denominator", static_cast<double>(options.denominator)},
                    {"positives by number", targets.positives != nullptr ? 1.0 : 0.0},
                    {"ids", targets.of_queries.has_ids() ? 1.0 : 0.0}}),
      {ShardedSet<S>("queries", queries).with_pairs(targets.of_queries),
       ShardedSet<S>("keys", keys).with_pairs(targets.of_keys)},
      inputs, n, [&] {
        if (targets.positives == nullptr && keys.rows() < n) {
          fail_argument("keys", "a key for each of " + std::to_string(n) + " queries",
                        std::to_string(keys.rows()) + " keys");
        }
        check_positives_kept(targets, n);
        check_ids_alone({"query_targets", targets.of_queries}, n, {"key_targets", targets.of_keys},
                        keys.rows());
      });
  return info_nce<S>(options, call, targets.positives);
}

}  // namespace nearfar::detail
