#include <gtest/gtest.h>

#include <nearfar/core/random.hpp>
#include <set>

namespace {

using Words = std::array<std::uint32_t, 4>;

TEST(Philox, GivesTheKnownAnswersOfItsAuthors) {
  EXPECT_EQ(nearfar::philox({0, 0, 0, 0}, {0, 0}),
            (Words{0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u}));
  EXPECT_EQ(nearfar::philox({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}),
            (Words{0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu}));
  EXPECT_EQ(nearfar::philox({0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u},
                            {0xa4093822u, 0x299f31d0u}),
            (Words{0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u}));
}

TEST(RandomBits, DifferWhereverTheyAreNeeded) {
  std::set<std::uint64_t> seen;
  int asked = 0;
  for (std::uint64_t seed : {1u, 2u}) {
    for (std::uint64_t step : {0u, 1u, 7u}) {
      for (std::uint64_t row : {std::uint64_t(0), std::uint64_t(5), std::uint64_t(1) << 40}) {
        for (std::uint64_t k = 0; k < 20; ++k) {
          seen.insert(nearfar::random_bits(seed, step, row, k)[0]);
          ++asked;
        }
      }
    }
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(asked));
  EXPECT_EQ(nearfar::random_bits(3, 4, 5, 6), nearfar::random_bits(3, 4, 5, 6));
}

TEST(UnitInterval, ReachesItsLowerEndOnly) {
  EXPECT_EQ(nearfar::unit_interval(0), 0);
  EXPECT_LT(nearfar::unit_interval(~std::uint64_t(0)), 1);
}

}  // namespace
