// InfoNCE in ten lines: the cross entropy of each query's own key among all keys.
#include <iostream>
#include <nearfar/losses/info_nce.hpp>

int main() {
  const nearfar::Matrix<float> queries = nearfar::Matrix<float>::Random(256, 64);  // N x D
  const nearfar::Matrix<float> keys = queries + nearfar::Matrix<float>::Random(256, 64);
  nearfar::Matrix<float> d_queries, d_keys;  // resized by the call

  const nearfar::InfoNce<float> loss({.temperature = 0.07});  // cosine similarity
  const double before = loss.forward_backward(queries, keys, d_queries, d_keys).value;
  const nearfar::Matrix<float> moved = queries - 10.f * d_queries;  // one step of gradient descent
  const double after = loss.forward(moved, keys).value;

  std::cout << "loss " << before << ", after a step " << after << '\n';
  return after < before ? 0 : 1;
}
