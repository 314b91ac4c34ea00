#include <gtest/gtest.h>

#include <array>
#include <nearfar/core/classes.hpp>
#include <nearfar/core/labels.hpp>
#include <nearfar/core/numbers.hpp>
#include <span>

namespace {

using nearfar::Labels;

template <class T>
class LabelsOf : public testing::Test {};
using Integers = testing::Types<signed char, std::uint8_t, short, int, std::int64_t>;
TYPED_TEST_SUITE(LabelsOf, Integers);

TYPED_TEST(LabelsOf, ReadAnyIntegers) {
  const std::vector<TypeParam> v = {TypeParam(3), TypeParam(0), TypeParam(-1)};
  const Labels labels = v;
  ASSERT_EQ(labels.size(), 3);
  for (nearfar::Index i = 0; i < 3; ++i) {
    EXPECT_EQ(labels[i], static_cast<std::int64_t>(v[static_cast<std::size_t>(i)]));
  }
}

TEST(Labels, ComeFromSpansArraysAndEigen) {
  const std::array<int, 2> array = {4, 5};
  EXPECT_EQ(Labels(array)[1], 5);
  EXPECT_EQ(Labels(std::span<const int>(array))[0], 4);
  const Eigen::VectorXi v = Eigen::VectorXi::LinSpaced(3, 7, 9);
  EXPECT_EQ(Labels(v)[2], 9);
}

template <class S>
class Classes : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Classes, Scalars);

TYPED_TEST(Classes, EqualCodesForEqualLabelsOnly) {
  const std::vector<std::int64_t> labels = {-5, std::numeric_limits<std::int64_t>::max(),
                                            -5, std::numeric_limits<std::int64_t>::min(),
                                            0,  0,
                                            -5};
  nearfar::detail::Scratch scratch(nullptr);
  const auto classes = nearfar::detail::classify<TypeParam>(scratch, labels);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    nearfar::Index members = 0;
    for (std::size_t j = 0; j < labels.size(); ++j) {
      EXPECT_EQ(classes.code[i] == classes.code[j], labels[i] == labels[j]);
      members += labels[i] == labels[j] ? 1 : 0;
    }
    EXPECT_EQ(classes.members[i], members);
  }
}

TEST(Labels, RefuseWhatCannotBeRead) {
  const int* none = nullptr;
  const int one = 1;
  EXPECT_THROW(nearfar::Labels(none, 3), std::invalid_argument);
  EXPECT_THROW(nearfar::Labels(&one, -1), std::invalid_argument);
  EXPECT_NO_THROW(nearfar::Labels(none, 0));
  const double* no_numbers = nullptr;
  const double number = 1;
  EXPECT_THROW(nearfar::Numbers<double>(no_numbers, 3), std::invalid_argument);
  EXPECT_THROW(nearfar::Numbers<double>(&number, -1), std::invalid_argument);
  EXPECT_NO_THROW(nearfar::Numbers<double>(no_numbers, 0));
}

TEST(ClassCode, FloatsStayApartBeyondTheirIntegers) {
  using nearfar::detail::class_code;
  constexpr std::int64_t beyond = std::int64_t(1) << 24;
  EXPECT_NE(class_code<float>(beyond), class_code<float>(beyond + 1));
  EXPECT_TRUE(std::isnormal(class_code<float>(0)));
  EXPECT_TRUE(std::isnormal(class_code<float>((std::int64_t(1) << 31) - (1 << 24) - 1)));
}

}  // namespace
