#pragma once

#include <ATen/Parallel.h>
#include <torch/types.h>

#include <cstdint>
#include <memory>
#include <span>
#include <type_traits>
#include <vector>

#include "nearfar/core/instruction_set.hpp"
#include "nearfar/core/labels.hpp"
#include "nearfar/core/matrix.hpp"
#include "nearfar/core/products.hpp"
#include "nearfar/core/workspace.hpp"

/// \file
/// Tensors as the views that losses read, and what a call takes from LibTorch's settings.

namespace nearfar::libtorch {

using ::torch::Tensor;

namespace detail {

inline std::unique_ptr<Workspace>& thread_workspace() {
  thread_local std::unique_ptr<Workspace> own;
  return own;
}

}  // namespace detail

/// The calling thread's scratch memory, which all losses of this adapter use: kept from call to
/// call, with as many threads as at::get_num_threads() says now (one inside of LibTorch's own
/// parallel regions).
inline Workspace& workspace() {
  std::unique_ptr<Workspace>& own = detail::thread_workspace();
  const int threads = at::in_parallel_region() ? 1 : at::get_num_threads();
  if (own == nullptr || own->threads() != threads) own = std::make_unique<Workspace>(threads);
  return *own;
}

/// Gives back the calling thread's scratch memory, O((N + M) D) of the largest batch so far.
inline void free_workspace() { detail::thread_workspace().reset(); }

/// During its life, functions that its thread calls multiply rows in this way, and so do their
/// backward passes: CallOptions::products. Those that do not take Products::bfloat16 throw
/// std::invalid_argument.
///
///     const ProductsGuard guard(Products::bfloat16);
///     loss = info_nce(queries, keys);  // tensors of bfloat16
class ProductsGuard {
 public:
  explicit ProductsGuard(Products products) : before_(current()) { current() = products; }
  ~ProductsGuard() { current() = before_; }
  ProductsGuard(const ProductsGuard&) = delete;
  ProductsGuard& operator=(const ProductsGuard&) = delete;

  /// Those of the calling thread.
  static Products& current() {
    thread_local Products own = Products::scalar;
    return own;
  }

 private:
  Products before_;
};

namespace detail {

/// Throws c10::Error unless there is memory of this process to read.
inline void check_dense(const char* name, const Tensor& x) {
  TORCH_CHECK(x.defined(), "nearfar: ", name, ": wanted a tensor, got an undefined one");
  TORCH_CHECK(x.device().is_cpu(), "nearfar: ", name, ": wanted a tensor on the CPU, got one on ",
              x.device());
  TORCH_CHECK(x.layout() == at::kStrided, "nearfar: ", name, ": wanted a dense tensor, got ",
              x.layout());
}

/// Whether x has the 16-bit numbers that losses take as float.
inline bool is_half(const Tensor& x) {
  return x.scalar_type() == at::kHalf || x.scalar_type() == at::kBFloat16;
}

/// The type that a loss of these rows computes in.
inline at::ScalarType computed_type(const Tensor& x) {
  return is_half(x) ? at::kFloat : x.scalar_type();
}

/// A small tensor in that type, such as the matrix of a kernel. Rows are not converted: rows_of.
/// Autograd rounds the gradient back to the type of x.
inline Tensor as_computed(const Tensor& x) { return x.to(computed_type(x)); }

/// Throws c10::Error unless x is float, double, half or bfloat16, and has one of the numbers of
/// dimensions.
inline void check_rows(const char* name, const Tensor& x, int dimensions, int or_dimensions) {
  check_dense(name, x);
  TORCH_CHECK(x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble || is_half(x),
              "nearfar: ", name, ": wanted float, double, half or bfloat16, got ", x.scalar_type());
  TORCH_CHECK(x.dim() == dimensions || x.dim() == or_dimensions, "nearfar: ", name, ": wanted ",
              dimensions,
              or_dimensions != dimensions ? " or " + std::to_string(or_dimensions) : std::string(),
              " dimensions, got ", x.dim());
}

/// Throws c10::Error unless losses of x and of `like` compute in one type.
inline void check_same_type(const char* name, const Tensor& x, const char* like_name,
                            const Tensor& like) {
  TORCH_CHECK(computed_type(x) == computed_type(like), "nearfar: ", name, ": wanted ",
              like.scalar_type(), " as ", like_name, ", got ", x.scalar_type());
}

/// Throws c10::Error when a gradient is expected of something that losses take as given.
inline void check_constant(const char* name, const Tensor& x) {
  TORCH_CHECK(!(at::GradMode::is_enabled() && x.requires_grad()), "nearfar: ", name,
              ": wanted numbers that need no gradient (there is none), got some that require it; "
              "pass them detached");
}

/// x as a matrix whose rows have neighbouring elements: the same memory where its strides allow
/// that, else a contiguous copy. Leading dimensions are numbered through.
inline Tensor matrix_of(const Tensor& x) {
  const Tensor flat = (x.dim() > 2 ? x.flatten(0, x.dim() - 2) : x).resolve_neg();
  const bool elements_adjacent = flat.size(1) <= 1 || flat.stride(1) == 1;
  const bool rows_apart = flat.size(0) <= 1 || flat.stride(0) >= flat.size(1);
  return elements_adjacent && rows_apart ? flat : flat.contiguous();
}

/// A view of what matrix_of returned, whose type computes in S: also of half and bfloat16.
template <class S>
Rows<S> rows_of(const Tensor& matrix) {
  const auto view = [&](const auto* data) {
    return Rows<S>(data, matrix.size(0), matrix.size(1),
                   matrix.size(0) > 1 ? matrix.stride(0) : matrix.size(1));
  };
  if constexpr (std::is_same_v<S, float>) {
    const void* const data = matrix.data_ptr();
    if (matrix.scalar_type() == at::kHalf) return view(static_cast<const Eigen::half*>(data));
    if (matrix.scalar_type() == at::kBFloat16) {
      return view(static_cast<const Eigen::bfloat16*>(data));
    }
  }
  return view(matrix.data_ptr<S>());
}

/// A buffer for the gradient of x, to be written to by way of a view.
template <class S>
GradientRows<S> gradient_rows(const Tensor& gradient, const Rows<S>& x) {
  return {gradient.data_ptr<S>(), x.rows(), x.cols()};
}

/// Whole numbers, one a row, in one piece of memory. Throws c10::Error unless int64 and of one
/// dimension.
inline Tensor checked_integers(const char* name, const Tensor& x) {
  check_dense(name, x);
  TORCH_CHECK(x.scalar_type() == at::kLong, "nearfar: ", name, ": wanted int64, got ",
              x.scalar_type());
  TORCH_CHECK(x.dim() == 1, "nearfar: ", name, ": wanted one dimension, got ", x.dim());
  return x.contiguous();
}

/// Lists of `cols` row numbers each (int64, K x cols), in one piece of memory. Throws c10::Error on
/// another shape or type.
inline Tensor checked_lists(const char* name, const Tensor& x, std::int64_t cols) {
  check_dense(name, x);
  TORCH_CHECK(x.scalar_type() == at::kLong, "nearfar: ", name, ": wanted int64, got ",
              x.scalar_type());
  TORCH_CHECK(x.dim() == 2 && x.size(1) == cols, "nearfar: ", name, ": wanted K x ", cols,
              " row numbers, got ", x.sizes());
  return x.contiguous();
}

/// A view of one of the columns of what checked_lists returned.
inline Labels column_of(const Tensor& lists, std::int64_t column) {
  if (lists.size(0) == 0) return {};
  return {lists.data_ptr<std::int64_t>() + column, lists.size(0), lists.size(1)};
}

/// A view of what checked_integers returned, as numbers of rows.
inline std::span<const Index> offsets_of(const Tensor& integers) {
  static_assert(sizeof(Index) == sizeof(std::int64_t));
  return {reinterpret_cast<const Index*>(integers.data_ptr<std::int64_t>()),
          static_cast<std::size_t>(integers.numel())};
}

/// Real numbers, one a row, in one piece of memory, as `type`.
inline Tensor checked_numbers(const char* name, const Tensor& x, at::ScalarType type) {
  check_dense(name, x);
  check_constant(name, x);
  TORCH_CHECK(x.is_floating_point(), "nearfar: ", name, ": wanted floating point numbers, got ",
              x.scalar_type());
  TORCH_CHECK(x.dim() == 1, "nearfar: ", name, ": wanted one dimension, got ", x.dim());
  return x.detach().to(type).contiguous();
}

/// A view of what checked_integers returned.
inline Labels labels_of(const Tensor& integers) {
  return {integers.data_ptr<std::int64_t>(), integers.numel()};
}

}  // namespace detail
}  // namespace nearfar::libtorch
