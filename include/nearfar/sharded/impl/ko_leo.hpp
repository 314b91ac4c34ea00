#pragma once

#include "nearfar/losses/impl/ko_leo.hpp"
#include "nearfar/sharded/impl/sharded_directions.hpp"
#include "nearfar/sharded/ko_leo.hpp"

namespace nearfar::detail {

template <class S>
Result evaluate(const KoLeoOptions& options, const ShardedInputs<S, 1>& inputs) {
  const Chunks<S>& x = inputs.sets_of_rows[0];
  const KernelValue<S> cosine = kernel_value<S>(Cosine());
  ShardedCall<S> call(cosine, options.reduction, introduction("KoLeo", cosine, inputs, options, {}),
                      {ShardedSet<S>("x", x)}, inputs, x.rows(), [] {});
  return ko_leo<S>(call, [&](Index* nearest, Diagnostics& d) {
    const Index own = call.own_rows(0);
    for (Index i = 0; i < own; ++i) nearest[i] = i;
    const ScratchLoan loan(call.scratch());
    ShardedDirections<S> directions("KoLeo", call, nearest, own, nullptr);
    ShardedCall<S>& pairs = directions.call();
    auto term = pairs.template make<NearestRowTerm<S>>(0);
    Diagnostics range;
    pairs.run(term, 0, 0, range);
    pairs.team().settle();
    d.largest_score = range.largest_score;
    for (Index i = 0; i < own; ++i) nearest[i] = call.first_row(0) + term.key(i);
  });
}

}  // namespace nearfar::detail
