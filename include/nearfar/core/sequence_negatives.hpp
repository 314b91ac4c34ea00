#pragma once

/// \file
/// An option of losses over sequences.

namespace nearfar {

/// The negatives of a context of sequence b at time t, whose positive is (b, t + k).
enum class SequenceNegatives {
  same_time,      ///< targets (b', t + k) of the other sequences
  same_sequence,  ///< other targets (b, t' + k) of the same sequence
  all             ///< all other targets (b', t' + k)
};

}  // namespace nearfar
