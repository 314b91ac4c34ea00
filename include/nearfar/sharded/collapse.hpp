#pragma once

#include "nearfar/metrics/collapse.hpp"
#include "nearfar/sharded/sharding.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::collapse.
template <class S>
CollapseResult evaluate(const Sharding& where, const CollapseOptions& options, const Rows<S>& x,
                        const CallOptions<S>& call, double (*rank_of_gram)(const UpperGram&));

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Signs of collapse of a set split over processes: those of nearfar::collapse over the rows of all
/// processes, the same on all. Each process passes its own rows x (N_r x D, N_r >= 0), in the same
/// call.
///
/// No row is sent. Sums pass through the processes in the order of rows: 2 D + 2 numbers, and about
/// D^2 for the effective rank, which a process holds beside its rows. Norms and the
/// mean cosine have the bits of one process; the effective rank has them up to roundings. Schedule
/// and GradientScale make no difference. Throws the same error on all processes, like
/// sharded::InfoNce::forward.
template <class X, class S = detail::ScalarOfStored<typename X::Scalar>>
CollapseResult collapse(const Sharding& where, const X& x, CollapseOptions options = {},
                        CallOptions<S> call = {}) {
  return detail::evaluate(where, options, Rows<S>(x), call,
                          &detail::effective_rank<detail::UpperGram>);
}

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/collapse.hpp"
#endif
