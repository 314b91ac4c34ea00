#include <gtest/gtest.h>

#include <nearfar/losses/multi_similarity.hpp>
#include <nearfar/losses/sup_con.hpp>

#include "support/errors.hpp"
#include "support/random.hpp"

/// All ways in which targets do not fit rows, or each other: the type and text of the exception,
/// and that no output has changed.

namespace {

using namespace support;
using nearfar::MultiLabels;
using nearfar::PositiveLists;
using nearfar::Targets;

TEST(BadTargets, AreRefused) {
  const Matrix<double> x = random_rows<double>(4, 3, 1);
  const Matrix<double> y = random_rows<double>(5, 3, 2);
  const std::vector<int> four = {0, 1, 0, 1};
  const std::vector<int> five = {0, 1, 0, 1, 1};
  const std::vector<std::uint64_t> bits(16, 1);
  const std::vector<Index> offsets = {0, 1, 2, 2, 3};
  const std::vector<Index> short_offsets = {0, 1, 2, 3};
  const std::vector<Index> late = {1, 1, 2, 2, 3};
  const std::vector<Index> falling = {0, 2, 1, 2, 3};
  const std::vector<Index> rows_of_three = {0, 3, 3, 3, 3};
  const std::vector<Index> columns = {1, 2, 3};
  const std::vector<Index> outside = {1, 2, 5};
  const std::vector<Index> below = {-1, 2, 3};
  const std::vector<Index> twice = {1, 1, 3};
  const std::vector<Index> unordered = {2, 1, 3};
  const std::vector<double> two_weights = {1, 1};
  const std::vector<double> weights = {1, 2, 3};
  const std::vector<double> zero_weight = {1, 0, 1};
  const std::vector<double> four_weights = {1, 1, 0, 1};
  const std::vector<double> negative_weight = {1, 1, -0.5, 1};
  const std::vector<double> infinite_weight = {1, 1, 1, std::numeric_limits<double>::infinity()};

  const nearfar::SupCon<double> loss;
  const nearfar::MultiSimilarity<double> takes_no_weights;
  Matrix<double> dx = Matrix<double>::Constant(1, 1, 7);
  Matrix<double> dy = Matrix<double>::Constant(1, 1, 7);
  const auto batch = [&](const Targets& targets) {
    return [&, targets] { loss.forward_backward(x, targets, dx); };
  };
  const auto pair = [&](const Targets& a, const Targets& b) {
    return [&, a, b] { loss.forward_backward(x, a, y, b, dx, dy); };
  };
  const auto invalid = Thrown::invalid_argument;
  const BadCall table[] = {
      {"no rule", invalid, {"labels: wanted labels, or lists of positives"}, batch(Targets())},
      {"labels too many", invalid, {"labels: wanted 4 labels", "got 5"}, batch(five)},
      {"reference labels too few",
       invalid,
       {"reference_labels: wanted 5 labels", "got 4"},
       pair(four, four)},
      {"labels against sets",
       invalid,
       {"reference_labels: wanted labels, as query_labels are, got another rule"},
       pair(four, MultiLabels{bits.data(), 5, 1})},
      {"sets against labels",
       invalid,
       {"reference_labels: wanted sets of labels, as query_labels are, got another rule"},
       pair(MultiLabels{bits.data(), 4, 1}, five)},
      {"sets too few",
       invalid,
       {"labels: wanted 4 sets of labels, one a row, got 3"},
       batch(MultiLabels{bits.data(), 3, 1})},
      {"sets without words",
       invalid,
       {"labels: ", "at least 1", "got 0 words"},
       batch(MultiLabels{bits.data(), 4, 0})},
      {"sets of other lengths",
       invalid,
       {"reference_labels: wanted the same number of words", "got 2 words"},
       pair(MultiLabels{bits.data(), 4, 1}, MultiLabels{bits.data(), 5, 2})},
      {"lists and labels",
       invalid,
       {"reference_labels: wanted no labels where anchors list their positives"},
       pair(PositiveLists{offsets, columns}, five)},
      {"offsets too few",
       invalid,
       {"labels: wanted 5 offsets, one more than rows, got 4"},
       batch(PositiveLists{short_offsets, columns})},
      {"offsets not from 0",
       invalid,
       {"labels: wanted offsets from 0 to the number of columns, 3, got 1 to 3"},
       batch(PositiveLists{late, columns})},
      {"offsets falling",
       invalid,
       {"labels: wanted offsets in ascending order, got 1 after 2"},
       batch(PositiveLists{falling, columns})},
      {"column past the end",
       invalid,
       {"labels: wanted columns from 0 to 3, got 5 for row 3"},
       batch(PositiveLists{offsets, outside})},
      {"column past the references",
       invalid,
       {"query_labels: wanted columns from 0 to 4, got 5 for row 3"},
       pair(PositiveLists{offsets, outside}, Targets())},
      {"column below 0",
       invalid,
       {"labels: wanted columns from 0 to 3, got -1 for row 0"},
       batch(PositiveLists{offsets, below})},
      {"column twice",
       invalid,
       {"labels: wanted ascending columns without repetition, got 1 out of order in row 0"},
       batch(PositiveLists{rows_of_three, twice})},
      {"columns out of order",
       invalid,
       {"labels: wanted ascending columns", "got 1 out of order in row 0"},
       batch(PositiveLists{rows_of_three, unordered})},
      {"weights of positives too few",
       invalid,
       {"labels: wanted 3 weights, one a column, got 2"},
       batch(PositiveLists{offsets, columns, two_weights})},
      {"weight of a positive 0",
       invalid,
       {"weights of positives: wanted a finite number > 0, got 0"},
       batch(PositiveLists{offsets, columns, zero_weight})},
      {"weights of positives to a loss that has no use for them",
       invalid,
       {"labels: wanted lists without weights for this loss"},
       [&] {
         takes_no_weights.forward_backward(x, PositiveLists{offsets, columns, weights}, dx);
       }},
      {"ids of the wrong number",
       invalid,
       {"labels ids: wanted 4", "got 5"},
       batch(Targets(four).ids(five))},
      {"ids on the queries alone",
       invalid,
       {"reference_labels: wanted ids, as the other side has, got none"},
       pair(Targets(four).ids(four), five)},
      {"ids on the references alone",
       invalid,
       {"query_labels: wanted ids, as the other side has, got none"},
       pair(four, Targets(five).ids(five))},
      {"weights of references",
       invalid,
       {"reference_labels: wanted no weights: anchors have weights"},
       pair(four, Targets(five).weights(std::span(weights)))},
      {"weights of anchors too few",
       invalid,
       {"labels weights: wanted 4 numbers", "got 3"},
       batch(Targets(four).weights(weights))},
      {"weight of an anchor below 0",
       invalid,
       {"labels weights: ", "got -0.5"},
       batch(Targets(four).weights(negative_weight))},
      {"weight of an anchor infinite",
       Thrown::domain_error,
       {"labels weights"},
       batch(Targets(four).weights(infinite_weight))},
  };
  for (const BadCall& bad : table) {
    expect_refused(bad);
    EXPECT_EQ(dx, Matrix<double>::Constant(1, 1, 7)) << bad.name;
    EXPECT_EQ(dy, Matrix<double>::Constant(1, 1, 7)) << bad.name;
  }
  EXPECT_NO_THROW(batch(Targets(four).weights(four_weights))());
  EXPECT_NO_THROW(batch(PositiveLists{offsets, columns, weights})());
}

}  // namespace
