// expect: nearfar: labels are integers
#include <nearfar/nearfar.hpp>
#include <vector>

double value(const nearfar::Matrix<double>& x, const std::vector<float>& labels,
             const nearfar::CrossBatchMemory<double>& memory) {
  return nearfar::MinedTriplet<double>().forward(x, labels, memory.rows(), memory.targets()).value;
}
