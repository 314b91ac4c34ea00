#include "nearfar/sharded/impl/co_sent.hpp"

#include "nearfar/core/export.hpp"

namespace nearfar::detail {

template NEARFAR_EXPORT CoSentResult evaluate(const CoSentOptions&, const KernelValue<float>&,
                                              const ShardedInputs<float, 2>&,
                                              const Numbers<float>&);
template NEARFAR_EXPORT CoSentResult evaluate(const CoSentOptions&, const KernelValue<double>&,
                                              const ShardedInputs<double, 2>&,
                                              const Numbers<double>&);
template NEARFAR_EXPORT CoSentResult evaluate(const AngleOptions&, const ShardedInputs<float, 2>&,
                                              const Numbers<float>&);
template NEARFAR_EXPORT CoSentResult evaluate(const AngleOptions&, const ShardedInputs<double, 2>&,
                                              const Numbers<double>&);

}  // namespace nearfar::detail
