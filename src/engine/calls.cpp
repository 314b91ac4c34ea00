#include "nearfar/engine/call.hpp"
#include "nearfar/engine/labelled_call.hpp"

// Instantiated here and nowhere else in the compiled library.

namespace nearfar::detail {

template class Call<float>;
template class Call<double>;
template class LabelledCall<float>;
template class LabelledCall<double>;

}  // namespace nearfar::detail
