#include <gtest/gtest.h>

#include <nearfar/sharded.hpp>

#include "support/random.hpp"
#include "support/team.hpp"

/// \file
/// Rows and gradients in 16 bits on shards: numbers are those of the same rows in float.

namespace {

using nearfar::Index;
using nearfar::Matrix;
using nearfar::Sharding;

template <class T>
class ShardsIn16Bits : public testing::Test {};
using Types = testing::Types<Eigen::bfloat16, Eigen::half>;
TYPED_TEST_SUITE(ShardsIn16Bits, Types);

template <class T>
void expect_rounded(const Matrix<T>& got, const Matrix<float>& want) {
  EXPECT_EQ(got.template cast<float>(), want.cast<T>().template cast<float>());
}

TYPED_TEST(ShardsIn16Bits, GiveTheNumbersOfTheSameRowsInFloat) {
  using T = TypeParam;
  support::run_team(3, [](nearfar::Exchange& exchange) {
    const Sharding where(exchange);
    const auto rank = static_cast<std::uint64_t>(exchange.rank());
    const Index n = 5 + 2 * exchange.rank();
    const Matrix<T> x = support::random_rows<float>(n, 7, 10 + rank).template cast<T>();
    const Matrix<T> y = support::random_rows<float>(n, 7, 20 + rank).template cast<T>();
    const Matrix<float> exact_x = x.template cast<float>();
    const Matrix<float> exact_y = y.template cast<float>();
    const std::vector<int> labels = support::random_labels(n, 3, 30 + rank);

    const nearfar::sharded::Clip<float> clip;
    Matrix<float> want_x, want_y, got_x, got_y;
    Matrix<T> dx, dy;
    const double value = clip.forward_backward(where, exact_x, exact_y, want_x, want_y).value;
    EXPECT_EQ(clip.forward_backward(where, x, exact_y, got_x, got_y).value, value);
    EXPECT_EQ(got_x, want_x);
    EXPECT_EQ(got_y, want_y);
    EXPECT_EQ(clip.forward_backward(where, x, y, dx, dy).value, value);
    expect_rounded(dx, want_x);
    expect_rounded(dy, want_y);

    const auto expect_pairs = [&](const auto& loss, const auto&... others) {
      const double of_float =
          loss.forward_backward(where, exact_x, exact_y, others..., want_x, want_y).value;
      EXPECT_EQ(loss.forward_backward(where, x, exact_y, others..., got_x, got_y).value, of_float);
      EXPECT_EQ(got_x, want_x);
      EXPECT_EQ(got_y, want_y);
      EXPECT_EQ(loss.forward_backward(where, x, y, others..., dx, dy).value, of_float);
      expect_rounded(dx, want_x);
      expect_rounded(dy, want_y);
    };
    expect_pairs(nearfar::sharded::VicReg<float>());
    expect_pairs(nearfar::sharded::BarlowTwins<float>());
    expect_pairs(nearfar::sharded::Alignment<float>());
    expect_pairs(nearfar::sharded::MutualInformation<float>());
    expect_pairs(nearfar::sharded::MatryoshkaInfoNce<float>({.prefixes = {2, 7}}));
    const std::vector<float> scores(labels.begin(), labels.end());
    expect_pairs(nearfar::sharded::CoSent<float>(), scores);
    expect_pairs(nearfar::sharded::Angle<float>(), scores);
    const std::vector<Index> offsets = {0, 2, n};
    const nearfar::sharded::MaxSimInfoNce<float> late;
    const double of_tokens =
        late.forward_backward(where, exact_x, offsets, exact_y, offsets, want_x, want_y).value;
    EXPECT_EQ(late.forward_backward(where, x, offsets, y, offsets, dx, dy).value, of_tokens);
    expect_rounded(dx, want_x);
    expect_rounded(dy, want_y);
    const auto expect_rows = [&](const auto& loss, const auto&... others) {
      const double of_float = loss.forward_backward(where, exact_x, others..., want_x).value;
      EXPECT_EQ(loss.forward_backward(where, x, others..., dx).value, of_float);
      expect_rounded(dx, want_x);
    };
    expect_rows(nearfar::sharded::Gor<float>());
    expect_rows(nearfar::sharded::Uniformity<float>());
    expect_rows(nearfar::sharded::KoLeo<float>());
    const Matrix<T> slices = support::random_rows<float>(6, 7, 4).template cast<T>();
    const Matrix<float> exact_slices = slices.template cast<float>();
    expect_rows(nearfar::sharded::SigReg<float>(), exact_slices);
    EXPECT_EQ(nearfar::sharded::SigReg<float>().forward(where, x, slices).value,
              nearfar::sharded::SigReg<float>().forward(where, exact_x, exact_slices).value);

    const nearfar::sharded::HadsellContrastive<float> hadsell;
    const double other = hadsell.forward_backward(where, exact_x, labels, want_x).value;
    EXPECT_EQ(hadsell.forward_backward(where, x, labels, dx).value, other);
    expect_rounded(dx, want_x);
    if (!std::is_same_v<T, Eigen::half>) return;
    EXPECT_THROW(hadsell.forward_backward(where, x, labels, dx, {.upstream = 1e8}),
                 std::domain_error);
  });
}

}  // namespace
