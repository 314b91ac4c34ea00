#pragma once

#include <numeric>
#include <vector>

#include "nearfar/core/reduce.hpp"
#include "nearfar/sharded/impl/team.hpp"

/// \file
/// Sums and reductions over the rows of all processes.

namespace nearfar::detail {

/// The sum of all rows' numbers. In the order of rows, as one process adds them, it takes as many
/// messages in a row as there are processes, twice; in a ring, whose bits are its own, one
/// gathering.
template <class NumberOf>
double sum_of_all(const Team& team, Schedule schedule, Index count, const NumberOf& number_of) {
  double sum = 0;
  const auto add_own = [&] {
    for (Index i = 0; i < count; ++i) sum += number_of(i);
  };
  if (schedule != Schedule::ring) {
    team.sum_in_order(&sum, 1, add_own);
    return sum;
  }
  add_own();
  const std::vector<double> all = team.everyone(sum);
  return std::accumulate(all.begin(), all.end(), 0.0);
}

/// Makes value, and values of own rows' value_of(i), by the global reduction; counts must be global
/// by then, see Team::combine.
template <class ValueOf>
void reduce_all(const Team& team, Schedule schedule, Reduction reduction, const KeptRows& rows,
                const ValueOf& value_of, Result& result) {
  if (reduction == Reduction::none) {
    team.agree([&] { result.values.resize(static_cast<std::size_t>(rows.all)); });
    for (Index i = 0; i < rows.count; ++i) {
      result.values[static_cast<std::size_t>(rows[i])] = value_of(i);
    }
  }
  const double total = sum_of_all(team, schedule, rows.count, value_of);
  if (!is_finite(total)) fail_value_overflow(total);
  result.value = total * reduction_scale(reduction, result.diagnostics);
}

}  // namespace nearfar::detail
