#include "nearfar/sharded/impl/sharded_call.hpp"

#include "nearfar/sharded/impl/sharded_labelled_call.hpp"

// Instantiated here and nowhere else in the compiled library.

namespace nearfar::detail {

template class PairRing<float>;
template class PairRing<double>;
template class ShardedCall<float>;
template class ShardedCall<double>;
template class ShardedLabelledCall<float>;
template class ShardedLabelledCall<double>;

}  // namespace nearfar::detail
