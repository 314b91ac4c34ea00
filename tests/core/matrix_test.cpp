#include <gtest/gtest.h>

#include <nearfar/core/matrix.hpp>

namespace {

using nearfar::accumulate;
using nearfar::columns_as_rows;
using nearfar::GradientRows;
using nearfar::Index;
using nearfar::Matrix;
using nearfar::no_gradient;
using nearfar::Rows;

template <class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const std::invalid_argument& e) {
    return e.what();
  }
  return "nothing thrown";
}

TEST(Rows, SeesAMatrixWithoutCopying) {
  Matrix<float> m(3, 4);
  const Rows<float> rows = m;
  EXPECT_EQ(rows.data(), m.data());
  EXPECT_EQ(rows.rows(), 3);
  EXPECT_EQ(rows.cols(), 4);
  EXPECT_EQ(rows.stride(), 4);
  EXPECT_EQ(rows.row(2), &m(2, 0));
}

TEST(Rows, SeesABlockWithItsStride) {
  Matrix<double> m(6, 10);
  const Rows<double> rows = m.block(1, 2, 4, 5);
  EXPECT_EQ(rows.data(), &m(1, 2));
  EXPECT_EQ(rows.stride(), 10);
  EXPECT_EQ(rows.row(3), &m(4, 2));
}

TEST(Rows, SeesColumnsOfAColumnMajorMatrixAsRows) {
  Eigen::MatrixXf m(5, 7);  // D x N
  const Rows<float> rows = columns_as_rows(m);
  EXPECT_EQ(rows.rows(), 7);
  EXPECT_EQ(rows.cols(), 5);
  EXPECT_EQ(rows.row(3), &m(0, 3));
}

TEST(Rows, RefusesImpossibleLayouts) {
  float data[8] = {};
  EXPECT_NE(message_of([&] { Rows<float>(data, -1, 2); }).find("rows >= 0"), std::string::npos);
  EXPECT_NE(message_of([&] { Rows<float>(data, 2, 4, 3); }).find("stride 3"), std::string::npos);
  EXPECT_NE(message_of([&] { Rows<float>(nullptr, 2, 4); }).find("null"), std::string::npos);
  EXPECT_NO_THROW(Rows<float>(nullptr, 0, 4));
}

TEST(Rows, SeesMemoryThatIsNotEigens) {
  std::vector<float> memory(11);
  const std::span<const float> span(memory);
  for (const Rows<float>& rows : {Rows<float>(memory.data(), 3, 3, 4), Rows<float>(span, 3, 3, 4),
                                  Rows<float>(memory, 3, 3, 4)}) {
    EXPECT_EQ(rows.data(), memory.data());
    EXPECT_EQ(rows.row(2), &memory[8]);
    EXPECT_EQ(rows.cols(), 3);
  }
  EXPECT_EQ(message_of([&] { Rows<float>(span, 3, 4); }),
            "nearfar: view: wanted 12 elements, got 11");
  EXPECT_NO_THROW(Rows<float>(std::span<const float>(), 0, 4));
}

TEST(GradientRows, ResizesAMatrixOnlyWhenOpened) {
  Matrix<float> m(1, 1);
  GradientRows<float> g = m;
  g.check_shape("g", 3, 2);
  EXPECT_EQ(m.rows(), 1) << "a check must not touch the output";
  g.open(3, 2);
  EXPECT_EQ(m.rows(), 3);
  EXPECT_EQ(m.cols(), 2);
  EXPECT_EQ(g.row(2), &m(2, 0));
}

TEST(GradientRows, AMapMustFit) {
  std::vector<double> memory(12);
  const GradientRows<double> g = Eigen::Map<Matrix<double>>(memory.data(), 3, 4);
  EXPECT_NO_THROW(g.check_shape("dx", 3, 4));
  EXPECT_EQ(message_of([&] { g.check_shape("dx", 4, 3); }), "nearfar: dx: wanted 4 x 3, got 3 x 4");
}

TEST(GradientRows, AccumulatingNeedsTheShapeThatIsThere) {
  Matrix<float> m = Matrix<float>::Ones(2, 2);
  const GradientRows<float> g = accumulate(m);
  EXPECT_TRUE(g.accumulates());
  EXPECT_NO_THROW(g.check_shape("g", 2, 2));
  EXPECT_NE(message_of([&] { g.check_shape("g", 3, 2); }), "nothing thrown");
}

TEST(GradientRows, WritesToMemoryThatIsNotEigens) {
  std::vector<double> memory(11);
  const GradientRows<double> g(memory, 3, 3, 4);
  EXPECT_EQ(g.row(2), &memory[8]);
  EXPECT_FALSE(g.accumulates());
  EXPECT_TRUE(accumulate(GradientRows<double>(memory.data(), 3, 3)).accumulates());
  EXPECT_EQ(message_of([&] { GradientRows<double>(memory, 3, 4); }),
            "nearfar: view: wanted 12 elements, got 11");
}

TEST(GradientRows, NoGradientIsNotWantedAndFitsAnyShape) {
  const GradientRows<float> g = no_gradient;
  EXPECT_FALSE(g.wanted());
  EXPECT_NO_THROW(g.check_shape("g", 100, 100));
}

}  // namespace
