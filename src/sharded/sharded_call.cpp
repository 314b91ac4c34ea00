#include "nearfar/sharded/impl/sharded_call.hpp"

// Instantiated here and nowhere else in the compiled library.

namespace nearfar::detail {

template class ShardedCall<float>;
template class ShardedCall<double>;

}  // namespace nearfar::detail
