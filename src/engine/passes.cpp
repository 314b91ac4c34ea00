#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/engine/per_query_pass.hpp"
#include "nearfar/engine/two_sided_pass.hpp"

// Instantiated here and nowhere else in the compiled library.

namespace nearfar::detail {

template class OneSidedPass<float>;
template class OneSidedPass<double>;
template class PerQueryPass<float>;
template class PerQueryPass<double>;
template class TwoSidedPass<float>;
template class TwoSidedPass<double>;

}  // namespace nearfar::detail
