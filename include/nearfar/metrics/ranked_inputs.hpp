#pragma once

#include "nearfar/core/labels.hpp"
#include "nearfar/core/result.hpp"

/// \file
/// The arguments of a metric over ranked keys as its public class hands them on.

namespace nearfar::detail {

/// Queries and the references ranked for them. With `same_rows` both are one set, whose rows are
/// ranked among each other.
template <class S>
struct RankedInputs {
  Rows<S> queries;
  Labels query_labels;
  Rows<S> references;
  Labels reference_labels;
  bool same_rows;
  CallOptions<S> options;
};

}  // namespace nearfar::detail
