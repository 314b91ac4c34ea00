#pragma once

#include "nearfar/losses/mutual_information.hpp"
#include "nearfar/sharded/pair_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::MutualInformation.
template <class S>
MutualInformationResult evaluate(const MutualInformationOptions& options,
                                 const KernelValue<S>& kernel, const ShardedInputs<S, 2>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// MutualInformation of a batch split over processes: the bounds, options and kernels of
/// nearfar::MutualInformation from the joint samples of all processes. Each process passes its own
/// samples, row i of x with row i of y, in the same call; Sharding defines value and gradients. The
/// ceiling is that of all samples. nwj and donsker_varadhan need two samples in all, or none.
///
/// 6 to 8 N^2 D floating point operations in all (6 N^2 D with Schedule::all_gather, except for
/// donsker_varadhan), 6 N^2 D for club.
template <class S, Kernel K = InnerProduct>
class MutualInformation : public PairCalls<MutualInformation<S, K>, S, MutualInformationResult> {
 public:
  /// Throws as nearfar::MutualInformation does.
  explicit MutualInformation(MutualInformationOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const MutualInformationOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::MutualInformation<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/mutual_information.hpp"
#endif
