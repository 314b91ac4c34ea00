#include "nearfar/losses/impl/score_regression.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT Result evaluate(const ScoreRegressionOptions&, const KernelValue<float>&,
                                        const Inputs<float, 2>&, const Numbers<float>&);
template NEARFAR_EXPORT Result evaluate(const ScoreRegressionOptions&, const KernelValue<double>&,
                                        const Inputs<double, 2>&, const Numbers<double>&);

}  // namespace nearfar::detail
