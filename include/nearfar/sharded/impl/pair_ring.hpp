#pragma once

#include <array>
#include <functional>
#include <span>

#include "nearfar/core/compiled_once.hpp"
#include "nearfar/sharded/impl/first_failure.hpp"
#include "nearfar/sharded/impl/ring.hpp"

/// \file
/// The schedule in which each pair of shards meets once, on one of the two processes: shards visit
/// others, and what is found there for their rows goes back.
///
/// Of two sets (queries and keys), keys visit all other processes, one after the other round the
/// ring. Of one set, they visit the first half of them; the second half comes to them. With an even
/// number of processes one is opposite: the two share the work on their pair, one takes the first
/// half of the other's rows and the other takes the second half of its own.

namespace nearfar::detail {

/// A shard of another process that is here.
template <class S>
struct Visit {
  KeyBlock<S> block;
  const std::uint64_t* closed = nullptr;  ///< closed rows of the term that visits
  Index first_own = 0;                    ///< own rows before this one do not meet it
};

/// What is found here for the rows of a shard of another process, and elsewhere for own rows.
template <class S>
class VisitResults {
 public:
  virtual ~VisitResults() = default;
  virtual void clear(const Visit<S>& visit) const = 0;
  /// What was found before for `count` rows of a visitor, or for own rows.
  virtual void receive(Transfer& in, int from, Index count) const = 0;
  virtual void add_arrived(Index count) const = 0;  ///< to what is found here
  virtual void add_home(Index count) const = 0;     ///< to what own rows have
  virtual void send(Transfer& out, int to, Index count) const = 0;
};

/// Gradients.
template <class S>
class VisitingGradients final : public VisitResults<S> {
 public:
  /// For at most `most` visitors. What others find for own rows is added to `home`.
  VisitingGradients(Scratch& scratch, Index most, Index cols, bool weights, RowGradients<S>& home)
      : stride_(padded_stride<S>(cols)), home_(home) {
    const Index padded = round_up(most, panel_rows);
    sums.data = scratch.take<S>(padded * stride_);
    sums.weight = scratch.take<double>(padded);
    for (GradientMemory<S>* memory : {&arriving_, &leaving_}) {
      *memory = GradientMemory<S>(scratch, most, cols, weights);
    }
  }

  RowGradients<S> sums;  ///< of the visitors' prepared rows

  void clear(const Visit<S>& visit) const override {
    const Index count = visit.block.rows.rows();
    std::fill_n(sums.data, round_up(count, panel_rows) * stride_, S(0));
    std::fill_n(sums.weight, count, 0.0);
  }
  void receive(Transfer& in, int from, Index count) const override {
    arriving_.receive(in, from, count);
  }
  void add_arrived(Index count) const override { arriving_.add_to(sums, stride_, count); }
  void send(Transfer& out, int to, Index count) const override {
    leaving_.pack(sums, stride_, 0, count);
    leaving_.send(out, to, count);
  }
  void add_home(Index count) const override { arriving_.add_to(home_, stride_, count); }

 private:
  Index stride_;
  RowGradients<S>& home_;
  GradientMemory<S> arriving_;
  GradientMemory<S> leaving_;
};

/// What rows have accumulated.
template <class S, class Term>
class VisitingRows final : public VisitResults<S> {
 public:
  using Row = typename Term::OpenRow;

  VisitingRows(Scratch& scratch, Index most, Term& visiting, Term& home)
      : visiting_(visiting),
        home_(home),
        arriving_(scratch.take<Row>(most)),
        leaving_(scratch.take<Row>(most)) {}

  void clear(const Visit<S>& visit) const override {
    const Index numbers = visiting_.numbers_along();
    for (Index i = 0; i < visit.block.rows.rows(); ++i) {
      if (numbers > 0) visiting_.take_numbers(i, visit.block.numbers + i * numbers);
      visiting_.start(i);
    }
  }
  void receive(Transfer& in, int from, Index count) const override {
    in.receive(from, arriving_, count);
  }
  void add_arrived(Index count) const override {
    for (Index i = 0; i < count; ++i) visiting_.merge(i, arriving_[i]);
  }
  void send(Transfer& out, int to, Index count) const override {
    for (Index i = 0; i < count; ++i) leaving_[i] = visiting_.open_row(i);
    out.send(to, leaving_, count);
  }
  void add_home(Index count) const override {
    for (Index i = 0; i < count; ++i) home_.merge(i, arriving_[i]);
  }

 private:
  Term& visiting_;
  Term& home_;
  Row* arriving_;
  Row* leaving_;
};

template <class S>
class PairRing {
 public:
  /// Takes memory for visitors of `layout`. The shard must outlive the object. Throws
  /// std::bad_alloc.
  PairRing(Scratch& scratch, const Team& team, const Shard<S>& shard, const RowLayout& layout,
           bool one_set)
      : team_(team),
        shard_(shard),
        hops_(one_set ? (team.size() - 1) / 2 : team.size() - 1),
        has_opposite_(one_set && team.size() % 2 == 0),
        own_(scratch, own_count(), layout) {
    own_.fill(shard.rows, shard.targets);
    if (team.size() == 1) return;
    for (RowMemory<S>& memory : arriving_) memory = RowMemory<S>(scratch, most(), layout);
  }

  /// The pairs of own rows with a visitor: how many of either take part.
  struct Meeting {
    int owner;
    Index own;
    Index visitors;
  };
  /// Those of each visit, in any order.
  template <class Body>
  void each_meeting(const Body& body) const {
    if (has_opposite_) {
      body(Meeting{opposite(), own_count() - first_met_by_opposite(), opposite_visitors()});
    }
    for (int step = 1; step <= hops_; ++step) {
      body(Meeting{owner_at(step), own_count(), count_of(step)});
    }
  }

  /// The most rows that a visitor has.
  Index most() const { return *std::max_element(shard_.counts.begin(), shard_.counts.end()); }
  /// What own rows take along, to be filled.
  const RowMemory<S>& own() const { return own_; }

  /// at_home() for the pairs of own rows, and visit(a Visit) for each visitor, whose results are
  /// cleared before. An exception is thrown on when this process has passed on all that others wait
  /// for. Closed rows are sent if there are any.
  NEARFAR_COMPILED_ONCE void each_visit(bool closed, const std::function<void()>& at_home,
                                        const std::function<void(const Visit<S>&)>& visit,
                                        std::span<const VisitResults<S>* const> results) {
    const RowMemory<S> own = part_of_rows(own_, closed);
    const std::array<RowMemory<S>, 2> arriving = {part_of_rows(arriving_[0], closed),
                                                  part_of_rows(arriving_[1], closed)};
    const auto take_home = [&](int from, Index count) {
      Transfer coming(team_.exchange(), home_channel);
      for (const auto* of : results) of->receive(coming, from, count);
      coming.wait();
      for (const auto* of : results) of->add_home(count);
    };

    Transfer coming(team_.exchange(), row_channel);
    Transfer leaving(team_.exchange(), row_channel);
    Transfer opposite_coming(team_.exchange(), row_channel);
    Transfer opposite_leaving(team_.exchange(), row_channel);
    const auto pass_on = [&](int step, const RowMemory<S>& here) {
      if (step == hops_) return;
      arriving[at(step)].receive(coming, team_.left(), count_of(step + 1));
      here.send(leaving, team_.right(), count_of(step));
    };
    if (has_opposite_) {
      arriving[1].receive(opposite_coming, opposite(), opposite_visitors());
      own.send(opposite_leaving, opposite(), own_visitors());
    }
    pass_on(0, own);
    failure_.tried(at_home);
    if (has_opposite_) {
      opposite_coming.wait();
      opposite_leaving.wait();
      const Index count = opposite_visitors();
      const Visit<S> here = visit_of(opposite(), arriving[1], count, first_met_by_opposite());
      for (const auto* of : results) of->clear(here);
      failure_.tried([&] { visit(here); });
      Transfer back(team_.exchange(), home_channel);
      for (const auto* of : results) of->send(back, opposite(), count);
      take_home(opposite(), own_visitors());
      back.wait();
    }

    const std::span<const VisitResults<S>* const> none;
    Transfer behind(team_.exchange(), result_channel);
    Transfer ahead(team_.exchange(), result_channel);
    Transfer home(team_.exchange(), home_channel);
    for (int step = 1; step <= hops_; ++step) {
      const int owner = owner_at(step);
      const Index count = count_of(step);
      coming.wait();
      leaving.wait();
      const RowMemory<S>& memory = arriving[at(step - 1)];
      const Visit<S> here = visit_of(owner, memory, count, 0);
      pass_on(step, memory);
      for (const auto* of : step > 1 ? results : none) of->receive(behind, team_.left(), count);
      for (const auto* of : results) of->clear(here);
      failure_.tried([&] { visit(here); });
      behind.wait();
      for (const auto* of : step > 1 ? results : none) of->add_arrived(count);
      ahead.wait();
      for (const auto* of : results)
        of->send(step < hops_ ? ahead : home, step < hops_ ? team_.right() : owner, count);
    }
    if (hops_ > 0) take_home((team_.rank() + hops_) % team_.size(), own_count());
    ahead.wait();
    home.wait();
    failure_.rethrow();
  }

 private:
  enum Channel { row_channel = 1, result_channel = 2, home_channel = 3 };

  static std::size_t at(int step) { return static_cast<std::size_t>(step % 2); }
  static RowMemory<S> part_of_rows(const RowMemory<S>& memory, bool closed) {
    return closed ? memory : memory.while_open();
  }

  int owner_at(int step) const { return (team_.rank() - step + team_.size()) % team_.size(); }
  Index count_of(int step) const { return shard_.count_of(owner_at(step)); }
  Index own_count() const { return shard_.count_of(team_.rank()); }

  int opposite() const { return (team_.rank() + team_.size() / 2) % team_.size(); }
  /// Whether own rows all visit the opposite process, whose first half comes here; else the other
  /// way round.
  bool visits_in_full() const { return team_.rank() < opposite(); }
  /// Rows in the first half of a shard, with which a row panel may end.
  static Index half(Index count) { return std::min(count, round_up(count / 2, panel_rows)); }
  Index own_visitors() const { return visits_in_full() ? own_count() : half(own_count()); }
  Index opposite_visitors() const {
    const Index count = shard_.count_of(opposite());
    return visits_in_full() ? half(count) : count;
  }
  Index first_met_by_opposite() const { return visits_in_full() ? 0 : half(own_count()); }

  Visit<S> visit_of(int owner, const RowMemory<S>& memory, Index count, Index first_own) const {
    Visit<S> out;
    out.block.rows = Rows<S>(memory.rows, count, memory.layout.cols);
    out.block.targets = memory.targets(count);
    out.block.numbers = memory.numbers;
    out.block.owner = owner;
    out.block.first = shard_.first_of(owner);
    out.closed = memory.closed;
    out.first_own = first_own;
    return out;
  }

  const Team& team_;
  const Shard<S>& shard_;
  int hops_;
  bool has_opposite_;
  RowMemory<S> own_;
  std::array<RowMemory<S>, 2> arriving_;
  FirstFailure failure_;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class PairRing<float>;
extern template class PairRing<double>;
#endif

}  // namespace nearfar::detail
