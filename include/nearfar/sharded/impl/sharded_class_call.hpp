#pragma once

#include <optional>

#include "nearfar/sharded/impl/first_failure.hpp"
#include "nearfar/sharded/impl/reduction.hpp"
#include "nearfar/sharded/impl/sharded_call.hpp"
#include "nearfar/terms/class_call.hpp"

/// \file
/// The frame of a sharded call of labelled rows against proxies of classes. It has the interface of
/// ClassCall, so that one body of a loss serves one process and many.

namespace nearfar::detail {

/// The collective check of a call; see introduction.
template <class S, class Options>
Introduction class_introduction(const char* loss, const KernelValue<S>& kernel,
                                const ShardedProxyInputs<S>& inputs, const Options& options,
                                std::initializer_list<NamedOption> own) {
  const Inputs<S, 2>& sets = inputs.own.sets;
  return introduction(loss, kernel,
                      ShardedInputs<S, 1>{inputs.where, {}, sets.wants_gradients, sets.options},
                      options, own);
}

/// Own rows and the proxies of all classes, which every process has. No row is sent: a process
/// compares its rows with all proxies, and the gradients of proxies are summed over processes in
/// the order of ranks.
template <class S>
class ShardedClassCall {
 public:
  /// Agrees with all processes that their calls fit, proxies included. `introduction` has the
  /// loss's options; the other arguments are those of ClassCall, and must outlive the object.
  template <class CheckMargin = NoMargins>
  ShardedClassCall(const KernelValue<S>& kernel, Reduction reduction, Introduction introduction,
                   const ShardedProxyInputs<S>& inputs, bool normalises = false,
                   const CheckMargin& check_margin = {})
      : where_(inputs.where), team_(where_.exchange), reduction_(reduction) {
    const ProxyInputs<S>& own = inputs.own;
    bool wants_proxies = false;
    const auto all = team_.introduce(introduction, [&](Introduction& mine) {
      refuse_bfloat16(own.sets.options.products);
      local_.emplace(kernel, reduction, own, 1, normalises, check_margin, false);
      const Proxies<S>& proxies = own.proxies;
      mine.rows[0] = own.sets.rows[0].rows();
      mine.cols = own.sets.rows[0].cols();
      mine.wants_gradient[1] = wants_gradients() && own.sets.gradients[1].wanted();
      mine.add({{"proxies", static_cast<double>(proxies.rows().rows())},
                {"proxies (digest)", digest(proxies.rows())},
                {"margins", proxies.has_margins() ? 1.0 : 0.0},
                {"margins (digest)", digest_of(proxies.margins())},
                {"classes", proxies.has_classes() ? 1.0 : 0.0},
                {"classes (digest)", digest_of(proxies.classes())}});
    });
    for (const Introduction& one : all) wants_proxies = wants_proxies || one.wants_gradient[1];
    if (wants_proxies) local_->need_gradient(1);
    // One unit of all: processes add to the gradients of proxies.
    if (wants_gradients() && !upstream().is_scalar()) {
      local_->take_upstream_unit(team_.largest(local_->largest_upstream()));
    }
    team_.agree([&] { local_->pack(); });
  }

  Scratch& scratch() { return local_->scratch(); }
  int threads() const { return local_->threads(); }
  const KernelValue<S>& kernel() const { return local_->kernel(); }
  bool wants_gradients() const { return local_->wants_gradients(); }
  const Upstream& upstream() const { return local_->upstream(); }
  const PackedRows<S>& rows(int set) const { return local_->rows(set); }
  RowGradients<S>& gradients(int set) { return local_->gradients(set); }
  Index own_rows(int set) const { return local_->own_rows(set); }
  Index classes() const { return local_->classes(); }
  const Index* own() const { return local_->own(); }
  double margin(Index c, double of_all) const { return local_->margin(c, of_all); }

  template <class Body>
  void agree(const Body& body) const {
    team_.agree(body);
  }

  /// A Term of own rows or of the proxies, made on all processes or on none.
  template <class Term, class... Args>
  Term make(int set, const Args&... args) {
    return team_.make<Term>(scratch(), own_rows(set), args...);
  }

  /// Closes own rows over the proxies.
  void run(RowTerm<S>& term, int q, int k, Diagnostics& d) {
    if (!in_order()) {
      team_.agree([&] { local_->run(term, q, k, d); });
      return;
    }
    std::optional<OneSidedPass<S>> pass;
    team_.agree([&] {
      pass.emplace(scratch(), threads(), kernel(), rows(q), rows(k));
      const Index n = own_rows(q);
      for (Index i = 0; i < n; ++i) term.start(i);
      accumulate(*pass, term, q, d);
      for (Index i = 0; i < n; ++i) term.close(i);
    });
    if (!wants_gradients()) return;
    add_to_proxies([&] {
      if (own_rows(q) > 0) pass->gradient(term, gradients(q), gradients(k));
    });
  }

  /// Closes the proxies over the rows of all processes: those of each process join the statistics
  /// of the processes before it.
  template <class Term>
  void run_from_proxies(Term& term, Diagnostics& d) {
    using Row = typename Term::OpenRow;
    const Index count = classes();
    Row* open = nullptr;
    std::optional<OneSidedPass<S>> pass;
    const auto accumulate_own = [&] { accumulate(*pass, term, 1, d); };
    team_.agree([&] {
      open = scratch().template take<Row>(count);
      pass.emplace(scratch(), threads(), kernel(), rows(1), rows(0));
      for (Index c = 0; c < count; ++c) term.start(c);
      if (!in_order()) accumulate_own();
    });
    FirstFailure failure;
    team_.sum_in_order(open, count, [&] {
      for (Index c = 0; c < count && team_.rank() > 0; ++c) term.merge(c, open[c]);
      if (in_order()) failure.tried(accumulate_own);
      for (Index c = 0; c < count; ++c) open[c] = term.open_row(c);
    });
    team_.agree([&] { failure.rethrow(); });
    for (Index c = 0; c < count; ++c) {
      term.start(c);
      term.merge(c, open[c]);
      term.close(c);
    }
    if (!wants_gradients()) return;
    add_to_proxies([&] {
      if (own_rows(0) > 0) pass->gradient(term, gradients(1), gradients(0));
    });
  }

  /// Runs what adds to the gradients of proxies, row by row: with Schedule::ordered after the rows
  /// of the processes before.
  template <class Body>
  void add_to_proxies(const Body& body) {
    RowGradients<S>& sums = gradients(1);
    if (!in_order() || !sums.wanted()) {
      team_.agree(body);
      return;
    }
    FirstFailure failure;
    team_.sum_in_order(sums.data, size_of_proxies(), [&] { failure.tried(body); });
    team_.agree([&] { failure.rethrow(); });
  }

  void combine(Diagnostics& d) const { team_.combine(d); }
  void add_up(Index* counts) const {
    Index* sums = nullptr;
    team_.agree([&] { sums = local_->scratch().template take<Index>(classes()); });
    std::fill_n(sums, classes(), Index(0));
    team_.sum_in_order(sums, classes(), [&] {
      for (Index c = 0; c < classes(); ++c) sums[c] += counts[c];
    });
    std::copy_n(sums, classes(), counts);
  }
  template <class NumberOf>
  double sum(Index count, const NumberOf& number_of) const {
    return sum_of_all(team_, where_.schedule, count, number_of);
  }
  template <class ValueOf>
  void reduce(Index count, const ValueOf& value_of, Result& result) const {
    reduce_all(team_, where_.schedule, reduction_, KeptRows(count), value_of, result);
  }
  template <class ValueOf>
  void reduce_proxies(const ValueOf& value_of, Result& result) const {
    local_->reduce_proxies(value_of, result);
  }
  double scale(const Diagnostics& d) const { return local_->scale(d); }

  /// Gradients times `scale` into the caller's buffers; that of proxies is of all processes' rows.
  void scatter(double scale) {
    if (!wants_gradients()) return;
    const bool averaging = where_.gradients == GradientScale::for_averaging;
    const double times = averaging ? static_cast<double>(team_.size()) : 1.0;
    if (gradients(1).wanted()) finish_proxies(1 / times);
    team_.agree([&] { local_->prepare_outputs(scale * times); });
    team_.settle();  // outputs stay as they are if any process has failed
    local_->write_outputs();
  }

 private:
  template <class N>
  static double digest_of(const N& numbers) {
    double out = 0;
    for (Index i = 0; i < numbers.size(); ++i) {
      const double pair[] = {out, static_cast<double>(numbers[i])};
      out = digest(Rows<double>(pair, 1, 2));
    }
    return out;
  }

  bool in_order() const { return where_.schedule == Schedule::ordered; }
  Index size_of_proxies() const { return rows(1).rows * rows(1).stride; }

  /// Adds the scores of rows of set q to the open rows of its term.
  void accumulate(OneSidedPass<S>& pass, RowTerm<S>& term, int q, Diagnostics& d) {
    if (own_rows(0) == 0) return;
    const Index n = own_rows(q);
    ScoreRange<S>* ranges = take_ranges<S>(scratch(), n);
    pass.accumulate(term, ranges);
    for (Index i = 0; i < n; ++i) ranges[i].add_to(d);
  }

  /// The gradients of proxies of all processes, times `factor`.
  void finish_proxies(double factor) {
    S* const own = gradients(1).data;
    const Index size = size_of_proxies();
    if (!in_order()) {
      S* sums = nullptr;
      team_.agree([&] { sums = scratch().template take<S>(size); });
      std::fill_n(sums, size, S(0));
      team_.sum_in_order(sums, size, [&] { row_loops<S>().add(size, own, sums); });
      std::copy_n(sums, size, own);
    }
    if (factor != 1) row_loops<S>().scale(size, static_cast<S>(factor), own, own);
  }

  const Sharding where_;
  Team team_;
  Reduction reduction_;
  mutable std::optional<ClassCall<S>> local_;  ///< of own rows and all proxies
};

}  // namespace nearfar::detail
