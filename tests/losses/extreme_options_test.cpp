#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <nearfar/nearfar.hpp>

#include "support/errors.hpp"
#include "support/random.hpp"

/// Options and upstreams at the ends of their range give a finite result, or an error with their
/// name.

namespace {

using namespace nearfar;
using support::caught;
using support::expect_refused;
using support::random_rows;
using support::Thrown;

template <class S>
class ExtremeOptions : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ExtremeOptions, Scalars);

bool finite(double v) { return std::isfinite(v); }
template <class S>
bool finite(const Matrix<S>& m) {
  return m.allFinite();
}

/// The positive is farther than the negative: dL/dtau is -(0.2 / tau^2), which overflows double.
TYPED_TEST(ExtremeOptions, OfATemperatureWhoseDerivativeOverflowsAreRefused) {
  using S = TypeParam;
  Matrix<S> x(2, 2), y(2, 2);
  x << 1, 0, 0, 1;
  y << S(0.6), S(0.8), S(0.8), S(0.6);
  Matrix<S> dx = Matrix<S>::Constant(2, 2, 7), dy = dx;
  const Matrix<S> before = dx;
  const auto refused = [&](const char* name, const char* derivative, const auto& call) {
    expect_refused({name, Thrown::domain_error, {derivative, "finite derivative"}, call});
    EXPECT_EQ(dx, before) << name;
  };
  if constexpr (sizeof(S) == sizeof(double)) {
    const double tau = 1e-200;
    refused("InfoNce", "d_temperature",
            [&] { InfoNce<S>({.temperature = tau}).forward_backward(x, y, dx, dy); });
    refused("negatives", "d_temperature", [&] {
      InfoNce<S>({.temperature = tau}).forward_backward(x, y, x, dx, dy, no_gradient);
    });
    refused("NtXent", "d_temperature",
            [&] { NtXent<S>({.temperature = tau}).forward_backward(x, y, dx, dy); });
    refused("SupCon", "d_temperature", [&] {
      SupCon<S>({.temperature = tau})
          .forward_backward(x, std::vector<int>{0, 1}, y, std::vector<int>{0, 1}, dx, dy);
    });
    refused("NegativeSampling", "d_temperature", [&] {
      NegativeSampling<S>({.temperature = tau}).forward_backward(x, y, x, dx, dy, no_gradient);
    });
    // If the pairs have the right order, the loss and all of its derivatives underflow.
    const auto fine = InfoNce<S>({.temperature = tau}).forward_backward(x, x, dx, dy);
    EXPECT_EQ(fine.value, 0);
    EXPECT_EQ(fine.d_temperature, 0);
  } else {
    refused("upstream", "d_temperature", [&] {
      InfoNce<S>({.temperature = 1e-30}).forward_backward(x, y, dx, dy, {.upstream = 1e300});
    });
  }
}

/// An option that overflows the scalar type, or whose inverse does, is refused by its own name.
TYPED_TEST(ExtremeOptions, ThatDoNotFitTheScalarTypeAreRefusedByName) {
  using S = TypeParam;
  struct Option {
    const char* name;
    std::function<void(double)> make;
  };
  const Option scales[] = {
      {"temperature", [](double v) { InfoNce<S>({.temperature = v}); }},
      {"temperature", [](double v) { NtXent<S>({.temperature = v}); }},
      {"temperature", [](double v) { SupCon<S>({.temperature = v}); }},
      {"temperature", [](double v) { HardNegative<S>({.temperature = v}); }},
      {"temperature", [](double v) { Sincere<S>({.temperature = v}); }},
      {"temperature", [](double v) { Nca<S>({.temperature = v}); }},
      {"temperature", [](double v) { TupletMargin<S>({.temperature = v}); }},
      {"temperature", [](double v) { Rince<S>({.temperature = v}); }},
      {"lambda", [](double v) { Rince<S>({.lambda = v}); }},
      {"temperature", [](double v) { RinceViews<S>({.temperature = v}); }},
      {"temperature", [](double v) { Dhel<S>({.temperature = v}); }},
      {"temperature", [](double v) { Dclw<S>({.temperature = v}); }},
      {"sigma", [](double v) { Dclw<S>({.sigma = v}); }},
      {"temperature", [](double v) { Nce<S>({.temperature = v}); }},
      {"temperature", [](double v) { NegativeSampling<S>({.temperature = v}); }},
      {"temperature", [](double v) { MutualInformation<S>({.temperature = v}); }},
      {"temperature", [](double v) { Cpc<S>({.length = 2, .temperature = v}); }},
      {"temperature", [](double v) { SmoothAp<S>({.temperature = v}); }},
      {"temperature", [](double v) { DistillKl<S>({.temperature = v}); }},
      {"scale", [](double v) { CoSent<S>({.scale = v}); }},
      {"scale", [](double v) { Angle<S>({.scale = v}); }},
      {"logit_scale", [](double v) { Clip<S>({.logit_scale = v}); }},
      {"logit_scale", [](double v) { SigLip<S>({.logit_scale = v}); }},
      {"gamma", [](double v) { Circle<S>({.gamma = v}); }},
      {"alpha", [](double v) { MultiSimilarity<S>({.alpha = v}); }},
      {"beta", [](double v) { MultiSimilarity<S>({.beta = v}); }},
      {"t", [](double v) { Uniformity<S>({.t = v}); }},
      {"temperature", [](double v) { NormalizedSoftmax<S>({.temperature = v}); }},
      {"scale", [](double v) { ArcFace<S>({.scale = v}); }},
      {"scale", [](double v) { CosFace<S>({.scale = v}); }},
      {"scale", [](double v) { SphereFace<S>({.scale = v}); }},
      {"scale", [](double v) { LargeMarginSoftmax<S>({.scale = v}); }},
      {"scale", [](double v) { ProxyNca<S>({.scale = v}); }},
      {"scale", [](double v) { SubCenterArcFace<S>({.scale = v}); }},
      {"lambda", [](double v) { SoftTriple<S>({.lambda = v}); }},
      {"gamma", [](double v) { SoftTriple<S>({.gamma = v}); }},
      {"alpha", [](double v) { ProxyAnchor<S>({.alpha = v}); }},
      {"t_max", [](double v) { SigReg<S>({.t_max = v}); }},
      {"temperature", [](double v) { MaxSimInfoNce<S>({.temperature = v}); }},
  };
  const bool narrow = sizeof(S) == sizeof(float);
  const double tiny = narrow ? 1e-39 : 4e-308;
  const double huge = narrow ? 1e38 : 1e308;
  for (const Option& option : scales) {
    for (const double v : {tiny, huge}) {
      expect_refused(
          {option.name, Thrown::invalid_argument, {option.name, "which fits the scalar type"}, [&] {
             option.make(v);
           }});
    }
    EXPECT_NO_THROW(option.make(narrow ? 1e-37 : 1e-300));
    EXPECT_NO_THROW(option.make(narrow ? 1e37 : 1e300));
  }
  const Option offsets[] = {
      {"margin", [](double v) { Triplet<S>({.margin = v}); }},
      {"margin", [](double v) { MinedTriplet<S>({.margin = v}); }},
      {"margin", [](double v) { HadsellContrastive<S>({.margin = v}); }},
      {"margin", [](double v) { LiftedStructure<S>({.margin = v}); }},
      {"margin", [](double v) { GeneralizedLiftedStructure<S>({.margin = v}); }},
      {"margin", [](double v) { MarginLoss<S>({.margin = v}); }},
      {"beta", [](double v) { MarginLoss<S>({.beta = v}); }},
      {"nu", [](double v) { MarginLoss<S>({.nu = v}); }},
      {"positive_margin", [](double v) { LinearContrastive<S>({.positive_margin = v}); }},
      {"base", [](double v) { MultiSimilarity<S>({.base = v}); }},
      {"epsilon", [](double v) { MultiSimilarity<S>({.epsilon = v}); }},
      {"m", [](double v) { Circle<S>({.m = v}); }},
      {"alpha", [](double v) { RankedList<S>({.alpha = v}); }},
      {"t_p", [](double v) { RankedList<S>({.t_p = v}); }},
      {"t_n", [](double v) { RankedList<S>({.t_n = v}); }},
      {"logit_bias", [](double v) { SigLip<S>({.logit_bias = v}); }},
      {"log_z", [](double v) { Nce<S>({.log_z = v}); }},
      {"margin", [](double v) { CosFace<S>({.margin = v}); }},
      {"margin", [](double v) { SoftTriple<S>({.margin = v}); }},
      {"margin", [](double v) { ProxyAnchor<S>({.margin = v}); }},
  };
  for (const Option& option : offsets) {
    expect_refused(
        {option.name, Thrown::invalid_argument, {option.name, "which fits the scalar type"}, [&] {
           option.make(huge);
         }});
  }
  expect_refused({"a cap below",
                  Thrown::invalid_argument,
                  {"largest_logit_scale", "which fits the scalar type"},
                  [&] { Clip<S>({.largest_logit_scale = tiny}); }});
}

/// At the ends of the allowed range, results are finite or refused; never NaN or infinity.
TYPED_TEST(ExtremeOptions, AtTheEndsGiveFiniteResultsOrErrors) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(6, 3, 1);
  const Matrix<S> y = random_rows<S>(6, 3, 2);
  const Matrix<S> half = x.topRows(3);
  const std::vector<int> labels = {0, 0, 1, 1, 2, 2};
  const std::vector<S> numbers = {S(0), S(1), S(0.25), S(0.5), S(0), S(2)};
  int computed = 0;
  for (const double v : {1e-300, 1e-37, 1e-20, 1e20, 1e37, 1e300}) {
    Matrix<S> dx = Matrix<S>::Zero(6, 3), dy = dx;
    const auto check = [&](const char* name, const auto& call) {
      bool ok = true;
      const support::Caught got = caught([&] { ok = call() && finite(dx) && finite(dy); });
      EXPECT_TRUE(ok) << name << " at " << v;
      EXPECT_TRUE(got.type != Thrown::something_else) << got.message;
      computed += got.type == Thrown::nothing ? 1 : 0;
    };
    const auto softmax = [](const TemperatureResult& r) {
      return finite(r.value) && finite(r.d_temperature);
    };
    check("InfoNce",
          [&] { return softmax(InfoNce<S>({.temperature = v}).forward_backward(x, y, dx, dy)); });
    check("NtXent",
          [&] { return softmax(NtXent<S>({.temperature = v}).forward_backward(x, y, dx, dy)); });
    check("SupCon",
          [&] { return softmax(SupCon<S>({.temperature = v}).forward_backward(x, labels, dx)); });
    check("Sincere",
          [&] { return softmax(Sincere<S>({.temperature = v}).forward_backward(x, labels, dx)); });
    check("Nca",
          [&] { return softmax(Nca<S>({.temperature = v}).forward_backward(x, labels, dx)); });
    check("TupletMargin", [&] {
      return softmax(TupletMargin<S>({.temperature = v}).forward_backward(x, labels, dx));
    });
    check("Rince",
          [&] { return softmax(Rince<S>({.temperature = v}).forward_backward(x, y, dx, dy)); });
    for (const double q : {v, 1.0}) {
      check("Rince", [&] {
        return softmax(Rince<S>({.lambda = v, .q = q}).forward_backward(x, y, dx, dy));
      });
      check("RinceViews", [&] {
        return softmax(RinceViews<S>({.temperature = v, .q = q}).forward_backward(x, y, dx, dy));
      });
    }
    check("Dhel",
          [&] { return softmax(Dhel<S>({.temperature = v}).forward_backward(x, y, dx, dy)); });
    check("Dclw",
          [&] { return softmax(Dclw<S>({.temperature = v}).forward_backward(x, y, dx, dy)); });
    check("Dclw", [&] { return softmax(Dclw<S>({.sigma = v}).forward_backward(x, y, dx, dy)); });
    check("SmoothAp",
          [&] { return softmax(SmoothAp<S>({.temperature = v}).forward_backward(x, labels, dx)); });
    check("DistillKl", [&] {
      return softmax(DistillKl<S>({.temperature = v}).forward_backward(half, y, numbers, dx, dy));
    });
    check("CoSent", [&] {
      const auto r = CoSent<S>({.scale = v}).forward_backward(x, y, numbers, dx, dy);
      return finite(r.value) && finite(r.d_scale);
    });
    check("Angle", [&] {
      const auto r = Angle<S>({.scale = v}).forward_backward(x, y, numbers, dx, dy);
      return finite(r.value) && finite(r.d_scale);
    });
    check("Clip", [&] {
      const auto r = Clip<S>({.logit_scale = v}).forward_backward(x, y, dx, dy);
      return finite(r.value) && finite(r.d_logit_scale);
    });
    for (const double bias : {0.0, v, -v}) {
      check("SigLip", [&] {
        const auto r =
            SigLip<S>({.logit_scale = v, .logit_bias = bias}).forward_backward(x, y, dx, dy);
        return finite(r.value) && finite(r.d_logit_scale) && finite(r.d_logit_bias);
      });
    }
    check("Circle",
          [&] { return finite(Circle<S>({.gamma = v}).forward_backward(x, labels, dx).value); });
    check("MultiSimilarity", [&] {
      return finite(MultiSimilarity<S>({.beta = v}).forward_backward(x, labels, dx).value);
    });
    for (const double epsilon : {v, -v}) {
      check("MultiSimilarity", [&] {
        const MultiSimilarity<S> loss({.epsilon = epsilon});
        return finite(loss.forward_backward(x, labels, dx).value);
      });
    }
    check("GeneralizedLiftedStructure", [&] {
      const GeneralizedLiftedStructure<S> loss({.margin = v});
      return finite(loss.forward_backward(x, labels, dx).value);
    });
    for (const double beta : {1.2, v, -v}) {
      check("MarginLoss", [&] {
        const auto r =
            MarginLoss<S>({.margin = v, .beta = beta, .nu = v}).forward_backward(x, labels, dx);
        return finite(r.value) && finite(r.d_beta);
      });
    }
    for (const double alpha : {1.2, v}) {
      check("RankedList", [&] {
        const RankedList<S> loss({.margin = 0, .alpha = alpha, .t_p = v, .t_n = v});
        return finite(loss.forward_backward(x, labels, dx).value);
      });
    }
    for (const double angle : {0.01, 1.56}) {
      check("Angular", [&] {
        const Angular<S> loss({.angle = angle});
        return finite(loss.forward_backward(x, labels, dx, {.upstream = v}).value);
      });
    }
    const auto scaled = [](const auto& r) { return finite(r.value) && finite(r.d_scale); };
    check("ArcFace",
          [&] { return scaled(ArcFace<S>({.scale = v}).forward_backward(x, labels, y, dx, dy)); });
    check("CosFace",
          [&] { return scaled(CosFace<S>({.scale = v}).forward_backward(x, labels, y, dx, dy)); });
    check("CosFace",
          [&] { return scaled(CosFace<S>({.margin = v}).forward_backward(x, labels, y, dx, dy)); });
    check("SphereFace", [&] {
      return scaled(SphereFace<S>({.scale = v}).forward_backward(x, labels, y, dx, dy));
    });
    check("LargeMarginSoftmax", [&] {
      return scaled(LargeMarginSoftmax<S>({.scale = v}).forward_backward(x, labels, y, dx, dy));
    });
    for (const auto denominator : {Denominator::with_positive, Denominator::negatives_only}) {
      check("ProxyNca", [&] {
        return scaled(ProxyNca<S>({.scale = v, .denominator = denominator})
                          .forward_backward(x, labels, y, dx, dy));
      });
    }
    const std::vector<int> classes = {0, 0, 1, 1, 0, 1};
    check("SubCenterArcFace", [&] {
      return scaled(SubCenterArcFace<S>({.scale = v}).forward_backward(x, classes, y, dx, dy));
    });
    for (const double gamma : {v, 0.1}) {
      check("SoftTriple", [&] {
        const auto r =
            SoftTriple<S>({.lambda = gamma == v ? 20 : v, .gamma = gamma, .centers_per_class = 3})
                .forward_backward(x, classes, y, dx, dy);
        return finite(r.value) && finite(r.d_lambda) && finite(r.d_gamma);
      });
    }
    check("ProxyAnchor", [&] {
      return finite(ProxyAnchor<S>({.alpha = v}).forward_backward(x, labels, y, dx, dy).value);
    });
    const std::vector<Index> tokens = {0, 1, 3, x.rows()};
    check("MaxSimInfoNce", [&] {
      return softmax(
          MaxSimInfoNce<S>({.temperature = v}).forward_backward(x, tokens, y, tokens, dx, dy));
    });
    check("SigReg",
          [&] { return finite(SigReg<S>({.t_max = v}).forward_backward(x, y, dx).value); });
    for (const double epsilon : {v, 1e-5}) {
      check("BarlowTwins", [&] {
        return finite(
            BarlowTwins<S>({.lambda = v, .epsilon = epsilon}).forward_backward(x, y, dx, dy).value);
      });
      check("VicReg", [&] {
        return finite(VicReg<S>({.variance = v, .covariance = v, .epsilon = epsilon})
                          .forward_backward(x, y, dx, dy)
                          .value);
      });
    }
    check("Gor", [&] {
      return finite(
          Gor<S>({.mean_weight = v, .second_moment_weight = v}).forward_backward(x, dx).value);
    });
    check("LiftedStructure", [&] {
      return finite(LiftedStructure<S>({.margin = v}).forward_backward(x, labels, dx).value);
    });
  }
  EXPECT_GT(computed, 20);
}

// ---- upstreams and weights ----------------------------------------------------------------------

/// One number for all rows and the same number for each row give the same gradients, also if it
/// overflows float.
TYPED_TEST(ExtremeOptions, OfUpstreamAreTheSameAsOneNumberAndOneARow) {
  using S = TypeParam;
  const Index n = 4;
  const Matrix<S> x = random_rows<S>(n, 3, 1);
  const Matrix<S> y = random_rows<S>(n, 3, 2);
  const std::vector<int> labels = {0, 0, 1, 1};
  const Matrix<S> weights = random_rows<S>(3, 3, 3);
  const double largest = static_cast<double>(std::numeric_limits<S>::max());
  for (const double v : {1e-60, 1e-46, 1.0, 1e30, 1e39, 1e60}) {
    const std::vector<double> rows(static_cast<std::size_t>(n), v);
    const auto check = [&](const char* name, const auto& gradient) {
      const Matrix<S> as_one = gradient(Reduction::sum, Upstream(v));
      const Matrix<S> as_rows = gradient(Reduction::none, Upstream(rows));
      const Matrix<S> unit = gradient(Reduction::sum, Upstream(1.0));
      const double tolerance = sizeof(S) == sizeof(float) ? 1e-4 : 1e-11;
      for (Index i = 0; i < n; ++i) {
        for (Index k = 0; k < 3; ++k) {
          const double exact = static_cast<double>(unit(i, k)) * v;
          const double want = std::clamp(exact, -largest, largest);
          const double off = tolerance * std::min(largest, v * static_cast<double>(unit.norm())) +
                             static_cast<double>(std::numeric_limits<S>::denorm_min());
          EXPECT_NEAR(static_cast<double>(as_one(i, k)), want, off) << name << " " << v;
          EXPECT_NEAR(static_cast<double>(as_rows(i, k)), want, off) << name << " " << v;
        }
      }
    };
    check("InfoNce", [&](Reduction reduction, Upstream upstream) {
      Matrix<S> dx, dy;
      InfoNce<S>({.temperature = 0.5, .reduction = reduction})
          .forward_backward(x, y, dx, dy, {.upstream = upstream});
      return dy;
    });
    check("SupCon", [&](Reduction reduction, Upstream upstream) {
      Matrix<S> dx;
      SupCon<S>({.temperature = 0.5, .reduction = reduction})
          .forward_backward(x, labels, dx, {.upstream = upstream});
      return dx;
    });
    check("HadsellContrastive", [&](Reduction reduction, Upstream upstream) {
      Matrix<S> dx;
      HadsellContrastive<S>({.reduction = reduction})
          .forward_backward(x, labels, dx, {.upstream = upstream});
      return dx;
    });
    check("SigLip", [&](Reduction reduction, Upstream upstream) {
      Matrix<S> dx, dy;
      SigLip<S>({.reduction = reduction}).forward_backward(x, y, dx, dy, {.upstream = upstream});
      return dy;
    });
    check("Triplet", [&](Reduction reduction, Upstream upstream) {
      Matrix<S> dx;
      Triplet<S>({.margin = 5, .reduction = reduction})
          .forward_backward(x, y, x, dx, no_gradient, no_gradient, {.upstream = upstream});
      return dx;
    });
    check("Cpc", [&](Reduction reduction, Upstream upstream) {
      Matrix<S> dx;
      Cpc<S>({.length = 4, .temperature = 0.5, .reduction = reduction})
          .forward_backward(x, y, weights, no_gradient, dx, no_gradient, {.upstream = upstream});
      return dx;
    });
  }
}

/// A small factor of a row keeps its effect beside a far larger one.
TYPED_TEST(ExtremeOptions, OfUpstreamKeepTheSmallBesideTheLarge) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(3, 2, 1);
  const Matrix<S> y = random_rows<S>(3, 2, 2);
  Matrix<S> mixed, plain;
  const InfoNce<S> loss({.temperature = 0.5, .reduction = Reduction::none});
  loss.forward_backward(x, y, mixed, no_gradient,
                        {.upstream = std::vector<double>{1e30, 1, 1e-10}});
  loss.forward_backward(x, y, plain, no_gradient, {.upstream = std::vector<double>{1, 1, 1}});
  const double scales[] = {1e30, 1, 1e-10};
  for (Index i = 0; i < 3; ++i) {
    for (Index k = 0; k < 2; ++k) {
      EXPECT_NEAR(static_cast<double>(mixed(i, k)) / scales[i], static_cast<double>(plain(i, k)),
                  1e-6);
    }
  }
}

/// Weights of anchors are such factors, too.
TYPED_TEST(ExtremeOptions, OfWeightsScaleTheGradient) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(4, 3, 1);
  const std::vector<int> labels = {0, 0, 1, 1};
  Matrix<S> plain, weighted;
  const SupCon<S> loss({.temperature = 0.5});
  loss.forward_backward(x, labels, plain);
  for (const double v : {1e-44, 1e39, 1e50}) {
    const std::vector<double> weights(4, v);
    const auto got =
        loss.forward_backward(x, Targets(labels).weights(weights), weighted, {.upstream = 1 / v});
    EXPECT_GT(got.value, 0);
    EXPECT_LT((weighted - plain).norm(), S(1e-5) * plain.norm()) << v;
  }
}

}  // namespace
