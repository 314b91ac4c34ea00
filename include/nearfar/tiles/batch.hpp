#pragma once

#include <array>
#include <initializer_list>
#include <string>

#include "nearfar/core/opening.hpp"
#include "nearfar/core/result.hpp"
#include "nearfar/tiles/prepared_rows.hpp"

/// \file
/// What every call does before and after its sums, once: checks, preparing the sets of rows, and
/// handing their gradients back.

namespace nearfar::detail {

/// Which side of a kernel a set of rows is on: it says whether the kernel's matrix applies.
enum class Side { query, key };

template <class S>
struct NamedRows {
  const char* name;
  Rows<S> rows;
  Side side;
};

template <Kernel K>
constexpr bool maps(Side side) {
  return side == Side::query ? maps_queries<K>() : maps_keys<K>();
}

/// Elements that rows on one side must have for the kernel's matrix; -1 where any number will do.
template <class S, Kernel K>
Index wanted_cols(const K& kernel, Side side) {
  const Rows<S> p = parameter_of<S>(kernel);
  if constexpr (maps_queries<K>() && maps_keys<K>()) {
    return p.cols();
  } else if constexpr (maps_queries<K>()) {
    return side == Side::query ? p.cols() : p.rows();
  } else if constexpr (maps_keys<K>()) {
    return side == Side::key ? p.cols() : p.rows();
  } else {
    return -1;
  }
}

/// Throws unless all rows fit the kernel and each other and are finite; the kernel's matrix, too.
template <class S, Kernel K>
void check_rows(const K& kernel, int threads, std::initializer_list<NamedRows<S>> sets) {
  const NamedRows<S>& first = *sets.begin();
  for (const NamedRows<S>& set : sets) {
    const Index fitting = wanted_cols<S>(kernel, set.side);
    const Index wanted = fitting >= 0 ? fitting : first.rows.cols();
    if (set.rows.cols() != wanted)
      fail_shape(set.name, set.rows.rows(), wanted, set.rows.rows(), set.rows.cols());
    if (set.rows.rows() > 0 && wanted == 0)
      fail_argument(set.name, "rows of at least one element", "0 columns");
  }
  for (const NamedRows<S>& set : sets) check_finite(set.name, set.rows, threads);
  if constexpr (ParametricKernel<K>) check_finite("kernel parameter", kernel.parameter(), threads);
}

/// Prepared sets of rows of one call, their gradients, and the way back to the caller.
template <class S, Kernel K, int sets>
class Batch {
 public:
  /// Rows must have passed check_rows. Throws std::domain_error when inner products of a query and
  /// a key can overflow S.
  Batch(Scratch& scratch, int threads, const K& kernel,
        const std::array<NamedRows<S>, static_cast<std::size_t>(sets)>& named)
      : scratch_(scratch), threads_(threads), kernel_(kernel), named_(named) {
    const S* centre = nullptr;
    if constexpr (K::geometry == Geometry::squared_distance) {
      if constexpr (sets == 1) {
        centre = common_centre<S>(scratch, threads, {named[0].rows});
      } else if constexpr (sets == 2) {
        centre = common_centre<S>(scratch, threads, {named[0].rows, named[1].rows});
      } else {
        static_assert(sets == 3);
        centre = common_centre<S>(scratch, threads, {named[0].rows, named[1].rows, named[2].rows});
      }
    }
    for (int k = 0; k < sets; ++k) {
      prepared_[at(k)] =
          prepare(scratch, threads, kernel, named[at(k)].rows, maps<K>(named[at(k)].side), centre);
    }
    if constexpr (K::geometry == Geometry::inner_product) check_overflow();
  }

  const PreparedRows<S>& rows(int set) const { return prepared_[at(set)]; }

  /// Zeroed gradients of a set if it, or the kernel's matrix through it, wants any.
  RowGradients<S>& want(int set, const GradientRows<S>& out, const CallOptions<S>& call) {
    const bool through_parameter = call.d_parameter.wanted() && maps<K>(named_[at(set)].side);
    if (out.wanted() || through_parameter) {
      gradients_[at(set)] = take_gradients(scratch_, prepared_[at(set)]);
    }
    return gradients_[at(set)];
  }

  /// Chain rule, times `scale`, into the caller's buffers; `also` are buffers that the caller of
  /// this will write to, opened together with them. Throws std::domain_error when the sums
  /// overflowed S, std::bad_alloc when memory runs out, before any buffer is touched.
  void hand_back(double scale,
                 const std::array<GradientRows<S>*, static_cast<std::size_t>(sets)>& outs,
                 CallOptions<S>& call, std::initializer_list<Output<S>> also = {}) {
    for (int k = 0; k < sets; ++k) {
      if (gradients_[at(k)].wanted() && !all_finite(threads_, rows(k), gradients_[at(k)])) {
        fail_gradient_overflow(named_[at(k)].name);
      }
    }
    const Rows<S> p = parameter_of<S>(kernel_);
    S* parameter = nullptr;
    if (call.d_parameter.wanted()) {
      const Index size = round_up(p.rows(), BlockShape<S>::rows) * padded_stride<S>(p.cols());
      parameter = scratch_.template take<S>(size);
      std::fill(parameter, parameter + size, S(0));
    }
    for (int k = 0; k < sets; ++k) {
      if (!gradients_[at(k)].wanted()) continue;
      pull_through_geometry<K>(threads_, rows(k), gradients_[at(k)], scale);
      if (parameter != nullptr && maps<K>(named_[at(k)].side)) {
        add_parameter_gradient(threads_, p, rows(k), gradients_[at(k)], parameter);
      }
    }
    if (parameter != nullptr) {
      const Eigen::Map<const Vector<S>> sums(parameter, p.rows() * padded_stride<S>(p.cols()));
      if (!sums.allFinite()) fail_gradient_overflow("kernel parameter");
    }
    std::array<InputGradients<S>, static_cast<std::size_t>(sets)> results{};
    for (int k = 0; k < sets; ++k) {
      if (!handed_out(k, outs)) continue;
      results[at(k)] = through_parameter(scratch_, threads_, kernel_, rows(k),
                                         maps<K>(named_[at(k)].side), gradients_[at(k)]);
    }
    // The last that can fail.
    open(outs, Output<S>{&call.d_parameter, p.rows(), p.cols()}, also);
    for (int k = 0; k < sets; ++k) {
      if (handed_out(k, outs)) hand_out_rows(threads_, rows(k), results[at(k)], *outs[at(k)]);
    }
    if (parameter == nullptr) return;
    for (Index r = 0; r < p.rows(); ++r) {
      S* to = call.d_parameter.row(r);
      const S* from = parameter + r * padded_stride<S>(p.cols());
      for (Index k = 0; k < p.cols(); ++k) {
        to[k] = call.d_parameter.accumulates() ? to[k] + from[k] : from[k];
      }
    }
  }

 private:
  using Outputs = std::array<GradientRows<S>*, static_cast<std::size_t>(sets)>;

  static constexpr std::size_t at(int k) { return static_cast<std::size_t>(k); }

  bool handed_out(int k, const Outputs& outs) const {
    return gradients_[at(k)].wanted() && outs[at(k)]->wanted();
  }

  void open(const Outputs& outs, const Output<S>& parameter,
            std::initializer_list<Output<S>> also) const {
    const auto of = [&](int k) {
      return Output<S>{outs[at(k)], named_[at(k)].rows.rows(), named_[at(k)].rows.cols()};
    };
    if constexpr (sets == 1) {
      open_all({of(0), parameter}, also);
    } else if constexpr (sets == 2) {
      open_all({of(0), of(1), parameter}, also);
    } else {
      open_all({of(0), of(1), of(2), parameter}, also);
    }
  }

  void check_overflow() const {
    // Half of the range is left for the sums of the gradient.
    const double most = static_cast<double>(std::numeric_limits<S>::max()) / 2;
    for (int q = 0; q < sets; ++q) {
      for (int k = 0; k < sets; ++k) {
        if (named_[at(q)].side == Side::query && (named_[at(k)].side == Side::key || sets == 1) &&
            prepared_[at(q)].largest_norm * prepared_[at(k)].largest_norm > most) {
          fail_overflow(named_[at(q)].name, named_[at(k)].name);
        }
      }
    }
  }

  Scratch& scratch_;
  int threads_;
  const K& kernel_;
  std::array<NamedRows<S>, static_cast<std::size_t>(sets)> named_;
  std::array<PreparedRows<S>, static_cast<std::size_t>(sets)> prepared_;
  std::array<RowGradients<S>, static_cast<std::size_t>(sets)> gradients_;
};

/// Throws unless a gradient asked of the kernel's matrix has a matrix to be of, and fits it.
template <class S, Kernel K>
void check_parameter_gradient(const K& kernel, const CallOptions<S>& call) {
  if constexpr (ParametricKernel<K>) {
    const Rows<S> p = parameter_of<S>(kernel);
    call.d_parameter.check_shape("d_parameter", p.rows(), p.cols());
  } else {
    static_cast<void>(kernel);
    if (call.d_parameter.wanted()) {
      fail_argument("d_parameter", "a kernel with a matrix (Mahalanobis, Bilinear)",
                    "a kernel without one");
    }
  }
}

}  // namespace nearfar::detail
