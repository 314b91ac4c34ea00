#pragma once

#include "nearfar/core/labels.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/core/targets.hpp"

/// \file
/// The arguments of a metric over ranked keys, in the form in which its public class passes them
/// on.

namespace nearfar::detail {

/// Queries and the keys ranked for them. With `same_rows` both are one set, and each row ranks the
/// others.
template <class S>
struct RankedSets {
  Rows<S> queries;
  Rows<S> keys;
  const char* keys_name;  ///< the caller's name of the keys, if there are two sets
  bool same_rows;
  CallOptions<S> options;
};

/// The same with labels.
template <class S>
struct RankedInputs {
  RankedSets<S> sets;
  Labels query_labels;
  Labels key_labels;
};

/// The same with targets.
template <class S>
struct TargetedRanks {
  RankedSets<S> sets;
  const Targets& query_targets;
  const Targets& key_targets;
};

}  // namespace nearfar::detail
