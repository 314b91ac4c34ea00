#include "nearfar/losses/impl/co_sent.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT CoSentResult evaluate(const CoSentOptions&, const KernelValue<float>&,
                                              const Inputs<float, 2>&, const Numbers<float>&);
template NEARFAR_EXPORT CoSentResult evaluate(const CoSentOptions&, const KernelValue<double>&,
                                              const Inputs<double, 2>&, const Numbers<double>&);
template NEARFAR_EXPORT CoSentResult evaluate(const AngleOptions&, const Inputs<float, 2>&,
                                              const Numbers<float>&);
template NEARFAR_EXPORT CoSentResult evaluate(const AngleOptions&, const Inputs<double, 2>&,
                                              const Numbers<double>&);

}  // namespace nearfar::detail
