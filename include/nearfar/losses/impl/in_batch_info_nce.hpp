#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>

#include "nearfar/core/check_targets.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/joint_pass.hpp"
#include "nearfar/engine/paired_rows.hpp"
#include "nearfar/losses/in_batch_info_nce.hpp"
#include "nearfar/terms/in_batch_term.hpp"
#include "nearfar/terms/temperature_rows.hpp"

namespace nearfar::detail {

// What one process and many have in common.

/// Throws unless extras other than a guide fit n pairs.
template <class S>
void check_extras(const InBatchInfoNceOptions& options, const InBatchExtras<S>& extras, Index n) {
  const Index m = extras.negatives.rows().rows();
  extras.negatives.check_count("negatives", n);
  check_ids_alone({"targets", extras.targets}, n);
  refuse_unlabelled({"targets", extras.targets}, "ids of pairs that all take part");
  if (options.hardness == Hardness::hard_negatives && m > 0 && extras.negatives.shared()) {
    fail_argument("negatives", "per_query(negatives) for Hardness::hard_negatives",
                  "negatives that belong to no query");
  }
  const auto check_log_q = [](const char* name, const Numbers<double>& numbers, Index rows) {
    if (numbers.size() > 0) check_numbers(name, numbers, rows);
  };
  check_log_q("log_q", extras.log_q, n);
  check_log_q("log_q_negatives", extras.log_q_negatives, m);
  if (m > 0 && n > 0 && (extras.log_q.size() > 0) != (extras.log_q_negatives.size() > 0)) {
    fail_argument("log_q", "probabilities of keys and of negatives, or none",
                  "those of one of them");
  }
}

/// The numbers that log_q adds to scores; null without log_q.
template <class S>
S* score_shifts(Scratch& scratch, const InBatchInfoNceOptions& options, int sign, const char* name,
                const Numbers<double>& log_q) {
  if (log_q.size() == 0) return nullptr;
  S* out = scratch.take<S>(log_q.size());
  for (Index j = 0; j < log_q.size(); ++j) {
    const double shift = -sign * options.temperature * log_q[j];
    check_offset<S>(name, shift);
    out[j] = static_cast<S>(shift);
  }
  return out;
}

/// Writes the nearness above which a negative of each query is left out. `decisive` are the scores
/// of positives, or a guide's.
template <class S>
void find_thresholds(const InBatchInfoNceOptions& options, int sign, Index n, const S* decisive,
                     S* out) {
  const bool relative = options.false_negatives == FalseNegatives::drop_relative;
  for (Index i = 0; i < n; ++i) {
    const double own = sign * static_cast<double>(decisive[i]);
    out[i] = saturated<S>(own - options.margin * (relative ? std::abs(own) : 1));
  }
}

template <class S>
InBatchSettings<S> in_batch_settings(const InBatchInfoNceOptions& options, int sign,
                                     const S* positives, const S* shifts, const S* thresholds) {
  return {.sign = sign,
          .temperature = options.temperature,
          .joint = options.partition == Partition::joint,
          .used = {true, options.query_to_query, options.key_to_query, options.key_to_key},
          .hardness = 1 + options.hardness_strength * options.temperature,
          .positive = positives,
          .shift = shifts,
          .threshold = thresholds};
}

/// The hard ones among the scores of queries with keys.
inline HardScores hard_among_keys(Hardness hardness) {
  return hardness == Hardness::in_batch_negatives || hardness == Hardness::all_negatives
             ? HardScores::all
             : HardScores::none;
}

/// The same with negatives, which may belong to one query each.
inline HardScores hard_among_negatives(Hardness hardness, bool have_owners) {
  switch (hardness) {
    case Hardness::none:
      return HardScores::none;
    case Hardness::in_batch_negatives:
      return have_owners ? HardScores::others : HardScores::all;
    case Hardness::hard_negatives:
      return HardScores::own;
    case Hardness::all_negatives:
      return HardScores::all;
  }
  return HardScores::none;
}

/// One call of InBatchInfoNce. Sets of rows: queries, keys, negatives.
template <class S>
class InBatchCall {
 public:
  InBatchCall(const InBatchInfoNceOptions& options, const KernelValue<S>& kernel,
              const Inputs<S, 3>& inputs, const InBatchExtras<S>& extras)
      : options_(options),
        extras_(extras),
        call_(kernel, options.reduction, inputs),
        n_(inputs.rows[0].rows()),
        m_(inputs.rows[2].rows()) {
    call_.add(Side::query, {"queries", inputs.rows[0], inputs.gradients[0]});
    call_.add(Side::key, {"keys", inputs.rows[1], inputs.gradients[1]});
    if (inputs.rows[1].rows() != n_) {
      fail_argument("keys", "one key for each of " + std::to_string(n_) + " queries",
                    std::to_string(inputs.rows[1].rows()) + " keys");
    }
    call_.add_optional(Side::key, {"negatives", inputs.rows[2], inputs.gradients[2]});
    check_extras(options_, extras_, n_);
    call_.check(n_);
    check_guide();
    if (extras_.targets.has_ids()) call_.leave_out(extras_.targets.ids(), extras_.targets.ids());
    excluded_negatives_ = excluded_by_ids(scratch(), extras_.negatives);
    shift_ = shifts("log_q", extras_.log_q);
    shift_of_negatives_ = shifts("log_q_negatives", extras_.log_q_negatives);
    call_.pack();
    check_own_products();
  }

  TemperatureResult run() {
    const KernelValue<S>& kernel = call_.kernel();
    TemperatureResult result;
    Diagnostics& d = result.diagnostics;
    const PairedScores<S> positives(scratch(), n_);
    paired_scores(call_.threads(), kernel, call_.rows(0), call_.rows(1), positives);
    fold_scores(kernel, n_, positives.s, d);

    make_blocks();
    InBatchTerm<S> term(
        scratch(), n_,
        in_batch_settings(options_, kernel.sign(), positives.s, shift_, thresholds(positives.s)),
        std::span<const InBatchBlock<S>>(terms_.data(), count_), call_.upstream());
    JointPass<S> pass(scratch(), call_.threads(), std::span<JointBlock<S>>(blocks_.data(), count_));
    if (call_.wants_gradients()) {
      pass.forward_backward(term, d);
      add_gradients_of_queries();
      for (Index i = 0; i < n_; ++i) positives.g[i] = static_cast<S>(term[i].slope);
      add_paired_gradients(call_.threads(), kernel, call_.rows(0), call_.rows(1), positives,
                           call_.gradients(0), call_.gradients(1));
    } else {
      pass.forward(term, d);
    }
    for (Index i = 0; i < n_; ++i) d.false_negatives += term[i].dropped;
    finish_rows(call_, options_.unusable_anchors, options_.temperature, term, result);
    return result;
  }

 private:
  static constexpr std::size_t most_blocks = 6;
  static constexpr const char* guide_names[] = {"guide_queries", "guide_keys", "guide_negatives"};

  Scratch& scratch() { return call_.scratch(); }
  const Rows<S>& guide(int set) const {
    return set == 0   ? extras_.guide_queries
           : set == 1 ? extras_.guide_keys
                      : extras_.guide_negatives;
  }
  bool has_guide() const {
    return extras_.guide_queries.rows() > 0 || extras_.guide_keys.rows() > 0 ||
           extras_.guide_negatives.rows() > 0;
  }
  bool drops() const { return options_.false_negatives != FalseNegatives::keep; }

  void check_guide() const {
    if (!has_guide()) return;
    if (!drops()) {
      fail_argument("guide_queries", "no guide with FalseNegatives::keep", "a guide");
    }
    const Index cols = guide(0).cols();
    for (int set = 0; set < 3; ++set) {
      const Index rows = set < 2 ? n_ : m_;
      if (guide(set).rows() != rows || (rows > 0 && guide(set).cols() != cols)) {
        fail_shape(guide_names[set], rows, cols, guide(set).rows(), guide(set).cols());
      }
      check_finite(guide_names[set], guide(set), call_.threads());
    }
    if (n_ > 0 && cols == 0) {
      fail_argument(guide_names[0], "rows of at least one element", "0 columns");
    }
  }

  /// Checks the products of sets with themselves, and of keys with negatives.
  void check_own_products() {
    if (call_.kernel().geometry != Geometry::inner_product) return;
    const auto check = [&](const char* name, int a, const char* other, int b) {
      check_products<S>(name, call_.rows(a).largest_norm, other, call_.rows(b).largest_norm);
    };
    if (options_.query_to_query) check("queries", 0, "queries", 0);
    if (!options_.key_to_key) return;
    check("keys", 1, "keys", 1);
    if (m_ > 0) check("keys", 1, "negatives", 2);
  }

  const S* shifts(const char* name, const Numbers<double>& log_q) {
    return score_shifts<S>(scratch(), options_, call_.kernel().sign(), name, log_q);
  }

  /// Those of find_thresholds; null if no negative is left out.
  S* thresholds(const S* scores) {
    if (!drops()) return nullptr;
    S* out = scratch().template take<S>(n_);
    if (has_guide()) {
      const PairedScores<S> cosines(scratch(), n_);
      paired_scores(call_.threads(), cosine_, guides_[0], guides_[1], cosines);
      find_thresholds(options_, 1, n_, cosines.s, out);
    } else {
      find_thresholds(options_, call_.kernel().sign(), n_, scores, out);
    }
    return out;
  }

  /// Gradients of a set as queries of blocks, apart from those of the same rows as keys, because
  /// panels add to both.
  RowGradients<S> take_own(int set) {
    return call_.gradients(set).wanted() ? take_gradients(scratch(), call_.rows(set))
                                         : RowGradients<S>();
  }

  void make_blocks() {
    if (has_guide()) {
      for (int set = 0; set < 3; ++set) {
        guides_[static_cast<std::size_t>(set)] = pack(
            scratch(), call_.threads(), cosine_, guide(set), false, static_cast<const S*>(nullptr));
      }
    }
    if (call_.wants_gradients()) {
      of_queries_[0] = take_own(0);
      if (options_.key_to_query || options_.key_to_key) of_queries_[1] = take_own(1);
    }
    const OwnColumns owned = own_negatives();
    // Hard negatives belong to queries.
    const HardScores hard = hard_among_negatives(options_.hardness, owned.any());
    using enum Direction;
    add_block(0, 1, {query_to_key, hard_among_keys(options_.hardness), {}, shift_});
    if (m_ > 0) {
      add_block(0, 2, {query_to_key, hard, owned, shift_of_negatives_});
    }
    if (options_.query_to_query) add_block(0, 0, {query_to_query, HardScores::none, {}, nullptr});
    if (options_.key_to_query) add_block(1, 0, {key_to_query, HardScores::none, {}, nullptr});
    if (options_.key_to_key) {
      add_block(1, 1, {key_to_key, HardScores::none, {}, shift_});
      if (m_ > 0) add_block(1, 2, {key_to_key, HardScores::none, {}, shift_of_negatives_});
    }
  }

  /// The columns of the negatives that belong to each query.
  OwnColumns own_negatives() const {
    return extras_.negatives.shared() ? OwnColumns() : own_columns(extras_.negatives, n_);
  }

  void add_block(int of, int with, const InBatchBlock<S>& term) {
    terms_[count_] = term;
    PairMask mask;
    mask.pairing = with < 2 ? Pairing::others : Pairing::all;
    mask.excluded = with < 2 ? call_.excluded() : excluded_negatives_;
    if (of == 1 && with == 2) mask.without = own_negatives();
    const auto tiles = [&](std::optional<ScoreTiles<S>>& place, const KernelValue<S>& kernel,
                           const PackedRows<S>& queries, const PackedRows<S>& keys) {
      place.emplace(scratch(), call_.threads(), kernel, queries, keys, mask);
      return &*place;
    };
    JointBlock<S>& block = blocks_[count_];
    block.scores = tiles(scores_[count_], call_.kernel(), call_.rows(of), call_.rows(with));
    if (has_guide()) {
      block.guide = tiles(guide_scores_[count_], cosine_, guides_[static_cast<std::size_t>(of)],
                          guides_[static_cast<std::size_t>(with)]);
    }
    if (call_.wants_gradients()) {
      block.d_queries = of_queries_[static_cast<std::size_t>(of)];
      block.d_keys = call_.gradients(with);
    }
    ++count_;
  }

  void add_gradients_of_queries() {
    for (int set = 0; set < 2; ++set) {
      const RowGradients<S>& from = of_queries_[static_cast<std::size_t>(set)];
      if (!from.wanted()) continue;
      add_gradients(call_.threads(), call_.rows(set), from, call_.gradients(set));
    }
  }

  const InBatchInfoNceOptions& options_;
  const InBatchExtras<S>& extras_;
  Call<S> call_;
  Index n_;
  Index m_;
  ExcludedPairs excluded_negatives_;
  const S* shift_ = nullptr;               ///< of keys, from log_q
  const S* shift_of_negatives_ = nullptr;  ///< of negatives, from log_q
  KernelValue<S> cosine_ = kernel_value<S>(Cosine());
  std::array<PackedRows<S>, 3> guides_;
  std::array<RowGradients<S>, 2> of_queries_;
  std::array<std::optional<ScoreTiles<S>>, most_blocks> scores_;
  std::array<std::optional<ScoreTiles<S>>, most_blocks> guide_scores_;
  std::array<JointBlock<S>, most_blocks> blocks_;
  std::array<InBatchBlock<S>, most_blocks> terms_;
  std::size_t count_ = 0;
};

template <class S>
TemperatureResult evaluate(const InBatchInfoNceOptions& options, const KernelValue<S>& kernel,
                           const Inputs<S, 3>& inputs, const InBatchExtras<S>& extras) {
  return InBatchCall<S>(options, kernel, inputs, extras).run();
}

}  // namespace nearfar::detail
