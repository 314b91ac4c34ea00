#include <gtest/gtest.h>

#include <functional>
#include <nearfar/nearfar.hpp>
#include <numeric>

#include "support/compare.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"
#include "support/settings.hpp"

/// The positives of each row, by every rule and for every loss over labels: rules with the same
/// positives give the same result, ids leave out the right pairs, and anchors' weights are factors.

namespace {

using namespace support;
using nearfar::Diagnostics;
using nearfar::GradientRows;
using nearfar::Labels;
using nearfar::Mining;
using nearfar::MultiLabels;
using nearfar::no_gradient;
using nearfar::PositiveLists;
using nearfar::Reduction;
using nearfar::Result;
using nearfar::Rows;
using nearfar::Targets;
using nearfar::Upstream;

/// A loss over labels behind one signature.
template <class S>
struct Loss {
  std::string name;
  std::function<Result(Rows<S>, Targets, GradientRows<S>, nearfar::Workspace*)> batch;
  std::function<Result(Rows<S>, Targets, GradientRows<S>, Upstream)> with_upstream;
  std::function<Result(Rows<S>, Targets, Rows<S>, Targets, GradientRows<S>, GradientRows<S>)>
      references;
  bool alone = true;  ///< the result of a query depends on it and the references alone
};

template <class S, class L, class Options>
Loss<S> make(std::string name, const Options& options, bool alone = true) {
  const L loss(options);
  return {
      std::move(name),
      [loss](Rows<S> x, const Targets& targets, GradientRows<S> dx, nearfar::Workspace* workspace) {
        return loss.forward_backward(x, targets, dx, {.workspace = workspace});
      },
      [loss](Rows<S> x, const Targets& targets, GradientRows<S> dx, const Upstream& upstream) {
        return loss.forward_backward(x, targets, dx, {.upstream = upstream});
      },
      [loss](Rows<S> q, const Targets& of_q, Rows<S> r, const Targets& of_r, GradientRows<S> dq,
             GradientRows<S> dr) { return loss.forward_backward(q, of_q, r, of_r, dq, dr); },
      alone};
}

template <class S>
std::vector<Loss<S>> losses(Reduction reduction) {
  std::vector<Loss<S>> all;
  nearfar::registered::for_each([&]<class Line>(Line) {
    if constexpr (is_over_labels<Line>) {
      using Own = typename Line::template Loss<S>;
      auto settings = gentle_options<Line, typename OwnKernel<Line, S>::Type>(reduction, 1);
      if constexpr (requires { settings[0].mining; }) {
        std::erase_if(settings, [](const auto& o) { return o.form != nearfar::TripletForm::soft; });
        settings.push_back(settings.back());
        settings.back().mining = Mining::distance_weighted;
      }
      for (const auto& options : settings) {
        bool alone = !std::is_same_v<Line, nearfar::registered::lifted_structure> &&
                     !std::is_same_v<Line, nearfar::registered::intra_pair_variance>;
        if constexpr (requires { options.mining; }) {
          alone = options.mining != Mining::distance_weighted;
        }
        all.push_back(make<S, Own>(Line::class_name + choices_in(options), options, alone));
      }
    }
  });
  return all;
}

/// Sets of labels for `rows` rows, `each` of them, of 130 labels in three words; few rows share
/// one.
struct Sets {
  Sets(Index rows, int each, std::uint64_t seed)
      : count(rows), bits(static_cast<std::size_t>(rows) * 3) {
    Random random(seed);
    for (Index i = 0; i < rows; ++i) {
      for (int k = 0; k < each; ++k) set(i, 13 * random.below(10));
    }
  }
  void set(Index row, Index label) {
    bits[static_cast<std::size_t>(row * 3 + label / 64)] |= std::uint64_t(1) << (label % 64);
  }
  bool has(Index row, Index label) const {
    return (bits[static_cast<std::size_t>(row * 3 + label / 64)] >> (label % 64) & 1) != 0;
  }
  MultiLabels view() const { return {bits.data(), count, 3}; }

  Index count;
  std::vector<std::uint64_t> bits;
};

/// Lists of the pairs with rule(i, j).
struct Lists {
  template <class Rule>
  Lists(Index rows, Index keys, const Rule& rule) : offsets{0} {
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < keys; ++j) {
        if (rule(i, j)) columns.push_back(j);
      }
      offsets.push_back(static_cast<Index>(columns.size()));
    }
  }
  PositiveLists view() const { return {offsets, columns, weights}; }

  std::vector<Index> offsets;
  std::vector<Index> columns;
  std::vector<double> weights;
};

template <class S>
void expect_equal(const Result& got, const Result& want) {
  EXPECT_NEAR(got.value, want.value, Tolerance<S>::same * std::max(1.0, std::abs(want.value)));
  expect_same_counts(got.diagnostics, want.diagnostics);
}

template <class S>
class TargetsOf : public testing::Test {
 protected:
  static constexpr Index n = 40;
  static constexpr Index m = 51;
  const Matrix<S> x = random_rows<S>(n, 7, 61);
  const Matrix<S> y = random_rows<S>(m, 7, 62);
  const std::vector<int> x_labels = random_labels(n, 5, 63);
  const std::vector<int> y_labels = random_labels(m, 5, 64);

  void expect_batches_equal(const Targets& a, const Targets& b) const {
    for (const Loss<S>& loss : losses<S>(Reduction::mean)) {
      SCOPED_TRACE(loss.name);
      Matrix<S> of_a;
      Matrix<S> of_b;
      expect_equal<S>(loss.batch(x, a, of_a, nullptr), loss.batch(x, b, of_b, nullptr));
      expect_same<S>(of_a, of_b, "dx");
      EXPECT_GT(of_b.norm(), 0);
    }
  }
  void expect_references_equal(const std::pair<Targets, Targets>& a,
                               const std::pair<Targets, Targets>& b) const {
    for (const Loss<S>& loss : losses<S>(Reduction::mean)) {
      SCOPED_TRACE(loss.name + ", references");
      Matrix<S> gradients[4];
      expect_equal<S>(loss.references(x, a.first, y, a.second, gradients[0], gradients[1]),
                      loss.references(x, b.first, y, b.second, gradients[2], gradients[3]));
      expect_same<S>(gradients[0], gradients[2], "d_queries");
      expect_same<S>(gradients[1], gradients[3], "d_references");
      EXPECT_GT(gradients[3].norm(), 0);
    }
  }
};
TYPED_TEST_SUITE(TargetsOf, Scalars, CaseNames);

TYPED_TEST(TargetsOf, SetsOfOneLabelEqualLabels) {
  const auto one_each = [](const std::vector<int>& labels) {
    Sets sets(static_cast<Index>(labels.size()), 0, 0);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      sets.set(static_cast<Index>(i), 33 * labels[i]);
    }
    return sets;
  };
  const Sets of_x = one_each(this->x_labels);
  const Sets of_y = one_each(this->y_labels);
  this->expect_batches_equal(of_x.view(), this->x_labels);
  this->expect_references_equal({of_x.view(), of_y.view()}, {this->x_labels, this->y_labels});
}

TYPED_TEST(TargetsOf, ListsEqualTheRuleTheyWereMadeFrom) {
  const Sets of_x(this->n, 2, 65);
  const Sets of_y(this->m, 2, 66);
  const auto share = [](const Sets& a, Index i, const Sets& b, Index j) {
    bool any = false;
    for (Index label = 0; label < 130; ++label) any = any || (a.has(i, label) && b.has(j, label));
    return any;
  };
  const Lists with_self(this->n, this->n,
                        [&](Index i, Index j) { return share(of_x, i, of_x, j); });
  const Lists without(this->n, this->n,
                      [&](Index i, Index j) { return i != j && share(of_x, i, of_x, j); });
  const Lists across(this->n, this->m, [&](Index i, Index j) { return share(of_x, i, of_y, j); });
  this->expect_batches_equal(with_self.view(), of_x.view());
  this->expect_batches_equal(without.view(), of_x.view());
  this->expect_references_equal({across.view(), Targets()}, {of_x.view(), of_y.view()});
}

/// A batch equals its own references if no row is compared with itself.
TYPED_TEST(TargetsOf, IdsMaskARowAgainstItself) {
  using S = TypeParam;
  std::vector<Index> ids(static_cast<std::size_t>(this->n));
  std::iota(ids.begin(), ids.end(), Index(-7));
  const Targets targets = Targets(this->x_labels).ids(ids);
  for (const Loss<S>& loss : losses<S>(Reduction::mean)) {
    // A row of a batch may be among its own positives, a row of references may not.
    if (loss.name.find("include_self true") != std::string::npos) continue;
    SCOPED_TRACE(loss.name);
    Matrix<S> dx;
    Matrix<S> dq;
    Matrix<S> dr;
    const Result want = loss.batch(this->x, this->x_labels, dx, nullptr);
    const Result got = loss.references(this->x, targets, this->x, targets, dq, dr);
    EXPECT_NEAR(got.value, want.value, Tolerance<S>::same * std::max(1.0, want.value));
    EXPECT_EQ(got.diagnostics.anchors_without_positive, want.diagnostics.anchors_without_positive);
    // Distances are relative to the mean of all rows, which is a sum of other rows here.
    EXPECT_NEAR(got.diagnostics.smallest_score, want.diagnostics.smallest_score,
                Tolerance<S>::score);
    EXPECT_NEAR(got.diagnostics.largest_score, want.diagnostics.largest_score, Tolerance<S>::score);
    expect_same<S>(dq + dr, dx, "dx");
  }
}

/// Each query against the remaining references, as if the others had never been there.
TYPED_TEST(TargetsOf, IdsMaskEveryRowThatSharesThem) {
  using S = TypeParam;
  const auto ids = [](Index rows, Index step) {
    std::vector<Index> out;
    for (Index i = 0; i < rows; ++i) out.push_back((i * step) % 11);
    return out;
  };
  const std::vector<Index> x_ids = ids(this->n, 3);
  const std::vector<Index> y_ids = ids(this->m, 5);
  const Lists lists(this->n, this->m, [&](Index i, Index j) { return (i + 2 * j) % 5 == 0; });
  for (const bool listed : {false, true}) {
    for (const Loss<S>& loss : losses<S>(Reduction::none)) {
      if (!loss.alone) continue;
      SCOPED_TRACE(loss.name + (listed ? ", lists" : ", labels"));
      Matrix<S> dq;
      Matrix<S> dr;
      const Result got = listed
                             ? loss.references(this->x, Targets(lists.view()).ids(x_ids), this->y,
                                               Targets().ids(y_ids), dq, dr)
                             : loss.references(this->x, Targets(this->x_labels).ids(x_ids), this->y,
                                               Targets(this->y_labels).ids(y_ids), dq, dr);
      Matrix<S> dr_alone = Matrix<S>::Zero(dr.rows(), dr.cols());
      for (Index i = 0; i < this->n; ++i) {
        const auto at = static_cast<std::size_t>(i);
        std::vector<Index> kept;
        std::vector<int> kept_labels;
        for (Index j = 0; j < this->m; ++j) {
          if (y_ids[static_cast<std::size_t>(j)] == x_ids[at]) continue;
          kept.push_back(j);
          // With lists, the positives of this query are class 1.
          kept_labels.push_back(listed ? ((i + 2 * j) % 5 == 0 ? 1 : 0)
                                       : this->y_labels[static_cast<std::size_t>(j)]);
        }
        const std::vector<int> own = {listed ? 1 : this->x_labels[at]};
        const Matrix<S> rest = reordered<S>(this->y, kept);
        const Matrix<S> query = this->x.row(i);
        Matrix<S> dq_alone;
        Matrix<S> d_rest;
        const Result alone = loss.references(query, own, rest, kept_labels, dq_alone, d_rest);
        EXPECT_NEAR(got.values[at], alone.values[0], Tolerance<S>::same * 10) << "row " << i;
        expect_near<S>(dq.row(i), oracle::exact(dq_alone), Tolerance<S>::same * 10, "d_queries");
        for (std::size_t k = 0; k < kept.size(); ++k) {
          dr_alone.row(kept[k]) += d_rest.row(static_cast<Index>(k));
        }
      }
      expect_same<S>(dr, dr_alone, "d_references");
    }
  }
}

TYPED_TEST(TargetsOf, WeightsMultiplyAnchors) {
  using S = TypeParam;
  std::vector<double> weights = random_upstream(this->n, 67);
  for (std::size_t i = 0; i < weights.size(); i += 3) weights[i] = 0;
  const auto apart = losses<S>(Reduction::none);
  const auto added = losses<S>(Reduction::sum);
  const auto mean = losses<S>(Reduction::mean);
  for (std::size_t k = 0; k < apart.size(); ++k) {
    SCOPED_TRACE(apart[k].name);
    const Targets weighted = Targets(this->x_labels).weights(weights);
    Matrix<S> want;
    const Result values = apart[k].with_upstream(this->x, this->x_labels, want, weights);
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * values.values[i];
    Matrix<S> got;
    const Result result = added[k].batch(this->x, weighted, got, nullptr);
    EXPECT_NEAR(result.value, sum, Tolerance<S>::same * std::max(1.0, sum));
    expect_same<S>(got, want, "dx");

    // The divisor counts terms, for any weights. (These losses have two divisors.)
    if (apart[k].name == "LinearContrastive" || apart[k].name == "SnrContrastive" ||
        apart[k].name == "IntraPairVariance" || apart[k].name == "MarginLoss") {
      continue;
    }
    const Result divided = mean[k].batch(this->x, weighted, got, nullptr);
    const auto terms = static_cast<double>(divided.diagnostics.terms);
    EXPECT_NEAR(divided.value, sum / terms, Tolerance<S>::same * std::max(1.0, sum / terms));
    expect_same<S>(got * static_cast<S>(terms), want, "dx of the mean");
  }
}

TYPED_TEST(TargetsOf, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  const Index count = 230;
  const Matrix<S> rows = random_rows<S>(count, 19, 68);
  const Sets sets(count, 2, 69);
  std::vector<Index> ids;
  for (Index i = 0; i < count; ++i) ids.push_back(i % 100);
  const std::vector<double> weights = random_upstream(count, 70);
  const Targets targets = Targets(sets.view()).ids(ids).weights(weights);
  for (const Loss<S>& loss : losses<S>(Reduction::mean)) {
    SCOPED_TRACE(loss.name);
    nearfar::Workspace alone(1);
    Matrix<S> want;
    const double value = loss.batch(rows, targets, want, &alone).value;
    for (const int threads : {2, 3, 7}) {
      nearfar::Workspace workspace(threads);
      Matrix<S> got;
      EXPECT_EQ(loss.batch(rows, targets, got, &workspace).value, value);
      EXPECT_TRUE(same_bits<S>(got, want)) << threads << " threads";
    }
  }
}

// ---- weights of positives -----------------------------------------------------------------------

/// sum_p w_p / W times each positive's part, outside or inside of the logarithm.
TYPED_TEST(TargetsOf, SupConWeighsListedPositives) {
  using S = TypeParam;
  using oracle::Real;
  Lists lists(this->n, this->m, [](Index i, Index j) { return i != 3 && (i + j) % 6 == 0; });
  for (const double u : random_upstream(static_cast<Index>(lists.columns.size()), 71)) {
    lists.weights.push_back(4 * u - 1.9);
  }
  for (const auto variant : {nearfar::SupConVariant::out, nearfar::SupConVariant::in}) {
    const nearfar::SupCon<S> loss(
        {.temperature = 0.5, .variant = variant, .reduction = Reduction::none});
    const bool out = variant == nearfar::SupConVariant::out;
    SCOPED_TRACE(out ? "out" : "in");
    const oracle::Matrix s =
        oracle::pairwise(oracle::Cosine(), oracle::exact(this->x), oracle::exact(this->y));
    Matrix<S> dq;
    Matrix<S> dr;
    Matrix<S> queries = this->x;
    const auto value = [&] {
      return loss.forward(queries, lists.view(), this->y, Targets()).value;
    };
    const Result got = loss.forward_backward(queries, lists.view(), this->y, Targets(), dq, dr);
    for (Index i = 0; i < this->n; ++i) {
      const auto at = static_cast<std::size_t>(i);
      Real all = 0;
      for (Index j = 0; j < this->m; ++j) all += std::exp(s(i, j) / 0.5L);
      Real total = 0;
      Real inside = 0;
      Real outside = 0;
      for (Index k = lists.offsets[at]; k < lists.offsets[at + 1]; ++k) {
        const Real w = lists.weights[static_cast<std::size_t>(k)];
        const Real z = s(i, lists.columns[static_cast<std::size_t>(k)]) / 0.5L;
        total += w;
        inside += w * std::exp(z) / all;
        outside += w * (std::log(all) - z);
      }
      const Real want = total == 0 ? 0 : out ? outside / total : -std::log(inside / total);
      EXPECT_NEAR(got.values[at], static_cast<double>(want), Tolerance<S>::same * 10) << i;
    }
    expect_right(nearfar::check_gradient<S>(value, {{"queries", queries, dq}}), dq.size());

    Lists scaled = lists;
    for (double& w : scaled.weights) w *= 3;
    EXPECT_NEAR(loss.forward(queries, scaled.view(), this->y, Targets()).value, got.value,
                Tolerance<S>::same * got.value);
    for (double& w : scaled.weights) w = 0.25;
    Lists plain = lists;
    plain.weights.clear();
    EXPECT_NEAR(loss.forward(queries, scaled.view(), this->y, Targets()).value,
                loss.forward(queries, plain.view(), this->y, Targets()).value,
                Tolerance<S>::same * got.value);
  }
}

}  // namespace
