#pragma once

#include <utility>

#include "nearfar/losses/matryoshka.hpp"
#include "nearfar/sharded/pair_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::MatryoshkaInfoNce.
template <class S>
MatryoshkaResult evaluate(const MatryoshkaOptions& options, const KernelValue<S>& kernel,
                          const ShardedInputs<S, 2>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// MatryoshkaInfoNce of a batch split over processes: the loss, options and kernels of
/// nearfar::MatryoshkaInfoNce over the queries and keys of all processes. Each process passes its
/// own queries (N_r x D) and keys (M_r x D, M_r >= N_r, own key i the positive of own query i), in
/// the same call; Sharding defines value and gradients. Rows are sent once for all prefixes.
///
/// 8 N M D floating point operations in all for any number of prefixes (6 N M D with
/// Schedule::all_gather).
template <class S, Kernel K = Cosine>
class MatryoshkaInfoNce : public PairCalls<MatryoshkaInfoNce<S, K>, S, MatryoshkaResult> {
 public:
  /// Throws as nearfar::MatryoshkaInfoNce does.
  explicit MatryoshkaInfoNce(MatryoshkaOptions options, K kernel = K())
      : loss_(std::move(options), kernel) {}

  const MatryoshkaOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::MatryoshkaInfoNce<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/matryoshka.hpp"
#endif
