#pragma once

#include "nearfar/losses/ko_leo.hpp"
#include "nearfar/sharded/row_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::KoLeo.
template <class S>
Result evaluate(const KoLeoOptions& options, const ShardedInputs<S, 1>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// KoLeo of a batch split over processes: the loss and options of nearfar::KoLeo over the rows of
/// all processes, among which each row has its nearest. Each process passes its own rows, in the
/// same call; Sharding defines value and gradients.
///
/// 2 N^2 D floating point operations in all, as in one process. Rows go round twice: to find the
/// nearest row, and for its distance and gradient.
template <class S>
class KoLeo : public RowCalls<KoLeo<S>, S> {
 public:
  /// Throws as nearfar::KoLeo does.
  explicit KoLeo(KoLeoOptions options = {}) : loss_(options) {}

  const KoLeoOptions& options() const { return loss_.options(); }

 private:
  nearfar::KoLeo<S> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/ko_leo.hpp"
#endif
