#pragma once

#include "nearfar/losses/mined_triplet.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::MinedTriplet.
template <class S>
MinedTripletResult evaluate(const MinedTripletOptions& options, const KernelValue<S>& kernel,
                            const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Triplet loss of a labelled batch split over processes: the loss, options and kernels of
/// nearfar::MinedTriplet over the rows of all processes. Each process passes its own rows with
/// their labels, in the same call; Sharding defines value and gradients.
///
/// Floating point operations in all: one triplet an anchor N^2 D, as in one process, and 2 N^2 D
/// where a choice waits for the other (twice that with other schedules and with lists); every
/// triplet of a kind 14 N^2 D, as positives must be known before negatives are looked at, and one
/// negative for each positive 10 N^2 D, 12 N^2 D where it is drawn. All but the first keep a
/// number, a place in a search tree and, for pairs, their choice for each positive of each own row;
/// distance_weighted also a sum for each own row and process.
template <class S, Kernel K = Euclidean>
class MinedTriplet : public LabelCalls<MinedTriplet<S, K>, S, MinedTripletResult> {
 public:
  /// Throws as nearfar::MinedTriplet does.
  explicit MinedTriplet(MinedTripletOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const MinedTripletOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::MinedTriplet<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/mined_triplet.hpp"
#endif
