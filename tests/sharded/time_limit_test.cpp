#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <limits>
#include <nearfar/nearfar.hpp>
#include <nearfar/sharded.hpp>
#include <thread>

#include "support/random.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// A process that is gone, or stands still, is named by the others within the limit.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::Schedule;
using nearfar::TimeLimit;
using Ticket = Exchange::Ticket;

constexpr double limit = 4;
constexpr int processes = 4;

/// The end of a process.
struct Gone {};

/// An exchange of which a process uses `steps` functions, and then no more.
class Failing final : public Exchange {
 public:
  Failing(Exchange& on, long steps, std::function<void()> end)
      : on_(on), steps_(steps), end_(std::move(end)) {}

  long steps_left() const { return steps_; }

  int rank() const override { return on_.rank(); }
  int size() const override { return on_.size(); }
  Ticket start_send(int to, int channel, const void* data, Index bytes) override {
    step();
    return on_.start_send(to, channel, data, bytes);
  }
  Ticket start_receive(int from, int channel, void* data, Index bytes) override {
    step();
    return on_.start_receive(from, channel, data, bytes);
  }
  void wait(Ticket ticket) override {
    step();
    on_.wait(ticket);
  }
  void gather(const void* own, Index bytes, void* all) override {
    step();
    on_.gather(own, bytes, all);
  }

 private:
  void step() {
    if (steps_-- > 0) return;
    end_();
    throw Gone();
  }

  Exchange& on_;
  long steps_;
  std::function<void()> end_;
};

template <class Call>
struct Trial {
  const Call& call;
  Schedule schedule;
  int failing;   ///< which process ends ...
  long steps;    ///< ... after so many functions of its exchange
  bool returns;  ///< whether it does at once, or when the others have ended
};

/// How many of the others threw an error, each of which is to name the failing process.
template <class Call>
int errors_of_others(const Trial<Call>& trial) {
  std::atomic<int> ended = 0;
  std::atomic<int> errors = 0;
  run_team(processes, [&](Exchange& exchange) {
    TimeLimit limited(exchange, limit);
    if (exchange.rank() == trial.failing) {
      const auto until_others_end = [&] {
        while (!trial.returns && ended < processes - 1) {
          std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
      };
      Failing failing(limited, trial.steps, until_others_end);
      try {
        trial.call(nearfar::Sharding(failing, trial.schedule));
      } catch (const Gone&) {
      }
      return;
    }
    const auto begin = std::chrono::steady_clock::now();
    try {
      trial.call(nearfar::Sharding(limited, trial.schedule));
    } catch (const std::runtime_error& error) {
      const std::string wanted = "nearfar: rank " + std::to_string(trial.failing) + " is silent";
      EXPECT_NE(std::string(error.what()).find(wanted), std::string::npos) << error.what();
      const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
      EXPECT_LT(waited.count(), 3 * limit);
      EXPECT_THROW(limited.gather(nullptr, 0, nullptr), std::runtime_error);
      ++errors;
    }
    ++ended;
  });
  return errors;
}

/// All trials together: they wait most of the time.
template <class Call>
void expect_named_at_each_phase(const Call& call, Schedule schedule) {
  std::atomic<long> used = 0;
  run_team(processes, [&](Exchange& exchange) {
    Failing counts(exchange, 1000000, [] {});
    call(nearfar::Sharding(counts, schedule));
    if (exchange.rank() == 1) used = 1000000 - counts.steps_left();
  });
  std::vector<std::thread> trials;
  std::vector<int> errors(static_cast<std::size_t>(used));
  for (long steps = 0; steps < used; ++steps) {
    trials.emplace_back([&, steps] {
      errors[static_cast<std::size_t>(steps)] =
          errors_of_others(Trial<Call>{call, schedule, 1, steps, steps % 2 == 0});
    });
  }
  for (std::thread& trial : trials) trial.join();
  // All wait for it before the first rows are sent, and one does until the last message but a few,
  // which it only receives.
  EXPECT_EQ(errors.front(), processes - 1);
  const auto last = std::find(errors.begin(), errors.end(), 0);
  EXPECT_GE(last - errors.begin(), used - 8);
}

const Matrix<float>& own_rows() {
  static const Matrix<float> x = random_rows<float>(24, 5, 1);
  return x;
}

TEST(ShardedTimeLimit, NamesASilentProcessInEachPhaseOfARing) {
  const auto call = [](const nearfar::Sharding& where) {
    Matrix<float> dx;
    Matrix<float> dy;
    nearfar::sharded::NtXent<float>().forward_backward(where, own_rows(), own_rows(), dx, dy);
  };
  expect_named_at_each_phase(call, Schedule::ring);
}

TEST(ShardedTimeLimit, NamesASilentProcessInEachPhaseOfOtherSchedules) {
  const auto call = [](const nearfar::Sharding& where) {
    Matrix<float> dx;
    Matrix<float> dy;
    nearfar::sharded::InfoNce<float>().forward_backward(where, own_rows(), own_rows(), dx, dy);
  };
  expect_named_at_each_phase(call, Schedule::ordered);
  expect_named_at_each_phase(call, Schedule::all_gather);
}

TEST(ShardedTimeLimit, ChangesNoResult) {
  const std::vector<int> labels = random_labels(24, 5, 2);
  run_team(3, [&](Exchange& exchange) {
    TimeLimit limited(exchange, 600);
    const nearfar::sharded::SupCon<float> loss;
    Matrix<float> dx;
    Matrix<float> limited_dx;
    for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
      const auto want = loss.forward_backward({exchange, schedule}, own_rows(), labels, dx);
      const auto got = loss.forward_backward({limited, schedule}, own_rows(), labels, limited_dx);
      EXPECT_EQ(got.value, want.value);
      EXPECT_TRUE(same_bits(limited_dx, dx));
    }
  });
}

TEST(ShardedTimeLimit, IsAPositiveNumberOfSeconds) {
  nearfar::Alone alone;
  for (const double seconds : {0.0, -1.0, std::numeric_limits<double>::infinity()}) {
    EXPECT_THROW(TimeLimit(alone, seconds), std::invalid_argument);
  }
}

}  // namespace
