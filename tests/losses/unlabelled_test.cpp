#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <nearfar/nearfar.hpp>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/errors.hpp"
#include "support/losses_over_labels.hpp"
#include "support/random.hpp"

/// Rows without a label: the loss has the bits of the batch without them, or they are negatives,
/// like rows of classes of their own.

namespace {

using namespace support;
using nearfar::CallOptions;
using nearfar::Reduction;
using nearfar::Result;
using nearfar::Targets;
using nearfar::UnlabelledRows;

using Integers = std::vector<std::int64_t>;

constexpr std::int64_t no_label = -1;

/// Rows of label `no_label` have elements that no call may read.
template <class S>
struct Batch {
  Matrix<S> x;
  Integers labels;
  Integers ids;
  std::vector<double> weights;
  std::vector<Index> kept;

  Batch(Index n, std::uint64_t seed, bool poisoned = true) : x(random_rows<S>(n, 6, seed)) {
    Random random(seed + 1);
    for (Index i = 0; i < n; ++i) {
      const bool none = random.below(4) == 0;
      labels.push_back(none ? no_label : random.below(5));
      ids.push_back(i % 9 == 4 ? i - 1 : i);
      weights.push_back(0.25 * static_cast<double>(1 + random.below(7)));
      if (!none) kept.push_back(i);
      if (none && poisoned) x.row(i).setConstant(std::numeric_limits<S>::quiet_NaN());
    }
  }

  template <class T>
  std::vector<T> some(const std::vector<T>& all) const {
    std::vector<T> out;
    for (const Index i : kept) out.push_back(all[static_cast<std::size_t>(i)]);
    return out;
  }
  Matrix<S> rows() const {
    Matrix<S> out(static_cast<Index>(kept.size()), x.cols());
    for (std::size_t k = 0; k < kept.size(); ++k) out.row(static_cast<Index>(k)) = x.row(kept[k]);
    return out;
  }
  /// The expected gradients of all rows, if those of the kept ones are `g`.
  Matrix<S> spread(const Matrix<S>& g) const {
    Matrix<S> out = Matrix<S>::Zero(x.rows(), x.cols());
    for (std::size_t k = 0; k < kept.size(); ++k) out.row(kept[k]) = g.row(static_cast<Index>(k));
    return out;
  }
  std::vector<double> spread(const std::vector<double>& values) const {
    if (values.empty()) return values;
    std::vector<double> out(static_cast<std::size_t>(x.rows()));
    const std::size_t count = values.size() / kept.size();  // 2 for both views
    out.resize(count * out.size());
    for (std::size_t v = 0; v < count; ++v) {
      for (std::size_t k = 0; k < kept.size(); ++k) {
        out[v * static_cast<std::size_t>(x.rows()) + static_cast<std::size_t>(kept[k])] =
            values[v * kept.size() + k];
      }
    }
    return out;
  }
};

void expect_same_result(const Result& got, const Result& want,
                        const std::vector<double>& want_values) {
  EXPECT_EQ(got.value, want.value);
  EXPECT_EQ(got.values, want_values);
  expect_same_counts(got.diagnostics, want.diagnostics);
}

template <class S, class Body>
void each_loss(Reduction reduction, const Body& body) {
  each_loss_over_labels<S>(reduction, [&](const auto& loss, const std::string&) { body(loss); });
}

void expect_invalid(const std::function<void()>& call, const std::string& text) {
  expect_refused({"call", Thrown::invalid_argument, {text}, call});
}

template <class S>
class Unlabelled : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Unlabelled, Scalars);

TYPED_TEST(Unlabelled, RowsAreAsIfTheyWereNotThere) {
  using S = TypeParam;
  for (const bool with_more : {false, true}) {
    const Batch<S> all(53, 7);
    const Matrix<S> some = all.rows();
    const Integers some_labels = all.some(all.labels);
    const Integers some_ids = all.some(all.ids);
    const std::vector<double> some_weights = all.some(all.weights);
    Targets of_all = Targets(all.labels);
    Targets of_some = Targets(some_labels);
    if (with_more) {
      of_all = of_all.ids(all.ids).weights(all.weights);
      of_some = of_some.ids(some_ids).weights(some_weights);
    }
    of_all = of_all.unlabelled(no_label);
    for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
      std::vector<double> up(all.labels.size());
      for (std::size_t i = 0; i < up.size(); ++i) up[i] = 1 + 0.1 * static_cast<double>(i % 7);
      const std::vector<double> some_up = all.some(up);
      each_loss<S>(reduction, [&](const auto& loss) {
        const bool rows = reduction == Reduction::none;
        nearfar::Workspace workspace;
        Matrix<S> got_g, want_g;
        const Result want = loss.forward_backward(
            some, of_some, want_g, {.upstream = rows ? nearfar::Upstream(some_up) : 2.0});
        for (int call = 0; call < 2; ++call) {
          const Result got = loss.forward_backward(
              all.x, of_all, got_g,
              {.workspace = &workspace, .upstream = rows ? nearfar::Upstream(up) : 2.0});
          expect_same_result(got, want, all.spread(want.values));
          EXPECT_TRUE(same_bits(got_g, all.spread(want_g)));
        }
        EXPECT_EQ(loss.forward(all.x, of_all).value, want.value);
        Matrix<S> sum = Matrix<S>::Ones(all.x.rows(), all.x.cols());
        loss.forward_backward(all.x, of_all, nearfar::accumulate(sum),
                              {.upstream = rows ? nearfar::Upstream(up) : 2.0});
        Matrix<S> some_sum = Matrix<S>::Ones(some.rows(), some.cols());
        loss.forward_backward(some, of_some, nearfar::accumulate(some_sum),
                              {.upstream = rows ? nearfar::Upstream(some_up) : 2.0});
        Matrix<S> want_sum = Matrix<S>::Ones(all.x.rows(), all.x.cols());
        for (std::size_t k = 0; k < all.kept.size(); ++k) {
          want_sum.row(all.kept[k]) = some_sum.row(static_cast<Index>(k));
        }
        EXPECT_TRUE(same_bits(sum, want_sum));
      });
    }
  }
}

TYPED_TEST(Unlabelled, ReferencesAndQueriesAreAsIfTheyWereNotThere) {
  using S = TypeParam;
  const Batch<S> x(31, 11);
  const Batch<S> y(47, 12);
  const Integers x_labels = x.some(x.labels);
  const Integers y_labels = y.some(y.labels);
  each_loss<S>(Reduction::mean, [&](const auto& loss) {
    Matrix<S> dx, dy, some_dx, some_dy;
    const Result want = loss.forward_backward(x.rows(), Targets(x_labels), y.rows(),
                                              Targets(y_labels), some_dx, some_dy);
    const Result got = loss.forward_backward(x.x, Targets(x.labels).unlabelled(no_label), y.x,
                                             Targets(y.labels).unlabelled(no_label), dx, dy);
    expect_same_result(got, want, {});
    EXPECT_TRUE(same_bits(dx, x.spread(some_dx)));
    EXPECT_TRUE(same_bits(dy, y.spread(some_dy)));
  });
}

/// Negatives of all others, as if each had a label of its own.
TYPED_TEST(Unlabelled, NegativesAreClassesOfTheirOwn) {
  using S = TypeParam;
  const Batch<S> x(41, 21, false);
  const Batch<S> y(37, 22, false);
  const auto apart = [](const Batch<S>& batch, std::int64_t first) {
    Integers out = batch.labels;
    for (std::int64_t& label : out) label = label == no_label ? first++ : label;
    return out;
  };
  const Integers x_apart = apart(x, 100);
  const Integers y_apart = apart(y, 200);
  const Targets of_x = Targets(x.labels).unlabelled(no_label, UnlabelledRows::negatives);
  const Targets of_y = Targets(y.labels).unlabelled(no_label, UnlabelledRows::negatives);
  each_loss<S>(Reduction::mean, [&](const auto& loss) {
    Matrix<S> got_dx, want_dx, got_dy, want_dy;
    Result want = loss.forward_backward(x.x, x_apart, want_dx);
    Result got = loss.forward_backward(x.x, of_x, got_dx);
    EXPECT_NEAR(got.value, want.value, Tolerance<S>::same * std::max(1.0, std::abs(want.value)));
    expect_same_counts(got.diagnostics, want.diagnostics);
    expect_same<S>(got_dx, want_dx, "dx");
    want = loss.forward_backward(x.x, x_apart, y.x, y_apart, want_dx, want_dy);
    got = loss.forward_backward(x.x, of_x, y.x, of_y, got_dx, got_dy);
    EXPECT_EQ(got.value, want.value);
    EXPECT_TRUE(same_bits(got_dx, want_dx));
    EXPECT_TRUE(same_bits(got_dy, want_dy));
  });
  // Labels at the ends of the integer range are valid.
  const Integers far = {std::numeric_limits<std::int64_t>::min(), no_label,
                        std::numeric_limits<std::int64_t>::min() + 1, no_label,
                        std::numeric_limits<std::int64_t>::min()};
  const Integers near = {0, 1, 2, 3, 0};
  const nearfar::SupCon<S> loss;
  EXPECT_EQ(
      loss.forward(x.x.topRows(5), Targets(far).unlabelled(no_label, UnlabelledRows::negatives))
          .value,
      loss.forward(x.x.topRows(5), near).value);
}

template <class S>
struct Pairs {
  Batch<S> x{43, 31};
  Matrix<S> y;
  Matrix<S> some;
  Matrix<S> some_y;
  Integers labels;
  Integers some_ids;

  Pairs() : y(random_rows<S>(43, 6, 33)) {
    const Batch<S> other = with(y);
    some = x.rows();
    some_y = other.rows();
    labels = x.some(x.labels);
    some_ids = x.some(x.ids);
    for (Index i = 0; i < y.rows(); ++i) {
      if (x.labels[static_cast<std::size_t>(i)] == no_label) {
        y.row(i).setConstant(std::numeric_limits<S>::quiet_NaN());
      }
    }
  }
  Batch<S> with(const Matrix<S>& rows) const {
    Batch<S> out = x;
    out.x = rows;
    return out;
  }
  /// Calls loss(rows, rows, targets, gradients of both, call) for all rows and for the kept rows
  /// alone.
  template <class Loss>
  void expect(const Loss& loss, const Targets& of_all, const Targets& of_some) const {
    Matrix<S> dx, dy, some_dx, some_dy;
    const auto want = loss.forward_backward(some, some_y, of_some, some_dx, some_dy);
    const auto got = loss.forward_backward(x.x, y, of_all, dx, dy);
    expect_same_result(got, want, x.spread(want.values));
    EXPECT_TRUE(same_bits(dx, x.spread(some_dx)));
    EXPECT_TRUE(same_bits(dy, x.spread(some_dy)));
    EXPECT_EQ(loss.forward(x.x, y, of_all).value, want.value);
  }
};

TYPED_TEST(Unlabelled, PairsAreAsIfTheyWereNotThere) {
  using S = TypeParam;
  const Pairs<S> p;
  // Ids alone: those of rows that are left out have the value.
  Integers ids = p.x.ids;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (p.x.labels[i] == no_label) ids[i] = no_label;
  }
  const Targets by_id = Targets().ids(ids).unlabelled(no_label);
  const Targets some_ids = Targets().ids(p.some_ids);
  const Targets by_label = Targets(p.x.labels).unlabelled(no_label);
  const Targets by_both = by_label.ids(p.x.ids);
  for (const Reduction reduction : {Reduction::mean, Reduction::none}) {
    const nearfar::Clip<S> clip({.reduction = reduction});
    const nearfar::SigLip<S> sig_lip({.reduction = reduction});
    p.expect(clip, by_label, Targets(p.labels));
    p.expect(sig_lip, by_label, Targets(p.labels));
    p.expect(clip, by_both, Targets(p.labels).ids(p.some_ids));
    p.expect(sig_lip, by_both, Targets(p.labels).ids(p.some_ids));
    p.expect(clip, by_id, some_ids);
    p.expect(sig_lip, by_id, some_ids);
    p.expect(nearfar::NtXent<S>({.reduction = reduction}), by_id, some_ids);
    p.expect(nearfar::InfoNce<S>({.reduction = reduction}), by_id, some_ids);
  }
  const nearfar::Clip<S> clip;
  const Integers none(p.x.labels.size(), no_label);
  EXPECT_EQ(clip.forward(p.x.x, p.y, Targets(none).unlabelled(no_label)).value, 0);
}

/// The text of an unlabelled image stays its positive.
TYPED_TEST(Unlabelled, PairsAsNegativesKeepTheirOwnPositive) {
  using S = TypeParam;
  const Batch<S> x(29, 41, false);
  const Matrix<S> y = random_rows<S>(29, 6, 42);
  Integers apart = x.labels;
  std::int64_t next = 1000;
  for (std::int64_t& label : apart) label = label == no_label ? next++ : label;
  const Targets negatives = Targets(x.labels).unlabelled(no_label, UnlabelledRows::negatives);
  EXPECT_EQ(nearfar::Clip<S>().forward(x.x, y, negatives).value,
            nearfar::Clip<S>().forward(x.x, y, apart).value);
  EXPECT_EQ(nearfar::SigLip<S>().forward(x.x, y, negatives).value,
            nearfar::SigLip<S>().forward(x.x, y, apart).value);
}

TYPED_TEST(Unlabelled, PositivesByNumberNumberAllKeys) {
  using S = TypeParam;
  const Matrix<S> q = random_rows<S>(4, 5, 51);
  const Matrix<S> k = random_rows<S>(6, 5, 52);
  const Integers of_q = {0, 1, -1, 3};
  const Integers of_k = {9, -1, 3, 0, -1, 1};
  const std::vector<Index> positives = {3, 5, 1, 2};
  const nearfar::InfoNce<S> loss;
  Matrix<S> dq, dk, some_dq, some_dk;
  const Targets queries = Targets().ids(of_q).unlabelled(-1);
  const Targets keys = Targets().ids(of_k).unlabelled(-1);
  const auto got = loss.forward_backward(q, k, positives, queries, keys, dq, dk);
  Matrix<S> some_q(3, 5), some_k(4, 5);
  some_q << q.row(0), q.row(1), q.row(3);
  some_k << k.row(0), k.row(2), k.row(3), k.row(5);
  const Integers some_of_q = {0, 1, 3};
  const Integers some_of_k = {9, 3, 0, 1};
  const std::vector<Index> some_positives = {2, 3, 1};
  const auto want = loss.forward_backward(some_q, some_k, some_positives, Targets().ids(some_of_q),
                                          Targets().ids(some_of_k), some_dq, some_dk);
  EXPECT_EQ(got.value, want.value);
  EXPECT_TRUE(same_bits(Matrix<S>(dq.row(3)), Matrix<S>(some_dq.row(2))));
  EXPECT_TRUE(same_bits(Matrix<S>(dk.row(5)), Matrix<S>(some_dk.row(3))));
  EXPECT_EQ(dq.row(2).norm(), 0);
  EXPECT_EQ(dk.row(1).norm(), 0);

  const std::vector<Index> at_none = {3, 4, 1, 2};
  expect_invalid([&] { loss.forward(q, k, at_none, queries, keys); },
                 "key_targets: wanted no unlabelled key that is the "
                 "positive of a labelled query, got key 4 for row 1");
  const std::vector<Index> too_large = {3, 6, 1, 2};
  expect_invalid([&] { loss.forward(q, k, too_large, queries, keys); },
                 "positives: wanted indices from 0 to 5, got 6 for row 1");
}

TYPED_TEST(Unlabelled, BadTargetsAreRefused) {
  using S = TypeParam;
  const Matrix<S> x = random_rows<S>(4, 5, 61);
  const Integers labels = {0, 0, 1, -1};
  const Integers few = {0, 0, -1};
  const std::vector<std::uint64_t> sets = {1, 1, 2, 0};
  const nearfar::SupCon<S> loss;
  Matrix<S> dx;
  const auto refuse = [&](const Targets& targets, const std::string& text) {
    expect_invalid([&] { loss.forward_backward(x, targets, dx); }, text);
    EXPECT_EQ(dx.size(), 0);
  };
  refuse(Targets(few).unlabelled(-1), "labels: wanted 4 labels, one a row, got 3");
  refuse(Targets(labels).ids(few).unlabelled(-1), "labels ids: wanted 4 labels");
  refuse(Targets(nearfar::MultiLabels{sets.data(), 4, 1}).unlabelled(-1),
         "labels: wanted labels, or ids alone, where some are unlabelled, got another rule");
  refuse(Targets().ids(labels).unlabelled(-1), "labels: wanted labels, or lists of positives");
  expect_invalid(
      [&] {
        nearfar::NtXent<S>().forward(
            x, x, Targets().ids(labels).unlabelled(-1, UnlabelledRows::negatives));
      },
      "targets: wanted labels where unlabelled rows are negatives, got ids alone");
  expect_invalid([&] { nearfar::Retrieval<S>().evaluate(x, Targets(labels).unlabelled(-1)); },
                 "labels: wanted the option unlabelled of Retrieval");
}

}  // namespace
