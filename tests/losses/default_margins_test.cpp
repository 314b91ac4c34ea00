#include <gtest/gtest.h>

#include <cmath>
#include <nearfar/nearfar.hpp>

#include "support/errors.hpp"
#include "support/random.hpp"

/// Default margins give gradients under every kernel that a loss takes; margins beyond a kernel's
/// range are refused or counted.

namespace {

using namespace nearfar;
using support::expect_refused;
using support::random_labels;
using support::random_rows;
using support::Thrown;

template <class S>
class DefaultMargins : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(DefaultMargins, Scalars);

/// Calls body(name, kernel) for kernels that treat both rows alike.
template <class S, class Body>
void each_kernel(const Matrix<S>& transform, const Body& body) {
  body("Euclidean", Euclidean());
  body("SquaredEuclidean", SquaredEuclidean());
  body("CosineDistance", CosineDistance());
  body("Mahalanobis", Mahalanobis<S>(transform));
  body("Cosine", Cosine());
  body("InnerProduct", InnerProduct());
}

/// The defaults of pytorch-metric-learning's ContrastiveLoss: 0 and 1 for distances, 1 and 0 for
/// similarities.
TYPED_TEST(DefaultMargins, OfLinearContrastiveGoByTheKernel) {
  using S = TypeParam;
  const Matrix<S> transform = Matrix<S>::Identity(3, 3);
  each_kernel<S>(transform, [](const char* name, const auto& kernel) {
    using K = std::decay_t<decltype(kernel)>;
    const LinearContrastive<S, K> loss({}, kernel);
    const bool similarity = K::orientation == Orientation::similarity;
    EXPECT_EQ(loss.options().positive_margin, similarity ? 1 : 0) << name;
    EXPECT_EQ(loss.options().negative_margin, similarity ? 0 : 1) << name;
    const LinearContrastive<S, K> half({.negative_margin = 0.5}, kernel);
    EXPECT_EQ(half.options().positive_margin, similarity ? 1 : 0) << name;
    EXPECT_EQ(half.options().negative_margin, 0.5) << name;
  });
}

/// The value with cosines by hand: positives have 1 - s, negatives max(0, s).
TYPED_TEST(DefaultMargins, OfCosinesDrawPositivesTogetherAndPushNegativesApart) {
  using S = TypeParam;
  Matrix<S> x(3, 2);
  x << 1, 0, S(0.6), S(0.8), S(0.8), S(-0.6);
  const std::vector<int> labels = {0, 0, 1};
  Matrix<S> dx;
  const auto got = LinearContrastive<S, Cosine>().forward_backward(x, labels, dx);
  // Cosines: 0.6 of the positives, 0.8 and 0 of the negatives.
  EXPECT_NEAR(got.value, 0.4 + 0.8, 1e-6);
  EXPECT_EQ(got.active_positive_pairs, 2);
  EXPECT_EQ(got.active_negative_pairs, 2);
  EXPECT_GT(dx.row(2).norm(), S(0));
}

TYPED_TEST(DefaultMargins, GiveGradientsUnderEveryKernel) {
  using S = TypeParam;
  const Matrix<S> transform = Matrix<S>::Identity(6, 6);
  const Matrix<S> x = random_rows<S>(24, 6, 1);
  const Matrix<S> y = random_rows<S>(24, 6, 2);
  const Matrix<S> z = random_rows<S>(24, 6, 3);
  const std::vector<int> labels = random_labels(24, 4, 4);
  const auto expect_learns = [&](const std::string& name, const Result& got, const Matrix<S>& dx) {
    EXPECT_GT(got.value, 0) << name;
    EXPECT_GT(got.diagnostics.active_terms, 0) << name;
    EXPECT_GT(dx.norm(), S(0)) << name;
  };
  const auto over_labels = [&](const std::string& name, const auto& loss) {
    Matrix<S> dx;
    const Result got = loss.forward_backward(x, labels, dx);
    expect_learns(name, got, dx);
  };
  each_kernel<S>(transform, [&](const std::string& of, const auto& kernel) {
    using K = std::decay_t<decltype(kernel)>;
    const LinearContrastive<S, K> linear({}, kernel);
    over_labels("LinearContrastive " + of, linear);
    const auto kinds = linear.forward(x, labels);
    EXPECT_GT(kinds.active_positive_pairs, 0) << of;
    EXPECT_GT(kinds.active_negative_pairs, 0) << of;
    over_labels("MinedTriplet " + of, MinedTriplet<S, K>({}, kernel));
    over_labels("LiftedStructure " + of, LiftedStructure<S, K>({}, kernel));
    Matrix<S> dx;
    const Result got =
        Triplet<S, K>({}, kernel).forward_backward(x, y, z, dx, no_gradient, no_gradient);
    expect_learns("Triplet " + of, got, dx);
    if constexpr (K::orientation == Orientation::distance) {
      over_labels("HadsellContrastive " + of, HadsellContrastive<S, K>({}, kernel));
      over_labels("RankedList " + of, RankedList<S, K>({}, kernel));
    } else {
      over_labels("MultiSimilarity " + of, MultiSimilarity<S, K>({}, kernel));
      over_labels("Circle " + of, Circle<S, K>({}, kernel));
    }
  });
}

/// The check is for the library's kernels; a function of the user's own may have any scores.
struct Doubled : Cosine {
  template <class T>
  T score(T u) const {
    return 2 * u;
  }
  template <class T>
  T slope(T, T) const {
    return T(2);
  }
};

TYPED_TEST(DefaultMargins, ThatNoScoreReachesAreRefused) {
  using S = TypeParam;
  const auto refused = [](const char* name, const char* words, const auto& make) {
    expect_refused({name, Thrown::invalid_argument, {words}, make});
  };
  refused("a cosine above 1", "positive_margin: wanted a score that this kernel can have, from -1",
          [] { LinearContrastive<S, Cosine>({.positive_margin = 1.5}); });
  refused("a cosine below -1", "negative_margin: wanted a score that this kernel can have, from -1",
          [] { LinearContrastive<S, Cosine>({.negative_margin = -1.01}); });
  refused("a distance below 0", "negative_margin: wanted a score that this kernel can have, 0 or",
          [] { LinearContrastive<S, Euclidean>({.negative_margin = -0.5}); });
  refused("a squared one", "positive_margin: wanted a score that this kernel can have, 0 or more",
          [] { LinearContrastive<S, SquaredEuclidean>({.positive_margin = -1e-9}); });
  refused("one of cosines above 2", "negative_margin: wanted a score that this kernel can have",
          [] { LinearContrastive<S, CosineDistance>({.negative_margin = 2.5}); });
  for (const double margin : {-1.0, 0.0, 1.0}) {
    EXPECT_NO_THROW(
        (LinearContrastive<S, Cosine>({.positive_margin = margin, .negative_margin = margin})));
  }
  EXPECT_NO_THROW((LinearContrastive<S, Euclidean>({.negative_margin = 0})));
  EXPECT_NO_THROW((LinearContrastive<S, CosineDistance>({.negative_margin = 2})));
  EXPECT_NO_THROW((LinearContrastive<S, InnerProduct>({.positive_margin = -50})));
  EXPECT_NO_THROW((LinearContrastive<S, Doubled>({.positive_margin = 1.5})));
}

/// Margins that are differences of scores, or lower bounds of dissimilar pairs' distances, are not
/// limited. If one is larger than cosines can differ, every term is active, and the counts show it.
TYPED_TEST(DefaultMargins, BeyondTheRangeOfCosinesAreCounted) {
  using S = TypeParam;
  Matrix<S> x(3, 2);
  x << 1, 0, 0, 1, -1, 0;
  const std::vector<int> labels = {0, 0, 1};
  // Cosine distances: 1 of the positives, 2 and 1 of the negatives.
  const auto expect_counts = [](const Result& got, double value, Index terms, Index active) {
    EXPECT_NEAR(got.value, value, 1e-6);
    EXPECT_EQ(got.diagnostics.terms, terms);
    EXPECT_EQ(got.diagnostics.active_terms, active);
  };
  using Hadsell = HadsellContrastive<S, CosineDistance>;
  expect_counts(Hadsell({.margin = 2.5}).forward(x, labels), (1 + 0.5 * 0.5 + 1.5 * 1.5) / 2 / 3, 3,
                3);
  expect_counts(Hadsell({.margin = 2}).forward(x, labels), (1 + 0.0 + 1) / 2 / 3, 3, 2);
  const auto expect_triplets = [&](const auto& far, const auto& at_most) {
    const auto none_rests = far.forward(x, labels);
    expect_counts(none_rests, (1.5 + 2.5) / 2, 2, 2);
    EXPECT_EQ(none_rests.easy_triplets, 0);
    expect_counts(at_most.forward(x, labels), (0 + 1.0) / 2, 2, 1);
  };
  expect_triplets(MinedTriplet<S, CosineDistance>({.margin = 2.5, .mining = Mining::all}),
                  MinedTriplet<S, CosineDistance>({.margin = 1, .mining = Mining::all}));
  expect_triplets(MinedTriplet<S, Cosine>({.margin = 2.5}), MinedTriplet<S, Cosine>({.margin = 1}));
  const Matrix<S> anchor = x.row(0), positive = x.row(1), negative = x.row(2);
  const auto triplet = [&](double margin, const Matrix<S>& nearer) {
    return Triplet<S, Cosine>({.margin = margin}).forward(anchor, nearer, negative);
  };
  expect_counts(triplet(2.5, positive), 1.5, 1, 1);
  expect_counts(triplet(2.5, anchor), 0.5, 1, 1);
  expect_counts(triplet(2, anchor), 0, 1, 0);
  const double sum = std::log(std::exp(-2.0) + std::exp(-1.0)) + 1;
  using Lifted = LiftedStructure<S, CosineDistance>;
  expect_counts(Lifted({.margin = 2.5}).forward(x, labels), (sum + 2.5) * (sum + 2.5) / 2, 1, 1);
  expect_counts(Lifted({.margin = -2.5}).forward(x, labels), 0, 1, 0);
}

}  // namespace
