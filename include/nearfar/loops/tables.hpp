#pragma once

#include "nearfar/core/instruction_set.hpp"
#include "nearfar/loops/critic.hpp"
#include "nearfar/loops/double_hinges.hpp"
#include "nearfar/loops/gaussian.hpp"
#include "nearfar/loops/hadsell.hpp"
#include "nearfar/loops/hard_negative.hpp"
#include "nearfar/loops/histogram.hpp"
#include "nearfar/loops/lifted.hpp"
#include "nearfar/loops/linear_contrastive.hpp"
#include "nearfar/loops/logistic.hpp"
#include "nearfar/loops/pair_logits.hpp"
#include "nearfar/loops/prefixes.hpp"
#include "nearfar/loops/products.hpp"
#include "nearfar/loops/ranked_list.hpp"
#include "nearfar/loops/rows.hpp"
#include "nearfar/loops/scores.hpp"
#include "nearfar/loops/sincere.hpp"
#include "nearfar/loops/smooth_rank.hpp"
#include "nearfar/loops/softmax.hpp"
#include "nearfar/loops/triplets.hpp"

/// \file
/// The vector code of one instruction set: the loops of all families. A family is a header here,
/// one in impl/ and a line in each of three places: the includes above, those of impl/tables.hpp
/// and the list below.

/// family(Loops, loops) for each: the type of the table, and the function that returns the selected
/// one.
// clang-format off
#define NEARFAR_LOOP_FAMILIES(family)                      \
  family(CriticLoops, critic_loops)                        \
  family(DoubleHingeLoops, double_hinge_loops)             \
  family(GaussianLoops, gaussian_loops)                    \
  family(HadsellLoops, hadsell_loops)                      \
  family(HardNegativeLoops, hard_negative_loops)           \
  family(HistogramLoops, histogram_loops)                  \
  family(LiftedLoops, lifted_loops)                        \
  family(LinearContrastiveLoops, linear_contrastive_loops) \
  family(LogisticLoops, logistic_loops)                    \
  family(PairLogitLoops, pair_logit_loops)                 \
  family(PrefixLoops, prefix_loops)                        \
  family(ProductLoops, product_loops)                      \
  family(RankedListLoops, ranked_list_loops)               \
  family(RowLoops, row_loops)                              \
  family(ScoreLoops, score_loops)                          \
  family(SincereLoops, sincere_loops)                      \
  family(SmoothRankLoops, smooth_rank_loops)               \
  family(SoftmaxLoops, softmax_loops)                      \
  family(TripletLoops, triplet_loops)
// clang-format on

namespace nearfar::detail {

template <class S>
struct LoopTables {
  /// The instruction set of these loops.
  InstructionSet set;
#define NEARFAR_LOOPS_MEMBER(Loops, loops) Loops<S> loops;
  NEARFAR_LOOP_FAMILIES(NEARFAR_LOOPS_MEMBER)
#undef NEARFAR_LOOPS_MEMBER
};

}  // namespace nearfar::detail
