#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/sharded/team.hpp"

/// \file
/// What calls of all sharded losses say of themselves.

namespace nearfar::detail {

/// The introduction of a loss's call: what must be the same on all processes. `upstream` is null
/// for calls without gradients.
template <class S, Kernel K>
Introduction introduction(const char* loss, const Sharding& where, const Upstream* upstream,
                          std::initializer_list<NamedOption> options) {
  Introduction out(
      loss, {{"bytes of a scalar", static_cast<double>(sizeof(S))},
             {"gradients", upstream != nullptr ? 1.0 : 0.0},
             {"upstream", upstream != nullptr && upstream->is_scalar() ? upstream->scalar() : 0.0},
             {"kernel (geometry)", static_cast<double>(K::geometry)},
             {"kernel (orientation)", static_cast<double>(K::orientation)},
             {"kernel (identity)", is_identity<K>() ? 1.0 : 0.0},
             {"schedule", static_cast<double>(where.schedule)},
             {"gradient scale", static_cast<double>(where.gradients)}});
  out.add(options);
  return out;
}

}  // namespace nearfar::detail
