#pragma once

#include <new>

#include "nearfar/engine/near_pairs.hpp"
#include "nearfar/engine/score_panel.hpp"

/// \file
/// Scores that are kept from the sweep that accumulates them to the sweep that adds gradients,
/// which then needs no second product. Whether a score is kept does not change a bit of a result.

namespace nearfar::detail {

/// Scores of a panel with its keys, or of one tile of them.
template <class S>
struct PanelScores {
  ScorePanel<S> panel;
  NearPairs near;  ///< for distances alone
};

/// Memory for the scores of the first panels of a pass.
template <class S>
struct KeptScores {
  PanelScores<S>* panels = nullptr;
  Index count = 0;

  bool has(Index panel) const { return panel < count; }
};

/// Takes memory for as many panels as fit `bytes`, less what they take then. Panels have `height`
/// of the queries, and all keys; if queries are the keys, each panel has those from its own first
/// row on.
template <class S>
KeptScores<S> keep_scores(Scratch& scratch, Index& bytes, Index queries, Index keys, Index height,
                          bool distances, bool same_rows = false) {
  const auto first_of = [&](Index panel) {
    return same_rows ? round_down(panel * height, tile_width) : Index(0);
  };
  const auto size_of = [&](Index panel) {
    return ScorePanel<S>::size(height, keys - first_of(panel));
  };
  const auto width_of = [&](Index panel) { return round_up(keys - first_of(panel), tile_width); };
  KeptScores<S> out;
  Index left = bytes;
  while (out.count < tasks_of(queries, height)) {
    Index more = size_of(out.count) * Index(sizeof(S));
    if (distances) more += NearPairs::bytes(height, width_of(out.count));
    if (more > left) break;
    left -= more;
    ++out.count;
  }
  bytes = left;
  out.panels = scratch.take<PanelScores<S>>(out.count);
  for (Index t = 0; t < out.count; ++t) {
    const Index first = first_of(t);
    new (out.panels + t) PanelScores<S>{{scratch.take<S>(size_of(t)), height, first}, {}};
    if (!distances) continue;
    out.panels[t].near = NearPairs(scratch, height, width_of(t));
  }
  return out;
}

}  // namespace nearfar::detail
