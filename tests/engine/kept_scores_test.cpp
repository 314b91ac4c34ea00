#include <gtest/gtest.h>

#include <nearfar/engine/kept_scores.hpp>
#include <nearfar/engine/one_sided_pass.hpp>
#include <nearfar/engine/two_sided_pass.hpp>
#include <nearfar/kernels/cosine.hpp>
#include <nearfar/kernels/euclidean.hpp>
#include <vector>

#include "support/packed_rows.hpp"
#include "support/random.hpp"

/// Scores that are kept from one sweep to the next.

namespace {

using namespace nearfar;
using namespace nearfar::detail;
using support::random_rows;

/// Records the scores that each sweep passes it.
template <class S>
class ScoresOfSweeps final : public RowTerm<S> {
 public:
  ScoresOfSweeps(Index rows, Index cols)
      : accumulated(Matrix<S>::Zero(rows, cols)), weighed(Matrix<S>::Zero(rows, cols)) {}

  void start(Index) override {}
  void accumulate(Index i, Index first, Index n, const S* s) override {
    std::copy_n(s, n, &accumulated(i, first));
  }
  void close(Index) override {}
  void gradient(Index i, Index first, Index n, const S* s, S* g) override {
    std::copy_n(s, n, &weighed(i, first));
    std::copy_n(s, n, g);
  }

  Matrix<S> accumulated;
  Matrix<S> weighed;
};

constexpr Index n = 250;
constexpr Index m = 500;
constexpr Index depth = 7;

template <class S>
class KeptScoresOf : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(KeptScoresOf, Scalars);

TYPED_TEST(KeptScoresOf, TakeNoMoreThanTheBytes) {
  using S = TypeParam;
  for (const bool distances : {false, true}) {
    for (const bool same_rows : {false, true}) {
      const Index keys = same_rows ? n : m;
      Index all = Index(1) << 30;
      Scratch plenty(nullptr);
      const auto kept = keep_scores<S>(plenty, all, n, keys, 48, distances, same_rows);
      EXPECT_EQ(kept.count, tasks_of(n, Index(48)));
      const Index wanted = (Index(1) << 30) - all;
      EXPECT_GE(wanted, n * keys / (same_rows ? 2 : 1) * Index(sizeof(S)));
      Index enough = wanted;
      EXPECT_EQ(keep_scores<S>(plenty, enough, n, keys, 48, distances, same_rows).count,
                kept.count);
      EXPECT_EQ(enough, 0);
      Index less = wanted - 1;
      EXPECT_EQ(keep_scores<S>(plenty, less, n, keys, 48, distances, same_rows).count,
                kept.count - 1);
      EXPECT_GE(less, 0);
      Index none = 0;
      EXPECT_EQ(keep_scores<S>(plenty, none, n, keys, 48, distances, same_rows).count, 0);
    }
  }
}

/// The pass that adds gradients has other keys: the scores that it sees of the kept panels are
/// those of the pass that accumulated, and of the others its own.
TYPED_TEST(KeptScoresOf, AreNotComputedAgain) {
  using S = TypeParam;
  Scratch scratch(nullptr);
  const KernelValue<S> kernel = kernel_value<S>(Cosine());
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const auto [px, py] = support::pack_both<S>(scratch, 2, kernel, x, random_rows<S>(m, depth, 2));
  const auto [again, other] =
      support::pack_both<S>(scratch, 2, kernel, x, random_rows<S>(m, depth, 3));
  const auto check = [&](const ScoresOfSweeps<S>& term, Index rows_kept) {
    EXPECT_EQ(term.weighed.topRows(rows_kept), term.accumulated.topRows(rows_kept));
    const Index rest = n - rows_kept;
    EXPECT_NE(term.weighed.bottomRows(rest), term.accumulated.bottomRows(rest));
  };
  const Index panel = ScorePanel<S>::size(96, m) * Index(sizeof(S));
  {
    Index bytes = 2 * panel;
    const auto kept = OneSidedPass<S>::keep_scores(scratch, bytes, n, m, false);
    ScoresOfSweeps<S> term(n, m);
    OneSidedPass<S> first(scratch, 2, kernel, px, py);
    first.accumulate(term, take_ranges<S>(scratch, n), kept);
    OneSidedPass<S> second(scratch, 2, kernel, again, other);
    auto dx = take_gradients(scratch, px);
    auto dy = take_gradients(scratch, py);
    second.gradient(term, dx, dy, kept);
    check(term, 2 * 96);
  }
  {
    Index bytes = panel;  // of panels of 48 rows
    const auto kept = TwoSidedPass<S>::keep_scores(scratch, bytes, n, n, m, false, false);
    ScoresOfSweeps<S> term(n, m);
    ScoresOfSweeps<S> of_keys(m, n);
    TwoSidedPass<S> first(scratch, 2, kernel, px, py);
    first.keep(kept);
    first.accumulate(term, of_keys, take_ranges<S>(scratch, n));
    TwoSidedPass<S> second(scratch, 2, kernel, again, other);
    second.keep(kept);
    auto dx = take_gradients(scratch, px);
    auto dy = take_gradients(scratch, py);
    second.gradient(term, of_keys, dx, dy);
    check(term, 2 * 48);
    EXPECT_EQ(of_keys.weighed.leftCols(96), term.accumulated.topRows(96).transpose());
  }
}

/// Distances of near pairs are computed from the rows, and so are their gradients.
TYPED_TEST(KeptScoresOf, GiveTheSameBits) {
  using S = TypeParam;
  const KernelValue<S> kernel = kernel_value<S>(Euclidean());
  Matrix<S> x = random_rows<S>(n, depth, 1).array() + S(30);
  Matrix<S> y = random_rows<S>(m, depth, 2).array() + S(30);
  y.topRows(n / 2) = x.topRows(n / 2).array() + S(1e-4);
  const auto gradients = [&](const Index bytes) {
    Scratch scratch(nullptr);
    const auto [px, py] = support::pack_both<S>(scratch, 2, kernel, x, y);
    Index left = bytes;
    const auto kept = OneSidedPass<S>::keep_scores(scratch, left, n, m, true);
    ScoresOfSweeps<S> term(n, m);
    OneSidedPass<S> first(scratch, 2, kernel, px, py);
    first.accumulate(term, take_ranges<S>(scratch, n), kept);
    OneSidedPass<S> second(scratch, 2, kernel, px, py);
    auto dx = take_gradients(scratch, px);
    auto dy = take_gradients(scratch, py);
    second.gradient(term, dx, dy, kept);
    return std::pair<Matrix<S>, Matrix<S>>(support::matrix_of(dx, px), support::matrix_of(dy, py));
  };
  const auto want = gradients(0);
  for (const Index bytes : {Index(500000), Index(1) << 30}) EXPECT_EQ(gradients(bytes), want);
}

}  // namespace
