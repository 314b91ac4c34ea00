#include <gtest/gtest.h>

#include <nearfar/losses/class_centers.hpp>
#include <nearfar/losses/class_softmax.hpp>

#include "support/allocations.hpp"
#include "support/learnable_numbers.hpp"
#include "support/options.hpp"
#include "support/proxy_oracle.hpp"

/// Softmax losses over classes with several centres against plain loops in long double: values,
/// gradients, derivatives of learnable numbers; bits and memory; and their options.

namespace {

using namespace support;
using nearfar::Proxies;
using nearfar::Reduction;
using nearfar::SoftTriple;
using nearfar::SubCenterArcFace;
using nearfar::Workspace;

using MarginOf = std::function<Real(Index)>;

MarginOf same_for_all(double margin) {
  return [=](Index) { return static_cast<Real>(margin); };
}

LogitOf sub_center_arc_face(Real scale, const MarginOf& margin_of) {
  return [=](const RowAndClass& pair) {
    const auto nearest = std::max_element(pair.z.begin(), pair.z.end());
    const Real z = *nearest;
    const Real m = margin_of(pair.of);
    Real value = z;
    Real slope = 1;
    if (pair.is_own()) {
      const Real theta = std::acos(z);
      const bool within = theta <= std::numbers::pi_v<Real> - m;
      value = within ? std::cos(theta + m) : z - m * std::sin(m);
      slope = within ? std::sin(theta + m) / std::sin(theta) : 1;
    }
    Logit out{scale * value, std::vector<Real>(pair.z.size(), 0), 0, {}};
    out.of_z[static_cast<std::size_t>(nearest - pair.z.begin())] = scale * slope;
    return out;
  };
}

LogitOf soft_triple(Real lambda, Real gamma, const MarginOf& margin_of) {
  return [=](const RowAndClass& pair) {
    const Real top = *std::max_element(pair.z.begin(), pair.z.end());
    Real sum = 0;
    Real mean = 0;
    for (const Real z : pair.z) {
      sum += std::exp((z - top) / gamma);
      mean += std::exp((z - top) / gamma) * z;
    }
    mean /= sum;
    Logit out{lambda * (mean - (pair.is_own() ? margin_of(pair.of) : 0)), {}, 0, {}};
    for (const Real z : pair.z) {
      out.of_z.push_back(lambda * std::exp((z - top) / gamma) / sum * (1 + (z - mean) / gamma));
    }
    return out;
  };
}

/// A batch against the centres of its classes, with a zero row and ties of rows and of centres.
template <class S>
struct Batch {
  Matrix<S> x;
  Matrix<S> proxies;
  std::vector<int> labels;
  Index classes;
  Index centers;

  Batch(Index n, Index its_classes, Index its_centers, Index depth)
      : x(S(2) * random_rows<S>(n, depth, 3)),
        proxies(random_rows<S>(its_classes * its_centers, depth, 4)),
        labels(random_labels(n, static_cast<int>(std::max<Index>(1, its_classes - 1)), 5)),
        classes(its_classes),
        centers(its_centers) {
    if (n > 4) x.row(1) = x.row(0);
    if (n > 4) x.row(3).setZero();
    if (classes > 3) proxies.row(2 * centers) = proxies.row(centers);
  }
};

template <class S, class Loss>
void expect_formula(const Loss& loss, const Batch<S>& b, const LogitOf& logit) {
  const ProxyOracle want = proxy_softmax<S>(b.x, b.labels, b.proxies, b.centers, logit);
  Matrix<S> dx;
  Matrix<S> d_proxies;
  const auto got = loss.forward_backward(b.x, b.labels, b.proxies, dx, d_proxies);
  expect_proxy_oracle<S>(got, dx, d_proxies, want);
  EXPECT_EQ(loss.forward(b.x, b.labels, b.proxies).values, got.values);
  EXPECT_EQ(got.diagnostics.terms, b.x.rows());
  EXPECT_EQ(got.diagnostics.anchors_without_negative, b.classes == 1 ? b.x.rows() : 0);
}

template <class S>
class ClassCenters : public testing::Test {
 protected:
  /// One row and one class; centres that fill a tile of scores and that lie across two of them;
  /// classes with more centres than a tile is wide.
  template <class Body>
  static void each_batch(const Body& body) {
    for (const auto& [n, classes, centers, depth] :
         {std::tuple<Index, Index, Index, Index>(1, 1, 1, 3),
          {7, 1, 4, 5},
          {9, 2, 1, 4},
          {33, 7, 3, 9},
          {130, 5, 2, 17},
          {5, 400, 1, 11},
          {7, 130, 7, 6},
          {6, 3, 500, 8}}) {
      SCOPED_TRACE(testing::Message()
                   << n << " rows, " << classes << " classes, " << centers << " centres");
      body(Batch<S>(n, classes, centers, depth), static_cast<int>(centers));
    }
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ClassCenters, Scalars);

TYPED_TEST(ClassCenters, SubCenterArcFaceEqualsTheFormula) {
  using S = TypeParam;
  this->each_batch([](Batch<S> b, int centers) {
    // Any centre may be the nearest of a zero row.
    if (b.x.rows() > 4) b.x.row(3) = -b.x.row(4);
    for (const double margin : {0.0, 0.4, 1.2}) {
      SCOPED_TRACE(margin);
      expect_formula<S>(
          SubCenterArcFace<S>(
              {.scale = 8, .margin = margin, .sub_centers = centers, .reduction = Reduction::none}),
          b, sub_center_arc_face(8, same_for_all(margin)));
    }
  });
}

TYPED_TEST(ClassCenters, SoftTripleEqualsTheFormula) {
  using S = TypeParam;
  this->each_batch([](const Batch<S>& b, int centers) {
    for (const double gamma : {0.1, 1.0}) {
      SCOPED_TRACE(gamma);
      expect_formula<S>(SoftTriple<S>({.lambda = 8,
                                       .gamma = gamma,
                                       .margin = 0.05,
                                       .centers_per_class = centers,
                                       .reduction = Reduction::none}),
                        b, soft_triple(8, static_cast<Real>(gamma), same_for_all(0.05)));
    }
  });
}

/// Margins and numbers belong to classes, not to centres.
TYPED_TEST(ClassCenters, TakeMarginsAndNumbersOfClasses) {
  using S = TypeParam;
  Batch<S> b(33, 7, 3, 9);
  b.x.row(3) = -b.x.row(4);
  const std::vector<int> numbers = {40, -3, 17, 1 << 30, 5, 0, 8};
  std::vector<int> labels;
  for (const int label : b.labels) labels.push_back(numbers[static_cast<std::size_t>(label)]);
  const std::vector<S> margins = {S(0.1), S(0.2), S(0.3), S(0.4), S(0.5), S(0.6), S(0.7)};
  const MarginOf margin_of = [&](Index c) {
    return static_cast<Real>(margins[static_cast<std::size_t>(c)]);
  };
  const auto check = [&](const auto& loss, const LogitOf& logit) {
    Matrix<S> dx;
    Matrix<S> d_proxies;
    const auto got = loss.forward_backward(
        b.x, labels, Proxies(b.proxies).classes(numbers).margins(margins), dx, d_proxies);
    expect_proxy_oracle<S>(got, dx, d_proxies,
                           proxy_softmax<S>(b.x, b.labels, b.proxies, 3, logit));
  };
  check(SubCenterArcFace<S>({.scale = 8, .sub_centers = 3, .reduction = Reduction::none}),
        sub_center_arc_face(8, margin_of));
  check(SoftTriple<S>(
            {.lambda = 8, .gamma = 0.2, .centers_per_class = 3, .reduction = Reduction::none}),
        soft_triple(8, Real(0.2), margin_of));
}

/// With one centre a class: the losses of classes with one proxy.
TYPED_TEST(ClassCenters, OfOneCentreAreThoseOfOneProxy) {
  using S = TypeParam;
  const Batch<S> b(33, 7, 1, 9);
  const double same = Tolerance<S>::same * 8;
  EXPECT_NEAR(
      SubCenterArcFace<S>({.scale = 8, .sub_centers = 1}).forward(b.x, b.labels, b.proxies).value,
      nearfar::ArcFace<S>({.scale = 8}).forward(b.x, b.labels, b.proxies).value, same);
  EXPECT_NEAR(
      SoftTriple<S>({.lambda = 8, .margin = 0.3, .centers_per_class = 1})
          .forward(b.x, b.labels, b.proxies)
          .value,
      nearfar::CosFace<S>({.scale = 8, .margin = 0.3}).forward(b.x, b.labels, b.proxies).value,
      same);
}

TEST(ClassCenters, HaveTheDerivativesOfTheirNumbers) {
  const Batch<double> b(9, 4, 3, 5);
  const auto sum = [&](const LogitOf& logit) {
    return proxy_softmax<double>(b.x, b.labels, b.proxies, 3, logit).sum();
  };
  Matrix<double> dx;
  Matrix<double> d_proxies;
  const Slope scale([&](Real v) { return sum(sub_center_arc_face(v, same_for_all(0.5))); }, 4);
  expect_derivative(
      SubCenterArcFace<double>({.scale = 4, .sub_centers = 3, .reduction = Reduction::sum})
          .forward_backward(b.x, b.labels, b.proxies, dx, d_proxies)
          .d_scale,
      scale.derivative, "d_scale");
  const Slope lambda([&](Real v) { return sum(soft_triple(v, Real(0.2), same_for_all(0.01))); }, 4);
  const Slope gamma([&](Real v) { return sum(soft_triple(4, v, same_for_all(0.01))); }, Real(0.2));
  const auto got =
      SoftTriple<double>(
          {.lambda = 4, .gamma = 0.2, .centers_per_class = 3, .reduction = Reduction::sum})
          .forward_backward(b.x, b.labels, b.proxies, dx, d_proxies);
  expect_derivative(got.d_lambda, lambda.derivative, "d_lambda");
  expect_derivative(got.d_gamma, gamma.derivative, "d_gamma");
  // Derivatives of learnable numbers alone: no row's gradient is wanted.
  const auto numbers =
      SoftTriple<double>(
          {.lambda = 4, .gamma = 0.2, .centers_per_class = 3, .reduction = Reduction::sum})
          .forward_backward(b.x, b.labels, b.proxies, nearfar::no_gradient, nearfar::no_gradient);
  EXPECT_EQ(numbers.d_lambda, got.d_lambda);
  EXPECT_EQ(numbers.d_gamma, got.d_gamma);
  const auto forward =
      SoftTriple<double>({.lambda = 4, .centers_per_class = 3}).forward(b.x, b.labels, b.proxies);
  EXPECT_EQ(forward.d_lambda, 0);
  EXPECT_EQ(forward.d_gamma, 0);
}

TYPED_TEST(ClassCenters, HaveTheSameBitsAtAnyNumberOfThreadsAndAllocateOnce) {
  using S = TypeParam;
  const Batch<S> b(230, 60, 7, 19);
  const auto check = [&](const auto& loss) {
    Workspace alone(1);
    Matrix<S> dx_wanted, dw_wanted;
    const auto want =
        loss.forward_backward(b.x, b.labels, b.proxies, dx_wanted, dw_wanted, {&alone});
    const long before = allocations;
    loss.forward_backward(b.x, b.labels, b.proxies, dx_wanted, dw_wanted, {&alone});
    EXPECT_EQ(allocations - before, 0);
    for (const int threads : {2, 3, 7}) {
      Workspace workspace(threads);
      Matrix<S> dx, dw;
      const auto got = loss.forward_backward(b.x, b.labels, b.proxies, dx, dw, {&workspace});
      expect_identical(got, want);
      EXPECT_TRUE(same_bits(dx, dx_wanted));
      EXPECT_TRUE(same_bits(dw, dw_wanted));
    }
  };
  check(SubCenterArcFace<S>({.scale = 8, .sub_centers = 7}));
  check(SoftTriple<S>({.centers_per_class = 7}));
}

TEST(ClassCenters, RefuseWhatDoesNotFit) {
  const Batch<double> b(5, 4, 3, 3);
  const auto refused = [&](const char* words, const Matrix<double>& proxies) {
    expect_refused({words, Thrown::invalid_argument, {words}, [&] {
                      SubCenterArcFace<double>().forward(b.x, b.labels, proxies);
                    }});
  };
  refused("nearfar: proxies: wanted a multiple of 3 rows, the centres of each class, got 11",
          b.proxies.topRows(11));
  refused("nearfar: labels: wanted indices from 0 to 0", b.proxies.topRows(3));
  for (const int bad : {0, -2}) {
    const std::string got = "wanted an integer >= 1, got " + std::to_string(bad);
    expect_refused({"sub_centers", Thrown::invalid_argument, {"nearfar: sub_centers: " + got}, [&] {
                      SubCenterArcFace<double>({.sub_centers = bad});
                    }});
    expect_refused({"centers_per_class",
                    Thrown::invalid_argument,
                    {"nearfar: centers_per_class: " + got},
                    [&] { SoftTriple<double>({.centers_per_class = bad}); }});
  }
  expect_must_be_positive("scale", [](double v) { SubCenterArcFace<float>({.scale = v}); });
  expect_must_be_positive("lambda", [](double v) { SoftTriple<float>({.lambda = v}); });
  expect_must_be_positive("gamma", [](double v) { SoftTriple<float>({.gamma = v}); });
  expect_must_be_finite("margin", [](double v) { SoftTriple<float>({.margin = v}); });
  expect_must_be_finite(
      "margin", [](double v) { SubCenterArcFace<float>({.margin = v}); }, "a number from 0 to pi");
}

TEST(ClassCenters, HaveTheDefaultsOfTheirPage) {
  EXPECT_EQ(nearfar::SubCenterArcFaceOptions().scale, 64);
  EXPECT_EQ(nearfar::SubCenterArcFaceOptions().margin, 0.5);
  EXPECT_EQ(nearfar::SubCenterArcFaceOptions().sub_centers, 3);
  EXPECT_EQ(nearfar::SoftTripleOptions().lambda, 20);
  EXPECT_EQ(nearfar::SoftTripleOptions().gamma, 0.1);
  EXPECT_EQ(nearfar::SoftTripleOptions().margin, 0.01);
  EXPECT_EQ(nearfar::SoftTripleOptions().centers_per_class, 10);
  expect_common_defaults<nearfar::SubCenterArcFaceOptions>();
  expect_common_defaults<nearfar::SoftTripleOptions>();
}

}  // namespace
