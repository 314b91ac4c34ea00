#pragma once

#include "nearfar/core/reduction.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/label_calls.hpp"

namespace nearfar {

/// Settings of GeneralizedLiftedStructure.
struct GeneralizedLiftedStructureOptions {
  double margin = 1;  ///< m, in the kernel's score
  /// Terms are anchors that have both a positive and a negative.
  Reduction reduction = Reduction::mean;
  /// An anchor is unusable when it has no positive or no negative.
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
Result evaluate(const GeneralizedLiftedStructureOptions& options, const KernelValue<S>& kernel,
                const LabelledInputs<S>& inputs);

}  // namespace detail

/// Generalised lifted structured loss (Hermans, Beyer and Leibe, In defense of the triplet loss for
/// person re-identification, 2017, section 2): a soft maximum of an anchor's distances to all its
/// positives against a soft minimum of its distances to all its negatives:
///
///     L_i = max(0, m + log sum_{p in P(i)} exp(d_ip) + log sum_{n in N(i)} exp(-d_in))
///
/// with d the distance of kernel K, or minus the score for similarities. Libraries with two
/// margins, d_ip - m_pos and m_neg - d_in, have m = m_neg - m_pos.
///
/// Terms are anchors that have both a positive and a negative. Extra memory O((N + M) D),
/// 3 to 4 N^2 D floating point operations for a batch. An object is immutable and may be shared by
/// threads, each with its own Workspace. Results have the same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class GeneralizedLiftedStructure : public LabelCalls<GeneralizedLiftedStructure<S, K>, S, Result> {
  static_assert(is_symmetric<K>(),
                "nearfar: GeneralizedLiftedStructure needs a kernel that treats both rows alike");

 public:
  /// Throws std::invalid_argument unless the margin is finite.
  explicit GeneralizedLiftedStructure(GeneralizedLiftedStructureOptions options = {},
                                      K kernel = K())
      : options_(options), kernel_(kernel) {
    check_offset<S>("margin", options.margin);
  }

  const GeneralizedLiftedStructureOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  GeneralizedLiftedStructureOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/generalized_lifted_structure.hpp"
#endif
