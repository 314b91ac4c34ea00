#pragma once

#include <string>

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/labels.hpp"

/// \file
/// Pairs and triplets of rows, listed by the rows' numbers.

namespace nearfar {

/// Pairs of rows: pair k is row first[k] of x with row second[k] of x, or of the references in
/// calls that have some. A row may be in any number of pairs, in any order; a pair listed twice
/// counts twice. Both sides are any view that Labels takes. For P x 2 integers at `data`, row after
/// row, the pairs are `PairList{Labels(data, P, 2), Labels(data + 1, P, 2)}`. Views: the integers
/// must outlive the call.
struct PairList {
  Labels first;
  Labels second;
};

/// Triplets of rows: triplet k has anchor anchors[k] of x, and positive positives[k] and negative
/// negatives[k] of x, or of the references in calls that have some. All else is as for PairList.
struct TripletList {
  Labels anchors;
  Labels positives;
  Labels negatives;
};

namespace detail {

/// Rows, references if there are any, and pairs of their rows.
template <class S>
struct PairListInputs {
  Inputs<S, 2> sets;
  const PairList& positives;
  const PairList& negatives;
  bool has_references;
};

/// The same with triplets.
template <class S>
struct TripletListInputs {
  Inputs<S, 2> sets;
  const TripletList& triplets;
  bool has_references;
};

/// One side of a list, and the name of the caller's argument. The text is made only for an error.
struct NamedNumbers {
  const char* list;
  const char* side;
  const Labels& numbers;

  std::string name() const { return std::string(list) + "." + side; }
};

/// Throws unless they are `count` integers from 0 to rows - 1.
inline void check_row_numbers(const NamedNumbers& of, Index count, Index rows) {
  if (of.numbers.size() != count) {
    fail_argument(of.name(), std::to_string(count) + " row numbers, as many as the first ones",
                  std::to_string(of.numbers.size()));
  }
  for (Index k = 0; k < count; ++k) {
    if (of.numbers[k] >= 0 && of.numbers[k] < rows) continue;
    fail_argument(of.name(), "row numbers from 0 to " + std::to_string(rows - 1),
                  std::to_string(of.numbers[k]) + " at " + std::to_string(k));
  }
}

/// Throws unless pairs are numbers of existing rows: `rows` on the first side, `others` on the
/// second.
inline void check_pairs(const char* name, const PairList& pairs, Index rows, Index others) {
  const Index count = pairs.first.size();
  check_row_numbers({name, "first", pairs.first}, count, rows);
  check_row_numbers({name, "second", pairs.second}, count, others);
}

/// The same for triplets.
inline void check_triplets(const TripletList& triplets, Index rows, Index others) {
  const Index count = triplets.anchors.size();
  check_row_numbers({"triplets", "anchors", triplets.anchors}, count, rows);
  check_row_numbers({"triplets", "positives", triplets.positives}, count, others);
  check_row_numbers({"triplets", "negatives", triplets.negatives}, count, others);
}

}  // namespace detail

}  // namespace nearfar
