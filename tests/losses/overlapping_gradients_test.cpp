#include <gtest/gtest.h>

#include <nearfar/nearfar.hpp>

#include "support/errors.hpp"
#include "support/random.hpp"

/// Gradients with overlapping memory are refused, unless both accumulate.

namespace {

using namespace nearfar;
using support::random_rows;
using support::Thrown;

template <class S>
class OverlappingGradients : public testing::Test {
 protected:
  Matrix<S> x_ = random_rows<S>(4, 3, 1);
  Matrix<S> y_ = random_rows<S>(4, 3, 2);
  Matrix<S> z_ = random_rows<S>(4, 3, 3);
  Matrix<S> d_ = Matrix<S>::Constant(4, 3, 7);

  template <class Call>
  void refuses(const char* name, const Call& call) {
    const Matrix<S> before = d_;
    support::expect_refused({name,
                             Thrown::invalid_argument,
                             {"gradients: wanted memory of its own for each, or accumulate"},
                             call});
    EXPECT_EQ(d_, before) << name;
  }
};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(OverlappingGradients, Scalars);

TYPED_TEST(OverlappingGradients, AreRefusedByEveryCallOfTwo) {
  using S = TypeParam;
  const Matrix<S>&x = this->x_, &y = this->y_, &z = this->z_;
  Matrix<S>& d = this->d_;
  const std::vector<int> labels = {0, 0, 1, 1};
  const std::vector<S> ones(4, S(1));
  Matrix<S> other;
  const Matrix<S> of_pairs = Matrix<S>::Ones(4, 4);
  const Vector<S> of_rows = Vector<S>::Ones(4);
  this->refuses("InfoNce of rows with themselves",
                [&] { InfoNce<S>().forward_backward(x, x, d, d); });
  this->refuses("InfoNce", [&] { InfoNce<S>().forward_backward(x, y, d, d); });
  this->refuses("negatives", [&] { InfoNce<S>().forward_backward(x, y, z, d, other, d); });
  this->refuses("each query's negatives",
                [&] { InfoNce<S>().forward_backward(x, y, per_query(z), other, d, d); });
  this->refuses("NPair", [&] { NPair<S>().forward_backward(x, y, d, d); });
  this->refuses("NtXent", [&] { NtXent<S>().forward_backward(x, y, d, d); });
  this->refuses("Dclw", [&] { Dclw<S>().forward_backward(x, y, d, d); });
  this->refuses("Dhel", [&] { Dhel<S>().forward_backward(x, y, d, d); });
  this->refuses("Rince", [&] { Rince<S>().forward_backward(x, y, d, d); });
  this->refuses("RinceViews", [&] { RinceViews<S>().forward_backward(x, y, d, d); });
  this->refuses("CoSent", [&] { CoSent<S>().forward_backward(x, y, ones, d, d); });
  this->refuses("Angle", [&] { Angle<S>().forward_backward(x, y, ones, d, d); });
  this->refuses("ScoreRegression",
                [&] { ScoreRegression<S>().forward_backward(x, y, ones, d, d); });
  this->refuses("CosineEmbedding",
                [&] { CosineEmbedding<S>().forward_backward(x, y, labels, d, d); });
  this->refuses("MarginMse", [&] { MarginMse<S>().forward_backward(x, y, z, ones, d, other, d); });
  this->refuses("DistillKl", [&] { DistillKl<S>().forward_backward(x, y, ones, d, d); });
  this->refuses("HardNegative", [&] { HardNegative<S>().forward_backward(x, y, d, d); });
  this->refuses("Clip", [&] { Clip<S>().forward_backward(x, y, d, d); });
  this->refuses("SigLip", [&] { SigLip<S>().forward_backward(x, y, d, d); });
  this->refuses("Alignment", [&] { Alignment<S>().forward_backward(x, y, d, d); });
  this->refuses("BarlowTwins", [&] { BarlowTwins<S>().forward_backward(x, y, d, d); });
  this->refuses("VicReg", [&] { VicReg<S>().forward_backward(x, y, d, d); });
  this->refuses("Byol", [&] { Byol<S>().forward_backward(x, y, z, z, d, d); });
  this->refuses("NegativeCosine", [&] { NegativeCosine<S>().forward_backward(x, y, z, z, d, d); });
  const std::vector<Index> tokens = {0, 1, 4};
  this->refuses("MaxSimInfoNce",
                [&] { MaxSimInfoNce<S>().forward_backward(x, tokens, y, tokens, d, d); });
  this->refuses("MutualInformation", [&] { MutualInformation<S>().forward_backward(x, y, d, d); });
  this->refuses("Nce", [&] { Nce<S>().forward_backward(x, y, z, ones, ones, d, other, d); });
  this->refuses("NegativeSampling",
                [&] { NegativeSampling<S>().forward_backward(x, y, z, d, d, other); });
  this->refuses("Triplet", [&] { Triplet<S>().forward_backward(x, y, z, other, d, d); });
  this->refuses("pairs", [&] { HadsellContrastive<S>().forward_backward(x, y, labels, d, d); });
  this->refuses("references", [&] { SupCon<S>().forward_backward(x, labels, y, labels, d, d); });
  this->refuses("ArcFace", [&] { ArcFace<S>().forward_backward(x, labels, y, d, d); });
  this->refuses("SphereFace", [&] { SphereFace<S>().forward_backward(x, labels, y, d, d); });
  this->refuses("ProxyAnchor", [&] { ProxyAnchor<S>().forward_backward(x, labels, y, d, d); });
  this->refuses("mined triplets",
                [&] { MinedTriplet<S>().forward_backward(x, labels, y, labels, d, d); });
  this->refuses("pairwise", [&] { pairwise_backward(of_pairs, x, y, d, d, Cosine()); });
  this->refuses("paired", [&] { paired_backward(of_rows, x, y, d, d, Cosine()); });
  const Matrix<S> weights = Matrix<S>::Identity(3, 3);
  this->refuses("Cpc", [&] { Cpc<S>({.length = 2}).forward_backward(x, y, weights, d, d, other); });
  const Matrix<S> four = random_rows<S>(4, 4, 5);
  this->d_.resize(4, 4);
  this->d_.setConstant(S(7));
  this->refuses("the kernel's matrix", [&] {
    const Mahalanobis<S> kernel(four);
    InfoNce<S, Mahalanobis<S>>({}, kernel)
        .forward_backward(four, four, d, no_gradient, {.d_parameter = d});
  });
}

TYPED_TEST(OverlappingGradients, AreRefusedInPartsAndInViews) {
  using S = TypeParam;
  const Matrix<S>&x = this->x_, &y = this->y_;
  Matrix<S>& d = this->d_;
  const InfoNce<S> loss;
  Eigen::Map<Matrix<S>> view(d.data(), 4, 3);
  this->refuses("a view of the same", [&] { loss.forward_backward(x, y, d, view); });
  this->refuses("one of them adds", [&] { loss.forward_backward(x, y, d, accumulate(d)); });
  this->refuses("the other adds", [&] { loss.forward_backward(x, y, accumulate(view), d); });
  std::vector<S> rows(40, S(7));
  const std::vector<S> before = rows;
  const auto at = [&](Index from, Index stride) {
    return GradientRows<S>(rows.data() + from, 4, 3, stride);
  };
  const auto expect_overlap = [&](const GradientRows<S>& a, const GradientRows<S>& b) {
    EXPECT_THROW(loss.forward_backward(x, y, a, b), std::invalid_argument);
    EXPECT_EQ(rows, before);
  };
  expect_overlap(at(0, 3), at(11, 3));  // the last element of one is the first of the other
  expect_overlap(at(11, 3), at(0, 3));
  expect_overlap(at(0, 6), at(2, 6));
  expect_overlap(at(0, 6), at(9, 3));
  expect_overlap(at(0, 7), at(9, 10));
}

/// Interleaved rows without a common element do not overlap.
TYPED_TEST(OverlappingGradients, AreNotThoseThatLieBesideEachOther) {
  using S = TypeParam;
  Matrix<S> dx, dy;
  const InfoNce<S> loss;
  loss.forward_backward(this->x_, this->y_, dx, dy);
  Matrix<S> both(4, 6);
  loss.forward_backward(this->x_, this->y_, both.leftCols(3), both.rightCols(3));
  EXPECT_EQ(both.leftCols(3), dx);
  EXPECT_EQ(both.rightCols(3), dy);
  Matrix<S> stacked(8, 3);
  loss.forward_backward(this->x_, this->y_, stacked.topRows(4), stacked.bottomRows(4));
  EXPECT_EQ(stacked.topRows(4), dx);
  EXPECT_EQ(stacked.bottomRows(4), dy);
}

/// The gradient of rows that are both queries and keys.
TYPED_TEST(OverlappingGradients, ThatAccumulateAddUp) {
  using S = TypeParam;
  Matrix<S> dq, dk;
  const InfoNce<S> loss;
  loss.forward_backward(this->x_, this->x_, dq, dk);
  Matrix<S> sum = Matrix<S>::Zero(4, 3);
  loss.forward_backward(this->x_, this->x_, accumulate(sum), accumulate(sum));
  EXPECT_EQ(sum, Matrix<S>(dq + dk));
}

}  // namespace
