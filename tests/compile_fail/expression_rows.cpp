// expect: nearfar: rows must be contiguous in memory
#include <nearfar/core/matrix.hpp>

// A view of what an expression evaluates to would outlive it.
nearfar::Rows<double> view(const nearfar::Matrix<double>& m) { return m * 2.0; }
