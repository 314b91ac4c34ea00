#pragma once

#include "nearfar/core/negatives.hpp"
#include "nearfar/memory/row_ring.hpp"

namespace nearfar {

/// The queue of keys of earlier batches that serve as negatives (He et al., Momentum contrast for
/// unsupervised visual representation learning, 2020, section 3.2, algorithm 1). New rows overwrite
/// the oldest ones.
///
///     loss.forward_backward(queries, keys, queue.negatives(images), d_queries, no_gradient,
///                           no_gradient);
///     queue.push(keys, images);
///
/// With ids, such as the number of a key's image, a query is not compared with an older key of its
/// own image. A queue that is not full has size() negatives. The queue does not normalise rows
/// (Cosine does so in each call).
///
/// The first push allocates capacity x D numbers of T: float, double, or Eigen::bfloat16 or
/// Eigen::half, which are rows for losses over float and take half the memory; keys are then
/// rounded to nearest. No thread may read the queue during a push.
template <class T>
class KeyQueue {
  using S = detail::ScalarOfStored<T>;  // scalar type of losses that take its rows

 public:
  /// Throws std::invalid_argument unless both are > 0.
  KeyQueue(Index capacity, Index dim) : ring_(capacity, dim) {}

  Index capacity() const { return ring_.capacity(); }
  Index dim() const { return ring_.dim(); }
  Index size() const { return ring_.size(); }  ///< number of rows, <= capacity()
  bool full() const { return size() == capacity(); }

  /// Appends keys (n x D, any n); of more rows than capacity() the last ones stay. Either all rows
  /// of a queue have ids or none has. Throws std::invalid_argument on a wrong shape or count,
  /// std::domain_error on an element that is not finite or not as T; the queue is then unchanged.
  void push(Rows<S> keys) { ring_.push("keys", keys, nullptr, nullptr); }
  void push(Rows<S> keys, Labels ids) { ring_.push("keys", keys, nullptr, &ids); }

  void clear() { ring_.clear(); }

  /// The keys (size() x D), in slots: not in order of age once old rows have been overwritten.
  /// Valid until the next push, like all views below.
  Rows<S> keys() const { return ring_.rows(); }
  /// The ids of keys(); empty if none were given.
  Labels ids() const { return ring_.ids(); }

  /// All keys as negatives of every query.
  Negatives<S> negatives() const { return keys(); }
  /// The same, except that a query is not compared with keys of its own id. `query_ids` has one id
  /// a query and must outlive the call of the loss. Throws std::invalid_argument if the keys have
  /// no ids.
  Negatives<S> negatives(Labels query_ids) const {
    if (size() > 0 && !ring_.has_ids()) fail_argument("ids", "keys pushed with ids", "none");
    return negatives().ids(ids(), query_ids);
  }

  /// Writes the queue, or reads a file that `save` wrote for a queue of the same T,
  /// capacity and dim. Throws std::runtime_error on a file that cannot be written or read, and on
  /// one that is truncated, damaged or of another kind; the file, or the queue, is then unchanged.
  void save(const std::filesystem::path& file) const {
    detail::write_whole_file(file, [&](std::ostream& out) { save(out); });
  }
  void load(const std::filesystem::path& file) {
    KeyQueue loaded(*this);
    detail::load_file(file, [&](std::istream& in) { loaded.load(in); });
    *this = std::move(loaded);
  }
  void save(std::ostream& out) const { ring_.save(out, detail::SavedKind::key_queue); }
  void load(std::istream& in) { ring_.load(in, detail::SavedKind::key_queue); }

 private:
  detail::RowRing<T> ring_;
};

}  // namespace nearfar
