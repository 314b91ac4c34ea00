// Rows and gradients of std::mdspan, compiled where a compiler has it (C++23).
#include <array>
#include <cstdio>
#include <nearfar/losses/info_nce.hpp>
#include <stdexcept>
#include <vector>

#ifndef __cpp_lib_mdspan
#error "this standard library has no mdspan"
#endif

namespace {

int failures = 0;

void expect(bool holds, const char* what) {
  if (holds) return;
  std::printf("%s\n", what);
  ++failures;
}

}  // namespace

int main() {
  nearfar::Matrix<float> all = nearfar::Matrix<float>::Random(6, 5);
  const nearfar::Matrix<float> q = all.leftCols(3);
  const nearfar::Matrix<float> k = all.rightCols(3);
  const nearfar::InfoNce<float> loss;
  nearfar::Matrix<float> dq;
  const double want = loss.forward_backward(q, k, dq, nearfar::no_gradient).value;

  const std::mdspan dense(q.data(), 6, 3);
  using Shape = std::dextents<std::size_t, 2>;
  const std::layout_stride::mapping<Shape> strided(Shape(6, 3), std::array<std::size_t, 2>{5, 1});
  const std::mdspan<const float, Shape, std::layout_stride> part(all.data() + 2, strided);
  std::vector<float> memory(18);
  const std::mdspan gradient(memory.data(), 6, 3);
  expect(loss.forward_backward(dense, part, gradient, nearfar::no_gradient).value == want,
         "the value of the same rows");
  for (nearfar::Index i = 0; i < 6; ++i) {
    for (nearfar::Index c = 0; c < 3; ++c) {
      expect(memory[static_cast<std::size_t>(3 * i + c)] == dq(i, c),
             "the gradient of the same rows");
    }
  }

  const std::vector<Eigen::bfloat16> narrow(18, Eigen::bfloat16(1));
  expect(nearfar::Rows<float>(std::mdspan(narrow.data(), 6, 3))(5, 2) == 1, "16-bit elements");

  const std::mdspan<const float, Shape, std::layout_left> columns(q.data(), Shape(3, 6));
  try {
    loss.forward(columns, columns);
    expect(false, "columns are refused");
  } catch (const std::invalid_argument&) {
  }
  return failures;
}
