#pragma once

#include <string>

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/labels.hpp"

/// \file
/// Pairs and triplets of rows, listed by the rows' numbers.

namespace nearfar {

/// Pairs of rows: pair k is row first[k] of x with row second[k] of x, or of the references where a
/// call has some. Rows may be in any number of pairs, in any order; a pair listed twice counts
/// twice. Any view that Labels takes: of P x 2 integers at `data`, row after row, the pairs are
/// `PairList{Labels(data, P, 2), Labels(data + 1, P, 2)}`. Views: the integers must outlive the
/// call.
struct PairList {
  Labels first;
  Labels second;
};

/// Triplets of rows: triplet k has anchor anchors[k] of x, and positive positives[k] and negative
/// negatives[k] of x, or of the references where a call has some. The rest as for PairList.
struct TripletList {
  Labels anchors;
  Labels positives;
  Labels negatives;
};

namespace detail {

/// Rows, references where there are any, and pairs of their rows.
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

/// One side of a list under the name of the caller's argument; text is made where there is an error
/// alone.
struct NamedNumbers {
  const char* list;
  const char* side;
  const Labels& numbers;

  std::string name() const { return std::string(list) + "." + side; }
};

/// Throws unless they are `count` row numbers of `rows` rows.
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

/// Throws unless pairs are of rows there are: `rows` of the first and `others` of the second.
inline void check_pairs(const char* name, const PairList& pairs, Index rows, Index others) {
  const Index count = pairs.first.size();
  check_row_numbers({name, "first", pairs.first}, count, rows);
  check_row_numbers({name, "second", pairs.second}, count, others);
}

/// The same of triplets.
inline void check_triplets(const TripletList& triplets, Index rows, Index others) {
  const Index count = triplets.anchors.size();
  check_row_numbers({"triplets", "anchors", triplets.anchors}, count, rows);
  check_row_numbers({"triplets", "positives", triplets.positives}, count, others);
  check_row_numbers({"triplets", "negatives", triplets.negatives}, count, others);
}

}  // namespace detail

}  // namespace nearfar
