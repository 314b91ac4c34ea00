#pragma once

#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/sharded/instantiate.hpp"
#include "nearfar/sharded/introduce.hpp"
#include "nearfar/sharded/sharded_batch.hpp"

namespace nearfar::sharded {

/// NT-Xent of a batch that is shared out to processes: the loss, the options and the kernels of
/// nearfar::NtXent over the views of all of them, where each gives both views of its own samples.
/// Every process makes the same call; see Sharding for what the value and the gradients are.
///
/// 8 (2N)^2 D floating point operations in all for N samples (6 (2N)^2 D with
/// Schedule::all_gather), where one process takes 4 (2N)^2 D by the symmetry of scores.
template <class S, Kernel K = Cosine>
class NtXent {
 public:
  /// Throws as nearfar::NtXent.
  explicit NtXent(NtXentOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const NtXentOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' views. Own views are N_r x D both, N_r >= 0; row i of one is the
  /// partner of row i of the other. Throws the same error on all processes, as
  /// sharded::InfoNce::forward.
  TemperatureResult forward(const Sharding& where, Rows<S> view1, Rows<S> view2,
                            CallOptions<S> call = {}) const {
    return run(where, nullptr, {view1, no_gradient}, {view2, no_gradient}, call);
  }

  /// Value and the gradients of it for own rows. d_temperature is of the whole batch.
  TemperatureResult forward_backward(const Sharding& where, Rows<S> view1, Rows<S> view2,
                                     GradientRows<S> d_view1, GradientRows<S> d_view2,
                                     CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(view1, d_view1), Chunks<S>(view2, d_view2), call);
  }
  /// The same of rows in chunks; sizes of chunks of the two need not be the same.
  TemperatureResult forward_backward(const Sharding& where, const Chunks<S>& view1,
                                     const Chunks<S>& view2, CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(options().reduction, 2 * view1.rows());
    return run(where, &one, view1, view2, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, the same on all
  /// processes, or 2 N_r numbers with Reduction::none.
  TemperatureResult backward(const Sharding& where, const Upstream& upstream, Rows<S> view1,
                             Rows<S> view2, GradientRows<S> d_view1, GradientRows<S> d_view2,
                             CallOptions<S> call = {}) const {
    return run(where, &upstream, {view1, d_view1}, {view2, d_view2}, call);
  }
  TemperatureResult backward(const Sharding& where, const Upstream& upstream,
                             const Chunks<S>& view1, const Chunks<S>& view2,
                             CallOptions<S> call = {}) const {
    return run(where, &upstream, view1, view2, call);
  }

 private:
  TemperatureResult run(const Sharding& where, const Upstream* upstream, const Chunks<S>& view1,
                        const Chunks<S>& view2, CallOptions<S> call) const;

  nearfar::NtXent<S, K> loss_;
};

template <class S, Kernel K>
TemperatureResult NtXent<S, K>::run(const Sharding& where, const Upstream* upstream,
                                    const Chunks<S>& view1, const Chunks<S>& view2,
                                    CallOptions<S> call) const {
  const Index n = view1.rows();
  const NtXentOptions& options = loss_.options();
  detail::ShardedSet<S> views("view1", view1);
  views.add("view2", view2);
  typename detail::ShardedBatch<S, K, 1>::Sets sets = {views};
  detail::ShardedBatch<S, K, 1> batch(
      where, loss_.kernel(),
      detail::introduction<S, K>(
          "NtXent", where, upstream,
          {{"temperature", options.temperature},
           {"denominator", static_cast<double>(options.denominator)},
           {"reduction", static_cast<double>(options.reduction)},
           {"unusable_anchors", static_cast<double>(options.unusable_anchors)}}),
      sets, upstream, call, [&] {
        if (view2.rows() != n) {
          fail_argument("view2", "a row for each of " + std::to_string(n) + " view1",
                        std::to_string(view2.rows()));
        }
        if (upstream != nullptr) detail::check_upstream(*upstream, options.reduction, 2 * n);
      });
  detail::refuse_unusable(options.unusable_anchors, batch.all_rows(0) == 2 ? 2 : 0,
                          "without a negative");
  const Index* partner = nullptr;
  batch.team().agree([&] { partner = detail::partners(batch.scratch(), n); });

  const Upstream one(1.0);
  const detail::SoftmaxRows<S, detail::nearness_sign<K>> loss(
      options.temperature, options.denominator, {.column = partner},
      upstream != nullptr ? *upstream : one);
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  const auto* rows = batch.run(
      0, 0, detail::KeyNumbers::from_own, [&](const auto&, const auto&) { return loss; }, d);
  detail::count_softmax_rows(rows, 2 * n, d);
  batch.team().combine(d);
  batch.reduce(
      options.reduction, 2 * n, [&](Index i) { return rows[i].value; }, result);
  if (upstream == nullptr) return result;
  const double scale = detail::gradient_scale(options.reduction, d, *upstream);
  const double moments = batch.sum_over_all(2 * n, [&](Index i) { return rows[i].temperature; });
  result.d_temperature = -scale * moments / options.temperature;
  batch.hand_back(scale);
  return result;
}

#ifndef NEARFAR_HEADER_ONLY
NEARFAR_FOR_EACH_SHARDED_SIMILARITY(NEARFAR_EXTERN_LOSS, NtXent)
NEARFAR_FOR_EACH_SHARDED_DISTANCE(NEARFAR_EXTERN_LOSS, NtXent)
#endif

}  // namespace nearfar::sharded
