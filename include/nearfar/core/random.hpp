#pragma once

#include <array>
#include <cstdint>

/// \file
/// Random numbers that are functions of their position alone. There is no state and no order, so
/// they do not depend on threads.

namespace nearfar {

/// Philox4x32-10: four random words for a counter of four words under a key of two (Salmon et al.,
/// Parallel random numbers: as easy as 1, 2, 3, 2011, section 4). Neighbouring counters give
/// independent words.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t(0xD2511F53u) * counter[0];
    const std::uint64_t b = std::uint64_t(0xCD9E8D57u) * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// 128 random bits for draw k of a row at a step, under a seed. Steps and draws count modulo 2^32.
inline std::array<std::uint64_t, 2> random_bits(std::uint64_t seed, std::uint64_t step,
                                                std::uint64_t row, std::uint64_t k) {
  const auto words =
      philox({static_cast<std::uint32_t>(k), static_cast<std::uint32_t>(step),
              static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(row >> 32)},
             {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return {words[0] | std::uint64_t(words[1]) << 32, words[2] | std::uint64_t(words[3]) << 32};
}

/// A number in [0, 1), from the upper 53 bits.
inline double unit_interval(std::uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace nearfar
