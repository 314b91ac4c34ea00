// Many small batches at once: calls inside your own parallel region take one thread each.
#include <iostream>
#include <nearfar/losses/nt_xent.hpp>
#include <vector>

int main() {
  constexpr int batches = 16;
  std::vector<nearfar::Matrix<float>> views(2 * batches);
  for (auto& view : views) view = nearfar::Matrix<float>::Random(64, 16);
  const nearfar::NtXent<float> loss;  // immutable: all threads may use it

  std::vector<double> values(batches);
#pragma omp parallel
  {
    nearfar::Workspace workspace;  // one a thread
#pragma omp for
    for (int b = 0; b < batches; ++b) {
      const auto at = static_cast<std::size_t>(b);
      values[at] = loss.forward(views[2 * at], views[2 * at + 1], {.workspace = &workspace}).value;
    }
  }

  bool same = true;  // the same bits from any thread
  for (std::size_t b = 0; b < batches; ++b) {
    same = same && values[b] == loss.forward(views[2 * b], views[2 * b + 1]).value;
  }
  std::cout << (same ? "the same" : "other") << " bits inside and outside of the region\n";
  return same ? 0 : 1;
}
