#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <type_traits>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/bfloat16_rows.hpp"
#include "nearfar/engine/stored_rows.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/loops/products.hpp"

/// \file
/// Rows as a score pass takes them, and the way back of their gradients: centring, the kernel's
/// matrix and norms on the way in, the chain rule of all three on the way out.

namespace nearfar::detail {

/// The buffer into which a thread reads the first or the second row of a difference.
struct PlainRow {
  int thread;
  bool second = false;

  Index number() const { return 2 * Index(thread) + (second ? 1 : 0); }
};

/// Rows mapped, centred or normalised, padded with zeros to whole vectors and whole row panels.
template <class S>
struct PackedRows {
  Rows<S> input;                  ///< what the caller passed
  Rows<S> below;                  ///< those below, if they are of two sets
  const Index* places = nullptr;  ///< the row of the input that each row is; null: in order
  Index rows = 0;
  Index depth = 0;  ///< elements of a packed row
  Index stride = 0;
  S* data = nullptr;               ///< rows (padded to a whole panel) x stride
  double* squared_norm = nullptr;  ///< squared_distance: |row|^2
  double* inverse_norm = nullptr;  ///< cosine: 1 / |row before normalising|, 0 for a zero row
  double largest_norm = 0;         ///< of the rows; 0 for cosine
  bool finite = true;              ///< false if a row that was normalised is not finite
  bool mapped = false;             ///< whether the kernel's matrix maps any rows of the call
  const S* centred = nullptr;      ///< with a matrix: the rows before mapping, `stride` below
  Index centred_stride = 0;
  const S* matrix = nullptr;      ///< packed, if it maps both rows of a distance
  S* differences = nullptr;       ///< with `matrix`: see RowDifferences
  S* buffers = nullptr;           ///< distances of an input in 16 bits: two rows a thread
  Bfloat16Rows in_bfloat16 = {};  ///< the same rows, if the call's products are of bfloat16

  const S* row(Index i) const { return data + i * stride; }

  /// Whether a difference of packed rows is the kernel's matrix times that of the caller's rows.
  bool maps_differences() const { return matrix != nullptr; }

  /// Row i as differences are taken of it: as the caller passed it, since centring and mapping
  /// round; as packed if the matrix maps one side only. Rows in 16 bits are read into `buffer`: a
  /// thread's first or second one, which holds them until it is read into again.
  const S* plain_row(Index i, PlainRow buffer) const {
    return plain_part(i, 0, input.cols(), buffer);
  }
  /// Its elements k .. k + n - 1.
  const S* plain_part(Index i, Index k, Index n, PlainRow buffer) const {
    if (mapped && !maps_differences()) return row(i) + k;
    return read_part(input, places != nullptr ? places[i] : i, k, n,
                     buffers != nullptr ? buffers + buffer.number() * input.cols() : nullptr);
  }
};

/// v within what S can hold.
template <class S>
S saturated(double v) {
  constexpr auto most = static_cast<double>(std::numeric_limits<S>::max());
  return static_cast<S>(std::clamp(v, -most, most));
}

/// |x|^2 = unit^2 sum, without overflow or underflow on the way.
struct SquaredNorm {
  double unit;
  double sum;

  double root() const { return unit * std::sqrt(sum); }
  /// Infinite where it does not fit a double.
  double value() const { return unit * unit * sum; }
};

template <class S>
SquaredNorm squared_norm(Index n, const S* x) {
  const RowLoops<S>& loops = row_loops<S>();
  double sum = loops.dot_in_double(n, x, x);
  // A double has the square of any float. Squares of doubles that neither overflowed nor lost
  // digits that count have such a sum.
  constexpr double least = std::numeric_limits<double>::min() * (1 << 20);
  if (std::is_same_v<S, float> || (sum > least && is_finite(sum))) return {1, sum};
  const double unit = n > 0 ? static_cast<double>(loops.largest_magnitude(n, x)) : 0;
  if (!(unit > 0)) return {1, 0};
  sum = 0;
  for (Index k = 0; k < n; ++k) {
    const double v = static_cast<double>(x[k]) / unit;
    sum += v * v;
  }
  return {unit, sum};
}

/// out = x / |x|, which may be the same place; 0 for a zero row. Returns 1/|x|, at most the largest
/// finite number; 0 for a zero row, NaN if an element is not finite. Without overflow or underflow
/// on the way.
template <class S>
double normalise_any(Index n, const S* x, S* out) {
  const RowLoops<S>& loops = row_loops<S>();
  if (!loops.all_finite(n, x)) return std::numeric_limits<double>::quiet_NaN();
  double length = squared_norm(n, x).root();
  if (!(length > 0)) {
    std::fill_n(out, n, S(0));
    return 0;
  }
  // Doubles of which the length is no double, or too small a one to have all its digits: a power of
  // two changes none of the elements' digits.
  double scale = 1;
  if (!is_finite(length)) scale = 0x1p-100;
  if (std::is_same_v<S, double> && length < 0x1p-960) scale = 0x1p100;
  if (scale != 1) {
    for (Index k = 0; k < n; ++k) out[k] = x[k] * static_cast<S>(scale);
    length = squared_norm(n, out).root();
    x = out;
  }
  const double inverse = scale / length;
  if constexpr (std::is_same_v<S, float>) {
    // In double, where 1/|x| of any float row fits, and its rounding is far below a float's.
    loops.scale_in_double(n, inverse, x, out);
  } else {
    loops.divide(n, length, x, out);
  }
  return std::min(inverse, std::numeric_limits<double>::max());
}

/// The same for rows, with the inverse lengths in `inverse`. Returns whether all are finite.
template <class S>
bool normalise(Index rows, Index n, const S* x, Index x_stride, S* out, Index out_stride,
               double* inverse) {
  bool finite = true;
  for (Index i = 0; i < rows; ++i) {
    i += row_loops<S>().normalise_rows(rows - i, n, x + i * x_stride, x_stride,
                                       out + i * out_stride, out_stride, inverse + i);
    if (i == rows) break;
    inverse[i] = normalise_any(n, x + i * x_stride, out + i * out_stride);
    finite = finite && is_finite(inverse[i]);
  }
  return finite;
}

/// Element k of the direction of row i, packed for the cosine: of floats as it is before it is
/// rounded, for directions that are nearly the same may differ by less.
template <class S>
double direction(const PackedRows<S>& x, Index i, Index k) {
  if constexpr (std::is_same_v<S, float>) {
    const Index above = x.input.rows();
    const S element = i < above ? x.input(i, k) : x.below(i - above, k);
    return static_cast<double>(element) * x.inverse_norm[i];
  } else {
    return x.row(i)[k];
  }
}

/// Copies x (minus `centre`, if any) into rows of `stride`, padded with zeros.
template <class S>
void copy_padded(const Rows<S>& x, const S* centre, int threads, S* out, Index stride,
                 Index padded_rows) {
  each_row(padded_rows, threads, [&](Index i) {
    S* to = out + i * stride;
    const Index cols = i < x.rows() ? x.cols() : 0;
    if (cols > 0 && centre != nullptr) {
      row_loops<S>().subtract(cols, read_row(x, i, to), centre, to);
    } else if (cols > 0) {
      copy_row(x, i, to);
    }
    std::fill(to + cols, to + stride, S(0));
  });
}

/// Half of what element k of a row is above the mean of its own elements. The mean is taken of
/// differences from the first, so that a row whose elements are equal becomes exactly 0; of halves,
/// whose differences fit a double.
template <class S>
class HalfAboveMean {
 public:
  HalfAboveMean(Index n, const S* row) : row_(row) {
    const double share = 1 / static_cast<double>(n);
    for (Index k = 0; k < n; ++k) mean_ += half(k) * share;
  }
  double operator[](Index k) const { return half(k) - mean_; }

 private:
  double half(Index k) const {
    return static_cast<double>(row_[k]) / 2 - static_cast<double>(row_[0]) / 2;
  }

  const S* row_;
  double mean_ = 0;
};

/// The largest magnitude of those halves.
template <class S>
double largest_half_above_mean(const Rows<S>& x) {
  double largest = 0;
  for (Index i = 0; i < x.rows(); ++i) {
    const HalfAboveMean<S> half(x.cols(), x.row(i));
    for (Index k = 0; k < x.cols(); ++k) largest = std::max(largest, std::abs(half[k]));
  }
  return largest;
}

/// A unit in which the largest element above the mean of its row, given its half, is about 1.
inline double unit_of_centred_rows(double largest_half) {
  constexpr int most = 1000;
  return largest_half > 0 ? portable::exp2(std::clamp(-std::ilogb(largest_half) - 1, -most, most))
                          : 1.0;
}

/// `unit` times rows less the mean of their own elements.
template <class S>
Rows<S> without_own_means(Scratch& scratch, int threads, const Rows<S>& x, double unit) {
  const Index cols = x.cols();
  S* out = scratch.take<S>(x.rows() * cols);
  each_row(x.rows(), threads, [&](Index i) {
    const HalfAboveMean<S> half(cols, x.row(i));
    for (Index k = 0; k < cols; ++k) out[i * cols + k] = saturated<S>(half[k] * (2 * unit));
  });
  return {out, x.rows(), cols};
}

/// Rows of out = rows of x times P^T, by the score product with P in the place of the keys. Returns
/// P as column panels.
template <class S>
const S* map_rows(Scratch& scratch, int threads, const S* x, Index x_stride, Index padded_rows,
                  const Rows<S>& p, S* out, Index out_stride) {
  const ProductLoops<S>& loops = product_loops<S>();
  const Index depth = p.cols();
  const Index panels = tasks_of(p.rows(), loops.panel_cols);
  S* packed_p = scratch.take<S>(panels * loops.panel_cols * depth);
  loops.pack_col_panels(p.data(), p.stride(), p.rows(), depth, packed_p);
  constexpr Index block = 8 * panel_rows;
  const Index wide = panels * loops.panel_cols;
  const int workers = std::max(1, threads);
  S* products = scratch.take<S>(Index(workers) * block * wide);
  parallel_tasks(tasks_of(padded_rows, block), threads, [&](Index t, int worker) {
    const Index first = t * block;
    const Index count = std::min(block, padded_rows - first);
    S* mine = products + Index(worker) * block * wide;
    loops.multiply_panels(x + first * x_stride, x_stride, packed_p, depth,
                          tasks_of(count, panel_rows), 0, p.rows(), panels, mine, wide, false);
    for (Index r = 0; r < count; ++r) {
      S* to = out + (first + r) * out_stride;
      std::copy(mine + r * wide, mine + r * wide + p.rows(), to);
      std::fill(to + p.rows(), to + out_stride, S(0));
    }
  });
  return packed_p;
}

/// Packs rows that no matrix maps for the cosine, those of `below` below those of x.
template <class S>
PackedRows<S> pack_normalised(Scratch& scratch, int threads, const Rows<S>& x,
                              const Rows<S>& below = {}) {
  PackedRows<S> out;
  out.input = x;
  out.below = below;
  out.rows = x.rows() + below.rows();
  out.depth = x.cols();
  out.stride = padded_stride<S>(out.depth);
  const Index padded_rows = round_up(out.rows, panel_rows);
  out.data = scratch.take<S>(padded_rows * out.stride);
  out.inverse_norm = scratch.take<double>(out.rows);
  const auto to = [&](Index i) { return out.data + i * out.stride; };
  std::atomic<bool> finite = true;
  const auto pack_set = [&](const Rows<S>& set, Index above) {
    each_part_of_rows(set.rows(), threads, [&](Index first, Index end) {
      const auto add = [&](Index i, Index count, const S* rows) {
        if (!normalise(count, out.depth, rows, set.stride(), to(above + i), out.stride,
                       out.inverse_norm + above + i)) {
          finite = false;
        }
      };
      if (set.element() == Element::scalar) add(first, end - first, set.row(first));
      for (Index i = first; i < end; ++i) {
        if (set.element() != Element::scalar) add(i, 1, read_row(set, i, to(above + i)));
        std::fill(to(above + i) + out.depth, to(above + i + 1), S(0));
      }
    });
  };
  pack_set(x, 0);
  pack_set(below, x.rows());
  std::fill(to(out.rows), to(padded_rows), S(0));
  out.finite = finite;
  return out;
}

/// The memory of one thread for differences that a matrix maps: as many as its product takes.
template <class S>
struct DifferenceMemory {
  static constexpr Index count = panel_rows;

  S* plain;   ///< of the caller's rows
  S* mapped;  ///< of the packed rows
  S* zeros;   ///< a packed row
  Index plain_stride;
  Index mapped_stride;

  static Index mapped_stride_of(Index outputs) {
    return round_up(outputs, product_loops<S>().panel_cols);
  }
  static Index size(Index inputs, Index outputs) {
    return count * inputs + (count + 1) * mapped_stride_of(outputs);
  }

  /// Thread `number`'s; its zeros are not written yet.
  DifferenceMemory(const PackedRows<S>& x, int number)
      : plain(x.differences + Index(number) * size(x.input.cols(), x.depth)),
        mapped(plain + count * x.input.cols()),
        zeros(mapped + count * mapped_stride_of(x.depth)),
        plain_stride(x.input.cols()),
        mapped_stride(mapped_stride_of(x.depth)) {}
};

/// Packs rows for a kernel's geometry; `mapped` says whether its matrix applies to this side.
template <class S>
PackedRows<S> pack(Scratch& scratch, int threads, const KernelValue<S>& kernel, const Rows<S>& x,
                   bool mapped, const S* centre) {
  const bool cosine = kernel.geometry == Geometry::cosine;
  PackedRows<S> out;
  if (cosine && !mapped) {
    out = pack_normalised(scratch, threads, x);
    out.mapped = kernel.is_parametric();
    return out;
  }
  out.input = x;
  out.rows = x.rows();
  out.mapped = kernel.is_parametric();
  const bool maps_both = mapped && kernel.is_distance() && kernel.is_symmetric();
  if (kernel.is_distance() && (!out.mapped || maps_both) && x.element() != Element::scalar) {
    out.buffers = scratch.take<S>(2 * Index(std::max(1, threads)) * x.cols());
  }
  const Index padded_rows = round_up(x.rows(), panel_rows);
  const Index input_stride = padded_stride<S>(x.cols());
  S* copied = scratch.take<S>(padded_rows * input_stride);
  copy_padded(x, centre, threads, copied, input_stride, padded_rows);
  if (mapped) {
    const Rows<S>& p = kernel.parameter;
    out.depth = p.rows();
    out.stride = padded_stride<S>(p.rows());
    out.data = scratch.take<S>(padded_rows * out.stride);
    out.centred = copied;
    out.centred_stride = input_stride;
    const S* matrix =
        map_rows(scratch, threads, copied, input_stride, padded_rows, p, out.data, out.stride);
    if (maps_both) {
      out.matrix = matrix;
      out.differences = scratch.take<S>(Index(std::max(1, threads)) *
                                        DifferenceMemory<S>::size(p.cols(), p.rows()));
    }
  } else {
    out.depth = x.cols();
    out.stride = input_stride;
    out.data = copied;
  }

  double* numbers = scratch.take<double>(x.rows());
  if (cosine) {
    std::atomic<bool> finite = true;
    each_part_of_rows(x.rows(), threads, [&](Index first, Index end) {
      S* const to = out.data + first * out.stride;
      if (!normalise(end - first, out.depth, to, out.stride, to, out.stride, numbers + first)) {
        finite = false;
      }
    });
    out.finite = finite;
    out.inverse_norm = numbers;
    return out;
  }
  // Not the squares of roots: those of integers are integers.
  double* roots = scratch.take<double>(x.rows());
  each_row(x.rows(), threads, [&](Index i) {
    const SquaredNorm square = squared_norm(out.depth, out.row(i));
    numbers[i] = square.value();
    roots[i] = square.root();
  });
  for (Index i = 0; i < x.rows(); ++i) out.largest_norm = std::max(out.largest_norm, roots[i]);
  if (kernel.is_distance()) out.squared_norm = numbers;
  return out;
}

/// Throws std::domain_error when inner products of rows of these lengths can overflow S. Half of
/// the range is left for the sums of the gradient.
template <class S>
void check_products(const char* name, double norm, const char* other, double other_norm) {
  constexpr double most = static_cast<double>(std::numeric_limits<S>::max()) / 2;
  if (norm * other_norm > most) fail_overflow(name, other);
}

/// Bytes that what lies between rows and gradients (tiles of scores, the scores of some pairs) may
/// take: a multiple of what those take, so that memory grows with N + M alone.
template <class S>
Index most_bytes_between(const PackedRows<S>& queries, const PackedRows<S>& keys) {
  constexpr Index plenty = Index(64) << 20;
  return std::max(plenty, 8 * (queries.rows + keys.rows) * keys.stride * Index(sizeof(S)));
}

/// How many panels of `bytes` may be at work together: as many as are wanted, unless they would
/// take more memory than that.
template <class S>
int panels_at_once(const PackedRows<S>& queries, const PackedRows<S>& keys, Index bytes,
                   Index wanted) {
  const Index panels = most_bytes_between(queries, keys) / bytes;
  return static_cast<int>(std::clamp<Index>(panels, 1, std::max<Index>(wanted, 1)));
}

/// Bytes that scores which a second sweep needs may take: as much as the keys, or enough for the
/// batches that most train with. Reading them again costs less than their products.
template <class S>
Index most_bytes_kept(const PackedRows<S>& keys) {
  constexpr Index plenty = Index(16) << 20;
  return std::max(plenty, keys.rows * keys.stride * Index(sizeof(S)));
}

/// The same rows in another order: `places` of all of them, which must outlive the result. For
/// scores alone: gradients take the chain rule of the rows they come from.
template <class S>
PackedRows<S> reordered(Scratch& scratch, int threads, const PackedRows<S>& x,
                        const Index* places) {
  PackedRows<S> out = x;
  out.places = places;
  out.in_bfloat16 = {};
  // A row panel may begin with any row.
  const Index padded_rows = x.rows + panel_rows - 1;
  out.data = scratch.take<S>(padded_rows * x.stride);
  if (x.squared_norm != nullptr) out.squared_norm = scratch.take<double>(x.rows);
  out.inverse_norm = nullptr;
  out.centred = nullptr;
  each_row(padded_rows, threads, [&](Index i) {
    S* const to = out.data + i * x.stride;
    if (i >= x.rows) {
      std::fill_n(to, x.stride, S(0));
      return;
    }
    std::copy_n(x.row(places[i]), x.stride, to);
    if (x.squared_norm != nullptr) out.squared_norm[i] = x.squared_norm[places[i]];
  });
  return out;
}

/// Rows first .. first + count - 1 of rows of one set in their own order, where they lie.
template <class S>
PackedRows<S> part_of(const PackedRows<S>& x, Index first, Index count) {
  PackedRows<S> out = x;
  out.in_bfloat16 = {};
  out.input = x.input.block(first, count);
  out.rows = count;
  out.data = x.data + first * x.stride;
  if (x.squared_norm != nullptr) out.squared_norm = x.squared_norm + first;
  if (x.inverse_norm != nullptr) out.inverse_norm = x.inverse_norm + first;
  if (x.centred != nullptr) out.centred = x.centred + first * x.centred_stride;
  return out;
}

/// Gradient with respect to packed rows, kept apart until the pass is done.
template <class S>
struct RowGradients {
  S* data = nullptr;         ///< like PackedRows::data
  double* weight = nullptr;  ///< dL/d(row) also has weight x the row itself: squared_distance, and
                             ///< cosine once its sums are finished
  bool wanted() const { return data != nullptr; }
};

/// Those of rows of x from `first` on, where they lie; not wanted where the whole is not.
template <class S>
RowGradients<S> part_of(const RowGradients<S>& g, const PackedRows<S>& x, Index first) {
  if (!g.wanted()) return {};
  return {g.data + first * x.stride, g.weight + first};
}

/// Zeroed gradients in the shape of `x`.
template <class S>
RowGradients<S> take_gradients(Scratch& scratch, const PackedRows<S>& x) {
  RowGradients<S> g;
  const Index count = round_up(x.rows, panel_rows) * x.stride;
  g.data = scratch.take<S>(count);
  std::fill(g.data, g.data + count, S(0));
  g.weight = scratch.take<double>(x.rows);
  std::fill(g.weight, g.weight + x.rows, 0.0);
  return g;
}

/// to += from, gradients of the same rows.
template <class S>
void add_gradients(int threads, const PackedRows<S>& x, const RowGradients<S>& from,
                   RowGradients<S>& to) {
  each_row(x.rows, threads, [&](Index i) {
    row_loops<S>().add(x.stride, from.data + i * x.stride, to.data + i * x.stride);
    to.weight[i] += from.weight[i];
  });
}

/// Once all has been added. Cosine: a gradient has no part along its row, which the rows' weights
/// take off. Returns whether the sums stayed within S.
template <class S>
bool finish_sums(int threads, Geometry geometry, const PackedRows<S>& x, RowGradients<S>& g) {
  std::atomic<bool> finite = true;
  each_row(x.rows, threads, [&](Index i) {
    const S* gi = g.data + i * x.stride;
    if (geometry != Geometry::cosine) {
      if (!row_loops<S>().all_finite(x.depth, gi)) finite = false;
      return;
    }
    double along = row_loops<S>().dot_by_fours(x.depth, gi, x.row(i));
    if (!is_finite(along)) along = row_loops<S>().dot_in_double(x.depth, gi, x.row(i));
    g.weight[i] = -along;
    if (!is_finite(along) && !row_loops<S>().all_finite(x.depth, gi)) finite = false;
  });
  return finite;
}

/// out = factor (g + along x), each at most the largest finite S.
template <class S>
void combine(double factor, double along, Index n, const S* x, const S* g, S* out) {
  constexpr double small = sizeof(S) == sizeof(float) ? 1e-30 : 1e-280;
  constexpr double large = 1 / small;
  if (std::abs(factor) > small && std::abs(factor) < large && std::abs(along) < large) {
    row_loops<S>().chain(n, static_cast<S>(factor), static_cast<S>(along), x, g, out);
    return;
  }
  for (Index k = 0; k < n; ++k) {
    out[k] = saturated<S>(factor * (static_cast<double>(g[k]) + along * static_cast<double>(x[k])));
  }
}

/// The chain rule of row i through the geometry, times `scale`, of finished sums: `out` gets the
/// gradient with respect to the mapped row, each element at most the largest finite S.
template <class S>
void chain_row(Geometry geometry, const PackedRows<S>& x, const RowGradients<S>& g, double scale,
               Index i, S* out) {
  double factor = scale;
  // Of a denormal row this may overflow, and infinity times 0 is NaN.
  if (geometry == Geometry::cosine) factor = saturated<double>(scale * x.inverse_norm[i]);
  const S* const gi = g.data + i * x.stride;
  // Inner products have no part along the row, which need not be read.
  const S* const along = geometry == Geometry::inner_product ? gi : x.row(i);
  combine(factor, g.weight[i], x.depth, along, gi, out);
}

/// The same for all rows, in place.
template <class S>
void chain_through_geometry(int threads, Geometry geometry, const PackedRows<S>& x,
                            RowGradients<S>& g, double scale) {
  each_row(x.rows, threads,
           [&](Index i) { chain_row(geometry, x, g, scale, i, g.data + i * x.stride); });
}

/// Adds the rows' share of the gradient of the kernel's matrix, sum_i g_i x_i^T, to `parameter`
/// (outputs x padded_stride(inputs)).
template <class S>
void add_parameter_gradient(int threads, const Rows<S>& p, const PackedRows<S>& x,
                            const RowGradients<S>& g, S* parameter) {
  const Index stride = padded_stride<S>(p.cols());
  parallel_tasks(tasks_of(p.rows(), panel_rows), threads, [&](Index t, int) {
    product_loops<S>().multiply_transposed(g.data + t * panel_rows, x.stride, 1, x.rows, x.centred,
                                           x.centred_stride, p.cols(),
                                           parameter + t * panel_rows * stride, stride);
  });
}

/// Gradients of a set's rows as they came: rows at `data`, `stride` elements from one to the next.
template <class S>
struct InputGradients {
  const S* data;
  Index stride;
};

/// Gradients of mapped rows, through the kernel's matrix if it maps these.
template <class S>
InputGradients<S> chain_through_parameter(Scratch& scratch, int threads, const Rows<S>& p,
                                          const PackedRows<S>& x, bool mapped,
                                          const RowGradients<S>& g) {
  if (!mapped) return {g.data, x.stride};
  const ProductLoops<S>& loops = product_loops<S>();
  const Index padded_outputs = round_up(p.rows(), panel_rows);
  const Index stride = padded_stride<S>(p.cols());
  S* padded_p = scratch.take<S>(padded_outputs * stride);
  copy_padded(p, static_cast<const S*>(nullptr), threads, padded_p, stride, padded_outputs);
  const Index panels = tasks_of(x.rows, panel_rows);
  S* unmapped = scratch.take<S>(panels * panel_rows * stride);
  constexpr Index panels_a_task = 8;
  parallel_tasks(tasks_of(panels, panels_a_task), threads, [&](Index t, int) {
    const Index first = t * panels_a_task;
    const Index count = std::min(panels_a_task, panels - first);
    S* to = unmapped + first * panel_rows * stride;
    std::fill(to, to + count * panel_rows * stride, S(0));
    for (Index block = 0; block < column_blocks(loops, p.cols()); ++block) {
      const Columns d = column_block(loops, block, p.cols());
      loops.multiply_rows(g.data + first * panel_rows * x.stride, x.stride, count, p.rows(),
                          padded_p + d.first, stride, p.rows(), d.count, to + d.first, stride);
    }
  });
  return {unmapped, stride};
}

}  // namespace nearfar::detail
