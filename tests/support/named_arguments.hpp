#pragma once

#include <cstdint>
#include <map>
#include <nearfar/core/matrix.hpp>
#include <nearfar/losses/register.hpp>
#include <string>
#include <vector>

#include "support/random.hpp"

/// \file
/// The arguments of a call of any loss, as data. An interface to the losses is a struct with
///
///     template <class Line, class S, class K>
///     static Outcome<S> call(const typename Line::Options&, const K& kernel, const
///     NamedArguments<S>&);
///
/// ThroughClasses is the classes themselves, ThroughC the C interface, ThroughTorch LibTorch's
/// functions. A test that is a template on the interface makes the same calls through each.

namespace support {

using nearfar::registered::Takes;

/// Row numbers of pairs.
struct ListedPairs {
  std::vector<std::int64_t> first;
  std::vector<std::int64_t> second;
};

/// What a form does not take is empty.
template <class S>
struct NamedArguments {
  /// The sets of rows that get a gradient, in the order of the call.
  std::vector<Matrix<S>> sets;
  std::vector<std::string> names;  ///< of these
  /// Sets without a gradient, likewise; of in-batch InfoNCE those of a guide.
  std::vector<Matrix<S>> constants;
  std::vector<std::int64_t> labels;  ///< one a row of the first set
  std::vector<std::int64_t> ids;     ///< likewise
  std::vector<std::int64_t> same;    ///< 1 for a similar pair, 0 for another
  std::vector<S> numbers;            ///< scores or margins; of noise: those of the keys
  std::vector<S> negatives_numbers;  ///< of noise: those of the negatives
  std::vector<double> log_q;
  std::vector<double> log_q_negatives;
  std::vector<nearfar::Index> offsets;  ///< of each query's own negatives; of tokens of queries
  std::vector<nearfar::Index> document_offsets;
  std::vector<std::int64_t> negative_ids;
  bool per_query = false;  ///< each query has as many negatives of its own
  bool listed = false;     ///< pairs are listed by row numbers
  ListedPairs positive_pairs;
  ListedPairs negative_pairs;

  void add(const std::string& name, const Matrix<S>& rows) {
    names.push_back(name);
    sets.push_back(rows);
  }
};

/// A copy of a view, such as that of a kernel's matrix.
template <class S>
Matrix<S> matrix_of(const nearfar::Rows<S>& rows) {
  Matrix<S> out(rows.rows(), rows.cols());
  for (Index i = 0; i < rows.rows(); ++i) {
    for (Index k = 0; k < rows.cols(); ++k) out(i, k) = rows.data()[i * rows.stride() + k];
  }
  return out;
}

/// The result of a call: gradients of sets by their names, of a kernel's matrix as "transform", of
/// learnable numbers by their options' names, 1 x 1.
template <class S>
struct Outcome {
  double loss = 0;
  std::vector<double> values;  ///< with Reduction::none, through the classes
  std::map<std::string, Matrix<S>> gradients;

  void add_number(const char* name, double derivative) {
    gradients[name] = Matrix<S>::Constant(1, 1, static_cast<S>(derivative));
  }
};

inline constexpr const char* gradient_of_matrix = "transform";

/// MatryoshkaInfoNce as a line of the register, which has none of it.
struct MatryoshkaLine {
  static constexpr const char* name = "matryoshka_info_nce";
  static constexpr Takes takes = Takes::pairs;
  using Options = nearfar::MatryoshkaOptions;
  template <class S>
  using Kernels = nearfar::registered::kernel_lists::SymmetricSimilarities<S>;
  template <class S, class... K>
  using Loss = nearfar::MatryoshkaInfoNce<S, K...>;
};

/// Forms that only some losses have.
template <class Line>
inline constexpr bool has_listed_pairs =
    std::is_same_v<Line, nearfar::registered::linear_contrastive>;
template <class Line>
inline constexpr bool has_boundaries = std::is_same_v<Line, nearfar::registered::margin_loss>;
template <class Line>
inline constexpr bool has_extras = std::is_same_v<Line, nearfar::registered::in_batch_info_nce>;

/// True if the two sets of a loss may have targets of the pairs.
template <class Line>
inline constexpr bool has_pair_targets = [] {
  namespace r = nearfar::registered;
  return std::is_same_v<Line, r::clip> || std::is_same_v<Line, r::sig_lip> ||
         std::is_same_v<Line, r::nt_xent> || std::is_same_v<Line, r::hard_negative> ||
         std::is_same_v<Line, r::info_nce>;
}();

}  // namespace support
