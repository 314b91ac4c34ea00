#include <cstddef>
#include <string>

#include "c/same_bits.hpp"

#if __has_include(<dlpack/dlpack.h>)
#include <dlpack/dlpack.h>
#else
/// The types of <dlpack/dlpack.h>, where that is not installed.
struct DLDevice {
  std::int32_t device_type;
  std::int32_t device_id;
};
struct DLDataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;
};
struct DLTensor {
  void* data;
  DLDevice device;
  std::int32_t ndim;
  DLDataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;
  std::uint64_t byte_offset;
};
#endif

/// Views of DLPack's tensors: every layout that a view can have, and refusals of all others.

namespace {

using namespace support;

/// A tensor of a matrix's elements, on the CPU.
class CDlpack : public testing::Test {
 protected:
  template <class S>
  DLTensor of(S* data, std::vector<std::int64_t> shape, std::vector<std::int64_t> strides = {}) {
    shape_ = std::move(shape);
    strides_ = std::move(strides);
    DLTensor out = {};
    out.data = data;
    out.device = {static_cast<decltype(out.device.device_type)>(1), 0};
    out.ndim = static_cast<std::int32_t>(shape_.size());
    out.dtype = {std::is_floating_point_v<S> ? std::uint8_t(2) : std::uint8_t(0),
                 std::uint8_t(8 * sizeof(S)), 1};
    out.shape = shape_.data();
    out.strides = strides_.empty() ? nullptr : strides_.data();
    return out;
  }

  void expect_rows(const DLTensor& tensor, const nearfar_rows& wanted) {
    nearfar_rows rows = {};
    ASSERT_EQ(nearfar_rows_of_dlpack(&tensor, &rows), NEARFAR_OK) << nearfar_last_error();
    EXPECT_EQ(rows.data, wanted.data);
    EXPECT_EQ(rows.rows, wanted.rows);
    EXPECT_EQ(rows.cols, wanted.cols);
    EXPECT_EQ(rows.stride, wanted.stride);
    EXPECT_EQ(rows.scalar, wanted.scalar);
    nearfar_gradient gradient = {};
    ASSERT_EQ(nearfar_gradient_of_dlpack(&tensor, NEARFAR_ACCUMULATE, &gradient), NEARFAR_OK);
    EXPECT_EQ(gradient.data, wanted.data);
    EXPECT_EQ(gradient.rows, wanted.rows);
    EXPECT_EQ(gradient.cols, wanted.cols);
    EXPECT_EQ(gradient.stride, wanted.stride);
    EXPECT_EQ(gradient.scalar, wanted.scalar);
    EXPECT_EQ(gradient.write, NEARFAR_ACCUMULATE);
  }

  void refused(const DLTensor& tensor, const std::string& message) {
    nearfar_rows rows = {nullptr, -77, 0, 0, 0};
    EXPECT_EQ(nearfar_rows_of_dlpack(&tensor, &rows), NEARFAR_INVALID_ARGUMENT);
    EXPECT_EQ(nearfar_last_error(), "nearfar: " + message);
    EXPECT_EQ(rows.rows, -77) << "written to";
    nearfar_gradient gradient = {nullptr, -77, 0, 0, 0, 0};
    EXPECT_EQ(nearfar_gradient_of_dlpack(&tensor, 0, &gradient), NEARFAR_INVALID_ARGUMENT);
    EXPECT_EQ(gradient.rows, -77) << "written to";
  }

  std::vector<float> floats = std::vector<float>(24, 1);
  std::vector<double> doubles = std::vector<double>(24, 1);
  std::vector<std::int64_t> integers = {3, 1, 4, 1, 5, 9};

 private:
  std::vector<std::int64_t> shape_;
  std::vector<std::int64_t> strides_;
};

TEST_F(CDlpack, RowsOfEveryLayout) {
  expect_rows(of(floats.data(), {4, 6}), {floats.data(), 4, 6, 6, NEARFAR_FLOAT});
  expect_rows(of(doubles.data(), {4, 6}, {6, 1}), {doubles.data(), 4, 6, 6, NEARFAR_DOUBLE});
  expect_rows(of(floats.data(), {2, 3}, {12, 1}), {floats.data(), 2, 3, 12, NEARFAR_FLOAT});
  expect_rows(of(doubles.data(), {5}), {doubles.data(), 5, 1, 1, NEARFAR_DOUBLE});
  expect_rows(of(doubles.data(), {5}, {3}), {doubles.data(), 5, 1, 3, NEARFAR_DOUBLE});
  DLTensor behind = of(doubles.data(), {3, 2});
  behind.byte_offset = 5 * sizeof(double);
  expect_rows(behind, {doubles.data() + 5, 3, 2, 2, NEARFAR_DOUBLE});
  // Strides of dimensions of one element may be anything.
  expect_rows(of(floats.data(), {1, 6}, {-3, 1}), {floats.data(), 1, 6, 6, NEARFAR_FLOAT});
  expect_rows(of(floats.data(), {4, 1}, {2, 17}), {floats.data(), 4, 1, 2, NEARFAR_FLOAT});
  // Without elements there need be no data.
  expect_rows(of(static_cast<float*>(nullptr), {0, 6}), {nullptr, 0, 6, 6, NEARFAR_FLOAT});
  expect_rows(of(static_cast<float*>(nullptr), {4, 0}, {0, 1}), {nullptr, 4, 0, 0, NEARFAR_FLOAT});
}

TEST_F(CDlpack, AViewIsWhatACallTakes) {
  Matrix<double> a = random_rows<double>(5, depth, 1);
  Matrix<double> b = random_rows<double>(5, depth, 2);
  Matrix<double> wanted;
  Matrix<double> d(5, depth);
  nearfar_rows x, y;
  nearfar_gradient dx;
  DLTensor tensor = of(a.data(), {5, depth});
  ASSERT_EQ(nearfar_rows_of_dlpack(&tensor, &x), NEARFAR_OK);
  tensor = of(b.data(), {5, depth});
  ASSERT_EQ(nearfar_rows_of_dlpack(&tensor, &y), NEARFAR_OK);
  tensor = of(d.data(), {5, depth});
  ASSERT_EQ(nearfar_gradient_of_dlpack(&tensor, NEARFAR_OVERWRITE, &dx), NEARFAR_OK);
  const CLoss loss = made(nearfar_info_nce_create, defaults(nearfar_info_nce_options_init));
  nearfar_result result = defaults(nearfar_result_init);
  ASSERT_EQ(nearfar_two_sets_forward_backward(loss.get(), &x, &y, nullptr, &dx, nullptr, nullptr,
                                              &result),
            NEARFAR_OK);
  const auto same = nearfar::InfoNce<double>().forward_backward(a, b, wanted, nearfar::no_gradient);
  EXPECT_EQ(result.value, same.value);
  expect_same_bits(d, wanted, "gradient");
}

TEST_F(CDlpack, TakesElementsIn16Bits) {
  std::vector<std::uint16_t> elements(24);
  DLTensor tensor = of(elements.data(), {4, 6});
  for (const bool brain : {false, true}) {
    tensor.dtype = {brain ? std::uint8_t(4) : std::uint8_t(2), 16, 1};
    nearfar_rows rows = {};
    ASSERT_EQ(nearfar_rows_of_dlpack(&tensor, &rows), NEARFAR_OK) << nearfar_last_error();
    EXPECT_EQ(rows.scalar, brain ? NEARFAR_BFLOAT16 : NEARFAR_HALF);
    EXPECT_EQ(rows.data, elements.data());
  }
}

TEST_F(CDlpack, RefusesByName) {
  DLTensor tensor = of(floats.data(), {4, 6});
  tensor.device.device_type = static_cast<decltype(tensor.device.device_type)>(2);
  refused(tensor, "tensor.device: wanted the CPU, 1, got 2");
  tensor = of(floats.data(), {4, 6});
  tensor.dtype.bits = 8;
  refused(tensor, "tensor.dtype: wanted bfloat16, float16, float32 or float64, got float8");
  tensor.dtype = {2, 32, 4};
  refused(tensor, "tensor.dtype: wanted bfloat16, float16, float32 or float64, got float32 x 4");
  tensor.dtype = {99, 32, 1};
  refused(tensor, "tensor.dtype: wanted bfloat16, float16, float32 or float64, got type 99 of 32");
  refused(of(integers.data(), {6}),
          "tensor.dtype: wanted bfloat16, float16, float32 or float64, got int64");
  refused(of(floats.data(), {2, 3, 4}), "tensor.ndim: wanted 1 or 2, got 3");
  refused(of(floats.data(), {}), "tensor.ndim: wanted 1 or 2, got 0");
  refused(of(floats.data(), {4, -1}), "tensor.shape: wanted numbers >= 0, got -1");
  refused(of(floats.data(), {4, 6}, {1, 4}),
          "tensor.strides: wanted 1 between the elements of a row, got 4");
  refused(of(floats.data(), {4, 6}, {0, 1}),
          "tensor.strides: wanted at least 6 from row to row, got 0");
  refused(of(floats.data(), {2, 6}, {-6, 1}),
          "tensor.strides: wanted at least 6 from row to row, got -6");
  refused(of(static_cast<float*>(nullptr), {4, 6}), "tensor.data: wanted elements, got null");
  tensor = of(doubles.data(), {2, 2});
  tensor.byte_offset = 4;
  refused(tensor, "tensor.byte_offset: wanted one at which an element can lie, got 4");
  tensor = of(doubles.data(), {2, 2});
  tensor.shape = nullptr;
  refused(tensor, "tensor.shape: wanted a pointer, got null");
  nearfar_rows rows;
  EXPECT_EQ(nearfar_rows_of_dlpack(nullptr, &rows), NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(), "nearfar: tensor: wanted a pointer, got null");
}

TEST_F(CDlpack, Integers) {
  nearfar_integers view = {nullptr, -77};
  DLTensor tensor = of(integers.data(), {4}, {1});
  tensor.byte_offset = 16;
  ASSERT_EQ(nearfar_integers_of_dlpack(&tensor, &view), NEARFAR_OK) << nearfar_last_error();
  EXPECT_EQ(view.data, integers.data() + 2);
  EXPECT_EQ(view.count, 4);
  const auto refused_integers = [&](const DLTensor& given, const std::string& message) {
    view = {nullptr, -77};
    EXPECT_EQ(nearfar_integers_of_dlpack(&given, &view), NEARFAR_INVALID_ARGUMENT);
    EXPECT_EQ(nearfar_last_error(), "nearfar: " + message);
    EXPECT_EQ(view.count, -77);
  };
  refused_integers(of(integers.data(), {3}, {2}), "tensor.strides: wanted 1, got 2");
  refused_integers(of(integers.data(), {3, 2}), "tensor.ndim: wanted 1, got 2");
  refused_integers(of(doubles.data(), {3}), "tensor.dtype: wanted int64, got float64");
}

}  // namespace
