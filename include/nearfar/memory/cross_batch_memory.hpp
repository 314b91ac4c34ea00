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
/// Ids, such as the number of a row's sample, keep a row and its own copy in the memory apart:
/// without them push after the loss, or a row has itself as its nearest positive. The oldest rows
/// make room for the newest.
///
/// capacity x D numbers, taken at the first push. Not to be pushed to while another thread reads.
template <class S>
class CrossBatchMemory {
 public:
  /// Throws std::invalid_argument unless both are > 0.
  CrossBatchMemory(Index capacity, Index dim) : ring_(capacity, dim) {}

  Index capacity() const { return ring_.capacity(); }
  Index dim() const { return ring_.dim(); }
  Index size() const { return ring_.size(); }  ///< rows it holds, <= capacity()
  bool full() const { return size() == capacity(); }

  /// Appends rows (n x D, any n) with a label each; of more rows than capacity() the last ones
  /// stay. Either all rows of a memory have ids or none has. Throws std::invalid_argument on a
  /// wrong shape or count, std::domain_error on an element that is not finite, the memory left as
  /// it was.
  void push(Rows<S> rows, Labels labels) { ring_.push("rows", rows, &labels, nullptr); }
  void push(Rows<S> rows, Labels labels, Labels ids) { ring_.push("rows", rows, &labels, &ids); }

  void clear() { ring_.clear(); }

  /// The rows (size() x D), in slots: not in order of age once old ones have been overwritten.
  /// Valid until the next push, as are all views below.
  Rows<S> rows() const { return ring_.rows(); }
  Labels labels() const { return ring_.labels(); }
  /// Empty where none were given.
  Labels ids() const { return ring_.ids(); }
  /// Labels, and ids where there are some, as losses take them for references.
  Targets targets() const {
    return ring_.has_ids() ? Targets(labels()).ids(ids()) : Targets(labels());
  }

  /// Writes the memory, or takes what `save` wrote for a memory of the same scalar type, capacity
  /// and dim. Throws std::runtime_error on a file that cannot be written or read, is truncated,
  /// damaged or of something else; the memory, or the file, is then what it was before.
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
  detail::RowRing<S> ring_;
};

}  // namespace nearfar
