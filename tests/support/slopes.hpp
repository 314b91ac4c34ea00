#pragma once

#include <vector>

#include "support/oracle.hpp"

namespace support {

using oracle::Real;

/// What an oracle finds for losses of the inner products of rows: values of terms, and the
/// derivatives of their sum with respect to every score.
struct ScoreSlopes {
  std::vector<Real> values;
  oracle::Matrix slopes;  ///< dL/ds_ij; s_ij and s_ji are separate variables

  ScoreSlopes(std::size_t terms, nearfar::Index rows)
      : values(terms, 0), slopes(oracle::Matrix::Zero(rows, rows)) {}
};

}  // namespace support
