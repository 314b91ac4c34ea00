#pragma once

/// \file
/// Losses and metrics of batches split over processes.

#include "nearfar/sharded/alignment.hpp"
#include "nearfar/sharded/barlow_twins.hpp"
#include "nearfar/sharded/circle.hpp"
#include "nearfar/sharded/clip.hpp"
#include "nearfar/sharded/collapse.hpp"
#include "nearfar/sharded/gor.hpp"
#include "nearfar/sharded/hadsell.hpp"
#include "nearfar/sharded/in_batch_info_nce.hpp"
#include "nearfar/sharded/info_nce.hpp"
#include "nearfar/sharded/knn_accuracy.hpp"
#include "nearfar/sharded/ko_leo.hpp"
#include "nearfar/sharded/lifted_structure.hpp"
#include "nearfar/sharded/linear_contrastive.hpp"
#include "nearfar/sharded/mined_triplet.hpp"
#include "nearfar/sharded/multi_similarity.hpp"
#include "nearfar/sharded/nearest_keys.hpp"
#include "nearfar/sharded/nt_xent.hpp"
#include "nearfar/sharded/retrieval.hpp"
#include "nearfar/sharded/sig_lip.hpp"
#include "nearfar/sharded/sig_reg.hpp"
#include "nearfar/sharded/sup_con.hpp"
#include "nearfar/sharded/time_limit.hpp"
#include "nearfar/sharded/uniformity.hpp"
#include "nearfar/sharded/vic_reg.hpp"
