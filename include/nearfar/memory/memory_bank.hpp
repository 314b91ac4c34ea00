#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <utility>
#include <vector>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/matrix.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/random.hpp"
#include "nearfar/engine/finite.hpp"
#include "nearfar/memory/saved.hpp"
#include "nearfar/memory/stored_number.hpp"

namespace nearfar {

/// Settings of MemoryBank.
struct MemoryBankOptions {
  double momentum = 0.5;   ///< m in [0, 1): weight of the old row in an update
  std::uint64_t seed = 0;  ///< determines the first rows
};

/// One row of unit length for each sample of a data set, by its index (Wu et al., Unsupervised
/// feature learning via non-parametric instance discrimination, 2018, section 3.1):
///
///     bank.gather(indices, keys);
///     bank.gather(noise, negatives);
///     nce.forward_backward(x, keys, negatives, log_noise_keys, log_noise_negatives, dx,
///                          no_gradient, no_gradient);
///     bank.update(indices, x);
///
/// The first rows are random directions, a function of the seed alone. A bank has count x D
/// numbers of T: float, double, or Eigen::bfloat16 or Eigen::half, which are rows for losses over
/// float and take half the memory. No thread may read the bank during an update.
template <class T>
class MemoryBank {
  using S = detail::ScalarOfStored<T>;  // scalar type of losses that take its rows

 public:
  /// Throws std::invalid_argument unless count and dim are > 0 and 0 <= momentum < 1.
  MemoryBank(Index count, Index dim, MemoryBankOptions options = {})
      : count_(count), dim_(dim), options_(options) {
    if (count < 1) fail_argument("count", "a number > 0", std::to_string(count));
    if (dim < 1) fail_argument("dim", "a number > 0", std::to_string(dim));
    const double m = options.momentum;
    if (!detail::is_finite(m) || !(m >= 0 && m < 1)) {
      fail_argument("momentum", "a number >= 0 and < 1", detail::number_text(m));
    }
    rows_.resize(static_cast<std::size_t>(count * dim));
    std::vector<double> direction(static_cast<std::size_t>(dim));
    for (Index i = 0; i < count; ++i) {
      for (Index k = 0; k < dim; ++k) direction[static_cast<std::size_t>(k)] = normal(i, k);
      store(i, direction);
    }
  }

  Index count() const { return count_; }
  Index dim() const { return dim_; }
  const MemoryBankOptions& options() const { return options_; }

  /// All rows (count x D); row i is that of sample i. Valid during the life of the bank.
  Rows<S> rows() const { return Rows<S>(rows_.data(), count_, dim_); }

  /// Copies the rows of these samples to `out`, indices x D of T; a Matrix is resized. Throws
  /// std::invalid_argument on an index that is none, and on memory of another shape or type, or
  /// made by `accumulate`.
  void gather(Labels indices, GradientRows<S> out) const {
    check_indices(indices);
    if (out.accumulates()) fail_argument("out", "memory to overwrite", "memory to add to");
    if (out.element() != detail::element_of<T>) {
      fail_argument("out", "elements of the bank's type", "elements of another type");
    }
    out.check_shape("out", indices.size(), dim_);
    out.open(indices.size(), dim_);
    for (Index i = 0; i < indices.size(); ++i) {
      std::copy_n(row(indices[i]), dim_, static_cast<T*>(out.address(i)));
    }
  }

  /// Updates the rows of samples with their embeddings x (n x D, one row an index):
  ///
  ///     v_i <- m v_i + (1 - m) x_i / |x_i|, then v_i <- v_i / |v_i|
  ///
  /// An index that occurs twice is updated twice, in order. A zero row, or one that cancels the old
  /// row, changes nothing. Throws std::invalid_argument on a wrong shape or an index out of range,
  /// std::domain_error on an element that is not finite; the bank is then unchanged.
  void update(Labels indices, Rows<S> x) {
    check_indices(indices);
    if (x.rows() != indices.size() || (x.rows() > 0 && x.cols() != dim_)) {
      fail_shape("x", indices.size(), dim_, x.rows(), x.cols());
    }
    detail::check_finite("x", x, 1);
    if (detail::overlap(x.place(), detail::place_of(rows_))) {
      std::vector<S> copy;  // x lies in the bank itself, whose rows change
      for (Index i = 0; i < x.rows(); ++i) {
        for (Index k = 0; k < dim_; ++k) copy.push_back(x(i, k));
      }
      update(indices, Rows<S>(copy.data(), x.rows(), dim_));
      return;
    }
    std::vector<double> mixed(static_cast<std::size_t>(dim_));
    for (Index i = 0; i < x.rows(); ++i) {
      for (Index k = 0; k < dim_; ++k) mixed[at(k)] = static_cast<double>(x(i, k));
      if (!normalise(mixed)) continue;
      const T* old = row(indices[i]);
      for (Index k = 0; k < dim_; ++k) {
        mixed[at(k)] = options_.momentum * static_cast<double>(old[k]) +
                       (1 - options_.momentum) * mixed[at(k)];
      }
      store(static_cast<Index>(indices[i]), mixed);
    }
  }

  /// Writes the bank, or reads a file that `save` wrote for a bank of the same T, count
  /// and dim. Throws std::runtime_error on a file that cannot be written or read, and on one that
  /// is truncated, damaged or of another kind; the file, or the bank, is then unchanged.
  void save(const std::filesystem::path& file) const {
    detail::write_whole_file(file, [&](std::ostream& out) { save(out); });
  }
  void load(const std::filesystem::path& file) {
    MemoryBank loaded(*this);
    detail::load_file(file, [&](std::istream& in) { loaded.load(in); });
    *this = std::move(loaded);
  }
  void save(std::ostream& out) const {
    detail::SavedWriter writer(out, detail::SavedKind::memory_bank);
    writer.put_type<T>();
    writer.put(static_cast<std::int64_t>(count_));
    writer.put(static_cast<std::int64_t>(dim_));
    writer.put_all(rows_);
    writer.finish();
  }
  void load(std::istream& in) {
    detail::SavedReader reader(in, detail::SavedKind::memory_bank);
    reader.expect_type<T>();
    reader.expect("count", static_cast<std::int64_t>(count_));
    reader.expect("dim", static_cast<std::int64_t>(dim_));
    std::vector<T> rows = reader.template get_all<T>(rows_.size());
    reader.finish();
    for (const T number : rows) {
      if (!detail::is_finite_number(number))
        fail_file("memory", "holds a number that is not finite");
    }
    rows_ = std::move(rows);
  }

 private:
  static std::size_t at(Index i) { return static_cast<std::size_t>(i); }

  const T* row(std::int64_t i) const { return rows_.data() + static_cast<Index>(i) * dim_; }

  void check_indices(const Labels& indices) const {
    for (Index i = 0; i < indices.size(); ++i) {
      if (indices[i] < 0 || indices[i] >= count_) {
        fail_argument("indices", "indices from 0 to " + std::to_string(count_ - 1),
                      std::to_string(indices[i]) + " at " + std::to_string(i));
      }
    }
  }

  /// The Box-Muller transform of bits that depend on i and k alone.
  double normal(Index i, Index k) const {
    const auto bits =
        random_bits(options_.seed, 0, static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(k));
    const double radius = std::sqrt(-2 * detail::portable::log1p(-unit_interval(bits[0])));
    return radius * detail::portable::cos(2 * std::numbers::pi * unit_interval(bits[1]));
  }

  /// Scales x to unit length, for numbers of any size; false for zero.
  static bool normalise(std::vector<double>& x) {
    double largest = 0;
    for (const double number : x) largest = std::max(largest, std::abs(number));
    if (!(largest > 0)) return false;
    double squares = 0;
    for (double& number : x) {
      number /= largest;
      squares += number * number;
    }
    for (double& number : x) number /= std::sqrt(squares);
    return true;
  }

  void store(Index i, std::vector<double>& x) {
    if (!normalise(x)) return;
    for (Index k = 0; k < dim_; ++k)
      rows_[at(i * dim_ + k)] = static_cast<T>(static_cast<S>(x[at(k)]));
  }

  Index count_;
  Index dim_;
  MemoryBankOptions options_;
  std::vector<T> rows_;
};

}  // namespace nearfar
