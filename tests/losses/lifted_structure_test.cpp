#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/losses/lifted_structure.hpp>

#include "support/labelled_batches.hpp"
#include "support/options.hpp"

/// The lifted structure loss against plain loops over pairs in long double, and its options.

namespace {

using namespace support;

/// The lifted structured loss of one set against another, or against itself: the sum over pairs,
/// half of it if a pair counts twice, the number of pairs and the number of active ones.
struct Lifted {
  Real sum = 0;
  std::int64_t pairs = 0;
  std::int64_t active = 0;

  /// `pairs_from(i)` is the first row that i is paired with.
  template <class Label, class PairsFrom>
  Lifted(const oracle::Matrix& d, double margin, const std::vector<Label>& of_x,
         const std::vector<Label>& of_y, const PairsFrom& pairs_from) {
    const auto alike = [&](Index i, Index j) {
      return of_x[std::size_t(i)] == of_y[std::size_t(j)];
    };
    std::vector<Real> of_row(std::size_t(d.rows()), 0);
    std::vector<Real> of_column(std::size_t(d.cols()), 0);
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = 0; j < d.cols(); ++j) {
        if (alike(i, j)) continue;
        of_row[std::size_t(i)] += std::exp(margin - d(i, j));
        of_column[std::size_t(j)] += std::exp(margin - d(i, j));
      }
    }
    for (Index i = 0; i < d.rows(); ++i) {
      for (Index j = pairs_from(i); j < d.cols(); ++j) {
        if (!alike(i, j)) continue;
        ++pairs;
        const Real negatives = of_row[std::size_t(i)] + of_column[std::size_t(j)];
        if (negatives == 0) continue;
        const Real over = std::max<Real>(std::log(negatives) + d(i, j), 0);
        sum += over * over / 2;
        active += over > 0 ? 1 : 0;
      }
    }
  }

  Real mean() const { return pairs > 0 ? sum / static_cast<Real>(pairs) : 0; }
};

void expect_lifted(const nearfar::Result& got, const Lifted& want) {
  expect_value(got.value, want.mean());
  EXPECT_EQ(got.diagnostics.terms, want.pairs);
  EXPECT_EQ(got.diagnostics.active_terms, want.active);
}

/// Margins so small that no pair, or only some, are active.
constexpr double margins[] = {1, -1, -3, -20};

TEST(LiftedStructure, EqualsTheFormulaAgainstReferences) {
  const Matrix<double> x = random_rows<double>(33, 17, 8);
  const Matrix<double> y = random_rows<double>(40, 17, 9);
  const oracle::Matrix d =
      oracle::pairwise(oracle::Euclidean(), oracle::exact(x), oracle::exact(y));
  // Of the second labels, one row has negatives and the other rows of its class have none.
  std::vector<int> lonely(40, 7);
  std::vector<int> but_one(33, 7);
  but_one[0] = 8;
  for (const auto& [of_x, of_y] : {std::pair(random_labels(33, 4, 10), random_labels(40, 4, 11)),
                                   std::pair(but_one, lonely)}) {
    for (const double margin : margins) {
      const auto got =
          nearfar::LiftedStructure<double>({.margin = margin}).forward(x, of_x, y, of_y);
      expect_lifted(got, Lifted(d, margin, of_x, of_y, [](Index) { return Index(0); }));
    }
  }
}

TEST(LiftedStructure, EqualsTheFormulaInABatch) {
  std::vector<Batch> all = small_and_large_batches();
  // Classes in blocks: a tile may have no negative.
  Batch sorted = all.back();
  sorted.name = "sorted 400";
  std::sort(sorted.labels.begin(), sorted.labels.end(),
            [](auto a, auto b) { return a / 4 < b / 4; });
  for (auto& label : sorted.labels) label /= 4;
  all.push_back(sorted);
  for (const Batch& batch : all) {
    SCOPED_TRACE(batch.name);
    const oracle::Matrix d = distances(oracle::Euclidean(), oracle::exact(batch.x));
    for (const double margin : margins) {
      const auto got =
          nearfar::LiftedStructure<double>({.margin = margin}).forward(batch.x, batch.labels);
      expect_lifted(got,
                    Lifted(d, margin, batch.labels, batch.labels, [](Index i) { return i + 1; }));
    }
  }
}

TEST(LiftedStructure, RefusesAMarginThatIsNotFinite) {
  expect_must_be_finite("margin", [](double v) { nearfar::LiftedStructure<float>({.margin = v}); });
}

TEST(LiftedStructure, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(nearfar::LiftedStructureOptions().margin, 1);
  expect_common_defaults<nearfar::LiftedStructureOptions>();
}

}  // namespace
