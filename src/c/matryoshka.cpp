#include "forms.hpp"

/// \file
/// MatryoshkaInfoNce, which has no line in the register.

namespace nearfar::detail::c {

struct MatryoshkaLine {
  static constexpr const char* class_name = "MatryoshkaInfoNce";
  static constexpr Takes takes = Takes::pairs;
  using Options = MatryoshkaOptions;
  template <class S>
  using Kernels = registered::kernel_lists::SymmetricSimilarities<S>;
  template <class S, class... K>
  using Loss = typename registered::WithKernel<MatryoshkaInfoNce<S>, K...>::Type;
};

}  // namespace nearfar::detail::c

NEARFAR_C_FUNCTIONS(matryoshka_info_nce,
                    nearfar::detail::c::LossFor<nearfar::detail::c::MatryoshkaLine,
                                                nearfar_matryoshka_info_nce_options>)
