#pragma once

/// \file
/// Declarations for the documentation's fragments. They are compiled and not linked:
/// scripts/snippets makes a function of each.

#include <cstdint>
#include <nearfar/nearfar.hpp>
#include <nearfar/terms/score_pass.hpp>
#include <vector>

using Rows = nearfar::Matrix<float>;

// Rows under the names of all losses, and their gradients.
extern Rows guide_queries, guide_keys, guide_hard;
extern Rows x, y, a, b, queries, keys, negatives, hard, anchors, positives, view1, view2, images,
    texts, candidates;
extern Rows contexts, targets, weights, W, stored, references, proxies;
extern Rows prediction1, prediction2, target1, target2, slices, documents;
extern Rows dx, dy, da, db, dp, dn, dq, dk, d_hard, d_queries, d_positives, d_negatives,
    d_candidates, d_view1, d_view2, d_images, d_texts;
extern Rows d_contexts, d_targets, d_weights, dW, d_proxies, d_prediction1, d_prediction2,
    d_documents;

// Integers.
extern std::vector<int> labels, stored_labels, query_labels, reference_labels, ids, stored_ids;
extern std::vector<int> same, key_of, classes;
extern std::vector<int> first, second, other_first, other_second;
extern std::vector<std::uint64_t> words;
extern std::vector<nearfar::Index> drawn, offsets, columns, query_offsets, document_offsets;
extern std::uint64_t seed, step;

// Other numbers.
extern std::vector<float> log_noise_keys, log_noise_negatives, margins, scores, teacher_margins,
    teacher_scores;
extern std::vector<double> counts, gains;

extern nearfar::SupCon<float> loss;
extern nearfar::RowTerm<float>& term;
extern nearfar::CrossBatchMemory<float> memory;
