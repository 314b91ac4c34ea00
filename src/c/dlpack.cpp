#include "nearfar/c/dlpack.h"

#include <array>

#include "arguments.hpp"
#include "status.hpp"

using namespace nearfar;
using namespace nearfar::detail;
using namespace nearfar::detail::c;

namespace {

/// DLTensor, as all versions of DLPack lay it out.
struct Tensor {
  void* data;
  struct {
    std::int32_t type;
    std::int32_t id;
  } device;
  std::int32_t ndim;
  struct {
    std::uint8_t code;
    std::uint8_t bits;
    std::uint16_t lanes;
  } dtype;
  std::int64_t* shape;
  std::int64_t* strides;  // in elements
  std::uint64_t byte_offset;
};

constexpr std::int32_t on_cpu = 1;
constexpr std::uint8_t signed_integer = 0;
constexpr std::uint8_t floating_point = 2;
constexpr std::uint8_t brain_float = 4;

std::string name_of_type(const Tensor& tensor) {
  constexpr std::array kinds = {"int", "uint", "float", "opaque", "bfloat", "complex", "bool"};
  const std::size_t code = tensor.dtype.code;
  std::string out = code < kinds.size() ? kinds[code] : "type " + std::to_string(code) + " of ";
  out += std::to_string(tensor.dtype.bits);
  if (tensor.dtype.lanes != 1) out += " x " + std::to_string(tensor.dtype.lanes);
  return out;
}

bool is_of(const Tensor& tensor, std::uint8_t code, std::uint8_t bits) {
  return tensor.dtype.code == code && tensor.dtype.bits == bits && tensor.dtype.lanes == 1;
}

const Tensor& tensor_of(const void* given) {
  const Tensor& tensor = required("tensor", static_cast<const Tensor*>(given));
  if (tensor.device.type != on_cpu) {
    fail_argument("tensor.device", "the CPU, 1", std::to_string(tensor.device.type));
  }
  if (tensor.ndim > 0) required("tensor.shape", tensor.shape);
  for (std::int32_t k = 0; k < tensor.ndim; ++k) {
    if (tensor.shape[k] < 0) {
      fail_argument("tensor.shape", "numbers >= 0", std::to_string(tensor.shape[k]));
    }
  }
  return tensor;
}

/// The first element, or null where there is none.
char* elements_of(const Tensor& tensor, std::int64_t count) {
  if (count == 0) return nullptr;
  if (tensor.data == nullptr) fail_argument("tensor.data", "elements", "null");
  char* first = static_cast<char*>(tensor.data) + tensor.byte_offset;
  if (reinterpret_cast<std::uintptr_t>(first) % (tensor.dtype.bits / 8u) != 0) {
    fail_argument("tensor.byte_offset", "one at which an element can lie",
                  std::to_string(tensor.byte_offset));
  }
  return first;
}

/// Memory of rows.
nearfar_gradient matrix_of(const void* given) {
  const Tensor& tensor = tensor_of(given);
  nearfar_gradient out = {};
  if (is_of(tensor, brain_float, 16)) {
    out.scalar = NEARFAR_BFLOAT16;
  } else if (is_of(tensor, floating_point, 16)) {
    out.scalar = NEARFAR_HALF;
  } else if (is_of(tensor, floating_point, 32)) {
    out.scalar = NEARFAR_FLOAT;
  } else if (is_of(tensor, floating_point, 64)) {
    out.scalar = NEARFAR_DOUBLE;
  } else {
    fail_argument("tensor.dtype", "bfloat16, float16, float32 or float64", name_of_type(tensor));
  }
  if (tensor.ndim != 1 && tensor.ndim != 2) {
    fail_argument("tensor.ndim", "1 or 2", std::to_string(tensor.ndim));
  }
  out.rows = tensor.shape[0];
  out.cols = tensor.ndim == 2 ? tensor.shape[1] : 1;
  out.stride = out.cols;
  // The strides of dimensions of one element, and of tensors without elements, mean nothing.
  if (tensor.strides != nullptr && out.rows > 0) {
    if (out.cols > 1 && tensor.strides[1] != 1) {
      fail_argument("tensor.strides", "1 between the elements of a row",
                    std::to_string(tensor.strides[1]));
    }
    if (out.cols > 0 && out.rows > 1) {
      out.stride = tensor.strides[0];
      if (out.stride < out.cols) {
        fail_argument("tensor.strides", "at least " + std::to_string(out.cols) + " from row to row",
                      std::to_string(out.stride));
      }
    }
  }
  out.data = elements_of(tensor, out.cols > 0 ? out.rows : 0);
  return out;
}

}  // namespace

extern "C" {

nearfar_status nearfar_rows_of_dlpack(const void* tensor, nearfar_rows* rows) {
  return guarded([&] {
    required("rows", rows);
    const nearfar_gradient of = matrix_of(tensor);
    *rows = {of.data, of.rows, of.cols, of.stride, of.scalar};
  });
}

nearfar_status nearfar_gradient_of_dlpack(const void* tensor, nearfar_write write,
                                          nearfar_gradient* gradient) {
  return guarded([&] {
    required("gradient", gradient);
    nearfar_gradient of = matrix_of(tensor);
    of.write = write;
    *gradient = of;
  });
}

nearfar_status nearfar_integers_of_dlpack(const void* given, nearfar_integers* integers) {
  return guarded([&] {
    required("integers", integers);
    const Tensor& tensor = tensor_of(given);
    if (!is_of(tensor, signed_integer, 64)) {
      fail_argument("tensor.dtype", "int64", name_of_type(tensor));
    }
    if (tensor.ndim != 1) fail_argument("tensor.ndim", "1", std::to_string(tensor.ndim));
    const std::int64_t count = tensor.shape[0];
    if (tensor.strides != nullptr && count > 1 && tensor.strides[0] != 1) {
      fail_argument("tensor.strides", "1", std::to_string(tensor.strides[0]));
    }
    *integers = {reinterpret_cast<const int64_t*>(elements_of(tensor, count)), count};
  });
}

}  // extern "C"
