// A temperature that is learnt with the rows: its derivative is in the result.
#include <cmath>
#include <iostream>
#include <nearfar/losses/info_nce.hpp>

int main() {
  const nearfar::Matrix<float> queries = nearfar::Matrix<float>::Random(128, 16);
  const nearfar::Matrix<float> keys = queries + nearfar::Matrix<float>::Random(128, 16);

  double log_temperature = std::log(1.0);  // so that no step makes the temperature negative
  double first = 0, last = 0, slope = 0;
  for (int step = 0; step < 50; ++step) {
    const double temperature = std::exp(log_temperature);
    // Constructing a loss is cheap: it holds options and a kernel.
    const nearfar::InfoNce<float> loss({.temperature = temperature});
    nearfar::Matrix<float> d_queries, d_keys;
    const auto result = loss.forward_backward(queries, keys, d_queries, d_keys);
    slope = temperature * result.d_temperature;  // dL/d(log tau) = tau dL/dtau
    log_temperature -= slope;
    last = result.value;
    if (step == 0) first = last;
  }
  std::cout << "temperature 1 -> " << std::exp(log_temperature) << ", loss " << first << " -> "
            << last << ", slope " << slope << '\n';
  return last < first && std::abs(slope) < 1e-2 ? 0 : 1;
}
