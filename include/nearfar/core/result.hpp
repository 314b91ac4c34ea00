#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "nearfar/core/numbers.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/products.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// The options of a call besides its inputs, and its result.

namespace nearfar {

/// Counts of a call.
struct Diagnostics {
  std::int64_t anchors = 0;                   ///< rows that could be anchors
  std::int64_t anchors_without_positive = 0;  ///< of these, with no positive
  std::int64_t anchors_without_negative = 0;  ///< of these, with no negative
  std::int64_t terms = 0;                     ///< terms of the loss, the divisor of Reduction::mean
  std::int64_t active_terms = 0;              ///< terms that are not zero
  std::int64_t zero_distances = 0;            ///< pairs at distance 0 (distance kernels only)
  std::int64_t false_negatives = 0;           ///< pairs left out as such (InBatchInfoNce only)
  double smallest_score = std::numeric_limits<double>::infinity();  ///< of all pairs compared
  double largest_score = -std::numeric_limits<double>::infinity();  ///< of all pairs compared
};

/// The result of a loss.
struct Result {
  double value = 0;            ///< the loss after reduction; with Reduction::none the sum of values
  std::vector<double> values;  ///< one a row, with Reduction::none only
  Diagnostics diagnostics;
};

/// The result of a loss with a temperature.
struct TemperatureResult : Result {
  double d_temperature = 0;  ///< dL/dtau (times upstream); 0 from forward
};

/// The result of a loss with a learnable scale.
struct ScaleResult : Result {
  double d_scale = 0;  ///< dL/dsigma (times upstream); 0 from forward
};

/// dL/d(value) from the code after the loss: one number; or one a row with Reduction::none.
class Upstream {
 public:
  /// 1, or 1 for each row.
  Upstream() = default;
  Upstream(double scalar) : scalar_(scalar), given_(true) {}  // NOLINT(google-explicit-constructor)
  Upstream(const std::vector<double>& rows)                   // NOLINT(google-explicit-constructor)
      : Upstream(rows.data(), static_cast<Index>(rows.size())) {}
  template <class R>
  requires std::is_convertible_v<const R&, Numbers<double>> Upstream(
      const R& rows)  // NOLINT(google-explicit-constructor): as Numbers
      : Upstream(Numbers<double>(rows).data(), Numbers<double>(rows).size()) {}
  Upstream(const double* rows, Index size) : rows_(rows), size_(size), given_(true) {}

  /// The same with one more factor a row. The factors of rows are then in units of the largest,
  /// because they may be out of the range of the scalar type although the gradient is not.
  Upstream weighted(const double* weights, Index rows) const {
    Upstream out = *this;
    out.weights_ = weights;
    out.has_weights_ = true;
    return out.in_units_of(out.largest(rows));
  }
  /// The same with factors of rows in a unit, a power of two, so that nothing is rounded. The unit
  /// is not 1 if the largest factor is so large or so small that products with it could overflow or
  /// underflow float.
  Upstream in_units_of(double largest) const {
    constexpr int far = 60;
    Upstream out = *this;
    out.unit_ = 1;
    if (!(largest > 0) || !detail::is_finite(largest)) return out;
    const int exponent = std::ilogb(largest);
    if (std::abs(exponent) > far)
      out.unit_ = detail::portable::exp2(exponent > 0 ? exponent - far : exponent + far);
    return out;
  }

  /// True if the caller gave it.
  bool is_given() const { return given_; }
  bool is_scalar() const { return size_ < 0; }
  Index size() const { return size_; }
  double scalar() const { return scalar_; }
  double operator[](Index i) const { return rows_ != nullptr ? rows_[i] : scalar_; }
  /// Also where there are no rows.
  bool has_weights() const { return has_weights_; }
  double weight(Index i) const { return weights_ != nullptr ? weights_[i] : 1; }
  /// The largest of the factors of `rows` rows.
  double largest(Index rows) const {
    double out = 0;
    for (Index i = 0; i < rows; ++i) {
      out = std::max(out, std::abs(weight(i) * (is_scalar() ? 1.0 : (*this)[i])));
    }
    return out;
  }
  /// The unit: factors of rows are divided by it, and the sums over all rows multiplied.
  double unit() const { return unit_; }

 private:
  double scalar_ = 1;
  double unit_ = 1;
  const double* rows_ = nullptr;
  const double* weights_ = nullptr;
  bool has_weights_ = false;
  Index size_ = -1;
  bool given_ = false;
};

/// Options of every call, as a struct so that members have names:
/// `loss.forward(queries, keys, {.workspace = &workspace})`.
template <class S>
struct CallOptions {
  Workspace* workspace = nullptr;    ///< scratch memory to reuse; null: the call makes its own
  GradientRows<S> d_parameter = {};  ///< gradient of the kernel's matrix (Mahalanobis, Bilinear)
  Upstream upstream = {};            ///< dL/d(value), a factor of all gradients; 1 unless given
  Products products = Products::scalar;  ///< how rows are multiplied
};

}  // namespace nearfar
