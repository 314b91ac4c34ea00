#include <gtest/gtest.h>

#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/sup_con.hpp>

#include "support/errors.hpp"
#include "support/random.hpp"

/// Labels, numbers and upstreams as views of containers of Eigen and of the standard library.

namespace {

using namespace nearfar;
using support::expect_refused;
using support::random_rows;
using support::Thrown;

std::vector<std::int64_t> listed(const Labels& labels) {
  std::vector<std::int64_t> out;
  for (Index i = 0; i < labels.size(); ++i) out.push_back(labels[i]);
  return out;
}

using List = std::vector<std::int64_t>;

TEST(ViewsOfLabels, AreMadeOfEveryEigenVectorOfIntegers) {
  Eigen::VectorXi v(6);
  v << 3, 1, 4, 1, 5, 9;
  const List all = {3, 1, 4, 1, 5, 9};
  EXPECT_EQ(listed(v), all);
  EXPECT_EQ(listed(v.transpose()), all);
  EXPECT_EQ(listed(v.array()), all);
  EXPECT_EQ(listed(Eigen::Map<Eigen::VectorXi>(v.data(), 6)), all);
  EXPECT_EQ(listed(Eigen::Map<const Eigen::VectorXi>(v.data(), 6)), all);
  EXPECT_EQ(listed(Eigen::Map<const Eigen::ArrayXi>(v.data(), 6)), all);
  EXPECT_EQ(listed(Eigen::Ref<const Eigen::VectorXi>(v)), all);
  EXPECT_EQ(listed(v.segment(1, 3)), (List{1, 4, 1}));
  EXPECT_EQ(listed(v.tail<2>()), (List{5, 9}));
  using EverySecond = Eigen::Map<const Eigen::VectorXi, 0, Eigen::InnerStride<2>>;
  EXPECT_EQ(listed(EverySecond(v.data(), 3)), (List{3, 4, 5}));
  using Strided = Eigen::Map<const Eigen::VectorXi, 0, Eigen::InnerStride<>>;
  EXPECT_EQ(listed(Strided(v.data(), 2, Eigen::InnerStride<>(3))), (List{3, 1}));
  EXPECT_EQ(listed(Eigen::Map<Eigen::VectorXi>(nullptr, 0)), List());
}

/// If a call takes positives or negatives, integers are positives.
TEST(ViewsOfLabels, AreThePositivesOfACallThatTakesNegatives) {
  const Matrix<float> queries = random_rows<float>(3, 5, 1);
  const Matrix<float> keys = random_rows<float>(4, 5, 2);
  const std::vector<int> positives = {2, 0, 3};
  const Eigen::VectorXi v = Eigen::Map<const Eigen::VectorXi>(positives.data(), 3);
  const InfoNce<float> loss;
  const double want = loss.forward(queries, keys, positives).value;
  EXPECT_EQ(loss.forward(queries, keys, v).value, want);
  EXPECT_EQ(loss.forward(queries, keys, v.transpose()).value, want);
  EXPECT_EQ(loss.forward(queries, keys, v.array()).value, want);
  EXPECT_NE(loss.forward(queries, keys, v.reverse().eval()).value, want);
}

template <class T>
class ViewsOfIntegers : public testing::Test {};
using Integers = testing::Types<bool, std::int8_t, std::uint8_t, std::int16_t, std::uint16_t,
                                std::int32_t, std::uint32_t, long, unsigned long, long long, char>;
TYPED_TEST_SUITE(ViewsOfIntegers, Integers);

TYPED_TEST(ViewsOfIntegers, AreLabels) {
  using T = TypeParam;
  T numbers[] = {T(1), T(0), T(1)};
  using EigenVector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
  const List want = {1, 0, 1};
  EXPECT_EQ(listed(Eigen::Map<const EigenVector>(numbers, 3)), want);
  EXPECT_EQ(listed(Eigen::Map<EigenVector>(numbers, 3)), want);
  EXPECT_EQ(listed(numbers), want);
  EXPECT_EQ(listed(std::vector<T>{T(1), T(0), T(1)}), want);
  EXPECT_EQ(listed(Labels(numbers, 2, 2)), (List{1, 1}));
}

TEST(ViewsOfLabels, AreRowsAndColumnsOfMatrices) {
  Eigen::Matrix<int, 2, 3, Eigen::RowMajor> m;
  m << 1, 2, 3, 4, 5, 6;
  EXPECT_EQ(listed(m.col(1)), (List{2, 5}));
  EXPECT_EQ(listed(m.row(1)), (List{4, 5, 6}));
  EXPECT_EQ(listed(m), (List{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(listed(m.block(0, 2, 2, 1)), (List{3, 6}));
  EXPECT_EQ(listed(m.block(1, 0, 1, 2)), (List{4, 5}));
  expect_refused({"a part",
                  Thrown::invalid_argument,
                  {"labels: wanted one row, one column or a matrix without gaps"},
                  [&] { Labels(m.block(0, 0, 2, 2)); }});
  expect_refused(
      {"no stride", Thrown::invalid_argument, {"stride"}, [&] { Labels(m.data(), 3, 0); }});
}

TYPED_TEST(ViewsOfIntegers, AreTargetsAndIds) {
  using T = TypeParam;
  T numbers[] = {T(1), T(0), T(1), T(0)};
  using EigenVector = Eigen::Matrix<T, Eigen::Dynamic, 1>;
  const Eigen::Map<const EigenVector> map(numbers, 4);
  const std::vector<int> plain = {1, 0, 1, 0};
  const Matrix<float> x = random_rows<float>(4, 3, 1);
  const SupCon<float> loss;
  EXPECT_EQ(loss.forward(x, map).value, loss.forward(x, plain).value);
  EXPECT_EQ(loss.forward(x, Targets(plain).ids(map)).value,
            loss.forward(x, Targets(plain).ids(plain)).value);
  const HadsellContrastive<float> pairs;
  EXPECT_EQ(pairs.forward(x, x, map).value, pairs.forward(x, x, plain).value);
  const std::vector<bool> bits = {true, false, true, false};
  EXPECT_EQ(pairs.forward(x, x, bits).value, pairs.forward(x, x, plain).value);
  EXPECT_EQ(loss.forward(x, bits).value, loss.forward(x, plain).value);
}

TEST(ViewsOfNumbers, AreMadeOfEigenVectors) {
  Eigen::VectorXd v(4);
  v << 1, 2, 3, 4;
  const std::vector<double> plain = {1, 2, 3, 4};
  const std::vector<int> labels = {0, 0, 1, 1};
  const Matrix<double> x = random_rows<double>(4, 3, 1);
  const SupCon<double> loss;
  const double want = loss.forward(x, Targets(labels).weights(plain)).value;
  EXPECT_EQ(loss.forward(x, Targets(labels).weights(v)).value, want);
  EXPECT_EQ(
      loss.forward(x, Targets(labels).weights(Eigen::Map<Eigen::VectorXd>(v.data(), 4))).value,
      want);
  Eigen::VectorXd longer(6);
  longer << 9, v, 9;
  EXPECT_EQ(loss.forward(x, Targets(labels).weights(longer.segment(1, 4))).value, want);
  expect_refused({"numbers with gaps", Thrown::invalid_argument, {"without gaps"}, [&] {
                    const Eigen::Map<Eigen::VectorXd, 0, Eigen::InnerStride<>> gaps(
                        longer.data(), 3, Eigen::InnerStride<>(2));
                    Numbers<double> numbers(gaps);
                  }});
}

TEST(ViewsOfUpstreams, AreMadeOfEigenVectorsAndSpans) {
  Eigen::VectorXd v(4);
  v << 1, 2, 3, 4;
  const std::vector<double> plain = {1, 2, 3, 4};
  const std::vector<int> labels = {0, 0, 1, 1};
  const Matrix<double> x = random_rows<double>(4, 3, 1);
  const SupCon<double> loss({.reduction = Reduction::none});
  Matrix<double> want, got;
  loss.forward_backward(x, labels, want, {.upstream = plain});
  loss.forward_backward(x, labels, got, {.upstream = v});
  EXPECT_EQ(got, want);
  got.setZero();
  loss.forward_backward(x, labels, got, {.upstream = std::span<const double>(plain)});
  EXPECT_EQ(got, want);
}

}  // namespace
