#pragma once

#include <cstddef>

/// \file
/// What everybody computes who takes part: plain arrays and numbers, for each file may know Eigen
/// and nearfar by names of its own.

namespace bench {

/// Losses that peers know. All are means with the positives and margins of nearfar's defaults.
enum class Loss { info_nce, clip, nt_xent, sup_con, hadsell, batch_hard, other };
enum class Kernel { cosine, inner_product, euclidean, other };

/// Rows x (N x D) with labels or, of losses over two sets, with y (M x D); else y is x and M is N.
/// Of losses against proxies these are y.
/// NT-Xent's views are the halves of x. dx and dy have the shapes of x and y.
template <class S>
struct Batch {
  Loss loss = Loss::other;
  Kernel kernel = Kernel::other;
  std::ptrdiff_t n = 0;
  std::ptrdiff_t m = 0;
  std::ptrdiff_t d = 0;
  int threads = 1;
  double temperature = 1;
  double margin = 1;
  const S* x = nullptr;
  const S* y = nullptr;
  const int* labels = nullptr;
  S* dx = nullptr;
  S* dy = nullptr;

  /// Whether rows are compared with themselves.
  bool is_symmetric() const { return x == y; }
};

/// One way to compute a batch's loss and gradients. What it keeps from call to call, it has.
template <class S>
class Peer {
 public:
  Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  /// The value; the gradients are in dx and dy, or where fetch() puts them there from.
  virtual double call() = 0;
  virtual void fetch() {}
  /// Memory beside rows and gradients, 0 where nobody knows.
  virtual double extra_bytes() const = 0;
};

}  // namespace bench
