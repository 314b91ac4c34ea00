#include <gtest/gtest.h>

#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Every sharded loss, kernel, schedule and split against the loss of one process.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::Schedule;

struct Case {
  int processes;
  Split split;
  Schedule schedule;
};

class ShardedLosses : public testing::TestWithParam<Case> {};

template <class S>
void expect_equal(const Case& at) {
  run_team(at.processes, [&](Exchange& exchange) {
    expect_equal_to_one_process<S>(exchange, at.split, at.schedule);
  });
}

TEST_P(ShardedLosses, AreThoseOfOneProcessInFloat) { expect_equal<float>(GetParam()); }
TEST_P(ShardedLosses, AreThoseOfOneProcessInDouble) { expect_equal<double>(GetParam()); }

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    out.push_back({1, Split::even, schedule});
    for (const int processes : {2, 3, 5}) {
      for (const Split split : {Split::even, Split::growing}) {
        out.push_back({processes, split, schedule});
      }
    }
    out.push_back({3, Split::first_has_none, schedule});
    out.push_back({4, Split::last_has_all, schedule});
  }
  return out;
}

std::string name_of(const testing::TestParamInfo<Case>& at) {
  static const char* const splits[] = {"Even", "Growing", "FirstHasNone", "LastHasAll"};
  static const char* const schedules[] = {"Ring", "Ordered", "AllGather"};
  return std::to_string(at.param.processes) + splits[static_cast<int>(at.param.split)] +
         schedules[static_cast<int>(at.param.schedule)];
}

INSTANTIATE_TEST_SUITE_P(Splits, ShardedLosses, testing::ValuesIn(cases()), name_of);

/// Batches without a pair of rows, a positive or a negative.
template <class S>
void expect_equal_of_few() {
  const auto expect = [](const auto& batch_of) {
    const std::vector<ShardedCase<S>> cases = sharded_cases<S>(batch_of);
    for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
      for (const Split split : {Split::even, Split::last_has_all}) {
        run_team(3, [&](Exchange& exchange) {
          expect_equal_to_one_process<S>(exchange, split, schedule, cases);
        });
      }
    }
  };
  for (const Index n : {0, 1, 2, 3}) {
    SCOPED_TRACE(std::to_string(n) + " rows");
    expect([n](const auto& subject) { return batch_for(subject, n, 9, 17); });
  }
  for (const bool alike : {false, true}) {
    SCOPED_TRACE(alike ? "one label" : "no label twice");
    expect([alike](const auto& subject) {
      Batch<S> all = batch_for(subject, 7, 9, 17);
      for (std::size_t i = 0; i < all.labels.size(); ++i) {
        all.labels[i] = alike ? 4 : static_cast<int>(i);
      }
      return all;
    });
  }
}

TEST(ShardedLossesOfFewRows, AreThoseOfOneProcessInFloat) { expect_equal_of_few<float>(); }
TEST(ShardedLossesOfFewRows, AreThoseOfOneProcessInDouble) { expect_equal_of_few<double>(); }

}  // namespace
