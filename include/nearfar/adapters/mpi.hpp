#pragma once

#include <mpi.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "nearfar/core/errors.hpp"
#include "nearfar/sharded/exchange.hpp"

/// \file
/// Batches split over the processes of an MPI program. Component nearfar::mpi.
/// <nearfar/sharded.hpp> has the losses and metrics for them.

namespace nearfar::mpi {

/// The processes of an MPI communicator, as the Exchange of sharded losses:
///
///     MPI_Init(&argc, &argv);
///     {
///       nearfar::mpi::Communicator world(MPI_COMM_WORLD);
///       nearfar::sharded::NtXent<float> loss({.temperature = 0.5});
///       auto result = loss.forward_backward(world, view1, view2, d_view1, d_view2);
///     }
///     MPI_Finalize();
///
/// It uses a copy of the communicator, so that its messages do not mix with others. All processes
/// of the communicator construct it together; destroy it before MPI_Finalize. Calls must come from
/// one thread at a time (MPI_THREAD_FUNNELED, from the main thread, is enough).
///
/// If one process finds an error in a call, all processes throw it (see sharded::InfoNce), and the
/// communicator stays usable. An error of MPI itself is a std::runtime_error with its text. If a
/// process dies, MPI decides about the others: by default mpirun ends them.
class Communicator final : public Exchange {
 public:
  /// Throws std::runtime_error unless MPI is initialised.
  explicit Communicator(MPI_Comm processes) {
    int running = 0;
    int over = 0;
    MPI_Initialized(&running);
    MPI_Finalized(&over);
    if (running == 0 || over != 0) {
      throw std::runtime_error("nearfar: wanted MPI between MPI_Init and MPI_Finalize");
    }
    check(MPI_Comm_dup(processes, &processes_), "MPI_Comm_dup");
    // Makes MPI return errors instead of ending the program.
    check(MPI_Comm_set_errhandler(processes_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(MPI_Comm_rank(processes_, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(processes_, &size_), "MPI_Comm_size");
  }
  ~Communicator() override {
    int over = 0;
    MPI_Finalized(&over);
    if (over == 0) MPI_Comm_free(&processes_);
  }
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  /// Bytes that this process has sent to others so far, without those of `gather`.
  std::int64_t bytes_sent() const { return bytes_sent_; }

  Ticket start_send(int to, int channel, const void* data, Index bytes) override {
    bytes_sent_ += bytes;
    const auto* from = static_cast<const unsigned char*>(data);
    return start(bytes, [&](Index first, int count, MPI_Request* request) {
      check(MPI_Isend(from + first, count, MPI_BYTE, to, channel, processes_, request),
            "MPI_Isend");
    });
  }

  Ticket start_receive(int from, int channel, void* data, Index bytes) override {
    auto* into = static_cast<unsigned char*>(data);
    return start(bytes, [&](Index first, int count, MPI_Request* request) {
      check(MPI_Irecv(into + first, count, MPI_BYTE, from, channel, processes_, request),
            "MPI_Irecv");
    });
  }

  void wait(Ticket ticket) override {
    std::vector<MPI_Request>& requests = pending_[static_cast<std::size_t>(ticket)];
    check(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE),
          "MPI_Waitall");
    requests.clear();
    free_.push_back(ticket);
  }

  bool wait_for(Ticket ticket, double seconds) override {
    std::vector<MPI_Request>& requests = pending_[static_cast<std::size_t>(ticket)];
    const double end = MPI_Wtime() + seconds;
    int have_happened = 0;
    for (;;) {
      check(MPI_Testall(static_cast<int>(requests.size()), requests.data(), &have_happened,
                        MPI_STATUSES_IGNORE),
            "MPI_Testall");
      if (have_happened != 0) break;
      if (MPI_Wtime() >= end) return false;
      std::this_thread::yield();
    }
    requests.clear();
    free_.push_back(ticket);
    return true;
  }

  void cancel(Ticket ticket) override {
    for (MPI_Request& request : pending_[static_cast<std::size_t>(ticket)]) {
      if (request != MPI_REQUEST_NULL) check(MPI_Cancel(&request), "MPI_Cancel");
    }
    wait(ticket);
  }

  void gather(const void* own, Index bytes, void* all) override {
    check(MPI_Allgather(own, static_cast<int>(bytes), MPI_BYTE, all, static_cast<int>(bytes),
                        MPI_BYTE, processes_),
          "MPI_Allgather");
  }

 private:
  /// MPI counts bytes in an int: longer messages go in several parts.
  static constexpr Index most_bytes = Index(1) << 30;

  template <class Begin>
  Ticket start(Index bytes, const Begin& begin) {
    const Ticket ticket = next_ticket();
    std::vector<MPI_Request>& requests = pending_[static_cast<std::size_t>(ticket)];
    for (Index first = 0; first < bytes; first += most_bytes) {
      requests.push_back(MPI_REQUEST_NULL);
      begin(first, static_cast<int>(std::min(most_bytes, bytes - first)), &requests.back());
    }
    return ticket;
  }

  Ticket next_ticket() {
    if (free_.empty()) {
      pending_.emplace_back();
      return static_cast<Ticket>(pending_.size()) - 1;
    }
    const Ticket ticket = free_.back();
    free_.pop_back();
    return ticket;
  }

  static void check(int code, const char* call) {
    if (code == MPI_SUCCESS) return;
    char text[MPI_MAX_ERROR_STRING];
    int length = 0;
    MPI_Error_string(code, text, &length);
    throw std::runtime_error("nearfar: " + std::string(call) + ": " +
                             std::string(text, static_cast<std::size_t>(length)));
  }

  MPI_Comm processes_ = MPI_COMM_NULL;
  int rank_ = 0;
  int size_ = 1;
  std::int64_t bytes_sent_ = 0;
  std::vector<std::vector<MPI_Request>> pending_;  ///< the requests of each ticket
  std::vector<Ticket> free_;
};

}  // namespace nearfar::mpi
