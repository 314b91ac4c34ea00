#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/definitions.hpp"
#include "support/drawn_batches.hpp"
#include "support/settings.hpp"
#include "support/tolerance.hpp"

/// \file
/// Losses against their definitions over drawn batches, through an interface to the losses (see
/// support/named_arguments.hpp): the tests of the interfaces make the same calls.

namespace support {

constexpr std::uint64_t defined_batches = 200;

/// Widths of rows, in turn.
inline Index width_of(std::uint64_t k) {
  constexpr Index widths[] = {1, 2, 3, 5, 8};
  return widths[k / kinds_of_batches % 5];
}

/// Compares an outcome with a definition: values relative to 1 at least, elements of gradients to
/// the largest of their set.
inline void expect_defined(const Outcome<double>& got, const oracle::Defined& want,
                           const std::vector<std::string>& names) {
  const oracle::Real size = std::max<oracle::Real>(1, std::abs(want.value));
  EXPECT_LE(std::abs(oracle::Real(got.loss) - want.value), Tolerance<double>::value * size)
      << "got " << got.loss << ", wanted " << want.value;
  for (std::size_t k = 0; k < names.size(); ++k) {
    const oracle::Matrix& wanted = want.gradients[k];
    const oracle::Matrix ours = oracle::exact(got.gradients.at(names[k]));
    ASSERT_EQ(ours.rows(), wanted.rows()) << names[k];
    ASSERT_EQ(ours.cols(), wanted.cols()) << names[k];
    if (wanted.size() == 0) continue;
    const oracle::Real largest = wanted.cwiseAbs().maxCoeff();
    EXPECT_LE((ours - wanted).cwiseAbs().maxCoeff(),
              Tolerance<double>::same * largest + Tolerance<double>::value * size)
        << "gradient of " << names[k] << ":\n"
        << ours.cast<double>() << "\nwanted\n"
        << wanted.cast<double>();
  }
}

/// Settings under which definitions apply, with each reduction in turn.
template <class Line, class K>
std::vector<typename Line::Options> defined_settings(std::uint64_t k) {
  using nearfar::Reduction;
  constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::mean_nonzero};
  auto all = gentle_options<Line, K>(reductions[k % 3], 1);
  if constexpr (std::is_same_v<Line, nearfar::registered::ranked_list>) {
    all.push_back(all.back());
    all.back().t_p = 1;
    all.back().t_n = 3;
  }
  if constexpr (std::is_same_v<Line, nearfar::registered::circle>) {
    all.push_back(all.back());
    all.back().weights = nearfar::CircleWeights::constant;
  }
  return all;
}

/// Calls body.operator()<K>() for the kernels of a line without a matrix; of its own kernel alone
/// unless all are wanted.
template <class Line, bool all, class Body>
void for_defined_kernels(const Body& body) {
  using Own = typename OwnKernel<Line, double>::Type;
  for_each_kernel<Line, double>([&]<class K>() {
    if constexpr (!nearfar::ParametricKernel<K> && (all || std::is_same_v<K, Own>)) {
      body.template operator()<K>();
    }
  });
}

/// False where the rounding of a cosine decides. The cosine of two copies is 1 but for its last
/// digit: their cosine distance may be 0 or not, which mean_nonzero counts, and the sine of their
/// angle, the root of that digit, enters the tuplet margin loss.
template <class Line, class K, class Options>
bool is_determined(const Options& options, std::uint64_t k) {
  const std::uint64_t kind = k % kinds_of_batches;
  if (kind != 5 && kind != 6) return true;
  if (std::is_same_v<Line, nearfar::registered::tuplet_margin>) return false;
  return !std::is_same_v<K, nearfar::CosineDistance> ||
         options.reduction != nearfar::Reduction::mean_nonzero;
}

/// One loss over labels.
template <class Line, class Through, bool all_kernels>
void expect_definition_over_labels() {
  for_defined_kernels<Line, all_kernels>([&]<class K>() {
    for (std::uint64_t k = 0; k < defined_batches; ++k) {
      const DrawnBatch<double> batch = drawn_batch<double>(k, width_of(k));
      NamedArguments<double> arguments;
      arguments.add("x", batch.x);
      arguments.labels = batch.labels;
      for (const auto& options : defined_settings<Line, K>(k)) {
        if (!is_determined<Line, K>(options, k)) continue;
        SCOPED_TRACE(std::string(Line::name) + " of " + name_of_kernel<K> + choices_in(options) +
                     ", " + batch.name);
        expect_defined(
            Through::template call<Line, double, K>(options, K(), arguments),
            oracle::defined_over_labels<Line, K>(options, oracle::exact(batch.x), batch.labels),
            arguments.names);
        if (testing::Test::HasFailure()) return;
      }
    }
  });
}

}  // namespace support
