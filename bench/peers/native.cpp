#include "peers/native.hpp"

#include <nearfar/losses/info_nce.hpp>

namespace bench {

namespace {

class Native final : public Peer<float> {
 public:
  explicit Native(const Batch<float>& b)
      : b_(b), loss_({.temperature = b.temperature}), workspace_(b.threads) {}

  double call() override {
    return loss_
        .forward_backward({b_.x, b_.n, b_.d}, {b_.y, b_.m, b_.d}, {b_.dx, b_.n, b_.d},
                          {b_.dy, b_.m, b_.d}, {.workspace = &workspace_})
        .value;
  }
  double extra_bytes() const override { return static_cast<double>(workspace_.bytes()); }

 private:
  Batch<float> b_;
  nearfar::InfoNce<float> loss_;
  nearfar::Workspace workspace_;
};

}  // namespace

Peer<float>* native(const Batch<float>& batch) {
  const bool its = batch.loss == Loss::info_nce && batch.kernel == Kernel::cosine;
  return its ? new Native(batch) : nullptr;
}

}  // namespace bench
