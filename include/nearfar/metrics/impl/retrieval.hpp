#pragma once

#include "nearfar/metrics/impl/ranked_positives.hpp"
#include "nearfar/metrics/impl/retrieval_sums.hpp"
#include "nearfar/metrics/retrieval.hpp"

namespace nearfar::detail {

template <class S>
RetrievalResult evaluate(const RetrievalOptions& options, const KernelValue<S>& kernel,
                         const RankedInputs<S>& inputs) {
  Ranking<S> ranking(kernel, inputs.sets);
  ranking.check_labels(inputs);
  RetrievalSums sums(options, ranking.queries(), ranking.candidates());
  if (ranking.candidates() == 0) return sums.means(ranking.queries());
  Scratch& scratch = ranking.scratch();
  S* reference_codes = nullptr;
  const Classes<S> classes =
      classify<S>(scratch, inputs.query_labels, inputs.key_labels, reference_codes);
  const SameClass<S> positives{{classes.code, reference_codes}, ranking.same_rows()};
  const auto size = static_cast<Index>(options.ks.size());
  auto* hits = scratch.template take<Index>(ranking.queries() * size);
  PositivesMiner<S> miner(ranking, {options.ks.data(), size}, positives, classes.members, hits);
  ranking.run(miner);
  for (Index i = 0; i < ranking.queries(); ++i) sums.add(i, miner[i], hits + i * size);
  return sums.means(ranking.queries());
}

}  // namespace nearfar::detail
