#pragma once

#include "nearfar/losses/linear_contrastive.hpp"
#include "nearfar/sharded/label_calls.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::LinearContrastive.
template <class S>
LinearContrastiveResult evaluate(const LinearContrastiveOptions& options,
                                 const KernelValue<S>& kernel,
                                 const ShardedLabelledInputs<S>& inputs);

/// The part of one process in a call of sharded::SnrContrastive.
template <class S>
LinearContrastiveResult evaluate(const SnrContrastiveOptions& options, const KernelValue<S>& kernel,
                                 const ShardedLabelledInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// LinearContrastive of a batch split over processes: the loss, options and kernels of
/// nearfar::LinearContrastive over the rows of all processes. Each process passes its own rows with
/// their labels, in the same call; Sharding defines value and gradients.
///
/// 3 N^2 D floating point operations in all (6 N^2 D with other schedules and with lists); with
/// mean_nonzero N^2 D more (2 N^2 D), as the divisors must be known first.
template <class S, Kernel K = Euclidean>
class LinearContrastive : public LabelCalls<LinearContrastive<S, K>, S, LinearContrastiveResult> {
 public:
  /// Throws as nearfar::LinearContrastive does.
  explicit LinearContrastive(LinearContrastiveOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const LinearContrastiveOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::LinearContrastive<S, K> loss_;
};

/// SnrContrastive of a batch split over processes: the loss and options of nearfar::SnrContrastive
/// over the rows of all processes. Each process passes its own rows with their labels, in the same
/// call; Sharding defines value and gradients. Operations are those of sharded::LinearContrastive.
template <class S, Kernel K = SquaredEuclidean>
class SnrContrastive : public LabelCalls<SnrContrastive<S, K>, S, LinearContrastiveResult> {
 public:
  /// Throws as nearfar::SnrContrastive does.
  explicit SnrContrastive(SnrContrastiveOptions options = {}, K kernel = K())
      : loss_(options, kernel) {}

  const SnrContrastiveOptions& options() const { return loss_.options(); }
  /// The kernel of rows less their means.
  const K& kernel() const { return loss_.kernel(); }

 private:
  nearfar::SnrContrastive<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/linear_contrastive.hpp"
#endif
