#include "nearfar/losses/cpc.hpp"
#include "shared_parts.hpp"

namespace nearfar {

template class Cpc<float>;
template class Cpc<double>;

}  // namespace nearfar
