#pragma once

#include <cstdint>
#include <vector>

#include "nearfar/sharded/impl/sharded_call.hpp"

/// \file
/// Two views of each sample as the one set of a sharded call.

namespace nearfar::detail {

/// Own views, one above the other, and ids of both where samples have some.
template <class S>
class ShardedViews {
 public:
  ShardedViews(const ShardedInputs<S, 2>& inputs, const Targets& targets = {})
      : set_("view1", inputs.sets_of_rows[0]) {
    set_.add("view2", inputs.sets_of_rows[1]);
    if (!targets.has_ids()) return;
    const Index n = targets.ids().size();
    for (Index i = 0; i < 2 * n; ++i) ids_.push_back(targets.ids()[i < n ? i : i - n]);
    Targets of_views = Targets().ids(ids_);
    if (targets.has_unlabelled()) of_views = of_views.unlabelled(targets.unlabelled_value());
    set_.with_pairs(of_views);
  }
  ShardedViews(const ShardedViews&) = delete;
  ShardedViews& operator=(const ShardedViews&) = delete;

  const ShardedSet<S>& set() const { return set_; }

 private:
  std::vector<std::int64_t> ids_;
  ShardedSet<S> set_;
};

}  // namespace nearfar::detail
