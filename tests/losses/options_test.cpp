#include <gtest/gtest.h>

#include <limits>
#include <nearfar/nearfar.hpp>

#include "support/errors.hpp"

/// Options: which values are refused, in which words, and what they are when nobody sets them, as
/// the documentation of each says. A change of a default is a change of what programs compute.

namespace {

using namespace support;

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

// ---- refused ------------------------------------------------------------------------------------

/// An option, what makes a loss with it, and what it must be.
struct Option {
  const char* name;
  const char* wanted;
  std::function<void(double)> make;
};

/// Values that an option of a kind refuses, as they are written in the message.
void expect_refuses(const Option& option, const std::vector<std::pair<double, const char*>>& bad) {
  for (const auto& [value, got] : bad) {
    expect_refused({option.name,
                    Thrown::invalid_argument,
                    {std::string("nearfar: ") + option.name + ": wanted " + option.wanted,
                     std::string("got ") + got},
                    [&, v = value] { option.make(v); }});
  }
}

TEST(RefusalsOfOptions, ThatMustBePositive) {
  using namespace nearfar;
  const char* wanted = "a finite number > 0";
  const Option table[] = {
      {"temperature", wanted, [](double v) { InfoNce<float>({.temperature = v}); }},
      {"temperature", wanted, [](double v) { NtXent<float>({.temperature = v}); }},
      {"temperature", wanted, [](double v) { HardNegative<float>({.temperature = v}); }},
      {"temperature", wanted, [](double v) { SupCon<float>({.temperature = v}); }},
      {"temperature", wanted, [](double v) { Nce<float>({.temperature = v}); }},
      {"temperature", wanted, [](double v) { NegativeSampling<float>({.temperature = v}); }},
      {"temperature", wanted, [](double v) { MutualInformation<float>({.temperature = v}); }},
      {"temperature", wanted, [](double v) { Cpc<float>({.length = 3, .temperature = v}); }},
      {"temperature", wanted, [](double v) { KnnAccuracy<float>({.temperature = v}); }},
      {"logit_scale", wanted, [](double v) { Clip<float>({.logit_scale = v}); }},
      {"logit_scale", wanted, [](double v) { SigLip<float>({.logit_scale = v}); }},
      {"margin", wanted, [](double v) { HadsellContrastive<float>({.margin = v}); }},
      {"alpha", wanted, [](double v) { MultiSimilarity<float>({.alpha = v}); }},
      {"beta", wanted, [](double v) { MultiSimilarity<float>({.beta = v}); }},
      {"gamma", wanted, [](double v) { Circle<float>({.gamma = v}); }},
      {"alpha", wanted, [](double v) { Alignment<float>({.alpha = v}); }},
      {"t", wanted, [](double v) { Uniformity<float>({.t = v}); }},
  };
  for (const Option& option : table) {
    expect_refuses(option, {{0, "0"}, {-1, "-1"}, {not_a_number, "nan"}, {infinite, "inf"}});
    EXPECT_NO_THROW(option.make(1e-3));
    EXPECT_NO_THROW(option.make(1e3));
  }
}

TEST(RefusalsOfOptions, ThatMustBeFiniteOrWithinBounds) {
  using namespace nearfar;
  const std::vector<std::pair<double, const char*>> infinities = {
      {not_a_number, "nan"}, {infinite, "inf"}, {-infinite, "-inf"}};
  const Option finite[] = {
      {"positive_margin", "a finite number",
       [](double v) { LinearContrastive<float>({.positive_margin = v}); }},
      {"negative_margin", "a finite number",
       [](double v) { LinearContrastive<float>({.negative_margin = v}); }},
      {"margin", "a finite number", [](double v) { LiftedStructure<float>({.margin = v}); }},
      {"margin", "a finite number >= 0", [](double v) { Triplet<float>({.margin = v}); }},
      {"margin", "a finite number >= 0", [](double v) { MinedTriplet<float>({.margin = v}); }},
      {"concentration", "a finite number >= 0",
       [](double v) { HardNegative<float>({.concentration = v}); }},
      {"base", "a finite number", [](double v) { MultiSimilarity<float>({.base = v}); }},
      {"m", "a finite number", [](double v) { Circle<float>({.m = v}); }},
      {"logit_bias", "a finite number", [](double v) { SigLip<float>({.logit_bias = v}); }},
      {"log_z", "a finite number", [](double v) { Nce<float>({.log_z = v}); }},
      {"positive_prior", "a number in [0, 1)",
       [](double v) { HardNegative<float>({.positive_prior = v}); }},
      {"weighting.nearest", "a number between 0 and 2",
       [](double v) { MinedTriplet<float>({.weighting = {.nearest = v}}); }},
  };
  for (const Option& option : finite) expect_refuses(option, infinities);
  expect_refuses(finite[3], {{-0.5, "-0.5"}});
  expect_refuses(finite[4], {{-0.5, "-0.5"}});
  expect_refuses(finite[5], {{-1, "-1"}});
  expect_refuses(finite[10], {{-0.1, "-0.1"}, {1, "1"}});
  expect_refuses(finite[11], {{0, "0"}, {2, "2"}});
  expect_refuses({"weighting.farthest", "a number above nearest",
                  [](double v) { MinedTriplet<float>({.weighting = {.farthest = v}}); }},
                 {{0.5, "0.5"}, {not_a_number, "nan"}});
  expect_refuses({"largest_logit_scale", "a number > 0",
                  [](double v) { Clip<float>({.largest_logit_scale = v}); }},
                 {{0, "0"}, {-1, "-1"}, {not_a_number, "nan"}});
  expect_refused({"both semihard",
                  Thrown::invalid_argument,
                  {"positive, negative: wanted at most one of them semihard, got both"},
                  [] {
                    MinedTriplet<float>({.mining = Mining::batch_easy_hard,
                                         .positive = PositiveChoice::semihard,
                                         .negative = NegativeChoice::semihard});
                  }});
  const Matrix<float> matrix = Matrix<float>::Identity(2, 2);
  expect_refused(
      {"swap of Bilinear",
       Thrown::invalid_argument,
       {"swap: wanted a kernel that treats both rows alike"},
       [&] { Triplet<float, Bilinear<float>>({.swap = true}, Bilinear<float>(matrix)); }});
}

/// The ends of what is allowed, and numbers between them.
TEST(Options, WithinBoundsAreTaken) {
  using namespace nearfar;
  for (const double prior : {0.0, 0.5, 0.999}) {
    EXPECT_NO_THROW(HardNegative<float>({.positive_prior = prior}));
  }
  for (const double nearest : {1e-3, 0.5, 1.3}) {
    EXPECT_NO_THROW(MinedTriplet<float>({.weighting = {.nearest = nearest}}));
  }
  EXPECT_NO_THROW(MinedTriplet<float>({.weighting = {.nearest = 1.9, .farthest = 1.95}}));
  EXPECT_NO_THROW(MinedTriplet<float>({.margin = 0}));
  EXPECT_NO_THROW(Triplet<float>({.margin = 0, .swap = true}));
  EXPECT_NO_THROW(HardNegative<float>({.concentration = 0}));
  EXPECT_NO_THROW(Clip<float>({.largest_logit_scale = 0.5}));
  EXPECT_NO_THROW(Clip<float>({.largest_logit_scale = infinite}));
  EXPECT_NO_THROW(MinedTriplet<float>({.mining = Mining::batch_easy_hard,
                                       .positive = PositiveChoice::semihard,
                                       .negative = NegativeChoice::hard}));
  EXPECT_NO_THROW(MinedTriplet<float>({.mining = Mining::batch_easy_hard,
                                       .positive = PositiveChoice::hard,
                                       .negative = NegativeChoice::semihard}));
  // Only where the choices are asked for.
  EXPECT_NO_THROW(MinedTriplet<float>({.mining = Mining::batch_hard,
                                       .positive = PositiveChoice::semihard,
                                       .negative = NegativeChoice::semihard}));
}

// ---- not set ------------------------------------------------------------------------------------

namespace defaults {

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

}  // namespace defaults

}  // namespace
