#pragma once

#include <algorithm>

#include "nearfar/core/opening.hpp"
#include "nearfar/core/sequence_negatives.hpp"
#include "nearfar/engine/packed_rows.hpp"

/// \file
/// Sequences with targets some steps later: the candidate targets of each context, and the rows
/// arranged so that each group has a score pass of its own.

namespace nearfar::detail {

/// The contexts (b, t), t < T - k, and the targets (b, t + k) of step k in blocks of equal size:
/// each target of a block is a candidate for each of its contexts, target i belongs to context i,
/// and scores between blocks do not count.
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
  Index size() const { return size_; }  ///< items of a block: the number of a context's candidates
  Index terms() const { return count_ * size_; }

  /// The caller's row of context i = block * size() + item; its target is k rows further.
  Index context(Index i) const {
    if (negatives_ == SequenceNegatives::same_time) return i % size_ * length_ + i / size_;
    return i / times_ * length_ + i % times_;
  }

  /// Rows from the start of a block to that of the next. Zero rows fill it to whole row panels,
  /// like packed rows.
  Index stride() const { return round_up(size_, panel_rows); }
  /// The number of rows of all blocks.
  Index gathered_rows() const { return count_ * stride(); }

  /// Calls body(i, row) for each item and its position among gathered rows, on several threads.
  template <class Body>
  void each(int threads, const Body& body) const {
    each_row(terms(), threads, [&](Index i) { body(i, i / size_ * stride() + i % size_); });
  }

 private:
  SequenceNegatives negatives_;
  Index length_;
  Index times_;  ///< number of contexts of a sequence
  Index count_ = 0;
  Index size_ = 0;
};

/// Gathers rows of x, `shift` below the contexts, block after block.
template <class S>
Rows<S> gather(Scratch& scratch, int threads, const Rows<S>& x, const SequenceBlocks& blocks,
               Index shift) {
  const Index rows = blocks.gathered_rows();
  S* data = scratch.take<S>(rows * x.cols());
  std::fill_n(data, rows * x.cols(), S(0));
  blocks.each(threads, [&](Index i, Index row) {
    copy_row(x, blocks.context(i) + shift, data + row * x.cols());
  });
  return {data, rows, x.cols()};
}

/// A gradient to which each step adds; the caller's buffer gets it after the last step.
template <class S>
class StepSum {
 public:
  /// Zeros in the shape of x, or nothing if `out` is not wanted.
  StepSum(Scratch& scratch, const Rows<S>& x, const GradientRows<S>& out)
      : rows_(x.rows()), cols_(x.cols()), out_(out) {
    if (!out.wanted()) return;
    data_ = scratch.take<S>(rows_ * cols_);
    std::fill_n(data_, rows_ * cols_, S(0));
  }

  bool wanted() const { return data_ != nullptr; }

  /// Adds the gradient of a step, in the layout of gather(), to rows `shift` below the contexts.
  void add(int threads, const InputGradients<S>& share, const SequenceBlocks& blocks,
           Index shift) const {
    blocks.each(threads, [&](Index i, Index row) {
      row_loops<S>().add(cols_, share.data + row * share.stride,
                         data_ + (blocks.context(i) + shift) * cols_);
    });
  }

  /// Sets rows [first, first + count), to which one step alone contributes.
  void set(Index first, Index count, const InputGradients<S>& share) const {
    for (Index r = 0; r < count; ++r) {
      std::copy_n(share.data + r * share.stride, cols_, data_ + (first + r) * cols_);
    }
  }

  /// Throws std::domain_error if the sums overflowed S, or overflow the caller's type.
  void refuse_overflow(const char* name) const {
    if (!wanted()) return;
    if (!row_loops<S>().all_finite(rows_ * cols_, data_)) fail_gradient_overflow(name);
    for (Index i = 0; i < rows_; ++i) {
      if (!fits(out_, i, cols_, data_ + i * cols_)) fail_half_overflow(name);
    }
  }

  /// The caller's buffer, to be opened.
  Output<S> output() { return {&out_, rows_, cols_}; }

  /// Copies the sums to the caller's buffer, which is open.
  void scatter(int threads) const {
    if (!wanted()) return;
    each_row(rows_, threads, [&](Index i) { write_row(out_, i, cols_, data_ + i * cols_); });
  }

 private:
  Index rows_;
  Index cols_;
  GradientRows<S> out_;
  S* data_ = nullptr;
};

}  // namespace nearfar::detail
