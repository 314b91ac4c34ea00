#pragma once

#include <cstddef>

/// \file
/// The problem that all participants compute: plain arrays and numbers, because each file may use
/// Eigen and nearfar under separate names.

namespace bench {

/// Losses that peers have. All are means, with nearfar's positives and default margins.
enum class Loss { info_nce, clip, nt_xent, sup_con, hadsell, batch_hard, other };
enum class Kernel { cosine, inner_product, euclidean, other };

/// Rows x (N x D) with labels or, for losses over two sets, with y (M x D); else y is x and M is N.
/// For losses against proxies y are the proxies. NT-Xent's views are the halves of x. dx and dy
/// have the shapes of x and y.
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

  /// True if rows are compared with themselves.
  bool is_symmetric() const { return x == y; }
};

/// One way to compute a batch's loss and gradients. The object owns what it keeps from call to
/// call.
template <class S>
class Peer {
 public:
  Peer() = default;
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;
  virtual ~Peer() = default;

  /// Returns the value; the gradients are in dx and dy, or fetch() copies them there.
  virtual double call() = 0;
  virtual void fetch() {}
  /// Memory besides rows and gradients, 0 if unknown.
  virtual double extra_bytes() const = 0;
};

}  // namespace bench
