#pragma once

#include <limits>

#include "nearfar/core/portable_math.hpp"

namespace nearfar::detail {

/// Running log-sum-exp: best + log(sum).
template <class S>
struct LogSum {
  S best = -std::numeric_limits<S>::infinity();
  double sum = 0;

  void raise(S candidate) {
    if (!(candidate > best)) return;
    sum *= portable::exp(static_cast<double>(best) - static_cast<double>(candidate));
    best = candidate;
  }
  void merge(const LogSum& more) {
    raise(more.best);
    if (more.sum > 0) {
      sum += more.sum * portable::exp(static_cast<double>(more.best) - static_cast<double>(best));
    }
  }
  double value() const {
    return sum > 0 ? static_cast<double>(best) + portable::log(sum)
                   : -std::numeric_limits<double>::infinity();
  }
};

}  // namespace nearfar::detail
