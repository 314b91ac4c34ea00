#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "nearfar/engine/finite.hpp"
#include "nearfar/metrics/impl/collapse.hpp"
#include "nearfar/sharded/collapse.hpp"
#include "nearfar/sharded/impl/team.hpp"

namespace nearfar::detail {

template <class S>
CollapseResult evaluate(const Sharding& where, const CollapseOptions& options, const Rows<S>& given,
                        const CallOptions<S>& call, double (*rank_of_gram)(const UpperGram&)) {
  const Team team(where.exchange);
  std::optional<Scratch> scratch;
  int threads = 1;
  Rows<S> x = given;
  Introduction introduction("collapse", {{"bytes of a scalar", static_cast<double>(sizeof(S))},
                                         {"effective_rank", options.effective_rank ? 1.0 : 0.0}});
  const std::vector<Introduction> all = team.introduce(introduction, [&](Introduction& own) {
    scratch.emplace(call.workspace);
    threads = std::max(1, available_threads(scratch->threads()));
    refuse_bfloat16(call.products);
    if (call.d_parameter.wanted()) {
      fail_argument("d_parameter", "none, as metrics have no gradient", "a buffer");
    }
    own.rows[0] = given.rows();
    if (given.rows() == 0) return;
    own.cols = given.cols();
    if (given.cols() == 0) fail_argument("x", "rows of at least one element", "0 columns");
    check_finite("x", given, threads);
    x = as_scalars(*scratch, threads, given);
  });
  CollapseResult out;
  Index cols = 0;
  for (const Introduction& one : all) {
    out.rows += one.rows[0];
    cols = std::max(cols, one.cols);
  }
  if (out.rows == 0) return out;
  measure_collapse(team, options, *scratch, threads, x, cols, true, rank_of_gram, out);
  team.settle();
  return out;
}

}  // namespace nearfar::detail
