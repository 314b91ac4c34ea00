#pragma once

#include "nearfar/loops/impl/exponential.hpp"
#include "nearfar/loops/impl/scores.hpp"
#include "nearfar/loops/softmax.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

// Differences first, then the temperature: large scores would lose digits in the quotient.

template <class S>
double exponential_sum(Index n, const S* s, int sign, S best, S rate) {
  ElementSum<S> sum;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    sum += exp_scaled(nearness<T>(sign, s + j) - spread<T>(best), rate);
  });
  return sum.total();
}

template <class S>
ExponentialSums<S> exponentiate(Index n, S* s, S best, S rate) {
  ElementSum<S> sum;
  ElementSum<S> moment;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T below = load<T>(s + j) - spread<T>(best);
    const T e = exp_scaled(below, rate);
    store(s + j, e);
    sum += e;
    moment += e * below;
  });
  return {sum.total(), moment.total()};
}

template <class S>
double softmax_gradient(Index n, const S* s, int sign, S best, S rate, S factor, S from, S* g) {
  ElementSum<S> moment;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T out = exp_scaled(nearness<T>(sign, s + j) - spread<T>(best), rate) * spread<T>(factor);
    moment += out * (load<T>(s + j) - spread<T>(from));
    store(g + j, out);
  });
  return moment.total();
}

template <class S>
double moment(Index n, const S* g, const S* s, S from) {
  ElementSum<S> sum;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    sum += load<T>(g + j) * (load<T>(s + j) - spread<T>(from));
  });
  return sum.total();
}

template <class S>
Index replace_above(Index n, const S* by, int sign, S threshold, S value, S* s) {
  ElementSum<S> count;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T limit = spread<T>(threshold);
    const T near = nearness<T>(sign, by + j);
    count += select_less(limit, near, constant<T>(1), constant<T>(0));
    store(s + j, select_less(limit, near, spread<T>(value), load<T>(s + j)));
  });
  return static_cast<Index>(count.total());
}

template <class S>
PositiveSums<S> sums_with_positives(Index n, const S* s, int sign, const PositiveMask<S>& positives,
                                    S best, S rate) {
  ElementSum<S> of_negatives;
  ElementSum<S> of_positives;
  ElementSum<S> scores;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T near = nearness<T>(sign, s + j);
    const T e = exp_scaled(near - spread<T>(best), rate);
    of_negatives += if_negative(positives, j, e, zero);
    of_positives += if_positive(positives, j, e, zero);
    scores += if_positive(positives, j, near, zero);
  });
  return {of_negatives.total(), of_positives.total(), scores.total()};
}

template <class S>
S largest_positive(Index n, const S* s, int sign, const PositiveMask<S>& positives) {
  constexpr S least = std::numeric_limits<S>::lowest();
  constexpr auto lowest = static_cast<double>(least);
  ElementMax<S> best;
  best.see(S(least));
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    best.see(if_positive(positives, j, nearness<T>(sign, s + j), constant<T>(lowest)));
  });
  return best.value();
}

template <class S>
double positive_sum(Index n, const S* s, int sign, const PositiveMask<S>& positives, S best,
                    S rate) {
  ElementSum<S> sum;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T top = spread<T>(best);
    const T e = exp_scaled(if_positive(positives, j, nearness<T>(sign, s + j), top) - top, rate);
    sum += if_positive(positives, j, e, constant<T>(0));
  });
  return sum.total();
}

template <class S>
double gradient_with_positives(Index n, const S* s, int sign, const PositiveMask<S>& positives,
                               S rate, const SoftmaxShares<S>& shares, S* g) {
  ElementSum<S> moment;
  each_element<S>(n, [&]<class T>(Index j) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T near = nearness<T>(sign, s + j);
    const T top =
        if_positive(positives, j, spread<T>(shares.best_positive), spread<T>(shares.best));
    const T factor =
        if_positive(positives, j, spread<T>(shares.of_positives), spread<T>(shares.of_negatives));
    const T out = exp_scaled(near - top, rate) * factor -
                  if_positive(positives, j, spread<T>(shares.share), zero);
    moment += out * (near - spread<T>(shares.from));
    store(g + j, out);
  });
  return moment.total();
}

/// Number of vectors of columns whose sums are in registers together.
inline constexpr int tile_vectors = vector_registers >= 32 ? 4 : 2;

/// Calls body.operator()<vectors>(c) for groups of columns.
template <class S, class Body>
NEARFAR_ALWAYS_INLINE void each_column_group(Index columns, const Body& body) {
  constexpr Index lanes = Vec<S>::lanes;
  Index c = 0;
  for (; c + tile_vectors * lanes <= columns; c += tile_vectors * lanes) {
    body.template operator()<tile_vectors>(c);
  }
  for (; c < columns; c += lanes) body.template operator()<1>(c);
}

/// Codes of a group's columns; padding has a code that no row has.
template <int vectors, class S>
NEARFAR_ALWAYS_INLINE void load_codes(const TileCodes<S>& codes, Index columns, Index c,
                                      Vec<S>* out) {
  using V = Vec<S>;
  for (int v = 0; v < vectors; ++v) {
    const Index first = c + v * V::lanes;
    const Index left = columns - first;
    if (left >= V::lanes) {
      out[v] = V::load(codes.columns + first);
      continue;
    }
    S last[V::lanes];
    for (Index l = 0; l < V::lanes; ++l) {
      last[l] = l < left ? codes.columns[first + l] : S(-1);  // codes are not negative
    }
    out[v] = V::load(last);
  }
}

/// `shared` if the codes are equal and the score is that of a pair, else 0.
template <class S>
NEARFAR_ALWAYS_INLINE Vec<S> if_same(Vec<S> row, Vec<S> column, Vec<S> score, Vec<S> shared) {
  const Vec<S> nowhere = Vec<S>::broadcast(left_out<S> / 2);
  const Vec<S> zero = Vec<S>::zero();
  return select_equal(row, column, select_less(score, nowhere, zero, shared), zero);
}

template <int vectors, bool coded, class S>
NEARFAR_ALWAYS_INLINE void sum_group(const ScoreTile<S>& tile, S reference, S rate,
                                     const TileCodes<S>& codes, const TileSums<S>& out, Index c) {
  using V = Vec<S>;
  const V top = V::broadcast(reference);
  const V zero = V::zero();
  V sum[vectors];
  V positive[vectors];
  V code[vectors];
  for (int v = 0; v < vectors; ++v) sum[v] = positive[v] = zero;
  if constexpr (coded) load_codes<vectors>(codes, tile.columns, c, code);
  S* const row_lanes = out.lanes;
  S* const positive_lanes = out.lanes + tile.count * V::lanes;
  for (Index r = 0; r < tile.count; ++r) {
    const S* s = tile.data + r * tile.stride + c;
    V own = zero;
    if constexpr (coded) own = V::broadcast(codes.rows[r]);
    V in_row = V::load(row_lanes + r * V::lanes);
    V positive_in_row = zero;
    unrolled<vectors>([&](auto v) NEARFAR_LAMBDA_INLINE {
      const V at = V::load(s + v * V::lanes);
      const V e = exp_scaled(at - top, rate);
      sum[v] = sum[v] + e;
      in_row = in_row + e;
      if constexpr (coded) {
        const V counted = if_same(own, code[v], at, at);
        positive[v] = positive[v] + counted;
        positive_in_row = positive_in_row + counted;
      }
    });
    in_row.store(row_lanes + r * V::lanes);
    if constexpr (coded) {
      S* const to = positive_lanes + r * V::lanes;
      (V::load(to) + positive_in_row).store(to);
    }
  }
  for (int v = 0; v < vectors; ++v) {
    sum[v].store(out.columns + c + v * V::lanes);
    if constexpr (coded) positive[v].store(out.column_positives + c + v * V::lanes);
  }
}

template <bool coded, class S>
void tile_sums_of(const ScoreTile<S>& tile, S reference, S rate, const TileCodes<S>& codes,
                  const TileSums<S>& out) {
  using V = Vec<S>;
  const Index size = tile.count * V::lanes;
  for (Index k = 0; k < (coded ? 2 : 1) * size; ++k) out.lanes[k] = S(0);
  each_column_group<S>(tile.columns, [&]<int vectors>(Index c) NEARFAR_LAMBDA_INLINE {
    sum_group<vectors, coded>(tile, reference, rate, codes, out, c);
  });
  for (Index r = 0; r < tile.count; ++r) {
    out.rows[r] = V::load(out.lanes + r * V::lanes).sum();
    if constexpr (coded) {
      out.row_positives[r] = V::load(out.lanes + size + r * V::lanes).sum();
    }
  }
}

template <class S>
void tile_sums(const ScoreTile<S>& tile, S reference, S rate, const TileCodes<S>& codes,
               const TileSums<S>& out) {
  if (codes.rows != nullptr) {
    tile_sums_of<true>(tile, reference, rate, codes, out);
  } else {
    tile_sums_of<false>(tile, reference, rate, codes, out);
  }
}

/// Prefetches a group of columns 16 rows below row r; where the tile ends, those of the next group.
/// Kept scores have left the nearer caches, and the next row lies in another page, where hardware
/// does not look ahead.
template <int vectors, class S>
NEARFAR_ALWAYS_INLINE void fetch_ahead(const ScoreTile<S>& tile, Index r, Index c) {
  constexpr Index ahead = 16;
  constexpr Index width = vectors * Vec<S>::lanes;
  constexpr Index line = 64 / Index(sizeof(S));
  if (r + ahead >= tile.count) {
    r -= tile.count;
    c += width;
    if (r + ahead >= tile.count || c + width > tile.columns) return;
  }
  const S* next = tile.data + (r + ahead) * tile.stride + c;
  for (Index k = 0; k < width; k += line) fetch(next + k);
}

template <int vectors, bool coded, class S>
NEARFAR_ALWAYS_INLINE double weigh_group(const ScoreTile<S>& tile, S reference, S rate,
                                         const TileCodes<S>& codes, const TileFactors<S>& rows,
                                         const TileFactors<S>& columns, Index c) {
  using V = Vec<S>;
  const V top = V::broadcast(reference);
  const V zero = V::zero();
  V factor[vectors];
  V from[vectors];
  V share[vectors];
  V code[vectors];
  for (int v = 0; v < vectors; ++v) {
    factor[v] = V::load(columns.factors + c + v * V::lanes);
    from[v] = V::load(columns.references + c + v * V::lanes);
    if constexpr (coded) share[v] = V::load(columns.shares + c + v * V::lanes);
  }
  if constexpr (coded) load_codes<vectors>(codes, tile.columns, c, code);
  V sum = zero;
  for (Index r = 0; r < tile.count; ++r) {
    S* const s = tile.data + r * tile.stride + c;
    fetch_ahead<vectors>(tile, r, c);
    const V row_factor = V::broadcast(rows.factors[r]);
    const V row_from = V::broadcast(rows.references[r]);
    V own = zero;
    V row_share = zero;
    if constexpr (coded) {
      own = V::broadcast(codes.rows[r]);
      row_share = V::broadcast(rows.shares[r]);
    }
    unrolled<vectors>([&](auto v) NEARFAR_LAMBDA_INLINE {
      const V at = V::load(s + v * V::lanes);
      const V e = exp_scaled(at - top, rate);
      V of_row = e * row_factor;
      V of_column = e * factor[v];
      if constexpr (coded) {
        of_row = of_row - if_same(own, code[v], at, row_share);
        of_column = of_column - if_same(own, code[v], at, share[v]);
      }
      // Differences first: moments are sums of small numbers, not small sums of large ones.
      sum = multiply_add(of_row, at - row_from, sum);
      sum = multiply_add(of_column, at - from[v], sum);
      (of_row + of_column).store(s + v * V::lanes);
    });
  }
  return static_cast<double>(sum.sum());
}

template <bool coded, class S>
double tile_weights_of(const ScoreTile<S>& tile, S reference, S rate, const TileCodes<S>& codes,
                       const TileFactors<S>& rows, const TileFactors<S>& columns) {
  double moment = 0;
  each_column_group<S>(tile.columns, [&]<int vectors>(Index c) NEARFAR_LAMBDA_INLINE {
    moment += weigh_group<vectors, coded>(tile, reference, rate, codes, rows, columns, c);
  });
  return moment;
}

template <class S>
double tile_weights(const ScoreTile<S>& tile, S reference, S rate, const TileCodes<S>& codes,
                    const TileFactors<S>& rows, const TileFactors<S>& columns) {
  return codes.rows != nullptr
             ? tile_weights_of<true>(tile, reference, rate, codes, rows, columns)
             : tile_weights_of<false>(tile, reference, rate, codes, rows, columns);
}

template <class S>
void tile_factors(Index n, Index padded, S reference, S rate, const SideNumbers<S>& side,
                  const TileFactors<S>& out) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T below = spread<T>(reference) - load<T>(side.top + k);
    const T factor = exp_scaled(below, rate) * load<T>(side.factor + k);
    const T from = load<T>(side.reference + k);
    store(out.factors + k, factor);
    store(out.references + k, from);
    if (side.share != nullptr) store(out.shares + k, load<T>(side.share + k));
  });
  for (Index k = n; k < padded; ++k) {
    out.factors[k] = out.references[k] = S(0);
    if (side.share != nullptr) out.shares[k] = S(0);
  }
}

template <class S>
inline constexpr SoftmaxLoops<S> softmax_loops_here = {
    .exponential_sum = &exponential_sum<S>,
    .exponentiate = &exponentiate<S>,
    .gradient = &softmax_gradient<S>,
    .moment = &moment<S>,
    .replace_above = &replace_above<S>,
    .sums_with_positives = &sums_with_positives<S>,
    .largest_positive = &largest_positive<S>,
    .positive_sum = &positive_sum<S>,
    .gradient_with_positives = &gradient_with_positives<S>,
    .tile_sums = &tile_sums<S>,
    .tile_weights = &tile_weights<S>,
    .tile_factors = &tile_factors<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const SoftmaxLoops<S>& softmax_loops() {
  return softmax_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
