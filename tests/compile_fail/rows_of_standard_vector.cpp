// expect: nearfar: rows have a shape. Pass nearfar::Rows<S>(numbers, n, d)
#include <nearfar/nearfar.hpp>
#include <vector>

double value(const std::vector<float>& x, const std::vector<int>& labels) {
  return nearfar::SupCon<float>().forward(x, labels).value;
}
