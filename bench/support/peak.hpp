#pragma once

/// \file
/// The yardstick: what the multiply-add units give when nothing else is asked of the processor.

namespace bench {

/// Floating point operations a second of `threads` threads, of float or double as S is, the best of
/// a few tries of some milliseconds, with the instruction set that nearfar's losses run with.
template <class S>
double multiply_add_peak(int threads);

}  // namespace bench
