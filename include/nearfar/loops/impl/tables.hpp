#pragma once

#include "nearfar/loops/impl/critic.hpp"
#include "nearfar/loops/impl/double_hinges.hpp"
#include "nearfar/loops/impl/gaussian.hpp"
#include "nearfar/loops/impl/hadsell.hpp"
#include "nearfar/loops/impl/hard_negative.hpp"
#include "nearfar/loops/impl/histogram.hpp"
#include "nearfar/loops/impl/lifted.hpp"
#include "nearfar/loops/impl/linear_contrastive.hpp"
#include "nearfar/loops/impl/logistic.hpp"
#include "nearfar/loops/impl/pair_logits.hpp"
#include "nearfar/loops/impl/prefixes.hpp"
#include "nearfar/loops/impl/products.hpp"
#include "nearfar/loops/impl/ranked_list.hpp"
#include "nearfar/loops/impl/rows.hpp"
#include "nearfar/loops/impl/scores.hpp"
#include "nearfar/loops/impl/sincere.hpp"
#include "nearfar/loops/impl/smooth_rank.hpp"
#include "nearfar/loops/impl/softmax.hpp"
#include "nearfar/loops/impl/triplets.hpp"
#include "nearfar/loops/tables.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

/// The tables of this instruction set. Their definitions, in src/loops/, are constants, so that
/// they are initialised before any constructor runs.
extern const LoopTables<float> float_tables;
extern const LoopTables<double> double_tables;

template <class S>
inline constexpr LoopTables<S> tables_here = {.set = compiled_instruction_set(),
#define NEARFAR_LOOPS_HERE(Loops, loops) .loops = loops##_here<S>,
                                              NEARFAR_LOOP_FAMILIES(NEARFAR_LOOPS_HERE)
#undef NEARFAR_LOOPS_HERE
};

}  // namespace NEARFAR_SET
}  // namespace nearfar::detail
