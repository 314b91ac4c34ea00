#pragma once

#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

/// \file
/// What sharded losses with one positive a row have in common.

namespace nearfar::detail {

/// Throws unless there are as many rows as the other set has.
inline void check_shard_rows(const char* name, Index rows, const char* of, Index wanted) {
  if (rows != wanted) {
    fail_argument(name, "a row for each of " + std::to_string(wanted) + " " + of,
                  std::to_string(rows));
  }
}

/// Value, d_temperature and gradients of a loss whose terms are the rows of one softmax term.
template <class S>
void finish(ShardedCall<S>& call, Reduction reduction, double temperature,
            const OnePositiveSoftmax<S>& term, TemperatureResult& result) {
  Diagnostics& d = result.diagnostics;
  const Index n = call.rows(0);
  term.count(d);
  call.team().combine(d);
  call.reduce(
      reduction, n, [&](Index i) { return term[i].value; }, result);
  if (!call.wants_gradients()) return;
  const double scale = gradient_scale(reduction, d, call.upstream());
  const double moments = call.sum_over_all(n, [&](Index i) { return term[i].temperature; });
  result.d_temperature = -scale * moments / temperature;
  call.scatter(scale);
}

}  // namespace nearfar::detail
