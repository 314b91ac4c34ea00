#pragma once

/// \file
/// Everything but the adapters.

#include "nearfar/check/gradient_check.hpp"
#include "nearfar/kernels/bilinear.hpp"
#include "nearfar/kernels/cosine.hpp"
#include "nearfar/kernels/euclidean.hpp"
#include "nearfar/kernels/inner_product.hpp"
#include "nearfar/kernels/mahalanobis.hpp"
#include "nearfar/kernels/squared_euclidean.hpp"
#include "nearfar/losses/clip.hpp"
#include "nearfar/losses/hadsell.hpp"
#include "nearfar/losses/info_nce.hpp"
#include "nearfar/losses/mined_triplet.hpp"
#include "nearfar/losses/nce.hpp"
#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/losses/sig_lip.hpp"
#include "nearfar/losses/sup_con.hpp"
#include "nearfar/losses/triplet.hpp"
#include "nearfar/scores/paired.hpp"
#include "nearfar/scores/pairwise.hpp"
