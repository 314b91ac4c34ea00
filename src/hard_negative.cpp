#include "nearfar/losses/hard_negative.hpp"
#include "shared_parts.hpp"

namespace nearfar {

template class HardNegative<float>;
template class HardNegative<double>;

}  // namespace nearfar
