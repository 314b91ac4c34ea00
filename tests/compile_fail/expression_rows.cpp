// expect: nearfar: rows must be contiguous in memory
#include <nearfar/core/matrix.hpp>

// A view of the expression's value would outlive that value.
nearfar::Rows<double> view(const nearfar::Matrix<double>& m) { return m * 2.0; }
