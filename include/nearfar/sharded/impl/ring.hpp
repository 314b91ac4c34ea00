#pragma once

#include <numeric>
#include <vector>

#include "nearfar/sharded/impl/first_failure.hpp"
#include "nearfar/sharded/impl/team.hpp"
#include "nearfar/sharded/impl/transfer.hpp"

/// \file
/// The schedule in which the shards of a set pass all processes, and their gradients travel home.

namespace nearfar::detail {

/// Rows of the global set that are here now: one shard, or all of them.
template <class S>
struct KeyBlock {
  Rows<S> rows;
  Targets targets;                  ///< what keys have: none where anchors list their positives
  const double* numbers = nullptr;  ///< the loss's own of each row
  int owner = 0;                    ///< the process whose rows they are; 0 if they are all rows
  Index first = 0;                  ///< number of the first row in the global set
  bool has_own = false;             ///< whether this process' rows are among them ...
  Index own = 0;                    ///< ... and from where on
};

/// The rows of a set that one process has, and how many all of them have.
template <class S>
struct Shard {
  Rows<S> rows;
  Targets targets;
  RowLayout layout;           ///< of the set, even where this shard has no row
  std::vector<Index> counts;  ///< of all processes

  Index count_of(int rank) const { return counts[static_cast<std::size_t>(rank)]; }
  Index first_of(int rank) const {
    return std::accumulate(counts.begin(), counts.begin() + rank, Index(0));
  }
};

template <class S>
class RingSchedule {
 public:
  /// Takes all the memory that rounds need, with gradients where `weights` says whether
  /// they have those. The shard must outlive the object. Throws std::bad_alloc.
  RingSchedule(Scratch& scratch, const Team& team, Schedule schedule, const Shard<S>& shard,
               bool gradients, bool weights)
      : team_(team),
        schedule_(schedule),
        shard_(shard),
        stride_(padded_stride<S>(shard.layout.gradient_cols)) {
    const auto rows = [&](Index count) { return RowMemory<S>(scratch, count, shard.layout); };
    const bool all = schedule == Schedule::all_gather;
    const Index most = *std::max_element(shard.counts.begin(), shard.counts.end());
    const Index total = shard.first_of(team.size());
    if (all) {
      all_ = rows(total);
      own_ = all_.from(shard.first_of(team.rank()));
    } else {
      own_ = rows(own_count());
      if (team.size() > 1) arriving_ = {rows(most), rows(most)};
    }
    own_.fill(shard.rows, shard.targets);
    if (!gradients) return;
    const Index padded = round_up(all ? total : most, panel_rows);
    sums_.data = scratch.take<S>(padded * stride_);
    sums_.weight = scratch.take<double>(padded);
    for (GradientMemory<S>* memory :
         {&arriving_gradients_, &leaving_gradients_, &last_gradients_}) {
      *memory = GradientMemory<S>(scratch, most, shard.layout.gradient_cols, weights);
    }
  }

  /// The loss's own numbers of this process' rows, which they take along from now on.
  void set_numbers(const double* numbers) {
    std::copy_n(numbers, own_count() * shard_.layout.numbers, own_.numbers);
    numbers_gathered_ = false;
  }

  /// visit(block) for the whole global set. An exception of it is thrown on when this process
  /// has passed on all that others wait for.
  template <class Visit>
  void each_block(const Visit& visit) {
    const auto visit_block = [&](int owner, const RowMemory<S>& memory) {
      failure_.tried([&] { visit(block(owner, memory)); });
    };
    switch (schedule_) {
      case Schedule::ring:
        round_the_ring(
            [&](int, int owner, const RowMemory<S>& memory) { visit_block(owner, memory); });
        break;
      case Schedule::ordered:
        in_order(visit_block);
        break;
      case Schedule::all_gather:
        gather();
        failure_.tried([&] { visit(everything()); });
        break;
    }
    failure_.rethrow();
  }

  /// The same with visit(block, gradients), to add to the gradients of the block's prepared rows;
  /// what all processes have found for this process' rows is added to `own`.
  template <class Visit>
  void each_block(const RowGradients<S>& own, const Visit& visit) {
    const auto visit_block = [&](const KeyBlock<S>& block, RowGradients<S> to) {
      failure_.tried([&] { visit(block, to); });
    };
    switch (schedule_) {
      case Schedule::ring:
        gradients_round_the_ring(own, visit_block);
        break;
      case Schedule::ordered:
        gradients_in_order(own, visit_block);
        break;
      case Schedule::all_gather:
        gather();
        clear_sums(shard_.first_of(team_.size()));
        visit_block(everything(), sums_);
        send_home(own);
        break;
    }
    failure_.rethrow();
  }

 private:
  enum Channel { row_channel = 1, gradient_channel = 2 };

  Index own_count() const { return shard_.count_of(team_.rank()); }

  KeyBlock<S> view(const RowMemory<S>& memory, Index count) const {
    KeyBlock<S> out;
    out.rows = Rows<S>(memory.rows, count, shard_.layout.cols);
    out.targets = memory.targets(count);
    out.numbers = memory.numbers;
    return out;
  }
  KeyBlock<S> block(int owner, const RowMemory<S>& memory) const {
    KeyBlock<S> out = view(memory, shard_.count_of(owner));
    out.owner = owner;
    out.first = shard_.first_of(owner);
    out.has_own = owner == team_.rank();
    return out;
  }
  KeyBlock<S> everything() const {
    KeyBlock<S> out = view(all_, shard_.first_of(team_.size()));
    out.has_own = true;
    out.own = shard_.first_of(team_.rank());
    return out;
  }

  void clear_sums(Index count) const {
    std::fill_n(sums_.data, round_up(count, panel_rows) * stride_, S(0));
    std::fill_n(sums_.weight, count, 0.0);
  }

  /// use(step, owner, memory) for one's own shard, then that of the process to the left, and so on:
  /// while one is used it is sent to the right and the next one arrives.
  template <class Use>
  void round_the_ring(const Use& use) const {
    const int size = team_.size();
    RowMemory<S> here = own_;
    for (int step = 0; step < size; ++step) {
      const int owner = (team_.rank() - step + size) % size;
      Transfer coming(team_.exchange(), row_channel);
      Transfer leaving(team_.exchange(), row_channel);
      const RowMemory<S> next = arriving_[static_cast<std::size_t>(step % 2)];
      if (step + 1 < size) {
        next.receive(coming, team_.left(), shard_.count_of((owner - 1 + size) % size));
        here.send(leaving, team_.right(), shard_.count_of(owner));
      }
      use(step, owner, here);
      coming.wait();
      leaving.wait();
      here = next;
    }
  }

  /// A shard's gradient follows it round the ring, one step behind: from the process after its
  /// owner to the owner.
  template <class Visit>
  void gradients_round_the_ring(const RowGradients<S>& own, const Visit& visit_block) {
    Transfer coming(team_.exchange(), gradient_channel);
    Transfer leaving(team_.exchange(), gradient_channel);
    round_the_ring([&](int step, int owner, const RowMemory<S>& memory) {
      if (step == 0) {
        visit_block(block(owner, memory), own);
        return;
      }
      const Index count = shard_.count_of(owner);
      if (step > 1) arriving_gradients_.receive(coming, team_.left(), count);
      clear_sums(count);
      visit_block(block(owner, memory), sums_);
      coming.wait();
      if (step > 1) arriving_gradients_.add_to(sums_, stride_, count);
      leaving.wait();
      leaving_gradients_.pack(sums_, stride_, 0, count);
      leaving_gradients_.send(leaving, team_.right(), count);
    });
    if (team_.size() == 1) return;
    arriving_gradients_.receive(coming, team_.left(), own_count());
    coming.wait();
    arriving_gradients_.add_to(own, stride_, own_count());
    leaving.wait();
  }

  /// use(owner, memory) for all shards in order of ranks. Each goes to the first process, and from
  /// process to process to the last.
  template <class Use>
  void in_order(const Use& use) const {
    const int rank = team_.rank();
    const int size = team_.size();
    Transfer to_first(team_.exchange(), row_channel);
    if (rank > 0) own_.send(to_first, 0, own_count());
    const auto expect = [&](int owner, Transfer& coming) {
      if (owner == rank || owner == size) return own_;
      const RowMemory<S> memory = arriving_[static_cast<std::size_t>(owner % 2)];
      memory.receive(coming, rank == 0 ? owner : rank - 1, shard_.count_of(owner));
      return memory;
    };
    Transfer coming(team_.exchange(), row_channel);
    RowMemory<S> here = expect(0, coming);
    coming.wait();
    for (int owner = 0; owner < size; ++owner) {
      const RowMemory<S> next = expect(owner + 1, coming);
      Transfer leaving(team_.exchange(), row_channel);
      if (rank + 1 < size && rank + 1 != owner) {
        here.send(leaving, rank + 1, shard_.count_of(owner));
      }
      use(owner, here);
      coming.wait();
      leaving.wait();
      here = next;
    }
    to_first.wait();
  }

  /// A shard's sums pass the processes in the same order, each of which goes on where the one
  /// before has left them; the last sends them home.
  template <class Visit>
  void gradients_in_order(const RowGradients<S>& own, const Visit& visit_block) {
    const int rank = team_.rank();
    const int last = team_.size() - 1;
    // Expected from the start, for the last process waits until it is taken.
    Transfer home(team_.exchange(), gradient_channel);
    if (rank != last) last_gradients_.receive(home, last, own_count());
    Transfer coming(team_.exchange(), gradient_channel);
    Transfer leaving(team_.exchange(), gradient_channel);
    in_order([&](int owner, const RowMemory<S>& memory) {
      const Index count = shard_.count_of(owner);
      clear_sums(count);
      if (rank > 0) {
        arriving_gradients_.receive(coming, rank - 1, count);
        coming.wait();
        arriving_gradients_.add_to(sums_, stride_, count);
      }
      visit_block(block(owner, memory), sums_);
      leaving.wait();
      leaving_gradients_.pack(sums_, stride_, 0, count);
      if (rank == last && owner == last) {
        leaving_gradients_.add_to(own, stride_, count);
      } else {
        leaving_gradients_.send(leaving, rank < last ? rank + 1 : owner, count);
      }
    });
    home.wait();
    if (rank != last) last_gradients_.add_to(own, stride_, own_count());
    leaving.wait();
  }

  /// All shards, in their places; once a call, but for numbers that were set again.
  void gather() {
    if (!gathered_) {
      gather(all_);
    } else if (!numbers_gathered_) {
      gather(all_.numbers_alone());
    }
    gathered_ = numbers_gathered_ = true;
  }

  void gather(const RowMemory<S>& all) const {
    const int size = team_.size();
    for (int step = 0; step + 1 < size; ++step) {
      const int owner = (team_.rank() - step + size) % size;
      const int next = (owner - 1 + size) % size;
      Transfer both(team_.exchange(), row_channel);
      all.from(shard_.first_of(next)).receive(both, team_.left(), shard_.count_of(next));
      Transfer leaving(team_.exchange(), row_channel);
      all.from(shard_.first_of(owner)).send(leaving, team_.right(), shard_.count_of(owner));
      both.wait();
      leaving.wait();
    }
  }

  /// Sends the results for each shard to its owner.
  void send_home(const RowGradients<S>& own) {
    const int size = team_.size();
    const auto pack = [&](int owner) {
      leaving_gradients_.pack(sums_, stride_, shard_.first_of(owner), shard_.count_of(owner));
    };
    pack(team_.rank());
    leaving_gradients_.add_to(own, stride_, own_count());
    for (int step = 1; step < size; ++step) {
      const int to = (team_.rank() + step) % size;
      const int from = (team_.rank() - step + size) % size;
      Transfer coming(team_.exchange(), gradient_channel);
      Transfer leaving(team_.exchange(), gradient_channel);
      arriving_gradients_.receive(coming, from, own_count());
      pack(to);
      leaving_gradients_.send(leaving, to, shard_.count_of(to));
      coming.wait();
      arriving_gradients_.add_to(own, stride_, own_count());
      leaving.wait();
    }
  }

  const Team& team_;
  Schedule schedule_;
  const Shard<S>& shard_;
  Index stride_;
  RowMemory<S> own_;
  RowMemory<S> all_;
  std::array<RowMemory<S>, 2> arriving_;
  bool gathered_ = false;
  bool numbers_gathered_ = true;
  RowGradients<S> sums_;
  GradientMemory<S> arriving_gradients_;
  GradientMemory<S> leaving_gradients_;
  GradientMemory<S> last_gradients_;
  FirstFailure failure_;
};

}  // namespace nearfar::detail
