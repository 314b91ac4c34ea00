#pragma once

#include <bit>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "nearfar/core/check_targets.hpp"
#include "nearfar/core/compiled_once.hpp"
#include "nearfar/core/opening.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/common_centre.hpp"
#include "nearfar/engine/finite.hpp"
#include "nearfar/engine/labelled_rows.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/engine/packed_rows.hpp"
#include "nearfar/engine/pair_counts.hpp"
#include "nearfar/engine/two_sided_pass.hpp"
#include "nearfar/engine/visiting_rows.hpp"
#include "nearfar/sharded/chunks.hpp"
#include "nearfar/sharded/impl/first_failure.hpp"
#include "nearfar/sharded/impl/pair_ring.hpp"
#include "nearfar/sharded/impl/reduction.hpp"
#include "nearfar/sharded/impl/ring.hpp"
#include "nearfar/sharded/inputs.hpp"

/// \file
/// The frame of a sharded call, the same for every loss: collective checks, score passes over one's
/// own rows and all keys, sums over processes, and the scattering of gradients.

namespace nearfar::detail {

/// Some of a process' rows of a set, and where their gradient goes.
template <class S>
struct Piece {
  const char* name;
  Rows<S> rows;
  GradientRows<S> gradient;
  KeptRows kept;  ///< those that take part
};

/// A process' rows of a set: its pieces, one after the other.
template <class S>
struct ShardedSet {
  std::vector<Piece<S>> pieces;
  bool has_targets = false;  ///< that say who is positive for whom
  Targets targets;           ///< or ids alone
  const char* targets_name = "labels";
  Index numbers = 0;  ///< that the loss sends along with each row, see set_numbers
  /// The rows of the first set, again, as keys: for a kernel that maps the two sides differently.
  bool same_rows = false;
  /// Row i belongs to row i of the other such sets, and is not compared with it.
  bool paired = false;
  /// Also compared with each other.
  bool among_themselves = false;
  /// Not compared with any rows: the loss is one of sums over rows.
  bool alone = false;
  /// Ids of `targets` are told apart from those of own queries here, not from those of their set.
  std::optional<Labels> query_ids;

  ShardedSet() = default;
  ShardedSet(const char* name, const Chunks<S>& chunks) { add(name, chunks); }

  void add(const char* name, const Chunks<S>& chunks) {
    for (const auto& chunk : chunks.all())
      pieces.push_back({name, chunk.rows, chunk.gradient, chunk.rows.rows()});
  }
  ShardedSet& with(const Targets& some) {
    has_targets = true;
    targets = some;
    return *this;
  }

  ShardedSet& not_compared() {
    alone = true;
    return *this;
  }

  /// With those of pairs: they may be ids alone, or nothing.
  ShardedSet& with_pairs(const Targets& some) {
    has_targets = some.rule() != Targets::Rule::none;
    targets = some;
    return *this;
  }

  const char* name() const { return pieces.empty() ? "rows" : pieces.front().name; }
  Index rows() const {
    Index sum = 0;
    for (const Piece<S>& piece : pieces) sum += piece.rows.rows();
    return sum;
  }
  /// -1 where there are no rows.
  Index cols() const {
    for (const Piece<S>& piece : pieces) {
      if (piece.kept.all > 0) return piece.rows.cols();
    }
    return -1;
  }
  bool wants_gradient() const {
    return std::any_of(pieces.begin(), pieces.end(),
                       [](const Piece<S>& piece) { return piece.gradient.wanted(); });
  }
};

/// The targets of keys whose queries have `targets`: lists stay with those that list.
inline Targets without_lists(const Targets& targets) {
  if (targets.rule() != Targets::Rule::lists) return targets;
  return targets.has_ids() ? Targets().ids(targets.ids()) : Targets();
}

/// Own rows of a set that a sweep compares with its keys.
template <class S>
struct Comparison {
  int queries;
  RowTerm<S>* term;
  OwnColumns without = {};  ///< of own keys: those that their queries are not compared with
  ScoreRange<S>* ranges = nullptr;
  KeptScores<S>* kept = nullptr;  ///< scores of each block, by its owner; see keep_scores
};

/// How a term counts keys.
enum class KeyNumbers {
  of_block,  ///< from 0 in each block
  from_own,  ///< own keys from 0, those of processes before have negative numbers
};

/// A number that is the same for the same numbers in the same order, and hardly for others.
class Digest {
 public:
  void add(double number) { fold(std::bit_cast<std::uint64_t>(number)); }
  void add(Index count) { fold(static_cast<std::uint64_t>(count)); }
  double value() const { return static_cast<double>(bits_ >> 12); }  // what a double holds

 private:
  void fold(std::uint64_t more) {
    bits_ = (bits_ ^ more) * 0xff51afd7ed558ccdu;
    bits_ ^= bits_ >> 33;
  }

  std::uint64_t bits_ = 0x9e3779b97f4a7c15u;
};

/// That of a matrix.
template <class S>
double digest(const Rows<S>& matrix) {
  Digest out;
  out.add(matrix.rows());
  out.add(matrix.cols());
  for (Index i = 0; i < matrix.rows(); ++i) {
    for (Index k = 0; k < matrix.cols(); ++k) out.add(static_cast<double>(matrix(i, k)));
  }
  return out.value();
}

/// The collective check of a call: what must be the same on all processes, of which `own` are the
/// options that no other loss has.
template <class S, int sets, class Options>
Introduction introduction(const char* loss, const KernelValue<S>& kernel,
                          const ShardedInputs<S, sets>& inputs, const Options& options,
                          std::initializer_list<NamedOption> own) {
  const Upstream& upstream = inputs.options.upstream;
  const double above = inputs.wants_gradients && upstream.is_scalar() ? upstream.scalar() : 0.0;
  Introduction out(loss, {{"bytes of a scalar", static_cast<double>(sizeof(S))},
                          {"gradients", inputs.wants_gradients ? 1.0 : 0.0},
                          {"upstream", above},
                          {"kernel (geometry)", static_cast<double>(kernel.geometry)},
                          {"kernel (orientation)", static_cast<double>(kernel.orientation)},
                          {"kernel (function)", static_cast<double>(kernel.function)},
                          {"kernel (digest of its matrix)", digest(kernel.parameter)},
                          {"schedule", static_cast<double>(inputs.where.schedule)},
                          {"gradient scale", static_cast<double>(inputs.where.gradients)}});
  out.add(own);
  if constexpr (requires { options.reduction; }) {
    out.add({{"reduction", static_cast<double>(options.reduction)}});
  }
  if constexpr (requires { options.unusable_anchors; }) {
    out.add({{"unusable_anchors", static_cast<double>(options.unusable_anchors)}});
  }
  return out;
}

/// Throws unless a process has as many rows of the second set as of the first.
template <class S>
void check_same_rows(const char* first, const char* second, const ShardedInputs<S, 2>& inputs) {
  const Index wanted = inputs.sets_of_rows[0].rows();
  const Index got = inputs.sets_of_rows[1].rows();
  if (got != wanted) {
    fail_argument(second, "a row for each of " + std::to_string(wanted) + " " + first,
                  std::to_string(got));
  }
}

/// One call; one set of rows for rows compared with each other, two for queries and keys. Where
/// differences are mapped by a kernel's matrix, rows travel as they came, and each process maps
/// them. Any other matrix maps own rows before anything else: mapped rows travel, and the kernel of
/// all that comes after has no matrix.
template <class S>
class ShardedCall {
 public:
  static constexpr int most_sets = static_cast<int>(Introduction::most_sets);

  /// Agrees with all processes that their calls fit, after check() and checks of the rows, and
  /// packs the rows. `terms` are those of this process. `shared` is the memory of the call that
  /// this one is a part of, if it is one. Arguments must outlive the object.
  template <int input_sets, class Check>
  ShardedCall(const KernelValue<S>& kernel, Reduction reduction, Introduction introduction,
              std::vector<ShardedSet<S>> set, const ShardedInputs<S, input_sets>& inputs,
              Index terms, const Check& check, Scratch* shared = nullptr)
      : ShardedCall(
            kernel, reduction, introduction, std::move(set), inputs.where, inputs.wants_gradients,
            inputs.options, terms, [&] { check(); }, shared) {}

  const Sharding& where() const { return where_; }
  const Team& team() const { return team_; }
  Scratch& scratch() { return *scratch_; }
  int threads() const { return threads_; }
  const KernelValue<S>& kernel() const { return kernel_; }
  bool wants_gradients() const { return wants_gradients_; }
  const Upstream& upstream() const { return upstream_; }
  int sets() const { return static_cast<int>(sets_.size()); }
  /// Whether rows are compared with each other, and none with itself.
  bool same_rows() const { return sets() == 1 || sets_.back().same_rows; }
  const PackedRows<S>& rows(int set) const { return packed_[at(set)]; }
  /// Own rows of a set as they are sent.
  const Rows<S>& input(int set) const { return shards_[at(set)].rows; }
  /// The caller's terms that are terms of the call.
  const KeptRows& terms() const { return terms_; }
  /// Those of own rows that take part.
  const Targets& targets(int set) const { return sets_[at(set)].targets; }
  Index own_rows(int set) const { return packed_[at(set)].rows; }
  Index all_rows(int set) const { return shards_[at(set)].first_of(team_.size()); }
  Index first_row(int set) const { return shards_[at(set)].first_of(team_.rank()); }
  /// Of the loss's own that each row of a set takes along on all processes.
  Index numbers(int set) const { return sets_[at(set)].numbers; }
  /// The factor of rows that are less their means.
  double row_unit() const { return row_unit_; }
  /// Of own rows of a set; wanted if any process wants some.
  RowGradients<S>& gradients(int set) { return gradients_[at(set)]; }

  // As Call has them.

  template <class Body>
  void agree(const Body& body) const {
    team_.agree(body);
  }
  NEARFAR_COMPILED_ONCE void keep_positives(const Index* column) {
    keeps_positives_ = true;
    kept_ = column;
  }
  template <class Term>
  void run(Term& term, int q, int k, Diagnostics& d) {
    if constexpr (requires(const PositiveRule<S>& rule) { term.set_rule(rule); }) {
      if (sets_[at(q)].has_targets) {
        const auto tell = [&](const PositiveRule<S>& rule, const KeyBlock<S>&) {
          term.set_rule(rule);
        };
        run_blocks(q, k, KeyNumbers::of_block, term, tell, d);
        return;
      }
    }
    run_blocks(q, k, KeyNumbers::from_own, term, &on_any_block, d);
  }
  template <class Term, class Between>
  void run_in_two_sweeps(Term& term, int q, int k, Diagnostics& d, const Between& between) {
    for (Index i = 0; i < own_rows(q); ++i) term.start(i);
    run_open_rows(q, k, KeyNumbers::from_own, term, &on_any_block, d, between);
  }
  template <class Term>
  void run_among_themselves(Term& term, Diagnostics& d, int k = 0) {
    if (!run_pairs(term, term, k, k, d)) run(term, k, k, d);
  }
  template <class Term>
  void run_both_ways(Term& of_queries, Term& of_keys, Diagnostics& d) {
    if (run_pairs(of_queries, of_keys, 0, 1, d)) return;
    run(of_queries, 0, 1, d);
    Diagnostics again;  // the same scores
    run(of_keys, 1, 0, again);
  }
  /// Closes the rows of set q, which are the same on all processes, over those of set k.
  /// term.sums() are term.sum_count() doubles, the sums of all its rows. Set q has no gradient.
  template <class Term>
  void run_same_queries(Term& term, int q, int k, Diagnostics& d) {
    std::optional<OneSidedPass<S>> pass;
    ScoreRange<S>* ranges = nullptr;
    KeptScores<S> kept;
    team_.agree([&] {
      if (wants_gradients_) {
        kept = OneSidedPass<S>::keep_scores(*scratch_, bytes_to_keep_, own_rows(q), own_rows(k),
                                            kernel_.is_distance());
      }
      pass.emplace(*scratch_, threads_, kernel_, rows(q), rows(k));
      ranges = take_ranges<S>(*scratch_, own_rows(q));
      for (Index i = 0; i < own_rows(q); ++i) term.start(i);
    });
    sum_over_rows(term.sums(), term.sum_count(), [&] { pass->accumulate(term, ranges, kept); });
    for (Index i = 0; i < own_rows(q); ++i) {
      term.close(i);
      ranges[i].add_to(d);
    }
    if (!wants_gradients_) return;
    RowGradients<S> none;
    team_.agree([&] { pass->gradient(term, none, gradients_[at(k)], kept); });
  }
  void combine(Diagnostics& d) const { team_.combine(d); }
  double largest(double own) const { return team_.largest(own); }

  /// Called before each block of keys with the positive rule of own rows and the block's, if the
  /// set has targets.
  using OnBlock = std::function<void(const PositiveRule<S>&, const KeyBlock<S>&)>;
  static void on_any_block(const PositiveRule<S>&, const KeyBlock<S>&) {}

  /// A Term of own rows of a set, made on all processes or on none.
  template <class Term, class... Args>
  Term make(int set, const Args&... args) {
    return team_.make<Term>(*scratch_, own_rows(set), args...);
  }

  /// Whether rows visit other processes, so that each pair of rows can be compared once: not in an
  /// order that all splits share, and not with lists, which stay with their anchors.
  bool pairs_may_meet_once() const {
    return where_.schedule == Schedule::ring && sets_[0].targets.rule() != Targets::Rule::lists;
  }

  /// Closes own rows of sets q and k over all rows of the other, or those of one set over all
  /// others, with gradients if the call wants any; each pair of rows is compared once. False, and
  /// nothing done, where that is not possible.
  template <class Term>
  bool run_pairs(Term& of_queries, Term& of_keys, int q, int k, Diagnostics& d) {
    return meet(of_queries, of_keys, q, k, [&](auto& meetings) {
      if (wants_gradients_ && of_queries.gradient_is_local()) {
        meetings.accumulate_and_gradient(d);
        return;
      }
      if (wants_gradients_) team_.agree([&] { meetings.keep_scores(); });
      meetings.accumulate(d);
      if (wants_gradients_) meetings.gradient();
    });
  }

  /// The same of set 0 with itself, without gradients.
  template <class Term>
  bool accumulate_pairs(Term& term, Diagnostics& d) {
    return meet(term, term, 0, 0, [&](auto& meetings) { meetings.accumulate(d); });
  }

  /// Throws on all processes unless inner products of two sets fit.
  NEARFAR_COMPILED_ONCE void check_products_of(int a, int b) const {
    if (kernel_.geometry != Geometry::inner_product) return;
    if (sets_[at(a)].alone || sets_[at(b)].alone) return;
    check_products<S>(sets_[at(a)].name(), largest_norms_[at(a)], sets_[at(b)].name(),
                      largest_norms_[at(b)]);
  }

  /// Closes own rows of set q over all rows of set k, with gradients if the call wants any.
  NEARFAR_COMPILED_ONCE void run_blocks(int q, int k, KeyNumbers numbers, RowTerm<S>& term,
                                        const OnBlock& on_block, Diagnostics& d) {
    const Index n = packed_[at(q)].rows;
    Diagnostics seen;
    team_.agree([&] { begin_schedule(k); });
    if (where_.schedule == Schedule::all_gather && wants_gradients_) {
      each_block_with_gradients(k, [&](const KeyBlock<S>& block, RowGradients<S>& dk) {
        visit(q, k, numbers, on_block, block, [&](OneSidedPass<S>& pass) {
          pass.forward_backward(term, gradients_[at(q)], dk, seen);
        });
      });
      fold(seen, d);
      return;
    }
    for (Index i = 0; i < n; ++i) term.start(i);
    if (term.gradient_is_local() && wants_gradients_) {
      ScoreRange<S>* ranges = nullptr;
      team_.agree([&] { ranges = take_ranges<S>(*scratch_, n); });
      each_block_with_gradients(k, [&](const KeyBlock<S>& block, RowGradients<S>& dk) {
        visit(q, k, numbers, on_block, block, [&](OneSidedPass<S>& pass) {
          pass.accumulate_and_gradient(term, ranges, gradients_[at(q)], dk);
        });
      });
      for (Index i = 0; i < n; ++i) {
        term.close(i);
        ranges[i].add_to(seen);
      }
      fold(seen, d);
      return;
    }
    run_open_rows(q, k, numbers, term, on_block, d, [] {});
  }

  /// The same for rows that are open, in a sweep that closes them and one for the gradients, with
  /// between() before the second.
  template <class Between>
  void run_open_rows(int q, int k, KeyNumbers numbers, RowTerm<S>& term, const OnBlock& on_block,
                     Diagnostics& d, const Between& between) {
    std::array<Comparison<S>, 1> one = {Comparison<S>{q, &term}};
    const std::span<Comparison<S>> comparison(one);
    keep_scores(comparison, k);
    accumulate(comparison, k, numbers, on_block, d);
    for (Index i = 0; i < own_rows(q); ++i) term.close(i);
    between();
    if (wants_gradients_) gradient(comparison, k, numbers, on_block);
  }

  /// Keeps scores of own rows with set k from the next sweep that accumulates them to that of the
  /// gradients, which then computes no products for them: as many as fit Sharding::most_bytes_kept.
  NEARFAR_COMPILED_ONCE void keep_scores(std::span<Comparison<S>> comparisons, int k) {
    if (!wants_gradients_) return;
    team_.agree([&] {
      for (Comparison<S>& of : comparisons) {
        const bool all = where_.schedule == Schedule::all_gather;
        const int blocks = all ? 1 : team_.size();
        of.kept = scratch_->template take<KeptScores<S>>(blocks);
        for (int owner = 0; owner < blocks; ++owner) {
          const Index keys = all ? all_rows(k) : shards_[at(k)].count_of(owner);
          new (of.kept + owner) KeptScores<S>(OneSidedPass<S>::keep_scores(
              *scratch_, bytes_to_keep_, own_rows(of.queries), keys, kernel_.is_distance()));
        }
      }
    });
  }

  /// One sweep of all blocks that only accumulates, into rows that are open.
  NEARFAR_COMPILED_ONCE void accumulate(int q, int k, KeyNumbers numbers, RowTerm<S>& term,
                                        const OnBlock& on_block, Diagnostics& d) {
    std::array<Comparison<S>, 1> one = {Comparison<S>{q, &term}};
    accumulate(std::span<Comparison<S>>(one), k, numbers, on_block, d);
  }
  /// The same for several sets of own rows.
  NEARFAR_COMPILED_ONCE void accumulate(std::span<Comparison<S>> comparisons, int k,
                                        KeyNumbers numbers, const OnBlock& on_block,
                                        Diagnostics& d) {
    team_.agree([&] {
      for (Comparison<S>& of : comparisons) {
        of.ranges = take_ranges<S>(*scratch_, own_rows(of.queries));
      }
      begin_schedule(k);
    });
    team_.agree_on_messages([&] {
      schedule(k).each_block([&](const KeyBlock<S>& block) {
        visit(comparisons, k, numbers, on_block, block,
              [&](OneSidedPass<S>& pass, const Comparison<S>& of) {
                pass.accumulate(*of.term, of.ranges, kept_of(of, block));
              });
      });
    });
    Diagnostics seen;
    for (const Comparison<S>& of : comparisons) {
      for (Index i = 0; i < own_rows(of.queries); ++i) of.ranges[i].add_to(seen);
    }
    fold(seen, d);
  }

  /// One sweep of all blocks for the gradients of closed rows.
  NEARFAR_COMPILED_ONCE void gradient(int q, int k, KeyNumbers numbers, RowTerm<S>& term,
                                      const OnBlock& on_block) {
    std::array<Comparison<S>, 1> one = {Comparison<S>{q, &term}};
    gradient(std::span<Comparison<S>>(one), k, numbers, on_block);
  }
  NEARFAR_COMPILED_ONCE void gradient(std::span<Comparison<S>> comparisons, int k,
                                      KeyNumbers numbers, const OnBlock& on_block) {
    team_.agree([&] { begin_schedule(k); });
    each_block_with_gradients(k, [&](const KeyBlock<S>& block, RowGradients<S>& dk) {
      visit(comparisons, k, numbers, on_block, block,
            [&](OneSidedPass<S>& pass, const Comparison<S>& of) {
              pass.gradient(*of.term, gradients_[at(of.queries)], dk, kept_of(of, block));
            });
    });
  }

  /// One sweep of all blocks of set k: body(block, its packed rows, their gradients if wanted).
  template <class Body>
  void each_block(int k, const Body& body) {
    team_.agree([&] { begin_schedule(k); });
    each_block_with_gradients(k, [&](const KeyBlock<S>& block, RowGradients<S>& dk) {
      const ScratchLoan loan(*scratch_);
      body(block, packed(block.rows), dk);
    });
  }

  /// The same without gradients: body(block, its packed rows).
  template <class Body>
  void each_block_of_rows(int k, const Body& body) {
    team_.agree([&] { begin_schedule(k); });
    team_.agree_on_messages([&] {
      schedule(k).each_block([&](const KeyBlock<S>& block) {
        const ScratchLoan loan(*scratch_);
        body(block, packed(block.rows));
      });
    });
  }

  /// The loss's own numbers of own rows of set k, which go with them from now on.
  NEARFAR_COMPILED_ONCE void set_numbers(int k, const double* numbers) {
    team_.agree([&] { begin_schedule(k); });
    schedule(k).set_numbers(numbers);
  }

  /// For sets with targets: how many positives and negatives each own row of set q has among all
  /// rows of set k. Where positives have weights, adds them up, too: blocks' rules have them from
  /// then on.
  NEARFAR_COMPILED_ONCE void count_pairs(int q, int k, Index* positives, Index* negatives,
                                         PositiveWeights* weights = nullptr) {
    std::fill_n(positives, own_rows(q), Index(0));
    std::fill_n(negatives, own_rows(q), Index(0));
    targets_only_ = without_elements(k);
    std::optional<RingSchedule<S>> targets;
    team_.agree(
        [&] { targets.emplace(*scratch_, team_, where_.schedule, targets_only_, false, false); });
    team_.agree_on_messages([&] {
      targets->each_block([&](const KeyBlock<S>& block) {
        const ScratchLoan loan(*scratch_);
        count_pairs_with(q, k, block, positives, negatives, weights);
      });
    });
    weights_ = weights;
  }

  /// As Call has it: the numbers of all rows of set 0 in blocks, without their rows.
  template <class Body>
  void each_block_of_numbers(const double* own, Index width, const Body& body) {
    Shard<S> shard;
    std::optional<RingSchedule<S>> numbers;
    team_.agree([&] {
      shard = without_elements(0);
      shard.targets = {};
      shard.layout = {.numbers = width};
      numbers.emplace(*scratch_, team_, where_.schedule, shard, false, false);
      numbers->set_numbers(own);
    });
    team_.agree_on_messages([&] {
      numbers->each_block(
          [&](const KeyBlock<S>& block) { body(block.numbers, block.rows.rows()); });
    });
  }
  /// In an order that all splits share, sums that are not in the order of rows end on the grid.
  Index order_grid() const {
    return where_.schedule == Schedule::ordered ? block_grid : std::numeric_limits<Index>::max();
  }

  /// As reduce_all; `count` own terms, unless some of the caller's are left out.
  template <class ValueOf>
  void reduce(Index count, const ValueOf& value_of, Result& result) const {
    reduce(reduction_, count, value_of, result);
  }
  template <class ValueOf>
  void reduce(Reduction reduction, Index count, const ValueOf& value_of, Result& result) const {
    reduce_all(team_, where_.schedule, reduction, terms_.are_all() ? KeptRows(count) : terms_,
               value_of, result);
  }
  template <class NumberOf>
  double sum(Index count, const NumberOf& number_of) const {
    return sum_of_all(team_, where_.schedule, count, number_of);
  }

  /// Sums over all rows: `add` adds own rows to `sums`, which are 0 before. With `ordered` each
  /// process continues the sums of those before it; else all add their own rows at the same time,
  /// and `merge(sums, more)` adds up the sums in the order of ranks.
  template <class T, class Add>
  void sum_over_rows(T* sums, Index count, const Add& add) {
    sum_over_rows(sums, count, add, [&](T* to, const T* more) {
      for (Index k = 0; k < count; ++k) to[k] += more[k];
    });
  }
  template <class T, class Add, class Merge>
  void sum_over_rows(T* sums, Index count, const Add& add, const Merge& merge) {
    if (where_.schedule == Schedule::ordered || team_.size() == 1) {
      team_.agree_on_messages([&] {
        FirstFailure failure;
        team_.sum_in_order(sums, count, [&] { failure.tried(add); });
        failure.rethrow();
      });
      return;
    }
    const ScratchLoan loan(*scratch_);
    T* all = nullptr;
    team_.agree([&] {
      all = scratch_->template take<T>(count);
      add();
    });
    team_.sum_in_order(all, count, [&] {
      if (team_.rank() == 0) {
        std::copy_n(sums, count, all);
      } else {
        merge(all, sums);
      }
    });
    std::copy_n(all, count, sums);
  }

  double scale(const Diagnostics& d) const { return gradient_scale(reduction_, d, upstream_); }

  /// As Call has it: opens one more output together with the gradients; the caller fills it then.
  void open_with_gradients(GradientRows<S>& output, Index rows, Index cols) {
    further_ = {&output, rows, cols};
  }

  /// Gradients times `scale` into the caller's buffers. That of the kernel's matrix is of all
  /// processes' rows, as those of learnable numbers are.
  NEARFAR_COMPILED_ONCE void scatter(double scale) {
    if (!wants_gradients_) return;
    if (row_unit_ != 1) scale = saturated<double>(scale * row_unit_);
    const bool averaging = where_.gradients == GradientScale::for_averaging;
    const double times = averaging ? static_cast<double>(team_.size()) : 1.0;
    scale *= times;
    team_.agree([&] {
      for (int k = 0; k < sets(); ++k) {
        if (!gradients_[at(k)].wanted()) continue;
        if (from_others_[at(k)].wanted()) add_from_others(k);
        if (!finish_sums(threads_, kernel_.geometry, packed_[at(k)], gradients_[at(k)])) {
          fail_gradient_overflow(sets_[at(k)].name());
        }
      }
    });
    for (int k = 0; k < sets(); ++k) {
      if (gradients_[at(k)].wanted()) {
        chain_through_geometry(threads_, kernel_.geometry, packed_[at(k)], gradients_[at(k)],
                               scale);
      }
    }
    S* parameter = nullptr;
    if (wants_parameter_) parameter = parameter_gradient(1 / times);
    const Rows<S>& p = given_.parameter;
    std::array<InputGradients<S>, most_sets> results{};
    team_.settle();  // outputs stay as they are if any process has failed
    team_.agree([&] {
      for (int k = 0; k < sets(); ++k) {
        if (!gradients_[at(k)].wanted()) continue;
        results[at(k)] = chain_through_parameter(*scratch_, threads_, given_.parameter, before(k),
                                                 maps(given_, side_of(k)), gradients_[at(k)]);
      }
      each_output(results, [&](const InputGradients<S>& from, Index first, const Piece<S>& piece) {
        check_piece_fits(threads_, from, first, piece);
      });
      for (Index r = 0; r < p.rows() && d_parameter_.wanted(); ++r) {
        if (!fits(d_parameter_, r, p.cols(), parameter + r * padded_stride<S>(p.cols()))) {
          fail_half_overflow("kernel parameter");
        }
      }
      open();
    });
    team_.settle();
    each_output(results, [&](const InputGradients<S>& from, Index first, const Piece<S>& piece) {
      scatter_piece(threads_, from, first, piece);
    });
    for (Index r = 0; r < p.rows() && d_parameter_.wanted(); ++r) {
      write_row(d_parameter_, r, p.cols(), parameter + r * padded_stride<S>(p.cols()));
    }
  }

 private:
  NEARFAR_COMPILED_ONCE ShardedCall(const KernelValue<S>& kernel, Reduction reduction,
                                    Introduction introduction, std::vector<ShardedSet<S>> set,
                                    const Sharding& where, bool wants_gradients,
                                    const CallOptions<S>& options, Index terms,
                                    const std::function<void()>& check, Scratch* shared)
      : where_(where),
        team_(where_.exchange),
        scratch_(shared),
        given_(kernel),
        kernel_(kernel.is_distance() && kernel.is_symmetric() ? kernel : without_matrix(kernel)),
        reduction_(reduction),
        sets_(std::move(set)),
        wants_gradients_(wants_gradients),
        upstream_(options.upstream),
        bytes_to_keep_(where_.most_bytes_kept) {
    const int set_count = sets();
    introductions_ = team_.introduce(introduction, [&](Introduction& own) {
      if (scratch_ == nullptr) scratch_ = &own_scratch_.emplace(options.workspace);
      threads_ = std::max(1, available_threads(scratch_->threads()));
      terms_ = terms;
      for (int k = 0; k < set_count; ++k) leave_out_unlabelled(k);
      introduce(own, options);
      check();
      if (!wants_gradients_) return;
      check_upstream(upstream_, reduction_, terms);
      upstream_ = of_kept(*scratch_, upstream_, terms_);
    });
    // One unit of all: processes add to each other's gradients.
    if (wants_gradients_ && !upstream_.is_scalar()) {
      upstream_ = upstream_.in_units_of(team_.largest(upstream_.largest(terms_.count)));
    }
    for (const Introduction& one : introductions_) {
      cols_ = std::max(cols_, one.cols);
      for (int k = 0; k < set_count; ++k) {
        shards_[at(k)].counts.push_back(one.rows[at(k)]);
        sets_[at(k)].numbers = std::max(sets_[at(k)].numbers, one.numbers[at(k)]);
        wanted_[at(k)] = wanted_[at(k)] || one.wants_gradient[at(k)] ||
                         (one.wants_parameter && maps(given_, side_of(k)));
      }
      wants_parameter_ = wants_parameter_ || one.wants_parameter;
    }
    team_.agree([&] {
      check_lists();
      for (int k = 0; k < set_count; ++k) lay_out(k);
    });
    if (!maps_travelling_rows()) map_own_rows();
    if (kernel_.centres_rows) centre_own_rows();
    if (kernel.is_distance()) centre_ = centre_of_rows(shards_[0].layout.cols);
    team_.agree([&] {
      for (int k = 0; k < set_count; ++k) {
        packed_[at(k)] = packed(shards_[at(k)].rows);
        if (!wanted_[at(k)]) continue;
        gradients_[at(k)] = take_gradients(*scratch_, packed_[at(k)]);
        if (sets_[at(k)].alone) continue;
        if (set_count == 1 || sets_[at(k)].among_themselves) {
          from_others_[at(k)] = take_gradients(*scratch_, packed_[at(k)]);
        }
      }
    });
    if (kernel.geometry == Geometry::inner_product) check_overflow();
    if (kernel.function == ScoreFunction::square_root) check_distances();
  }

  static constexpr std::size_t at(int k) { return static_cast<std::size_t>(k); }
  static Side side_of(int k) { return k == 0 ? Side::query : Side::key; }

  static KernelValue<S> without_matrix(KernelValue<S> kernel) {
    kernel.maps_queries = kernel.maps_keys = false;
    kernel.parameter = {};
    return kernel;
  }

  /// Elements of own rows of a set before the kernel's matrix.
  Index cols_before(int k) const {
    const Index wanted = wanted_cols(given_, side_of(k));
    return wanted >= 0 ? wanted : cols_;
  }
  /// Own rows of a set as the matrix found them; of a set that it does not map, as packed.
  const PackedRows<S>& before(int k) const {
    return maps_own_rows(k) ? mapped_[at(k)] : packed_[at(k)];
  }
  bool maps_travelling_rows() const { return kernel_.is_parametric(); }
  bool maps_own_rows(int k) const { return maps(given_, side_of(k)) && !maps_travelling_rows(); }
  /// Rows that have travelled, or own ones.
  NEARFAR_COMPILED_ONCE PackedRows<S> packed(const Rows<S>& rows) {
    return pack(*scratch_, threads_, kernel_, rows, maps_travelling_rows(), centre_);
  }
  /// Own rows of a set, of which only targets are sent.
  Shard<S> without_elements(int k) const {
    Shard<S> out = shards_[at(k)];
    out.layout.cols = out.layout.numbers = 0;
    out.rows = Rows<S>(nullptr, own_rows(k), 0);
    return out;
  }

  // ---- before -------------------------------------------------------------------------------

  /// Leaves out own rows of a set that have no label, piece by piece. What does not fit stays, for
  /// checks to find.
  void leave_out_unlabelled(int k) {
    ShardedSet<S>& set = sets_[at(k)];
    if (!set.targets.has_unlabelled()) return;
    const NamedTargets of{set.name(), set.targets};
    if (!leaves_out(of)) {
      fail_argument("targets", "unlabelled rows that are left out, on shards",
                    "unlabelled rows as negatives");
    }
    LabelledRows labelled = labelled_rows(*scratch_, of, set.rows());
    set.targets = labelled.targets;
    if (k == 0) terms_ = labelled.rows;
    if (labelled.rows.are_all()) return;
    Index first = 0;
    Index at_number = 0;
    for (Piece<S>& piece : set.pieces) {
      const Index rows = piece.rows.rows();
      auto* number = scratch_->template take<Index>(rows);
      Index count = 0;
      for (; at_number < labelled.rows.count && labelled.rows[at_number] < first + rows;
           ++at_number) {
        number[count++] = labelled.rows[at_number] - first;
      }
      piece.kept = KeptRows(number, count, rows);
      piece.rows = gather(*scratch_, threads_, piece.rows, piece.kept);
      first += rows;
    }
  }

  void introduce(Introduction& own, const CallOptions<S>& call) {
    refuse_bfloat16(call.products);
    if (where_.most_bytes_kept < 0) {
      fail_argument("most_bytes_kept", "a number >= 0", std::to_string(where_.most_bytes_kept));
    }
    const Rows<S>& p = given_.parameter;
    d_parameter_ = wants_gradients_ ? call.d_parameter : GradientRows<S>();
    own.wants_parameter = d_parameter_.wanted();
    if (given_.is_parametric()) {
      check_finite("kernel parameter", p, threads_);
      d_parameter_.check_shape("d_parameter", p.rows(), p.cols());
    } else if (d_parameter_.wanted()) {
      fail_argument("d_parameter", "a kernel with a matrix (Mahalanobis, Bilinear)",
                    "a kernel without one");
    }
    Index cols = -1;
    for (int k = 0; k < sets(); ++k) {
      ShardedSet<S>& set = sets_[at(k)];
      own.rows[at(k)] = set.rows();
      own.numbers[at(k)] = set.numbers;
      own.wants_gradient[at(k)] = wants_gradients_ && set.wants_gradient();
      if (cols < 0) cols = set.cols();
      const Index wanted = given_.is_parametric() ? cols_before(k) : cols;
      for (const Piece<S>& piece : set.pieces) check_piece(piece, wanted);
    }
    own.cols = given_.is_parametric() ? p.rows() : std::max<Index>(cols, 0);
    if (!sets_[0].has_targets) return;
    check_own_targets(std::numeric_limits<Index>::max());
    const Targets& targets = sets_[0].targets;
    own.add({{"rule of positives", static_cast<double>(targets.rule())},
             {"ids", targets.has_ids() ? 1.0 : 0.0},
             {"ids of keys", sets_.back().targets.has_ids() ? 1.0 : 0.0},
             {"weights", targets.has_weights() ? 1.0 : 0.0},
             {"words of a set of labels", static_cast<double>(targets.multi_labels().words)}});
  }

  /// Lists number all rows of all processes, whose number is known when all have introduced
  /// themselves.
  void check_lists() const {
    const ShardedSet<S>& own = sets_.front();
    if (own.has_targets && own.targets.rule() == Targets::Rule::lists) {
      check_own_targets(all_rows(sets() - 1));
    }
  }

  void check_own_targets(Index all_keys) const {
    const ShardedSet<S>& own = sets_.front();
    const ShardedSet<S>& keys = sets_.back();
    const NamedTargets of_own{own.targets_name, own.targets};
    const NamedTargets of_keys{keys.targets_name, keys.targets};
    if (own.targets.rule() == Targets::Rule::lists) {  // of keys of all processes
      check_targets(of_own, own.rows(), of_own, all_keys, true);
      check_ids(of_own, own.rows(), of_keys, keys.rows(), same_rows());
      if (!same_rows() && keys.targets.rule() != Targets::Rule::none) {
        fail_argument(of_keys.name, "no labels where anchors list their positives", "labels");
      }
      return;
    }
    check_targets(of_own, own.rows(), of_keys, keys.rows(), same_rows());
  }

  void check_piece(const Piece<S>& piece, Index cols) const {
    const Rows<S>& rows = piece.rows;
    if (piece.kept.all == 0) return;  // may come without columns
    if (rows.cols() != cols) {
      fail_shape(piece.name, rows.rows(), cols, rows.rows(), rows.cols());
    }
    if (cols == 0) fail_argument(piece.name, "rows of at least one element", "0 columns");
    check_finite(piece.name, rows, threads_);
    piece.gradient.check_shape(("d_" + std::string(piece.name)).c_str(), piece.kept.all,
                               rows.cols());
  }

  /// A set's own rows in one piece, and its shape on all processes.
  void lay_out(int k) {
    const ShardedSet<S>& set = sets_[at(k)];
    Shard<S>& shard = shards_[at(k)];
    shard.layout.cols = maps_travelling_rows() ? given_.parameter.cols() : cols_;
    shard.layout.gradient_cols = cols_;
    shard.targets = set.targets;
    shard.layout.numbers = set.numbers;
    shard.layout.add(set.targets);
    const Index n = set.rows();
    if (set.pieces.size() == 1 && n > 0) {
      shard.rows = set.pieces.front().rows;
      return;
    }
    const Index cols = cols_before(k);
    S* data = scratch_->template take<S>(n * cols);
    shard.rows = Rows<S>(data, n, cols);
    for (const Piece<S>& piece : set.pieces) {
      copy_padded(piece.rows, static_cast<const S*>(nullptr), threads_, data, cols,
                  piece.rows.rows());
      data += piece.rows.rows() * cols;
    }
  }

  /// Own rows become mapped rows, where the matrix maps any.
  void map_own_rows() {
    const S* no_centre = nullptr;
    KernelValue<S> map = given_;
    map.geometry = Geometry::inner_product;  // mapped and nothing else
    team_.agree([&] {
      for (int k = 0; k < sets(); ++k) {
        if (!maps_own_rows(k)) continue;
        Shard<S>& shard = shards_[at(k)];
        const PackedRows<S>& mapped = mapped_[at(k)] =
            pack(*scratch_, threads_, map, shard.rows, true, no_centre);
        shard.rows = Rows<S>(mapped.data, mapped.rows, mapped.depth, mapped.stride);
      }
    });
  }

  /// Subtracts from each row the mean of its elements, in the unit that Call takes for the rows of
  /// all processes.
  void centre_own_rows() {
    std::array<Rows<S>, most_sets> rows;
    double largest = 0;
    team_.agree([&] {
      for (int k = 0; k < sets(); ++k) {
        rows[at(k)] = as_scalars(*scratch_, threads_, shards_[at(k)].rows);
        largest = std::max(largest, largest_half_above_mean(rows[at(k)]));
      }
    });
    row_unit_ = unit_of_centred_rows(team_.largest(largest));
    team_.agree([&] {
      for (int k = 0; k < sets(); ++k) {
        shards_[at(k)].rows = without_own_means(*scratch_, threads_, rows[at(k)], row_unit_);
      }
    });
  }

  /// The centre of all rows of all sets, whose rows have so many elements.
  const S* centre_of_rows(Index cols) {
    std::optional<CommonCentre<S>> centre;
    team_.agree([&] { centre.emplace(*scratch_, cols); });
    Index count = 0;
    for (int k = 0; k < sets(); ++k) {
      team_.sum_in_order(centre->numbers(), centre->size(),
                         [&] { centre->add(shards_[at(k)].rows, threads_); });
      count += all_rows(k);
    }
    return centre->point(count);
  }

  /// Refuses rows that may be so far apart that one process alone would find it.
  void check_distances() const {
    double own = 0;
    for (int k = 0; k < sets(); ++k) own = std::max(own, packed_[at(k)].largest_norm);
    if (team_.largest(own) > static_cast<double>(std::numeric_limits<S>::max()) / 4) {
      fail_distance_overflow();
    }
  }

  void check_overflow() {
    std::array<double, most_sets> own = {};
    for (int k = 0; k < sets(); ++k) own[at(k)] = packed_[at(k)].largest_norm;
    for (const auto& norms : team_.everyone(own)) {
      for (int k = 0; k < sets(); ++k) {
        largest_norms_[at(k)] = std::max(largest_norms_[at(k)], norms[at(k)]);
      }
    }
    for (int k = std::min(1, sets() - 1); k < sets(); ++k) check_products_of(0, k);
  }

  // ---- each pair of rows once -----------------------------------------------------------------

  /// run(Meetings) where each pair can meet once.
  template <class Term, class Run>
  bool meet(Term& of_queries, Term& of_keys, int q, int k, const Run& run) {
    if constexpr (VisitingTerm<Term>) {
      if (!pairs_may_meet_once()) return false;
      const ScratchLoan loan(*scratch_);
      std::optional<Meetings<Term>> meetings;
      team_.agree([&] { meetings.emplace(*this, of_queries, of_keys, q, k); });
      const Index bytes = bytes_to_keep_;
      run(*meetings);
      bytes_to_keep_ = bytes;
      return true;
    }
    return false;
  }

  /// The passes of own rows among themselves (or queries with keys) and with visitors.
  template <class Term>
  class Meetings {
   public:
    Meetings(ShardedCall& call, Term& of_queries, Term& of_keys, int q, int k)
        : call_(call),
          one_set_(q == k),
          q_(q),
          k_(k),
          layout_(layout_of(call.shards_[at(k_)], of_keys)),
          ring_(*call.scratch_, call.team_, call.shards_[at(k_)], layout_, one_set_),
          of_queries_(of_queries),
          of_keys_(of_keys),
          visitors_(of_keys.of_visitors(*call.scratch_, ring_.most())),
          ranges_(take_ranges<S>(*call.scratch_, call.own_rows(q))),
          kept_(call.scratch_->template take<KeptScores<S>>(call.team_.size())),
          rows_(*call.scratch_, ring_.most(), visitors_, of_keys) {
      std::fill_n(kept_, call.team_.size(), KeptScores<S>());
      if (!call.wants_gradients_ || !call.wanted_[at(k_)]) return;
      gradients_.emplace(*call.scratch_, ring_.most(), call.cols_, call.kernel_.is_distance(),
                         call.gradients_[at(k_)]);
    }

    /// Takes memory for scores of own rows with themselves and with visitors, as far as it
    /// lasts; `gradient` then computes no products for them.
    void keep_scores() {
      const auto keep = [&](int owner, Index own, Index keys, bool same_rows) {
        kept_[owner] =
            TwoSidedPass<S>::keep_scores(*call_.scratch_, call_.bytes_to_keep_, call_.own_rows(q_),
                                         own, keys, call_.kernel_.is_distance(), same_rows);
      };
      keep(call_.team_.rank(), call_.own_rows(q_), call_.own_rows(k_), one_set_);
      ring_.each_meeting([&](const auto& one) { keep(one.owner, one.own, one.visitors, false); });
    }

    /// Closes own rows.
    void accumulate(Diagnostics& d) {
      start();
      call_.team_.agree_on_messages([&] {
        each_visit(
            false,
            [&](TwoSidedPass<S>& pass, Term& keys) { pass.accumulate(of_queries_, keys, ranges_); },
            {&rows_});
      });
      close(d);
    }

    /// Adds the gradients of closed rows.
    void gradient() {
      give_numbers();
      if constexpr (!std::is_empty_v<Closed>) {
        const RowMemory<S>& own = ring_.own();
        for (Index j = 0; j < call_.own_rows(k_); ++j) {
          const Closed row = of_keys_.closed_row(j);
          std::memcpy(own.closed + j * layout_.words, &row, sizeof row);
        }
      }
      call_.team_.agree_on_messages([&] {
        each_visit(true,
                   [&](TwoSidedPass<S>& pass, Term& keys) {
                     pass.gradient(of_queries_, keys, call_.gradients_[at(q_)], gradient_of(keys));
                   },
                   {gradients()});
      });
    }

    /// Both in one sweep, for a term with a local gradient.
    void accumulate_and_gradient(Diagnostics& d) {
      start();
      call_.team_.agree_on_messages([&] {
        each_visit(false,
                   [&](TwoSidedPass<S>& pass, Term& keys) {
                     pass.accumulate_and_gradient(of_queries_, keys, ranges_,
                                                  call_.gradients_[at(q_)], gradient_of(keys));
                   },
                   {&rows_, gradients()});
      });
      close(d);
    }

   private:
    using Closed = typename Term::ClosedRow;

    static RowLayout layout_of(const Shard<S>& shard, const Term& term) {
      static_assert(std::is_empty_v<Closed> || sizeof(Closed) % 8 == 0);
      static_assert(std::is_trivially_copyable_v<Closed>);
      RowLayout out = shard.layout;
      out.numbers = term.numbers_along();
      out.words = std::is_empty_v<Closed> ? Index(0) : Index(sizeof(Closed) / 8);
      return out;
    }

    void start() {
      for (Index i = 0; i < call_.own_rows(q_); ++i) of_queries_.start(i);
      for (Index j = 0; j < call_.own_rows(k_) && !one_set_; ++j) of_keys_.start(j);
      give_numbers();
    }
    void give_numbers() {
      const RowMemory<S>& own = ring_.own();
      for (Index j = 0; j < call_.own_rows(k_) && layout_.numbers > 0; ++j) {
        of_keys_.give_numbers(j, own.numbers + j * layout_.numbers);
      }
    }
    void close(Diagnostics& d) {
      Diagnostics seen;
      for (Index i = 0; i < call_.own_rows(q_); ++i) {
        of_queries_.close(i);
        ranges_[i].add_to(seen);
      }
      for (Index j = 0; j < call_.own_rows(k_) && !one_set_; ++j) of_keys_.close(j);
      fold(seen, d);
    }

    /// What goes back with visitors; null if nobody wants it.
    const VisitResults<S>* gradients() const { return gradients_ ? &*gradients_ : nullptr; }
    RowGradients<S>& gradient_of(const Term& keys) {
      if (!gradients_) return unwanted_;
      return &keys == &of_keys_ ? call_.gradients_[at(k_)] : gradients_->sums;
    }

    using OnPass = std::function<void(TwoSidedPass<S>&, Term& keys)>;

    /// body(pass, term of the keys) for own rows and for each visitor. `results` ends at a null.
    void each_visit(bool closed, const OnPass& body,
                    const std::array<const VisitResults<S>*, 2>& results) {
      const auto count = std::find(results.begin(), results.end(), nullptr) - results.begin();
      ring_.each_visit(
          closed, [&] { at_home(body); }, [&](const Visit<S>& visit) { meet(visit, body); },
          std::span(results).first(static_cast<std::size_t>(count)));
    }

    void at_home(const OnPass& body) {
      if (call_.own_rows(q_) == 0) return;
      const ScratchLoan loan(*call_.scratch_);
      const Targets& targets = call_.targets(q_);
      const Targets of_keys = call_.targets(k_);
      if (call_.sets_[at(q_)].has_targets) {
        PositiveRule<S>& rule = call_.block_rule_;
        rule = PositiveRule<S>(*call_.scratch_, targets, one_set_ ? targets : of_keys);
        call_.rule_of_keys_ =
            rule.reversed(*call_.scratch_, call_.own_rows(q_), call_.own_rows(k_));
        tell(of_queries_, rule, call_.first_row(k_), nullptr);
        if (!one_set_) tell(of_keys_, call_.rule_of_keys_, call_.first_row(q_), nullptr);
        share(call_.own_rows(k_));
      }
      ExcludedPairs excluded;
      if (targets.has_ids())
        excluded = ExcludedPairs(*call_.scratch_, targets.ids(), targets.ids());
      if (call_.keeps_positives_) excluded.keep_positives(call_.kept_);
      TwoSidedPass<S> pass(*call_.scratch_, call_.threads_, call_.kernel_, call_.packed_[at(q_)],
                           call_.packed_[at(k_)], excluded);
      pass.keep(kept_[call_.team_.rank()]);
      body(pass, of_keys_);
    }

    void meet(const Visit<S>& visit, const OnPass& body) {
      const KeyBlock<S>& block = visit.block;
      const Index count = block.rows.rows();
      const Index own_count = call_.own_rows(q_);
      if (count == 0 || visit.first_own >= own_count) return;
      const ScratchLoan loan(*call_.scratch_);
      if constexpr (!std::is_empty_v<Closed>) {
        for (Index j = 0; j < count && visit.closed != nullptr; ++j) {
          if (layout_.numbers > 0) visitors_.take_numbers(j, block.numbers + j * layout_.numbers);
          Closed row;
          std::memcpy(&row, visit.closed + j * layout_.words, sizeof row);
          visitors_.set_closed(j, row);
        }
      }
      const PackedRows<S> keys = call_.packed(block.rows);
      const Targets& targets = call_.targets(q_);
      // Rules count keys from 0, others from the first of the rows that compare.
      BlockPair place{.first_query = visit.first_own, .one_set = one_set_};
      if (call_.sets_[at(q_)].has_targets) {
        PositiveRule<S>& rule = call_.block_rule_;
        rule = PositiveRule<S>(*call_.scratch_, targets, block.targets);
        call_.rule_of_visitors_ = rule.reversed(*call_.scratch_, own_count, count);
        tell(of_queries_, rule, block.first, block.numbers);
        tell(visitors_, call_.rule_of_visitors_, call_.first_row(q_), ring_.own().numbers);
        share(count);
      } else {
        place.key_number = block.first - call_.first_row(k_);
        place.query_number = -place.key_number;
      }
      ExcludedPairs excluded;
      ExcludedPairs of_visitors;
      if (targets.has_ids()) {
        excluded = ExcludedPairs(*call_.scratch_, targets.ids(), block.targets.ids());
        of_visitors = ExcludedPairs(*call_.scratch_, block.targets.ids(), targets.ids());
        place.of_keys = &of_visitors;
      }
      TwoSidedPass<S> pass(*call_.scratch_, call_.threads_, call_.kernel_, call_.packed_[at(q_)],
                           keys, excluded, 0, place);
      pass.keep(kept_[block.owner]);
      body(pass, visitors_);
      if constexpr (requires { of_queries_.add_moments(visitors_, count); }) {
        if (visit.closed != nullptr) of_queries_.add_moments(visitors_, count);
      }
    }

    /// Tells a term the rule of the next pass, the number of its first key among all, and what the
    /// keys have taken along where they have.
    static void tell(Term& term, const PositiveRule<S>& rule, Index first_key,
                     const double* numbers) {
      if constexpr (requires { term.set_rule(rule); }) term.set_rule(rule);
      if constexpr (requires { term.set_number(first_key); }) term.set_number(first_key);
      if constexpr (requires { term.set_keys(numbers); }) term.set_keys(numbers);
    }

    /// Lets exponentials of own rows with `keys` keys serve both sides, where the term can.
    void share(Index keys) {
      Scratch& scratch = *call_.scratch_;
      if constexpr (requires { of_queries_.share_block(scratch, keys, keys); }) {
        of_queries_.share_block(scratch, call_.own_rows(q_), keys);
      }
    }

    ShardedCall& call_;
    bool one_set_;
    int q_;
    int k_;  ///< the set that visits
    RowLayout layout_;
    PairRing<S> ring_;
    Term& of_queries_;
    Term& of_keys_;  ///< the same for one set
    Term visitors_;
    ScoreRange<S>* ranges_;
    KeptScores<S>* kept_;  ///< of each meeting, by the owner of the visitors
    VisitingRows<S, Term> rows_;
    std::optional<VisitingGradients<S>> gradients_;
    RowGradients<S> unwanted_;
  };

  // ---- score passes ---------------------------------------------------------------------------

  NEARFAR_COMPILED_ONCE void begin_schedule(int k) {
    if (schedules_[at(k)]) return;
    schedules_[at(k)].emplace(*scratch_, team_, where_.schedule, shards_[at(k)], wanted_[at(k)],
                              kernel_.is_distance());
  }
  RingSchedule<S>& schedule(int k) { return *schedules_[at(k)]; }

  /// body(block, gradients of its rows), which are not wanted where nobody wants those of the set.
  template <class Body>
  void each_block_with_gradients(int k, const Body& body) {
    team_.agree_on_messages([&] {
      if (wanted_[at(k)]) {
        schedule(k).each_block(to_others(k), body);
      } else {
        RowGradients<S> nobody;
        schedule(k).each_block([&](const KeyBlock<S>& block) { body(block, nobody); });
      }
    });
  }

  /// Where the shares of other processes in the gradients of own keys are added.
  RowGradients<S>& to_others(int k) {
    return from_others_[at(k)].wanted() ? from_others_[at(k)] : gradients_[at(k)];
  }

  /// body(pass) with own rows of set q and the block's.
  template <class Body>
  void visit(int q, int k, KeyNumbers numbers, const OnBlock& on_block, const KeyBlock<S>& block,
             const Body& body) {
    std::array<Comparison<S>, 1> one = {Comparison<S>{q, nullptr}};
    visit(std::span<Comparison<S>>(one), k, numbers, on_block, block,
          [&](OneSidedPass<S>& pass, const Comparison<S>&) { body(pass); });
  }

  /// body(pass, comparison) for each of them; the block's rows are packed once.
  template <class Body>
  void visit(std::span<Comparison<S>> comparisons, int k, KeyNumbers numbers,
             const OnBlock& on_block, const KeyBlock<S>& block, const Body& body) {
    if (block.rows.rows() == 0) return;
    const ScratchLoan loan(*scratch_);
    const PackedRows<S> keys = packed(block.rows);
    const Index number = numbers == KeyNumbers::from_own ? block.first - first_row(k) : 0;
    for (const Comparison<S>& of : comparisons) {
      const ScratchLoan of_one(*scratch_);
      const ShardedSet<S>& own = sets_[at(of.queries)];
      // Terms that were told of it look at it once more when they close rows.
      if (own.has_targets) block_rule_ = rule_of(own.targets, block);
      const PairMask mask = mask_of(of.queries, k, block);
      KeyBlockPlace place{number, block.own};
      if (block.has_own) {
        place.without = of.without;
        place.without.shift += block.own;
      }
      OneSidedPass<S> pass(*scratch_, threads_, kernel_, packed_[at(of.queries)], keys,
                           mask.pairing, mask.excluded, place);
      on_block(block_rule_, block);
      body(pass, of);
    }
  }

  static KeptScores<S> kept_of(const Comparison<S>& of, const KeyBlock<S>& block) {
    return of.kept != nullptr ? of.kept[block.owner] : KeptScores<S>();
  }

  static void fold(const Diagnostics& seen, Diagnostics& d) {
    d.zero_distances += seen.zero_distances;
    d.smallest_score = std::min(d.smallest_score, seen.smallest_score);
    d.largest_score = std::max(d.largest_score, seen.largest_score);
  }

  PositiveRule<S> rule_of(const Targets& own, const KeyBlock<S>& block) {
    PositiveRule<S> rule(*scratch_, own, block.targets, block.first);
    rule.set_weights(weights_);
    return rule;
  }

  PairMask mask_of(int q, int k, const KeyBlock<S>& block) {
    const Targets& own = sets_[at(q)].targets;
    const ShardedSet<S>& keys = sets_[at(k)];
    const bool paired = same_rows() || (sets_[at(q)].paired && keys.paired);
    PairMask mask{paired && block.has_own ? Pairing::others : Pairing::all, {}, block.own};
    if (keys.query_ids) {
      mask.excluded = ExcludedPairs(*scratch_, *keys.query_ids, block.targets.ids());
    } else if (own.has_ids() && block.targets.has_ids()) {
      mask.excluded = ExcludedPairs(*scratch_, own.ids(), block.targets.ids());
    }
    if (keeps_positives_) mask.excluded.keep_positives(kept_, block.first - first_row(k));
    return mask;
  }

  void count_pairs_with(int q, int k, const KeyBlock<S>& block, Index* positives, Index* negatives,
                        PositiveWeights* weights) {
    const Targets& own = sets_[at(q)].targets;
    const PositiveRule<S> rule = rule_of(own, block);
    const PairMask mask = mask_of(q, k, block);
    if (rule.by_labels()) {
      count_pairs_by_labels(own.labels(), block, rule, mask, positives, negatives);
      return;
    }
    each_counted(own_rows(q), threads_, [&](Index i) {
      const PairCounts counts = detail::count_pairs(rule, mask, i, block.rows.rows());
      positives[i] += counts.positives;
      negatives[i] += counts.negatives;
      if (weights != nullptr) add_weights(rule, mask, i, block.rows.rows(), weights[i]);
    });
  }

  /// No pair by itself, but those that are left out.
  static void count_pairs_by_labels(const Labels& own, const KeyBlock<S>& block,
                                    const PositiveRule<S>& rule, const PairMask& mask,
                                    Index* positives, Index* negatives) {
    const Labels& keys = block.targets.labels();
    for (Index i = 0; i < own.size(); ++i) {
      Index left_out_same = 0;
      Index left_out = 0;
      const auto leave_out = [&](Index j) {
        ++left_out;
        left_out_same += keys[j] == own[i] ? 1 : 0;
      };
      if (mask.excluded.any()) {
        mask.excluded.each(i, leave_out);
      } else if (mask.pairing == Pairing::others) {
        leave_out(i + mask.own);
      }
      positives[i] += rule.members(i) - left_out_same;
      negatives[i] += keys.size() - rule.members(i) - (left_out - left_out_same);
    }
  }

  // ---- after --------------------------------------------------------------------------------

  /// The gradient of the kernel's matrix, times `factor`: over the rows of all processes in order.
  S* parameter_gradient(double factor) {
    const Rows<S>& p = given_.parameter;
    const Index stride = padded_stride<S>(p.cols());
    const Index size = round_up(p.rows(), panel_rows) * stride;
    S* sum = nullptr;
    team_.agree([&] { sum = scratch_->template take<S>(size); });
    std::fill_n(sum, size, S(0));
    for (int k = 0; k < sets(); ++k) {
      if (!maps(given_, side_of(k))) continue;
      const PackedRows<S>& x = before(k);
      team_.sum_in_order(sum, size, [&] {
        for (Index first = 0; first < x.rows; first += block_grid) {
          const Index count = std::min(block_grid, x.rows - first);
          add_parameter_gradient(threads_, p, part_of(x, first, count),
                                 part_of(gradients_[at(k)], x, first), sum);
        }
      });
    }
    row_loops<S>().scale(size, static_cast<S>(factor), sum, sum);
    if (!row_loops<S>().all_finite(p.rows() * stride, sum)) {
      fail_gradient_overflow("kernel parameter");
    }
    return sum;
  }

  void add_from_others(int k) {
    const PackedRows<S>& x = packed_[at(k)];
    const RowGradients<S>& from = from_others_[at(k)];
    row_loops<S>().add(x.rows * x.stride, from.data, gradients_[at(k)].data);
    for (Index i = 0; i < x.rows; ++i) gradients_[at(k)].weight[i] += from.weight[i];
  }

  /// body(gradients, first, piece) for the pieces of all sets: a piece's gradients are rows `first`
  /// and on of its set's.
  template <class Body>
  void each_output(const std::array<InputGradients<S>, most_sets>& results,
                   const Body& body) const {
    for (int k = 0; k < sets(); ++k) {
      Index first = 0;
      for (const Piece<S>& piece : sets_[at(k)].pieces) {
        body(results[at(k)], first, piece);
        first += piece.rows.rows();
      }
    }
  }

  void open() {
    std::vector<Output<S>> outputs;
    for (int k = 0; k < sets(); ++k) {
      for (Piece<S>& piece : sets_[at(k)].pieces) {
        outputs.push_back({&piece.gradient, piece.kept.all, cols_before(k)});
      }
    }
    const Rows<S>& p = given_.parameter;
    outputs.push_back({&d_parameter_, p.rows(), p.cols()});
    open_all(std::span<const Output<S>>(outputs),
             std::span<const Output<S>>(&further_, further_.rows != nullptr ? 1 : 0));
  }

  const Sharding where_;
  Team team_;
  std::optional<Scratch> own_scratch_;
  Scratch* scratch_;
  int threads_ = 1;
  const KernelValue<S>& given_;  ///< the caller's kernel
  const KernelValue<S> kernel_;  ///< of rows that travel: without a matrix if they are mapped
  Reduction reduction_;
  std::vector<ShardedSet<S>> sets_;
  bool wants_gradients_;
  Upstream upstream_;
  Index bytes_to_keep_;  ///< left for scores that gradients need again
  KeptRows terms_;       ///< which of the caller's terms are those of the call
  GradientRows<S> d_parameter_;
  Output<S> further_ = {};
  bool wants_parameter_ = false;  ///< by anyone
  std::vector<Introduction> introductions_;
  Index cols_ = 0;
  std::array<bool, most_sets> wanted_ = {};           ///< gradients, by anyone
  std::array<double, most_sets> largest_norms_ = {};  ///< of all rows, where products are scores
  std::array<Shard<S>, most_sets> shards_;
  Shard<S> targets_only_;
  const S* centre_ = nullptr;
  double row_unit_ = 1;
  bool keeps_positives_ = false;
  const Index* kept_ = nullptr;  ///< keys, own ones from 0; null: own key i
  // Those of the pass at work, as its queries, its keys and rows that visit it see it.
  PositiveRule<S> block_rule_;
  PositiveRule<S> rule_of_keys_;
  PositiveRule<S> rule_of_visitors_;
  const PositiveWeights* weights_ = nullptr;  ///< of positives, one an own row, where they have any
  std::array<PackedRows<S>, most_sets> mapped_;  ///< where the matrix maps own rows
  std::array<PackedRows<S>, most_sets> packed_;
  std::array<RowGradients<S>, most_sets> gradients_;
  /// Gradients of a set's rows as keys, if it is compared with itself.
  std::array<RowGradients<S>, most_sets> from_others_;
  std::array<std::optional<RingSchedule<S>>, most_sets> schedules_;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class ShardedCall<float>;
extern template class ShardedCall<double>;
#endif

}  // namespace nearfar::detail
