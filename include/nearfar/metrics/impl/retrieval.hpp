#pragma once

#include "nearfar/core/check_targets.hpp"
#include "nearfar/metrics/impl/ranked_positives.hpp"
#include "nearfar/metrics/impl/retrieval_sums.hpp"
#include "nearfar/metrics/retrieval.hpp"

namespace nearfar::detail {

/// Throws unless targets fit the rows and the options.
template <class S>
void check_ranked_targets(const RetrievalOptions& options, const TargetedRanks<S>& inputs) {
  const bool one = inputs.sets.same_rows;
  const NamedTargets of_queries{one ? "labels" : "query_labels", inputs.query_targets};
  const NamedTargets of_keys{one ? "labels" : "reference_labels", inputs.key_targets};
  check_targets(of_queries, inputs.sets.queries.rows(), of_keys, inputs.sets.keys.rows(), one);
  for (const NamedTargets& of : {of_queries, of_keys}) {
    refuse_unlabelled(of, "the option unlabelled of Retrieval");
  }
  if (of_queries.targets.has_weights()) {
    fail_argument(of_queries.name, "no weights of queries: all count alike", "weights");
  }
  if (options.unlabelled && of_queries.targets.rule() != Targets::Rule::labels) {
    fail_argument("unlabelled", "nothing, but where targets are labels", "a label");
  }
}

template <class S>
RetrievalResult evaluate(const RetrievalOptions& options, const KernelValue<S>& kernel,
                         const TargetedRanks<S>& inputs) {
  Ranking<S> ranking(kernel, inputs.sets);
  check_ranked_targets(options, inputs);
  RetrievalSums sums(options, ranking.queries());
  if (ranking.queries() == 0 || ranking.candidates() == 0) return sums.means(ranking.queries());
  Scratch& scratch = ranking.scratch();
  const Targets& of_queries = inputs.query_targets;
  const Targets& of_keys = inputs.key_targets;
  const PositiveRule<S> rule(scratch, of_queries, of_keys);
  PairMask mask{ranking.pairing(), {}};
  if (of_queries.has_ids() && of_keys.has_ids()) {
    mask.excluded = ExcludedPairs(scratch, of_queries.ids(), of_keys.ids());
  }
  const RankedCandidates<S> candidates(scratch, mask, rule, of_queries.labels(), of_keys.labels(),
                                       ranking.keys(),
                                       options.unlabelled ? &*options.unlabelled : nullptr);
  const auto size = static_cast<Index>(options.ks.size());
  auto* at = scratch.template take<AtCutOff>(ranking.queries() * size);
  PositivesMiner<S> miner(ranking, {options.ks.data(), size}, candidates, options.average_precision,
                          at);
  ranking.run(miner);
  for (Index i = 0; i < ranking.queries(); ++i) sums.add(i, miner[i], at + i * size);
  return sums.means(ranking.queries());
}

}  // namespace nearfar::detail
