#pragma once

/// \file
/// An option of losses over sequences.

namespace nearfar {

/// The targets that a context of sequence b at time t is to tell its own, (b, t + k), from.
enum class SequenceNegatives {
  same_time,      ///< targets (b', t + k) of the other sequences
  same_sequence,  ///< other targets (b, t' + k) of the same sequence
  all             ///< all other targets (b', t' + k)
};

}  // namespace nearfar
