#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "nearfar/core/errors.hpp"
#include "nearfar/sharded/exchange.hpp"

/// \file
/// A limit on how long a process waits for another one.

namespace nearfar {

/// Another exchange, on which no process waits longer than a limit:
///
///     nearfar::TimeLimit limited(world, 60);  // seconds
///     loss.forward_backward(limited, view1, view2, d_view1, d_view2);
///
/// If a process dies, makes no call or stands still, calls of the others throw std::runtime_error,
/// which names it: "nearfar: rank 2 is silent: waited 60 s for it". A process that itself waits for
/// the silent one is not named: processes that wait long ask each other for whom. The limit is to
/// be longer than a call takes. After the error the outputs and the exchange are lost. What was
/// sent and not yet received may still be read: end the process, or keep the Workspace.
///
/// All processes make it together, and it is gone before the other exchange. `gather` sends each
/// process a message.
class TimeLimit final : public Exchange {
 public:
  /// Throws std::invalid_argument unless the limit is a finite number > 0 of seconds.
  TimeLimit(Exchange& on, double seconds) : on_(on), limit_(seconds) {
    check_positive("seconds", seconds);
    others_.resize(static_cast<std::size_t>(size()));
    for (int rank = 0; rank < size(); ++rank) {
      if (rank != on_.rank()) expect_note(rank);
    }
  }
  ~TimeLimit() override {
    for (int rank = 0; rank < size(); ++rank) {
      if (rank != on_.rank()) on_.cancel(other(rank).coming);
    }
  }
  TimeLimit(const TimeLimit&) = delete;
  TimeLimit& operator=(const TimeLimit&) = delete;

  int rank() const override { return on_.rank(); }
  int size() const override { return on_.size(); }

  Ticket start_send(int to, int channel, const void* data, Index bytes) override {
    check();
    return noted({to, false}, on_.start_send(to, channel, data, bytes));
  }
  Ticket start_receive(int from, int channel, void* data, Index bytes) override {
    check();
    return noted({from, true}, on_.start_receive(from, channel, data, bytes));
  }
  void wait(Ticket ticket) override {
    if (!wait_for(ticket, limit_)) fail();
  }
  bool wait_for(Ticket ticket, double seconds) override {
    check();
    waits_for_ = under_way_[ticket].rank;
    const Clock::time_point begin = Clock::now();
    const double slice = std::min(seconds / 20, 0.01);
    bool has_asked = false;
    while (!on_.wait_for(ticket, slice)) {
      const double waited = std::chrono::duration<double>(Clock::now() - begin).count();
      read_notes();
      if (waited > seconds) return false;
      if (has_asked || waited < seconds / 2) continue;
      ask();
      has_asked = true;
    }
    waits_for_ = nobody;
    under_way_.erase(ticket);
    return true;
  }
  void cancel(Ticket ticket) override {
    under_way_.erase(ticket);
    on_.cancel(ticket);
  }

  void gather(const void* own, Index bytes, void* all) override {
    check();
    auto* to = static_cast<unsigned char*>(all);
    const auto* from = static_cast<const unsigned char*>(own);
    std::copy(from, from + bytes, to + bytes * rank());
    std::vector<Ticket> tickets;
    for (int other = 0; other < size() && bytes > 0; ++other) {
      if (other == rank()) continue;
      tickets.push_back(start_receive(other, gather_channel, to + bytes * other, bytes));
      tickets.push_back(start_send(other, gather_channel, own, bytes));
    }
    for (const Ticket ticket : tickets) wait(ticket);
  }

 private:
  using Clock = std::chrono::steady_clock;

  /// Beyond those of the library.
  enum Channel { gather_channel = 8, note_channel = 9 };
  static constexpr int nobody = -1;

  /// A question whether a process is there, or the answer to it: yes, and it waits for `rank`.
  struct Note {
    std::int64_t question = 0;  ///< its number; the answer has minus the number
    std::int64_t rank = nobody;
  };
  struct Other {
    Note arriving;
    Ticket coming = 0;
    bool has_answered = false;  ///< the latest question
    int waits_for = nobody;
  };
  /// The other side of a transfer.
  struct Peer {
    int rank = nobody;
    bool sends_to_this = false;
  };
  struct Sent {
    Note note;
    Ticket ticket;
  };

  Other& other(int rank) { return others_[static_cast<std::size_t>(rank)]; }

  Ticket noted(const Peer& peer, Ticket ticket) {
    under_way_[ticket] = peer;
    return ticket;
  }

  /// Once a wait was too long, all calls fail.
  void check() const {
    if (!failure_.empty()) throw std::runtime_error(failure_);
  }

  void expect_note(int rank) {
    Other& from = other(rank);
    from.coming = on_.start_receive(rank, note_channel, &from.arriving, Index(sizeof(Note)));
  }

  void send_note(int to, const Note& note) {
    sent_.push_back({note, 0});
    Sent& last = sent_.back();
    last.ticket = on_.start_send(to, note_channel, &last.note, Index(sizeof(Note)));
  }

  void ask() {
    ++question_;
    for (int rank = 0; rank < size(); ++rank) {
      if (rank == on_.rank()) continue;
      other(rank).has_answered = false;
      send_note(rank, {question_, nobody});
    }
  }

  void read_notes() {
    sent_.remove_if([&](const Sent& note) { return on_.wait_for(note.ticket, 0); });
    for (int rank = 0; rank < size(); ++rank) {
      if (rank == on_.rank()) continue;
      Other& from = other(rank);
      while (on_.wait_for(from.coming, 0)) {
        const Note note = from.arriving;
        expect_note(rank);
        if (note.question > 0) {
          send_note(rank, {-note.question, waits_for_});
        } else if (-note.question == question_) {
          from.has_answered = true;
          from.waits_for = static_cast<int>(note.rank);
        }
      }
    }
  }

  /// Names the first that does not answer, of those that wait for one another.
  [[noreturn]] void fail() {
    int silent = waits_for_;
    for (int step = 0; step < size() && silent != rank() && other(silent).has_answered; ++step) {
      if (other(silent).waits_for == nobody) break;
      silent = other(silent).waits_for;
    }
    failure_ = "nearfar: rank " + std::to_string(silent) + " is silent: waited " +
               detail::number_text(limit_) + " s for it";
    for (const auto& [ticket, peer] : under_way_) {
      if (peer.sends_to_this) on_.cancel(ticket);
    }
    under_way_.clear();
    throw std::runtime_error(failure_);
  }

  Exchange& on_;
  double limit_;
  std::map<Ticket, Peer> under_way_;
  int waits_for_ = nobody;
  std::int64_t question_ = 0;
  std::vector<Other> others_;
  std::list<Sent> sent_;
  std::string failure_;
};

}  // namespace nearfar
