#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/metrics/nearest_keys.hpp>

#include "support/data.hpp"
#include "support/in_turn.hpp"

#ifdef BENCH_FAISS
#include <faiss/IndexFlat.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif

/// \file
/// The nearest keys of each query: bench_nearest [N M D k threads], inner products. Beside it the
/// forward pass of InfoNCE, which has the same products, and faiss's flat index where it is
/// installed. Indices and scores are compared before anything is timed.

namespace {

using bench::RowMatrix;
using nearfar::Index;

struct Case {
  Index n, m, d, k;
  int threads;
};

/// False where faiss finds others.
bool run(const Case& c) {
  const RowMatrix<float> queries = bench::normal_rows<float>(c.n, c.d, 1);
  const RowMatrix<float> keys = bench::normal_rows<float>(c.m, c.d, 2);
  nearfar::Workspace workspace(c.threads);
#ifdef _OPENMP
  omp_set_num_threads(c.threads);
#endif
  const nearfar::NearestKeys<float, nearfar::InnerProduct> nearest({.k = c.k});
  const nearfar::InfoNce<float, nearfar::InnerProduct> loss({.temperature = double(c.d)});
  std::vector<std::function<void()>> cases = {
      [&] { nearest.find(queries, keys, {.workspace = &workspace}); },
      [&] { loss.forward(queries, keys, {.workspace = &workspace}); }};
#ifdef BENCH_FAISS
  faiss::IndexFlatIP index(c.d);
  index.add(c.m, keys.data());
  std::vector<float> scores(static_cast<std::size_t>(c.n * c.k));
  std::vector<std::int64_t> indices(scores.size());
  const auto search = [&] {
    index.search(c.n, queries.data(), c.k, scores.data(), indices.data());
  };
  search();
  const auto found = nearest.find(queries, keys);
  Index others = 0;
  for (std::size_t i = 0; i < scores.size(); ++i) {
    if (std::abs(scores[i] - found.scores[i]) > 1e-4f * float(c.d)) {
      std::fprintf(stderr, "place %zu: score %g, faiss's %g\n", i, double(found.scores[i]),
                   double(scores[i]));
      return false;
    }
    others += indices[i] != found.indices[i];
  }
  // Scores that differ by roundings may change places.
  if (others > c.n * c.k / 1000) {
    std::fprintf(stderr, "%td indices are not faiss's\n", others);
    return false;
  }
  cases.push_back(search);
#endif
  const std::vector<double> ms = bench::best_in_turn(cases, 5);
  const double operations = 2 * double(c.n) * double(c.m) * double(c.d);
  std::printf("| %td | %td | %td | %td | %d | %.1f | %.0f | %.2f |", c.n, c.m, c.d, c.k, c.threads,
              ms[0], operations / ms[0] / 1e6, ms[0] / ms[1]);
  if (ms.size() > 2) std::printf(" %.2f |", ms[2] / ms[0]);
  std::printf("\n");
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  std::printf("| N | M | D | k | threads | ms | GFlop/s | time over InfoNCE's forward pass |");
#ifdef BENCH_FAISS
  std::printf(" faiss's time over ours |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
#else
  std::printf("\n|--:|--:|--:|--:|--:|--:|--:|--:|\n");
#endif
  if (argc == 6) {
    const Case one{std::atol(argv[1]), std::atol(argv[2]), std::atol(argv[3]), std::atol(argv[4]),
                   std::atoi(argv[5])};
    return run(one) ? 0 : 1;
  }
  bool same = true;
  for (const int threads : {1, 2}) {
    for (const Case& c :
         {Case{1000, 10000, 128, 10, threads}, Case{10000, 100000, 128, 10, threads},
          Case{1000, 100000, 768, 10, threads}, Case{1000, 100000, 128, 200, threads},
          Case{1, 100000, 128, 10, threads}}) {
      same = run(c) && same;
    }
  }
  return same ? 0 : 1;
}
