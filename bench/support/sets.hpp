#pragma once

#include "support/batch.hpp"

/// \file
/// Code that is compiled once for each instruction set, so that peers use the same set as the
/// losses (NEARFAR_ISA).

namespace bench {

/// A function that makes a peer for a batch; returns null for a loss that it does not have.
template <class S>
using Make = Peer<S>* (*)(const Batch<S>&);

template <class S>
struct OfSet {
  double (*spin)(long rounds);  ///< operations of `rounds` rounds of multiply-adds, in one thread
  Make<S> dense_eigen;
  Make<S> kept_eigen;
  Make<S> kept_onednn;  ///< null without oneDNN
};

/// The code for the losses' instruction set.
template <class S>
const OfSet<S>& of_active_set();

/// Floating point operations a second of `threads` threads that do nothing but multiply-adds, the
/// best of a few tries of some milliseconds.
template <class S>
double multiply_add_peak(int threads);

}  // namespace bench
