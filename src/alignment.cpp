#include "nearfar/losses/alignment.hpp"
#include "shared_parts.hpp"

namespace nearfar {

template class Alignment<float>;
template class Alignment<double>;

}  // namespace nearfar
