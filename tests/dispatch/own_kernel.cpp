#include <cmath>
#include <nearfar/losses/info_nce.hpp>

/// A user's program with its own kernel; own_kernel_symbols.cmake reads its symbols.

struct OwnKernel {
  static constexpr auto geometry = nearfar::Geometry::squared_distance;
  static constexpr auto orientation = nearfar::Orientation::similarity;
  template <class S>
  S score(S u) const {
    return std::exp(-u / 2);
  }
  template <class S>
  S slope(S, S s) const {
    return -s / 2;
  }
};

double loss_of(const nearfar::Matrix<float>& queries, const nearfar::Matrix<float>& keys,
               nearfar::Matrix<float>& d_queries, nearfar::Matrix<float>& d_keys) {
  const nearfar::InfoNce<float, OwnKernel> loss({.temperature = 0.5});
  return loss.forward_backward(queries, keys, d_queries, d_keys).value;
}
