#pragma once

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>

#include "nearfar/core/finite.hpp"
#include "nearfar/core/parallel.hpp"
#include "nearfar/core/workspace.hpp"
#include "nearfar/kernels/kernel.hpp"
#include "nearfar/tiles/products.hpp"

/// \file
/// What is computed once a row before any pair is looked at, and undone once a row at the end:
/// centring, the kernel's matrix, norms on the way in; the chain rule of all three on the way out.

namespace nearfar::detail {

/// Rows as the tiles want them: mapped, centred or normalised, padded with zeros to whole vectors
/// and whole blocks.
template <class S>
struct PreparedRows {
  Rows<S> input;                  ///< what the caller passed
  const Index* places = nullptr;  ///< where in it rows are; null: in the same order
  Index rows = 0;
  Index depth = 0;  ///< elements of a prepared row
  Index stride = 0;
  S* data = nullptr;               ///< rows (padded to a whole block) x stride
  double* squared_norm = nullptr;  ///< squared_distance: |row|^2
  double* inverse_norm = nullptr;  ///< cosine: 1 / |row before normalising|, 0 for a zero row
  double largest_norm = 0;         ///< of the rows; 0 for cosine
  const S* centred = nullptr;      ///< with a matrix: the rows before mapping, `stride` below
  Index centred_stride = 0;

  const S* row(Index i) const { return data + i * stride; }
};

/// x . y, in double; as many sums as a compiler needs to see vectors.
template <class S>
double product_in_double(const S* x, const S* y, Index n) {
  constexpr Index sums = 16;
  double sum[sums] = {};
  Index k = 0;
  for (; k + sums <= n; k += sums) {
    for (Index l = 0; l < sums; ++l) {
      sum[l] += static_cast<double>(x[k + l]) * static_cast<double>(y[k + l]);
    }
  }
  for (; k < n; ++k) sum[0] += static_cast<double>(x[k]) * static_cast<double>(y[k]);
  return std::accumulate(sum, sum + sums, 0.0);
}

/// |x| without overflow or underflow on the way.
template <class S>
double norm(const S* x, Index n) {
  using Array = Eigen::Map<const Eigen::Array<S, Eigen::Dynamic, 1>>;
  const Array v(x, n);
  if (n == 0) return 0;
  const S largest = v.abs().maxCoeff();
  // Squares of these neither overflow (sums of up to 2^20 of them) nor lose digits.
  const S big = std::sqrt(std::numeric_limits<S>::max()) / S(1024);
  const S small = std::sqrt(std::numeric_limits<S>::min()) * S(1024);
  if (largest == S(0)) return 0;
  if (largest < big && largest > small) return std::sqrt(product_in_double(x, x, n));
  const double unit = static_cast<double>(largest);
  return unit * std::sqrt((v.template cast<double>() / unit).square().sum());
}

/// Divides a row by its length. Returns 1/|x|, at most the largest finite number; 0 for a zero row.
template <class S>
double normalise(S* row, Index n) {
  double length = norm(row, n);
  if (!(length > 0)) return 0;
  // Doubles of which the length is no double, or too small a one to have all its digits: a power of
  // two changes none of the elements' digits.
  double scale = 1;
  if (!std::isfinite(length)) scale = 0x1p-100;
  if (std::is_same_v<S, double> && length < 0x1p-960) scale = 0x1p100;
  if (scale != 1) {
    for (Index k = 0; k < n; ++k) row[k] *= static_cast<S>(scale);
    length = norm(row, n);
  }
  const double inverse = scale / length;
  for (Index k = 0; k < n; ++k) {
    if constexpr (std::is_same_v<S, float>) {
      // In double, where 1/|x| of any float row fits, and its rounding is far below a float's.
      row[k] = static_cast<S>(static_cast<double>(row[k]) * inverse);
    } else {
      row[k] /= length;
    }
  }
  return std::min(inverse, std::numeric_limits<double>::max());
}

/// Rows a task of preparing or finishing takes.
inline constexpr Index rows_per_task = 128;

/// Adds the sum of all rows to sum[0 .. depth-1], each element's sum in row order.
template <class S>
void add_column_sums(const Rows<S>& x, int threads, double* sum) {
  constexpr Index columns = 64;
  parallel_tasks(tasks_of(x.cols(), columns), threads, [&](Index t, int) {
    const Index k0 = t * columns;
    const Index k1 = std::min(x.cols(), k0 + columns);
    for (Index i = 0; i < x.rows(); ++i) {
      for (Index k = k0; k < k1; ++k) sum[k] += static_cast<double>(x.row(i)[k]);
    }
  });
}

/// The point that distances are computed from. Distances do not depend on it, but their digits do:
/// |x|^2 + |y|^2 - 2 x.y loses those that |x|^2 has above |x - y|^2.
template <class S>
S* common_centre(Scratch& scratch, int threads, std::initializer_list<Rows<S>> sets) {
  const Index depth = sets.begin()->cols();
  double* sum = scratch.take<double>(depth);
  std::fill(sum, sum + depth, 0.0);
  Index count = 0;
  for (const Rows<S>& x : sets) {
    add_column_sums(x, threads, sum);
    count += x.rows();
  }
  S* centre = scratch.take<S>(depth);
  for (Index k = 0; k < depth; ++k) {
    centre[k] = static_cast<S>(sum[k] / static_cast<double>(std::max<Index>(count, 1)));
  }
  return centre;
}

/// Copies x (minus `centre`, if any) into rows of `stride`, padded with zeros.
template <class S>
void copy_padded(const Rows<S>& x, const S* centre, int threads, S* out, Index stride,
                 Index padded_rows) {
  parallel_tasks(tasks_of(padded_rows, rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(padded_rows, (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) {
      S* to = out + i * stride;
      const Index cols = i < x.rows() ? x.cols() : 0;
      for (Index k = 0; k < cols; ++k) {
        to[k] = centre != nullptr ? x.row(i)[k] - centre[k] : x.row(i)[k];
      }
      std::fill(to + cols, to + stride, S(0));
    }
  });
}

/// rows of out = rows of x times P^T, by the score product with P in the place of the keys.
template <class S>
void map_rows(Scratch& scratch, int threads, const S* x, Index x_stride, Index padded_rows,
              const Rows<S>& p, S* out, Index out_stride) {
  using Shape = BlockShape<S>;
  const Index depth = p.cols();
  const Index panels = tasks_of(p.rows(), Shape::cols);
  S* packed_p = scratch.take<S>(panels * Shape::cols * depth);
  pack_panels<Shape::cols>(p.data(), p.stride(), p.rows(), depth, packed_p);
  constexpr Index block = 8 * Shape::rows;
  const Index wide = panels * Shape::cols;
  const int workers = std::max(1, threads);
  S* packed_x = scratch.take<S>(Index(workers) * block * depth);
  S* products = scratch.take<S>(Index(workers) * block * wide);
  parallel_tasks(tasks_of(padded_rows, block), threads, [&](Index t, int worker) {
    const Index first = t * block;
    const Index count = std::min(block, padded_rows - first);
    S* mine_x = packed_x + Index(worker) * block * depth;
    S* mine = products + Index(worker) * block * wide;
    pack_panels<Shape::rows>(x + first * x_stride, x_stride, count, depth, mine_x);
    multiply_panels(mine_x, packed_p, depth, tasks_of(count, Shape::rows), 0, panels, mine, wide);
    for (Index r = 0; r < count; ++r) {
      S* to = out + (first + r) * out_stride;
      std::copy(mine + r * wide, mine + r * wide + p.rows(), to);
      std::fill(to + p.rows(), to + out_stride, S(0));
    }
  });
}

/// Prepares rows for a kernel's geometry; `mapped` says whether its matrix applies to this side.
template <class S, Kernel K>
PreparedRows<S> prepare(Scratch& scratch, int threads, const K& kernel, const Rows<S>& x,
                        bool mapped, const S* centre) {
  PreparedRows<S> out;
  out.input = x;
  out.rows = x.rows();
  const Index padded_rows = round_up(x.rows(), BlockShape<S>::rows);
  const Index input_stride = padded_stride<S>(x.cols());
  S* copied = scratch.take<S>(padded_rows * input_stride);
  copy_padded(x, centre, threads, copied, input_stride, padded_rows);
  if (mapped) {
    const Rows<S> p = parameter_of<S>(kernel);
    out.depth = p.rows();
    out.stride = padded_stride<S>(p.rows());
    out.data = scratch.take<S>(padded_rows * out.stride);
    out.centred = copied;
    out.centred_stride = input_stride;
    map_rows(scratch, threads, copied, input_stride, padded_rows, p, out.data, out.stride);
  } else {
    out.depth = x.cols();
    out.stride = input_stride;
    out.data = copied;
  }

  double* norms = scratch.take<double>(x.rows());
  parallel_tasks(tasks_of(x.rows(), rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(x.rows(), (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) {
      if constexpr (K::geometry == Geometry::cosine) {
        norms[i] = normalise(out.data + i * out.stride, out.depth);
      } else {
        norms[i] = norm(out.row(i), out.depth);
      }
    }
  });
  if constexpr (K::geometry == Geometry::cosine) {
    out.inverse_norm = norms;
    return out;
  }
  for (Index i = 0; i < x.rows(); ++i) out.largest_norm = std::max(out.largest_norm, norms[i]);
  if constexpr (K::geometry == Geometry::squared_distance) {
    for (Index i = 0; i < x.rows(); ++i) norms[i] *= norms[i];
    out.squared_norm = norms;
  }
  return out;
}

/// Bytes that what lies between rows and gradients (strips of scores, the scores of some pairs) may
/// take: a multiple of what those take, so that memory grows with N + M alone.
template <class S>
Index most_bytes_between(const PreparedRows<S>& queries, const PreparedRows<S>& keys) {
  constexpr Index plenty = Index(64) << 20;
  return std::max(plenty, 8 * (queries.rows + keys.rows) * keys.stride * Index(sizeof(S)));
}

/// The same rows in another order: `places` of all of them, which must outlive the result. For
/// scores; the chain rule is the original's affair.
template <class S>
PreparedRows<S> reordered(Scratch& scratch, int threads, const PreparedRows<S>& x,
                          const Index* places) {
  PreparedRows<S> out = x;
  out.places = places;
  const Index padded_rows = round_up(x.rows, BlockShape<S>::rows);
  out.data = scratch.take<S>(padded_rows * x.stride);
  if (x.squared_norm != nullptr) out.squared_norm = scratch.take<double>(x.rows);
  out.inverse_norm = nullptr;
  out.centred = nullptr;
  parallel_tasks(tasks_of(padded_rows, rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(padded_rows, (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) {
      const Index from = i < x.rows ? places[i] : i;  // what rows are padded with
      std::copy_n(x.row(from), x.stride, out.data + i * x.stride);
      if (i < x.rows && x.squared_norm != nullptr) out.squared_norm[i] = x.squared_norm[from];
    }
  });
  return out;
}

/// to += v, n elements.
template <class S>
void add(const S* v, Index n, S* to) {
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    store(to + k, load<T>(to + k) + load<T>(v + k));
  });
}

/// Rows first .. first + count - 1 of rows in their own order, where they lie.
template <class S>
PreparedRows<S> part_of(const PreparedRows<S>& x, Index first, Index count) {
  PreparedRows<S> out = x;
  out.input = Rows<S>(x.input.row(first), count, x.input.cols(), x.input.stride());
  out.rows = count;
  out.data = x.data + first * x.stride;
  if (x.squared_norm != nullptr) out.squared_norm = x.squared_norm + first;
  if (x.inverse_norm != nullptr) out.inverse_norm = x.inverse_norm + first;
  if (x.centred != nullptr) out.centred = x.centred + first * x.centred_stride;
  return out;
}

/// Gradient with respect to prepared rows, kept apart until the whole walk is done.
template <class S>
struct RowGradients {
  S* data = nullptr;         ///< like PreparedRows::data
  double* weight = nullptr;  ///< squared_distance: dL/d(row) also has weight x the row itself
  bool wanted() const { return data != nullptr; }
};

/// Those of rows of x from `first` on, where they lie; not wanted where the whole is not.
template <class S>
RowGradients<S> part_of(const RowGradients<S>& g, const PreparedRows<S>& x, Index first) {
  if (!g.wanted()) return {};
  return {g.data + first * x.stride, g.weight + first};
}

/// Zeroed gradients in the shape of `x`.
template <class S>
RowGradients<S> take_gradients(Scratch& scratch, const PreparedRows<S>& x) {
  RowGradients<S> g;
  const Index count = round_up(x.rows, BlockShape<S>::rows) * x.stride;
  g.data = scratch.take<S>(count);
  std::fill(g.data, g.data + count, S(0));
  g.weight = scratch.take<double>(x.rows);
  std::fill(g.weight, g.weight + x.rows, 0.0);
  return g;
}

/// Whether sums of the gradient stayed within S.
template <class S>
bool all_finite(int threads, const PreparedRows<S>& x, const RowGradients<S>& g) {
  std::atomic<bool> finite = true;
  parallel_tasks(tasks_of(x.rows, rows_per_task), threads, [&](Index t, int) {
    const Index first = t * rows_per_task;
    const Index count = std::min(x.rows - first, rows_per_task);
    using Part = Eigen::Map<const Eigen::Array<S, Eigen::Dynamic, 1>>;
    // A sum of magnitudes times 0 is 0, unless one of them is infinite or NaN.
    const Part part(g.data + first * x.stride, count * x.stride);
    if (!((part * S(0)).sum() == S(0))) finite = false;
  });
  return finite;
}

/// v within what S can hold.
template <class S>
S saturated(double v) {
  constexpr auto most = static_cast<double>(std::numeric_limits<S>::max());
  return static_cast<S>(std::clamp(v, -most, most));
}

/// g = factor (g + along x), each at most the largest finite S.
template <class S>
void combine(double factor, double along, const S* x, Index n, S* g) {
  constexpr double small = sizeof(S) == sizeof(float) ? 1e-30 : 1e-280;
  constexpr double large = 1 / small;
  if (std::abs(factor) > small && std::abs(factor) < large && std::abs(along) < large) {
    each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
      const T most = constant<T>(static_cast<double>(std::numeric_limits<S>::max()));
      const T v = (load<T>(g + k) + load<T>(x + k) * constant<T>(along)) * constant<T>(factor);
      store(g + k, max(min(v, most), constant<T>(0) - most));
    });
    return;
  }
  for (Index k = 0; k < n; ++k) {
    g[k] = saturated<S>(factor * (static_cast<double>(g[k]) + along * static_cast<double>(x[k])));
  }
}

/// The chain rule through the geometry, times `scale`, in place: gradients with respect to mapped
/// rows, each at most the largest finite S.
template <Kernel K, class S>
void pull_through_geometry(int threads, const PreparedRows<S>& x, RowGradients<S>& g,
                           double scale) {
  parallel_tasks(tasks_of(x.rows, rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(x.rows, (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) {
      S* gi = g.data + i * x.stride;
      const S* xi = x.row(i);
      double along = 0;
      double factor = scale;
      if constexpr (K::geometry == Geometry::squared_distance) {
        along = g.weight[i];
      } else if constexpr (K::geometry == Geometry::cosine) {
        // Of a denormal row this may overflow, and infinity times 0 is NaN.
        factor = saturated<double>(scale * x.inverse_norm[i]);
        along = -product_in_double(gi, xi, x.depth);
      }
      combine(factor, along, xi, x.depth, gi);
    }
  });
}

/// Adds the rows' share of the gradient of the kernel's matrix, sum_i g_i x_i^T, to `parameter`
/// (outputs x padded_stride(inputs)).
template <class S>
void add_parameter_gradient(int threads, const Rows<S>& p, const PreparedRows<S>& x,
                            const RowGradients<S>& g, S* parameter) {
  using Shape = BlockShape<S>;
  const Index stride = padded_stride<S>(p.cols());
  parallel_tasks(tasks_of(p.rows(), Shape::rows), threads, [&](Index t, int) {
    multiply_transposed(g.data + t * Shape::rows, x.stride, 1, x.rows, x.centred, x.centred_stride,
                        p.cols(), parameter + t * Shape::rows * stride, stride);
  });
}

/// Gradients of a set's rows as they came: rows at `data`, `stride` elements from one to the next.
template <class S>
struct InputGradients {
  const S* data;
  Index stride;
};

/// Gradients of mapped rows, through the kernel's matrix if it maps these.
template <Kernel K, class S>
InputGradients<S> through_parameter(Scratch& scratch, int threads, const K& kernel,
                                    const PreparedRows<S>& x, bool mapped,
                                    const RowGradients<S>& g) {
  if (!mapped) return {g.data, x.stride};
  using Shape = BlockShape<S>;
  const Rows<S> p = parameter_of<S>(kernel);
  const Index padded_outputs = round_up(p.rows(), Shape::rows);
  const Index stride = padded_stride<S>(p.cols());
  S* padded_p = scratch.take<S>(padded_outputs * stride);
  copy_padded(p, static_cast<const S*>(nullptr), threads, padded_p, stride, padded_outputs);
  const Index panels = tasks_of(x.rows, Shape::rows);
  S* unmapped = scratch.take<S>(panels * Shape::rows * stride);
  constexpr Index panels_a_task = 8;
  parallel_tasks(tasks_of(panels, panels_a_task), threads, [&](Index t, int) {
    const Index first = t * panels_a_task;
    const Index count = std::min(panels_a_task, panels - first);
    S* to = unmapped + first * Shape::rows * stride;
    std::fill(to, to + count * Shape::rows * stride, S(0));
    for (Index block = 0; block < column_blocks<S>(p.cols()); ++block) {
      const Columns d = column_block<S>(block, p.cols());
      multiply_rows(g.data + first * Shape::rows * x.stride, x.stride, count, p.rows(),
                    padded_p + d.first, stride, d.count, to + d.first, stride);
    }
  });
  return {unmapped, stride};
}

/// Into `out`, which is open.
template <class S>
void hand_out_rows(int threads, const PreparedRows<S>& x, const InputGradients<S>& g,
                   const GradientRows<S>& out) {
  parallel_tasks(tasks_of(x.rows, rows_per_task), threads, [&](Index t, int) {
    const Index end = std::min(x.rows, (t + 1) * rows_per_task);
    for (Index i = t * rows_per_task; i < end; ++i) {
      const S* from = g.data + i * g.stride;
      S* to = out.row(i);
      for (Index k = 0; k < x.input.cols(); ++k) {
        to[k] = out.accumulates() ? to[k] + from[k] : from[k];
      }
    }
  });
}

}  // namespace nearfar::detail
