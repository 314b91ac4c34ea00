#include <gtest/gtest.h>

#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// An error of one process is thrown on all of them, and the next call succeeds.

namespace {

using namespace support;
using nearfar::Schedule;

class ShardedErrors : public testing::TestWithParam<Schedule> {};

TEST_P(ShardedErrors, OfOneProcessAreThoseOfAll) {
  for (const int processes : {2, 3}) {
    run_team(processes,
             [&](nearfar::Exchange& exchange) { expect_errors_on_all(exchange, GetParam()); });
  }
}

INSTANTIATE_TEST_SUITE_P(Schedules, ShardedErrors,
                         testing::Values(Schedule::ring, Schedule::ordered, Schedule::all_gather));

TEST(ShardedErrors, OptionsAreRefusedAsInOneProcess) {
  EXPECT_THROW(nearfar::sharded::InfoNce<float>({.temperature = 0}), std::invalid_argument);
  EXPECT_THROW(nearfar::sharded::MinedTriplet<float>({.margin = -1}), std::invalid_argument);
}

TEST(ShardedErrors, NoTargetsAreRefused) {
  nearfar::Alone alone;
  const Matrix<float> x = random_rows<float>(4, 3, 1);
  EXPECT_THROW(nearfar::sharded::SupCon<float>().forward(alone, x, nearfar::Targets()),
               std::invalid_argument);
}

/// One row too few in the second set, for the losses whose rows are pairs.
TEST(ShardedErrors, SetsOfPairsAreOfEqualSize) {
  run_team(2, [&](nearfar::Exchange& exchange) {
    const Matrix<float> x = random_rows<float>(3, 4, 1);
    const Matrix<float> y = random_rows<float>(exchange.rank() == 1 ? 2 : 3, 4, 2);
    using namespace nearfar::sharded;
    expect_error_everywhere([&] { Clip<float>().forward(exchange, x, y); },
                            "rank 1: texts: wanted a row for each of 3 images, got 2");
    expect_error_everywhere([&] { SigLip<float>().forward(exchange, x, y); },
                            "rank 1: texts: wanted a row for each of 3 images, got 2");
    expect_error_everywhere([&] { NtXent<float>().forward(exchange, x, y); },
                            "rank 1: view2: wanted a row for each of 3 view1, got 2");
    expect_error_everywhere([&] { VicReg<float>().forward(exchange, x, y); },
                            "rank 1: view2: wanted a row for each of 3 view1, got 2");
    expect_error_everywhere([&] { BarlowTwins<float>().forward(exchange, x, y); },
                            "rank 1: view2: wanted a row for each of 3 view1, got 2");
    expect_error_everywhere([&] { Alignment<float>().forward(exchange, x, y); },
                            "rank 1: y: wanted a row for each of 3 x, got 2");
  });
}

/// Losses without targets: other options, other slices, a single row, elements that are not finite,
/// and sums that overflow.
TEST(ShardedErrors, OfLossesOfWholeSetsAreThoseOfAll) {
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    run_team(3, [&](nearfar::Exchange& exchange) {
      const bool mine = exchange.rank() == 1;
      const nearfar::Sharding where(exchange, schedule);
      const Matrix<double> x = random_rows<double>(3, 4, 1);
      const Matrix<double> opposite = -x;
      Matrix<double> dx;
      Matrix<double> dy;
      using namespace nearfar::sharded;
      const auto expect = [&](const auto& call, const std::string& text) {
        expect_error_everywhere(call, text);
        EXPECT_EQ(dx.size() + dy.size(), 0);
      };
      expect([&] { VicReg<double>({.epsilon = mine ? 1. : 2.}).forward(where, x, x); },
             "rank 1: epsilon: wanted 2 as on rank 0, got 1");
      expect([&] { BarlowTwins<double>({.lambda = mine ? 1. : 2.}).forward(where, x, x); },
             "rank 1: lambda: wanted 2 as on rank 0, got 1");
      expect([&] { Gor<double>({.mean_weight = mine ? 1. : 2.}).forward(where, x); },
             "rank 1: mean_weight: wanted 2 as on rank 0, got 1");
      expect([&] { Alignment<double>({.alpha = mine ? 1. : 2.}).forward(where, x, x); },
             "rank 1: alpha: wanted 2 as on rank 0, got 1");
      expect([&] { Uniformity<double>({.t = mine ? 1. : 2.}).forward(where, x); },
             "rank 1: t: wanted 2 as on rank 0, got 1");
      expect([&] { SigReg<double>({.knots = mine ? 3 : 4}).forward(where, x, x); },
             "rank 1: knots: wanted 4 as on rank 0, got 3");
      const Matrix<double> slices = mine ? Matrix<double>(2 * x) : x;
      expect([&] { SigReg<double>().forward_backward(where, x, slices, dx); },
             "rank 1: slices (digest): wanted ");
      expect([&] { SigReg<double>().forward(where, x, x.topRows(mine ? 2 : 3)); },
             "rank 1: slices: wanted 3 as on rank 0, got 2");
      const Matrix<double> one = x.topRows(mine ? 1 : 0);
      expect([&] { VicReg<double>().forward_backward(where, one, one, dx, dy); },
             "view1: wanted at least two rows, which have variances, got 1 row");
      Matrix<double> with_nan = x;
      if (mine) with_nan(2, 1) = std::numeric_limits<double>::quiet_NaN();
      const std::string nan = "rank 1: x: wanted finite elements, got NaN at row 2, column 1";
      expect([&] { KoLeo<double>().forward_backward(where, with_nan, dx); }, nan);
      expect([&] { Uniformity<double>().forward_backward(where, with_nan, dx); }, nan);
      expect([&] { Gor<double>().forward_backward(where, with_nan, dx); }, nan);
      const Matrix<double> far = 1e200 * x;
      expect([&] { VicReg<double>().forward_backward(where, far, far, dx, dy); }, "value");
      expect([&] { SigReg<double>().forward_backward(where, far, far, dx); },
             "wanted rows whose inner products fit");
      const Matrix<double> same = Matrix<double>::Ones(3, 4);
      expect(
          [&] {
            Gor<double>({.mean_weight = 1.2e308, .second_moment_weight = 1.2e308})
                .forward_backward(where, same, dx);
          },
          "value");
      expect(
          [&] { Alignment<double>({.alpha = 3000}).forward_backward(where, x, opposite, dx, dy); },
          "value");
      EXPECT_GT(VicReg<double>().forward(where, x, x).value, 0);
    });
  }
}

/// Sets of different widths, and the gradient of a matrix that the kernel does not have.
TEST(ShardedErrors, InvalidArgumentsOnOneProcessAreThrownOnAll) {
  run_team(2, [&](nearfar::Exchange& exchange) {
    const bool mine = exchange.rank() == 1;
    const Matrix<float> x = random_rows<float>(3, 4, 1);
    const Matrix<float> y = random_rows<float>(3, mine ? 5 : 4, 2);
    const nearfar::sharded::InfoNce<float> loss;
    expect_error_everywhere([&] { loss.forward(exchange, x, y); },
                            "rank 1: keys: wanted 3 x 4, got 3 x 5");
    Matrix<float> dx;
    Matrix<float> dy;
    Matrix<float> matrix;
    expect_error_everywhere(
        [&] {
          nearfar::CallOptions<float> call;
          if (mine) call.d_parameter = matrix;
          loss.forward_backward(exchange, x, x, dx, dy, call);
        },
        "rank 1: d_parameter: wanted a kernel with a matrix (Mahalanobis, Bilinear)");
    EXPECT_EQ(dx.size() + dy.size() + matrix.size(), 0);
  });
}

/// A single pair, on any process.
TEST(ShardedErrors, PairsWithoutANegativeAreRefusedOnAllIfTheOptionSaysSo) {
  run_team(2, [&](nearfar::Exchange& exchange) {
    const Matrix<float> x = random_rows<float>(exchange.rank() == 1 ? 1 : 0, 4, 1);
    using namespace nearfar::sharded;
    constexpr auto error = nearfar::UnusableAnchor::error;
    const std::string text = "wanted every anchor to have something to learn from, got ";
    expect_error_everywhere(
        [&] { Clip<float>({.unusable_anchors = error}).forward(exchange, x, x); },
        text + "1 anchors without a negative");
    expect_error_everywhere(
        [&] { NtXent<float>({.unusable_anchors = error}).forward(exchange, x, x); },
        text + "2 anchors without a negative");
    expect_error_everywhere(
        [&] { InfoNce<float>({.unusable_anchors = error}).forward(exchange, x, x); },
        text + "1 anchors without a negative");
  });
}

/// The same of losses that find it after the rows are packed; another option on one process, and
/// views of different sizes.
TEST(ShardedErrors, OfLossesOfViewsAreThoseOfAll) {
  run_team(2, [&](nearfar::Exchange& exchange) {
    const bool mine = exchange.rank() == 1;
    const Matrix<float> x = random_rows<float>(mine ? 1 : 0, 4, 1);
    const Matrix<float> y = random_rows<float>(mine ? 2 : 0, 4, 2);
    using namespace nearfar::sharded;
    constexpr auto error = nearfar::UnusableAnchor::error;
    const std::string text = "wanted every anchor to have something to learn from, got ";
    const auto expect = [&](const auto& refuses, const auto& differs, const std::string& option) {
      expect_error_everywhere([&] { refuses.forward(exchange, x, x); }, text);
      expect_error_everywhere([&] { differs.forward(exchange, x, x); },
                              "rank 1: " + option + ": wanted ");
      expect_error_everywhere([&] { refuses.forward(exchange, x, y); }, "nearfar: rank 1: ");
      EXPECT_NO_THROW(std::remove_cvref_t<decltype(refuses)>().forward(exchange, x, x));
    };
    expect(Rince<float>({.unusable_anchors = error}), Rince<float>({.q = mine ? 0.5 : 0.4}), "q");
    expect(RinceViews<float>({.unusable_anchors = error}),
           RinceViews<float>({.lambda = mine ? 0.5 : 0.4}), "lambda");
    expect(Dclw<float>({.unusable_anchors = error}), Dclw<float>({.sigma = mine ? 0.5 : 0.4}),
           "sigma");
    expect(Dhel<float>({.unusable_anchors = error}), Dhel<float>({.both_views = mine}),
           "both_views");
    expect(HardNegative<float>({.unusable_anchors = error}),
           HardNegative<float>({.concentration = mine ? 0.5 : 0.4}), "concentration");
    const Matrix<float> far = random_rows<float>(2, 4, 3) * 1e25f;
    Matrix<float> dx = far;
    Matrix<float> dy = far;
    expect_error_everywhere(
        [&] {
          const Matrix<float> near = random_rows<float>(2, 4, 4) * 1e-25f;
          Dhel<float, nearfar::InnerProduct>().forward_backward(exchange, near, mine ? far : near,
                                                                dx.topRows(2), dy.topRows(2));
        },
        "nearfar: view2 and view2: wanted rows whose inner products fit");
    EXPECT_EQ(dx, far);
    EXPECT_EQ(dy, far);
  });
}

/// Another bound on one process, sets of different sizes, and a single sample, on any process.
TEST(ShardedErrors, OfBoundsOnMutualInformationAreThoseOfAll) {
  using enum nearfar::MutualInformationBound;
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    run_team(2, [&](nearfar::Exchange& exchange) {
      const bool mine = exchange.rank() == 1;
      const nearfar::Sharding where(exchange, schedule);
      const Matrix<float> x = random_rows<float>(2, 4, 1);
      const auto expect = [&](const nearfar::MutualInformationOptions& options,
                              const Matrix<float>& own_y, const std::string& text) {
        const nearfar::sharded::MutualInformation<float> loss(options);
        Matrix<float> dx = x;
        Matrix<float> dy = own_y;
        expect_error_everywhere(
            [&] {
              loss.forward_backward(where, x, own_y, dx.topRows(2), dy.topRows(own_y.rows()));
            },
            text);
        EXPECT_EQ(dx, x);
        EXPECT_EQ(dy, own_y);
        EXPECT_NO_THROW(nearfar::sharded::MutualInformation<float>().forward(where, x, x));
      };
      expect({.bound = mine ? nwj : club}, x, "rank 1: bound: wanted 3 as on rank 0, got 1");
      expect({.bound = club}, x.topRows(mine ? 1 : 2),
             "rank 1: y: wanted a row for each of 2 x, got 1");
      for (const auto bound : {nwj, donsker_varadhan}) {
        const Matrix<float> one = x.topRows(mine ? 1 : 0);
        expect_error_everywhere(
            [&] {
              nearfar::sharded::MutualInformation<float>({.bound = bound}).forward(where, one, one);
            },
            "x: wanted at least two rows, so that some pairs are not joint, got one row");
      }
    });
  }
}

/// Other prefixes or weights on one process, prefixes that do not end with the row, and too few
/// keys.
TEST(ShardedErrors, OfPrefixesAreThoseOfAll) {
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    run_team(2, [&](nearfar::Exchange& exchange) {
      const bool mine = exchange.rank() == 1;
      const nearfar::Sharding where(exchange, schedule);
      const Matrix<float> x = random_rows<float>(2, 4, 1);
      const auto expect = [&](const nearfar::MatryoshkaOptions& options, const Matrix<float>& keys,
                              const std::string& text) {
        const nearfar::sharded::MatryoshkaInfoNce<float> loss(options);
        Matrix<float> dx = x;
        Matrix<float> dy = keys;
        expect_error_everywhere(
            [&] { loss.forward_backward(where, x, keys, dx.topRows(2), dy.topRows(keys.rows())); },
            text);
        EXPECT_EQ(dx, x);
        EXPECT_EQ(dy, keys);
        EXPECT_NO_THROW(
            nearfar::sharded::MatryoshkaInfoNce<float>({.prefixes = {3, 4}}).forward(where, x, x));
      };
      expect({.prefixes = {mine ? 1 : 2, 4}}, x, "rank 1: prefixes (digest): wanted ");
      expect({.prefixes = mine ? std::vector<Index>{4} : std::vector<Index>{2, 4}}, x,
             "rank 1: number of prefixes: wanted 2 as on rank 0, got 1");
      expect({.prefixes = {2, 4}, .weights = {1, mine ? 1. : 2.}}, x,
             "rank 1: weights (digest): wanted ");
      expect({.prefixes = {2, 4}}, x.topRows(mine ? 1 : 2),
             "rank 1: keys: wanted a key for each of 2 queries, got 1 keys");
      expect({.prefixes = {2, 3}}, x,
             "rank 0: prefixes: wanted 4, the rows' elements, as the last, got 3");
      const nearfar::sharded::MatryoshkaInfoNce<float> refuses(
          {.prefixes = {4}, .unusable_anchors = nearfar::UnusableAnchor::error});
      const Matrix<float> one = x.topRows(mine ? 1 : 0);
      expect_error_everywhere([&] { refuses.forward(where, one, one); },
                              "got 1 anchors without a negative");
    });
  }
}

/// Target scores that do not fit or are not finite, another scale, sets of different sizes, and
/// values that overflow.
TEST(ShardedErrors, OfScoredPairsAreThoseOfAll) {
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    run_team(2, [&](nearfar::Exchange& exchange) {
      const bool mine = exchange.rank() == 1;
      const nearfar::Sharding where(exchange, schedule);
      const Matrix<double> x = random_rows<double>(3, 4, 1);
      const std::vector<double> scores = {1, 2, 3};
      const auto expect = [&](const auto& loss, const Matrix<double>& a, const Matrix<double>& b,
                              const std::vector<double>& targets, const std::string& text) {
        Matrix<double> da = a;
        Matrix<double> db = b;
        expect_error_everywhere(
            [&] {
              loss.forward_backward(where, a, b, targets, da.topRows(a.rows()),
                                    db.topRows(b.rows()));
            },
            text);
        EXPECT_EQ(da, a);
        EXPECT_EQ(db, b);
        EXPECT_NO_THROW(nearfar::sharded::CoSent<double>().forward(where, x, x, scores));
      };
      const double infinity = std::numeric_limits<double>::infinity();
      const auto check = [&](const auto& loss, const auto& other) {
        expect(loss, x, x, mine ? std::vector<double>{1, 2} : scores,
               "rank 1: scores: wanted 3 numbers, one a row, got 2");
        expect(loss, x, x, {1, mine ? infinity : 2, 3}, "rank 1: scores: wanted finite elements");
        expect(loss, x, x.topRows(mine ? 2 : 3), scores,
               "rank 1: b: wanted a row for each of 3 a, got 2");
        expect(other, x, x, scores, "rank 1: scale: wanted 2 as on rank 0, got 1");
      };
      using namespace nearfar::sharded;
      check(CoSent<double>(), CoSent<double>({.scale = mine ? 1. : 2.}));
      check(Angle<double>(), Angle<double>({.scale = mine ? 1. : 2.}));
      // The logits of one process are as far from those of the other as can be.
      const CoSent<double, nearfar::InnerProduct> far({.scale = 2e307});
      const Matrix<double> one = Matrix<double>::Constant(1, 1, 2.5);
      const Matrix<double> other = mine ? Matrix<double>(-one) : one;
      expect(far, one, other, {mine ? 1. : 0.}, "value");
      EXPECT_EQ(far.forward(where, one, other, std::vector<double>{mine ? 0. : 1.}).value, 0);
    });
  }
}

/// Another option on one process.
TEST(ShardedErrors, OptionsOfLossesOverLabelsAreThoseOfAll) {
  run_team(2, [&](nearfar::Exchange& exchange) {
    const bool mine = exchange.rank() == 1;
    const Matrix<float> x = random_rows<float>(3, 4, 1);
    const std::vector<int> labels = {1, 1, 2};
    using namespace nearfar::sharded;
    const double a = mine ? 0.25 : 0.5;
    const auto expect = [&](const auto& loss, const std::string& option) {
      Matrix<float> dx = x;
      expect_error_everywhere([&] { loss.forward_backward(exchange, x, labels, dx.topRows(3)); },
                              "rank 1: " + option + ": wanted 0.5 as on rank 0, got 0.25");
      EXPECT_EQ(dx, x);
    };
    expect(Nca<float>({.temperature = a}), "temperature");
    expect(Sincere<float>({.temperature = a}), "temperature");
    expect(TupletMargin<float>({.margin = a}), "margin");
    expect(GeneralizedLiftedStructure<float>({.margin = a}), "margin");
    expect(RankedList<float>({.imbalance = a}), "imbalance");
    expect(IntraPairVariance<float>({.negative_epsilon = a}), "negative_epsilon");
    expect(SnrContrastive<float>({.negative_margin = a}), "negative_margin");
    expect(MarginLoss<float>({.beta = a}), "beta");
    expect_error_everywhere(
        [&] { FastAp<float>({.bins = mine ? 4 : 5}).forward(exchange, x, labels); },
        "rank 1: bins: wanted 5 as on rank 0, got 4");
  });
}

/// Boundaries of classes: other ones or another number on one process, ones that are not finite, a
/// label without a boundary, and another kind of targets.
TEST(ShardedErrors, OfBoundariesAreThoseOfAll) {
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    run_team(2, [&](nearfar::Exchange& exchange) {
      const bool mine = exchange.rank() == 1;
      const nearfar::Sharding where(exchange, schedule);
      const Matrix<float> x = random_rows<float>(3, 4, 1);
      const std::vector<int> labels = {1, 1, 0};
      const Matrix<float> betas = Matrix<float>::Ones(2, 1);
      const nearfar::sharded::MarginLoss<float> loss;
      const auto expect = [&](const nearfar::Targets& targets, const Matrix<float>& own,
                              const std::string& text) {
        Matrix<float> dx = x;
        Matrix<float> d_betas = own;
        expect_error_everywhere(
            [&] {
              loss.forward_backward(where, x, targets, own, dx.topRows(3),
                                    d_betas.topRows(own.rows()));
            },
            text);
        EXPECT_EQ(dx, x);
        EXPECT_TRUE(same_bits(d_betas, own));
        EXPECT_NO_THROW(loss.forward(where, x, labels, betas));
      };
      expect(labels, betas * (mine ? 2 : 1), "rank 1: betas (digest): wanted ");
      expect(labels, Matrix<float>::Ones(mine ? 3 : 2, 1), "rank 1: betas: wanted 2 as on rank 0");
      const float infinity = std::numeric_limits<float>::infinity();
      expect(labels, Matrix<float>::Constant(2, 1, infinity),
             "rank 0: betas: wanted finite elements");
      expect(labels, Matrix<float>::Ones(2, 2), "rank 0: betas: wanted 2 x 1, got 2 x 2");
      const std::vector<int> beyond = {1, mine ? 2 : 1, 0};
      expect(beyond, betas, "rank 1: labels: wanted labels from 0 to 1");
      const std::vector<Index> offsets = {0, 1, 2, 2};
      const std::vector<Index> listed = {1, 0};
      expect(nearfar::PositiveLists{offsets, listed}, betas,
             "rank 0: labels: wanted labels, which say whose boundary an anchor has");
    });
  }
}

/// Losses over labels: another number of labels, another kind of targets, and rows without
/// elements.
TEST(ShardedErrors, OfLossesOverLabelsAreThoseOfAll) {
  run_team(2, [&](nearfar::Exchange& exchange) {
    const bool mine = exchange.rank() == 1;
    const Matrix<float> x = random_rows<float>(3, 4, 1);
    const std::vector<int> labels(mine ? 2 : 3, 1);
    using namespace nearfar::sharded;
    const char* text = "rank 1: labels: wanted 3 labels, one a row, got 2";
    expect_error_everywhere([&] { HadsellContrastive<float>().forward(exchange, x, labels); },
                            text);
    expect_error_everywhere([&] { MinedTriplet<float>().forward(exchange, x, labels); }, text);
    const std::vector<int> three(3, 1);
    expect_error_everywhere(
        [&] {
          HadsellContrastive<float>().forward(exchange, x, mine ? nearfar::Targets() : three);
        },
        "rank 1: labels: wanted ");
    const Matrix<float> nothing(3, 0);
    expect_error_everywhere(
        [&] { MinedTriplet<float>().forward(exchange, mine ? nothing : x, three); }, "rank 1: ");
  });
}

TEST(ShardedErrors, UnusableAnchorsAreRefusedOnAllIfTheOptionSaysSo) {
  run_team(2, [&](nearfar::Exchange& exchange) {
    const Matrix<float> x = random_rows<float>(2, 3, 1);
    const std::vector<int> labels =
        exchange.rank() == 0 ? std::vector<int>{4, 4} : std::vector<int>{5, 6};
    const nearfar::sharded::SupCon<float> loss(
        {.unusable_anchors = nearfar::UnusableAnchor::error});
    expect_error_everywhere([&] { loss.forward(exchange, x, labels); },
                            "rank 1: batch: wanted every anchor to have something to learn from, "
                            "got 2 anchors without a positive");
  });
}

}  // namespace
