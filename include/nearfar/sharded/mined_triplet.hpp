#pragma once

#include "nearfar/losses/mined_triplet.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// One process' share of a call of sharded::MinedTriplet.
template <class S>
MinedTripletResult evaluate(const MinedTripletOptions& options, const KernelValue<S>& kernel,
                            const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// Triplet loss of a labelled batch that is shared out to processes: the loss, the options and the
/// kernels of nearfar::MinedTriplet over the rows of all of them, where each gives its own with
/// their labels. Every process makes the same call; see Sharding for what the value and the
/// gradients are.
///
/// Floating point operations in all: one triplet an anchor 2 N^2 D, 4 N^2 D where a choice waits
/// for the other; every triplet of a kind 14 N^2 D, as positives must be known before negatives are
/// looked at, and one negative for each positive 10 N^2 D, 12 N^2 D where it is drawn. All but the
/// first keep a number, a place in a search tree and, for pairs, their choice for each positive of
/// each own row; distance_weighted also a sum for each own row and process.
template <class S, Kernel K = Euclidean>
class MinedTriplet : public LabelCalls<MinedTriplet<S, K>, S, MinedTripletResult> {
 public:
  /// Throws as nearfar::MinedTriplet.
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
