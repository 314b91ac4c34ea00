// expect: nearfar: columns_as_rows takes a column-major matrix
#include <nearfar/core/matrix.hpp>

// Already rows: taking its columns for rows would need a copy.
nearfar::Rows<float> view(const nearfar::Matrix<float>& m) { return nearfar::columns_as_rows(m); }
