#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of LiftedStructure.
struct LiftedStructureOptions {
  double margin = 1;  ///< alpha, in the kernel's score
  /// Terms are positive pairs, each once.
  Reduction reduction = Reduction::mean;
  /// A row is unusable when it has no positive or no negative.
  UnusableAnchor unusable_anchors = UnusableAnchor::skip;

  /// Calls visit("margin", o.margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("margin", o.margin...);
    visit("reduction", o.reduction...);
    visit("unusable_anchors", o.unusable_anchors...);
  }
};

namespace detail {

template <class S>
Result evaluate(const LiftedStructureOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs);

}  // namespace detail

/// Lifted structured loss (Song et al., Deep metric learning via lifted structured feature
/// embedding, 2016, eq. 4): every positive pair against a soft maximum over all negatives of both
/// of its rows,
///
///     J_ij = log( sum_{k in N(i)} exp(m - d_ik) + sum_{l in N(j)} exp(m - d_jl) ) + d_ij
///     L    = 1 / (2 |P|) sum over positive pairs (i, j) of max(0, J_ij)^2
///
/// with d the distance of kernel K, or minus the score for similarities. Terms are positive pairs
/// with the value max(0, J_ij)^2 / 2, so that Reduction::mean gives the paper's L. In a batch each
/// pair counts once, and with Reduction::none each row gets half of each of its pairs. With
/// references a pair is a query and a reference, and belongs to the query; negatives of the query
/// are references, negatives of the reference are queries. A pair without any negative has the
/// value 0.
///
/// If, of a batch with lists, one row lists a pair and the other row does not, the term is
/// max(0, J_ij)^2 / 4, the listing row's half. Extra memory O((N + M) D); 4 to 5 N^2 D floating
/// point operations forward and backward for a batch, 16 N M D with references, because score
/// passes for the sums over negatives come first. An object is immutable and may be shared by
/// threads, each with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class LiftedStructure : public LabelCalls<LiftedStructure<S, K>, S, Result> {
  static_assert(is_symmetric<K>(),
                "nearfar: LiftedStructure needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the margin is finite.
  explicit LiftedStructure(LiftedStructureOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_offset<S>("margin", options.margin);
  }

  const LiftedStructureOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  LiftedStructureOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/lifted_structure.hpp"
#endif
