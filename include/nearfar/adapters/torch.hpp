#pragma once

#include "nearfar/adapters/torch/label_losses.hpp"
#include "nearfar/adapters/torch/metrics.hpp"
#include "nearfar/adapters/torch/proxy_losses.hpp"
#include "nearfar/adapters/torch/row_losses.hpp"
#include "nearfar/adapters/torch/set_losses.hpp"

/// \file
/// Losses of nearfar as functions of LibTorch's tensors, in namespace nearfar::libtorch:
///
///     torch::Tensor loss = nearfar::libtorch::nt_xent(view1, view2, {.temperature = 0.5});
///     loss.backward();
///
/// Arguments are rows, then labels and the like, then the loss's options (nearfar's own), then
/// numbers that are learnt (as tensors), then the kernel.
///
/// Rows are float or double tensors on the CPU, all of one type, or each of float, half or
/// bfloat16: the loss then computes in float, and a gradient is rounded to the type of its rows
/// once. They are read where they are: a stride from row to row is no matter, and only elements
/// that are not neighbours within a row (a transposed matrix), and rows that overlap, are copied.
/// The value is a tensor of the type that is computed in, of no dimensions, or with Reduction::none
/// of one number a row.
///
/// Gradients are nearfar's, for rows, for matrices of kernels (BilinearTensor, MahalanobisTensor)
/// and for learnt numbers, where they require one and grad mode is on; else they are not computed,
/// and where no input requires one the call is a forward pass. They are computed with the value and
/// kept until backward, O((N + M) D); with Reduction::none, inputs are kept and backward computes.
/// They can't be differentiated again: that is an error (c10::Error), create_graph alone is none.
///
/// Calls use at::get_num_threads() threads, the calling thread's `workspace()` and the products of
/// its ProductsGuard.
///
/// Errors about tensors (device, type, dimensions, derivatives) are LibTorch's c10::Error. Errors
/// of nearfar pass as they are: std::invalid_argument for sizes, labels and options that do not
/// fit, std::domain_error for elements that are not finite. All are thrown before anything is
/// written.
