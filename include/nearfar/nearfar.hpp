#pragma once

/// \file
/// Everything but the adapters.

#include "nearfar/check/gradient_check.hpp"
#include "nearfar/core/determinism.hpp"
#include "nearfar/core/instruction_set.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/register.hpp"
#include "nearfar/memory/cross_batch_memory.hpp"
#include "nearfar/memory/key_queue.hpp"
#include "nearfar/memory/memory_bank.hpp"
#include "nearfar/memory/momentum.hpp"
#include "nearfar/metrics/collapse.hpp"
#include "nearfar/metrics/knn_accuracy.hpp"
#include "nearfar/metrics/nearest_keys.hpp"
#include "nearfar/metrics/retrieval.hpp"
#include "nearfar/sampling/class_sampler.hpp"
#include "nearfar/sampling/m_per_class.hpp"
#include "nearfar/sampling/noise_sampler.hpp"
#include "nearfar/scores/paired.hpp"
#include "nearfar/scores/pairwise.hpp"
#include "nearfar/terms/score_pass.hpp"
#include "nearfar/version.hpp"
