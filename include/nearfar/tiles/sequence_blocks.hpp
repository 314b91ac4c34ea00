#pragma once

#include "nearfar/core/opening.hpp"
#include "nearfar/tiles/stack.hpp"

/// \file
/// Sequences against what comes some steps later: which targets are candidates for which contexts,
/// and the rows laid out so that each such group is a walk of its own.

namespace nearfar {

/// What a context of sequence b at time t is to tell its target, (b, t + k), from.
enum class SequenceNegatives {
  same_time,      ///< targets (b', t + k) of the other sequences
  same_sequence,  ///< other targets (b, t' + k) of the same sequence
  all             ///< all other targets (b', t' + k)
};

}  // namespace nearfar

namespace nearfar::detail {

/// The contexts (b, t), t < T - k, and the targets (b, t + k) of step k in blocks of equal size:
/// each target of a block is a candidate for each of its contexts, item i of the one belongs to
/// item i of the other, and no score between blocks counts.
class SequenceBlocks {
 public:
  /// `rows` = B T rows of sequences of `length` = T positions; `step` = k < T.
  SequenceBlocks(SequenceNegatives negatives, Index rows, Index length, Index step)
      : negatives_(negatives), length_(length), times_(length - step) {
    const Index sequences = rows / length;
    switch (negatives) {
      case SequenceNegatives::same_time:
        count_ = times_;
        size_ = sequences;
        break;
      case SequenceNegatives::same_sequence:
        count_ = sequences;
        size_ = times_;
        break;
      case SequenceNegatives::all:
        count_ = 1;
        size_ = sequences * times_;
        break;
    }
  }

  Index count() const { return count_; }
  Index size() const { return size_; }  ///< items of a block: a context's candidates
  Index terms() const { return count_ * size_; }

  /// The caller's row of context i = block * size() + item; its target's is k further on.
  Index context(Index i) const {
    if (negatives_ == SequenceNegatives::same_time) return i % size_ * length_ + i / size_;
    return i / times_ * length_ + i % times_;
  }

  /// Rows from one block's first to the next one's: zero rows fill it to whole blocks of the
  /// products, as prepared rows end.
  template <class S>
  Index stride() const {
    return round_up(size_, BlockShape<S>::rows);
  }

  /// One block of rows that were gathered and prepared.
  template <class S>
  PreparedRows<S> part(PreparedRows<S> rows, Index block) const {
    const Index first = block * stride<S>();
    rows.input = Rows<S>(rows.input.row(first), size_, rows.input.cols(), rows.input.stride());
    rows.rows = size_;
    rows.data += first * rows.stride;
    if (rows.centred != nullptr) rows.centred += first * rows.centred_stride;
    return rows;
  }

  /// The same of their gradients, where there are any.
  template <class S>
  RowGradients<S> part(RowGradients<S> gradients, const PreparedRows<S>& rows, Index block) const {
    if (!gradients.wanted()) return gradients;
    const Index first = block * stride<S>();
    return {gradients.data + first * rows.stride, gradients.weight + first};
  }

  /// body(i, row) for each item and its place among gathered rows, items shared out to threads.
  template <class S, class Body>
  void each(int threads, const Body& body) const {
    parallel_tasks(tasks_of(terms(), rows_per_task), threads, [&](Index task, int) {
      const Index end = std::min(terms(), (task + 1) * rows_per_task);
      for (Index i = task * rows_per_task; i < end; ++i) {
        body(i, i / size_ * stride<S>() + i % size_);
      }
    });
  }

 private:
  SequenceNegatives negatives_;
  Index length_;
  Index times_;  ///< contexts of a sequence
  Index count_ = 0;
  Index size_ = 0;
};

/// Rows of x, `shift` below the contexts, block after block.
template <class S>
Rows<S> gather(Scratch& scratch, int threads, const Rows<S>& x, const SequenceBlocks& blocks,
               Index shift) {
  const Index rows = blocks.count() * blocks.stride<S>();
  S* data = scratch.take<S>(rows * x.cols());
  std::fill_n(data, rows * x.cols(), S(0));
  blocks.each<S>(threads, [&](Index i, Index row) {
    std::copy_n(x.row(blocks.context(i) + shift), x.cols(), data + row * x.cols());
  });
  return {data, rows, x.cols()};
}

/// A gradient to which each step adds its share, kept from the caller until the last one has.
template <class S>
class StepSum {
 public:
  /// Zeros in the shape of x, or nothing.
  StepSum(Scratch& scratch, const Rows<S>& x, bool wanted) : rows_(x.rows()), cols_(x.cols()) {
    if (!wanted) return;
    data_ = scratch.take<S>(rows_ * cols_);
    std::fill_n(data_, rows_ * cols_, S(0));
  }

  /// Room for a step's share, as gather() lays rows out.
  GradientRows<S> gathered(Scratch& scratch, const SequenceBlocks& blocks) const {
    if (data_ == nullptr) return no_gradient;
    const Index rows = blocks.count() * blocks.stride<S>();
    return GradientRows<S>(scratch.take<S>(rows * cols_), rows, cols_);
  }

  /// Adds it to rows `shift` below the contexts.
  void add(int threads, const GradientRows<S>& share, const SequenceBlocks& blocks, Index shift) {
    if (data_ == nullptr) return;
    blocks.each<S>(threads, [&](Index i, Index row) {
      S* to = data_ + (blocks.context(i) + shift) * cols_;
      for (Index k = 0; k < cols_; ++k) to[k] += share.row(row)[k];
    });
  }

  /// Rows [first, first + count), for a step that alone has a share in them.
  GradientRows<S> part(Index first, Index count) const {
    if (data_ == nullptr) return no_gradient;
    return GradientRows<S>(data_ + first * cols_, count, cols_);
  }

  /// Throws std::domain_error when the sums overflowed S.
  void refuse_overflow(const char* name) const {
    if (data_ == nullptr) return;
    if (!Eigen::Map<const Vector<S>>(data_, rows_ * cols_).allFinite()) {
      fail_gradient_overflow(name);
    }
  }

  /// `out` in the shape of x.
  Output<S> output(GradientRows<S>& out) const { return {&out, rows_, cols_}; }

  /// To a buffer that is open.
  void hand_out(int threads, const GradientRows<S>& out) const {
    if (data_ == nullptr) return;
    detail::hand_out(Rows<S>(data_, rows_, cols_), 0, rows_, threads, out);
  }

 private:
  Index rows_;
  Index cols_;
  S* data_ = nullptr;
};

}  // namespace nearfar::detail
