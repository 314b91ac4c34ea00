#include "nearfar/losses/uniformity.hpp"
#include "shared_parts.hpp"

namespace nearfar {

template class Uniformity<float>;
template class Uniformity<double>;

}  // namespace nearfar
