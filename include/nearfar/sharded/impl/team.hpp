#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <exception>
#include <initializer_list>
#include <new>
#include <numeric>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "nearfar/core/result.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/sharded/sharding.hpp"

/// \file
/// Collective checks of a sharded call: that no process has failed, that all make the same call,
/// and sums over all. Whatever can fail on one of them is done by `agree`, so that it is thrown on
/// all of them and nobody waits for one that is gone. A gathering costs all processes a few
/// latencies, so a success is told with the next one: before any other message.

namespace nearfar::detail {

/// An option of a call, by its name.
struct NamedOption {
  const char* name;
  double value;
};

/// The description of a process's call; to be the same on all, but for the rows.
struct Introduction {
  static constexpr std::size_t most = 28;
  static constexpr std::size_t most_sets = 3;
  struct Option {
    char name[32];
    double value;
  };
  char call[64] = {};
  std::array<Option, most> options = {};
  std::int64_t option_count = 0;
  std::array<Index, most_sets> rows = {};           ///< of each set
  std::array<Index, most_sets> numbers = {};        ///< that each row of a set takes along
  std::array<bool, most_sets> wants_gradient = {};  ///< of each set
  bool wants_parameter = false;                     ///< the gradient of the kernel's matrix
  Index cols = 0;                                   ///< 0 where there are no rows

  bool has_rows() const {
    return std::any_of(rows.begin(), rows.end(), [](Index count) { return count > 0; });
  }

  Introduction() = default;
  Introduction(const char* name, std::initializer_list<NamedOption> list) {
    copy(name, call);
    add(list);
  }
  void add(std::initializer_list<NamedOption> list) {
    for (const NamedOption& option : list) {
      Option& to = options[static_cast<std::size_t>(option_count++)];
      copy(option.name, to.name);
      to.value = option.value;
    }
  }

 private:
  template <std::size_t size>
  static void copy(const char* text, char (&to)[size]) {
    std::strncpy(to, text, size - 1);
  }
};

/// The processes of one call.
class Team {
 public:
  explicit Team(Exchange& exchange) : exchange_(exchange) {}

  Exchange& exchange() const { return exchange_; }
  int rank() const { return exchange_.rank(); }
  int size() const { return exchange_.size(); }
  int left() const { return (rank() + size() - 1) % size(); }
  int right() const { return (rank() + 1) % size(); }

  /// Runs what may throw here and there, without messages of its own. If it throws on any process,
  /// all throw what the first of them threw, with its rank: this one now, others in `settle`.
  template <class Body>
  void agree(const Body& body) const {
    const Status status = status_of(body);
    unsettled_ = true;
    if (status.trouble != Trouble::none) settle(status);
  }

  /// The same for a body that sends and receives all of its messages whatever it throws.
  template <class Body>
  void agree_on_messages(const Body& body) const {
    settle();
    agree(body);
  }

  /// A Term of `rows` rows, made on all processes or on none.
  template <class Term, class... Args>
  Term make(Scratch& scratch, Index rows, const Args&... args) const {
    // The memory of one term serves the next.
    agree([&] {
      const ScratchLoan loan(scratch);
      const Term first(scratch, rows, args...);
    });
    return Term(scratch, rows, args...);
  }

  /// Throws if any process has failed since the last messages. To be called before messages, and
  /// before results are handed to the caller; the functions below call it themselves.
  void settle() const {
    if (unsettled_) settle({});
  }

  /// As `agree`, before anything else; then all introductions, in order of ranks, or an error on
  /// all when they do not make the same call. The body completes its own.
  template <class Body>
  std::vector<Introduction> introduce(Introduction& own, const Body& body) const {
    Greeting greeting{status_of([&] { body(own); }), own};
    const std::vector<Greeting> all = gather(greeting);
    std::vector<Status> statuses;
    std::vector<Introduction> introductions;
    for (const Greeting& one : all) {
      statuses.push_back(one.status);
      introductions.push_back(one.introduction);
    }
    throw_first(statuses);
    compare(introductions);
    return introductions;
  }

  /// Everyone's, in order of ranks.
  template <class T>
  std::vector<T> everyone(const T& own) const {
    settle();
    return gather(own);
  }

  /// The largest of everyone's.
  double largest(double own) const {
    const std::vector<double> all = everyone(own);
    return *std::max_element(all.begin(), all.end());
  }

  /// Everyone's counts, added up.
  std::int64_t total(std::int64_t own) const {
    const std::vector<std::int64_t> all = everyone(own);
    return std::accumulate(all.begin(), all.end(), std::int64_t(0));
  }

  /// Sums in the order of all rows: `add` continues those of the processes before, and everyone
  /// gets the last one's. One process after the other, twice round.
  template <class T, class Add>
  void sum_in_order(T* sums, Index count, const Add& add) const {
    settle();
    constexpr int channel = 0;
    const Index bytes = count * Index(sizeof(T));
    const auto pass_on = [&] { wait(exchange_.start_send(right(), channel, sums, bytes)); };
    const auto take = [&] { wait(exchange_.start_receive(left(), channel, sums, bytes)); };
    const int last = size() - 1;
    if (rank() > 0) take();
    add();
    if (size() == 1) return;
    pass_on();
    if (rank() == last) return;
    take();
    if (rank() != last - 1) pass_on();
  }

  /// Counts summed, extremes of all.
  void combine(Diagnostics& d) const {
    const std::vector<Diagnostics> all = everyone(d);
    d = {};
    for (const Diagnostics& one : all) {
      d.anchors += one.anchors;
      d.anchors_without_positive += one.anchors_without_positive;
      d.anchors_without_negative += one.anchors_without_negative;
      d.terms += one.terms;
      d.active_terms += one.active_terms;
      d.zero_distances += one.zero_distances;
      d.false_negatives += one.false_negatives;
      d.smallest_score = std::min(d.smallest_score, one.smallest_score);
      d.largest_score = std::max(d.largest_score, one.largest_score);
    }
  }

 private:
  enum class Trouble : std::int32_t { none, argument, domain, other };

  struct Status {
    Trouble trouble = Trouble::none;
    char message[380] = {};
  };
  struct Greeting {
    Status status;
    Introduction introduction;
  };

  void wait(Exchange::Ticket ticket) const { exchange_.wait(ticket); }

  template <class T>
  std::vector<T> gather(const T& own) const {
    static_assert(std::is_trivially_copyable_v<T>);
    std::vector<T> all(static_cast<std::size_t>(size()));
    exchange_.gather(&own, Index(sizeof(T)), all.data());
    return all;
  }

  void settle(const Status& own) const {
    unsettled_ = false;
    throw_first(gather(own));
  }

  template <class Body>
  static Status status_of(const Body& body) {
    Status status;
    const auto note = [&](Trouble trouble, const char* message) {
      status.trouble = trouble;
      std::strncpy(status.message, message, sizeof status.message - 1);
    };
    try {
      body();
    } catch (const std::invalid_argument& error) {
      note(Trouble::argument, error.what());
    } catch (const std::domain_error& error) {
      note(Trouble::domain, error.what());
    } catch (const std::bad_alloc&) {
      note(Trouble::other, "nearfar: out of memory");
    } catch (const std::exception& error) {
      note(Trouble::other, error.what());
    }
    return status;
  }

  static void throw_first(const std::vector<Status>& all) {
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      const Status& status = all[rank];
      if (status.trouble == Trouble::none) continue;
      std::string message = status.message;
      const std::string prefix = "nearfar: ";
      if (message.starts_with(prefix)) message.erase(0, prefix.size());
      message.insert(0, prefix + "rank " + std::to_string(rank) + ": ");
      if (status.trouble == Trouble::argument) throw std::invalid_argument(message);
      if (status.trouble == Trouble::domain) throw std::domain_error(message);
      throw std::runtime_error(message);
    }
  }

  template <class Wanted, class Got>
  [[noreturn]] static void fail_unlike(std::size_t rank, const std::string& what,
                                       const Wanted& wanted, const Got& got, std::size_t model) {
    std::ostringstream text;
    text << "nearfar: rank " << rank << ": " << what << ": wanted " << wanted << " as on rank "
         << model << ", got " << got;
    throw std::invalid_argument(text.str());
  }

  static void compare(const std::vector<Introduction>& all) {
    const Introduction& first = all.front();
    std::size_t with_rows = all.size();
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      const Introduction& one = all[rank];
      if (std::strcmp(first.call, one.call) != 0) {
        fail_unlike(rank, "call", first.call, one.call, 0);
      }
      for (std::size_t k = 0; k < static_cast<std::size_t>(first.option_count); ++k) {
        if (one.options[k].value != first.options[k].value) {
          fail_unlike(rank, one.options[k].name, first.options[k].value, one.options[k].value, 0);
        }
      }
      if (!one.has_rows()) continue;
      if (with_rows == all.size()) with_rows = rank;
      if (one.cols != all[with_rows].cols) {
        fail_unlike(rank, "columns", all[with_rows].cols, one.cols, with_rows);
      }
    }
  }

  Exchange& exchange_;
  mutable bool unsettled_ = false;  ///< a success here that others have not been told
};

}  // namespace nearfar::detail
