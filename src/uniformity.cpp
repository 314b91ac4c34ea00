#include "nearfar/losses/uniformity.hpp"

namespace nearfar {

template class Uniformity<float>;
template class Uniformity<double>;

}  // namespace nearfar
