#pragma once

#include <ATen/ops/from_blob.h>

#include <cstdint>
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>
#include <utility>
#include <vector>

#include "nearfar/core/errors.hpp"
#include "nearfar/sharded/exchange.hpp"

namespace nearfar::libtorch {

/// The processes of a c10d process group, as sharded losses exchange rows: the group of
/// torch.distributed, with a backend that sends tensors of the CPU (Gloo, MPI).
///
///     nearfar::libtorch::ProcessGroupExchange world(group);
///     Tensor loss = nearfar::libtorch::sharded::nt_xent(world, view1, view2);
///
/// The group is this exchange's own: a message that the program sends through it at the same time
/// may be taken for one of the library's (torch.distributed.new_group makes another group of the
/// same processes). Errors and timeouts of the group are thrown as c10d throws them.
class ProcessGroupExchange final : public Exchange {
 public:
  /// Throws std::invalid_argument without a group.
  explicit ProcessGroupExchange(c10::intrusive_ptr<c10d::ProcessGroup> group)
      : group_(std::move(group)) {
    if (!group_.defined()) fail_argument("group", "a process group", "none");
  }

  int rank() const override { return group_->getRank(); }
  int size() const override { return group_->getSize(); }

  Ticket start_send(int to, int channel, const void* data, Index bytes) override {
    if (bytes == 0) return add({});
    std::vector<at::Tensor> tensors = {tensor_of(data, bytes)};
    return add({group_->send(tensors, to, channel), tensors[0]});
  }

  Ticket start_receive(int from, int channel, void* data, Index bytes) override {
    if (bytes == 0) return add({});
    std::vector<at::Tensor> tensors = {tensor_of(data, bytes)};
    return add({group_->recv(tensors, from, channel), tensors[0]});
  }

  void wait(Ticket ticket) override {
    Transfer& transfer = pending_[static_cast<std::size_t>(ticket)];
    if (transfer.work.defined()) transfer.work->wait();
    transfer = {};
    free_.push_back(ticket);
  }

  void gather(const void* own, Index bytes, void* all) override {
    if (bytes == 0) return;
    std::vector<at::Tensor> inputs = {tensor_of(own, bytes)};
    std::vector<std::vector<at::Tensor>> outputs(1);
    for (int rank = 0; rank < size(); ++rank) {
      outputs[0].push_back(tensor_of(static_cast<unsigned char*>(all) + rank * bytes, bytes));
    }
    group_->allgather(outputs, inputs)->wait();
  }

 private:
  struct Transfer {
    c10::intrusive_ptr<c10d::Work> work = {};
    at::Tensor bytes = {};
  };

  static at::Tensor tensor_of(const void* data, Index bytes) {
    return at::from_blob(const_cast<void*>(data), {bytes}, at::kByte);
  }

  Ticket add(Transfer transfer) {
    if (free_.empty()) {
      free_.push_back(static_cast<Ticket>(pending_.size()));
      pending_.emplace_back();
    }
    const Ticket ticket = free_.back();
    free_.pop_back();
    pending_[static_cast<std::size_t>(ticket)] = std::move(transfer);
    return ticket;
  }

  c10::intrusive_ptr<c10d::ProcessGroup> group_;
  std::vector<Transfer> pending_;  ///< of each ticket
  std::vector<Ticket> free_;
};

}  // namespace nearfar::libtorch
