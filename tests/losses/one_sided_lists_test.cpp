#include <gtest/gtest.h>

#include <functional>
#include <nearfar/nearfar.hpp>

#include "support/compare.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"
#include "support/losses_over_labels.hpp"
#include "support/oracle.hpp"
#include "support/random.hpp"

/// Lists of positives that are not symmetric, in a batch compared with itself: row i lists row j,
/// row j does not list row i. Each row uses its own list, in value and gradient.

namespace {

using namespace support;
using nearfar::Diagnostics;
using nearfar::Mining;
using nearfar::PositiveLists;
using nearfar::Reduction;
using nearfar::Result;
using nearfar::Targets;
using oracle::Real;

constexpr Index n = 17;

/// True if row i lists row j. Some rows list themselves, which has no effect.
bool lists(Index i, Index j) { return (3 * i + 5 * j + i * j) % 7 == 0; }
/// Rows of one id are neither positive nor negative for each other.
Index id_of(Index i) { return i < 15 ? i : 15; }

struct Lists {
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;
  std::vector<Index> ids;
  std::vector<double> weights;  ///< of anchors

  Lists() {
    for (Index i = 0; i < n; ++i) {
      for (Index j = 0; j < n; ++j) {
        if (lists(i, j)) columns.push_back(j);
      }
      offsets.push_back(static_cast<Index>(columns.size()));
      ids.push_back(id_of(i));
      weights.push_back(0.5 + static_cast<double>(i % 4));
    }
  }
  PositiveLists view() const { return {offsets, columns}; }
};

/// The pairs of a batch, by the scores of a kernel.
struct Pairs {
  oracle::Matrix s;
  bool with_ids;

  bool compared(Index i, Index j) const { return with_ids ? id_of(i) != id_of(j) : i != j; }
  std::vector<Real> of(Index i, bool positive) const {
    std::vector<Real> out;
    for (Index j = 0; j < n; ++j) {
      if (compared(i, j) && lists(i, j) == positive) out.push_back(s(i, j));
    }
    return out;
  }
};

/// An anchor's loss from the scores of its positives and of its negatives.
using AnchorLoss = std::function<Real(const std::vector<Real>&, const std::vector<Real>&)>;

Real sum_of(const std::vector<Real>& s, const std::function<Real(Real)>& f) {
  Real sum = 0;
  for (const Real one : s) sum += f(one);
  return sum;
}
Real size_of(const std::vector<Real>& s) { return static_cast<Real>(s.size()); }
Real softplus(Real z) { return std::max<Real>(z, 0) + std::log1p(std::exp(-std::abs(z))); }
Real hinge(Real z) { return std::max<Real>(z, 0); }

/// The loss over all triplets of distances.
AnchorLoss triplets(const std::function<Real(Real, Real)>& loss) {
  return [loss](const auto& positives, const auto& negatives) {
    Real sum = 0;
    for (const Real p : positives) {
      for (const Real q : negatives) sum += loss(p, q);
    }
    return sum;
  };
}

template <class S>
struct Case {
  std::string name;
  bool cosine;
  bool smooth;  ///< without jumps in the choice of positives or negatives; kinks are possible
  std::function<Result(Reduction, const Matrix<S>&, const Targets&, Matrix<S>*)> call;
  AnchorLoss anchor;
};

template <class S, class L, class Options>
auto call_of(const Options& options) {
  return [options](Reduction reduction, const Matrix<S>& x, const Targets& targets,
                   Matrix<S>* dx) -> Result {
    Options all = options;
    all.reduction = reduction;
    const L loss(all);
    if (dx == nullptr) return loss.forward(x, targets);
    return loss.forward_backward(x, targets, *dx);
  };
}

template <class S, class L, class Options>
Case<S> make(std::string name, bool cosine, bool smooth, Options options, AnchorLoss anchor) {
  return {std::move(name), cosine, smooth, call_of<S, L>(options), std::move(anchor)};
}

template <class S>
std::vector<Case<S>> cases() {
  using namespace nearfar;
  using Scores = const std::vector<Real>&;
  std::vector<Case<S>> all;
  const auto e = [](Real s) { return std::exp(2 * s); };
  all.push_back(make<S, SupCon<S>>("SupCon", true, true, SupConOptions{.temperature = 0.5},
                                   [e](Scores p, Scores q) -> Real {
                                     if (p.empty()) return 0;
                                     Real mean = 0;
                                     for (const Real s : p) mean += 2 * s / size_of(p);
                                     return std::log(sum_of(p, e) + sum_of(q, e)) - mean;
                                   }));
  all.push_back(make<S, SupCon<S>>(
      "SupCon (in)", true, true, SupConOptions{.temperature = 0.5, .variant = SupConVariant::in},
      [e](Scores p, Scores q) -> Real {
        if (p.empty()) return 0;
        return std::log((sum_of(p, e) + sum_of(q, e)) / (sum_of(p, e) / size_of(p)));
      }));
  all.push_back(make<S, MultiSimilarity<S>>(
      "MultiSimilarity", true, true, MultiSimilarityOptions{.alpha = 2, .beta = 8},
      [](Scores p, Scores q) -> Real {
        const auto near = [](Real s) { return std::exp(-2 * (s - 0.5L)); };
        const auto far = [](Real s) { return std::exp(8 * (s - 0.5L)); };
        return std::log1p(sum_of(p, near)) / 2 + std::log1p(sum_of(q, far)) / 8;
      }));
  all.push_back(make<S, Circle<S>>(
      "Circle", true, true,
      CircleOptions{.m = 0.25, .gamma = 4, .weights = CircleWeights::differentiated},
      [](Scores p, Scores q) -> Real {
        if (p.empty() || q.empty()) return 0;
        const auto near = [](Real s) { return std::exp(-4 * hinge(1.25L - s) * (s - 0.75L)); };
        const auto far = [](Real s) { return std::exp(4 * hinge(s + 0.25L) * (s - 0.25L)); };
        return softplus(std::log(sum_of(p, near)) + std::log(sum_of(q, far)));
      }));
  all.push_back(make<S, LinearContrastive<S, Euclidean>>(
      "LinearContrastive", false, true,
      LinearContrastiveOptions{.positive_margin = 0.25, .negative_margin = 1.25},
      [](Scores p, Scores q) -> Real {
        return sum_of(p, [](Real d) { return hinge(d - 0.25L); }) +
               sum_of(q, [](Real d) { return hinge(1.25L - d); });
      }));
  // Half of each pair belongs to the row.
  all.push_back(make<S, HadsellContrastive<S>>(
      "HadsellContrastive", false, true, HadsellOptions{.margin = 1.25},
      [](Scores p, Scores q) -> Real {
        return sum_of(p, [](Real d) { return d * d / 4; }) +
               sum_of(q, [](Real d) { return hinge(1.25L - d) * hinge(1.25L - d) / 4; });
      }));
  for (const auto form : {TripletForm::hinge, TripletForm::soft}) {
    const bool soft = form == TripletForm::soft;
    const auto cost = [soft](Real p, Real q) {
      return soft ? softplus(p - q + 0.5L) : hinge(p - q + 0.5L);
    };
    const auto add = [&](const std::string& name, Mining mining, AnchorLoss anchor) {
      all.push_back(make<S, MinedTriplet<S, Euclidean>>(
          "MinedTriplet " + name + (soft ? ", soft" : ", hinge"), false, mining == Mining::all,
          MinedTripletOptions{.margin = 0.5, .form = form, .mining = mining}, std::move(anchor)));
    };
    add("all", Mining::all, triplets(cost));
    add("hard", Mining::hard, triplets([cost](Real p, Real q) { return q <= p ? cost(p, q) : 0; }));
    add("semihard", Mining::semihard,
        triplets([cost](Real p, Real q) { return p < q && q <= p + 0.5L ? cost(p, q) : 0; }));
    add("batch hard", Mining::batch_hard, [cost](Scores p, Scores q) -> Real {
      if (p.empty() || q.empty()) return 0;
      return cost(*std::max_element(p.begin(), p.end()), *std::min_element(q.begin(), q.end()));
    });
    add("semi-hard per pair", Mining::semi_hard_per_pair, [cost](Scores p, Scores q) -> Real {
      Real sum = 0;
      for (const Real one : p) {
        Real chosen = std::numeric_limits<Real>::infinity();
        for (const Real other : q) {
          if (other > one) chosen = std::min(chosen, other);
        }
        if (std::isinf(chosen)) chosen = *std::max_element(q.begin(), q.end());
        sum += cost(one, chosen);
      }
      return sum;
    });
  }
  return all;
}

/// The gradient is that of the value, also with anchor weights: by central differences in double.
template <class Call>
void expect_gradients(const Call& call, Matrix<double> x, const Targets& targets,
                      const std::vector<double>& weights) {
  const auto check = [&](Reduction reduction, const Targets& each) {
    Matrix<double> dx;
    call(reduction, x, each, &dx);
    EXPECT_GT(dx.norm(), 0);
    const auto report = nearfar::check_gradient<double>(
        [&] { return call(reduction, x, each, nullptr).value; }, {{"x", x, dx}});
    EXPECT_TRUE(report.passed) << report;
    EXPECT_LE(report.kinks, dx.size() / 8) << report;
  };
  check(Reduction::sum, targets);
  check(Reduction::mean, targets.weights(weights));
  check(Reduction::mean_nonzero, targets);
}

template <class S>
class OneSidedLists : public testing::Test {
 protected:
  const Lists all;
  const Matrix<S> x = random_rows<S>(n, 4, 71);

  Pairs pairs(bool cosine, bool with_ids) const {
    const oracle::Matrix rows = oracle::exact(x);
    return {cosine ? oracle::pairwise(oracle::Cosine(), rows, rows)
                   : oracle::pairwise(oracle::Euclidean(), rows, rows),
            with_ids};
  }
  Targets targets(bool with_ids) const {
    return with_ids ? Targets(all.view()).ids(all.ids) : Targets(all.view());
  }
};
TYPED_TEST_SUITE(OneSidedLists, Scalars, CaseNames);

TYPED_TEST(OneSidedLists, AreEachAnchorsOwnPositives) {
  using S = TypeParam;
  for (const Case<S>& one : cases<S>()) {
    for (const bool with_ids : {false, true}) {
      SCOPED_TRACE(one.name + (with_ids ? ", ids" : ""));
      const Pairs pairs = this->pairs(one.cosine, with_ids);
      const Result got = one.call(Reduction::none, this->x, this->targets(with_ids), nullptr);
      for (Index i = 0; i < n; ++i) {
        const auto want = static_cast<double>(one.anchor(pairs.of(i, true), pairs.of(i, false)));
        EXPECT_NEAR(got.values[static_cast<std::size_t>(i)], want,
                    4 * Tolerance<S>::value * std::max(1.0, want))
            << "row " << i;
      }
    }
  }
}

/// Every registered loss: a batch with asymmetric lists equals the same rows as queries and
/// references, where ids leave out a row's own copy.
TYPED_TEST(OneSidedLists, OfEveryLossAreThoseOfTheBatchAgainstItself) {
  using S = TypeParam;
  const Targets queries = Targets(this->all.view()).ids(this->all.ids);
  const Targets keys = Targets().ids(this->all.ids);
  int compared = 0;
  each_loss_over_labels<S>(Reduction::sum, [&](const auto& loss, const std::string& name) {
    // A term has the negatives of both rows of its pair, which references are not; or the anchor
    // itself is in its ranking. Such batches are no references: see the tests below.
    if (name == "LiftedStructure" || name == "SmoothAp, include_self true") return;
    Matrix<S> dx;
    Matrix<S> dq;
    Matrix<S> dr;
    const Result got = loss.forward_backward(this->x, queries, dx);
    const Result want = loss.forward_backward(this->x, queries, this->x, keys, dq, dr);
    // A term is a pair of rows, not an ordered one.
    const double share = name.starts_with("HadsellContrastive") ? 0.5 : 1;
    EXPECT_NEAR(got.value, share * want.value, Tolerance<S>::same * want.value);
    expect_same<S>(dx, static_cast<S>(share) * (dq + dr), "dx");
    compared += dx.norm() > 0 ? 1 : 0;
  });
  EXPECT_GE(compared, 30);
}

TEST(OneSidedListsOfEveryLoss, HaveTheGradientOfItsValue) {
  const Lists all;
  each_loss_over_labels<double>(Reduction::sum, [&](const auto& loss, const std::string&) {
    if (!is_smooth(loss.options())) return;
    const auto call = [&](Reduction, const Matrix<double>& x, const Targets& targets,
                          Matrix<double>* dx) -> Result {
      if (dx == nullptr) return loss.forward(x, targets);
      return loss.forward_backward(x, targets, *dx);
    };
    expect_gradients(call, random_rows<double>(n, 4, 71), all.view(), all.weights);
  });
}

TEST(OneSidedListsOfEveryLoss, HaveTheGradientOfTheirValue) {
  const Lists all;
  for (const Case<double>& one : cases<double>()) {
    if (!one.smooth) continue;
    SCOPED_TRACE(one.name);
    expect_gradients(one.call, random_rows<double>(n, 4, 71), all.view(), all.weights);
  }
}

/// A term is a pair of rows. It is half similar if only one of them lists the other.
TYPED_TEST(OneSidedLists, GiveHadsellsLossPairsThatAreHalfSimilar) {
  using S = TypeParam;
  const auto call =
      call_of<S, nearfar::HadsellContrastive<S>>(nearfar::HadsellOptions{.margin = 1.1});
  for (const bool with_ids : {false, true}) {
    const Pairs pairs = this->pairs(false, with_ids);
    Real sum = 0;
    std::int64_t terms = 0;
    std::int64_t active = 0;
    for (Index i = 0; i < n; ++i) {
      for (Index j = i + 1; j < n; ++j) {
        if (!pairs.compared(i, j)) continue;
        const Real d = pairs.s(i, j);
        const Real gap = hinge(static_cast<Real>(1.1) - d);
        const auto part = [&](bool similar) { return similar ? d * d / 4 : gap * gap / 4; };
        const Real term = part(lists(i, j)) + part(lists(j, i));
        sum += term;
        ++terms;
        active += term > 0 ? 1 : 0;
      }
    }
    const Targets targets = this->targets(with_ids);
    const Result mean = call(Reduction::mean, this->x, targets, nullptr);
    EXPECT_EQ(mean.diagnostics.terms, terms);
    EXPECT_EQ(mean.diagnostics.active_terms, active);
    EXPECT_LT(active, terms);
    const auto expect = [&](Reduction reduction, std::int64_t divisor) {
      const Real want = sum / static_cast<Real>(divisor);
      EXPECT_NEAR(call(reduction, this->x, targets, nullptr).value, static_cast<double>(want),
                  Tolerance<S>::value * static_cast<double>(want));
    };
    expect(Reduction::mean, terms);
    expect(Reduction::mean_nonzero, active);
    expect(Reduction::sum, 1);
  }
}

/// A term is a pair of rows of which at least one lists the other; each listing row adds half of
/// it.
TYPED_TEST(OneSidedLists, GiveLiftedStructureHalvesOfPairs) {
  using S = TypeParam;
  for (const double margin : {0.1, 1.5}) {
    const auto call =
        call_of<S, nearfar::LiftedStructure<S>>(nearfar::LiftedStructureOptions{.margin = margin});
    for (const bool with_ids : {false, true}) {
      SCOPED_TRACE(testing::Message() << "margin " << margin << (with_ids ? ", ids" : ""));
      const Pairs pairs = this->pairs(false, with_ids);
      const auto negatives = [&](Index i) {
        return sum_of(pairs.of(i, false),
                      [&](Real d) { return std::exp(static_cast<Real>(margin) - d); });
      };
      std::vector<Real> values(static_cast<std::size_t>(n), 0);
      std::int64_t terms = 0;
      std::int64_t active = 0;
      for (Index i = 0; i < n; ++i) {
        for (Index j = i + 1; j < n; ++j) {
          if (!pairs.compared(i, j) || (!lists(i, j) && !lists(j, i))) continue;
          const Real hinged = hinge(std::log(negatives(i) + negatives(j)) + pairs.s(i, j));
          if (lists(i, j)) values[static_cast<std::size_t>(i)] += hinged * hinged / 4;
          if (lists(j, i)) values[static_cast<std::size_t>(j)] += hinged * hinged / 4;
          ++terms;
          active += hinged > 0 ? 1 : 0;
        }
      }
      Real sum = 0;
      for (const Real v : values) sum += v;
      const Targets targets = this->targets(with_ids);
      const Result got = call(Reduction::none, this->x, targets, nullptr);
      for (std::size_t i = 0; i < values.size(); ++i) {
        EXPECT_NEAR(got.values[i], static_cast<double>(values[i]),
                    4 * Tolerance<S>::value * std::max<double>(1, static_cast<double>(values[i])));
      }
      EXPECT_EQ(got.diagnostics.terms, terms);
      EXPECT_EQ(got.diagnostics.active_terms, active);
      const Real want = sum / static_cast<Real>(terms);
      EXPECT_NEAR(call(Reduction::mean, this->x, targets, nullptr).value, static_cast<double>(want),
                  2 * Tolerance<S>::value * static_cast<double>(want));
      if constexpr (std::is_same_v<S, double>) {
        expect_gradients(call, this->x, targets, this->all.weights);
      }
    }
  }
}

/// Three rows on a line, of which only the first lists the second: all numbers by hand.
TYPED_TEST(OneSidedLists, OfOnePairGiveLiftedStructureHalfOfIt) {
  using S = TypeParam;
  Matrix<S> line(3, 1);
  line << S(0), S(1), S(2);
  const std::vector<Index> offsets = {0, 1, 1, 1};
  const std::vector<Index> columns = {1};
  const double right = std::log(std::exp(-1.0) + 2) + 1;
  const oracle::Matrix slopes =
      (oracle::Matrix(3, 1) << -0.393177704L, 0.930997402L, -0.537819698L).finished();
  for (const Reduction reduction : {Reduction::sum, Reduction::mean, Reduction::mean_nonzero}) {
    Matrix<S> dx;
    const Result got = nearfar::LiftedStructure<S>({.margin = 1, .reduction = reduction})
                           .forward_backward(line, PositiveLists{offsets, columns}, dx);
    EXPECT_NEAR(got.value, right * right / 4, Tolerance<S>::value);
    EXPECT_EQ(got.diagnostics.terms, 1);
    EXPECT_EQ(got.diagnostics.active_terms, 1);
    expect_near<S>(dx, slopes, Tolerance<S>::gradient + 1e-9L, "dx");
  }
}

/// Symmetric lists give the same as plain labels.
TYPED_TEST(OneSidedLists, ThatAreMadeSymmetricAreTheSumOfBothSides) {
  using S = TypeParam;
  const auto call =
      call_of<S, nearfar::LiftedStructure<S>>(nearfar::LiftedStructureOptions{.margin = 1.5});
  std::vector<int> labels(static_cast<std::size_t>(n));
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;
  for (Index i = 0; i < n; ++i) labels[static_cast<std::size_t>(i)] = static_cast<int>(i % 6);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      if (i % 6 == j % 6) columns.push_back(j);
    }
    offsets.push_back(static_cast<Index>(columns.size()));
  }
  Matrix<S> got;
  Matrix<S> want;
  const Result by_lists = call(Reduction::mean, this->x, PositiveLists{offsets, columns}, &got);
  const Result by_labels = call(Reduction::mean, this->x, labels, &want);
  EXPECT_NEAR(by_lists.value, by_labels.value, Tolerance<S>::same * by_labels.value);
  expect_same_counts(by_lists.diagnostics, by_labels.diagnostics);
  expect_same<S>(got, want, "dx");
}

}  // namespace
