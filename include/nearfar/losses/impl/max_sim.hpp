#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <span>
#include <string>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/score_panel.hpp"
#include "nearfar/losses/max_sim.hpp"
#include "nearfar/terms/temperature_rows.hpp"

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

/// Throws unless both have offsets that fit, and there is a document for each query, none without
/// tokens.
inline void check_tokens(const TokenSets& queries, Index query_tokens, const TokenSets& documents,
                         Index document_tokens) {
  queries.check("query_offsets", query_tokens);
  documents.check("document_offsets", document_tokens);
  const Index m = documents.count();
  if (m < queries.count()) {
    fail_argument("documents",
                  "a document for each of " + std::to_string(queries.count()) + " queries",
                  std::to_string(m) + " documents");
  }
  for (Index k = 0; k < m; ++k) {
    if (documents.size(k) > 0) continue;
    fail_argument("document_offsets", "at least one token for each document",
                  "none for document " + std::to_string(k));
  }
}

/// Statistics of one query.
struct MaxSimRow {
  double value;
  double temperature;  ///< sum_m dL/dS_im S_im
  double smallest;     ///< of S_im
  double largest;
  double positive;   ///< S_ii
  double reference;  ///< the largest S_im of the other documents so far
  double others;     ///< the sum of exp((S_im - reference) / tau) over them
  double share;      ///< the softmax of the other documents together
  double moment;     ///< the sum of the softmax times S_im - S_ii
  Index negatives;
};

/// The softmax of each query over all documents, which come in blocks. Every query is started,
/// takes the scores of all blocks, and is closed; then the slopes of scores are known.
class MaxSimRows {
 public:
  /// Query i's positive is document first_positive + i of `documents`. `order_grid`: see
  /// Call::order_grid.
  MaxSimRows(Scratch& scratch, Index queries, Index first_positive, Index documents,
             Index order_grid, double temperature, const Upstream& upstream)
      : rows_(scratch.take<MaxSimRow>(queries)),
        count_(queries),
        first_positive_(first_positive),
        negatives_(documents - 1),
        // Sums of single documents have one order in blocks of any size.
        documents_a_sum_(order_grid == std::numeric_limits<Index>::max() ? order_grid : 1),
        temperature_(temperature),
        upstream_(upstream) {}

  const MaxSimRow& operator[](Index i) const { return rows_[i]; }
  Index count() const { return count_; }

  void start(Index i) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    rows_[i] = {0, 0, infinity, -infinity, 0, -infinity, 0, 0, 0, negatives_};
  }

  /// Takes scores of query i with `count` documents from number `first` on.
  void accumulate(Index i, Index first, Index count, const double* scores) {
    MaxSimRow& row = rows_[i];
    const auto [smallest, largest] = std::minmax_element(scores, scores + count);
    row.smallest = std::min(row.smallest, *smallest);
    row.largest = std::max(row.largest, *largest);
    // Apart from the sum over other documents, so that small values keep their digits.
    const Index own = first_positive_ + i - first;
    if (own >= 0 && own < count) row.positive = scores[own];
    for (Index k = 0; k < count;) {
      const Index end = k + std::min(documents_a_sum_, count - k);
      add(row, own, k, end, scores);
      k = end;
    }
  }

  void close(Index i) {
    MaxSimRow& row = rows_[i];
    // L = log(1 + exp(x)), x the others' log-sum-exp less the positive's logit.
    const double x = negatives_ > 0
                         ? portable::log(row.others) + (row.reference - row.positive) / temperature_
                         : -std::numeric_limits<double>::infinity();
    row.value = x > 0 ? x + portable::log1p(portable::exp(-x)) : portable::log1p(portable::exp(x));
    row.share = x > 0 ? 1 / (1 + portable::exp(-x)) : portable::exp(x) / (1 + portable::exp(x));
  }

  /// Scores of closed query i, as in `accumulate`, become derivatives dL/dS_im.
  void differentiate(Index i, Index first, Index count, double* scores) {
    MaxSimRow& row = rows_[i];
    const double factor = row_upstream(upstream_, i) / temperature_;
    const Index own = first_positive_ + i - first;
    for (Index k = 0; k < count; ++k) {
      if (k == own) {
        scores[k] = -factor * row.share;
        continue;
      }
      const double weight =
          portable::exp((scores[k] - row.reference) / temperature_) / row.others * row.share;
      row.moment += weight * (scores[k] - row.positive);
      scores[k] = factor * weight;
    }
    row.temperature = factor * row.moment;
  }

 private:
  /// Adds documents [first, end) to the sum over others than document `own`.
  void add(MaxSimRow& row, Index own, Index first, Index end, const double* scores) const {
    double reference = row.reference;
    for (Index k = first; k < end; ++k) {
      if (k != own) reference = std::max(reference, scores[k]);
    }
    if (reference > row.reference) {
      row.others *= portable::exp((row.reference - reference) / temperature_);
      row.reference = reference;
    }
    for (Index k = first; k < end; ++k) {
      if (k != own) row.others += portable::exp((scores[k] - row.reference) / temperature_);
    }
  }

  MaxSimRow* rows_;
  Index count_;
  Index first_positive_;
  Index negatives_;
  Index documents_a_sum_;
  double temperature_;
  const Upstream& upstream_;
};

/// Tokens of queries in panels of whole queries.
template <class S>
class QueryPanels {
 public:
  static constexpr Index height = 8 * panel_rows;  // tokens of a panel, unless one query has more

  struct Panel {
    Index first_query;
    Index end_query;
    Index first_token;
    Index end_token;
  };

  /// `rows` and the offsets of `sets` must outlive the object.
  QueryPanels(Scratch& scratch, int threads, const PackedRows<S>& rows, const TokenSets& sets)
      : sets_(sets), rows_(rows), first_(scratch.take<Index>(sets.count() + 1)) {
    first_[0] = 0;
    for (Index i = 0; i < sets.count(); ++i) {
      if (i > first_[count_] && sets.end(i) - sets.first(first_[count_]) > height) {
        first_[++count_] = i;
      }
      most_queries_ = std::max(most_queries_, i + 1 - first_[count_]);
      most_tokens_ = std::max(most_tokens_, sets.end(i) - sets.first(first_[count_]));
    }
    if (sets.count() > 0) first_[++count_] = sets.count();
    // Packed in their own order; a panel may begin with any row.
    auto* places = scratch.take<Index>(rows.rows);
    for (Index i = 0; i < rows.rows; ++i) places[i] = i;
    in_order_ = reordered(scratch, threads, rows, places);
  }

  Index count() const { return count_; }
  Index most_queries() const { return most_queries_; }
  Index most_tokens() const { return most_tokens_; }
  Panel operator[](Index t) const {
    return {first_[t], first_[t + 1], sets_.first(first_[t]), sets_.end(first_[t + 1] - 1)};
  }
  const TokenSets& sets() const { return sets_; }
  const PackedRows<S>& rows() const { return rows_; }
  /// The rows as factors of scores.
  const PackedRows<S>& in_order() const { return in_order_; }

 private:
  TokenSets sets_;
  const PackedRows<S>& rows_;
  PackedRows<S> in_order_;
  Index* first_;  ///< query of each panel
  Index count_ = 0;
  Index most_queries_ = 0;
  Index most_tokens_ = 0;
};

/// A pass over pairs of tokens of queries and of a block of documents. Threads take panels of
/// queries. For each tile of document tokens, a panel keeps the largest score of each query token
/// with each document. After the last tile it has the scores of its queries. Panels add to the
/// documents' gradient in a pipeline, a few documents at a time, so that every sum has one order.
template <class S>
class MaxSimPass {
 public:
  /// There is a document, and the first has number `first_document` among all. Arguments must
  /// outlive the object.
  MaxSimPass(Scratch& scratch, int threads, MaxSimRows& rows, const QueryPanels<S>& queries,
             const PackedRows<S>& tokens, const TokenSets& documents, Index first_document = 0)
      : scratch_(scratch),
        threads_(threads),
        rows_(rows),
        queries_(queries),
        tokens_(tokens),
        documents_(documents),
        first_document_(first_document),
        products_(scratch, threads, queries.in_order(), tokens) {}

  /// Takes the documents' scores into queries that are open.
  void accumulate() {
    RowGradients<S> none;
    run([&](Index i,
            double* scores) { rows_.accumulate(i, first_document_, documents_.count(), scores); },
        none, none);
  }

  /// Adds the gradients of queries that are closed; each may be not wanted.
  void gradient(RowGradients<S>& dq, RowGradients<S>& dd) {
    run(
        [&](Index i, double* scores) {
          rows_.differentiate(i, first_document_, documents_.count(), scores);
        },
        dq, dd);
  }

  /// Closes queries over these documents, which are all.
  void forward() {
    RowGradients<S> none;
    run([&](Index i, double* scores) { close(i, scores); }, none, none);
  }
  void forward_backward(RowGradients<S>& dq, RowGradients<S>& dd) {
    run(
        [&](Index i, double* scores) {
          close(i, scores);
          rows_.differentiate(i, first_document_, documents_.count(), scores);
        },
        dq, dd);
  }

 private:
  using Panel = typename QueryPanels<S>::Panel;
  static constexpr Index height = QueryPanels<S>::height;
  static constexpr Index documents_a_stage = 64;

  struct Memory {
    ScorePanel<S> tile;
    S* best;       ///< largest score of each token of the panel with each document
    Index* token;  ///< the document's token with that score
    double* sums;  ///< S_im of the panel's queries, or dL/dS_im
  };

  void close(Index i, const double* scores) {
    rows_.start(i);
    rows_.accumulate(i, first_document_, documents_.count(), scores);
    rows_.close(i);
  }

  /// use(i, scores of query i) for all queries; then the scores are slopes if a gradient is wanted.
  template <class Use>
  void run(const Use& use, RowGradients<S>& dq, RowGradients<S>& dd) {
    const Index m = documents_.count();
    const Index panels = queries_.count();
    const Index most_tokens = queries_.most_tokens();
    const Index bytes = most_tokens * m * Index(sizeof(S) + sizeof(Index)) +
                        queries_.most_queries() * m * Index(sizeof(double)) +
                        ScorePanel<S>::size(height, tile_width) * Index(sizeof(S));
    const int workers =
        panels_at_once(queries_.rows(), tokens_, bytes, std::min<Index>(threads_, panels));
    auto* memory = scratch_.template take<Memory>(workers);
    for (int k = 0; k < workers; ++k) {
      memory[k] = {{scratch_.template take<S>(ScorePanel<S>::size(height, tile_width)), height},
                   scratch_.template take<S>(most_tokens * m),
                   scratch_.template take<Index>(most_tokens * m),
                   scratch_.template take<double>(queries_.most_queries() * m)};
    }
    parallel_pipeline(panels, workers, scratch_.template take<Index>(panels),
                      [&](Index t, int worker, const Ticket& ticket) {
                        Memory& mine = memory[worker];
                        const Panel panel = queries_[t];
                        find_largest(mine, panel);
                        for (Index i = panel.first_query; i < panel.end_query; ++i) {
                          double* scores = sums_of(mine, panel, i);
                          add_up(mine, panel, i, scores);
                          use(i, scores);
                        }
                        add_gradients(mine, panel, ticket, dq, dd);
                      });
  }

  void find_largest(Memory& mine, const Panel& panel) const {
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

  /// The scores of query i with the documents.
  void add_up(const Memory& mine, const Panel& panel, Index i, double* scores) const {
    const Index m = documents_.count();
    std::fill_n(scores, m, 0.0);
    each_token(mine, panel, i, [&](Index, const S* best, const Index*) {
      for (Index k = 0; k < m; ++k) scores[k] += static_cast<double>(best[k]);
    });
  }

  void add_gradients(Memory& mine, const Panel& panel, const Ticket& ticket, RowGradients<S>& dq,
                     RowGradients<S>& dd) const {
    const RowLoops<S>& loops = row_loops<S>();
    const PackedRows<S>& q = queries_.rows();
    const PackedRows<S>& d = tokens_;
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
    const TokenSets& sets = queries_.sets();
    for (Index row = sets.first(i); row < sets.end(i); ++row) {
      const Index at = (row - panel.first_token) * documents_.count();
      body(row, mine.best + at, mine.token + at);
    }
  }

  Scratch& scratch_;
  int threads_;
  MaxSimRows& rows_;
  const QueryPanels<S>& queries_;
  const PackedRows<S>& tokens_;
  const TokenSets& documents_;
  Index first_document_;
  PanelProducts<S> products_;
};

/// The result of queries that are closed, in the frame of one process or of many.
template <class Frame>
TemperatureResult max_sim(const MaxSimInfoNceOptions& options, Frame& call,
                          const MaxSimRows& rows) {
  TemperatureResult result;
  Diagnostics& d = result.diagnostics;
  for (Index i = 0; i < rows.count(); ++i) {
    d.smallest_score = std::min(d.smallest_score, rows[i].smallest);
    d.largest_score = std::max(d.largest_score, rows[i].largest);
  }
  finish_rows(call, rows.count(), options.unusable_anchors, options.temperature, rows, result);
  return result;
}

template <class S>
TemperatureResult evaluate(const MaxSimInfoNceOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 2>& inputs, const TokenOffsets& offsets) {
  const TokenSets queries(offsets.queries);
  const TokenSets documents(offsets.documents);
  check_tokens(queries, inputs.rows[0].rows(), documents, inputs.rows[1].rows());
  const Index n = queries.count();
  Call<S> call(kernel, options.reduction, inputs);
  call.add(Side::query, {"queries", inputs.rows[0], inputs.gradients[0]});
  call.add(Side::key, {"documents", inputs.rows[1], inputs.gradients[1]});
  call.check(n);
  call.pack();

  Scratch& scratch = call.scratch();
  MaxSimRows rows(scratch, n, 0, documents.count(), call.order_grid(), options.temperature,
                  call.upstream());
  if (n > 0) {
    const QueryPanels<S> panels(scratch, call.threads(), call.rows(0), queries);
    MaxSimPass<S> pass(scratch, call.threads(), rows, panels, call.rows(1), documents);
    if (call.wants_gradients()) {
      pass.forward_backward(call.gradients(0), call.gradients(1));
    } else {
      pass.forward();
    }
  }
  return max_sim(options, call, rows);
}

}  // namespace nearfar::detail
