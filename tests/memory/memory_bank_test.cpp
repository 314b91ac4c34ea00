#include "memory/rings.hpp"

#include <cmath>
#include <nearfar/memory/memory_bank.hpp>

#include "support/errors.hpp"

namespace memory_test {
namespace {

using nearfar::MemoryBank;
using support::expect_refused;
using support::Thrown;

template <class S>
class MemoryBanks : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(MemoryBanks, Scalars);

template <class S>
constexpr double rounding = std::is_same_v<S, float> ? 1e-6 : 1e-14;

TYPED_TEST(MemoryBanks, StartWithRandomDirectionsOfTheirSeed) {
  const MemoryBank<TypeParam> bank(500, 16);
  const auto rows = bank.rows();
  const Eigen::Map<const Matrix<TypeParam>> m(rows.data(), rows.rows(), rows.cols());
  for (Index i = 0; i < 500; ++i) {
    EXPECT_NEAR(static_cast<double>(m.row(i).norm()), 1, rounding<TypeParam>);
  }
  // Isotropic directions: each coordinate has mean 0 and mean square 1 / 16. Six standard
  // deviations of the mean of 500.
  const double six = 6 * std::sqrt(1.0 / 16 / 500);
  for (Index k = 0; k < 16; ++k) {
    EXPECT_LT(std::abs(static_cast<double>(m.col(k).mean())), six);
    EXPECT_NEAR(static_cast<double>(m.col(k).squaredNorm()) / 500, 1.0 / 16, 0.4 / 16);
  }
  EXPECT_EQ(numbers(MemoryBank<TypeParam>(500, 16).rows()), numbers(rows));
  EXPECT_NE(numbers(MemoryBank<TypeParam>(500, 16, {.seed = 1}).rows()), numbers(rows));
}

TYPED_TEST(MemoryBanks, MixOldAndNewAndStayOfUnitLength) {
  using S = TypeParam;
  MemoryBank<S> bank(4, 3, {.momentum = 0.3});
  std::vector<long double> want;
  for (const S number : numbers(bank.rows())) want.push_back(number);
  Matrix<S> x(3, 3);
  x << 3, 4, 0, S(1e-15), S(2e-15), S(-2e-15), S(1e15), S(1e15), S(1e15);
  const std::vector<int> indices = {2, 0, 2};  // sample 2 twice
  bank.update(indices, x);
  for (std::size_t i = 0; i < 3; ++i) {
    long double norm = 0;
    for (Index k = 0; k < 3; ++k) {
      const long double e = x(static_cast<Index>(i), k);
      norm += e * e;
    }
    norm = std::sqrt(norm);
    long double mixed_norm = 0;
    long double* row = want.data() + 3 * indices[i];
    for (Index k = 0; k < 3; ++k) {
      row[k] = 0.3L * row[k] + 0.7L * x(static_cast<Index>(i), k) / norm;
      mixed_norm += row[k] * row[k];
    }
    for (Index k = 0; k < 3; ++k) row[k] /= std::sqrt(mixed_norm);
  }
  for (std::size_t k = 0; k < want.size(); ++k) {
    EXPECT_NEAR(static_cast<double>(numbers(bank.rows())[k]), static_cast<double>(want[k]),
                rounding<S>);
  }
}

TYPED_TEST(MemoryBanks, AreNotMovedByWhatHasNoDirection) {
  using S = TypeParam;
  MemoryBank<S> bank(2, 2);
  const auto before = numbers(bank.rows());
  bank.update(std::vector<int>{1}, Matrix<S>(Matrix<S>::Zero(1, 2)));
  EXPECT_EQ(numbers(bank.rows()), before);
  // The old and the new row cancel if they are exactly opposite and have equal weights.
  Matrix<S> axis(1, 2);
  axis << 1, 0;
  MemoryBank<S> replaced(1, 2, {.momentum = 0});
  replaced.update(std::vector<int>{0}, axis);
  EXPECT_EQ(numbers(replaced.rows()), (std::vector<S>{1, 0}));
  std::ostringstream out;
  replaced.save(out);
  MemoryBank<S> half(1, 2, {.momentum = 0.5});
  std::istringstream in(out.str());
  half.load(in);
  half.update(std::vector<int>{0}, Matrix<S>(-axis));
  EXPECT_EQ(numbers(half.rows()), (std::vector<S>{1, 0}));
}

TYPED_TEST(MemoryBanks, GatherRowsByIndex) {
  const MemoryBank<TypeParam> bank(5, 2);
  Matrix<TypeParam> out;
  bank.gather(std::vector<int>{4, 0, 4}, out);
  ASSERT_EQ(out.rows(), 3);
  for (Index k = 0; k < 2; ++k) {
    EXPECT_EQ(out(0, k), bank.rows().row(4)[k]);
    EXPECT_EQ(out(1, k), bank.rows().row(0)[k]);
    EXPECT_EQ(out(2, k), bank.rows().row(4)[k]);
  }
}

TYPED_TEST(MemoryBanks, ComeBackFromTheirFileAndRefuseDamagedOnes) {
  const File file;
  const MemoryBank<TypeParam> bank(3, 2, {.seed = 8});
  bank.save(file.path());
  MemoryBank<TypeParam> loaded(3, 2);
  loaded.load(file.path());
  EXPECT_EQ(numbers(loaded.rows()), numbers(bank.rows()));
  std::ostringstream out;
  bank.save(out);
  MemoryBank<TypeParam> other(3, 2, {.seed = 9});
  expect_damage_is_refused(other, out.str(),
                           [](const MemoryBank<TypeParam>& b) { return numbers(b.rows()); });
  MemoryBank<TypeParam> wider(3, 4);
  EXPECT_THROW(wider.load(file.path()), std::runtime_error);
}

TEST(MemoryBank, RefusesWhatDoesNotFit) {
  EXPECT_THROW(MemoryBank<float>(0, 2), std::invalid_argument);
  EXPECT_THROW(MemoryBank<float>(2, 0), std::invalid_argument);
  EXPECT_THROW(MemoryBank<float>(2, 2, {.momentum = 1}), std::invalid_argument);
  EXPECT_THROW(MemoryBank<float>(2, 2, {.momentum = NAN}), std::invalid_argument);
  MemoryBank<float> bank(3, 2);
  const auto before = numbers(bank.rows());
  const std::vector<int> indices = {0, 3};
  Matrix<float> bad = numbered<float>(2, 2, 1);
  bad(1, 1) = INFINITY;
  Matrix<float> out;
  expect_refused({"index", Thrown::invalid_argument, {"indices: wanted indices from 0 to 2"}, [&] {
                    bank.update(indices, numbered<float>(2, 2, 1));
                  }});
  expect_refused(
      {"index", Thrown::invalid_argument, {"got 3 at 1"}, [&] { bank.gather(indices, out); }});
  expect_refused({"rows", Thrown::invalid_argument, {"x: wanted 2 x 2, got 1 x 2"}, [&] {
                    bank.update(std::vector<int>{0, 1}, numbered<float>(1, 2, 1));
                  }});
  expect_refused({"infinity", Thrown::domain_error, {"x: ", "row 1, column 1"}, [&] {
                    bank.update(std::vector<int>{0, 1}, bad);
                  }});
  EXPECT_EQ(numbers(bank.rows()), before);
}

}  // namespace
}  // namespace memory_test
