#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "support/definitions.hpp"
#include "support/drawn_batches.hpp"
#include "support/pair_definitions.hpp"
#include "support/proxy_definitions.hpp"
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

// ---- rows that belong together by their places
// ---------------------------------------------------

/// Arguments of a loss whose rows have no labels, of the rows of a drawn batch and others like
/// them: of one kind both sides are copies, of others some of their rows.
template <class Line>
NamedArguments<double> drawn_arguments(std::uint64_t k) {
  const std::uint64_t kind = k % kinds_of_batches;
  const Matrix<double> first = drawn_batch<double>(k, width_of(k)).x;
  const Index n = first.rows();
  const auto like_it = [&](Index rows, std::uint64_t seed) {
    Matrix<double> out = random_rows<double>(rows, first.cols(), seed + k);
    if (kind == 5 || kind == 6) {
      for (Index i = 1; i < rows; i += 2) out.row(i) = out.row(i - 1);
    }
    if (kind == 7) {
      for (Index i = 0; i < rows; i += 4) out.row(i).setZero();
    }
    return out;
  };
  constexpr Takes takes = Line::takes;
  NamedArguments<double> out;
  out.add("first", first);
  if (takes == Takes::one_set) return out;
  const Index each = takes == Takes::scored_lists ? 3 : 1;
  out.add("second", kind == 1 && each == 1 ? first : like_it(n * each, 3000));
  if (takes == Takes::triplets) out.add("third", like_it(n, 4000));
  if (takes == Takes::scored_triplets) out.add("third", like_it(2 * n, 4000));
  if (takes == Takes::predictions) out.constants = {like_it(n, 5000), like_it(n, 6000)};
  Random random(7000 + k);
  if (takes == Takes::matched_pairs || takes == Takes::labels_or_pairs) {
    for (Index i = 0; i < n; ++i) out.same.push_back(random.below(2));
  }
  if (takes == Takes::scored_pairs || takes == Takes::scored_lists ||
      takes == Takes::scored_triplets) {
    for (Index i = 0; i < out.sets.back().rows(); ++i) {
      out.numbers.push_back(double(random.below(5)) / 4);
    }
  }
  return out;
}

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

}  // namespace support

/// The losses of rows without labels that have a definition.
#define NEARFAR_DEFINED_BY_PLACES(loss)                                                            \
  loss(alignment) loss(angle) loss(barlow_twins) loss(byol) loss(clip) loss(co_sent)               \
      loss(cosine_embedding) loss(dclw) loss(dhel) loss(distill_kl) loss(gor)                      \
          loss(hadsell_contrastive) loss(hard_negative) loss(info_nce) loss(ko_leo)                \
              loss(margin_mse) loss(mutual_information) loss(n_pair) loss(negative_cosine)         \
                  loss(nt_xent) loss(rince) loss(rince_views) loss(score_regression) loss(sig_lip) \
                      loss(triplet) loss(uniformity) loss(vic_reg)
