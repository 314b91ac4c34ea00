#pragma once

#include <algorithm>

#include "nearfar/core/portable_math.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/losses/sig_reg.hpp"

namespace nearfar::detail {

/// The Epps-Pulley statistic of rows of projections.
template <class S>
class EppsPulleyTerm final : public RowTerm<S> {
 public:
  /// For `slices` rows of `count` projections each, on all processes.
  EppsPulleyTerm(Scratch& scratch, Index slices, Index count, const SigRegOptions& options)
      : count_(static_cast<double>(count)),
        knots_(options.knots),
        step_(options.t_max / static_cast<double>(options.knots - 1)),
        sum_count_(2 * slices * options.knots),
        values_(scratch.take<double>(slices)),
        sums_(scratch.take<double>(sum_count_)) {}

  double value(Index i) const override { return values_[i]; }
  double* sums() const { return sums_; }
  Index sum_count() const { return sum_count_; }

  void start(Index i) override { std::fill_n(cosines(i), 2 * knots_, 0.0); }

  void accumulate(Index i, Index, Index n, const S* s) override {
    double* of_cosines = cosines(i);
    double* of_sines = sines(i);
    each_part(n, s, [&](Index, Index some, const Turns& turns) {
      Turns at = Turns::none(some);
      for (Index k = 0; k < knots_; ++k) {
        of_cosines[k] += sum_of(at.cosine);
        of_sines[k] += sum_of(at.sine);
        at.add(turns);
      }
    });
  }

  /// Replaces the sums by the factors of sin(t p) and of cos(t p) in dL/dp.
  void close(Index i) override {
    double* of_cosines = cosines(i);
    double* of_sines = sines(i);
    double sum = 0;
    for (Index k = 0; k < knots_; ++k) {
      const double t = static_cast<double>(k) * step_;
      const double phi = portable::exp(-t * t / 2);
      const double weight = (k == 0 || k == knots_ - 1 ? step_ : 2 * step_) * phi;
      const double real = of_cosines[k] / count_ - phi;
      const double imaginary = of_sines[k] / count_;
      sum += weight * (real * real + imaginary * imaginary);
      of_cosines[k] = -2 * weight * t * real;
      of_sines[k] = 2 * weight * t * imaginary;
    }
    values_[i] = count_ * sum;
  }

  void gradient(Index i, Index, Index n, const S* s, S* g) override {
    const double* of_cosines = cosines(i);
    const double* of_sines = sines(i);
    each_part(n, s, [&](Index first, Index some, const Turns& turns) {
      Turns at = Turns::none(some);
      double sums[width] = {};
      for (Index k = 0; k < knots_; ++k) {
        for (Index l = 0; l < width; ++l) {
          sums[l] += of_cosines[k] * at.sine[l] + of_sines[k] * at.cosine[l];
        }
        at.add(turns);
      }
      for (Index l = 0; l < some; ++l) g[first + l] = static_cast<S>(sums[l]);
    });
  }

 private:
  static constexpr Index width = 16;

  /// Cosines and sines of several angles.
  struct Turns {
    double cosine[width];
    double sine[width];

    /// `some` angles of 0. The remaining lanes have cosine 0 and add nothing to sums.
    static Turns none(Index some) {
      Turns out = {};
      std::fill_n(out.cosine, some, 1.0);
      return out;
    }
    /// Adds the angles of `o`, by the addition theorems.
    void add(const Turns& o) {
      for (Index l = 0; l < width; ++l) {
        const double c = cosine[l] * o.cosine[l] - sine[l] * o.sine[l];
        sine[l] = sine[l] * o.cosine[l] + cosine[l] * o.sine[l];
        cosine[l] = c;
      }
    }
  };

  /// Adds by halves, which vector instructions can do.
  static double sum_of(const double (&v)[width]) {
    double sums[width / 2];
    for (Index l = 0; l < width / 2; ++l) sums[l] = v[l] + v[l + width / 2];
    for (Index count = width / 4; count > 0; count /= 2) {
      for (Index l = 0; l < count; ++l) sums[l] += sums[l + count];
    }
    return sums[0];
  }

  double* cosines(Index i) const { return sums_ + 2 * i * knots_; }
  double* sines(Index i) const { return cosines(i) + knots_; }

  /// Calls body(first, some, turns) for parts of n projections, with the cosines and sines of h p.
  template <class Body>
  void each_part(Index n, const S* s, const Body& body) const {
    for (Index first = 0; first < n; first += width) {
      const Index some = std::min(width, n - first);
      Turns turns = Turns::none(some);
      for (Index l = 0; l < some; ++l) {
        const double angle = step_ * static_cast<double>(s[first + l]);
        turns.cosine[l] = portable::cos(angle);
        turns.sine[l] = portable::sin(angle);
      }
      body(first, some, turns);
    }
  }

  double count_;
  Index knots_;
  double step_;
  Index sum_count_;
  double* values_;
  double* sums_;  ///< of cosines, and then of sines, for all knots of each slice
};

/// The loss in the frame of one process or of many, which have the same slices.
template <class S, class Frame>
Result sig_reg(const SigRegOptions& options, Frame& call) {
  const Index n = call.all_rows(0);
  const Index slices = call.own_rows(1);
  Result result;
  Diagnostics& d = result.diagnostics;
  if (n == 0 || slices == 0) {
    d.anchors = n;
    call.scatter(0);
    return result;
  }

  auto term = call.template make<EppsPulleyTerm<S>>(1, n, options);
  call.run_same_queries(term, 1, 0, d);
  call.combine(d);
  d.anchors = n;
  d.terms = d.active_terms = slices;
  const auto value_of = [&](Index m) { return term.value(m); };
  reduce_rows(Reduction::mean, KeptRows(slices), value_of, result);
  call.scatter(call.scale(d));
  return result;
}

template <class S>
Result evaluate(const SigRegOptions& options, const Inputs<S, 2>& inputs) {
  const KernelValue<S> kernel = kernel_value<S>(InnerProduct());
  Call<S> call(kernel, Reduction::mean, inputs);
  call.add(Side::key, {"x", inputs.rows[0], inputs.gradients[0]});
  call.add(Side::query, {"slices", inputs.rows[1]});
  call.check(inputs.rows[0].rows());
  call.pack();
  return sig_reg<S>(options, call);
}

}  // namespace nearfar::detail
