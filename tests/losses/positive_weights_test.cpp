#include <gtest/gtest.h>

#include <nearfar/nearfar.hpp>

#include "support/compare.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"
#include "support/oracle.hpp"
#include "support/random.hpp"

/// Weights of positives: only their ratios count, for any size of the weights and any heaviest
/// positive. Weights of anchors of any size.

namespace {

using namespace support;
using nearfar::PositiveLists;
using nearfar::Reduction;
using nearfar::SupCon;
using nearfar::SupConVariant;
using nearfar::Targets;
using oracle::Real;

constexpr Index n = 9;
constexpr Index m = 13;

bool lists(Index i, Index j) { return i != 4 && (i + 2 * j) % 3 == 0; }

struct Lists {
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;
  std::vector<double> weights;

  /// weight(i, j) of each positive.
  template <class Weight>
  explicit Lists(const Weight& weight) {
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < m; ++j) {
        if (!lists(i, j)) continue;
        columns.push_back(j);
        weights.push_back(weight(i, j));
      }
      offsets.push_back(static_cast<Index>(columns.size()));
    }
  }
  PositiveLists view() const { return {offsets, columns, weights}; }
};

/// Loss of anchor i, -1 / W sum of w log p or -log of 1 / W sum of w p, with weights as given.
template <class Weight>
Real loss_of(const oracle::Matrix& z, Index i, SupConVariant variant, const Weight& weight) {
  Real best = z(i, 0);
  for (Index j = 0; j < m; ++j) best = std::max(best, z(i, j));
  Real others = 0;  // without one of the best
  bool met = false;
  for (Index j = 0; j < m; ++j) {
    if (z(i, j) == best && !met) {
      met = true;
    } else {
      others += std::exp(z(i, j) - best);
    }
  }
  const Real all = std::log1p(others);
  Real total = 0;
  Real behind = 0;
  Real inside = 0;
  for (Index j = 0; j < m; ++j) {
    if (!lists(i, j)) continue;
    const Real w = weight(i, j);
    total += w;
    behind += w * (best - z(i, j));
    inside += w * std::exp(z(i, j) - best);
  }
  if (total == 0) return 0;
  return variant == SupConVariant::out ? all + behind / total : all - std::log(inside / total);
}

template <class S>
class PositiveWeights : public testing::Test {
 protected:
  const Matrix<S> x = random_rows<S>(n, 5, 21);
  const Matrix<S> y = random_rows<S>(m, 5, 22);

  template <class Weight>
  void expect_right(double temperature, const Weight& weight) const {
    const Lists all(weight);
    const oracle::Matrix z =
        oracle::pairwise(oracle::Cosine(), oracle::exact(x), oracle::exact(y)) / temperature;
    for (const auto variant : {SupConVariant::out, SupConVariant::in}) {
      SCOPED_TRACE(variant == SupConVariant::out ? "out" : "in");
      const SupCon<S> loss(
          {.temperature = temperature, .variant = variant, .reduction = Reduction::none});
      const auto got = loss.forward(x, all.view(), y, Targets());
      for (Index i = 0; i < n; ++i) {
        const auto want = static_cast<double>(loss_of(z, i, variant, weight));
        EXPECT_NEAR(got.values[static_cast<std::size_t>(i)], want,
                    4 * Tolerance<S>::value * (want + 1 / temperature))
            << "row " << i;
      }
      if constexpr (std::is_same_v<S, double>) expect_gradient_of_value(loss, all);
    }
  }

 private:
  static void expect_gradient_of_value(const SupCon<S>& each, const Lists& all) {
    auto options = each.options();
    options.reduction = Reduction::sum;
    Matrix<S> queries = random_rows<S>(n, 5, 21);
    Matrix<S> references = random_rows<S>(m, 5, 22);
    Matrix<S> dq;
    Matrix<S> dr;
    const auto result =
        SupCon<S>(options).forward_backward(queries, all.view(), references, Targets(), dq, dr);
    const auto value = [&] {
      return SupCon<S>(options).forward(queries, all.view(), references, Targets()).value;
    };
    support::expect_right(nearfar::check_gradient<S>(
                              value, {{"queries", queries, dq}, {"references", references, dr}}),
                          dq.size() + dr.size());
    const double step = 1e-5 * options.temperature;
    const auto at = [&](double temperature) {
      options.temperature = temperature;
      return value();
    };
    const double tau = options.temperature;
    const double measured = (at(tau + step) - at(tau - step)) / (2 * step);
    EXPECT_NEAR(result.d_temperature, measured, 1e-6 * (1 + std::abs(measured)));
  }
};
TYPED_TEST_SUITE(PositiveWeights, Scalars, CaseNames);

double plain(Index i, Index j) { return 0.2 + static_cast<double>((3 * i + 7 * j) % 5); }

TYPED_TEST(PositiveWeights, DependOnRatiosOnly) {
  for (const double size : {5e-324, 1e-300, 1e-46, 1e-40, 1e-38, 1.0, 1e38, 1e39, 1e300, 3e307}) {
    SCOPED_TRACE(testing::Message() << "weights of about " << size);
    // Equal weights: the smallest number has no other ratios.
    this->expect_right(0.5, [size](Index, Index) { return size; });
    if (size < 1e-307) continue;
    this->expect_right(0.5, [size](Index i, Index j) { return size * plain(i, j); });
    this->expect_right(0.05, [size](Index i, Index j) { return size * plain(i, j); });
  }
}

/// Also for an anchor with positives that cannot be distinguished from rows without weight.
TYPED_TEST(PositiveWeights, OfVeryDifferentSizeInOneList) {
  for (const double ratio : {1e-7, 1e-20, 1e-46, 1e-60, 1e-200}) {
    for (const double temperature : {0.5, 0.02}) {
      SCOPED_TRACE(testing::Message() << "ratio " << ratio << ", temperature " << temperature);
      this->expect_right(temperature, [ratio](Index i, Index j) {
        return (i + j) % 2 == 0 ? plain(i, j) : ratio * plain(i, j);
      });
    }
  }
}

/// The heaviest positive is by far the nearest key: the loss is the share of all others.
TYPED_TEST(PositiveWeights, LeaveSmallLossesTheirDigits) {
  using S = TypeParam;
  Matrix<S> query(1, 3);
  Matrix<S> keys(4, 3);
  query << S(1), S(0), S(0);
  // Nearness 1, 0, -1 and 0; the first and the third are positives.
  keys << S(1), S(0), S(0), S(0), S(1), S(0), S(-1), S(0), S(0), S(0), S(0), S(1);
  const std::vector<Index> offsets = {0, 2};
  const std::vector<Index> columns = {0, 2};
  for (const double ratio : {1e-3, 1e-12, 1e-25}) {
    for (const double tau : {0.25, 0.05, 0.025}) {
      SCOPED_TRACE(testing::Message() << "ratio " << ratio << ", temperature " << tau);
      const std::vector<double> weights = {3, 3 * ratio};
      const Real q = static_cast<Real>(ratio) / (1 + static_cast<Real>(ratio));
      const Real far = std::exp(-2 / static_cast<Real>(tau));
      const Real others = 2 * std::exp(-1 / static_cast<Real>(tau)) + far;
      const Real out = std::log1p(others) + q * 2 / static_cast<Real>(tau);
      // log of (1 + others) / (1 - q + q far), with the subtraction done by hand.
      const Real in = std::log1p((others + q * (1 - far)) / (1 - q * (1 - far)));
      for (const auto variant : {SupConVariant::out, SupConVariant::in}) {
        const Real want = variant == SupConVariant::out ? out : in;
        Matrix<S> dq;
        Matrix<S> dk;
        const auto got = SupCon<S>({.temperature = tau, .variant = variant})
                             .forward_backward(query, PositiveLists{offsets, columns, weights},
                                               keys, Targets(), dq, dk);
        const Real digits = std::numeric_limits<S>::epsilon() * (40 - 4 * std::log(want));
        EXPECT_LE(std::abs(got.value - want) / want, digits) << got.value << " for " << want;
        // dL/ds of the two negatives, whose rows are unit vectors.
        const Real share = std::exp(-1 / static_cast<Real>(tau)) / (1 + others);
        const Real slope = share / static_cast<Real>(tau);
        for (const Index axis : {1, 2}) {
          EXPECT_LE(std::abs(static_cast<Real>(dq(0, axis)) - slope) / slope, digits);
        }
      }
    }
  }
}

TYPED_TEST(PositiveWeights, HaveNoEffectWithASinglePositive) {
  using S = TypeParam;
  Matrix<S> query(1, 2);
  Matrix<S> keys(2, 2);
  query << S(1), S(0);
  keys << S(1), S(0), S(0), S(1);
  const std::vector<Index> offsets = {0, 1};
  const std::vector<Index> columns = {0};
  for (const double weight : {1e-46, 1e-40, 1.0, 1e39, 1e308}) {
    const std::vector<double> weights = {weight};
    for (const auto variant : {SupConVariant::out, SupConVariant::in}) {
      Matrix<S> dq;
      Matrix<S> dk;
      const auto got = SupCon<S>({.temperature = 1, .variant = variant})
                           .forward_backward(query, PositiveLists{offsets, columns, weights}, keys,
                                             Targets(), dq, dk);
      EXPECT_NEAR(got.value, 0.3132616875182228, Tolerance<S>::value) << weight;
      EXPECT_EQ(got.diagnostics.active_terms, 1);
      EXPECT_NEAR(static_cast<double>(dq(0, 1)), 0.2689414213699951, Tolerance<S>::gradient);
    }
  }
}

/// A row lists itself, or a row of its id, with a weight far above the others'. The pair is
/// excluded, so its weight has no effect.
TYPED_TEST(PositiveWeights, OfExcludedPairsDoNotAffectTheNormalisation) {
  using S = TypeParam;
  std::vector<Index> ids(n);
  for (Index i = 0; i < n; ++i) ids[static_cast<std::size_t>(i)] = i < n - 1 ? i : 0;
  for (const bool with_ids : {false, true}) {
    std::vector<Index> offsets[2] = {{0}, {0}};
    std::vector<Index> columns[2];
    std::vector<double> weights[2];
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        const auto id = [&](Index k) { return ids[static_cast<std::size_t>(k)]; };
        const bool compared = with_ids ? id(i) != id(j) : i != j;
        if (compared && (i + j) % 3 != 0) continue;
        for (const int k : {0, 1}) {
          if (k == 1 && !compared) continue;
          columns[k].push_back(j);
          weights[k].push_back(compared ? plain(i, j) : 1e300);
        }
      }
      for (const int k : {0, 1}) offsets[k].push_back(static_cast<Index>(columns[k].size()));
    }
    for (const auto variant : {SupConVariant::out, SupConVariant::in}) {
      const SupCon<S> loss({.temperature = 0.5, .variant = variant});
      Matrix<S> dx[2];
      double value[2];
      for (const int k : {0, 1}) {
        const Targets targets = PositiveLists{offsets[k], columns[k], weights[k]};
        value[k] =
            loss.forward_backward(this->x, with_ids ? targets.ids(ids) : targets, dx[k]).value;
      }
      EXPECT_EQ(value[0], value[1]);
      EXPECT_TRUE(same_bits<S>(dx[0], dx[1]));
      EXPECT_GT(value[0], 0);
    }
  }
}

// ---- weights of anchors ------------------------------------------------------------------------

/// A gradient in the range of the scalar type is exact, even if its factors are out of the range.
TYPED_TEST(PositiveWeights, OfAnchorsMayBeOutOfTheRangeOfTheScalarType) {
  using S = TypeParam;
  const std::vector<int> labels = random_labels(n, 3, 23);
  std::vector<double> shape;
  for (Index i = 0; i < n; ++i) shape.push_back(0.25 + static_cast<double>(i % 3));
  const auto each = [&](const auto& loss) {
    Matrix<S> want;
    const auto plain_result = loss.forward_backward(this->x, Targets(labels).weights(shape), want);
    for (const double size : {1e-60, 1e-46, 1e-41, 1e39, 1e60}) {
      SCOPED_TRACE(testing::Message() << "weights of about " << size);
      std::vector<double> weights = shape;
      for (double& w : weights) w *= size;
      Matrix<S> got;
      const auto result = loss.forward_backward(this->x, Targets(labels).weights(weights), got,
                                                {.upstream = 1 / size});
      EXPECT_NEAR(result.value / size, plain_result.value, Tolerance<S>::same * plain_result.value);
      expect_same<S>(got, want, "dx");
    }
  };
  each(SupCon<S>({.temperature = 0.5}));
  each(nearfar::MultiSimilarity<S>());
  each(nearfar::Circle<S>({.gamma = 4}));
  each(nearfar::HadsellContrastive<S>());
  each(nearfar::LinearContrastive<S, nearfar::Euclidean>(
      {.positive_margin = 0, .negative_margin = 1}));
  each(nearfar::LiftedStructure<S>());
  each(nearfar::RankedList<S>());
  for (const auto form : {nearfar::TripletForm::hinge, nearfar::TripletForm::soft}) {
    for (const auto mining :
         {nearfar::Mining::all, nearfar::Mining::batch_hard, nearfar::Mining::semi_hard_per_pair}) {
      each(nearfar::MinedTriplet<S>({.form = form, .mining = mining}));
    }
  }
}

}  // namespace
