#pragma once

#include "common/dataset.hpp"
#include "common/sound.hpp"

/// \file
/// Sound as rows of numbers: the energies of short frames in bands of frequency.

namespace example {

struct LogMelOptions {
  Eigen::Index bands = 40;
  double lowest = 60;       ///< Hz, where the first band begins
  double highest = 7600;    ///< Hz, where the last band ends
  double frame = 0.025;     ///< seconds of sound in a frame
  double hop = 0.0125;      ///< seconds from one frame to the next
  double range = 6;         ///< decades of energy below the loudest band of the recording; 0 below
  double silence = 3;       ///< frames at both ends so many decades below the loudest are cut off,
  Eigen::Index margin = 8;  ///< but for as many as this
};

/// The log-mel frames of a recording, one a row: the decimal logarithm of the energy in bands that
/// are equally wide on the mel scale (m = 2595 log10(1 + f / 700)), triangular, each overlapping
/// half of the next; `range` is added, the loudest band is at `range`, and what falls below 0 is 0.
/// So rows depend neither on the volume of a recording nor on its rate of samples. Bands above half
/// of that rate are 0. At least one row; a recording without sound is 0.
Pixels log_mel(const Sound& sound, const LogMelOptions& options = {});

}  // namespace example
