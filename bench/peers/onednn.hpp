#pragma once

#include <dnnl.h>
#include <omp.h>

#include <type_traits>

#include "peers/kept_scores.hpp"

/// \file
/// Kept scores with oneDNN's matrix product, for float alone.

namespace bench::BENCH_SET {

struct OneDnnProducts {
  template <class P, class A, class B>
  static void scores(const A& x, const B& y, P& p) {
    dnnl_sgemm('N', 'T', x.rows(), y.rows(), x.cols(), 1, x.data(), x.cols(), y.data(), y.cols(), 0,
               p.data(), p.cols());
  }
  template <class P, class B, class G>
  static void weighted(const P& p, const B& y, G& g) {
    dnnl_sgemm('N', 'N', p.rows(), y.cols(), p.cols(), 1, p.data(), p.cols(), y.data(), y.cols(), 0,
               g.data(), g.cols());
  }
  template <class P, class A, class G>
  static void transposed(const P& p, const A& x, G& g) {
    dnnl_sgemm('T', 'N', p.cols(), x.cols(), p.rows(), 1, p.data(), p.cols(), x.data(), x.cols(), 0,
               g.data(), g.cols());
  }
  static void use_threads(int threads) { omp_set_num_threads(threads); }
};

template <class S>
Peer<S>* kept_onednn(const Batch<S>& batch) {
  if constexpr (std::is_same_v<S, float>) return kept_scores<S, OneDnnProducts>(batch);
  return nullptr;
}

}  // namespace bench::BENCH_SET
