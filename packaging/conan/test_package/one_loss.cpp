#include <cmath>
#include <iostream>
#include <nearfar/core/instruction_set.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/version.hpp>

// Little to compile: with all rows alike, InfoNCE over N keys is log N.

int main() {
  const nearfar::Matrix<float> rows = nearfar::Matrix<float>::Ones(8, 5);
  nearfar::Matrix<float> d_queries;
  nearfar::Matrix<float> d_keys;
  const double value =
      nearfar::InfoNce<float>().forward_backward(rows, rows, d_queries, d_keys).value;
  std::cout << "nearfar " << nearfar::version() << ", "
            << nearfar::name_of(nearfar::active_instruction_set()) << ": " << value << '\n';
  return std::abs(value - std::log(8.0)) < 1e-5 && d_queries.rows() == 8 ? 0 : 1;
}
