#pragma once

#include "nearfar/core/targets.hpp"
#include "nearfar/memory/row_ring.hpp"

namespace nearfar {

/// Embeddings of earlier batches with their labels, as references for losses over labels (Wang et
/// al., Cross-batch memory for embedding learning, 2020, section 3.3, algorithm 1):
///
///     memory.push(x, labels, ids);
///     loss.forward_backward(x, Targets(labels).ids(ids), memory.rows(), memory.targets(), dx,
///                           no_gradient);
///
/// Ids, such as the sample number of a row, exclude the comparison of a row with its own copy in
/// the memory. Without ids push after the loss, or a row's nearest positive is its own copy. New
/// rows overwrite the oldest ones.
///
/// The first push allocates capacity x D numbers of T: float, double, or Eigen::bfloat16 or
/// Eigen::half, which are rows for losses over float and take half the memory; rows are then
/// rounded to nearest. No thread may read the memory during a push.
template <class T>
class CrossBatchMemory {
  using S = detail::ScalarOfStored<T>;  // scalar type of losses that take its rows

 public:
  /// Throws std::invalid_argument unless both are > 0.
  CrossBatchMemory(Index capacity, Index dim) : ring_(capacity, dim) {}

  Index capacity() const { return ring_.capacity(); }
  Index dim() const { return ring_.dim(); }
  Index size() const { return ring_.size(); }  ///< number of rows, <= capacity()
  bool full() const { return size() == capacity(); }

  /// Appends rows (n x D, any n) with a label each; of more rows than capacity() the last ones
  /// stay. Either all rows of a memory have ids or none has. Throws std::invalid_argument on a
  /// wrong shape or count, std::domain_error on an element that is not finite or not as T; the
  /// memory is then unchanged.
  void push(Rows<S> rows, Labels labels) { ring_.push("rows", rows, &labels, nullptr); }
  void push(Rows<S> rows, Labels labels, Labels ids) { ring_.push("rows", rows, &labels, &ids); }

  void clear() { ring_.clear(); }

  /// The rows (size() x D), in slots: not in order of age once old rows have been overwritten.
  /// Valid until the next push, like all views below.
  Rows<S> rows() const { return ring_.rows(); }
  Labels labels() const { return ring_.labels(); }
  /// The ids of rows(); empty if none were given.
  Labels ids() const { return ring_.ids(); }
  /// Labels, and ids if there are any, as targets of references.
  Targets targets() const {
    return ring_.has_ids() ? Targets(labels()).ids(ids()) : Targets(labels());
  }

  /// Writes the memory, or reads a file that `save` wrote for a memory of the same T,
  /// capacity and dim. Throws std::runtime_error on a file that cannot be written or read, and on
  /// one that is truncated, damaged or of another kind; the file, or the memory, is then unchanged.
  void save(const std::filesystem::path& file) const {
    detail::write_whole_file(file, [&](std::ostream& out) { save(out); });
  }
  void load(const std::filesystem::path& file) {
    CrossBatchMemory loaded(*this);
    detail::load_file(file, [&](std::istream& in) { loaded.load(in); });
    *this = std::move(loaded);
  }
  void save(std::ostream& out) const { ring_.save(out, detail::SavedKind::cross_batch_memory); }
  void load(std::istream& in) { ring_.load(in, detail::SavedKind::cross_batch_memory); }

 private:
  detail::RowRing<T> ring_;
};

}  // namespace nearfar
