#include <gtest/gtest.h>

#include <nearfar/losses/class_softmax.hpp>

#include "support/learnable_numbers.hpp"
#include "support/options.hpp"
#include "support/proxy_oracle.hpp"

/// Softmax losses over classes against plain loops in long double: values, gradients, the
/// derivative of the scale, margins and numbers of classes; and their options.

namespace {

using namespace support;
using nearfar::ArcFace;
using nearfar::CosFace;
using nearfar::Denominator;
using nearfar::LargeMarginSoftmax;
using nearfar::NormalizedSoftmax;
using nearfar::Proxies;
using nearfar::ProxyNca;
using nearfar::Reduction;
using nearfar::SphereFace;

Real angle(Real z) { return std::acos(std::clamp(z, Real(-1), Real(1))); }

/// Logits scale * z; `own(z, class)` returns psi and dpsi/dz for the row's class.
LogitOf of_cosine(Real scale, const std::function<std::pair<Real, Real>(Real, Index)>& own) {
  return [=](const RowAndClass& pair) -> Logit {
    const Real z = pair.z[0];
    const auto [value, slope] = pair.is_own() ? own(z, pair.of) : std::pair<Real, Real>(z, 1);
    return {scale * value, {scale * slope}, 0, {}};
  };
}
LogitOf arc_face(Real scale, const std::function<Real(Index)>& margin_of) {
  return of_cosine(scale, [=](Real z, Index c) -> std::pair<Real, Real> {
    const Real m = margin_of(c);
    const Real theta = angle(z);
    if (theta <= std::numbers::pi_v<Real> - m) {
      return {std::cos(theta + m), theta > 0 ? std::sin(theta + m) / std::sin(theta) : std::cos(m)};
    }
    return {z - m * std::sin(m), 1};
  });
}
LogitOf cos_face(Real scale, const std::function<Real(Index)>& margin_of) {
  return of_cosine(scale,
                   [=](Real z, Index c) { return std::pair<Real, Real>(z - margin_of(c), 1); });
}
LogitOf plain(Real scale) {
  return of_cosine(scale, [](Real z, Index) { return std::pair<Real, Real>(z, 1); });
}

/// Logits scale |x| z, times |w| unless proxies are normalised.
LogitOf multiple(Real scale, int m, bool normalises) {
  return [=](const RowAndClass& pair) -> Logit {
    const Real z = pair.z[0];
    Real psi = z;
    Real slope = 1;
    if (pair.is_own()) {
      const Real theta = angle(z);
      const Real k = std::min<Real>(
          m - 1, std::floor(static_cast<Real>(m) * theta / std::numbers::pi_v<Real>));
      const Real sign = static_cast<int>(k) % 2 == 0 ? 1 : -1;
      psi = sign * std::cos(m * theta) - 2 * k;
      slope = std::sin(theta) > 1e-9L ? sign * m * std::sin(m * theta) / std::sin(theta)
                                      : static_cast<Real>(m) * m;
    }
    const Real w = normalises ? 1 : pair.size[0];
    Logit out{scale * pair.row * w * psi, {scale * pair.row * w * slope}, scale * w * psi, {}};
    if (!normalises) out.of_size = {scale * pair.row * psi};
    return out;
  };
}

/// A batch against its proxies, with a zero row, ties, and classes without rows where C > 2.
template <class S>
struct Batch {
  Matrix<S> x;
  Matrix<S> proxies;
  std::vector<int> labels;

  Batch(Index n, Index classes, Index depth)
      : x(S(2) * random_rows<S>(n, depth, 3)), proxies(random_rows<S>(classes, depth, 4)) {
    labels = random_labels(n, static_cast<int>(std::max<Index>(1, classes - 1)), 5);
    if (n > 4) {
      x.row(1) = x.row(0);
      labels[1] = labels[0];
      x.row(3).setZero();
    }
    if (classes > 3) proxies.row(2) = proxies.row(1);
  }

  /// The same without the zero row.
  Batch without_zeros() const {
    Batch out = *this;
    if (x.rows() > 4) out.x.row(3) = -x.row(4);
    return out;
  }
};

template <class S, class Loss>
void expect_formula(const Loss& loss, const Batch<S>& b, const LogitOf& logit,
                    bool with_own = true) {
  const ProxyOracle want = proxy_softmax<S>(b.x, b.labels, b.proxies, 1, logit, with_own);
  Matrix<S> dx;
  Matrix<S> d_proxies;
  const auto got = loss.forward_backward(b.x, b.labels, b.proxies, dx, d_proxies);
  expect_proxy_oracle<S>(got, dx, d_proxies, want);
  const auto again = loss.forward(b.x, b.labels, b.proxies);
  EXPECT_EQ(again.values, got.values);
  EXPECT_EQ(got.diagnostics.terms, b.x.rows());
  EXPECT_EQ(got.diagnostics.anchors_without_negative, b.proxies.rows() == 1 ? b.x.rows() : 0);
}

template <class S>
class ClassSoftmax : public testing::Test {
 protected:
  /// Batches of one row and of one class, and more classes than a tile of scores is wide.
  template <class Body>
  static void each_batch(const Body& body) {
    for (const auto& [n, classes, depth] : {std::tuple<Index, Index, Index>(1, 1, 3),
                                            {1, 4, 3},
                                            {7, 1, 5},
                                            {9, 2, 1},
                                            {33, 7, 9},
                                            {130, 5, 17},
                                            {5, 400, 11}}) {
      SCOPED_TRACE(testing::Message() << n << " rows, " << classes << " classes");
      body(Batch<S>(n, classes, depth));
    }
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ClassSoftmax, Scalars);

TYPED_TEST(ClassSoftmax, NormalizedSoftmaxEqualsTheFormula) {
  using S = TypeParam;
  this->each_batch([](const Batch<S>& b) {
    expect_formula<S>(NormalizedSoftmax<S>({.temperature = 0.1, .reduction = Reduction::none}), b,
                      plain(10));
  });
}

TYPED_TEST(ClassSoftmax, ArcFaceEqualsTheFormula) {
  using S = TypeParam;
  this->each_batch([](const Batch<S>& b) {
    if (b.x.cols() == 1) return;  // only angles 0 and pi, where the function has a corner
    for (const double margin : {0.0, 0.5, 1.3}) {
      SCOPED_TRACE(margin);
      expect_formula<S>(ArcFace<S>({.scale = 8, .margin = margin, .reduction = Reduction::none}), b,
                        arc_face(8, [=](Index) { return static_cast<Real>(margin); }));
    }
  });
}

TYPED_TEST(ClassSoftmax, CosFaceEqualsTheFormula) {
  using S = TypeParam;
  this->each_batch([](const Batch<S>& b) {
    for (const double margin : {-0.2, 0.35}) {
      expect_formula<S>(CosFace<S>({.scale = 8, .margin = margin, .reduction = Reduction::none}), b,
                        cos_face(8, [=](Index) { return static_cast<Real>(margin); }));
    }
  });
}

TYPED_TEST(ClassSoftmax, SphereFaceEqualsTheFormula) {
  using S = TypeParam;
  this->each_batch([](const Batch<S>& b) {
    for (const int margin : {1, 2, 3, 4, 7}) {
      SCOPED_TRACE(margin);
      expect_formula<S>(
          SphereFace<S>({.scale = 0.7, .margin = margin, .reduction = Reduction::none}),
          b.without_zeros(), multiple(Real(0.7), margin, true));
    }
  });
}

TYPED_TEST(ClassSoftmax, LargeMarginSoftmaxEqualsTheFormula) {
  using S = TypeParam;
  this->each_batch([](const Batch<S>& b) {
    for (const int margin : {1, 2, 3, 4, 7}) {
      SCOPED_TRACE(margin);
      expect_formula<S>(
          LargeMarginSoftmax<S>({.scale = 0.7, .margin = margin, .reduction = Reduction::none}),
          b.without_zeros(), multiple(Real(0.7), margin, false));
    }
  });
}

TYPED_TEST(ClassSoftmax, ProxyNcaEqualsTheFormula) {
  using S = TypeParam;
  this->each_batch([](const Batch<S>& b) {
    expect_formula<S>(ProxyNca<S>({.scale = 3, .reduction = Reduction::none}), b, plain(6));
    if (b.proxies.rows() == 1) return;
    expect_formula<S>(
        ProxyNca<S>(
            {.scale = 3, .denominator = Denominator::negatives_only, .reduction = Reduction::none}),
        b, plain(6), false);
  });
}

/// Each class has its own margin, and the classes of the call are some of many.
TYPED_TEST(ClassSoftmax, TakesMarginsAndNumbersOfClasses) {
  using S = TypeParam;
  Batch<S> b(33, 7, 9);
  const std::vector<std::int64_t> numbers = {40, -3, 17, std::int64_t(1) << 60, 5, 0, 8};
  std::vector<std::int64_t> labels;
  for (const int label : b.labels) labels.push_back(numbers[static_cast<std::size_t>(label)]);
  const std::vector<S> margins = {S(0.1), S(0.2), S(0.3), S(0.4), S(0.5), S(0.6), S(0.7)};
  const auto margin_of = [&](Index c) {
    return static_cast<Real>(margins[static_cast<std::size_t>(c)]);
  };
  const auto check = [&](const auto& loss, const LogitOf& logit) {
    const ProxyOracle want = proxy_softmax<S>(b.x, b.labels, b.proxies, 1, logit);
    Matrix<S> dx;
    Matrix<S> d_proxies;
    const auto got = loss.forward_backward(
        b.x, labels, Proxies(b.proxies).classes(numbers).margins(margins), dx, d_proxies);
    expect_proxy_oracle<S>(got, dx, d_proxies, want);
  };
  check(ArcFace<S>({.scale = 8, .reduction = Reduction::none}), arc_face(8, margin_of));
  check(CosFace<S>({.scale = 8, .reduction = Reduction::none}), cos_face(8, margin_of));
}

/// The derivatives of learnable numbers, by differences of long doubles.
TEST(ClassSoftmax, HasTheDerivativeOfItsScale) {
  const Batch<double> b(9, 4, 5);
  const auto sum = [&](const LogitOf& logit, bool with_own = true) {
    return proxy_softmax<double>(b.x, b.labels, b.proxies, 1, logit, with_own).sum();
  };
  const auto learnt = [&](const auto& loss) {
    Matrix<double> dx;
    Matrix<double> d_proxies;
    return loss.forward_backward(b.x, b.labels, b.proxies, dx, d_proxies);
  };
  constexpr Reduction all = Reduction::sum;
  const auto half = [](Index) { return Real(0.5); };
  const Slope temperature([&](Real t) { return sum(plain(1 / t)); }, Real(0.3));
  expect_derivative(
      learnt(NormalizedSoftmax<double>({.temperature = 0.3, .reduction = all})).d_temperature,
      temperature.derivative, "NormalizedSoftmax");
  const Slope arc([&](Real s) { return sum(arc_face(s, half)); }, 4);
  expect_derivative(learnt(ArcFace<double>({.scale = 4, .margin = 0.5, .reduction = all})).d_scale,
                    arc.derivative, "ArcFace");
  const Slope cos([&](Real s) { return sum(cos_face(s, half)); }, 4);
  expect_derivative(learnt(CosFace<double>({.scale = 4, .margin = 0.5, .reduction = all})).d_scale,
                    cos.derivative, "CosFace");
  for (const bool normalises : {true, false}) {
    const Slope want([&](Real s) { return sum(multiple(s, 3, normalises)); }, Real(0.7));
    const double got =
        normalises
            ? learnt(SphereFace<double>({.scale = 0.7, .margin = 3, .reduction = all})).d_scale
            : learnt(LargeMarginSoftmax<double>({.scale = 0.7, .margin = 3, .reduction = all}))
                  .d_scale;
    expect_derivative(got, want.derivative, normalises ? "SphereFace" : "LargeMarginSoftmax");
  }
  for (const auto denominator : {Denominator::with_positive, Denominator::negatives_only}) {
    const bool with_own = denominator == Denominator::with_positive;
    const Slope want([&](Real s) { return sum(plain(2 * s), with_own); }, 3);
    expect_derivative(
        learnt(ProxyNca<double>({.scale = 3, .denominator = denominator, .reduction = all}))
            .d_scale,
        want.derivative, "ProxyNca");
  }
}

/// A row with the direction of its proxy, at the corner of cos(theta + m), and rows near it.
TYPED_TEST(ClassSoftmax, ArcFaceAtASmallAngleIsRight) {
  using S = TypeParam;
  Batch<S> b(4, 3, 6);
  b.labels = {0, 1, 2, 0};
  for (Index i = 0; i < 3; ++i) b.x.row(i) = S(3) * b.proxies.row(i);
  const S small = sizeof(S) == sizeof(float) ? S(1e-2) : S(1e-4);
  b.x(1, 0) += small;
  const auto half = [](Index) { return Real(0.5); };
  const ArcFace<S> loss({.scale = 8, .margin = 0.5, .reduction = Reduction::none});
  const ProxyOracle want = proxy_softmax<S>(b.x, b.labels, b.proxies, 1, arc_face(8, half));
  Matrix<S> dx;
  Matrix<S> d_proxies;
  const auto got = loss.forward_backward(b.x, b.labels, b.proxies, dx, d_proxies);
  for (std::size_t i = 0; i < 4; ++i) {
    // Near 1, an arc cosine has half the digits of its argument.
    EXPECT_NEAR(got.values[i], static_cast<double>(want.values[i]),
                std::max(10 * Tolerance<S>::value, 4e-9))
        << i;
  }
  EXPECT_TRUE(dx.allFinite());
  EXPECT_TRUE(d_proxies.allFinite());
  const double size = static_cast<double>(want.dx.row(1).norm());
  const auto digits = std::numeric_limits<S>::epsilon() / small;
  EXPECT_LE((dx.row(1).template cast<Real>() - want.dx.row(1)).norm(), 10 * size * digits);
}

/// Zero rows that are not normalised have no angle: their scores are inner products without a
/// margin.
TYPED_TEST(ClassSoftmax, ZeroRowsOfAnyLengthHaveNoMargin) {
  using S = TypeParam;
  Batch<S> b(5, 4, 6);
  const Matrix<S> zero = Matrix<S>::Zero(1, 6);
  const std::vector<int> label = {2};
  Matrix<S> dx, dx_wanted, dw, dw_wanted;
  const auto got = LargeMarginSoftmax<S>().forward_backward(zero, label, b.proxies, dx, dw);
  const auto want = LargeMarginSoftmax<S>({.margin = 1})
                        .forward_backward(zero, label, b.proxies, dx_wanted, dw_wanted);
  EXPECT_NEAR(got.value, std::log(4.0), Tolerance<S>::value * 2);
  EXPECT_EQ(got.value, want.value);
  EXPECT_GT(dx.norm(), S(0.1));
  EXPECT_TRUE(same_bits(dx, dx_wanted));
  EXPECT_TRUE(same_bits(dw, dw_wanted));
}

/// The loss of every row is near 0: values and gradients have all digits, relative to themselves.
TYPED_TEST(ClassSoftmax, KeepsTheDigitsOfSmallValues) {
  using S = TypeParam;
  Matrix<S> x = Matrix<S>::Identity(3, 3);
  const std::vector<int> labels = {0, 1, 2};
  const CosFace<S> loss({.scale = 64, .margin = 0.25, .reduction = Reduction::none});
  const auto got = loss.forward(x, labels, x);
  const double want = std::log1p(2 * std::exp(-48.0));
  for (const double value : got.values) EXPECT_NEAR(value, want, 1e-5 * want);
}

TEST(ClassSoftmax, LossesThatAreTheSameAgree) {
  const Batch<double> b(33, 7, 9);
  const auto value = [&](const auto& loss) { return loss.forward(b.x, b.labels, b.proxies).value; };
  const double plain_value = value(NormalizedSoftmax<double>({.temperature = 0.125}));
  EXPECT_NEAR(value(ArcFace<double>({.scale = 8, .margin = 0})), plain_value, 1e-12);
  EXPECT_NEAR(value(CosFace<double>({.scale = 8, .margin = 0})), plain_value, 1e-12);
  EXPECT_NEAR(value(ProxyNca<double>({.scale = 4})), plain_value, 1e-12);
  Batch<double> unit = b;
  unit.x.row(3) = unit.x.row(4);  // no zero row
  unit.x.rowwise().normalize();
  unit.proxies.rowwise().normalize();
  const auto of_unit = [&](const auto& loss) {
    return loss.forward(unit.x, unit.labels, unit.proxies).value;
  };
  EXPECT_NEAR(of_unit(SphereFace<double>({.scale = 8})),
              of_unit(LargeMarginSoftmax<double>({.scale = 8})), 1e-12);
}

/// With all classes, or with those of the batch and some others, gathered: the same softmax as that
/// of a loss without further classes.
TEST(ClassSoftmax, OfSomeClassesIsThatOfTheirProxiesAlone) {
  const Batch<double> b(12, 30, 9);
  std::vector<int> some(b.labels);
  for (const int other : {3, 29, 11, 4}) some.push_back(other);
  std::sort(some.begin(), some.end());
  some.erase(std::unique(some.begin(), some.end()), some.end());
  Matrix<double> gathered(static_cast<Index>(some.size()), 9);
  std::vector<int> places;
  for (std::size_t c = 0; c < some.size(); ++c) {
    gathered.row(static_cast<Index>(c)) = b.proxies.row(some[c]);
  }
  for (const int label : b.labels) {
    places.push_back(
        static_cast<int>(std::lower_bound(some.begin(), some.end(), label) - some.begin()));
  }
  const ArcFace<double> loss({.scale = 8});
  Matrix<double> dx, dx_wanted, dw, dw_wanted;
  const auto got = loss.forward_backward(b.x, b.labels, Proxies(gathered).classes(some), dx, dw);
  const auto want = loss.forward_backward(b.x, places, gathered, dx_wanted, dw_wanted);
  EXPECT_EQ(got.value, want.value);
  EXPECT_TRUE(same_bits(dx, dx_wanted));
  EXPECT_TRUE(same_bits(dw, dw_wanted));
}

TEST(ClassSoftmax, RefusesWhatDoesNotFit) {
  const Batch<double> b(5, 4, 3);
  const ArcFace<double> loss;
  const auto refused = [&](const std::vector<std::string>& words, const std::vector<int>& labels,
                           const Proxies<double>& proxies) {
    expect_refused({words[0].c_str(), Thrown::invalid_argument, words,
                    [&] { loss.forward(b.x, labels, proxies); }});
  };
  refused({"nearfar: labels: wanted indices from 0 to 3", "got 4 for row 2"}, {0, 1, 4, 0, 0},
          b.proxies);
  refused({"nearfar: labels: wanted indices from 0 to 3", "got -1 for row 4"}, {0, 1, 2, 0, -1},
          b.proxies);
  refused({"nearfar: proxies: wanted at least one class, got none"}, {0, 1, 2, 0, 0},
          b.proxies.topRows(0).eval());
  refused({"nearfar: labels: wanted 5 labels, one a row", "got 4"}, {0, 1, 2, 0}, b.proxies);
  const std::vector<int> numbers = {4, 9, -2, 6};
  const Proxies<double> some = Proxies(b.proxies).classes(numbers);
  refused({"nearfar: labels: wanted numbers of classes that have proxies", "got 5 for row 3"},
          {4, 9, 6, 5, 4}, some);
  refused({"nearfar: labels: wanted 5 labels"}, {4, 9}, some);
  const std::vector<int> twice = {4, 9, 4, 6};
  refused({"nearfar: classes: wanted different numbers", "got 4 twice"}, {4, 9, 6, 4, 4},
          Proxies(b.proxies).classes(twice));
  const std::vector<int> few = {4, 9};
  refused({"nearfar: classes: wanted 4 numbers, one a class", "got 2"}, {4, 9, 4, 4, 4},
          Proxies(b.proxies).classes(few));
  const std::vector<double> two = {0.1, 0.2};
  refused({"nearfar: margins: wanted 4 numbers, one a class", "got 2"}, {0, 1, 2, 0, 0},
          Proxies(b.proxies).margins(two));
  const std::vector<double> wide = {0.1, 0.2, 4, 0.1};
  refused({"nearfar: margins: wanted a number from 0 to pi", "got 4"}, {0, 1, 2, 0, 0},
          Proxies(b.proxies).margins(wide));
  const std::vector<double> good = {0.1, 0.2, 0.3, 0.1};
  const auto has_none = [&](const auto& other) {
    expect_refused({"none", Thrown::invalid_argument, {"nearfar: margins: wanted none"}, [&] {
                      other.forward(b.x, b.labels, Proxies(b.proxies).margins(good));
                    }});
  };
  has_none(NormalizedSoftmax<double>());
  has_none(ProxyNca<double>());
  has_none(SphereFace<double>());
  has_none(LargeMarginSoftmax<double>());
}

TEST(ClassSoftmax, RefusesOptionsOutOfRange) {
  expect_must_be_positive("temperature",
                          [](double v) { NormalizedSoftmax<float>({.temperature = v}); });
  expect_must_be_positive("scale", [](double v) { ArcFace<float>({.scale = v}); });
  expect_must_be_positive("scale", [](double v) { CosFace<float>({.scale = v}); });
  expect_must_be_positive("scale", [](double v) { SphereFace<float>({.scale = v}); });
  expect_must_be_positive("scale", [](double v) { LargeMarginSoftmax<float>({.scale = v}); });
  expect_must_be_positive("scale", [](double v) { ProxyNca<float>({.scale = v}); });
  expect_refuses(
      {"margin", "a number from 0 to pi", [](double v) { ArcFace<float>({.margin = v}); }},
      {{-0.1, "-0.1"}, {3.2, "3.2"}, {not_a_number, "nan"}, {infinite, "inf"}});
  expect_must_be_finite("margin", [](double v) { CosFace<float>({.margin = v}); });
  for (const int bad : {0, -1, 101}) {
    const std::string got = "got " + std::to_string(bad);
    expect_refused({"SphereFace",
                    Thrown::invalid_argument,
                    {"nearfar: margin: wanted an integer from 1 to 100", got},
                    [&] { SphereFace<float>({.margin = bad}); }});
    expect_refused({"LargeMarginSoftmax",
                    Thrown::invalid_argument,
                    {"nearfar: margin: wanted an integer from 1 to 100", got},
                    [&] { LargeMarginSoftmax<float>({.margin = bad}); }});
  }
}

TEST(ClassSoftmax, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::NormalizedSoftmaxOptions().temperature, 0.05);
  EXPECT_EQ(nearfar::ArcFaceOptions().scale, 64);
  EXPECT_EQ(nearfar::ArcFaceOptions().margin, 0.5);
  EXPECT_EQ(nearfar::CosFaceOptions().scale, 64);
  EXPECT_EQ(nearfar::CosFaceOptions().margin, 0.35);
  EXPECT_EQ(nearfar::SphereFaceOptions().scale, 1);
  EXPECT_EQ(nearfar::SphereFaceOptions().margin, 4);
  EXPECT_EQ(nearfar::LargeMarginSoftmaxOptions().scale, 1);
  EXPECT_EQ(nearfar::LargeMarginSoftmaxOptions().margin, 4);
  EXPECT_EQ(nearfar::ProxyNcaOptions().scale, 1);
  EXPECT_EQ(nearfar::ProxyNcaOptions().denominator, Denominator::with_positive);
  expect_common_defaults<nearfar::NormalizedSoftmaxOptions>();
  expect_common_defaults<nearfar::ArcFaceOptions>();
  expect_common_defaults<nearfar::CosFaceOptions>();
  expect_common_defaults<nearfar::SphereFaceOptions>();
  expect_common_defaults<nearfar::LargeMarginSoftmaxOptions>();
  expect_common_defaults<nearfar::ProxyNcaOptions>();
}

}  // namespace
