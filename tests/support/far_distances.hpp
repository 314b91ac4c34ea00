#pragma once

#include "support/loss_oracles.hpp"
#include "support/random.hpp"

/// \file
/// Distances far above the temperature.

namespace support {

/// Distances near 3000, whose exponentials underflow: only their differences count.
struct FarDistances {
  Matrix<double> x = random_rows<double>(4, 3, 5);
  Matrix<double> y = random_rows<double>(4, 3, 6);
  oracle::Real info_nce;  ///< at temperature 1

  FarDistances() {
    y.col(0).array() += 3000;
    info_nce = oracle::info_nce(oracle::Euclidean(), 1, oracle::exact(x), oracle::exact(y), nullptr,
                                oracle::Request())
                   .value;
  }
};

}  // namespace support
