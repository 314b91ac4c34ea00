#pragma once

#include <algorithm>

#include "nearfar/engine/labelled_call.hpp"
#include "nearfar/loops/smooth_rank.hpp"
#include "nearfar/losses/smooth_ap.hpp"
#include "nearfar/mining/anchor_row.hpp"

namespace nearfar::detail {

struct SmoothApSettings {
  int sign;  ///< of nearness: 1 for similarities, -1 for distances
  double temperature;
  bool include_self;
};

/// Memory of one thread for a row of n keys.
template <class S>
struct SmoothApMemory {
  S* role;
  S* slopes;
  S* gradient;  ///< in place of the caller's memory, if the gradient of scores is not wanted

  SmoothApMemory(Scratch& scratch, Index n)
      : role(scratch.take<S>(n)), slopes(scratch.take<S>(n)), gradient(scratch.take<S>(n)) {}

  /// One for each of `threads`.
  static SmoothApMemory* take(Scratch& scratch, int threads, Index n) {
    auto* all = scratch.take<SmoothApMemory>(threads);
    for (int t = 0; t < threads; ++t) new (all + t) SmoothApMemory(scratch, n);
    return all;
  }
};

/// Average precision with smooth ranks, from an anchor's whole row of scores. With r+ and r- the
/// sums of sigmoids over positives and negatives, where r+ includes p's own sigmoid, 1/2,
///
///     L = 1/|P| sum_p r-(p) / (1/2 + r+(p) + r-(p))
///
/// This is 1 minus the average precision as a sum of non-negative summands: small losses keep their
/// digits.
template <class S>
class SmoothApMiner final : public RowMiner<S> {
 public:
  /// For `rows` anchors. `memory` has one a thread. The upstream must outlive the miner.
  SmoothApMiner(Scratch& scratch, Index rows, const SmoothApSettings& settings,
                const Roles<S>& roles, SmoothApMemory<S>* memory, bool wants_gradients,
                const Upstream& upstream)
      : settings_(settings),
        rate_(exponential_rate<S>(settings.temperature)),
        roles_(roles),
        memory_(memory),
        wants_gradients_(wants_gradients),
        upstream_(upstream),
        rows_(scratch.take<Row>(rows)) {}

  double value(Index i) const { return rows_[i].value; }
  /// The sum of dL/ds_ij s_ij.
  double moment(Index i) const { return rows_[i].moment; }

  void row(Index i, int worker, Index n, const S* s, S* g) override {
    SmoothApMemory<S>& memory = memory_[worker];
    if (g == nullptr && wants_gradients_) g = memory.gradient;  // for the temperature's derivative
    if (g != nullptr) std::fill_n(g, n, S(0));
    roles_.of_anchor(i, n, memory.role);
    if (settings_.include_self && roles_.same_rows) memory.role[i] = Role<S>::positive;
    const auto positives =
        static_cast<double>(std::count(memory.role, memory.role + n, Role<S>::positive));
    Row& row = rows_[i];
    row = {};
    const double above = row_upstream(upstream_, i) * settings_.sign / settings_.temperature;
    for (Index p = 0; p < n; ++p) {
      if (memory.role[p] != Role<S>::positive) continue;
      SmoothCounts counts{0, 0};
      each_part(n, [&](Index first, Index size) {
        const SmoothCounts some = loops_.count(size, s + first, memory.role + first, settings_.sign,
                                               s[p], rate_, memory.slopes + first);
        counts.positives += some.positives;
        counts.negatives += some.negatives;
      });
      const double of_positives = 0.5 + counts.positives;
      const double all = of_positives + counts.negatives;
      row.value += counts.negatives / all / positives;
      if (g == nullptr) continue;
      const double factor = above / positives / all / all;
      double sum = 0;
      each_part(n, [&](Index first, Index size) {
        const SmoothSlopes some =
            loops_.add_gradient(size, s + first, memory.role + first, s[p], memory.slopes + first,
                                static_cast<S>(-factor * counts.negatives),
                                static_cast<S>(factor * of_positives), g + first);
        sum += some.sum;
        row.moment += some.moment;
      });
      g[p] -= static_cast<S>(sum);
    }
  }

 private:
  struct Row {
    double value;
    double moment;
  };

  /// Calls body for parts of a row that are short enough for sums in S.
  template <class Body>
  static void each_part(Index n, const Body& body) {
    for (Index first = 0; first < n; first += tile_width) {
      body(first, std::min(tile_width, n - first));
    }
  }

  const SmoothRankLoops<S>& loops_ = smooth_rank_loops<S>();
  SmoothApSettings settings_;
  S rate_;
  Roles<S> roles_;
  SmoothApMemory<S>* memory_;
  bool wants_gradients_;
  const Upstream& upstream_;
  Row* rows_;
};

template <class S>
TemperatureResult evaluate(const SmoothApOptions& options, const KernelValue<S>& kernel,
                           const LabelledInputs<S>& inputs) {
  LabelledCall<S> call(kernel, options.reduction, PairWeights::refused, inputs);
  const Index n = call.anchors();
  const Index m = call.keys().rows;
  const bool include_self = options.include_self && call.same_rows();
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  call.count_anchors(d);
  call.refuse(
      options.unusable_anchors, [](bool positive, bool) { return !positive; },
      "without a positive");
  d.terms = include_self ? d.anchors : d.anchors - d.anchors_without_positive;
  auto* memory = SmoothApMemory<S>::take(call.scratch(), call.threads(), m);
  SmoothApMiner<S> miner(call.scratch(), n, {kernel.sign(), options.temperature, include_self},
                         {call.rule(), call.excluded(), call.same_rows()}, memory,
                         call.wants_gradients(), call.upstream());
  const bool any = n > 0 && m > 0;
  if (any) call.run_whole_rows(miner, d);
  const auto value_of = [&](Index i) { return any ? miner.value(i) : 0.0; };
  for (Index i = 0; i < n; ++i) d.active_terms += value_of(i) > 0 ? 1 : 0;
  call.reduce(value_of, result);
  if (!call.wants_gradients()) return result;
  // dL/dtau = -1/tau sum_ij dL/ds_ij s_ij.
  const double moments = call.sum([&](Index i) { return any ? miner.moment(i) : 0.0; });
  result.d_temperature =
      checked_derivative("d_temperature", -call.scale(d) * moments / options.temperature);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
