#pragma once

#include <algorithm>

#include "nearfar/core/matrix.hpp"

namespace nearfar {

/// How the processes that share a batch talk to each other: numbered messages between two of them,
/// and one gathering. `mpi::Communicator` (<nearfar/adapters/mpi.hpp>) is one over MPI; to run over
/// another transport, derive from this. All processes make the same calls in the same order, from
/// one thread each.
///
/// A function that fails throws; what was exchanged is then lost, and so may be the exchange.
class Exchange {
 public:
  virtual ~Exchange() = default;

  /// This process, 0 .. size() - 1.
  virtual int rank() const = 0;
  /// How many there are, at least 1.
  virtual int size() const = 0;

  /// A transfer that is under way until it is waited for.
  using Ticket = int;

  /// Begins to send `bytes` >= 0 bytes to another process; where there are none, `data` may be null
  /// here and below. They must stay as they are until the wait for the ticket. Messages of one
  /// channel (a small number) from one process to another arrive in the order they were sent in.
  virtual Ticket start_send(int to, int channel, const void* data, Index bytes) = 0;

  /// Begins to receive the next message of a channel, of exactly `bytes` bytes.
  virtual Ticket start_receive(int from, int channel, void* data, Index bytes) = 0;

  /// Returns when what the ticket is for has happened. Each ticket is waited for once.
  virtual void wait(Ticket ticket) = 0;

  /// Gives everyone everyone's `bytes` bytes, `all` in order of ranks.
  virtual void gather(const void* own, Index bytes, void* all) = 0;
};

/// One process that shares with nobody: sharded losses then are those of its own rows.
class Alone : public Exchange {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  // There is nobody to send to.
  Ticket start_send(int, int, const void*, Index) override { return 0; }
  Ticket start_receive(int, int, void*, Index) override { return 0; }
  void wait(Ticket) override {}
  void gather(const void* own, Index bytes, void* all) override {
    const auto* from = static_cast<const unsigned char*>(own);
    std::copy(from, from + bytes, static_cast<unsigned char*>(all));
  }
};

}  // namespace nearfar
