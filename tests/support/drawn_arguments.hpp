#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "support/drawn_batches.hpp"
#include "support/named_arguments.hpp"

/// \file
/// Arguments of losses whose rows have no labels, drawn like the batches of drawn_batches.hpp, and
/// the options that depend on them.

namespace support {

/// Widths of rows, in turn.
inline Index width_of(std::uint64_t k) {
  constexpr Index widths[] = {1, 2, 3, 5, 8};
  return widths[k / kinds_of_batches % 5];
}

/// Sequences of batch k; of the kind of two rows there is one of two positions.
struct DrawnSequences {
  Index count = 1;
  Index length = 2;
  Index steps = 1;

  explicit DrawnSequences(std::uint64_t k) {
    if (k % kinds_of_batches == 3) return;
    Random random(8000 + k);
    count += random.below(4);
    length += random.below(4);
    steps += random.below(length - 1);
  }
};

/// What in-batch InfoNCE takes besides the pairs of batch k. With a guide false negatives are
/// dropped; without negatives of their own queries have no hard ones.
struct DrawnExtras {
  enum class Negatives { none, shared, as_many, some };

  Random random;
  Negatives negatives;
  bool guide;

  explicit DrawnExtras(std::uint64_t k)
      : random(11000 + k),
        negatives(static_cast<Negatives>(random.below(4))),
        guide(random.below(2) == 1) {}
  bool owned() const { return negatives >= Negatives::as_many; }
};

/// Options that depend on the rows, or that have more choices than a round for each.
template <class Options>
void fit_to_arguments(std::vector<Options>&, std::uint64_t) {}
inline void fit_to_arguments(std::vector<nearfar::CpcOptions>& all, std::uint64_t k) {
  const DrawnSequences sequences(k);
  for (nearfar::CpcOptions& o : all) {
    o.length = sequences.length;
    o.steps = sequences.steps;
  }
}
inline void fit_to_arguments(std::vector<nearfar::InBatchInfoNceOptions>& all, std::uint64_t k) {
  Random random(9000 + k);
  const DrawnExtras extras(k);
  for (nearfar::InBatchInfoNceOptions& o : all) {
    o.query_to_query = random.below(2) == 1;
    o.key_to_query = random.below(2) == 1;
    o.key_to_key = random.below(2) == 1;
    o.partition = static_cast<nearfar::Partition>(random.below(2));
    o.hardness_strength = 0.6;
    o.margin = random.below(2) == 1 ? 0.23 : -0.37;
    if (extras.guide && o.false_negatives == nearfar::FalseNegatives::keep) {
      o.false_negatives = nearfar::FalseNegatives::drop;
    }
    if (!extras.owned() && o.hardness == nearfar::Hardness::hard_negatives) {
      o.hardness = nearfar::Hardness::in_batch_negatives;
    }
  }
}

/// Options of MatryoshkaInfoNce for rows of batch k: the whole row and some of its prefixes, with
/// weights and without, by either denominator.
inline std::vector<nearfar::MatryoshkaOptions> drawn_prefixes(std::uint64_t k,
                                                              nearfar::Reduction reduction) {
  Random random(10000 + k);
  std::vector<nearfar::MatryoshkaOptions> out;
  for (const auto denominator :
       {nearfar::Denominator::with_positive, nearfar::Denominator::negatives_only}) {
    nearfar::MatryoshkaOptions o{
        .prefixes = {}, .temperature = 0.5, .denominator = denominator, .reduction = reduction};
    for (Index d = 1; d < width_of(k); ++d) {
      if (random.below(2) == 1) o.prefixes.push_back(d);
    }
    o.prefixes.push_back(width_of(k));
    if (random.below(2) == 1) {
      for (std::size_t p = 0; p < o.prefixes.size(); ++p) {
        o.weights.push_back(double(random.below(4)) / 2);
      }
    }
    out.push_back(o);
  }
  return out;
}

/// Offsets of sets of `least` to `least` + 2 rows each.
inline std::vector<Index> drawn_offsets(Random& random, Index sets, Index least) {
  std::vector<Index> out = {0};
  for (Index i = 0; i < sets; ++i) out.push_back(out.back() + least + random.below(3));
  return out;
}

/// `count` numbers in [-2, 0).
template <class T>
std::vector<T> drawn_logarithms(Random& random, Index count) {
  std::vector<T> out;
  for (Index i = 0; i < count; ++i) out.push_back(T(random.uniform() - 1));
  return out;
}

/// Adds them, with ids and sampling probabilities or without. `like_it(n, seed)` are rows.
template <class Like>
void add_extras(NamedArguments<double>& to, std::uint64_t k, const Like& like_it) {
  DrawnExtras extras(k);
  using Form = DrawnExtras::Negatives;
  Random& random = extras.random;
  const Index n = to.sets[0].rows();
  Index m = 0;
  if (extras.negatives != Form::none) {
    m = 1 + random.below(5);
    to.per_query = extras.negatives == Form::as_many;
    if (to.per_query) m = n * (1 + random.below(2));
    if (extras.negatives == Form::some) {
      to.offsets = drawn_offsets(random, n, 0);
      m = to.offsets.back();
    }
    to.add("third", like_it(m, 4000));
  }
  if (random.below(2) == 1) {
    to.ids = drawn_batch<double>(k, 1).labels;
    if (random.below(2) == 1) {
      for (Index j = 0; j < m; ++j) to.negative_ids.push_back(random.below(4));
    }
  }
  if (extras.guide) {
    for (const Index rows : {n, n, m}) {
      to.constants.push_back(random_rows<double>(rows, 3, random.bits()));
    }
  }
  if (random.below(2) == 1) {
    to.log_q = drawn_logarithms<double>(random, n);
    to.log_q_negatives = drawn_logarithms<double>(random, m);
  }
}

/// Arguments of a loss whose rows have no labels, of the rows of a drawn batch and others like
/// them: of one kind both sides are copies, of others some of their rows.
template <class Line>
NamedArguments<double> drawn_arguments(std::uint64_t k) {
  const std::uint64_t kind = k % kinds_of_batches;
  const Matrix<double> first = drawn_batch<double>(k, width_of(k)).x;
  const Index n = first.rows();
  const auto rows_of = [&](Index rows, Index cols, std::uint64_t seed) {
    Matrix<double> out = random_rows<double>(rows, cols, seed + k);
    if (kind == 5 || kind == 6) {
      for (Index i = 1; i < rows; i += 2) out.row(i) = out.row(i - 1);
    }
    if (kind == 7) {
      for (Index i = 0; i < rows; i += 4) out.row(i).setZero();
    }
    return out;
  };
  const auto like_it = [&](Index rows, std::uint64_t seed) {
    return rows_of(rows, first.cols(), seed);
  };
  constexpr Takes takes = Line::takes;
  NamedArguments<double> out;
  Random random(7000 + k);
  if constexpr (takes == Takes::sequences) {
    const DrawnSequences of(k);
    const Index cols = 1 + random.below(4);
    out.add("first", rows_of(of.count * of.length, first.cols(), 2000));
    out.add("second", rows_of(of.count * of.length, cols, 3000));
    out.add("third", rows_of(of.steps * cols, first.cols(), 4000));
    return out;
  }
  out.add("first", first);
  if (takes == Takes::one_set) return out;
  if (takes == Takes::slices) {
    out.constants = {like_it(1 + random.below(6), 5000)};
    return out;
  }
  if (takes == Takes::tokens) {
    // The last query may have more tokens, the first ones none.
    out.offsets = drawn_offsets(random, std::max<Index>(1, n / 2), 0);
    for (Index& offset : out.offsets) offset = std::min(offset, n);
    out.offsets.back() = n;
    const Index queries = Index(out.offsets.size()) - 1;
    out.document_offsets = drawn_offsets(random, queries + random.below(3), 1);
    Matrix<double> tokens = like_it(out.document_offsets.back(), 3000);
    if (kind == 1) {
      for (Index v = 0; v < tokens.rows(); ++v) tokens.row(v) = first.row(v % n);
    }
    out.add("second", tokens);
    return out;
  }
  const Index each = takes == Takes::scored_lists ? 3 : 1;
  const bool more_keys = takes == Takes::queries || std::is_same_v<Line, MatryoshkaLine>;
  const Index keys = n * each + (more_keys ? random.below(3) : 0);
  out.add("second", kind == 1 && keys == n ? first : like_it(keys, 3000));
  if (takes == Takes::triplets) out.add("third", like_it(n, 4000));
  if (takes == Takes::scored_triplets) out.add("third", like_it(2 * n, 4000));
  if (takes == Takes::predictions) out.constants = {like_it(n, 5000), like_it(n, 6000)};
  if (has_extras<Line>) add_extras(out, k, like_it);
  if (takes == Takes::noise || takes == Takes::negatives) {
    out.per_query = random.below(2) == 1;
    out.add("third", like_it((out.per_query ? n : 1) * (1 + random.below(4)), 4000));
  }
  if (takes == Takes::noise) {
    out.numbers = drawn_logarithms<double>(random, n);
    out.negatives_numbers = drawn_logarithms<double>(random, out.sets[2].rows());
  }
  if (takes == Takes::matched_pairs || takes == Takes::labels_or_pairs) {
    for (Index i = 0; i < n; ++i) out.same.push_back(random.below(2));
  }
  if (takes == Takes::scored_pairs || takes == Takes::scored_lists ||
      takes == Takes::scored_triplets) {
    for (Index i = 0; i < out.sets.back().rows(); ++i) {
      out.numbers.push_back(double(random.below(5)) / 4);
    }
  }
  return out;
}

}  // namespace support
