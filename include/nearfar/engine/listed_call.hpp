#pragma once

#include "nearfar/core/row_lists.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/paired_rows.hpp"

/// \file
/// The frame of a call of a loss over listed rows: a set of rows, and references in some calls.

namespace nearfar::detail {

template <class S>
class ListedCall {
 public:
  /// For pairs, `terms` of them. Checks and packs the rows; throws before any output has changed.
  /// Arguments must outlive the object.
  ListedCall(const KernelValue<S>& kernel, Reduction reduction, const PairListInputs<S>& inputs,
             Index terms)
      : ListedCall(kernel, reduction, inputs.sets, inputs.has_references, terms,
                   [&](Index rows, Index others) {
                     check_pairs("positive_pairs", inputs.positives, rows, others);
                     check_pairs("negative_pairs", inputs.negatives, rows, others);
                   }) {}
  /// For triplets.
  ListedCall(const KernelValue<S>& kernel, Reduction reduction, const TripletListInputs<S>& inputs)
      : ListedCall(
            kernel, reduction, inputs.sets, inputs.has_references, inputs.triplets.anchors.size(),
            [&](Index rows, Index others) { check_triplets(inputs.triplets, rows, others); }) {}

  Call<S>& call() { return call_; }

  /// Copies numbers from a view to memory of the call.
  const Index* numbers(const Labels& given) {
    auto* out = scratch().template take<Index>(given.size());
    copy(given, out);
    return out;
  }
  /// The pairs of two lists, one after the other.
  PairNumbers numbers(const PairList& some, const PairList& others) {
    const Index count = some.first.size() + others.first.size();
    auto* first = scratch().template take<Index>(count);
    auto* second = scratch().template take<Index>(count);
    copy(others.first, copy(some.first, first));
    copy(others.second, copy(some.second, second));
    return {count, first, second};
  }

  /// Scores of pairs of a row of x and another row, or of two other rows.
  PairedScores<S> scores(const PairNumbers& pairs, bool of_others = false) {
    const PairedScores<S> out(scratch(), pairs.count);
    paired_scores(call_.threads(), call_.kernel(), call_.rows(of_others ? others_ : 0),
                  call_.rows(others_), pairs, out);
    return out;
  }
  /// Adds the gradients of these scores.
  void add_gradients(const PairNumbers& pairs, const PairedScores<S>& scores,
                     bool of_others = false) {
    const int first = of_others ? others_ : 0;
    add_paired_gradients(call_.threads(), call_.kernel(), call_.rows(first), call_.rows(others_),
                         pairs, scores, call_.gradients(first), call_.gradients(others_));
  }

 private:
  /// check_lists gets the number of rows and the number of rows that second numbers refer to.
  template <class CheckLists>
  ListedCall(const KernelValue<S>& kernel, Reduction reduction, const Inputs<S, 2>& inputs,
             bool has_references, Index terms, const CheckLists& check_lists)
      : call_(kernel, reduction, inputs), others_(has_references ? 1 : 0) {
    call_.add(Side::query, {"x", inputs.rows[0], inputs.gradients[0]});
    if (has_references) {
      call_.add(Side::key, {"references", inputs.rows[1], inputs.gradients[1]});
    } else if (!kernel.is_symmetric()) {
      fail_argument("kernel", "one that treats both rows alike, or references",
                    "one that does not, and one set of rows");
    }
    call_.check(terms);
    check_lists(inputs.rows[0].rows(), inputs.rows[has_references ? 1 : 0].rows());
    call_.pack();
  }

  Scratch& scratch() { return call_.scratch(); }

  static Index* copy(const Labels& from, Index* to) {
    for (Index k = 0; k < from.size(); ++k) *to++ = static_cast<Index>(from[k]);
    return to;
  }

  Call<S> call_;
  int others_;  ///< the set that second numbers refer to
};

}  // namespace nearfar::detail
