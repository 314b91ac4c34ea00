#pragma once

#include <nearfar/sharded/exchange.hpp>

#include <algorithm>
#include <bit>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "support/counted_kernel.hpp"
#include "support/team.hpp"

/// \file
/// A team of processes in virtual time. The real schedule runs with a few rows; each message and
/// each pair of rows takes the time that it would take with more and longer ones, on a network of
/// given speed. Times depend on the order of a process' calls alone, so they are the same in every
/// run.

namespace support {

struct SimulatedMachine {
  double score_seconds;          ///< to compute the score of a pair of rows
  double slope_seconds;          ///< to add the pair to both rows' gradients
  double byte_seconds;           ///< of a link, which sends and receives at the same time
  double latency;                ///< seconds from the end of a message's sending to its arrival
  bool moves_while_busy = true;  ///< false: a message moves only while its receiver waits for it
};

/// One process of a team, with a clock of its own.
class SimulatedProcess final : public nearfar::Exchange {
 public:
  SimulatedProcess(nearfar::Exchange& messages, const SimulatedMachine& machine)
      : messages_(messages), machine_(machine), counted_(thread_counts) {}

  int rank() const override { return messages_.rank(); }
  int size() const override { return messages_.size(); }

  Ticket start_send(int to, int channel, const void* data, Index bytes) override {
    work();
    sent_ = std::max(clock_, sent_) + seconds(bytes);
    // Each message is preceded by the time at which it has left.
    envelopes_.push_back(sent_);
    messages_.wait(messages_.start_send(to, channel, &envelopes_.back(), Index(sizeof(double))));
    messages_.wait(messages_.start_send(to, channel, data, bytes));
    return keep({.receives = false, .left = &envelopes_.back(), .bytes = bytes});
  }

  Ticket start_receive(int from, int channel, void* data, Index bytes) override {
    work();
    double* const left = &envelopes_.emplace_back(0);
    const Ticket envelope = messages_.start_receive(from, channel, left, Index(sizeof *left));
    const Ticket message = messages_.start_receive(from, channel, data, bytes);
    return keep({true, left, bytes, envelope, message});
  }

  void wait(Ticket ticket) override {
    work();
    const Transfer transfer = transfers_[static_cast<std::size_t>(ticket)];
    if (!transfer.receives) {
      clock_ = std::max(clock_, *transfer.left);
      return;
    }
    messages_.wait(transfer.envelope);
    messages_.wait(transfer.message);
    const double duration = seconds(transfer.bytes);
    const double first =
        *transfer.left - duration + machine_.latency;  // the first byte could be here
    double begin = std::max(first, received_);
    if (!machine_.moves_while_busy) begin = std::max(begin, clock_);
    received_ = begin + duration;
    clock_ = std::max(clock_, received_);
  }

  /// All processes go on when the last has come.
  void gather(const void* own, Index bytes, void* all) override {
    work();
    messages_.gather(own, bytes, all);
    std::vector<double> clocks(static_cast<std::size_t>(size()));
    messages_.gather(&clock_, Index(sizeof clock_), clocks.data());
    clock_ = *std::max_element(clocks.begin(), clocks.end()) +
             machine_.latency * std::bit_width(static_cast<unsigned>(size() - 1));
  }

  /// Seconds since the process began.
  double clock() {
    work();
    return clock_;
  }

 private:
  struct Transfer {
    bool receives;
    const double* left;  ///< when the sender has sent all of it
    Index bytes;
    Ticket envelope = 0;
    Ticket message = 0;
  };

  Ticket keep(const Transfer& transfer) {
    transfers_.push_back(transfer);
    return static_cast<Ticket>(transfers_.size() - 1);
  }

  double seconds(Index bytes) const { return static_cast<double>(bytes) * machine_.byte_seconds; }

  /// Adds the time of what was computed since the last call.
  void work() {
    const ThreadCounts now = thread_counts;
    clock_ += static_cast<double>(now.scores - counted_.scores) * machine_.score_seconds +
              static_cast<double>(now.slopes - counted_.slopes) * machine_.slope_seconds;
    counted_ = now;
  }

  nearfar::Exchange& messages_;
  SimulatedMachine machine_;
  ThreadCounts counted_;
  double clock_ = 0;
  double sent_ = 0;      // the link to the network is busy until then
  double received_ = 0;  // and the link from it
  std::deque<double> envelopes_;
  std::vector<Transfer> transfers_;
};

/// Runs body(exchange) for each of `size` processes; returns the seconds until the last has ended.
inline double simulated_seconds(int size, const SimulatedMachine& machine,
                                const std::function<void(nearfar::Exchange&)>& body) {
  std::mutex mutex;
  double last = 0;
  run_team(size, [&](nearfar::Exchange& messages) {
    SimulatedProcess process(messages, machine);
    body(process);
    const std::lock_guard lock(mutex);
    last = std::max(last, process.clock());
  });
  return last;
}

}  // namespace support
