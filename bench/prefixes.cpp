#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/matryoshka.hpp>

#include "support/data.hpp"
#include "support/in_turn.hpp"

/// \file
/// InfoNCE of several prefixes of the same rows: bench_prefixes [N ...], forward and backward, one
/// thread, in one call and in a call for each prefix, beside the whole rows alone. The values are
/// compared before anything is timed.

namespace {

using bench::RowMatrix;
using nearfar::Index;
using nearfar::Rows;

constexpr Index cols = 768;
const std::vector<Index> prefixes = {64, 128, 256, 512, 768};

/// False where the values differ.
bool run(Index n) {
  const RowMatrix<float> q = bench::normal_rows<float>(n, cols, 1);
  const RowMatrix<float> k = q + bench::normal_rows<float>(n, cols, 2);
  RowMatrix<float> dq(n, cols);
  RowMatrix<float> dk(n, cols);
  nearfar::Workspace workspace(1);
  const nearfar::MatryoshkaInfoNce<float> together({.prefixes = prefixes});
  const nearfar::InfoNce<float> loss;

  const auto in_one_call = [&] {
    return together.forward_backward(q, k, dq, dk, {.workspace = &workspace}).value;
  };
  const auto whole = [&] {
    return loss.forward_backward(q, k, dq, dk, {.workspace = &workspace}).value;
  };
  const auto one_by_one = [&] {
    dq.setZero();
    dk.setZero();
    double value = 0;
    for (const Index d : prefixes) {
      value += loss.forward_backward(Rows<float>(q.data(), n, d, cols),
                                     Rows<float>(k.data(), n, d, cols),
                                     nearfar::accumulate(dq.leftCols(d)),
                                     nearfar::accumulate(dk.leftCols(d)), {.workspace = &workspace})
                   .value;
    }
    return value;
  };
  const double one = in_one_call();
  const double other = one_by_one();
  if (!(std::abs(one - other) <= 1e-5 * std::abs(other))) {
    std::fprintf(stderr, "N = %td: %g in one call, %g one by one\n", n, one, other);
    return false;
  }
  const std::function<void()> cases[] = {whole, in_one_call, one_by_one};
  const std::vector<double> ms = bench::best_in_turn(cases, n <= 512 ? 15 : 5);
  std::printf("| %td | %.2f | %.2f | %.2f | %.2f | %.2f |\n", n, ms[0], ms[1], ms[2], ms[1] / ms[0],
              ms[2] / ms[0]);
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::printf(
      "| N | whole rows, ms | prefixes in one call, ms | a call for each, ms | one call / whole | "
      "calls / whole |\n|--:|--:|--:|--:|--:|--:|\n");
  bool same = true;
  for (int k = 1; k < argc; ++k) same = run(std::atol(argv[k])) && same;
  for (const Index n : {256, 1024, 2048}) same = (argc > 1 || run(n)) && same;
  return same ? 0 : 1;
}
