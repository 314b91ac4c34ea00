#include "nearfar/losses/alignment.hpp"

namespace nearfar {

template class Alignment<float>;
template class Alignment<double>;

}  // namespace nearfar
