// expect: nearfar: rows have a shape. Pass nearfar::Rows<S>(numbers, n, d)
#include <nearfar/nearfar.hpp>

double value(const double* queries, const double* keys) {
  return nearfar::InfoNce<double>().forward(queries, keys).value;
}
