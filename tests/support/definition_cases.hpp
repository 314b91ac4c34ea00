#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/definitions.hpp"
#include "support/drawn_arguments.hpp"
#include "support/drawn_batches.hpp"
#include "support/proxy_definitions.hpp"
#include "support/settings.hpp"
#include "support/structured_definitions.hpp"
#include "support/tolerance.hpp"

/// \file
/// Losses against their definitions over drawn batches, through an interface to the losses (see
/// support/named_arguments.hpp): the tests of the interfaces make the same calls.

namespace support {

constexpr std::uint64_t defined_batches = 200;

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
    if (wanted.rows() == 0) continue;
    ASSERT_EQ(ours.cols(), wanted.cols()) << names[k];
    if (wanted.cols() == 0) continue;
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
  if constexpr (std::is_same_v<Line, MatryoshkaLine>) {
    return drawn_prefixes(k, reductions[k % 3]);
  } else {
    auto all = gentle_options<Line, K>(reductions[k % 3], 1);
    fit_to_arguments(all, k);
    if constexpr (std::is_same_v<Line, nearfar::registered::ranked_list>) {
      all.push_back(all.back());
      all.back().t_p = 1;
      all.back().t_n = 3;
    }
    if constexpr (std::is_same_v<Line, nearfar::registered::dclw>) {
      all.push_back(all.back());
      all.back().sigma = 0.5;
    }
    if constexpr (std::is_same_v<Line, nearfar::registered::triplet>) {
      std::erase_if(all, [](const auto& o) { return o.swap; });
    }
    if constexpr (std::is_same_v<Line, nearfar::registered::circle>) {
      all.push_back(all.back());
      all.back().weights = nearfar::CircleWeights::constant;
    }
    return all;
  }
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

// ---- against proxies ---------------------------------------------------------------------------

/// One loss of labelled rows against proxies of four classes. Rows of one column have angles of 0
/// and pi alone, where logits with margins have corners: they are left out.
template <class Line, class Through>
void expect_definition_over_proxies() {
  constexpr Index classes = 4;
  for (std::uint64_t k = 0; k < defined_batches; ++k) {
    if (width_of(k) == 1) continue;
    const DrawnBatch<double> batch = drawn_batch<double>(k, width_of(k));
    for (const auto& options : defined_settings<Line, nearfar::Cosine>(k)) {
      const Index centers = centers_of(options);
      NamedArguments<double> arguments;
      arguments.add("x", batch.x);
      arguments.add("proxies", random_rows<double>(classes * centers, batch.x.cols(), 3000 + k));
      for (const std::int64_t label : batch.labels) {
        arguments.labels.push_back(((label % classes) + classes) % classes);
      }
      SCOPED_TRACE(std::string(Line::name) + choices_in(options) + ", " + batch.name);
      expect_defined(Through::template call<Line, double, nearfar::Cosine>(options, {}, arguments),
                     oracle::defined_over_proxies<Line>(options, arguments, centers),
                     arguments.names);
      if (testing::Test::HasFailure()) return;
    }
  }
}

// ---- rows without labels ------------------------------------------------------------------------

/// One loss of rows without labels. A term of copies or of zero rows may be 0 but for the last
/// digit of a cosine, which mean_nonzero counts: batches that have such rows are reduced otherwise.
template <class Line, class Through, bool all_kernels>
void expect_definition_by_places() {
  for_defined_kernels<Line, all_kernels>([&]<class K>() {
    for (std::uint64_t k = 0; k < defined_batches; ++k) {
      const std::uint64_t kind = k % kinds_of_batches;
      const NamedArguments<double> arguments = drawn_arguments<Line>(k);
      for (const auto& options : defined_settings<Line, K>(k)) {
        if constexpr (requires { options.reduction; }) {
          const bool copies = kind == 1 || kind >= 5 || width_of(k) == 1;
          if (copies && options.reduction == nearfar::Reduction::mean_nonzero) continue;
        }
        SCOPED_TRACE(std::string(Line::name) + " of " + name_of_kernel<K> + choices_in(options) +
                     ", " + drawn_batch<double>(k, 1).name + ", width " +
                     std::to_string(width_of(k)));
        expect_defined(Through::template call<Line, double, K>(options, K(), arguments),
                       oracle::defined_by_places<Line, K>(options, arguments), arguments.names);
        if (testing::Test::HasFailure()) return;
      }
    }
  });
}

/// One of the register's other losses.
template <class Line, class Through, bool all_kernels>
void expect_definition() {
  if constexpr (Line::takes == Takes::classes) {
    expect_definition_over_labels<Line, Through, all_kernels>();
  } else {
    expect_definition_by_places<Line, Through, all_kernels>();
  }
}

}  // namespace support
