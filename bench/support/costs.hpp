#pragma once

#include <stdexcept>
#include <string_view>

/// \file
/// Floating point operations of the matrix products of losses, forward and backward, in units of
/// N M D (docs/cost_model.md). The benchmarks divide by these numbers; scripts/check_docs compares
/// them with the tables of the documentation.

namespace bench {

/// `least` if a call keeps its scores between two sweeps, `most` if it computes them again. In rows
/// compared with themselves M is N; of two views, N counts both.
struct Cost {
  std::string_view loss;  ///< the name in the register
  /// batch: as the loss is called in general; references: rows against references; other words: a
  /// choice of options, or, with "more", what such a choice adds
  std::string_view form;
  double least;
  double most;
};

// clang-format off
inline constexpr Cost costs[] = {
    {"angular", "batch", 6, 6},  // N: positive pairs
    {"angular", "references", 6, 6},
    {"arc_face", "batch", 6, 6},
    {"barlow_twins", "batch", 6, 6},  // N D^2
    {"centroid_triplet", "batch", 6, 6},  // M: classes
    {"circle", "batch", 3, 4},
    {"circle", "references", 6, 6},
    {"clip", "batch", 6, 8},
    {"cos_face", "batch", 6, 6},
    {"cpc", "batch", 6, 6},  // products with the matrix, and those of scores
    {"dclw", "batch", 3, 4},
    {"dhel", "batch", 6, 8},
    {"dhel", "without both_views", 3, 4},
    {"distill_kl", "batch", 6, 6},
    {"fast_ap", "batch", 3, 4},
    {"fast_ap", "references", 6, 6},
    {"generalized_lifted_structure", "batch", 3, 4},
    {"generalized_lifted_structure", "references", 6, 6},
    {"gor", "batch", 3, 3},  // N^2 D or N D^2, whichever is less
    {"hadsell_contrastive", "batch", 3, 3},
    {"hadsell_contrastive", "references", 6, 6},
    {"hard_negative", "batch", 3, 4},
    {"in_batch_info_nce", "batch", 6, 6},  // a block of scores
    {"info_nce", "batch", 6, 6},
    {"intra_pair_variance", "batch", 5, 6},
    {"intra_pair_variance", "references", 10, 10},
    {"ko_leo", "batch", 2, 2},
    {"large_margin_softmax", "batch", 6, 6},
    {"lifted_structure", "batch", 4, 5},
    {"lifted_structure", "references", 16, 16},
    {"linear_contrastive", "batch", 3, 4},
    {"linear_contrastive", "batch, more for mean_nonzero", 1, 1},
    {"linear_contrastive", "references", 6, 6},
    {"linear_contrastive", "references, more for mean_nonzero", 2, 2},
    {"margin_loss", "batch", 3, 4},
    {"margin_loss", "references", 6, 6},
    {"margin_mse", "batch", 6, 6},
    {"max_sim_info_nce", "products of tokens", 2, 2},
    {"max_sim_info_nce", "gradients of tokens", 4, 4},
    {"mined_triplet", "one an anchor", 1, 1},
    {"mined_triplet", "one an anchor, semi-hard", 2, 2},
    {"mined_triplet", "one an anchor, references", 2, 2},
    {"mined_triplet", "one an anchor, references, semi-hard", 4, 4},
    {"mined_triplet", "hinges of a kind", 3, 3},
    {"mined_triplet", "other mining", 6, 6},
    {"multi_similarity", "batch", 3, 4},
    {"multi_similarity", "batch, more for mining", 1, 1},
    {"multi_similarity", "references", 6, 6},
    {"multi_similarity", "references, more for mining", 2, 2},
    {"mutual_information", "batch", 6, 6},
    {"mutual_information", "donsker_varadhan", 8, 8},
    {"n_pair", "batch", 6, 6},
    {"nca", "batch", 3, 4},
    {"nca", "references", 6, 6},
    {"nce", "batch", 6, 6},
    {"negative_sampling", "batch", 6, 6},
    {"normalized_softmax", "batch", 6, 6},
    {"nt_xent", "batch", 3, 4},
    {"proxy_anchor", "batch", 6, 6},
    {"proxy_nca", "batch", 6, 6},
    {"ranked_list", "batch", 3, 4},
    {"ranked_list", "references", 6, 6},
    {"rince", "batch", 6, 6},
    {"rince_views", "batch", 3, 4},
    {"sig_lip", "batch", 6, 6},
    {"sig_reg", "batch", 4, 4},  // M: slices
    {"sincere", "batch", 3, 4},
    {"sincere", "batch, more for very many positives", 1, 1},
    {"sincere", "references", 6, 6},
    {"sincere", "references, more for very many positives", 2, 2},
    {"smooth_ap", "batch", 6, 6},
    {"snr_contrastive", "batch", 3, 4},
    {"snr_contrastive", "references", 6, 6},
    {"soft_triple", "batch", 6, 6},
    {"sphere_face", "batch", 6, 6},
    {"sub_center_arc_face", "batch", 6, 6},
    {"sup_con", "batch", 3, 4},
    {"sup_con", "references", 6, 6},
    {"tuplet_margin", "batch", 3, 4},
    {"tuplet_margin", "references", 6, 6},
    {"uniformity", "batch", 3, 3},
    {"vic_reg", "batch", 6, 6},  // N D^2
};
// clang-format on

/// The cost of a loss in a form. Throws std::logic_error if there is none.
constexpr Cost cost_of(std::string_view loss, std::string_view form = "batch") {
  for (const Cost& cost : costs) {
    if (cost.loss == loss && cost.form == form) return cost;
  }
  throw std::logic_error("a loss without a cost");
}

}  // namespace bench
