#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>
#include <vector>

#include "nearfar/core/labels.hpp"
#include "nearfar/core/matrix.hpp"
#include "nearfar/engine/finite.hpp"
#include "nearfar/memory/saved.hpp"
#include "nearfar/memory/stored_number.hpp"

/// \file
/// A ring of the rows pushed last.

namespace nearfar::detail {

/// A ring of rows with labels and ids. Pushed rows lie in slots 0 .. size() - 1; once the ring is
/// full, the next row takes the slot of the oldest. Rows are stored as T and read as rows of S.
template <class T>
class RowRing {
 public:
  using S = ScalarOfStored<T>;

  RowRing(Index capacity, Index dim) : capacity_(capacity), dim_(dim) {
    if (capacity < 1) fail_argument("capacity", "a number > 0", std::to_string(capacity));
    if (dim < 1) fail_argument("dim", "a number > 0", std::to_string(dim));
  }

  Index capacity() const { return capacity_; }
  Index dim() const { return dim_; }
  Index size() const { return size_; }
  Rows<S> rows() const { return Rows<S>(rows_.data(), size_, dim_); }
  bool has_ids() const { return has_ids_; }
  const std::vector<std::int64_t>& ids() const { return ids_; }
  const std::vector<std::int64_t>& labels() const { return labels_; }

  /// Of more rows than slots the last ones stay. Null means no labels, or no ids. All rows of a
  /// ring have labels, or none has, and so for ids: a missing id would equal a real one.
  void push(const char* name, const Rows<S>& rows, const Labels* labels, const Labels* ids) {
    if (labels != nullptr) check_label_count("labels", *labels, rows.rows());
    if (ids != nullptr) check_label_count("ids", *ids, rows.rows());
    if (rows.rows() == 0) return;
    if (rows.cols() != dim_) fail_shape(name, rows.rows(), dim_, rows.rows(), rows.cols());
    if (size_ > 0 && has_ids_ != (ids != nullptr)) {
      fail_argument("ids", has_ids_ ? "one a row, as the rows before have" : "none, as before",
                    has_ids_ ? "none" : "some");
    }
    check_finite(name, rows, 1);
    check_fits<T>(name, rows);
    if (is_own(rows, labels, ids)) {
      // The slots are overwritten in order, so rows of the ring itself must be copied before.
      std::vector<T> copy(static_cast<std::size_t>(rows.rows() * dim_));
      for (Index i = 0; i < rows.rows(); ++i) copy_row(rows, i, copy.data() + i * dim_);
      const std::vector<std::int64_t> own_labels = copy_of(labels);
      const std::vector<std::int64_t> own_ids = copy_of(ids);
      const Labels label_view(own_labels);
      const Labels id_view(own_ids);
      push(name, Rows<S>(copy.data(), rows.rows(), dim_), labels != nullptr ? &label_view : nullptr,
           ids != nullptr ? &id_view : nullptr);
      return;
    }
    // All that can throw runs before anything changes.
    reserve();
    if (labels != nullptr) labels_.reserve(static_cast<std::size_t>(capacity_));
    if (ids != nullptr) ids_.reserve(static_cast<std::size_t>(capacity_));
    has_ids_ = ids != nullptr;
    const Index skipped = std::max(Index{0}, rows.rows() - capacity_);
    for (Index i = skipped; i < rows.rows(); ++i) {
      copy_row(rows, i, rows_.data() + next_ * dim_);
      if (labels != nullptr) put(labels_, (*labels)[i]);
      if (ids != nullptr) put(ids_, (*ids)[i]);
      size_ = std::min(capacity_, std::max(size_, next_ + 1));
      next_ = (next_ + 1) % capacity_;
    }
  }

  void clear() {
    size_ = next_ = 0;
    has_ids_ = false;
    labels_.clear();
    ids_.clear();
  }

  void save(std::ostream& out, SavedKind kind) const {
    SavedWriter writer(out, kind);
    writer.put_type<T>();
    for (const Index number : {capacity_, dim_, size_, next_}) {
      writer.put(static_cast<std::int64_t>(number));
    }
    writer.put(std::uint32_t{has_ids_ && size_ > 0});
    for (Index k = 0; k < size_ * dim_; ++k) writer.put(rows_[static_cast<std::size_t>(k)]);
    writer.put_all(labels_);
    writer.put_all(ids_);
    writer.finish();
  }

  /// Reads a file of a ring of the same capacity and dim. Throws on any other, and leaves the ring
  /// unchanged.
  void load(std::istream& in, SavedKind kind) {
    SavedReader reader(in, kind);
    reader.expect_type<T>();
    reader.expect("capacity", static_cast<std::int64_t>(capacity_));
    reader.expect("dim", static_cast<std::int64_t>(dim_));
    RowRing loaded(capacity_, dim_);
    loaded.size_ = static_cast<Index>(reader.get<std::int64_t>());
    loaded.next_ = static_cast<Index>(reader.get<std::int64_t>());
    const bool full = loaded.size_ == capacity_;
    if (loaded.size_ < 0 || loaded.size_ > capacity_ || loaded.next_ < 0 ||
        loaded.next_ >= capacity_ || (!full && loaded.next_ != loaded.size_)) {
      fail_file("memory", "is damaged: its rows cannot be where it says");
    }
    loaded.has_ids_ = reader.get<std::uint32_t>() != 0;
    loaded.reserve();
    for (Index k = 0; k < loaded.size_ * dim_; ++k) {
      const T number = reader.get<T>();
      if (!is_finite_number(number)) fail_file("memory", "holds a number that is not finite");
      loaded.rows_[static_cast<std::size_t>(k)] = number;
    }
    const auto count = static_cast<std::size_t>(loaded.size_);
    if (kind == SavedKind::cross_batch_memory) loaded.labels_ = reader.get_all<std::int64_t>(count);
    if (loaded.has_ids_) loaded.ids_ = reader.get_all<std::int64_t>(count);
    reader.finish();
    *this = std::move(loaded);
  }

 private:
  /// True if some of them lie in the ring's own memory.
  bool is_own(const Rows<S>& rows, const Labels* labels, const Labels* ids) const {
    bool own = overlap(rows.place(), place_of(rows_));
    for (const Labels* numbers : {labels, ids}) {
      if (numbers == nullptr) continue;
      const Place first{numbers->data(), 1, 1, 1};
      own = own || overlap(first, place_of(labels_)) || overlap(first, place_of(ids_));
    }
    return own;
  }

  /// Row i as T, whatever it is stored as. Rounds to nearest, ties to even.
  void copy_row(const Rows<S>& rows, Index i, T* out) const {
    if (rows.element() == element_of<T>) {
      std::copy_n(static_cast<const T*>(rows.address(i)), dim_, out);
    } else {
      for (Index k = 0; k < dim_; ++k) out[k] = static_cast<T>(rows(i, k));
    }
  }

  static std::vector<std::int64_t> copy_of(const Labels* numbers) {
    std::vector<std::int64_t> out;
    for (Index i = 0; numbers != nullptr && i < numbers->size(); ++i) out.push_back((*numbers)[i]);
    return out;
  }

  /// Allocates everything at the first push: a ring that is never used takes no memory.
  void reserve() { rows_.resize(static_cast<std::size_t>(capacity_ * dim_)); }

  void put(std::vector<std::int64_t>& numbers, std::int64_t number) {
    const auto slot = static_cast<std::size_t>(next_);
    if (numbers.size() == slot) {
      numbers.push_back(number);
    } else {
      numbers[slot] = number;
    }
  }

  Index capacity_;
  Index dim_;
  Index size_ = 0;
  Index next_ = 0;  // the slot of the next row
  bool has_ids_ = false;
  std::vector<T> rows_;
  std::vector<std::int64_t> labels_;  // empty, or one a row
  std::vector<std::int64_t> ids_;     // likewise
};

}  // namespace nearfar::detail
