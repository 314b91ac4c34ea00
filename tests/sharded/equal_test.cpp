#include <gtest/gtest.h>

#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Every sharded loss x kernel x schedule x split against the loss of one process.

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

}  // namespace
