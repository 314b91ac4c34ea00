#include <gtest/gtest.h>

#include <nearfar/nearfar.hpp>
#include <nearfar/sharded.hpp>

#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Kernels with a matrix over a split batch, and the gradient of the matrix, against one process.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::GradientScale;
using nearfar::no_gradient;
using nearfar::Schedule;
using nearfar::Sharding;

const Schedule schedules[] = {Schedule::ring, Schedule::ordered, Schedule::all_gather};

template <class S>
constexpr double promised = sizeof(S) == sizeof(float) ? 1e-6 : 1e-12;

template <class S>
void expect_near(const Matrix<S>& got, const Matrix<S>& want, double largest, const char* what) {
  ASSERT_EQ(got.rows(), want.rows()) << what;
  if (want.size() == 0) return;
  ASSERT_EQ(got.cols(), want.cols()) << what;
  EXPECT_LE(static_cast<double>((got - want).cwiseAbs().maxCoeff()), promised<S> * largest) << what;
}

template <class S>
double largest_of(const Matrix<S>& x) {
  return static_cast<double>(x.cwiseAbs().maxCoeff());
}

/// A matrix that stretches and rotates.
template <class S>
Matrix<S> matrix(Index outputs, Index inputs) {
  return random_rows<S>(outputs, inputs, 77);
}

constexpr Index n = 37;

/// `run(loss, where, first, count, d_rows, options)` calls a loss of one process (if `where` is
/// null) or of many with rows [first, first + count) of each set.
template <class S, class Run>
void check(Index sets, Index outputs, Index inputs, const Run& run) {
  Matrix<S> d_matrix;
  std::vector<Matrix<S>> gradients(static_cast<std::size_t>(sets));
  const double want = run(nullptr, 0, n, gradients, {.d_parameter = d_matrix});
  ASSERT_EQ(d_matrix.rows(), outputs);
  ASSERT_EQ(d_matrix.cols(), inputs);
  ASSERT_GT(largest_of(d_matrix), 0);
  for (const int processes : {1, 2, 3}) {
    for (const Split split : {Split::even, Split::first_has_none}) {
      if (processes == 1 && split != Split::even) continue;
      run_team(processes, [&](Exchange& e) {
        const Index first = first_row(split, e.rank(), processes, n);
        const Index count = first_row(split, e.rank() + 1, processes, n) - first;
        for (const Schedule schedule : schedules) {
          for (const GradientScale scale :
               {GradientScale::for_summing, GradientScale::for_averaging}) {
            const Sharding where(e, schedule, scale);
            const S times = scale == GradientScale::for_averaging ? S(processes) : S(1);
            Matrix<S> own_matrix;
            std::vector<Matrix<S>> own(gradients.size());
            const double got = run(&where, first, count, own, {.d_parameter = own_matrix});
            EXPECT_NEAR(got, want, promised<S> * std::max(1.0, std::abs(want)));
            expect_near<S>(own_matrix, d_matrix, largest_of(d_matrix), "matrix");
            for (std::size_t k = 0; k < own.size(); ++k) {
              const Matrix<S> own_want = gradients[k].middleRows(first, count) * times;
              expect_near<S>(own[k], own_want,
                             largest_of(gradients[k]) * static_cast<double>(times), "rows");
            }
          }
        }
      });
    }
  }
}

/// A loss over two sets.
template <class S, class One, class Many>
void check_pairs(const One& one, const Many& many, Index d_first, Index d_second, Index outputs,
                 Index inputs) {
  // Distances must not lose digits to the origin.
  const S away = one.kernel().geometry == nearfar::Geometry::squared_distance ? S(9) : S(0);
  const Matrix<S> x = (random_rows<S>(n, d_first, 1).array() + away).matrix();
  const Matrix<S> y = (random_rows<S>(n, d_second, 2).array() + away).matrix();
  check<S>(2, outputs, inputs,
           [&](const Sharding* where, Index first, Index count, std::vector<Matrix<S>>& d,
               const nearfar::CallOptions<S>& options) {
             const Matrix<S> own_x = x.middleRows(first, count);
             const Matrix<S> own_y = y.middleRows(first, count);
             return where == nullptr
                        ? one.forward_backward(own_x, own_y, d[0], d[1], options).value
                        : many.forward_backward(*where, own_x, own_y, d[0], d[1], options).value;
           });
}

/// A loss of pairs with target scores.
template <class S, class K>
void check_scored(const K& kernel, Index d_first, Index d_second, Index outputs, Index inputs) {
  const Matrix<S> x = random_rows<S>(n, d_first, 1);
  const Matrix<S> y = random_rows<S>(n, d_second, 2);
  const std::vector<int> labels = random_labels(n, 5, 4);
  const std::vector<S> scores(labels.begin(), labels.end());
  const nearfar::CoSentOptions options = {.scale = 0.5};
  check<S>(2, outputs, inputs,
           [&](const Sharding* where, Index first, Index count, std::vector<Matrix<S>>& d,
               const nearfar::CallOptions<S>& call) {
             const Matrix<S> own_x = x.middleRows(first, count);
             const Matrix<S> own_y = y.middleRows(first, count);
             const nearfar::Numbers<S> own(scores.data() + first, count);
             return where == nullptr
                        ? nearfar::CoSent<S, K>(options, kernel)
                              .forward_backward(own_x, own_y, own, d[0], d[1], call)
                              .value
                        : nearfar::sharded::CoSent<S, K>(options, kernel)
                              .forward_backward(*where, own_x, own_y, own, d[0], d[1], call)
                              .value;
           });
}

/// A loss over labels.
template <class S, class One, class Many>
void check_labelled(const One& one, const Many& many, Index d_rows, Index outputs) {
  const Matrix<S> x = random_rows<S>(n, d_rows, 1);
  const std::vector<int> labels = random_labels(n, 5, 4);
  check<S>(1, outputs, d_rows,
           [&](const Sharding* where, Index first, Index count, std::vector<Matrix<S>>& d,
               const nearfar::CallOptions<S>& options) {
             const Matrix<S> own_x = x.middleRows(first, count);
             const nearfar::Labels own(labels.data() + first, count);
             return where == nullptr
                        ? one.forward_backward(own_x, own, d[0], options).value
                        : many.forward_backward(*where, own_x, own, d[0], options).value;
           });
}

template <class S>
class ShardedMatrices : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedMatrices, Scalars);

TYPED_TEST(ShardedMatrices, OfQueriesAreThoseOfOneProcess) {
  using S = TypeParam;
  using K = nearfar::Bilinear<S>;
  const Matrix<S> p = matrix<S>(5, 9);
  const K kernel(p);
  check_pairs<S>(nearfar::InfoNce<S, K>({.temperature = 2}, kernel),
                 nearfar::sharded::InfoNce<S, K>({.temperature = 2}, kernel), 9, 5, 5, 9);
  check_pairs<S>(nearfar::Clip<S, K>({.logit_scale = 0.5}, kernel),
                 nearfar::sharded::Clip<S, K>({.logit_scale = 0.5}, kernel), 9, 5, 5, 9);
  check_pairs<S>(nearfar::SigLip<S, K>({.logit_scale = 0.5, .logit_bias = -1}, kernel),
                 nearfar::sharded::SigLip<S, K>({.logit_scale = 0.5, .logit_bias = -1}, kernel), 9,
                 5, 5, 9);
  check_pairs<S>(nearfar::Rince<S, K>({.temperature = 4}, kernel),
                 nearfar::sharded::Rince<S, K>({.temperature = 4}, kernel), 9, 5, 5, 9);
  const nearfar::MutualInformationOptions bound = {
      .bound = nearfar::MutualInformationBound::donsker_varadhan, .temperature = 4};
  check_pairs<S>(nearfar::MutualInformation<S, K>(bound, kernel),
                 nearfar::sharded::MutualInformation<S, K>(bound, kernel), 9, 5, 5, 9);
  check_scored<S>(kernel, 9, 5, 5, 9);
}

TYPED_TEST(ShardedMatrices, OfBothSidesAreThoseOfOneProcess) {
  using S = TypeParam;
  using K = nearfar::Mahalanobis<S>;
  const Matrix<S> p = matrix<S>(4, 7);
  const K kernel(p);
  check_pairs<S>(nearfar::InfoNce<S, K>({.temperature = 2}, kernel),
                 nearfar::sharded::InfoNce<S, K>({.temperature = 2}, kernel), 7, 7, 4, 7);
  check_pairs<S>(nearfar::NtXent<S, K>({.temperature = 2}, kernel),
                 nearfar::sharded::NtXent<S, K>({.temperature = 2}, kernel), 7, 7, 4, 7);
  check_pairs<S>(nearfar::RinceViews<S, K>({.temperature = 2}, kernel),
                 nearfar::sharded::RinceViews<S, K>({.temperature = 2}, kernel), 7, 7, 4, 7);
  check_pairs<S>(nearfar::Dclw<S, K>({.temperature = 2}, kernel),
                 nearfar::sharded::Dclw<S, K>({.temperature = 2}, kernel), 7, 7, 4, 7);
  check_pairs<S>(nearfar::Dhel<S, K>({.temperature = 2}, kernel),
                 nearfar::sharded::Dhel<S, K>({.temperature = 2}, kernel), 7, 7, 4, 7);
  check_scored<S>(kernel, 7, 7, 4, 7);
  check_labelled<S>(nearfar::MarginLoss<S, K>({.beta = 3}, kernel),
                    nearfar::sharded::MarginLoss<S, K>({.beta = 3}, kernel), 7, 4);
  check_labelled<S>(nearfar::Nca<S, K>({.temperature = 2}, kernel),
                    nearfar::sharded::Nca<S, K>({.temperature = 2}, kernel), 7, 4);
  check_labelled<S>(nearfar::Sincere<S, K>({.temperature = 2}, kernel),
                    nearfar::sharded::Sincere<S, K>({.temperature = 2}, kernel), 7, 4);
  check_labelled<S>(nearfar::GeneralizedLiftedStructure<S, K>({.margin = 3}, kernel),
                    nearfar::sharded::GeneralizedLiftedStructure<S, K>({.margin = 3}, kernel), 7,
                    4);
  check_labelled<S>(nearfar::RankedList<S, K>({.alpha = 3}, kernel),
                    nearfar::sharded::RankedList<S, K>({.alpha = 3}, kernel), 7, 4);
  check_labelled<S>(nearfar::SupCon<S, K>({.temperature = 2}, kernel),
                    nearfar::sharded::SupCon<S, K>({.temperature = 2}, kernel), 7, 4);
  check_labelled<S>(nearfar::HadsellContrastive<S, K>({.margin = 3}, kernel),
                    nearfar::sharded::HadsellContrastive<S, K>({.margin = 3}, kernel), 7, 4);
  for (const nearfar::Mining mining :
       {nearfar::Mining::batch_hard, nearfar::Mining::all, nearfar::Mining::semi_hard_per_pair}) {
    const nearfar::MinedTripletOptions options{.margin = 1, .mining = mining};
    check_labelled<S>(nearfar::MinedTriplet<S, K>(options, kernel),
                      nearfar::sharded::MinedTriplet<S, K>(options, kernel), 7, 4);
  }
}

/// One row is so far away that all others are near each other.
TYPED_TEST(ShardedMatrices, OfBothSidesKeepTheDigitsOfNearRows) {
  using S = TypeParam;
  using K = nearfar::Mahalanobis<S>;
  const Matrix<S> p = matrix<S>(4, 7);
  Matrix<S> x = random_rows<S>(n, 7, 1);
  x(5, 2) = sizeof(S) == sizeof(float) ? S(1e6) : S(1e13);
  std::vector<int> labels = random_labels(n, 5, 4);
  labels[5] = 99;
  const auto check = [&](const auto& one, const auto& many) {
    Matrix<S> want;
    const double value = one.forward_backward(x, labels, want).value;
    for (const int processes : {2, 3}) {
      run_team(processes, [&](Exchange& e) {
        const Index first = first_row(Split::even, e.rank(), processes, n);
        const Index count = first_row(Split::even, e.rank() + 1, processes, n) - first;
        const Matrix<S> own_x = x.middleRows(first, count);
        const Matrix<S> own_want = want.middleRows(first, count);
        const nearfar::Labels own(labels.data() + first, count);
        for (const Schedule schedule : schedules) {
          Matrix<S> own_d;
          const Sharding where(e, schedule);
          const double got = many.forward_backward(where, own_x, own, own_d).value;
          EXPECT_NEAR(got, value, promised<S> * std::max(1.0, std::abs(value)));
          expect_near<S>(own_d, own_want, largest_of(want), "rows");
        }
      });
    }
  };
  check(nearfar::HadsellContrastive<S, K>({.margin = 3}, K(p)),
        nearfar::sharded::HadsellContrastive<S, K>({.margin = 3}, K(p)));
  check(nearfar::MinedTriplet<S, K>({.margin = 1, .mining = nearfar::Mining::all}, K(p)),
        nearfar::sharded::MinedTriplet<S, K>({.margin = 1, .mining = nearfar::Mining::all}, K(p)));
  check(nearfar::SupCon<S, K>({.temperature = 2}, K(p)),
        nearfar::sharded::SupCon<S, K>({.temperature = 2}, K(p)));
}

/// With `ordered`, the matrix' gradient has the same bits for any number of processes on the grid.
TYPED_TEST(ShardedMatrices, HaveTheSameBitsInOrder) {
  using S = TypeParam;
  using K = nearfar::Bilinear<S>;
  constexpr Index grid = 384;
  constexpr Index rows = 2 * grid + 30;
  const Matrix<S> p = matrix<S>(5, 6);
  const Matrix<S> x = random_rows<S>(rows, 6, 1);
  const Matrix<S> y = random_rows<S>(rows, 5, 2);
  const nearfar::sharded::InfoNce<S, K> loss({.temperature = 2}, K(p));
  const auto run = [&](int processes) {
    Matrix<S> out;
    Matrix<S> dx;
    run_team(processes, [&](Exchange& e) {
      const Index first = std::min(e.rank() * grid, rows);
      const Index end = e.rank() + 1 == processes ? rows : first + grid;
      Matrix<S> d_matrix;
      const Matrix<S> own_x = x.middleRows(first, end - first);
      const Matrix<S> own_y = y.middleRows(first, end - first);
      loss.forward_backward({e, Schedule::ordered}, own_x, own_y, no_gradient, no_gradient,
                            {.d_parameter = d_matrix});
      if (e.rank() == 0) out = d_matrix;
    });
    return out;
  };
  const Matrix<S> want = run(1);
  EXPECT_TRUE(same_bits(run(2), want));
  EXPECT_TRUE(same_bits(run(3), want));
}

/// One process wants the gradient, accumulated in a buffer with contents; none wants those of rows.
TYPED_TEST(ShardedMatrices, NeedNotBeWantedEverywhere) {
  using S = TypeParam;
  using K = nearfar::Mahalanobis<S>;
  const Matrix<S> p = matrix<S>(4, 7);
  const Matrix<S> x = random_rows<S>(12, 7, 1);
  const Matrix<S> y = random_rows<S>(12, 7, 2);
  Matrix<S> want;
  nearfar::InfoNce<S, K>({.temperature = 2}, K(p))
      .forward_backward(x, y, no_gradient, no_gradient, {.d_parameter = want});
  run_team(2, [&](Exchange& e) {
    const nearfar::sharded::InfoNce<S, K> loss({.temperature = 2}, K(p));
    const Matrix<S> own_x = x.middleRows(6 * e.rank(), 6);
    const Matrix<S> own_y = y.middleRows(6 * e.rank(), 6);
    Matrix<S> got = Matrix<S>::Constant(4, 7, S(0.5));
    nearfar::CallOptions<S> options;
    if (e.rank() == 1) options.d_parameter = nearfar::accumulate(got);
    loss.forward_backward(e, own_x, own_y, no_gradient, no_gradient, options);
    if (e.rank() == 1) {
      expect_near<S>(got, (want.array() + S(0.5)).matrix(), largest_of(want) + 0.5, "matrix");
    }
  });
}

TEST(ShardedMatrices, ThatDifferOrDoNotFitAreRefusedOnAll) {
  using K = nearfar::Bilinear<float>;
  run_team(2, [&](Exchange& e) {
    const bool mine = e.rank() == 1;
    const Matrix<float> x = random_rows<float>(3, 6, 1);
    const Matrix<float> y = random_rows<float>(3, 4, 2);
    const Matrix<float> p = matrix<float>(4, 6);
    Matrix<float> other = p;
    other(1, 2) += 1e-3F;
    Matrix<float> not_finite = p;
    not_finite(1, 2) = std::numeric_limits<float>::infinity();
    const auto loss_of = [](const Matrix<float>& of) {
      return nearfar::sharded::InfoNce<float, K>({}, K(of));
    };
    expect_error_everywhere(
        [&] {
          const auto loss = loss_of(mine ? other : p);
          loss.forward(e, x, y);
        },
        "nearfar: rank 1: kernel (digest of its matrix): wanted ");
    expect_error_everywhere(
        [&] {
          const auto loss = loss_of(mine ? not_finite : p);
          loss.forward(e, x, y);
        },
        "nearfar: rank 1: kernel parameter: wanted finite elements, got infinity at row 1, column "
        "2");
    const auto loss = loss_of(p);
    expect_error_everywhere([&] { loss.forward(e, mine ? y : x, y); },
                            "nearfar: rank 1: queries: wanted 3 x 6, got 3 x 4");
    Matrix<float> small(2, 2);
    Matrix<float> whole(4, 6);
    expect_error_everywhere(
        [&] {
          loss.forward_backward(e, x, y, no_gradient, no_gradient,
                                {.d_parameter = mine ? small.topRows(2) : whole.topRows(4)});
        },
        "nearfar: rank 1: d_parameter: wanted 4 x 6, got 2 x 2");
    EXPECT_NO_THROW(loss.forward(e, x, y));
  });
}

}  // namespace
