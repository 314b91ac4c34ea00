#pragma once

#include <algorithm>
#include <numbers>
#include <span>
#include <string>

#include "nearfar/core/matrix.hpp"
#include "nearfar/core/parallel.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/finite.hpp"

/// \file
/// Moving averages of parameters: the momentum encoder of MoCo, the target network of BYOL.

namespace nearfar {

/// A target buffer of parameters (the weights of a layer, for example) and its online buffer,
/// `size` numbers each.
template <class S>
struct MomentumBuffers {
  S* target = nullptr;
  const S* online = nullptr;
  Index size = 0;
};

namespace detail {

template <class S>
void check_momentum_buffer(const char* name, const S* data, Index size, int threads) {
  if (size < 0) fail_argument(name, "a size >= 0", std::to_string(size));
  if (data == nullptr && size > 0) {
    fail_argument(name, std::to_string(size) + " numbers", "a null pointer");
  }
  // In rows, so that threads divide them and an error message names a position.
  constexpr Index row = 4096;
  check_finite<S>(name, Rows<S>(data, size / row, row), threads);
  const Index rest = size - size % row;
  if (data != nullptr) check_finite<S>(name, Rows<S>(data + rest, 1, size - rest), 1);
}

template <class S>
void follow(S* target, const S* online, Index size, double momentum) {
  using Numbers = Eigen::Array<S, Eigen::Dynamic, 1>;
  Eigen::Map<Numbers> t(target, size);
  const Eigen::Map<const Numbers> o(online, size);
  // Starting from the nearer of the two, each product is less than half of a number: nothing
  // overflows, and equal numbers keep their bits.
  const S keep = static_cast<S>(momentum);
  const S take = static_cast<S>(1 - momentum);
  if (momentum >= 0.5) {
    t += take * o - take * t;
  } else {
    t = o + (keep * t - keep * o);
  }
}

}  // namespace detail

/// Moves each target towards its online buffer, in place:
///
///     target <- m target + (1 - m) online
///
/// (He et al., Momentum contrast for unsupervised visual representation learning, 2020, eq. 2; the
/// exponential moving average of BYOL, Grill et al. 2020, eq. 1). Where both are equal the target
/// keeps its bits; m = 1 changes nothing and m = 0 copies.
/// `threads` is the number of threads; 0 means OpenMP's own setting. The bits do not depend on it.
/// Throws std::invalid_argument unless 0 <= m <= 1, std::domain_error on a number that is not
/// finite; all buffers are checked before a target changes. Reads each number twice, O(1) memory.
template <class S>
void momentum_update(std::span<const MomentumBuffers<S>> buffers, double momentum,
                     int threads = 0) {
  if (!detail::is_finite(momentum) || !(momentum >= 0 && momentum <= 1)) {
    fail_argument("momentum", "a number from 0 to 1", detail::number_text(momentum));
  }
  threads = detail::available_threads(threads);
  for (const auto& b : buffers) {
    detail::check_momentum_buffer("target", static_cast<const S*>(b.target), b.size, threads);
    detail::check_momentum_buffer("online", b.online, b.size, threads);
  }
  constexpr Index piece = 16384;
  for (const auto& b : buffers) {
    detail::parallel_tasks((b.size + piece - 1) / piece, threads, [&](Index t, int) {
      const Index first = t * piece;
      detail::follow(b.target + first, b.online + first, std::min(piece, b.size - first), momentum);
    });
  }
}

/// The same for one buffer each, of any type with data() and size(), such as a std::vector, a
/// std::span or an Eigen matrix. Throws std::invalid_argument also if their sizes differ.
template <class Target, class Online>
void momentum_update(Target&& target, const Online& online, double momentum, int threads = 0) {
  using S = std::remove_cvref_t<decltype(*target.data())>;
  const auto size = static_cast<Index>(target.size());
  if (static_cast<Index>(online.size()) != size) {
    fail_argument("online", std::to_string(size) + " numbers, as target has",
                  std::to_string(online.size()));
  }
  const MomentumBuffers<S> one{target.data(), online.data(), size};
  momentum_update(std::span<const MomentumBuffers<S>>(&one, 1), momentum, threads);
}

/// The momentum of step k of K, rising from `base` to 1 along half a cosine:
///
///     m_k = 1 - (1 - base) (1 + cos(pi k / K)) / 2
///
/// (Grill et al., Bootstrap your own latent, 2020, section 3.3; used by MoCo v3, Chen et al. 2021).
/// Steps past the last one have momentum 1. Throws std::invalid_argument unless 0 <= base <= 1,
/// 0 <= step and 0 < steps.
inline double cosine_momentum(double base, Index step, Index steps) {
  if (!detail::is_finite(base) || !(base >= 0 && base <= 1)) {
    fail_argument("base", "a number from 0 to 1", detail::number_text(base));
  }
  if (step < 0) fail_argument("step", "a number >= 0", std::to_string(step));
  if (steps < 1) fail_argument("steps", "a number > 0", std::to_string(steps));
  const double done = static_cast<double>(std::min(step, steps)) / static_cast<double>(steps);
  return 1 - (1 - base) * (1 + detail::portable::cos(std::numbers::pi * done)) / 2;
}

}  // namespace nearfar
