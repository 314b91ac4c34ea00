#include <gtest/gtest.h>

#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// What one process has wrong is thrown on all of them, and the next call is none the worse.

namespace {

using namespace support;
using nearfar::Schedule;

class ShardedErrors : public testing::TestWithParam<Schedule> {};

TEST_P(ShardedErrors, OfOneProcessAreThoseOfAll) {
  for (const int processes : {2, 3}) {
    run_team(processes,
             [&](nearfar::Exchange& exchange) { expect_errors_on_all(exchange, GetParam()); });
  }
}

INSTANTIATE_TEST_SUITE_P(Schedules, ShardedErrors,
                         testing::Values(Schedule::ring, Schedule::ordered, Schedule::all_gather));

TEST(ShardedErrors, OptionsAreRefusedAsInOneProcess) {
  EXPECT_THROW(nearfar::sharded::InfoNce<float>({.temperature = 0}), std::invalid_argument);
  EXPECT_THROW(
      nearfar::sharded::MinedTriplet<float>({.mining = nearfar::Mining::distance_weighted}),
      std::invalid_argument);
  EXPECT_THROW(nearfar::sharded::MinedTriplet<float>(
                   {.form = nearfar::TripletForm::soft, .mining = nearfar::Mining::all}),
               std::invalid_argument);
}

TEST(ShardedErrors, TagsThatShardsDoNotHaveAreRefused) {
  nearfar::Alone alone;
  const Matrix<float> x = random_rows<float>(4, 3, 1);
  const nearfar::sharded::SupCon<float> loss;
  const std::vector<int> labels = {0, 0, 1, 1};
  const std::vector<double> weights(4, 1.0);
  EXPECT_THROW(loss.forward(alone, x, nearfar::Tags(labels).weights(weights)),
               std::invalid_argument);
  EXPECT_THROW(loss.forward(alone, x, nearfar::Tags()), std::invalid_argument);
}

TEST(ShardedErrors, AnchorsThatCannotLearnAreRefusedOnAllWhereAsked) {
  run_team(2, [&](nearfar::Exchange& exchange) {
    const Matrix<float> x = random_rows<float>(2, 3, 1);
    const std::vector<int> labels =
        exchange.rank() == 0 ? std::vector<int>{4, 4} : std::vector<int>{5, 6};
    const nearfar::sharded::SupCon<float> loss(
        {.unusable_anchors = nearfar::UnusableAnchor::error});
    expect_error_everywhere([&] { loss.forward(exchange, x, labels); },
                            "rank 1: batch: wanted every anchor to have something to learn from, "
                            "got 2 anchors without a positive");
  });
}

}  // namespace
