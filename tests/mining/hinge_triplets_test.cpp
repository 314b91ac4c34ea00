#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <nearfar/mining/hinge_triplets.hpp>
#include <numeric>
#include <vector>

#include "support/kernel_cases.hpp"
#include "support/random.hpp"

/// The triplets of one anchor against a plain loop over them. Distances are integers, so that sums
/// are exact and ties are many, including ties at the margin.

namespace {

using namespace support;
using nearfar::Mining;
using nearfar::detail::AnchorTriplets;
using nearfar::detail::HingeAnchor;
using nearfar::detail::HingeTriplets;
using nearfar::detail::negatives_of;
using nearfar::detail::PositivesMemory;
using nearfar::detail::Role;
using nearfar::detail::Scratch;
using nearfar::detail::SortedPositives;

/// An anchor's positives, and a row of keys: negatives, and others without a role.
template <class S>
struct Anchor {
  std::vector<S> positives;
  std::vector<S> keys;
  std::vector<S> roles = std::vector<S>(keys.size(), Role<S>::negative);

  Index negatives() const { return std::count(roles.begin(), roles.end(), Role<S>::negative); }
};

struct Found {
  AnchorTriplets sums{0, 0, 0, 0, 0, 0};
  long double value = 0;
  std::vector<double> of_positives;  ///< active triplets of each
  std::vector<double> of_keys;
};

template <class S>
Found one_by_one(const Anchor<S>& anchor, Mining mining, double margin) {
  Found found;
  found.of_positives.assign(anchor.positives.size(), 0);
  found.of_keys.assign(anchor.keys.size(), 0);
  for (std::size_t k = 0; k < anchor.keys.size(); ++k) {
    if (anchor.roles[k] != Role<S>::negative) continue;
    for (std::size_t p = 0; p < anchor.positives.size(); ++p) {
      const auto farther = static_cast<double>(anchor.keys[k]);
      const auto nearer = static_cast<double>(anchor.positives[p]);
      const bool hard = farther <= nearer;
      const bool easy = farther > nearer + margin;
      ++(hard ? found.sums.hard : easy ? found.sums.easy : found.sums.semihard);
      if ((mining == Mining::hard && !hard) || (mining == Mining::easy && !easy) ||
          (mining == Mining::semihard && (hard || easy))) {
        continue;
      }
      ++found.sums.terms;
      const long double loss = static_cast<long double>(nearer) - farther + margin;
      if (loss <= 0) continue;
      ++found.sums.active;
      found.value += loss;
      ++found.of_positives[p];
      ++found.of_keys[k];
    }
  }
  return found;
}

/// Scores are `sign` times the nearness; keys come in parts.
template <class S, int sign>
Found by_ranks(const Anchor<S>& anchor, Mining mining, double margin, bool with_gradients,
               Index part) {
  constexpr double upstream = 0.5;
  const auto count = static_cast<Index>(anchor.positives.size());
  const auto n = static_cast<Index>(anchor.keys.size());
  Scratch scratch(nullptr);
  PositivesMemory<S> memory(scratch, count);
  std::iota(memory.keys, memory.keys + count, 0);
  const SortedPositives<S> positives(
      count, [&](Index k) { return anchor.positives[static_cast<std::size_t>(k)]; }, margin,
      memory);
  const HingeTriplets<S> triplets(mining, margin, sign);
  std::vector<std::int32_t> changes(static_cast<std::size_t>(triplets.changes_size(count)));
  HingeAnchor<S> folded = triplets.start(positives, anchor.negatives(), changes.data());
  std::vector<S> scores;
  for (const S distance : anchor.keys) scores.push_back(S(-sign) * distance);
  std::vector<S> gradients(anchor.keys.size(), S(77));
  for (Index first = 0; first < n; first += part) {
    triplets.fold(folded, upstream, negatives_of<S>(anchor.roles.data() + first),
                  std::min(part, n - first), scores.data() + first,
                  with_gradients ? gradients.data() + first : nullptr);
  }
  Found found;
  for (const S g : gradients) found.of_keys.push_back(static_cast<double>(g) / (sign * upstream));
  found.of_positives.assign(anchor.positives.size(), 0);
  found.sums = triplets.finish(folded, [&](Index key, double times) {
    found.of_positives[static_cast<std::size_t>(key)] += times;
  });
  found.value = found.sums.value;
  return found;
}

/// The difference of the largest and the smallest distance of positives and keys.
template <class S>
double range_of(const Anchor<S>& anchor) {
  std::vector<S> all = anchor.positives;
  all.insert(all.end(), anchor.keys.begin(), anchor.keys.end());
  if (all.empty()) return 0;
  const auto [least, most] = std::minmax_element(all.begin(), all.end());
  return static_cast<double>(*most) - static_cast<double>(*least);
}

template <class S, int sign>
void expect_alike(const Anchor<S>& anchor, double margin, Index part) {
  // Sums are of distances relative to the largest with a cost, with a rounding error each.
  const double size = std::numeric_limits<double>::epsilon() * (range_of(anchor) + margin) *
                      static_cast<double>(anchor.positives.size() + anchor.keys.size());
  for (const Mining mining : {Mining::all, Mining::hard, Mining::semihard, Mining::easy}) {
    SCOPED_TRACE(std::to_string(anchor.positives.size()) + " positives, " +
                 std::to_string(anchor.keys.size()) + " keys, margin " + std::to_string(margin) +
                 ", mining " + std::to_string(static_cast<int>(mining)));
    const Found want = one_by_one(anchor, mining, margin);
    for (const bool with_gradients : {true, false}) {
      const Found got = by_ranks<S, sign>(anchor, mining, margin, with_gradients, part);
      EXPECT_EQ(got.sums.hard, want.sums.hard);
      EXPECT_EQ(got.sums.semihard, want.sums.semihard);
      EXPECT_EQ(got.sums.easy, want.sums.easy);
      EXPECT_EQ(got.sums.terms, want.sums.terms);
      EXPECT_EQ(got.sums.active, want.sums.active);
      EXPECT_LE(std::abs(got.value - want.value), size * static_cast<double>(want.sums.active));
      EXPECT_TRUE(got.of_positives == want.of_positives);
      if (with_gradients) {
        EXPECT_TRUE(got.of_keys == want.of_keys);
      }
    }
  }
}

/// Integers below `most`.
template <class S>
std::vector<S> whole_numbers(Index count, Index most, std::uint64_t seed) {
  Random random(seed);
  std::vector<S> out;
  for (Index k = 0; k < count; ++k) out.push_back(static_cast<S>(random.below(most)));
  return out;
}

template <class S>
class Hinges : public testing::Test {};
TYPED_TEST_SUITE(Hinges, Scalars, CaseNames);

/// Sizes near those of registers, of a table and of a run.
TYPED_TEST(Hinges, AreThoseOfEveryTriplet) {
  using S = TypeParam;
  for (const Index count : {0, 1, 2, 5, 31, 32, 33, 64, 200, 511, 512, 513, 700}) {
    for (const Index n : {0, 1, 7, 47, 48, 50, 383, 384, 385, 900}) {
      for (const double margin : {0.0, 2.0}) {
        const Anchor<S> anchor{whole_numbers<S>(count, 9, 1), whole_numbers<S>(n, 12, 2)};
        expect_alike<S, 1>(anchor, margin, n + 1);
        expect_alike<S, -1>(anchor, margin, 131);
      }
    }
  }
}

TYPED_TEST(Hinges, CountNegativesOnly) {
  using S = TypeParam;
  Random random(3);
  Anchor<S> anchor{whole_numbers<S>(40, 9, 4), whole_numbers<S>(500, 12, 5)};
  for (S& role : anchor.roles) role = static_cast<S>(random.below(3) - 1);
  expect_alike<S, 1>(anchor, 2, 501);
  std::fill(anchor.roles.begin(), anchor.roles.end(), Role<S>::nobody);
  expect_alike<S, -1>(anchor, 2, 501);
}

/// The sum of a distance and the margin equals no distance, and may not be a number of S.
TYPED_TEST(Hinges, OfMarginsThatNoDistanceEquals) {
  using S = TypeParam;
  const Anchor<S> anchor{whole_numbers<S>(60, 9, 6), whole_numbers<S>(200, 12, 7)};
  for (const double margin : {0.5, 1.75, 1e-9}) expect_alike<S, 1>(anchor, margin, 201);
}

/// Many triplets without a cost, at the last distance that could have one and beyond.
TYPED_TEST(Hinges, BeyondAllPositives) {
  using S = TypeParam;
  Anchor<S> anchor{whole_numbers<S>(60, 9, 6), std::vector<S>(600, S(1000))};
  for (const double margin : {0.0, 2.0}) {
    const S last = *std::max_element(anchor.positives.begin(), anchor.positives.end());
    std::fill_n(anchor.keys.begin(), 200, last + static_cast<S>(margin));
    expect_alike<S, 1>(anchor, margin, 601);
    expect_alike<S, -1>(anchor, margin, 601);
  }
}

/// So many that a run's sum of ranks exceeds the integers of a float.
TYPED_TEST(Hinges, CountsBeyondFloatIntegersAreExact) {
  using S = TypeParam;
  Anchor<S> anchor{whole_numbers<S>(65003, 500, 8), whole_numbers<S>(400, 150, 9)};
  for (S& distance : anchor.keys) distance += 400;
  expect_alike<S, 1>(anchor, 100, 401);
}

/// Margins far below distances, and below their differences: sums in float would lose up to all
/// digits of the few active hinges, and so would a margin added to a distance.
TYPED_TEST(Hinges, OfDistancesFarAboveTheMargin) {
  using S = TypeParam;
  struct Distances {
    double least;
    double range;
  };
  for (const Distances of : {Distances{10000, 1}, Distances{10000, 100}, Distances{1, 10000}}) {
    Random random(13);
    const auto some = [&](std::size_t count) {
      std::vector<S> out(count);
      for (S& d : out) d = static_cast<S>(of.least + of.range * (random.uniform() + 1) / 2);
      return out;
    };
    const Anchor<S> anchor{some(200), some(400)};
    expect_alike<S, -1>(anchor, 0.2, 401);
    expect_alike<S, 1>(anchor, 0.2, 131);
  }
}

/// Differences that overflow S, of triplets without a cost.
TYPED_TEST(Hinges, TripletsWithoutLossStayFinite) {
  using S = TypeParam;
  const S far = std::numeric_limits<S>::max() / S(1.5);
  Anchor<S> anchor{std::vector<S>(3, far), std::vector<S>(70, -far)};
  for (const Mining mining : {Mining::semihard, Mining::easy}) {
    EXPECT_EQ((by_ranks<S, 1>(anchor, mining, 0, true, 71).value), 0);
    EXPECT_EQ((by_ranks<S, -1>(anchor, mining, 0.5, false, 71).value), 0);
  }
}

/// Sums that overflow float are right in double.
TYPED_TEST(Hinges, LargeDistancesAreSummedInDouble) {
  using S = TypeParam;
  Anchor<S> anchor{whole_numbers<S>(100, 9, 10), whole_numbers<S>(300, 9, 11)};
  Random random(12);
  for (S& role : anchor.roles) role = static_cast<S>(random.below(2));
  for (auto* distances : {&anchor.positives, &anchor.keys}) {
    for (S& d : *distances) d = std::ldexp(d, std::numeric_limits<S>::max_exponent - 6);
  }
  for (const Mining mining : {Mining::all, Mining::hard}) {
    const Found want = one_by_one(anchor, mining, 0);
    const Found got = by_ranks<S, 1>(anchor, mining, 0, false, 301);
    EXPECT_EQ(got.sums.active, want.sums.active);
    if constexpr (sizeof(S) == sizeof(float)) {
      EXPECT_EQ(got.value, want.value);
    }
  }
}

}  // namespace
