#include <gtest/gtest.h>

#include <limits>
#include <nearfar/nearfar.hpp>

/// What options are when nobody sets them, as the documentation of each says: a change of one is a
/// change of what programs compute.

namespace {

using namespace nearfar;

TEST(Defaults, OfPairsAndLabels) {
  EXPECT_EQ(HadsellOptions().margin, 1);
  EXPECT_EQ(HadsellOptions().factor, SquareFactor::half);
  EXPECT_EQ(LinearContrastiveOptions().positive_margin, 0);
  EXPECT_EQ(LinearContrastiveOptions().negative_margin, 1);
  EXPECT_EQ(LinearContrastiveOptions().reduction, Reduction::mean_nonzero);
  EXPECT_EQ(MultiSimilarityOptions().alpha, 2);
  EXPECT_EQ(MultiSimilarityOptions().beta, 50);
  EXPECT_EQ(MultiSimilarityOptions().base, 0.5);
  EXPECT_EQ(CircleOptions().m, 0.4);
  EXPECT_EQ(CircleOptions().gamma, 80);
  EXPECT_EQ(CircleOptions().weights, CircleWeights::constant);
  EXPECT_EQ(LiftedStructureOptions().margin, 1);
  EXPECT_EQ(SupConOptions().temperature, 0.1);
  EXPECT_EQ(SupConOptions().variant, SupConVariant::out);
}

TEST(Defaults, OfTriplets) {
  EXPECT_EQ(TripletOptions().margin, 1);
  EXPECT_EQ(TripletOptions().form, TripletForm::hinge);
  EXPECT_FALSE(TripletOptions().swap);
  const MinedTripletOptions mined;
  EXPECT_EQ(mined.margin, 0.2);
  EXPECT_EQ(mined.form, TripletForm::hinge);
  EXPECT_EQ(mined.mining, Mining::batch_hard);
  EXPECT_EQ(mined.positive, PositiveChoice::easy);
  EXPECT_EQ(mined.negative, NegativeChoice::semihard);
  EXPECT_EQ(mined.weighting.seed, 0u);
  EXPECT_EQ(mined.weighting.step, 0u);
  EXPECT_EQ(mined.weighting.nearest, 0.5);
  EXPECT_EQ(mined.weighting.farthest, 1.4);
}

TEST(Defaults, OfPickingOneOfMany) {
  EXPECT_EQ(InfoNceOptions().temperature, 0.07);
  EXPECT_EQ(InfoNceOptions().denominator, Denominator::with_positive);
  EXPECT_EQ(NtXentOptions().temperature, 0.5);
  EXPECT_EQ(NtXentOptions().denominator, Denominator::with_positive);
  EXPECT_EQ(HardNegativeOptions().temperature, 0.5);
  EXPECT_EQ(HardNegativeOptions().positive_prior, 0.1);
  EXPECT_EQ(HardNegativeOptions().concentration, 1);
  EXPECT_EQ(ClipOptions().logit_scale, 1 / 0.07);
  EXPECT_EQ(ClipOptions().largest_logit_scale, std::numeric_limits<double>::infinity());
  EXPECT_EQ(ClipOptions().directions, ClipDirections::mean);
  EXPECT_EQ(CpcOptions().length, 0);
  EXPECT_EQ(CpcOptions().steps, 1);
  EXPECT_EQ(CpcOptions().temperature, 1);
  EXPECT_EQ(CpcOptions().negatives, SequenceNegatives::all);
}

TEST(Defaults, OfYesOrNo) {
  EXPECT_EQ(SigLipOptions().logit_scale, 10);
  EXPECT_EQ(SigLipOptions().logit_bias, -10);
  EXPECT_EQ(NceOptions().temperature, 1);
  EXPECT_EQ(NceOptions().log_z, 0);
  EXPECT_EQ(NegativeSamplingOptions().temperature, 1);
}

TEST(Defaults, OfWholeSets) {
  EXPECT_EQ(AlignmentOptions().alpha, 2);
  EXPECT_EQ(UniformityOptions().t, 2);
  EXPECT_EQ(MutualInformationOptions().bound, MutualInformationBound::info_nce);
  EXPECT_EQ(MutualInformationOptions().temperature, 1);
}

/// All losses but one reduce to the mean, and all that can refuse an anchor skip it.
template <class Options>
void expect_common(Reduction reduction = Reduction::mean) {
  const Options options{};
  EXPECT_EQ(options.reduction, reduction);
  if constexpr (requires { options.unusable_anchors; }) {
    EXPECT_EQ(options.unusable_anchors, UnusableAnchor::skip);
  }
}

TEST(Defaults, OfReductionAndOfAnchorsThatCannotLearn) {
  expect_common<HadsellOptions>();
  expect_common<LinearContrastiveOptions>(Reduction::mean_nonzero);
  expect_common<MultiSimilarityOptions>();
  expect_common<CircleOptions>();
  expect_common<LiftedStructureOptions>();
  expect_common<SupConOptions>();
  expect_common<TripletOptions>();
  expect_common<MinedTripletOptions>();
  expect_common<InfoNceOptions>();
  expect_common<NtXentOptions>();
  expect_common<HardNegativeOptions>();
  expect_common<ClipOptions>();
  expect_common<CpcOptions>();
  expect_common<SigLipOptions>();
  expect_common<NceOptions>();
  expect_common<NegativeSamplingOptions>();
  expect_common<AlignmentOptions>();
}

}  // namespace
