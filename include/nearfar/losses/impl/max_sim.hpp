#pragma once

#include <algorithm>
#include <limits>
#include <string>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/score_panel.hpp"
#include "nearfar/losses/max_sim.hpp"

namespace nearfar::detail {

/// Rows of tokens, grouped by the set that they belong to.
class TokenSets {
 public:
  explicit TokenSets(std::span<const Index> offsets) : offsets_(offsets) {}

  /// Throws unless there are offsets, and they ascend from 0 to the number of tokens.
  void check(const char* name, Index tokens) const {
    if (offsets_.empty()) fail_argument(name, "one number more than sets of tokens", "none");
    if (offsets_.front() != 0 || offsets_.back() != tokens) {
      fail_argument(name, "offsets from 0 to the number of tokens, " + std::to_string(tokens),
                    std::to_string(offsets_.front()) + " to " + std::to_string(offsets_.back()));
    }
    for (Index i = 0; i < count(); ++i) {
      if (end(i) >= first(i)) continue;
      fail_argument(name, "offsets in ascending order",
                    std::to_string(end(i)) + " after " + std::to_string(first(i)));
    }
  }

  Index count() const { return static_cast<Index>(offsets_.size()) - 1; }
  Index first(Index i) const { return offsets_[static_cast<std::size_t>(i)]; }
  Index end(Index i) const { return offsets_[static_cast<std::size_t>(i) + 1]; }
  Index size(Index i) const { return end(i) - first(i); }

 private:
  std::span<const Index> offsets_;
};

/// Statistics of one query.
struct MaxSimRow {
  double value;
  double temperature;  ///< sum_m dL/dS_im S_im
  double smallest;     ///< of S_im
  double largest;
};

/// The pass over pairs of tokens. Threads take panels of queries. For each tile of document tokens,
/// a panel keeps the largest score of each query token with each document. After the last tile it
/// closes its queries. Panels add to the documents' gradient in a pipeline, a few documents at a
/// time, so that every sum has one order.
template <class S>
class MaxSimPass {
 public:
  MaxSimPass(Call<S>& call, const MaxSimInfoNceOptions& options, const TokenSets& queries,
             const TokenSets& documents)
      : call_(call),
        scratch_(call.scratch()),
        temperature_(options.temperature),
        queries_(queries),
        documents_(documents),
        rows_(scratch_.template take<MaxSimRow>(queries.count())),
        query_rows_(in_order(call.rows(0))),
        products_(scratch_, call.threads(), query_rows_, call.rows(1)) {}

  const MaxSimRow& operator[](Index i) const { return rows_[i]; }

  void run() {
    // The first query of each panel.
    auto* first = scratch_.template take<Index>(queries_.count() + 1);
    Index panels = 0;
    Index most_queries = 0;
    Index most_tokens = 0;
    first[0] = 0;
    for (Index i = 0; i < queries_.count(); ++i) {
      if (i > first[panels] && queries_.end(i) - queries_.first(first[panels]) > height) {
        first[++panels] = i;
      }
      most_queries = std::max(most_queries, i + 1 - first[panels]);
      most_tokens = std::max(most_tokens, queries_.end(i) - queries_.first(first[panels]));
    }
    if (queries_.count() > 0) first[++panels] = queries_.count();

    const Index m = documents_.count();
    const Index bytes = most_tokens * m * Index(sizeof(S) + sizeof(Index)) +
                        most_queries * m * Index(sizeof(double)) +
                        ScorePanel<S>::size(height, tile_width) * Index(sizeof(S));
    const int workers = panels_at_once(call_.rows(0), call_.rows(1), bytes,
                                       std::min<Index>(call_.threads(), panels));
    auto* memory = scratch_.template take<Memory>(workers);
    for (int k = 0; k < workers; ++k) {
      memory[k] = {{scratch_.template take<S>(ScorePanel<S>::size(height, tile_width)), height},
                   scratch_.template take<S>(most_tokens * m),
                   scratch_.template take<Index>(most_tokens * m),
                   scratch_.template take<double>(most_queries * m)};
    }
    parallel_pipeline(panels, workers, scratch_.template take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        const Panel panel{first[t], first[t + 1], queries_.first(first[t]),
                                          queries_.end(first[t + 1] - 1)};
                        run_panel(memory[worker], panel, ticket);
                      });
  }

 private:
  static constexpr Index height = 8 * panel_rows;  // tokens of a panel, unless one query has more
  static constexpr Index documents_a_stage = 64;

  struct Memory {
    ScorePanel<S> tile;
    S* best;       ///< largest score of each token of the panel with each document
    Index* token;  ///< the document's token with that score
    double* sums;  ///< S_im of the panel's queries, later dL/dS_im
  };

  struct Panel {
    Index first_query;
    Index end_query;
    Index first_token;
    Index end_token;
  };

  /// Packs rows in their own order; a panel may begin with any row.
  PackedRows<S> in_order(const PackedRows<S>& x) {
    auto* places = scratch_.template take<Index>(x.rows);
    for (Index i = 0; i < x.rows; ++i) places[i] = i;
    return reordered(scratch_, call_.threads(), x, places);
  }

  void run_panel(Memory& mine, const Panel& panel, const Ticket& ticket) {
    const Index m = documents_.count();
    const Index tokens = panel.end_token - panel.first_token;
    std::fill_n(mine.best, tokens * m, -std::numeric_limits<S>::infinity());
    for (Index from = 0; from < tokens; from += height) {
      const Index count = std::min(height, tokens - from);
      Index document = 0;
      each_tile(0, documents_.end(m - 1), [&](Index first, Index end) {
        mine.tile.first = first;
        products_.score(panel.first_token + from, count, first, end, mine.tile);
        while (documents_.end(document) <= first) ++document;
        for (Index r = 0; r < count; ++r) {
          fold(mine.tile.at(r, first), first, end, document, mine.best + (from + r) * m,
               mine.token + (from + r) * m);
        }
      });
    }
    for (Index i = panel.first_query; i < panel.end_query; ++i) {
      double* sums = sums_of(mine, panel, i);
      std::fill_n(sums, m, 0.0);
      each_token(mine, panel, i, [&](Index, const S* best, const Index*) {
        for (Index k = 0; k < m; ++k) sums[k] += static_cast<double>(best[k]);
      });
      close(i, sums);
    }
    if (call_.wants_gradients()) add_gradients(mine, panel, ticket);
  }

  /// Takes the scores of one token with tokens [first, end); `first` belongs to `document`.
  void fold(const S* s, Index first, Index end, Index document, S* best, Index* token) const {
    for (Index j = first; j < end; ++document) {
      const Index stop = std::min(end, documents_.end(document));
      const S largest = score_loops<S>().range(stop - j, s + (j - first)).largest;
      if (largest > best[document]) {
        best[document] = largest;
        token[document] = std::find(s + (j - first), s + (stop - first), largest) - s + first;
      }
      j = stop;
    }
  }

  /// The softmax over documents; sums become derivatives.
  void close(Index i, double* sums) {
    const Index m = documents_.count();
    MaxSimRow& row = rows_[i];
    const auto [smallest, largest] = std::minmax_element(sums, sums + m);
    row.smallest = *smallest;
    row.largest = *largest;
    // Apart from the sum over other documents, so that small values keep their digits.
    const double positive = sums[i];
    double reference = -std::numeric_limits<double>::infinity();
    for (Index k = 0; k < m; ++k) {
      if (k != i) reference = std::max(reference, sums[k]);
    }
    double others = 0;  // sum of exp((S - reference) / tau)
    for (Index k = 0; k < m; ++k) {
      if (k != i) others += portable::exp((sums[k] - reference) / temperature_);
    }
    // L = log(1 + exp(x)), x the others' log-sum-exp less the positive's logit.
    const double x = m > 1 ? portable::log(others) + (reference - positive) / temperature_
                           : -std::numeric_limits<double>::infinity();
    row.value = x > 0 ? x + portable::log1p(portable::exp(-x)) : portable::log1p(portable::exp(x));
    row.temperature = 0;
    if (!call_.wants_gradients()) return;
    // The softmax of the other documents together.
    const double share =
        x > 0 ? 1 / (1 + portable::exp(-x)) : portable::exp(x) / (1 + portable::exp(x));
    const double factor = row_upstream(call_.upstream(), i) / temperature_;
    double moment = 0;
    for (Index k = 0; k < m; ++k) {
      if (k == i) continue;
      const double weight = portable::exp((sums[k] - reference) / temperature_) / others * share;
      moment += weight * (sums[k] - positive);
      sums[k] = factor * weight;
    }
    row.temperature = factor * moment;
    sums[i] = -factor * share;
  }

  void add_gradients(Memory& mine, const Panel& panel, const Ticket& ticket) {
    const RowLoops<S>& loops = row_loops<S>();
    const PackedRows<S>& q = call_.rows(0);
    const PackedRows<S>& d = call_.rows(1);
    RowGradients<S>& dq = call_.gradients(0);
    RowGradients<S>& dd = call_.gradients(1);
    const Index m = documents_.count();
    const Index stages = tasks_of(m, documents_a_stage);
    const auto each_pair = [&](Index first, Index end, const auto& body) {
      for (Index i = panel.first_query; i < panel.end_query; ++i) {
        const double* slopes = sums_of(mine, panel, i);
        each_token(mine, panel, i, [&](Index row, const S*, const Index* token) {
          for (Index k = first; k < end; ++k) {
            const S slope = static_cast<S>(slopes[k]);
            if (slope != S(0)) body(row, token[k], slope);
          }
        });
      }
    };
    if (dq.wanted()) {
      each_pair(0, m, [&](Index row, Index token, S slope) {
        loops.add_scaled(d.depth, slope, d.row(token), dq.data + row * q.stride);
      });
    }
    if (!dd.wanted()) return;
    for (Index stage = 0; stage < stages; ++stage) {
      const Index first = stage * documents_a_stage;
      ticket.wait_for(stage);
      each_pair(first, std::min(m, first + documents_a_stage),
                [&](Index row, Index token, S slope) {
                  loops.add_scaled(q.depth, slope, q.row(row), dd.data + token * d.stride);
                });
      ticket.leave(stage);
    }
  }

  double* sums_of(const Memory& mine, const Panel& panel, Index i) const {
    return mine.sums + (i - panel.first_query) * documents_.count();
  }

  /// Calls body(row, best, token) for the tokens of query i.
  template <class Body>
  void each_token(const Memory& mine, const Panel& panel, Index i, const Body& body) const {
    for (Index row = queries_.first(i); row < queries_.end(i); ++row) {
      const Index at = (row - panel.first_token) * documents_.count();
      body(row, mine.best + at, mine.token + at);
    }
  }

  Call<S>& call_;
  Scratch& scratch_;
  double temperature_;
  const TokenSets& queries_;
  const TokenSets& documents_;
  MaxSimRow* rows_;
  PackedRows<S> query_rows_;
  PanelProducts<S> products_;
};

template <class S>
TemperatureResult evaluate(const MaxSimInfoNceOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs, const TokenOffsets& offsets) {
  const TokenSets queries(offsets.queries);
  const TokenSets documents(offsets.documents);
  queries.check("query_offsets", inputs.rows[0].rows());
  documents.check("document_offsets", inputs.rows[1].rows());
  const Index n = queries.count();
  const Index m = documents.count();
  if (m < n) {
    fail_argument("documents", "a document for each of " + std::to_string(n) + " queries",
                  std::to_string(m) + " documents");
  }
  for (Index k = 0; k < m; ++k) {
    if (documents.size(k) > 0) continue;
    fail_argument("document_offsets", "at least one token for each document",
                  "none for document " + std::to_string(k));
  }
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"queries", inputs.rows[0], inputs.gradients[0]});
  call.add(Side::key, {"documents", inputs.rows[1], inputs.gradients[1]});
  call.check(n);
  refuse_unusable(options.unusable_anchors, m == 1 ? n : 0, "without a negative");
  call.pack();

  MaxSimPass<S> pass(call, options, queries, documents);
  if (n > 0) pass.run();
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  const auto value_of = [&](Index i) { return pass[i].value; };
  count_terms(
      n, value_of, [&](Index) { return m - 1; }, d);
  double moments = 0;
  for (Index i = 0; i < n; ++i) {
    d.smallest_score = std::min(d.smallest_score, pass[i].smallest);
    d.largest_score = std::max(d.largest_score, pass[i].largest);
    moments += pass[i].temperature;
  }
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return result;
  result.d_temperature =
      checked_derivative("d_temperature", -call.scale(d) * moments / options.temperature);
  call.scatter(call.scale(d));
  return result;
}

}  // namespace nearfar::detail
