#pragma once

#include "nearfar/metrics/nearest_keys.hpp"
#include "nearfar/sharded/ranked_inputs.hpp"

namespace nearfar::detail {

/// One process's queries, keys and known positives.
template <class S>
struct ShardedNearestInputs {
  ShardedRankedInputs<S> ranked;
  const KnownPositives& known;
};

/// The part of one process in a call of sharded::NearestKeys.
template <class S>
NearestResult<S> evaluate(const NearestOptions& options, const KernelValue<S>& kernel,
                          const ShardedNearestInputs<S>& inputs);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// The nearest keys of queries and keys split over processes: those that nearfar::NearestKeys finds
/// among the keys of all processes, in order of ranks, to the last bit. Each process passes its own
/// rows, in the same call, and gets the keys of its own queries. Numbers of keys count those of all
/// processes: in the result, in KnownPositives::own and in lists of positives. With
/// PositiveKeys::aligned() own key i is the positive of own query i.
///
/// Keys go round once; with margins and own positives by number, twice. Besides the shards' rows
/// and the result, a process keeps up to 2 (k + skip) keys of each own query.
template <class S, Kernel K = Cosine>
class NearestKeys {
 public:
  /// Throws as nearfar::NearestKeys does.
  explicit NearestKeys(NearestOptions options = {}, K kernel = K()) : metric_(options, kernel) {}

  const NearestOptions& options() const { return metric_.options(); }
  const K& kernel() const { return metric_.kernel(); }

  /// The nearest other rows, of all processes, of each own row x (N_r x D, N_r >= 0). Throws the
  /// same error on all processes, like sharded::InfoNce::forward.
  NearestResult<S> find(const Sharding& where, Rows<S> x, const KnownPositives& known,
                        CallOptions<S> call = {}) const {
    return hand_on({{{where, {Chunks<S>(x, no_gradient), {}}, false, call},
                     known.targets,
                     known.key_targets,
                     true},
                    known});
  }
  NearestResult<S> find(const Sharding& where, Rows<S> x, CallOptions<S> call = {}) const {
    return find(where, x, KnownPositives(), call);
  }

  /// The nearest keys, of all processes, of each own query. If targets have ids, those of both
  /// sides do on all processes, also on one without rows.
  NearestResult<S> find(const Sharding& where, Rows<S> queries, Rows<S> keys,
                        const KnownPositives& known, CallOptions<S> call = {}) const {
    return hand_on(
        {{{where, {Chunks<S>(queries, no_gradient), Chunks<S>(keys, no_gradient)}, false, call},
          known.targets,
          known.key_targets,
          false},
         known});
  }
  NearestResult<S> find(const Sharding& where, Rows<S> queries, Rows<S> keys,
                        CallOptions<S> call = {}) const {
    return find(where, queries, keys, KnownPositives(), call);
  }

 private:
  NearestResult<S> hand_on(const detail::ShardedNearestInputs<S>& inputs) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs);
  }

  nearfar::NearestKeys<S, K> metric_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/nearest_keys.hpp"
#endif
