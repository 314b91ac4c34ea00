#include <mpi.h>

#include <cmath>
#include <cstdio>
#include <nearfar/adapters/mpi.hpp>
#include <nearfar/sharded.hpp>

/// The same rows on both processes: for each row the row itself and its copy are equally near.
double loss_of_copies() {
  nearfar::mpi::Communicator world(MPI_COMM_WORLD);
  Eigen::Matrix<float, 4, 4, Eigen::RowMajor> x = decltype(x)::Identity();
  const nearfar::sharded::InfoNce<float> loss({.temperature = 0.01});
  return loss.forward(world, x, x).value / std::log(world.size());
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  const double value = loss_of_copies();
  MPI_Finalize();
  std::printf("loss %g log processes\n", value);
  return std::abs(value - 1) < 1e-6 ? 0 : 1;
}
