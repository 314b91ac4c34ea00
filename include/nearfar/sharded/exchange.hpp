#pragma once

#include <algorithm>

#include "nearfar/core/matrix.hpp"

namespace nearfar {

/// Communication between the processes that share a batch: numbered messages between two processes,
/// and a gather operation. `mpi::Communicator` (<nearfar/adapters/mpi.hpp>) implements it for MPI;
/// for another transport, derive from this class. All processes make the same calls in the same
/// order, from one thread each.
///
/// A function that fails throws. The messages in transfer are then lost, and the object may be
/// unusable.
class Exchange {
 public:
  virtual ~Exchange() = default;

  /// The number of this process, 0 .. size() - 1.
  virtual int rank() const = 0;
  /// The number of processes, at least 1.
  virtual int size() const = 0;

  /// A transfer in progress, from its start to the wait for it.
  using Ticket = int;

  /// Starts to send `bytes` >= 0 bytes to another process. `data` may be null if there are none,
  /// here and below. The bytes must not change until the wait for the ticket. Messages of one
  /// channel (a small number) from one process to another arrive in the order in which they were
  /// sent.
  virtual Ticket start_send(int to, int channel, const void* data, Index bytes) = 0;

  /// Starts to receive the next message of a channel, of exactly `bytes` bytes.
  virtual Ticket start_receive(int from, int channel, void* data, Index bytes) = 0;

  /// Returns when the transfer is complete. Wait for each ticket once.
  virtual void wait(Ticket ticket) = 0;

  /// The same for at most `seconds` >= 0: false if it has not happened by then; the ticket is then
  /// still to be waited for. An exchange that cannot tell waits until it has. TimeLimit needs it.
  virtual bool wait_for(Ticket ticket, [[maybe_unused]] double seconds) {
    wait(ticket);
    return true;
  }

  /// Gives up a receive that is under way: its memory is not written from then on. TimeLimit needs
  /// it.
  virtual void cancel(Ticket) {}

  /// Gives all processes the `bytes` bytes of each, in `all`, in the order of ranks.
  virtual void gather(const void* own, Index bytes, void* all) = 0;
};

/// A single process: sharded losses are then those of its own rows.
class Alone : public Exchange {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  // There is no other process.
  Ticket start_send(int, int, const void*, Index) override { return 0; }
  Ticket start_receive(int, int, void*, Index) override { return 0; }
  void wait(Ticket) override {}
  void gather(const void* own, Index bytes, void* all) override {
    const auto* from = static_cast<const unsigned char*>(own);
    std::copy(from, from + bytes, static_cast<unsigned char*>(all));
  }
};

}  // namespace nearfar
