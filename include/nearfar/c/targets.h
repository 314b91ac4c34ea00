#ifndef NEARFAR_C_TARGETS_H
#define NEARFAR_C_TARGETS_H

#include "nearfar/c/basics.h"

/// \file
/// Which rows are positives of which.

#ifdef __cplusplus
extern "C" {
#endif
#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/// The rule by which rows are positives of each other.
typedef int32_t nearfar_rule;
enum {
  NEARFAR_NO_RULE = 0,     ///< nothing: for references whose queries list their positives, for ids
  NEARFAR_LABELS = 1,      ///< rows with equal labels
  NEARFAR_LABEL_SETS = 2,  ///< rows that share at least one label
  NEARFAR_POSITIVE_LISTS = 3  ///< the keys listed for an anchor
};

/// Whether some rows have no label, and how these take part: nearfar::UnlabelledRows.
typedef int32_t nearfar_unlabelled_rows;
enum {
  NEARFAR_ALL_LABELLED = 0,
  NEARFAR_UNLABELLED_LEFT_OUT = 1,  ///< not at all
  NEARFAR_UNLABELLED_NEGATIVES = 2  ///< as negatives of all others
};

/// Targets of a set of rows: nearfar::Targets. Only what `rule` names is read of the
/// rules.
typedef struct nearfar_targets {
  size_t size;  ///< of this struct; nearfar_targets_init sets it
  nearfar_rule rule;
  nearfar_integers labels;  ///< NEARFAR_LABELS: one a row, any integers
  /// NEARFAR_LABEL_SETS: label_set_rows x label_set_words; row i has label l when bit l % 64 of its
  /// word l / 64 is set.
  const uint64_t* label_sets;
  int64_t label_set_rows;
  int64_t label_set_words;
  /// NEARFAR_POSITIVE_LISTS (compressed sparse rows): positives of anchor i are the keys
  /// columns[offsets[i]] .. columns[offsets[i + 1] - 1], ascending. One offset more than anchors.
  nearfar_integers offsets;
  nearfar_integers columns;
  nearfar_doubles column_weights;  ///< optional, SupCon only: one > 0 a column
  /// Optional: one a row; rows of the same id are nothing to each other. With references both sides
  /// have ids or neither.
  nearfar_integers ids;
  nearfar_doubles weights;  ///< optional: one >= 0 an anchor, which multiplies its loss
  /// Whether rows whose label (with ids alone: whose id) is `unlabelled` have none.
  nearfar_unlabelled_rows unlabelled_rows;
  int64_t unlabelled;
} nearfar_targets;

/// Nothing. NEARFAR_INVALID_ARGUMENT unless size is that of a nearfar_targets.
nearfar_status nearfar_targets_init(nearfar_targets* targets, size_t size);

/// Labels and nothing else, one a row: nearfar_targets_init, `rule` and `labels` in one expression.
/// Not in the library, as the struct's size is that of the calling code.
static inline nearfar_targets nearfar_targets_of_labels(const int64_t* labels, int64_t count) {
  nearfar_targets out;
  nearfar_targets_init(&out, sizeof out);
  out.rule = NEARFAR_LABELS;
  out.labels.data = labels;
  out.labels.count = count;
  return out;
}

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif
