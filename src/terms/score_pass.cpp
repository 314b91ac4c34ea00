#include "nearfar/terms/impl/score_pass.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const ScorePassOptions&, const KernelValue<float>&,
                                        const Inputs<float, 2>&, bool, RowTerm<float>&);
template NEARFAR_EXPORT Result evaluate(const ScorePassOptions&, const KernelValue<double>&,
                                        const Inputs<double, 2>&, bool, RowTerm<double>&);

}  // namespace nearfar::detail
