#pragma once

#include <Eigen/Core>
#include <concepts>
#include <limits>
#include <memory>
#include <ranges>
#include <span>
#include <type_traits>
#if __cplusplus > 202002L && __has_include(<mdspan>)
#include <mdspan>
#endif

#include "nearfar/core/errors.hpp"
#include "nearfar/core/overlap.hpp"
#include "nearfar/core/stored_types.hpp"

#if !EIGEN_VERSION_AT_LEAST(3, 4, 0)
#error "nearfar needs Eigen 3.4 or later"
#endif

/// \file
/// How rows of embeddings enter and gradients leave: views, never silent copies.

namespace nearfar {

using Index = Eigen::Index;

/// N x D embeddings, one a row, each row contiguous.
template <class S>
using Matrix = Eigen::Matrix<S, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// One number a row.
template <class S>
using Vector = Eigen::Matrix<S, Eigen::Dynamic, 1>;

namespace detail {

template <class Derived>
void as_dense(const Eigen::DenseBase<Derived>&);

template <class M>
concept EigenDense = requires(const std::remove_cvref_t<M>& m) {
  as_dense(m);
};

// Eigen marks an expression whose coefficients lie in memory with DirectAccessBit.
template <class M>
constexpr bool has_contiguous_rows() {
  using Plain = std::remove_cvref_t<M>;
  if constexpr ((int(Plain::Flags) & int(Eigen::DirectAccessBit)) == 0) {
    return false;
  } else {
    return bool(Plain::IsRowMajor) && int(Plain::InnerStrideAtCompileTime) == 1;
  }
}

/// A vector of Eigen's, which is a column: one number a row, and no row.
template <class M>
constexpr bool is_column() {
  return int(std::remove_cvref_t<M>::ColsAtCompileTime) == 1 && !has_contiguous_rows<M>();
}

template <class S>
constexpr void require_float_or_double() {
  static_assert(
      std::is_same_v<S, float> || std::is_same_v<S, double>,
      "nearfar: losses compute in float or in double. Rows of Eigen::bfloat16 or Eigen::half go "
      "to a loss over float as they are: nearfar::Rows<float>. Cast those of other numbers, such "
      "as integers: x.cast<float>() into a nearfar::Matrix<float>.");
}

/// Refuses what cannot be rows of a loss over S, in one sentence: a user corrects one thing at a
/// time.
template <class M, class S>
constexpr void require_rows() {
  constexpr bool of_loss = is_stored_as<typename std::remove_cvref_t<M>::Scalar, S>;
  static_assert(!is_column<M>(),
                "nearfar: a vector of Eigen's is a column, N rows of one number. For those pass "
                "its data as such, nearfar::Rows<S>(v.data(), v.size(), 1); for one row of N "
                "numbers nearfar::Rows<S>(v.data(), 1, v.size()). S is the scalar type of the "
                "loss, and of v.");
  static_assert(is_column<M>() || of_loss,
                "nearfar: these rows are of another scalar type than the loss, which is of float "
                "or of double. Cast them to its type: x.cast<float>() into a "
                "nearfar::Matrix<float>. (A loss over float takes rows of Eigen::bfloat16 and "
                "Eigen::half as they are.)");
  static_assert(is_column<M>() || !of_loss || has_contiguous_rows<M>(),
                "nearfar: rows must be contiguous in memory. Pass a row-major matrix "
                "(nearfar::Matrix<S>), or a Map or block of rows of one. A column-major D x N "
                "matrix is the same memory: pass nearfar::columns_as_rows(matrix).");
}

/// The same of what cannot be the buffer of a gradient.
template <class M, class S>
constexpr void require_gradient() {
  constexpr bool of_loss = is_stored_as<typename std::remove_cvref_t<M>::Scalar, S>;
  static_assert(!is_column<M>(),
                "nearfar: a vector of Eigen's is a column, N rows of one number. For a gradient of "
                "those pass its data as such, nearfar::GradientRows<S>(v.data(), v.size(), 1); for "
                "one row of N numbers nearfar::GradientRows<S>(v.data(), 1, v.size()). S is the "
                "scalar type of the loss, and of v.");
  static_assert(is_column<M>() || of_loss,
                "nearfar: this gradient is of another scalar type than the loss, which is of float "
                "or of double. Pass a nearfar::Matrix of the loss's type, and cast that after the "
                "call.");
  static_assert(is_column<M>() || !of_loss || has_contiguous_rows<M>(),
                "nearfar: rows of a gradient must be contiguous in memory. Pass a row-major matrix "
                "(nearfar::Matrix<S>), or a Map or block of rows of one. A column-major D x N "
                "matrix is the same memory: pass nearfar::GradientRows<S>(m.data(), m.cols(), "
                "m.rows()).");
}

/// Numbers without a shape: a pointer, or a range that is no matrix.
template <class R>
constexpr bool is_without_shape() {
  if constexpr (std::is_pointer_v<R>) {
    return std::is_arithmetic_v<std::remove_pointer_t<R>>;
  } else if constexpr (!EigenDense<R> && std::ranges::contiguous_range<R> &&
                       std::ranges::sized_range<R>) {
    return std::floating_point<std::ranges::range_value_t<R>>;
  }
  return false;
}

/// Whether M is a Matrix of a gradient that can be resized: not a view or a temporary.
template <class M, class S>
inline constexpr bool is_resizable =
    std::is_same_v<M, Matrix<typename std::remove_cvref_t<M>::Scalar>&>&&
        is_stored_as<typename std::remove_cvref_t<M>::Scalar, S>;

}  // namespace detail

#ifdef __cpp_lib_mdspan
namespace detail {

/// The elements from row to row of a matrix whose rows are contiguous. Throws
/// std::invalid_argument for another.
template <class Mdspan>
Index stride_of_rows(const Mdspan& m) {
  static_assert(Mdspan::rank() == 2, "nearfar: rows are an mdspan of two dimensions");
  static_assert(std::is_same_v<typename Mdspan::accessor_type,
                               std::default_accessor<typename Mdspan::element_type>>,
                "nearfar: rows are an mdspan of elements in memory, with its default accessor");
  const auto cols = static_cast<Index>(m.extent(1));
  if (m.extent(0) == 0 || cols == 0) return cols;
  if (cols > 1 && m.stride(1) != 1) {
    fail_argument("mdspan", "elements of a row next to each other",
                  "a stride of " + std::to_string(m.stride(1)));
  }
  return m.extent(0) > 1 ? static_cast<Index>(m.stride(0)) : cols;
}

}  // namespace detail
#endif

/// A read-only view of `rows()` embeddings of `cols()` elements, for losses over S; from one row to
/// the next there are `stride()` elements. Made implicitly from whatever Eigen holds as contiguous
/// rows (Matrix, Map, Ref, a block of rows); anything else is refused at compile time, because the
/// alternative is a hidden copy. Elements are S or, for a loss over float, may be Eigen::bfloat16
/// or Eigen::half: these become floats, exactly, while a call reads them.
template <class S>
class Rows {
  static_assert((detail::require_float_or_double<S>(), true));

 public:
  using Scalar = S;

  Rows() = default;

  /// `rows` x `cols` elements at `data`, `stride` elements from one row to the next (`cols` when
  /// not given). Throws std::invalid_argument when a size is negative, the stride shorter than a
  /// row, or data is null although there is something to read.
  Rows(const S* data, Index rows, Index cols, Index stride = -1)
      : Rows(data, detail::Element::scalar, rows, cols, stride) {}

  /// The same of 16-bit elements: T is Eigen::bfloat16 or Eigen::half, and S is float.
  template <class T>
  requires(detail::is_16_bit<T>&& detail::is_stored_as<T, S>)
      Rows(const T* data, Index rows, Index cols, Index stride = -1)
      : Rows(data, detail::element_of<T>, rows, cols, stride) {}

  /// The same of elements in a span, or in a std::vector or std::array, which become one. Throws
  /// std::invalid_argument also when there are fewer elements than the rows reach over.
  Rows(std::span<const S> elements, Index rows, Index cols, Index stride = -1)
      : Rows(elements.data(), rows, cols, stride) {
    check_extent(elements.size(), rows_, cols_, stride_);
  }

  Rows(std::span<const Eigen::bfloat16> elements, Index rows, Index cols,
       Index stride = -1) requires std::same_as<S, float>
      : Rows(elements.data(), rows, cols, stride) {
    check_extent(elements.size(), rows_, cols_, stride_);
  }
  Rows(std::span<const Eigen::half> elements, Index rows, Index cols,
       Index stride = -1) requires std::same_as<S, float>
      : Rows(elements.data(), rows, cols, stride) {
    check_extent(elements.size(), rows_, cols_, stride_);
  }

  template <detail::EigenDense M>
  Rows(const M& m) {  // NOLINT(google-explicit-constructor): views convert, as std::span does
    detail::require_rows<M, S>();
    using T = typename M::Scalar;
    if constexpr (detail::is_stored_as<T, S> && detail::has_contiguous_rows<M>()) {
      data_ = m.data();
      element_ = detail::element_of<T>;
      rows_ = m.rows();
      cols_ = m.cols();
      stride_ = m.rows() > 0 ? m.outerStride() : m.cols();
    }
  }

  /// Numbers without a shape are no rows; the overload exists for the error message.
  template <class R>
  requires(detail::is_without_shape<R>()) Rows(const R&) {  // NOLINT(google-explicit-constructor)
    static_assert(
        !std::is_same_v<R, R>,
        "nearfar: rows have a shape. Pass nearfar::Rows<S>(numbers, n, d) for n rows of d "
        "numbers, S being float or double as in the loss.");
  }

#ifdef __cpp_lib_mdspan
  /// The rows of a two-dimensional mdspan (C++23), one a row. Throws std::invalid_argument unless
  /// the elements of a row lie next to each other.
  template <class T, class Extents, class Layout, class Accessor>
  requires(detail::is_stored_as<std::remove_const_t<T>, S>) Rows(
      const std::mdspan<T, Extents, Layout, Accessor>& m)  // NOLINT(google-explicit-constructor)
      : Rows(m.data_handle(), static_cast<Index>(m.extent(0)), static_cast<Index>(m.extent(1)),
             detail::stride_of_rows(m)) {}
#endif

  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  Index stride() const { return stride_; }
  /// How the elements are stored.
  detail::Element element() const { return element_; }

  /// The elements and those of row i, where they are stored as S. Null for 16-bit elements.
  const S* data() const {
    return element_ == detail::Element::scalar ? static_cast<const S*>(data_) : nullptr;
  }
  const S* row(Index i) const {
    return element_ == detail::Element::scalar ? data() + i * stride_ : nullptr;
  }

  /// Element k of row i.
  S operator()(Index i, Index k) const {
    const void* at = address(i, k);
    if constexpr (std::is_same_v<S, float>) {
      if (element_ == detail::Element::bfloat16)
        return float(*static_cast<const Eigen::bfloat16*>(at));
      if (element_ == detail::Element::half) return float(*static_cast<const Eigen::half*>(at));
    }
    return *static_cast<const S*>(at);
  }
  /// Element k of row i in memory.
  const void* address(Index i, Index k = 0) const {
    return static_cast<const char*>(data_) + (i * stride_ + k) * detail::bytes_of<S>(element_);
  }

  /// Rows first .. first + count - 1.
  Rows block(Index first, Index count) const {
    Rows out = *this;
    out.data_ = address(first);
    out.rows_ = count;
    return out;
  }

  /// The memory of the elements.
  detail::Place place() const {
    const Index bytes = detail::bytes_of<S>(element_);
    return {data_, rows_, cols_ * bytes, stride_ * bytes};
  }

 private:
  Rows(const void* data, detail::Element element, Index rows, Index cols, Index stride)
      : data_(data),
        element_(element),
        rows_(rows),
        cols_(cols),
        stride_(stride < 0 ? cols : stride) {
    check_layout(data != nullptr, rows_, cols_, stride_);
  }

  const void* data_ = nullptr;
  detail::Element element_ = detail::Element::scalar;
  Index rows_ = 0;
  Index cols_ = 0;
  Index stride_ = 0;
};

template <class M>
Rows(const M&) -> Rows<detail::ScalarOfStored<typename M::Scalar>>;

/// Tag for a gradient nobody wants: the work for it is left out.
struct NoGradient {};
inline constexpr NoGradient no_gradient{};

/// Where a gradient goes: a Matrix, which the call resizes; or a Map or block, whose shape must
/// already fit; or `no_gradient`. Values are overwritten, or added to when made by `accumulate`.
/// Elements are stored as rows' are; a gradient in 16 bits is the one in float, rounded to nearest,
/// ties to even. One that is beyond the largest half is a std::domain_error, no output touched; of
/// bfloat16, as of float, the largest finite number takes its place.
template <class S>
class GradientRows {
  static_assert((detail::require_float_or_double<S>(), true));

 public:
  using Scalar = S;

  GradientRows() = default;
  GradientRows(NoGradient) {}  // NOLINT(google-explicit-constructor)

  // How Eigen allocates depends on the flags of the code that does: the matrix is resized by code
  // of the caller's, under a name that no code with another alignment has.
  template <class T, int alignment = EIGEN_DEFAULT_ALIGN_BYTES>
  requires(detail::is_stored_as<T, S>)
      GradientRows(Matrix<T>& m)  // NOLINT(google-explicit-constructor)
      : resizable_(&m),
        data_(m.data()),
        element_(detail::element_of<T>),
        rows_(m.rows()),
        cols_(m.cols()),
        stride_(m.cols()),
        resizer_(&resizer_of_caller<T, alignment>),
        wanted_(true) {}

  /// A buffer of fixed shape at `data`, `stride` elements from row to row (`cols` if not given).
  /// Throws as Rows does. To add to it: `accumulate(GradientRows<S>(data, rows, cols))`.
  GradientRows(S* data, Index rows, Index cols, Index stride = -1)
      : GradientRows(data, detail::Element::scalar, rows, cols, stride) {}

  /// The same of 16-bit elements: T is Eigen::bfloat16 or Eigen::half, and S is float.
  template <class T>
  requires(detail::is_16_bit<T>&& detail::is_stored_as<T, S>)
      GradientRows(T* data, Index rows, Index cols, Index stride = -1)
      : GradientRows(data, detail::element_of<T>, rows, cols, stride) {}

  /// The same of elements in a span, or in what becomes one. Throws as Rows does.
  GradientRows(std::span<S> elements, Index rows, Index cols, Index stride = -1)
      : GradientRows(elements.data(), rows, cols, stride) {
    check_extent(elements.size(), rows_, cols_, stride_);
  }

  GradientRows(std::span<Eigen::bfloat16> elements, Index rows, Index cols,
               Index stride = -1) requires std::same_as<S, float>
      : GradientRows(elements.data(), rows, cols, stride) {
    check_extent(elements.size(), rows_, cols_, stride_);
  }
  GradientRows(std::span<Eigen::half> elements, Index rows, Index cols,
               Index stride = -1) requires std::same_as<S, float>
      : GradientRows(elements.data(), rows, cols, stride) {
    check_extent(elements.size(), rows_, cols_, stride_);
  }

  template <detail::EigenDense M>
  requires(!detail::is_resizable<M, S>) GradientRows(M&& m)
      : wanted_(true) {  // NOLINT(google-explicit-constructor)
    detail::require_gradient<M, S>();
    using T = typename std::remove_cvref_t<M>::Scalar;
    static_assert(!std::is_same_v<M, Matrix<T>>,
                  "nearfar: a gradient written to a temporary Matrix would be lost. Pass a Matrix "
                  "with a name, or nearfar::no_gradient.");
    if constexpr (detail::is_stored_as<T, S> && detail::has_contiguous_rows<M>()) {
      constexpr bool writable = std::is_same_v<decltype(m.data()), T*>;
      static_assert(writable,
                    "nearfar: a gradient needs a buffer that can be written to, and this one is "
                    "const");
      if constexpr (writable) data_ = m.data();
      element_ = detail::element_of<T>;
      rows_ = m.rows();
      cols_ = m.cols();
      stride_ = m.rows() > 0 ? m.outerStride() : m.cols();
    }
  }

  /// Numbers without a shape are no buffer; the overload exists for the error message.
  template <class R>
  requires(detail::is_without_shape<std::remove_cvref_t<R>>())
      GradientRows(R&&) {  // NOLINT(google-explicit-constructor)
    static_assert(!std::is_same_v<R, R>,
                  "nearfar: a gradient has a shape. Pass nearfar::GradientRows<S>(numbers, n, d) "
                  "for n rows of d numbers, S being float or double as in the loss.");
  }

#ifdef __cpp_lib_mdspan
  /// A buffer that is a two-dimensional mdspan. Throws as Rows does.
  template <class T, class Extents, class Layout, class Accessor>
  requires(detail::is_stored_as<T, S>)
      GradientRows(const std::mdspan<T, Extents, Layout, Accessor>& m)  // NOLINT
      : GradientRows(m.data_handle(), static_cast<Index>(m.extent(0)),
                     static_cast<Index>(m.extent(1)), detail::stride_of_rows(m)) {}
#endif

  bool wanted() const { return wanted_; }
  bool accumulates() const { return accumulates_; }

  /// Throws std::invalid_argument unless the buffer is, or can be made, rows x cols. Touches
  /// nothing: outputs stay as they are until every check of a call has passed.
  void check_shape(const char* name, Index rows, Index cols) const {
    if (!wanted_ || (resizable_ != nullptr && !accumulates_)) return;
    if (rows_ != rows || cols_ != cols) fail_shape(name, rows, cols, rows_, cols_);
  }

  /// Takes the memory that open(rows, cols) needs and leaves the Matrix as it is: `open`, or else
  /// `release`, must follow. Throws std::bad_alloc.
  void reserve(Index rows, Index cols) {
    if (resizable_ == nullptr || fresh_ != nullptr) return;
    if (resizer_->size(resizable_) == rows * cols) return;
    fresh_ = resizer_->make(rows, cols);
  }

  /// Gives back what `reserve` took.
  void release() noexcept {
    if (fresh_ != nullptr) resizer_->discard(fresh_);
    fresh_ = nullptr;
  }

  /// Resizes a Matrix to rows x cols; to be called once check_shape has passed. Throws
  /// std::bad_alloc, the Matrix as it was, unless `reserve` has taken the memory.
  void open(Index rows, Index cols) {
    if (resizable_ == nullptr) return;
    reserve(rows, cols);
    data_ = resizer_->fit(resizable_, fresh_, rows, cols);
    release();
    rows_ = rows;
    cols_ = cols;
    stride_ = cols;
  }

  /// Whether both have an element in common, or resize the same Matrix.
  bool overlaps(const GradientRows& other) const {
    return (resizable_ != nullptr && resizable_ == other.resizable_) ||
           detail::overlap(place(), other.place());
  }

  Index rows() const { return rows_; }
  Index cols() const { return cols_; }
  /// How the elements are stored.
  detail::Element element() const { return element_; }

  /// Row i, where elements are stored as S. Null for 16-bit elements.
  S* row(Index i) const {
    return element_ == detail::Element::scalar ? static_cast<S*>(data_) + i * stride_ : nullptr;
  }
  /// Element k of row i in memory.
  void* address(Index i, Index k = 0) const {
    return static_cast<char*>(data_) + (i * stride_ + k) * detail::bytes_of<S>(element_);
  }

  /// The memory of the elements.
  detail::Place place() const {
    const Index bytes = detail::bytes_of<S>(element_);
    return {data_, rows_, cols_ * bytes, stride_ * bytes};
  }

  template <class M>
  friend auto accumulate(M&& m);

 private:
  GradientRows(void* data, detail::Element element, Index rows, Index cols, Index stride)
      : data_(data),
        element_(element),
        rows_(rows),
        cols_(cols),
        stride_(stride < 0 ? cols : stride),
        wanted_(true) {
    check_layout(data != nullptr, rows_, cols_, stride_);
  }

  /// Resizing by the caller's code. A Matrix frees its old memory before it takes the new, and
  /// where there is none keeps a pointer to what it freed: hence a new one, to change places with.
  struct Resizer {
    Index (*size)(const void* matrix);
    void* (*make)(Index rows, Index cols);
    void* (*fit)(void* matrix, void* fresh, Index rows, Index cols);
    void (*discard)(void* fresh);
  };

  template <class T, int alignment>
  static Index size(const void* matrix) {
    return static_cast<const Matrix<T>*>(matrix)->size();
  }
  template <class T, int alignment>
  static void* make(Index rows, Index cols) {
    return std::make_unique<Matrix<T>>(rows, cols).release();
  }
  template <class T, int alignment>
  static void* fit(void* matrix, void* fresh, Index rows, Index cols) {
    auto& m = *static_cast<Matrix<T>*>(matrix);
    if (fresh != nullptr && m.size() != rows * cols) m.swap(*static_cast<Matrix<T>*>(fresh));
    m.resize(rows, cols);
    return m.data();
  }
  template <class T, int alignment>
  static void discard(void* fresh) {
    const std::unique_ptr<Matrix<T>> last(static_cast<Matrix<T>*>(fresh));
  }
  template <class T, int alignment>
  static constexpr Resizer resizer_of_caller{&size<T, alignment>, &make<T, alignment>,
                                             &fit<T, alignment>, &discard<T, alignment>};

  void* resizable_ = nullptr;  ///< the Matrix, if it is one
  void* fresh_ = nullptr;      ///< what is to take its place, between reserve and open
  void* data_ = nullptr;
  detail::Element element_ = detail::Element::scalar;
  Index rows_ = 0;
  Index cols_ = 0;
  Index stride_ = 0;
  const Resizer* resizer_ = nullptr;
  bool wanted_ = false;
  bool accumulates_ = false;
};

/// `accumulate(buffer)` as a gradient argument adds to what the buffer holds; its shape must fit.
template <class M>
auto accumulate(M&& m) {
  using T = typename std::remove_cvref_t<M>::Scalar;
  GradientRows<detail::ScalarOfStored<T>> out(std::forward<M>(m));
  out.accumulates_ = true;
  return out;
}

/// The columns of a column-major D x N matrix (Armadillo's and mlpack's layout) as N rows: the
/// same memory, no copy.
template <class Derived>
auto columns_as_rows(const Eigen::DenseBase<Derived>& m) {
  static_assert(!bool(Derived::IsRowMajor) && int(Derived::InnerStrideAtCompileTime) == 1,
                "nearfar: columns_as_rows takes a column-major matrix with contiguous columns");
  const auto& d = m.derived();
  return Rows<detail::ScalarOfStored<typename Derived::Scalar>>(
      d.data(), d.cols(), d.rows(), d.cols() > 0 ? d.outerStride() : d.rows());
}

}  // namespace nearfar
