#include "nearfar/losses/hard_negative.hpp"

namespace nearfar {

template class HardNegative<float>;
template class HardNegative<double>;

}  // namespace nearfar
