#pragma once

#include "nearfar/core/inputs.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/core/row_lists.hpp"
#include "nearfar/core/triplet_form.hpp"
#include "nearfar/kernels/kernels.hpp"

namespace nearfar {

/// Settings of Triplet.
struct TripletOptions {
  double margin = 1.0;                    ///< m >= 0, in the kernel's score
  TripletForm form = TripletForm::hinge;  ///< hinge or soft margin
  bool swap = false;  ///< use the positive as the anchor if it is nearer to the negative
  Reduction reduction = Reduction::mean;  ///< terms are triplets

  /// Calls visit("margin", o.margin...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("margin", o.margin...);
    visit("form", o.form...);
    visit("swap", o.swap...);
    visit("reduction", o.reduction...);
  }
};

namespace detail {

template <class S>
Result evaluate(const TripletOptions& options, const KernelValue<S>& kernel,
                const Inputs<S, 3>& inputs);

/// Listed triplets.
template <class S>
Result evaluate(const TripletOptions& options, const KernelValue<S>& kernel,
                const TripletListInputs<S>& inputs);

}  // namespace detail

/// Triplet loss of triplets given as rows, or by the numbers of rows: an anchor should be nearer to
/// its positive than to its negative, by a margin:
///
///     hinge: L_i = max(0, d(a_i, p_i) - d(a_i, n_i) + m)
///     soft:  L_i = softplus(d(a_i, p_i) - d(a_i, n_i) + m)
///
/// (hinge: Weinberger & Saul 2009; Schroff et al., FaceNet, 2015, eq. 2, with SquaredEuclidean;
/// soft margin: Hermans et al., In defense of the triplet loss, 2017, with m = 0). For kernels that
/// are similarities, d is minus the score: max(0, s(a, n) - s(a, p) + m). With `swap`, d(a, n) is
/// the smaller of d(a, n) and d(p, n) (Balntas et al., Learning local feature descriptors with
/// triplets and shallow convolutional neural networks, 2016), as in PyTorch's triplet_margin_loss.
/// At the hinge's corner the subgradient is 0.
///
/// Time and extra memory O(N D); of T listed triplets of N rows time O(T D), memory O(N D + T). An
/// object is immutable and may be shared by threads, each with its own Workspace. Results have the
/// same bits at any number of threads.
template <class S, Kernel K = Euclidean>
class Triplet {
  using Listed = detail::TripletListInputs<S>;

 public:
  /// Throws std::invalid_argument unless the margin is finite and >= 0; and for `swap` with a
  /// kernel that does not treat both rows alike (Bilinear).
  explicit Triplet(TripletOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_not_negative("margin", options.margin);
    check_offset<S>("margin", options.margin);
    if (options.swap && !is_symmetric<K>()) {
      fail_argument("swap", "a kernel that treats both rows alike", "one that does not");
    }
  }

  const TripletOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

  /// The loss of N triplets: anchors, positives, negatives, each N x D. An empty batch has value 0.
  /// Throws std::invalid_argument on shapes that do not fit, std::domain_error on an element that
  /// is not finite.
  Result forward(Rows<S> anchors, Rows<S> positives, Rows<S> negatives,
                 CallOptions<S> call = {}) const {
    return evaluate(detail::Inputs<S, 3>{{anchors, positives, negatives}, {}, false, call});
  }

  /// Value and gradients, each N x D, times `call.upstream`: one number, or N numbers with
  /// Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  Result forward_backward(Rows<S> anchors, Rows<S> positives, Rows<S> negatives,
                          GradientRows<S> d_anchors, GradientRows<S> d_positives,
                          GradientRows<S> d_negatives, CallOptions<S> call = {}) const {
    return evaluate(detail::Inputs<S, 3>{
        {anchors, positives, negatives}, {d_anchors, d_positives, d_negatives}, true, call});
  }

  /// The loss of listed triplets of rows of x (N x D). Terms are the triplets, each as often as it
  /// is listed. Throws std::invalid_argument on shapes that do not fit, on a row number out of
  /// range, on lists of different lengths, and for a kernel that does not treat both rows alike;
  /// std::domain_error on an element that is not finite.
  Result forward(Rows<S> x, const TripletList& triplets, CallOptions<S> call = {}) const {
    return evaluate(Listed{{{x}, {}, false, call}, triplets, false});
  }
  /// The same with anchors of x (N x D), positives and negatives of references (M x D), under any
  /// kernel.
  Result forward(Rows<S> x, Rows<S> references, const TripletList& triplets,
                 CallOptions<S> call = {}) const {
    return evaluate(Listed{{{x, references}, {}, false, call}, triplets, true});
  }

  /// Value and gradients, in the shapes of their inputs, times `call.upstream`: one number, or one
  /// a triplet with Reduction::none; each gradient may be `no_gradient` or `accumulate(buffer)`.
  Result forward_backward(Rows<S> x, const TripletList& triplets, GradientRows<S> dx,
                          CallOptions<S> call = {}) const {
    return evaluate(Listed{{{x}, {dx}, true, call}, triplets, false});
  }
  Result forward_backward(Rows<S> x, Rows<S> references, const TripletList& triplets,
                          GradientRows<S> dx, GradientRows<S> d_references,
                          CallOptions<S> call = {}) const {
    return evaluate(Listed{{{x, references}, {dx, d_references}, true, call}, triplets, true});
  }

 private:
  Result evaluate(const Listed& inputs) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs);
  }
  Result evaluate(const detail::Inputs<S, 3>& inputs) const {
    return detail::evaluate(options_, detail::kernel_value<S>(kernel_), inputs);
  }

  TripletOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/triplet.hpp"
#endif
