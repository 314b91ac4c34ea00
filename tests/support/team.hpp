#pragma once

#include <nearfar/sharded/exchange.hpp>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <tuple>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

/// \file
/// Processes that share a batch, as threads of one process, to test sharded calls without a
/// transport.

namespace support {

/// The common state of a team's threads: messages in transfer.
class Mail {
 public:
  explicit Mail(int size)
      : size_(size),
        news_(static_cast<std::size_t>(size)),
        gathered_(static_cast<std::size_t>(size)) {}

  int size() const { return size_; }

  void put(int from, int to, int channel, std::vector<unsigned char> message) {
    const std::lock_guard lock(mutex_);
    boxes_[{from, to, channel}].push_back(std::move(message));
    bytes_ += boxes_[{from, to, channel}].back().size();
    news_[static_cast<std::size_t>(to)].notify_all();
  }

  using Clock = std::chrono::steady_clock;
  using Time = Clock::time_point;

  /// The next message; false if there is none by the deadline, if one is given.
  bool take(int from, int to, int channel, const Time* deadline,
            std::vector<unsigned char>& message) {
    std::unique_lock lock(mutex_);
    auto& box = boxes_[{from, to, channel}];
    const auto has_come = [&] { return !box.empty(); };
    std::condition_variable& news = news_[static_cast<std::size_t>(to)];
    if (deadline == nullptr) {
      wait(news, lock, has_come);
    } else if (!news.wait_until(lock, *deadline, has_come)) {
      return false;
    }
    message = std::move(box.front());
    box.pop_front();
    return true;
  }

  std::vector<unsigned char> gather(int rank, const void* own, std::size_t bytes) {
    std::unique_lock lock(mutex_);
    const auto* from = static_cast<const unsigned char*>(own);
    wait(met_, lock, [&] { return leaving_ == 0; });
    gathered_[static_cast<std::size_t>(rank)].assign(from, from + bytes);
    if (++arrived_ == size_) {
      leaving_ = size_;
      arrived_ = 0;
    }
    met_.notify_all();
    wait(met_, lock, [&] { return leaving_ > 0; });
    std::vector<unsigned char> all;
    for (const auto& part : gathered_) all.insert(all.end(), part.begin(), part.end());
    --leaving_;
    met_.notify_all();
    return all;
  }

  /// Called when a thread has failed: wakes all that wait for it, now or later.
  void abandon() {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    for (std::condition_variable& news : news_) news.notify_all();
    met_.notify_all();
  }

  /// The bytes of all messages so far.
  std::size_t bytes() {
    const std::lock_guard lock(mutex_);
    return bytes_;
  }

 private:
  template <class Ready>
  void wait(std::condition_variable& news, std::unique_lock<std::mutex>& lock, const Ready& ready) {
    news.wait(lock, [&] { return ready() || abandoned_; });
    if (!ready()) throw std::logic_error("a process that others wait for has gone");
  }

  int size_;
  std::mutex mutex_;
  std::vector<std::condition_variable> news_;  // of each process: a message for it has come
  std::condition_variable met_;                // a process has come to a gathering, or has left it
  std::map<std::tuple<int, int, int>, std::deque<std::vector<unsigned char>>> boxes_;
  std::vector<std::vector<unsigned char>> gathered_;
  int arrived_ = 0;
  int leaving_ = 0;
  bool abandoned_ = false;
  std::size_t bytes_ = 0;
};

class Thread final : public nearfar::Exchange {
 public:
  Thread(Mail& mail, int rank) : mail_(mail), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return mail_.size(); }
  Ticket start_send(int to, int channel, const void* data, nearfar::Index bytes) override {
    const auto* from = static_cast<const unsigned char*>(data);
    mail_.put(rank_, to, channel, {from, from + bytes});
    return 0;
  }
  Ticket start_receive(int from, int channel, void* data, nearfar::Index bytes) override {
    expected_.push_back(
        {from, channel, static_cast<unsigned char*>(data), static_cast<std::size_t>(bytes)});
    return static_cast<Ticket>(expected_.size());
  }
  void wait(Ticket ticket) override { wait_until(ticket, nullptr); }
  bool wait_for(Ticket ticket, double seconds) override {
    const auto end = Mail::Clock::now() + std::chrono::duration<double>(seconds);
    const auto deadline = std::chrono::time_point_cast<Mail::Clock::duration>(end);
    return wait_until(ticket, &deadline);
  }
  void cancel(Ticket ticket) override {
    if (ticket > 0) expected_[static_cast<std::size_t>(ticket - 1)].done = true;
  }
  void gather(const void* own, nearfar::Index bytes, void* all) override {
    const std::vector<unsigned char> got =
        mail_.gather(rank_, own, static_cast<std::size_t>(bytes));
    std::copy(got.begin(), got.end(), static_cast<unsigned char*>(all));
  }

 private:
  // Receives of one sender and channel complete in their order, for any order of waits.
  bool wait_until(Ticket ticket, const Mail::Time* deadline) {
    if (ticket == 0) return true;
    const auto wanted = static_cast<std::size_t>(ticket - 1);
    for (std::size_t k = 0; k <= wanted; ++k) {
      Expected& one = expected_[k];
      if (one.done || one.from != expected_[wanted].from ||
          one.channel != expected_[wanted].channel) {
        continue;
      }
      std::vector<unsigned char> message;
      if (!mail_.take(one.from, rank_, one.channel, deadline, message)) return false;
      if (message.size() != one.bytes) throw std::logic_error("a message of another size");
      std::copy(message.begin(), message.end(), one.data);
      one.done = true;
    }
    while (!expected_.empty() && expected_.back().done) expected_.pop_back();
    return true;
  }

  struct Expected {
    int from;
    int channel;
    unsigned char* data;
    std::size_t bytes;
    bool done = false;
  };
  Mail& mail_;
  int rank_;
  std::vector<Expected> expected_;
};

/// Runs body(exchange) for each of `size` processes, and returns the bytes they sent each other.
/// Rethrows the exception of the first process that threw.
inline std::size_t run_team(int size, const std::function<void(nearfar::Exchange&)>& body) {
  Mail mail(size);
  std::vector<std::exception_ptr> failures(static_cast<std::size_t>(size));
  std::vector<std::thread> threads;
  for (int rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
#ifdef _OPENMP
      omp_set_num_threads(1);  // there are enough threads
#endif
      Thread exchange(mail, rank);
      try {
        body(exchange);
      } catch (...) {
        failures[static_cast<std::size_t>(rank)] = std::current_exception();
        mail.abandon();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure != nullptr) std::rethrow_exception(failure);
  }
  return mail.bytes();
}

}  // namespace support
