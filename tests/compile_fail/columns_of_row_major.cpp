// expect: nearfar: columns_as_rows takes a column-major matrix
#include <nearfar/core/matrix.hpp>

// These are rows already: using its columns as rows would need a copy.
nearfar::Rows<float> view(const nearfar::Matrix<float>& m) { return nearfar::columns_as_rows(m); }
