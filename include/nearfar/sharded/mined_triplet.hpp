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
/// Mining is one of batch_hard, all, hard, semihard and easy; all but batch_hard with the hinge
/// only. batch_hard takes 2 N^2 D floating point operations in all; every triplet of a kind
/// 14 N^2 D, as positives must be known before negatives are looked at, and keep one number and a
/// place in a search tree for each positive of each own row.
template <class S, Kernel K = Euclidean>
class MinedTriplet : public LabelCalls<MinedTriplet<S, K>, S, MinedTripletResult> {
 public:
  /// Throws as nearfar::MinedTriplet, and on minings that shards do not have.
  explicit MinedTriplet(MinedTripletOptions options = {}, K kernel = K()) : loss_(options, kernel) {
    const bool counted = options.mining == Mining::all || options.mining == Mining::hard ||
                         options.mining == Mining::semihard || options.mining == Mining::easy;
    if (!counted && options.mining != Mining::batch_hard) {
      fail_argument("mining", "batch_hard, all, hard, semihard or easy in a sharded loss",
                    "another one");
    }
    if (counted && options.form != TripletForm::hinge) {
      fail_argument("form", "the hinge, in a sharded loss over all triplets of a kind",
                    "the soft margin");
    }
  }

  const MinedTripletOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::MinedTriplet<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/mined_triplet.hpp"
#endif
