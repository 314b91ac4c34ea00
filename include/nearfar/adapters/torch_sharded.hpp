#pragma once

#include "nearfar/adapters/torch/process_group.hpp"
#include "nearfar/adapters/torch/sharded_losses.hpp"

/// \file
/// Losses of batches that are split over the processes of a c10d process group, as functions of
/// LibTorch's tensors in namespace nearfar::libtorch::sharded. For a LibTorch that was built with
/// torch.distributed.
