#pragma once

#include "nearfar/losses/impl/uniformity.hpp"
#include "nearfar/sharded/impl/sharded_directions.hpp"
#include "nearfar/sharded/uniformity.hpp"

namespace nearfar::detail {

/// The pairs of directions of all processes, as DirectionPairs are those of one. Each row is
/// compared with all others, so that sums over rows have each pair twice.
template <class S>
class ShardedDirectionPairs {
 public:
  explicit ShardedDirectionPairs(ShardedCall<S>& call) : call_(call) {
    call.agree([&] {
      places_ = call.scratch().template take<Index>(call.own_rows(0));
      own_ = find_directions(call.rows(0), places_);
    });
    const bool gradients = call.wants_gradients() && call.gradients(0).wanted();
    of_.emplace("Uniformity", call, places_, own_, gradients ? &call.gradients(0) : nullptr);
  }

  Index count() { return of_->call().all_rows(0); }
  void find_range(Diagnostics& range) {
    ShardedCall<S>& pairs = of_->call();
    auto term = pairs.template make<GaussianTerm<S>>(0, 1.0, 0.0);
    if (!pairs.accumulate_pairs(term, range)) {
      for (Index i = 0; i < own_; ++i) term.start(i);
      pairs.accumulate(0, 0, KeyNumbers::from_own, term, &ShardedCall<S>::on_any_block, range);
    }
    pairs.combine(range);
  }
  GaussianSums sums(double t, double nearest, Diagnostics& range) {
    ShardedCall<S>& pairs = of_->call();
    auto term = pairs.template make<GaussianTerm<S>>(0, t, nearest);
    pairs.run_among_themselves(term, range);
    pairs.combine(range);
    return {pairs.sum(own_, [&](Index i) { return term[i].potentials; }) / 2,
            pairs.sum(own_, [&](Index i) { return term[i].less_one; }) / 2};
  }
  void finish_gradients() {
    RowGradients<S>& gradients = call_.gradients(0);
    if (!gradients.wanted()) return;
    of_->call().scatter(0.5);
    const Directions<S> own{of_->call().rows(0), places_};
    own.spread_out(call_.own_rows(0), gradients.data);
  }

 private:
  ShardedCall<S>& call_;
  Index* places_ = nullptr;
  Index own_ = 0;
  std::optional<ShardedDirections<S>> of_;
};

template <class S>
Result evaluate(const UniformityOptions& options, const ShardedInputs<S, 1>& inputs) {
  const Chunks<S>& x = inputs.sets_of_rows[0];
  const KernelValue<S> cosine = kernel_value<S>(Cosine());
  ShardedCall<S> call(cosine, Reduction::mean,
                      introduction("Uniformity", cosine, inputs, options, {{"t", options.t}}),
                      {ShardedSet<S>("x", x).not_compared()}, inputs, x.rows(), [] {});
  ShardedDirectionPairs<S> pairs(call);
  return uniformity<S>(options, call, pairs);
}

}  // namespace nearfar::detail
