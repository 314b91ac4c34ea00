// The instruction set and the number of threads of a call.
//
//     NEARFAR_ISA=avx2 OMP_NUM_THREADS=8 ./instruction_set_and_threads
#include <iostream>
#include <nearfar/core/instruction_set.hpp>
#include <nearfar/losses/info_nce.hpp>

int main() {
  std::cout << "instruction set " << nearfar::name_of(nearfar::active_instruction_set()) << '\n';

  const nearfar::Matrix<float> queries = nearfar::Matrix<float>::Random(512, 32);
  const nearfar::Matrix<float> keys = nearfar::Matrix<float>::Random(512, 32);
  const nearfar::InfoNce<float> loss;
  nearfar::Matrix<float> dq1, dk1, dq2, dk2;
  nearfar::Workspace one(1), two(2);  // threads of its calls; 0, the default: OpenMP's own number
  const double value1 = loss.forward_backward(queries, keys, dq1, dk1, {.workspace = &one}).value;
  const double value2 = loss.forward_backward(queries, keys, dq2, dk2, {.workspace = &two}).value;

  const bool same = value1 == value2 && dq1 == dq2 && dk1 == dk2;
  std::cout << "loss " << value1 << ", " << (same ? "the same" : "other")
            << " bits with 2 threads\n";
  return same ? 0 : 1;
}
