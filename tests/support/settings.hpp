#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "support/fields.hpp"

/// \file
/// Options for tests of the losses of the register. They follow from the `fields` of a loss, unless
/// it has lines here.

namespace support {

using nearfar::Orientation;

// ---- names --------------------------------------------------------------------------------------

template <class K>
inline constexpr const char* name_of_kernel = "";
template <>
inline constexpr const char* name_of_kernel<nearfar::Cosine> = "Cosine";
template <>
inline constexpr const char* name_of_kernel<nearfar::InnerProduct> = "InnerProduct";
template <>
inline constexpr const char* name_of_kernel<nearfar::CosineDistance> = "CosineDistance";
template <>
inline constexpr const char* name_of_kernel<nearfar::Euclidean> = "Euclidean";
template <>
inline constexpr const char* name_of_kernel<nearfar::SquaredEuclidean> = "SquaredEuclidean";
template <class S>
inline constexpr const char* name_of_kernel<nearfar::Mahalanobis<S>> = "Mahalanobis";
template <class S>
inline constexpr const char* name_of_kernel<nearfar::Bilinear<S>> = "Bilinear";

/// The choices of a loss's own options, as ", mining batch_hard".
template <class Options>
std::string choices_in(const Options& options) {
  std::string out;
  Options::fields(
      [&]<class T>(const char* name, const T& value) {
        if constexpr (is_common_option<T>) {
          return;
        } else if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
          const auto choice = static_cast<std::size_t>(value);
          out += ", " + std::string(name) + " " +
                 std::string(nearfar::registered::choices_of<T>[choice]);
        }
      },
      options);
  return out;
}

/// The number of proxies of each class with these options.
template <class Options>
nearfar::Index centers_of(const Options& options) {
  if constexpr (requires { options.sub_centers; }) return options.sub_centers;
  if constexpr (requires { options.centers_per_class; }) return options.centers_per_class;
  return 1;
}

/// True if the loss has the forms of a batch with labels and of queries with references.
template <class Line>
inline constexpr bool is_over_labels = Line::takes == nearfar::registered::Takes::labels ||
                                       Line::takes == nearfar::registered::Takes::labels_or_pairs;

// ---- kernels ------------------------------------------------------------------------------------

/// The default kernel of a line's class; Cosine if it has no choice.
template <class Line, class S>
struct OwnKernel {
  using Loss = typename Line::template Loss<S>;
  static auto of(const Loss& loss) {
    if constexpr (std::is_same_v<typename Line::template Kernels<S>,
                                 nearfar::registered::KernelList<>>) {
      return nearfar::Cosine();
    } else {
      return loss.kernel();
    }
  }
  using Type = decltype(of(std::declval<Loss>()));
};

// A function: clang 14 instantiates both branches of a lambda's `if constexpr`.
template <class... K, class Body>
void for_each_kernel_of(nearfar::registered::KernelList<K...>, const Body& body) {
  if constexpr (sizeof...(K) == 0) {
    body.template operator()<nearfar::Cosine>();
  } else {
    (body.template operator()<K>(), ...);
  }
}

/// Calls body.operator()<K>() for each kernel of a line.
template <class Line, class S, class Body>
void for_each_kernel(const Body& body) {
  for_each_kernel_of(typename Line::template Kernels<S>(), body);
}

// ---- gentle options, for which differences in float are accurate -------------------------------

/// `sharpness` multiplies logits. Sets options by their common names; other numbers stay at or
/// below moderate values.
struct Gentle {
  double sharpness;

  template <class T>
  void operator()(std::string_view name, T& value) const {
    if constexpr (std::is_same_v<T, std::optional<double>>) {
      return;  // the kernel's default
    } else if constexpr (std::is_class_v<T>) {
      T::fields(*this, value);
    } else if constexpr (std::is_floating_point_v<T>) {
      if (name == "temperature") value = 0.5 / sharpness;
      if (name == "logit_scale") value = 0.7 * sharpness;
      if (name == "logit_bias") value = -0.5;
      if (std::isfinite(value) && value > 4) value = 4 * sharpness;
    }
  }
};

// Losses that need other numbers.
template <class Options>
void adjust(Options&, double, Orientation) {}
inline void adjust(nearfar::AngularOptions& o, double sharpness, Orientation) {
  o.angle = std::clamp(std::atan(std::sqrt(0.25 * sharpness)), 0.01, 1.56);
}
inline void adjust(nearfar::CircleOptions& o, double sharpness, Orientation) {
  o.gamma = 2 * sharpness;
}
/// The gradient treats the weights as constants: with this sigma they hardly change.
inline void adjust(nearfar::DclwOptions& o, double, Orientation) { o.sigma = 1e9; }
inline void adjust(nearfar::HadsellOptions& o, double, Orientation) { o.margin = 1.3; }
/// No score of a copy equals the bound.
inline void adjust(nearfar::InBatchInfoNceOptions& o, double, Orientation) { o.margin = -0.37; }
inline void adjust(nearfar::LiftedStructureOptions& o, double, Orientation) { o.margin = 2; }
inline void adjust(nearfar::LinearContrastiveOptions& o, double, Orientation orientation) {
  const bool similarity = orientation == Orientation::similarity;
  o.positive_margin = similarity ? 0.9 : 0.1;
  o.negative_margin = similarity ? 0.05 : 1.1;
}
/// A margin that some terms exceed, under either kernel.
inline void adjust(nearfar::CentroidTripletOptions& o, double, Orientation) { o.margin = 0.7; }
inline void adjust(nearfar::IntraPairVarianceOptions& o, double, Orientation) {
  o.positive_epsilon = 0.1;
  o.negative_epsilon = 0.2;
}
inline void adjust(nearfar::SnrContrastiveOptions& o, double, Orientation) {
  o.positive_margin = 0.9;
  o.negative_margin = 2.3;
}
inline void adjust(nearfar::MarginLossOptions& o, double, Orientation orientation) {
  o.beta = orientation == Orientation::similarity ? 0.3 : 1.4;
  o.margin = 0.3;
  o.nu = 0.1;
}
inline void adjust(nearfar::MultiSimilarityOptions& o, double sharpness, Orientation) {
  o.alpha = 2 * sharpness;
  o.beta = 4 * sharpness;
}
inline void adjust(nearfar::MutualInformationOptions& o, double sharpness, Orientation) {
  o.temperature = 1.5 / sharpness;
}
inline void adjust(nearfar::NegativeSamplingOptions& o, double sharpness, Orientation) {
  o.temperature = 1 / sharpness;
}
/// Bounds that some pairs of both kinds exceed. The gradient treats the weights as constants:
/// without temperatures they are constants.
inline void adjust(nearfar::RankedListOptions& o, double, Orientation) {
  o.margin = 0.6;
  o.alpha = 1.6;
  o.t_p = 0;
  o.t_n = 0;
  o.imbalance = 0.3;
}
/// For rows of few elements, a larger margin would often exceed pi.
inline void adjust(nearfar::ArcFaceOptions& o, double, Orientation) { o.margin = 0.2; }
inline void adjust(nearfar::SubCenterArcFaceOptions& o, double, Orientation) { o.margin = 0.2; }
inline void adjust(nearfar::SoftTripleOptions& o, double, Orientation) { o.gamma = 0.5; }
inline void adjust(nearfar::SphereFaceOptions& o, double, Orientation) { o.margin = 2; }
inline void adjust(nearfar::LargeMarginSoftmaxOptions& o, double, Orientation) { o.margin = 2; }
inline void adjust(nearfar::UniformityOptions& o, double sharpness, Orientation) {
  o.t = 2 * sharpness;
}

/// True if the value has kinks: hinges, choices of rows.
template <class Options>
bool is_smooth(const Options& o) {
  if constexpr (requires { o.mining; }) {
    return false;
  } else if constexpr (requires { o.form; }) {
    return o.form == nearfar::TripletForm::soft;
  }
  return true;
}
inline bool is_smooth(const nearfar::CircleOptions&) { return false; }
inline bool is_smooth(const nearfar::GeneralizedLiftedStructureOptions&) { return false; }
inline bool is_smooth(const nearfar::MarginLossOptions&) { return false; }
inline bool is_smooth(const nearfar::MultiSimilarityOptions& o) { return !o.epsilon; }
inline bool is_smooth(const nearfar::InBatchInfoNceOptions& o) {
  return o.false_negatives == nearfar::FalseNegatives::keep;
}
inline bool is_smooth(const nearfar::GorOptions&) { return false; }
inline bool is_smooth(const nearfar::KoLeoOptions&) { return false; }
inline bool is_smooth(const nearfar::MaxSimInfoNceOptions&) { return false; }
inline bool is_smooth(const nearfar::VicRegOptions&) { return false; }
inline bool is_smooth(const nearfar::LinearContrastiveOptions&) { return false; }
inline bool is_smooth(const nearfar::SubCenterArcFaceOptions&) { return false; }
inline bool is_smooth(const nearfar::AngleOptions&) { return false; }  // an absolute value
inline bool is_smooth(const nearfar::CosineEmbeddingOptions&) { return false; }
inline bool is_smooth(const nearfar::FastApOptions&) { return false; }
inline bool is_smooth(const nearfar::RankedListOptions&) { return false; }
inline bool is_smooth(const nearfar::SnrContrastiveOptions&) { return false; }
inline bool is_smooth(const nearfar::CentroidTripletOptions&) { return false; }
inline bool is_smooth(const nearfar::IntraPairVarianceOptions& o) {
  return o.reduction != nearfar::Reduction::mean_nonzero;  // for the same reason
}
inline bool is_smooth(const nearfar::HadsellOptions& o) {
  return o.reduction != nearfar::Reduction::mean_nonzero;  // its divisor jumps at the margin
}

/// Options with each choice once, in rounds.
template <class Options>
std::vector<Options> in_each_choice(const Options& options) {
  std::vector<Options> out;
  for (std::size_t round = 0; round < rounds_of<Options>(); ++round) {
    out.push_back(options);
    Options::fields(
        [&]<class T>(const char*, T& value) {
          if constexpr (is_common_option<T>) {
            return;
          } else if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
            value = static_cast<T>(round % nearfar::registered::choices_of<T>.size());
          }
        },
        out.back());
  }
  return out;
}
/// With the other weights the gradient is not the derivative of the value.
inline std::vector<nearfar::CircleOptions> in_each_choice(nearfar::CircleOptions options) {
  options.weights = nearfar::CircleWeights::differentiated;
  return {options};
}
/// With mining and without.
inline std::vector<nearfar::MultiSimilarityOptions> in_each_choice(
    const nearfar::MultiSimilarityOptions& options) {
  std::vector<nearfar::MultiSimilarityOptions> out = {options, options};
  out.front().epsilon.reset();
  out.back().epsilon = 0.1;
  return out;
}
inline std::vector<nearfar::TripletOptions> in_each_choice(const nearfar::TripletOptions& options) {
  std::vector<nearfar::TripletOptions> out;
  for (const auto form : {nearfar::TripletForm::hinge, nearfar::TripletForm::soft}) {
    out.push_back(options);
    out.back().form = form;
  }
  return out;
}
/// All but the one that draws.
inline std::vector<nearfar::MinedTripletOptions> in_each_choice(
    const nearfar::MinedTripletOptions& options) {
  using nearfar::Mining;
  std::vector<nearfar::MinedTripletOptions> out;
  for (const Mining mining :
       {Mining::all, Mining::hard, Mining::semihard, Mining::easy, Mining::batch_hard,
        Mining::batch_easy_hard, Mining::semi_hard_per_pair}) {
    for (const auto form : {nearfar::TripletForm::hinge, nearfar::TripletForm::soft}) {
      out.push_back(options);
      out.back().form = form;
      out.back().mining = mining;
    }
  }
  return out;
}

/// Options of a line with kernel K for tests of the promises of every loss.
template <class Line, class K>
std::vector<typename Line::Options> gentle_options(nearfar::Reduction reduction, double sharpness) {
  using Options = typename Line::Options;
  Options options;
  Options::fields(Gentle{sharpness}, options);
  if constexpr (requires { options.reduction; }) options.reduction = reduction;
  std::vector<Options> out = in_each_choice(options);
  for (Options& each : out) adjust(each, sharpness, K::orientation);
  return out;
}

// ---- options none of which is the default ------------------------------------------------------

// Losses that need more than each choice once.
template <class K, class Options>
void add_more(std::vector<Options>&) {}
/// With the second prior most rows are at the lower limit.
template <class K>
void add_more(std::vector<nearfar::HardNegativeOptions>& all) {
  all.push_back(all.front());
  all.back().positive_prior = 0.9;
}
template <class K>
void add_more(std::vector<nearfar::MinedTripletOptions>& all) {
  using nearfar::Mining, nearfar::NegativeChoice, nearfar::PositiveChoice, nearfar::TripletForm;
  const auto add = [&](TripletForm form, Mining mining, PositiveChoice positive,
                       NegativeChoice negative) {
    all.push_back(all.front());
    all.back().form = form;
    all.back().mining = mining;
    all.back().positive = positive;
    all.back().negative = negative;
  };
  for (const TripletForm form : {TripletForm::hinge, TripletForm::soft}) {
    add(form, Mining::distance_weighted, PositiveChoice::easy, NegativeChoice::easy);
    add(form, Mining::batch_easy_hard, PositiveChoice::easy, NegativeChoice::semihard);
  }
  add(TripletForm::hinge, Mining::batch_easy_hard, PositiveChoice::semihard, NegativeChoice::hard);
  add(TripletForm::hinge, Mining::batch_easy_hard, PositiveChoice::hard, NegativeChoice::easy);
}
template <class K>
void add_more(std::vector<nearfar::TripletOptions>& all) {
  if (!nearfar::is_symmetric<K>()) return;
  for (const auto& options : std::vector<nearfar::TripletOptions>(all)) {
    all.push_back(options);
    all.back().swap = true;
  }
}
/// With the second, the Gaussian is so narrow that only the nearest pairs count.
template <class K>
void add_more(std::vector<nearfar::UniformityOptions>& all) {
  all.push_back({.t = 500});
}

/// Options of a line with kernel K such that each of them has an effect.
template <class Line, class K>
std::vector<typename Line::Options> other_options() {
  using Options = typename Line::Options;
  Options options;
  Options::fields(OtherThanDefaults(), options);
  Options::fields(Gentle{1}, options);
  std::vector<Options> out = in_each_choice(options);
  for (Options& each : out) adjust(each, 1, K::orientation);
  add_more<K>(out);
  return out;
}

template <class Options, class... Those>
inline constexpr bool is_one_of = (std::is_same_v<Options, Those> || ...);

/// The learnable options, in the order of their derivatives in results.
template <class Options>
bool is_learnable(std::string_view name) {
  if (std::is_same_v<Options, nearfar::MarginLossOptions> && name == "beta") return true;
  // A constant of the others.
  if (name == "scale")
    return !is_one_of<Options, nearfar::NcaOptions, nearfar::TupletMarginOptions>;
  if (std::is_same_v<Options, nearfar::SoftTripleOptions> &&
      (name == "lambda" || name == "gamma")) {
    return true;
  }
  return name == "temperature" || name == "logit_scale" || name == "logit_bias" || name == "log_z";
}

template <class Options>
std::size_t learnable_numbers_of() {
  std::size_t count = 0;
  Options options;
  Options::fields(
      [&](std::string_view name, auto&) { count += is_learnable<Options>(name) ? 1 : 0; }, options);
  return count;
}

/// The end of the message about unusable anchors, after their number, or its start.
template <class Line>
std::string unusable_of() {
  using namespace nearfar;
  using Options = typename Line::Options;
  if constexpr (is_one_of<Options, CentroidTripletOptions, CircleOptions,
                          GeneralizedLiftedStructureOptions, LiftedStructureOptions,
                          MarginLossOptions, MinedTripletOptions>) {
    return "anchors without a positive or a negative";
  } else if constexpr (is_one_of<Options, AngularOptions, FastApOptions, NcaOptions, SincereOptions,
                                 SmoothApOptions, SupConOptions, TupletMarginOptions>) {
    return "anchors without a positive";
  } else if constexpr (is_over_labels<Line>) {
    return "anchors without";
  }
  return "anchors without a negative";
}

}  // namespace support
