#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nearfar/losses/mined_triplet.hpp>

#include "support/labelled_batches.hpp"

/// Values, counts and mined choices against the plainest loops over triplets, in long double.
/// (Gradients are held against differences of these values elsewhere.)

namespace {

using namespace support;
using nearfar::Reduction;

struct Mined {
  Real sum = 0;
  std::int64_t terms = 0;
  std::int64_t active = 0;
  std::int64_t hard = 0;
  std::int64_t semihard = 0;
  std::int64_t easy = 0;
};

/// Every triplet, one by one. Kinds are counted of all triplets, or of the one an anchor takes.
Mined mine(const oracle::Matrix& d, const Batch& batch, const nearfar::MinedTripletOptions& o) {
  using nearfar::Mining;
  using nearfar::NegativeChoice;
  using nearfar::PositiveChoice;
  const Index n = d.rows();
  const auto label = [&](Index i) { return batch.labels[static_cast<std::size_t>(i)]; };
  const Real m = o.margin;
  Mined out;
  const bool one_an_anchor = o.mining == Mining::batch_hard || o.mining == Mining::batch_easy_hard;
  const auto is_hard = [&](Index a, Index p, Index k) { return d(a, k) <= d(a, p); };
  const auto is_easy = [&](Index a, Index p, Index k) { return d(a, k) > d(a, p) + m; };
  const auto count = [&](Index a, Index p, Index k) {
    ++(is_hard(a, p, k) ? out.hard : is_easy(a, p, k) ? out.easy : out.semihard);
  };
  const auto take = [&](Index a, Index p, Index k) {
    const Real z = d(a, p) - d(a, k) + m;
    const Real value = o.form == nearfar::TripletForm::hinge
                           ? std::max<Real>(z, 0)
                           : std::max<Real>(z, 0) + std::log1p(std::exp(-std::abs(z)));
    out.sum += value;
    ++out.terms;
    if (value > 0) ++out.active;
    if (one_an_anchor) count(a, p, k);
  };
  for (Index a = 0; a < n; ++a) {
    std::vector<Index> positives;
    std::vector<Index> negatives;
    for (Index j = 0; j < n; ++j) {
      if (label(j) != label(a)) negatives.push_back(j);
      if (label(j) == label(a) && j != a) positives.push_back(j);
    }
    for (const Index p : positives) {
      for (const Index k : negatives) {
        const bool hard = is_hard(a, p, k);
        const bool easy = is_easy(a, p, k);
        if (!one_an_anchor) count(a, p, k);
        if (o.mining == Mining::all || (o.mining == Mining::hard && hard) ||
            (o.mining == Mining::easy && easy) ||
            (o.mining == Mining::semihard && !hard && !easy)) {
          take(a, p, k);
        }
      }
    }
    if (positives.empty() || negatives.empty()) continue;
    const auto nearer = [&](Index i, Index j) { return d(a, i) < d(a, j); };
    const auto farthest = [&](const std::vector<Index>& of) {
      return *std::max_element(of.begin(), of.end(), nearer);
    };
    const auto nearest = [&](const std::vector<Index>& of) {
      return *std::min_element(of.begin(), of.end(), nearer);
    };
    if (o.mining == Mining::semi_hard_per_pair) {
      for (const Index p : positives) {
        std::vector<Index> beyond;
        for (const Index k : negatives) {
          if (d(a, k) > d(a, p)) beyond.push_back(k);
        }
        take(a, p, beyond.empty() ? farthest(negatives) : nearest(beyond));
      }
    } else if (o.mining == Mining::batch_hard) {
      take(a, farthest(positives), nearest(negatives));
    } else if (o.mining == Mining::batch_easy_hard) {
      // The one that waits for the other comes second; -1: nothing fits.
      Index p = o.positive == PositiveChoice::easy ? nearest(positives) : farthest(positives);
      Index k = o.negative == NegativeChoice::easy ? farthest(negatives) : nearest(negatives);
      const auto keep = [](std::vector<Index>& of, const auto& fits) {
        of.erase(std::remove_if(of.begin(), of.end(), [&](Index j) { return !fits(j); }), of.end());
      };
      if (o.negative == NegativeChoice::semihard) {
        keep(negatives, [&](Index j) { return d(a, j) > d(a, p); });
        k = negatives.empty() ? -1 : nearest(negatives);
      }
      if (o.positive == PositiveChoice::semihard) {
        keep(positives, [&](Index j) { return d(a, j) < d(a, k); });
        p = positives.empty() ? -1 : farthest(positives);
      }
      if (p >= 0 && k >= 0) take(a, p, k);
    }
  }
  return out;
}

template <class K, class O>
void expect_mined_alike(const O& kernel) {
  using nearfar::Mining;
  for (const Batch& batch : batches()) {
    const oracle::Matrix d = distances(kernel, oracle::exact(batch.x));
    for (const Mining mining : {Mining::all, Mining::hard, Mining::semihard, Mining::easy,
                                Mining::batch_hard, Mining::semi_hard_per_pair}) {
      for (const auto form : {nearfar::TripletForm::hinge, nearfar::TripletForm::soft}) {
        nearfar::MinedTripletOptions options{.margin = 0.2, .form = form, .mining = mining};
        const Mined want = mine(d, batch, options);
        for (const Reduction reduction :
             {Reduction::sum, Reduction::mean, Reduction::mean_nonzero}) {
          SCOPED_TRACE(batch.name + ", mining " + std::to_string(static_cast<int>(mining)) +
                       ", form " + std::to_string(static_cast<int>(form)));
          options.reduction = reduction;
          const auto got = nearfar::MinedTriplet<double, K>(options).forward(batch.x, batch.labels);
          const std::int64_t divisor = reduction == Reduction::sum    ? 1
                                       : reduction == Reduction::mean ? want.terms
                                                                      : want.active;
          expect_value(got.value, divisor > 0 ? want.sum / static_cast<Real>(divisor) : 0);
          EXPECT_EQ(got.diagnostics.terms, want.terms);
          EXPECT_EQ(got.diagnostics.active_terms, want.active);
          EXPECT_EQ(got.hard_triplets, want.hard);
          EXPECT_EQ(got.semihard_triplets, want.semihard);
          EXPECT_EQ(got.easy_triplets, want.easy);
        }
      }
    }
  }
}

TEST(MinedTripletValues, AreThoseOfEveryTripletOneByOne) {
  expect_mined_alike<nearfar::SquaredEuclidean>(oracle::SquaredEuclidean());
  expect_mined_alike<nearfar::Euclidean>(oracle::Euclidean());
  expect_mined_alike<nearfar::InnerProduct>(oracle::InnerProduct());
}

TEST(MinedTripletValues, OfOneTripletAnAnchorAreThoseOfTheChoices) {
  using nearfar::NegativeChoice;
  using nearfar::PositiveChoice;
  for (const Batch& batch : batches()) {
    const oracle::Matrix d = distances(oracle::SquaredEuclidean(), oracle::exact(batch.x));
    for (const auto positive :
         {PositiveChoice::easy, PositiveChoice::semihard, PositiveChoice::hard}) {
      for (const auto negative :
           {NegativeChoice::easy, NegativeChoice::semihard, NegativeChoice::hard}) {
        if (positive == PositiveChoice::semihard && negative == NegativeChoice::semihard) continue;
        SCOPED_TRACE(batch.name + ", positive " + std::to_string(static_cast<int>(positive)) +
                     ", negative " + std::to_string(static_cast<int>(negative)));
        const nearfar::MinedTripletOptions options{.mining = nearfar::Mining::batch_easy_hard,
                                                   .positive = positive,
                                                   .negative = negative,
                                                   .reduction = Reduction::sum};
        const Mined want = mine(d, batch, options);
        const auto got = nearfar::MinedTriplet<double, nearfar::SquaredEuclidean>(options).forward(
            batch.x, batch.labels);
        expect_value(got.value, want.sum);
        EXPECT_EQ(got.diagnostics.terms, want.terms);
        EXPECT_EQ(got.diagnostics.active_terms, want.active);
        EXPECT_EQ(got.hard_triplets, want.hard);
        EXPECT_EQ(got.semihard_triplets, want.semihard);
        EXPECT_EQ(got.easy_triplets, want.easy);
      }
    }
  }
}

TEST(MinedTripletValues, AgainstNoReferencesAreNothing) {
  using nearfar::Mining;
  const Matrix<double> x = random_rows<double>(5, 3, 1);
  const Matrix<double> none(0, 3);
  const std::vector<int> labels = {0, 0, 1, 1, 1};
  for (const Mining mining :
       {Mining::all, Mining::hard, Mining::semihard, Mining::easy, Mining::batch_hard,
        Mining::batch_easy_hard, Mining::semi_hard_per_pair, Mining::distance_weighted}) {
    const auto got = nearfar::MinedTriplet<double>({.mining = mining, .reduction = Reduction::none})
                         .forward(x, labels, none, std::vector<int>());
    EXPECT_EQ(got.value, 0);
    EXPECT_EQ(got.values, std::vector<double>(5, 0));
    EXPECT_EQ(got.diagnostics.terms, 0);
  }
}

TEST(MinedTripletValues, CountsOfAllTripletsHaveAClosedForm) {
  for (const Batch& batch : batches()) {
    std::int64_t want = 0;
    const auto n = static_cast<std::int64_t>(batch.labels.size());
    for (const std::int64_t label : batch.labels) {
      const auto members = std::count(batch.labels.begin(), batch.labels.end(), label);
      want += (members - 1) * (n - members);
    }
    const auto got = nearfar::MinedTriplet<double>({.mining = nearfar::Mining::all})
                         .forward(batch.x, batch.labels);
    EXPECT_EQ(got.diagnostics.terms, want) << batch.name;
    EXPECT_EQ(got.hard_triplets + got.semihard_triplets + got.easy_triplets, want) << batch.name;
  }
}

}  // namespace
