#include "peers/dense_eigen.hpp"
#include "peers/kept_scores.hpp"
#include "support/sets.hpp"
#include "support/spin.hpp"
#ifdef BENCH_ONEDNN
#include "peers/onednn.hpp"
#endif

/// \file
/// Compiled once for each instruction set, whose name is BENCH_SET. Nothing here may use the
/// standard library's containers: the linker keeps one body of their functions for the program,
/// which must not have wide instructions.

namespace bench::BENCH_SET {

template <class S>
Peer<S>* no_peer(const Batch<S>&) {
  return nullptr;
}

template <class S>
const OfSet<S>& of_this() {
  static const OfSet<S> table{spin<S>, dense_eigen<S>, kept_scores<S, EigenProducts>,
#ifdef BENCH_ONEDNN
                              kept_onednn<S>
#else
                              no_peer<S>
#endif
  };
  return table;
}

template const OfSet<float>& of_this();
template const OfSet<double>& of_this();

}  // namespace bench::BENCH_SET
