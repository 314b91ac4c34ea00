#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/clip.hpp>
#include <nearfar/losses/hard_negative.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/nt_xent.hpp>
#include <nearfar/losses/sig_lip.hpp>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/gradient.hpp"
#include "support/random.hpp"

/// Losses of pairs with targets against plain loops in long double: the pairs that ids leave out,
/// in value, gradients, learnable numbers and counts, with and without shared exponentials of a
/// tile.

namespace {

using namespace support;
using nearfar::CallOptions;
using nearfar::Diagnostics;
using nearfar::Reduction;
using nearfar::Targets;
using oracle::Real;

using Ids = std::vector<std::int64_t>;

/// The pairs that are compared, and the positive ones among them.
struct Pairs {
  std::function<bool(Index, Index)> compared;
  std::function<bool(Index, Index)> positive;
};

/// The expected value and its derivatives with respect to scores and numbers.
struct Want {
  Real value = 0;
  oracle::Matrix slopes;  ///< dL/ds
  Real d_scale = 0;       ///< sum dL/ds s
  Real d_bias = 0;
  Index without_negative = 0;
};

/// Adds `share` times sum_i -log softmax of row i's positives, each with weight 1 / their number.
void add_softmax_rows(const oracle::Matrix& s, Real scale, const Pairs& pairs, Real share,
                      Want& want) {
  for (Index i = 0; i < s.rows(); ++i) {
    Real best = -std::numeric_limits<Real>::infinity();
    Index positives = 0;
    Index negatives = 0;
    for (Index j = 0; j < s.cols(); ++j) {
      if (!pairs.compared(i, j)) continue;
      best = std::max(best, scale * s(i, j));
      (pairs.positive(i, j) ? positives : negatives) += 1;
    }
    want.without_negative += negatives == 0 ? 1 : 0;
    if (positives == 0) continue;
    Real total = 0;
    for (Index j = 0; j < s.cols(); ++j) {
      if (pairs.compared(i, j)) total += std::exp(scale * s(i, j) - best);
    }
    for (Index j = 0; j < s.cols(); ++j) {
      if (!pairs.compared(i, j)) continue;
      const Real p = std::exp(scale * s(i, j) - best) / total;
      const Real target = pairs.positive(i, j) ? 1 / static_cast<Real>(positives) : Real(0);
      want.value += share * target * (std::log(total) + best - scale * s(i, j));
      want.slopes(i, j) += share * scale * (p - target);
      want.d_scale += share * (p - target) * s(i, j);
    }
  }
}

Want softmax(const oracle::Matrix& s, Real scale, const Pairs& pairs) {
  Want want;
  want.slopes = oracle::Matrix::Zero(s.rows(), s.cols());
  add_softmax_rows(s, scale, pairs, 1, want);
  return want;
}

/// Half the sum of both directions.
Want both_ways(const oracle::Matrix& s, Real scale, const Pairs& pairs) {
  Want rows = softmax(s, scale, pairs);
  const Pairs across{[&](Index i, Index j) { return pairs.compared(j, i); },
                     [&](Index i, Index j) { return pairs.positive(j, i); }};
  const Want columns = softmax(s.transpose(), scale, across);
  rows.value = (rows.value + columns.value) / 2;
  rows.slopes = (rows.slopes + columns.slopes.transpose()) / 2;
  rows.d_scale = (rows.d_scale + columns.d_scale) / 2;
  return rows;
}

Want sigmoids(const oracle::Matrix& s, Real scale, Real bias, const Pairs& pairs) {
  Want want;
  want.slopes = oracle::Matrix::Zero(s.rows(), s.cols());
  for (Index i = 0; i < s.rows(); ++i) {
    Index negatives = 0;
    for (Index j = 0; j < s.cols(); ++j) {
      if (!pairs.compared(i, j)) continue;
      const bool positive = pairs.positive(i, j);
      negatives += positive ? 0 : 1;
      const Real y = positive ? 1 : -1;
      const Real z = y * (scale * s(i, j) + bias);
      want.value += std::log1p(std::exp(-std::abs(z))) + std::max<Real>(-z, 0);
      const Real slope = -y / (1 + std::exp(z));
      want.slopes(i, j) = slope * scale;
      want.d_scale += slope * s(i, j);
      want.d_bias += slope;
    }
    want.without_negative += negatives == 0 ? 1 : 0;
  }
  return want;
}

/// Two sets of rows, and their inner products.
template <class S>
struct TwoSets {
  Matrix<S> a;
  Matrix<S> b;
  oracle::Matrix exact_a;
  oracle::Matrix exact_b;
  oracle::Matrix s;

  TwoSets(Index n, Index m, double length)
      : a(random_rows<S>(n, 6, 41) * S(length)),
        b(random_rows<S>(m, 6, 42) * S(length)),
        exact_a(oracle::exact(a)),
        exact_b(oracle::exact(b)),
        s(oracle::pairwise(oracle::InnerProduct(), exact_a, exact_b)) {}
};

/// Gradients of rows from dL/ds, for inner products.
oracle::Gradients gradients_of(const oracle::Matrix& slopes, const oracle::Matrix& a,
                               const oracle::Matrix& b) {
  oracle::Gradients out(a, b, 0, 0);
  for (Index i = 0; i < slopes.rows(); ++i) {
    for (Index j = 0; j < slopes.cols(); ++j) {
      out.add(oracle::InnerProduct(), slopes(i, j), a, i, b, j);
    }
  }
  return out;
}

template <class S>
void expect_number(double got, Real want, Real size, const char* what) {
  EXPECT_LE(std::abs(got - want), 10 * Tolerance<S>::gradient * std::max<Real>(1, size))
      << what << ": got " << got << ", wanted " << want;
}

template <class S>
void expect_sum(const nearfar::Result& got, const Want& want) {
  EXPECT_LE(std::abs(got.value - want.value), Tolerance<S>::value * std::abs(want.value))
      << "got " << got.value << ", wanted " << want.value;
  EXPECT_EQ(got.diagnostics.anchors_without_negative, want.without_negative);
}

void expect_scores_of(const Diagnostics& d, const oracle::Matrix& s, const Pairs& pairs,
                      double allowed) {
  Diagnostics want;
  for (Index i = 0; i < s.rows(); ++i) {
    for (Index j = 0; j < s.cols(); ++j) {
      if (pairs.compared(i, j)) oracle::detail::count_score(want, s(i, j), true);
    }
  }
  EXPECT_NEAR(d.smallest_score, want.smallest_score, allowed);
  EXPECT_NEAR(d.largest_score, want.largest_score, allowed);
}

/// Ids of n rows: all different; some equal, in one panel or far apart; a few for all; one for all.
std::vector<Ids> ids_of(Index n) {
  std::vector<Ids> out(4, Ids(static_cast<std::size_t>(n)));
  for (Index i = 0; i < n; ++i) {
    const auto at = static_cast<std::size_t>(i);
    out[0][at] = 3 * i - n;
    out[1][at] = i % 7 == 1 ? i - 1 : (i % 5 == 3 && i >= n / 2 ? i - n / 2 : i);
    out[2][at] = i % 3 - 1;
    out[3][at] = std::int64_t(1) << 40;
  }
  return out;
}

/// Sizes of less than a panel, of some panels and of some tiles; scores of a tile that can share
/// exponentials, and scores too far apart for that.
struct Shape {
  Index n;
  double length;
};
template <class S>
std::vector<Shape> shapes() {
  std::vector<Shape> out = {{1, 1}, {2, 1}, {7, 1}, {130, 1}, {420, 1}};
  if (sizeof(S) == sizeof(double)) out.insert(out.end(), {{7, 9}, {130, 9}});
  return out;
}

/// Calls body(n, length, ids) for all of these.
template <class S>
void each_case(const std::function<void(Index, double, const Ids&)>& body) {
  for (const Shape& shape : shapes<S>()) {
    const std::vector<Ids> all = ids_of(shape.n);
    for (std::size_t k = 0; k < all.size(); ++k) {
      if (shape.n > 400 && k != 1) continue;  // the oracles are slow
      SCOPED_TRACE(std::to_string(shape.n) + " rows of length " + std::to_string(shape.length) +
                   ", ids " + std::to_string(k));
      body(shape.n, shape.length, all[k]);
    }
  }
}

std::int64_t id_of(const Ids& ids, Index i) { return ids[static_cast<std::size_t>(i)]; }

/// The pairs by ids; row i's own is row i.
Pairs pairs_by(const Ids& ids) {
  return {[&ids](Index i, Index j) { return i == j || id_of(ids, i) != id_of(ids, j); },
          [](Index i, Index j) { return i == j; }};
}

template <class S>
class PairTargets : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(PairTargets, Scalars);

TYPED_TEST(PairTargets, InfoNceWithIdsEqualsTheLoops) {
  using S = TypeParam;
  each_case<S>([](Index n, double length, const Ids& ids) {
    const TwoSets<S> x(n, n, length);
    const Pairs pairs = pairs_by(ids);
    const Want want = softmax(x.s, 1 / Real(0.5), pairs);
    const oracle::Gradients g = gradients_of(want.slopes, x.exact_a, x.exact_b);
    const nearfar::InfoNce<S, nearfar::InnerProduct> loss(
        {.temperature = 0.5, .reduction = Reduction::sum});
    Matrix<S> da, db;
    const auto got = loss.forward_backward(x.a, x.b, Targets().ids(ids), da, db);
    expect_sum<S>(got, want);
    expect_gradient<S>(da, g.a, "d_queries");
    expect_gradient<S>(db, g.b, "d_keys");
    expect_number<S>(got.d_temperature, -4 * want.d_scale, 4 * x.s.cwiseAbs().sum(),
                     "d_temperature");
    expect_scores_of(got.diagnostics, x.s, pairs, 1e-5 * length * length);
    EXPECT_EQ(loss.forward(x.a, x.b, Targets().ids(ids)).value, got.value);
  });
}

/// More keys than queries, and positives by number: a positive stays, for any id.
TYPED_TEST(PairTargets, InfoNceTakesIdsOfQueriesAndOfKeys) {
  using S = TypeParam;
  const Index n = 50;
  const Index m = 430;
  const TwoSets<S> x(n, m, 1);
  Ids of_queries, of_keys;
  std::vector<Index> positives;
  for (Index i = 0; i < n; ++i) {
    of_queries.push_back(i % 10);
    positives.push_back(i * 7 % m);
  }
  for (Index j = 0; j < m; ++j) of_keys.push_back(j % 21);
  const nearfar::InfoNce<S, nearfar::InnerProduct> loss(
      {.temperature = 0.5, .reduction = Reduction::sum});
  const Targets queries = Targets().ids(of_queries);
  const Targets keys = Targets().ids(of_keys);
  for (const bool by_number : {false, true}) {
    const auto positive = [&](Index i, Index j) {
      return j == (by_number ? positives[static_cast<std::size_t>(i)] : i);
    };
    const Pairs pairs{[&](Index i, Index j) {
                        return positive(i, j) || id_of(of_queries, i) != id_of(of_keys, j);
                      },
                      positive};
    const Want want = softmax(x.s, 2, pairs);
    const oracle::Gradients g = gradients_of(want.slopes, x.exact_a, x.exact_b);
    Matrix<S> da, db;
    const auto got = by_number ? loss.forward_backward(x.a, x.b, positives, queries, keys, da, db)
                               : loss.forward_backward(x.a, x.b, queries, keys, da, db);
    expect_sum<S>(got, want);
    expect_gradient<S>(da, g.a, "d_queries");
    expect_gradient<S>(db, g.b, "d_keys");
    EXPECT_EQ((by_number ? loss.forward(x.a, x.b, positives, queries, keys)
                         : loss.forward(x.a, x.b, queries, keys))
                  .value,
              got.value);
  }
}

TYPED_TEST(PairTargets, ClipWithIdsEqualsTheLoops) {
  using S = TypeParam;
  each_case<S>([](Index n, double length, const Ids& ids) {
    const TwoSets<S> x(n, n, length);
    const Pairs pairs = pairs_by(ids);
    const Want want = both_ways(x.s, 3, pairs);
    const oracle::Gradients g = gradients_of(want.slopes, x.exact_a, x.exact_b);
    const nearfar::Clip<S, nearfar::InnerProduct> loss(
        {.logit_scale = 3, .reduction = Reduction::sum});
    Matrix<S> da, db;
    const auto got = loss.forward_backward(x.a, x.b, Targets().ids(ids), da, db);
    expect_sum<S>(got, want);
    expect_gradient<S>(da, g.a, "d_images");
    expect_gradient<S>(db, g.b, "d_texts");
    expect_number<S>(got.d_logit_scale, want.d_scale, x.s.cwiseAbs().sum(), "d_logit_scale");
    expect_scores_of(got.diagnostics, x.s, pairs, 1e-5 * length * length);
    EXPECT_EQ(loss.forward(x.a, x.b, Targets().ids(ids)).value, got.value);
  });
}

TYPED_TEST(PairTargets, SigLipWithIdsEqualsTheLoops) {
  using S = TypeParam;
  each_case<S>([](Index n, double length, const Ids& ids) {
    const TwoSets<S> x(n, n, length);
    const Pairs pairs = pairs_by(ids);
    const Want want = sigmoids(x.s, 3, -2, pairs);
    const oracle::Gradients g = gradients_of(want.slopes, x.exact_a, x.exact_b);
    const nearfar::SigLip<S, nearfar::InnerProduct> loss(
        {.logit_scale = 3, .logit_bias = -2, .reduction = Reduction::sum});
    Matrix<S> da, db;
    const auto got = loss.forward_backward(x.a, x.b, Targets().ids(ids), da, db);
    expect_sum<S>(got, want);
    expect_gradient<S>(da, g.a, "d_images");
    expect_gradient<S>(db, g.b, "d_texts");
    expect_number<S>(got.d_logit_scale, want.d_scale, x.s.cwiseAbs().sum(), "d_logit_scale");
    expect_number<S>(got.d_logit_bias, want.d_bias, static_cast<Real>(n * n), "d_logit_bias");
    expect_scores_of(got.diagnostics, x.s, pairs, 1e-5 * length * length);
    EXPECT_EQ(loss.forward(x.a, x.b, Targets().ids(ids)).value, got.value);
  });
}

/// With and without the partner in the denominator. A view whose id all others share has loss 0.
TYPED_TEST(PairTargets, NtXentWithIdsEqualsTheLoops) {
  using S = TypeParam;
  each_case<S>([](Index n, double length, const Ids& ids) {
    const TwoSets<S> x(n, n, length);
    oracle::Matrix z(2 * n, x.a.cols());
    z << x.exact_a, x.exact_b;
    const oracle::Matrix s = oracle::pairwise(oracle::InnerProduct(), z, z);
    const auto partner = [n](Index i) { return i < n ? i + n : i - n; };
    const Pairs pairs{
        [&](Index i, Index j) { return j == partner(i) || id_of(ids, i % n) != id_of(ids, j % n); },
        [&](Index i, Index j) { return j == partner(i); }};
    const Want want = softmax(s, 2, pairs);
    const oracle::Gradients g = gradients_of(want.slopes, z, z);
    oracle::Gradient both = g.a;
    both.values += g.b.values;
    for (std::size_t i = 0; i < both.row_scales.size(); ++i) {
      both.row_scales[i] += g.b.row_scales[i];
    }
    const nearfar::NtXent<S, nearfar::InnerProduct> loss(
        {.temperature = 0.5, .reduction = Reduction::sum});
    Matrix<S> da, db;
    const auto got = loss.forward_backward(x.a, x.b, Targets().ids(ids), da, db);
    expect_sum<S>(got, want);
    Matrix<S> d(2 * n, x.a.cols());
    d << da, db;
    expect_gradient<S>(d, both, "d_views");
    expect_number<S>(got.d_temperature, -4 * want.d_scale, 4 * s.cwiseAbs().sum(), "d_temperature");
    expect_scores_of(got.diagnostics, s, pairs, 1e-5 * length * length);
    EXPECT_EQ(loss.forward(x.a, x.b, Targets().ids(ids)).value, got.value);
  });
}

TYPED_TEST(PairTargets, DclWithIdsEqualsTheLoops) {
  using S = TypeParam;
  const Index n = 90;
  const TwoSets<S> x(n, n, 1);
  Ids ids = ids_of(n)[1];
  oracle::Matrix z(2 * n, x.a.cols());
  z << x.exact_a, x.exact_b;
  const oracle::Matrix s = oracle::pairwise(oracle::InnerProduct(), z, z);
  Real want = 0;
  for (Index i = 0; i < 2 * n; ++i) {
    const Index partner = i < n ? i + n : i - n;
    Real others = 0;
    for (Index j = 0; j < 2 * n; ++j) {
      if (id_of(ids, i % n) != id_of(ids, j % n)) others += std::exp(2 * s(i, j));
    }
    want += std::log(others) - 2 * s(i, partner);
  }
  using nearfar::Denominator;
  const nearfar::NtXent<S, nearfar::InnerProduct> loss({.temperature = 0.5,
                                                        .denominator = Denominator::negatives_only,
                                                        .reduction = Reduction::sum});
  const double got = loss.forward(x.a, x.b, Targets().ids(ids)).value;
  EXPECT_LE(std::abs(got - want), Tolerance<S>::value * std::abs(want)) << got << " " << want;
  ids.assign(ids.size(), 5);
  const auto alone = loss.forward(x.a, x.b, Targets().ids(ids));
  EXPECT_EQ(alone.value, 0);
  EXPECT_EQ(alone.diagnostics.anchors_without_negative, 2 * n);
}

/// Positives with ids or without: labels of few or many rows, sets, lists.
struct Positives {
  const char* name;
  Targets targets;
  std::function<bool(Index, Index)> positive;
};

class Rules {
 public:
  explicit Rules(Index n) {
    const std::vector<Ids> ids = ids_of(n);
    for (std::size_t k = 0; k < 4; ++k) labels_.push_back(ids[k]);
    ids_ = ids[1];
    Random random(5);
    offsets_.push_back(0);
    for (Index i = 0; i < n; ++i) {
      // Row 4 has no label, row 5 lists nothing.
      sets_.push_back(
          i == 4 ? 0 : std::uint64_t(1) << random.below(9) | std::uint64_t(1) << 40 % (i + 1));
      for (Index j = 0; j < n && i != 5; ++j) {
        if (i == j || random.below(7) == 0) columns_.push_back(j);
      }
      offsets_.push_back(static_cast<Index>(columns_.size()));
    }
    lists_ = oracle::Matrix::Zero(n, n);
    for (Index i = 0; i < n; ++i) {
      for (Index k = offsets_[static_cast<std::size_t>(i)];
           k < offsets_[static_cast<std::size_t>(i) + 1]; ++k) {
        lists_(i, columns_[static_cast<std::size_t>(k)]) = 1;
      }
    }
  }
  Rules(const Rules&) = delete;
  Rules& operator=(const Rules&) = delete;

  const Ids& ids() const { return ids_; }

  std::vector<Positives> all() const {
    std::vector<Positives> out;
    for (const Ids& labels : labels_) {
      out.push_back({"labels", Targets(labels),
                     [&labels](Index i, Index j) { return id_of(labels, i) == id_of(labels, j); }});
    }
    const auto n = static_cast<Index>(sets_.size());
    out.push_back(
        {"sets", Targets(nearfar::MultiLabels{sets_.data(), n, 1}), [this](Index i, Index j) {
           return (sets_[static_cast<std::size_t>(i)] & sets_[static_cast<std::size_t>(j)]) != 0;
         }});
    out.push_back({"lists", Targets(nearfar::PositiveLists{offsets_, columns_}),
                   [this](Index i, Index j) { return lists_(i, j) > 0; }});
    return out;
  }

 private:
  std::vector<Ids> labels_;
  Ids ids_;
  std::vector<std::uint64_t> sets_;
  std::vector<Index> offsets_;
  std::vector<Index> columns_;
  oracle::Matrix lists_;
};

/// Calls body(n, length, targets, pairs) for all of these.
template <class S, class Body>
void each_rule(const Body& body) {
  for (const Shape& shape : shapes<S>()) {
    const Rules rules(shape.n);
    for (const bool with_ids : {false, true}) {
      const std::vector<Positives> all = rules.all();
      for (std::size_t k = 0; k < all.size(); ++k) {
        if (shape.n > 400 && k % 4 != 1) continue;  // the oracles are slow
        const Positives& of = all[k];
        SCOPED_TRACE(std::to_string(shape.n) + " rows of length " + std::to_string(shape.length) +
                     ", " + of.name + (with_ids ? ", ids" : ""));
        const Ids& ids = rules.ids();
        body(shape.n, shape.length, with_ids ? of.targets.ids(ids) : of.targets,
             Pairs{[&](Index i, Index j) {
                     return !with_ids || i == j || id_of(ids, i) != id_of(ids, j);
                   },
                   of.positive});
      }
    }
  }
}

/// The number of rows without a positive, or, with `either`, of pairs.
Index without_positive(Index n, const Pairs& pairs, bool either) {
  Index out = 0;
  for (Index i = 0; i < n; ++i) {
    bool row = false;
    bool column = false;
    for (Index j = 0; j < n; ++j) {
      row = row || (pairs.compared(i, j) && pairs.positive(i, j));
      column = column || (pairs.compared(j, i) && pairs.positive(j, i));
    }
    out += !row || (either && !column) ? 1 : 0;
  }
  return out;
}

TYPED_TEST(PairTargets, SigLipWithLabelsEqualsTheLoops) {
  using S = TypeParam;
  each_rule<S>([](Index n, double length, const Targets& targets, const Pairs& pairs) {
    const TwoSets<S> x(n, n, length);
    const Want want = sigmoids(x.s, 3, -2, pairs);
    const oracle::Gradients g = gradients_of(want.slopes, x.exact_a, x.exact_b);
    const nearfar::SigLip<S, nearfar::InnerProduct> loss(
        {.logit_scale = 3, .logit_bias = -2, .reduction = Reduction::sum});
    Matrix<S> da, db;
    const auto got = loss.forward_backward(x.a, x.b, targets, da, db);
    expect_sum<S>(got, want);
    expect_gradient<S>(da, g.a, "d_images");
    expect_gradient<S>(db, g.b, "d_texts");
    expect_number<S>(got.d_logit_scale, want.d_scale, x.s.cwiseAbs().sum(), "d_logit_scale");
    expect_number<S>(got.d_logit_bias, want.d_bias, static_cast<Real>(n * n), "d_logit_bias");
    EXPECT_EQ(got.diagnostics.anchors_without_positive, without_positive(n, pairs, false));
    EXPECT_EQ(got.diagnostics.terms, n);
    EXPECT_EQ(loss.forward(x.a, x.b, targets).value, got.value);
  });
}

TYPED_TEST(PairTargets, ClipWithLabelsEqualsTheLoops) {
  using S = TypeParam;
  each_rule<S>([](Index n, double length, const Targets& targets, const Pairs& pairs) {
    const TwoSets<S> x(n, n, length);
    const Want want = both_ways(x.s, 3, pairs);
    const oracle::Gradients g = gradients_of(want.slopes, x.exact_a, x.exact_b);
    const nearfar::Clip<S, nearfar::InnerProduct> loss(
        {.logit_scale = 3, .reduction = Reduction::sum});
    Matrix<S> da, db;
    const auto got = loss.forward_backward(x.a, x.b, targets, da, db);
    EXPECT_LE(std::abs(got.value - want.value), Tolerance<S>::value * std::abs(want.value))
        << "got " << got.value << ", wanted " << want.value;
    expect_gradient<S>(da, g.a, "d_images");
    expect_gradient<S>(db, g.b, "d_texts");
    expect_number<S>(got.d_logit_scale, want.d_scale, x.s.cwiseAbs().sum(), "d_logit_scale");
    EXPECT_EQ(got.diagnostics.anchors_without_positive, without_positive(n, pairs, true));
    EXPECT_EQ(got.diagnostics.terms, n);
    EXPECT_EQ(loss.forward(x.a, x.b, targets).value, got.value);
  });
}

/// Every loss of pairs with ids: loss.forward_backward(x, y, targets, dx, dy, call).
template <class S, class Body>
void each_loss(const Body& body) {
  body("InfoNce", nearfar::InfoNce<S>({.temperature = 0.5}));
  body("InfoNce of distances", nearfar::InfoNce<S, nearfar::Euclidean>({.temperature = 0.5}));
  body("Clip", nearfar::Clip<S>({.logit_scale = 3}));
  body("SigLip", nearfar::SigLip<S>());
  body("HardNegative", nearfar::HardNegative<S>({.positive_prior = 0.05, .concentration = 0.5}));
  body("NtXent", nearfar::NtXent<S>());
  body("NtXent of distances", nearfar::NtXent<S, nearfar::SquaredEuclidean>());
}

TYPED_TEST(PairTargets, GradientsOverLabelsAreDerivatives) {
  using S = TypeParam;
  Matrix<S> x = random_rows<S>(9, 4, 1);
  Matrix<S> y = random_rows<S>(9, 4, 2);
  const Rules rules(9);
  for (const Positives& of : rules.all()) {
    SCOPED_TRACE(of.name);
    const auto check = [&](const auto& loss) {
      Matrix<S> dx, dy;
      loss.forward_backward(x, y, of.targets, dx, dy);
      const auto report = nearfar::check_gradient<S>(
          [&] { return loss.forward(x, y, of.targets).value; }, {{"x", x, dx}, {"y", y, dy}});
      expect_right(report, x.size() + y.size());
    };
    check(nearfar::Clip<S>({.logit_scale = 3}));
    check(nearfar::SigLip<S>());
  }
}

TYPED_TEST(PairTargets, GradientsAreDerivatives) {
  using S = TypeParam;
  const Ids ids = ids_of(9)[1];
  each_loss<S>([&](const char* name, const auto& loss) {
    SCOPED_TRACE(name);
    Matrix<S> x = random_rows<S>(9, 4, 1);
    Matrix<S> y = random_rows<S>(9, 4, 2);
    Matrix<S> dx, dy;
    const Targets targets = Targets().ids(ids);
    loss.forward_backward(x, y, targets, dx, dy);
    const auto report = nearfar::check_gradient<S>(
        [&] { return loss.forward(x, y, targets).value; }, {{"x", x, dx}, {"y", y, dy}});
    expect_right(report, x.size() + y.size());
  });
}

/// More rows than a two-sided pass keeps scores for between its sweeps: compared with InfoNce,
/// whose pass is one-sided.
TYPED_TEST(PairTargets, OfManyRowsAreThoseOfInfoNce) {
  using S = TypeParam;
  const Index n = 1100;
  const Ids ids = ids_of(n)[1];
  const Targets targets = Targets().ids(ids);
  const Matrix<S> x = random_rows<S>(n, 5, 1);
  const Matrix<S> y = random_rows<S>(n, 5, 2);
  const nearfar::InfoNce<S> info_nce({.temperature = 0.5, .reduction = Reduction::sum});
  Matrix<S> dx, dy, dq, dk;
  const auto expect_sum_of = [](double got, double want) {
    EXPECT_NEAR(got, want, Tolerance<S>::value * want);
  };

  const nearfar::Clip<S> clip({.logit_scale = 2, .reduction = Reduction::sum});
  const double got = clip.forward_backward(x, y, targets, dx, dy).value;
  double want = info_nce.forward_backward(x, y, targets, dq, dk).value;
  Matrix<S> want_dx = dq, want_dy = dk;
  want += info_nce.forward_backward(y, x, targets, dq, dk).value;
  want_dx = (want_dx + dk) / 2;
  want_dy = (want_dy + dq) / 2;
  expect_sum_of(got, want / 2);
  expect_same<S>(dx, want_dx, "d_images");
  expect_same<S>(dy, want_dy, "d_texts");

  // Both views, each with all others: ids also leave out the comparison of a view with itself.
  Matrix<S> z(2 * n, x.cols());
  z << x, y;
  Ids both = ids;
  both.insert(both.end(), ids.begin(), ids.end());
  std::vector<Index> partner;
  for (Index i = 0; i < 2 * n; ++i) partner.push_back(i < n ? i + n : i - n);
  const nearfar::NtXent<S> nt_xent({.temperature = 0.5, .reduction = Reduction::sum});
  const double of_views = nt_xent.forward_backward(x, y, targets, dx, dy).value;
  const Targets views = Targets().ids(both);
  expect_sum_of(of_views, info_nce.forward_backward(z, z, partner, views, views, dq, dk).value);
  Matrix<S> dz(2 * n, x.cols());
  dz << dx, dy;
  expect_same<S>(dz, Matrix<S>(dq + dk), "d_views");
}

template <class S, class Loss>
void expect_same_bits_of_threads(const Loss& loss, const Matrix<S>& x, const Matrix<S>& y,
                                 const Targets& targets) {
  Matrix<S> dx, dy, dx_of_one, dy_of_one;
  nearfar::Workspace one(1);
  const auto want = loss.forward_backward(x, y, targets, dx_of_one, dy_of_one, {.workspace = &one});
  for (const int threads : {2, 3, 7}) {
    nearfar::Workspace several(threads);
    expect_identical(loss.forward_backward(x, y, targets, dx, dy, {.workspace = &several}), want);
    EXPECT_TRUE(same_bits(dx, dx_of_one));
    EXPECT_TRUE(same_bits(dy, dy_of_one));
  }
}

TYPED_TEST(PairTargets, BitsAreTheSameAtAnyNumberOfThreads) {
  using S = TypeParam;
  const Index n = 420;
  const Ids ids = ids_of(n)[1];
  const Matrix<S> x = random_rows<S>(n, 5, 1);
  const Matrix<S> y = random_rows<S>(n, 5, 2);
  each_loss<S>([&](const char* name, const auto& loss) {
    SCOPED_TRACE(name);
    Matrix<S> dx, dy, dx_of_one, dy_of_one;
    nearfar::Workspace one(1);
    const auto want =
        loss.forward_backward(x, y, Targets().ids(ids), dx_of_one, dy_of_one, {.workspace = &one});
    for (const int threads : {2, 3, 7}) {
      nearfar::Workspace several(threads);
      expect_identical(
          loss.forward_backward(x, y, Targets().ids(ids), dx, dy, {.workspace = &several}), want);
      EXPECT_TRUE(same_bits(dx, dx_of_one));
      EXPECT_TRUE(same_bits(dy, dy_of_one));
    }
  });
}

TYPED_TEST(PairTargets, LabelsOfWhichNoneIsSharedAreThePairsThemselves) {
  using S = TypeParam;
  const Index n = 130;
  const Ids labels = ids_of(n)[0];
  const Matrix<S> x = random_rows<S>(n, 5, 1);
  const Matrix<S> y = random_rows<S>(n, 5, 2);
  const auto check = [&](const auto& loss) {
    Matrix<S> dx, dy, plain_dx, plain_dy;
    const auto want = loss.forward_backward(x, y, plain_dx, plain_dy);
    const auto got = loss.forward_backward(x, y, labels, dx, dy);
    EXPECT_NEAR(got.value, want.value, Tolerance<S>::value * std::abs(want.value));
    expect_same_counts(got.diagnostics, want.diagnostics);
    expect_same<S>(dx, plain_dx, "dx");
    expect_same<S>(dy, plain_dy, "dy");
  };
  check(nearfar::Clip<S>());
  check(nearfar::SigLip<S>());
}

TYPED_TEST(PairTargets, IdsOfWhichNoneIsSharedAndNoIdsChangeNothing) {
  using S = TypeParam;
  const Index n = 130;
  const Ids ids = ids_of(n)[0];
  const Matrix<S> x = random_rows<S>(n, 5, 1);
  const Matrix<S> y = random_rows<S>(n, 5, 2);
  each_loss<S>([&](const char* name, const auto& loss) {
    SCOPED_TRACE(name);
    Matrix<S> dx, dy, plain_dx, plain_dy;
    const auto want = loss.forward_backward(x, y, plain_dx, plain_dy);
    const auto got = loss.forward_backward(x, y, Targets().ids(ids), dx, dy);
    EXPECT_NEAR(got.value, want.value, Tolerance<S>::value * std::abs(want.value));
    expect_same_counts(got.diagnostics, want.diagnostics);
    expect_same<S>(dx, plain_dx, "dx");
    expect_same<S>(dy, plain_dy, "dy");
    expect_identical(loss.forward_backward(x, y, Targets(), dx, dy), want);
    EXPECT_TRUE(same_bits(dx, plain_dx));
  });
}

TYPED_TEST(PairTargets, ABatchWithoutNegativesIsRefusedWhereThatIsWanted) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(3, 4, 1);
  const Matrix<S> y = random_rows<S>(3, 4, 2);
  const Ids ids = {8, 8, 8};
  const auto error = nearfar::UnusableAnchor::error;
  const std::string words = "every anchor to have something to learn from";
  const Targets targets = Targets().ids(ids);
  const BadCall table[] = {
      {"InfoNce",
       Thrown::invalid_argument,
       {words, "3 anchors without a negative"},
       [&] { nearfar::InfoNce<S>({.unusable_anchors = error}).forward(x, y, targets); }},
      {"Clip",
       Thrown::invalid_argument,
       {words, "3 anchors without a negative"},
       [&] { nearfar::Clip<S>({.unusable_anchors = error}).forward(x, y, targets); }},
      {"NtXent", Thrown::invalid_argument, {words, "6 anchors without a negative"}, [&] {
         nearfar::NtXent<S>({.unusable_anchors = error}).forward(x, y, targets);
       }}};
  for (const BadCall& bad : table) expect_refused(bad);
}

TYPED_TEST(PairTargets, BadTargetsAreRefused) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(4, 3, 1);
  const Matrix<S> five = random_rows<S>(5, 3, 2);
  const Ids four_ids = {1, 2, 3, 3};
  const Ids three_ids = {1, 2, 3};
  const std::vector<double> weights = {1, 1, 2, 1};
  const auto invalid = Thrown::invalid_argument;
  Matrix<S> dx = Matrix<S>::Constant(1, 1, 7);
  Matrix<S> dy = dx;
  each_loss<S>([&](const char* name, const auto& loss) {
    SCOPED_TRACE(name);
    const auto with = [&](const Targets& targets) {
      return [&, targets] { loss.forward_backward(x, x, targets, dx, dy); };
    };
    expect_refused(
        {name, invalid, {"targets ids: wanted 4 labels", "got 3"}, with(Targets().ids(three_ids))});
    expect_refused({name,
                    invalid,
                    {"targets: wanted no weights of anchors"},
                    with(Targets().ids(four_ids).weights(weights))});
  });
  const auto labels_to = [&](const auto& loss) {
    return [&, loss] { loss.forward_backward(x, x, Targets(four_ids), dx, dy); };
  };
  expect_refused({"labels",
                  invalid,
                  {"targets: wanted ids alone", "SupCon"},
                  labels_to(nearfar::InfoNce<S>())});
  expect_refused({"labels",
                  invalid,
                  {"targets: wanted ids alone", "SupCon"},
                  labels_to(nearfar::NtXent<S>())});
  const nearfar::InfoNce<S> loss;
  expect_refused({"one side", invalid, {"key_targets: wanted ids, as the other side has"}, [&] {
                    loss.forward_backward(x, x, Targets().ids(four_ids), Targets(), dx, dy);
                  }});
  expect_refused({"keys", invalid, {"key_targets ids: wanted 5 labels", "got 4"}, [&] {
                    loss.forward_backward(x, five, Targets().ids(four_ids), Targets().ids(four_ids),
                                          dx, dy);
                  }});
  expect_refused({"pairs", invalid, {"keys: wanted as many as queries"}, [&] {
                    loss.forward_backward(x, five, Targets().ids(four_ids), dx, dy);
                  }});
  EXPECT_EQ(dx(0, 0), S(7));
  EXPECT_EQ(dy(0, 0), S(7));
}

}  // namespace
