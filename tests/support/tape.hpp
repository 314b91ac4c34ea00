#pragma once

#include <cmath>
#include <vector>

#include "support/oracle.hpp"

/// \file
/// Numbers that can be differentiated: reverse mode, by a tape of all operations.

namespace oracle {

/// A number and its place on the tape; constants have none.
struct Number {
  Real value = 0;
  int place = -1;

  Number() = default;
  Number(Real v) : value(v) {}  // NOLINT(google-explicit-constructor)
  Number(Real v, int p) : value(v), place(p) {}
};

/// The operations of one computation, each with its operands and derivatives.
class Tape {
 public:
  static Tape& current() {
    thread_local Tape tape;
    return tape;
  }

  void clear() { steps_.clear(); }

  Number variable(Real value) { return add(value, -1, 0, -1, 0); }
  Number add(Real value, int a, Real da, int b, Real db) {
    steps_.push_back({a, b, da, db});
    return {value, static_cast<int>(steps_.size()) - 1};
  }

  /// The derivative of a result with respect to each place.
  std::vector<Real> derivatives(const Number& of) const {
    std::vector<Real> out(steps_.size(), 0);
    if (of.place < 0) return out;
    out[static_cast<std::size_t>(of.place)] = 1;
    for (std::size_t k = steps_.size(); k-- > 0;) {
      const Step& s = steps_[k];
      if (out[k] == 0) continue;
      if (s.a >= 0) out[static_cast<std::size_t>(s.a)] += out[k] * s.da;
      if (s.b >= 0) out[static_cast<std::size_t>(s.b)] += out[k] * s.db;
    }
    return out;
  }

 private:
  struct Step {
    int a, b;
    Real da, db;
  };
  std::vector<Step> steps_;
};

inline Number operation(Real value, const Number& a, Real da, const Number& b = {}, Real db = 0) {
  if (a.place < 0 && b.place < 0) return {value};
  return Tape::current().add(value, a.place, da, b.place, db);
}

inline Number operator+(const Number& a, const Number& b) {
  return operation(a.value + b.value, a, 1, b, 1);
}
inline Number operator-(const Number& a, const Number& b) {
  return operation(a.value - b.value, a, 1, b, -1);
}
inline Number operator-(const Number& a) { return operation(-a.value, a, -1); }
inline Number operator*(const Number& a, const Number& b) {
  return operation(a.value * b.value, a, b.value, b, a.value);
}
inline Number operator/(const Number& a, const Number& b) {
  const Real q = a.value / b.value;
  return operation(q, a, 1 / b.value, b, -q / b.value);
}
inline Number& operator+=(Number& a, const Number& b) { return a = a + b; }

inline Number exp(const Number& a) {
  const Real v = std::exp(a.value);
  return operation(v, a, v);
}
inline Number log(const Number& a) { return operation(std::log(a.value), a, 1 / a.value); }
inline Number log1p(const Number& a) {
  return operation(std::log1p(a.value), a, 1 / (1 + a.value));
}
inline Number cos(const Number& a) { return operation(std::cos(a.value), a, -std::sin(a.value)); }
inline Number sin(const Number& a) { return operation(std::sin(a.value), a, std::cos(a.value)); }
/// With derivative 0 at 0.
inline Number sqrt(const Number& a) {
  const Real v = std::sqrt(a.value);
  return operation(v, a, v > 0 ? 1 / (2 * v) : 0);
}
inline Number power(const Number& a, Real e) {
  const Real v = std::pow(a.value, e);
  return operation(v, a, a.value != 0 ? e * v / a.value : 0);
}
/// max(0, a), with derivative 0 at 0.
inline Number hinge(const Number& a) { return a.value > 0 ? operation(a.value, a, 1) : Number(0); }
inline Number absolute(const Number& a) {
  return operation(std::abs(a.value), a, a.value > 0 ? 1 : a.value < 0 ? -1 : 0);
}
inline Number square(const Number& a) { return a * a; }
/// log(1 + e^a).
inline Number softplus(const Number& a) { return a.value > 0 ? a + log1p(exp(-a)) : log1p(exp(a)); }
/// The value alone, a constant for the derivative.
inline Number constant(const Number& a) { return {a.value}; }

}  // namespace oracle
