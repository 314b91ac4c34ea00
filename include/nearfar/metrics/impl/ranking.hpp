#pragma once

#include "nearfar/engine/call.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/metrics/ranked_inputs.hpp"

/// \file
/// The frame of a call of a metric over ranked keys: checks, packed rows, and the pass over each
/// query's scores with all keys.

namespace nearfar::detail {

template <class S>
class Ranking {
 public:
  /// Checks the rows. Arguments must outlive the object. A set without rows may have no columns.
  Ranking(const KernelValue<S>& kernel, const RankedSets<S>& sets)
      : sets_(sets), call_(kernel, Reduction::none, Inputs<S, 2>{{}, {}, false, sets.options}) {
    const bool one = same_rows();
    if (sets.options.d_parameter.wanted()) {
      fail_argument("d_parameter", "none, as metrics have no gradient", "a buffer");
    }
    if (queries() > 0) call_.add(Side::query, {one ? "x" : "queries", sets.queries});
    if (keys() > 0 && !one_set()) call_.add(Side::key, {one ? "x" : sets.keys_name, sets.keys});
    if (queries() == 0 && keys() == 0) return;
    call_.check(0);
    call_.check_before_packing();
  }

  /// Throws unless there is one label a row.
  void check_labels(const RankedInputs<S>& inputs) const {
    const bool one = same_rows();
    check_label_count(one ? "labels" : "query_labels", inputs.query_labels, queries());
    check_label_count(one ? "labels" : "reference_labels", inputs.key_labels, keys());
  }

  Scratch& scratch() { return call_.scratch(); }
  int threads() const { return std::max(1, call_.threads()); }
  const KernelValue<S>& kernel() const { return call_.kernel(); }
  /// The kernel's sign: 1 if a larger score is nearer, -1 if a smaller one is.
  int sign() const { return kernel().sign(); }
  Index queries() const { return sets_.queries.rows(); }
  Index keys() const { return sets_.keys.rows(); }
  bool same_rows() const { return sets_.same_rows; }
  Pairing pairing() const { return same_rows() ? Pairing::others : Pairing::all; }

  /// The number of keys that a query is compared with: a row is no candidate for itself.
  Index candidates() const { return keys() - (same_rows() && keys() > 0 ? 1 : 0); }

  /// Call it before rows are used; both sets must have rows. Throws std::domain_error if inner
  /// products can overflow S.
  void pack() { call_.pack(); }
  const PackedRows<S>& query_rows() const { return call_.rows(0); }
  const PackedRows<S>& key_rows() const { return call_.rows(one_set() ? 0 : 1); }

  /// Packs, and passes each query's row of scores, including its own, to the metric. There must be
  /// queries and candidates.
  void run(RowMiner<S>& metric) {
    pack();
    OneSidedPass<S> pass(scratch(), threads(), kernel(), query_rows(), key_rows(), pairing());
    RowGradients<S> none;
    Diagnostics d;
    pass.whole_rows(metric, none, none, d);
  }

 private:
  /// If false, one set of rows becomes two, one for each side of the kernel.
  bool one_set() const { return same_rows() && call_.kernel().is_symmetric(); }

  const RankedSets<S>& sets_;
  Call<S> call_;
};

}  // namespace nearfar::detail
