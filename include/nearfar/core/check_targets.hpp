#pragma once

#include <string>

#include "nearfar/core/targets.hpp"

/// \file
/// Checks that targets fit their rows and each other.

namespace nearfar::detail {

/// The targets of a set of rows, and the name of the caller's argument.
struct NamedTargets {
  const char* name;
  const Targets& targets;
};

/// Throws if targets mark rows as unlabelled where that has no meaning.
inline void refuse_unlabelled(const NamedTargets& of, const char* wanted) {
  if (of.targets.has_unlabelled()) fail_argument(of.name, wanted, "targets with unlabelled rows");
}

/// Whether a loss uses weights of listed positives.
enum class PairWeights { refused, used };

/// Throws if targets have weights of positives and the loss does not use them.
inline void check_pair_weights(const NamedTargets& of, PairWeights weights) {
  if (weights == PairWeights::refused && !of.targets.lists().weights.empty()) {
    fail_argument(of.name, "lists without weights for this loss", "weights");
  }
}

/// Throws unless there are no ids, or one id a row on each side.
inline void check_ids(const NamedTargets& query, Index queries, const NamedTargets& key, Index keys,
                      bool same_rows) {
  // A side without rows may have ids or none: a memory before its first push has none.
  const bool comparable = queries > 0 && keys > 0;
  if (comparable && query.targets.has_ids() != key.targets.has_ids()) {
    const NamedTargets& without = query.targets.has_ids() ? key : query;
    fail_argument(without.name, "ids, as the other side has", "none");
  }
  const auto check_side = [](const NamedTargets& side, Index rows) {
    if (!side.targets.has_ids()) return;
    check_label_count((std::string(side.name) + " ids").c_str(), side.targets.ids(), rows);
  };
  check_side(query, queries);
  if (!same_rows) check_side(key, keys);
}

/// Throws unless targets fit `queries` anchors and `keys` keys (the same targets twice for a set
/// compared with itself).
inline void check_targets(const NamedTargets& query, Index queries, const NamedTargets& key,
                          Index keys, bool same_rows) {
  const auto each_side = [&](const auto& body) {
    body(query, queries);
    if (!same_rows) body(key, keys);
  };
  switch (query.targets.rule()) {
    case Targets::Rule::none:
      fail_argument(query.name, "labels, or lists of positives", "nothing");
    case Targets::Rule::labels:
      if (key.targets.rule() != Targets::Rule::labels)
        fail_argument(key.name, "labels, as " + std::string(query.name) + " are", "another rule");
      each_side([](const NamedTargets& side, Index rows) {
        check_label_count(side.name, side.targets.labels(), rows);
      });
      break;
    case Targets::Rule::multi_labels:
      if (key.targets.rule() != Targets::Rule::multi_labels)
        fail_argument(key.name, "sets of labels, as " + std::string(query.name) + " are",
                      "another rule");
      each_side([&](const NamedTargets& side, Index rows) {
        const MultiLabels& labels = side.targets.multi_labels();
        if (labels.rows != rows) {
          fail_argument(side.name, std::to_string(rows) + " sets of labels, one a row",
                        std::to_string(labels.rows));
        }
        if (labels.words < 1 || labels.words != query.targets.multi_labels().words) {
          fail_argument(side.name, "the same number of words a row on both sides, at least 1",
                        std::to_string(labels.words) + " words");
        }
      });
      break;
    case Targets::Rule::lists: {
      if (!same_rows && key.targets.rule() != Targets::Rule::none)
        fail_argument(key.name, "no labels where anchors list their positives", "labels");
      const PositiveLists& lists = query.targets.lists();
      const auto count = static_cast<Index>(lists.columns.size());
      const auto& offsets = lists.offsets;
      if (static_cast<Index>(offsets.size()) != queries + 1) {
        fail_argument(query.name, std::to_string(queries + 1) + " offsets, one more than rows",
                      std::to_string(offsets.size()));
      }
      if (offsets.front() != 0 || offsets.back() != count) {
        fail_argument(query.name,
                      "offsets from 0 to the number of columns, " + std::to_string(count),
                      std::to_string(offsets.front()) + " to " + std::to_string(offsets.back()));
      }
      for (std::size_t i = 0; i + 1 < offsets.size(); ++i) {
        if (offsets[i + 1] < offsets[i] || offsets[i + 1] > count) {
          fail_argument(query.name, "offsets in ascending order",
                        std::to_string(offsets[i + 1]) + " after " + std::to_string(offsets[i]));
        }
        for (Index k = offsets[i]; k < offsets[i + 1]; ++k) {
          const Index j = lists.columns[static_cast<std::size_t>(k)];
          if (j < 0 || j >= keys) {
            fail_argument(query.name, "columns from 0 to " + std::to_string(keys - 1),
                          std::to_string(j) + " for row " + std::to_string(i));
          }
          if (k > offsets[i] && lists.columns[static_cast<std::size_t>(k) - 1] >= j) {
            fail_argument(query.name, "ascending columns without repetition",
                          std::to_string(j) + " out of order in row " + std::to_string(i));
          }
        }
      }
      if (!lists.weights.empty() && lists.weights.size() != lists.columns.size()) {
        fail_argument(query.name, std::to_string(count) + " weights, one a column",
                      std::to_string(lists.weights.size()));
      }
      for (const double w : lists.weights) check_positive("weights of positives", w);
      break;
    }
  }
  check_ids(query, queries, key, keys, same_rows);
  if (!same_rows && key.targets.has_weights())
    fail_argument(key.name, "no weights: anchors have weights", "weights");
  if (query.targets.has_weights()) {
    const std::string name = std::string(query.name) + " weights";
    check_numbers(name.c_str(), query.targets.weights(), queries);
    for (Index i = 0; i < queries; ++i)
      check_not_negative(name.c_str(), query.targets.weights()[i]);
  }
}

inline constexpr const char* no_anchor_weights = "no weights of anchors for this loss";

/// Throws unless targets are ids alone, one a row, or empty.
inline void check_ids_alone(const NamedTargets& of, Index rows) {
  const Targets& targets = of.targets;
  if (targets.rule() != Targets::Rule::none)
    fail_argument(of.name, "ids alone: for labels there is SupCon", "labels");
  if (targets.has_weights()) fail_argument(of.name, no_anchor_weights, "weights");
  if (targets.has_ids()) {
    check_label_count((std::string(of.name) + " ids").c_str(), targets.ids(), rows);
  }
}

/// The same for queries and keys. Throws also if one side has ids and the other has none.
inline void check_ids_alone(const NamedTargets& query, Index queries, const NamedTargets& key,
                            Index keys) {
  check_ids_alone(query, queries);
  check_ids_alone(key, keys);
  if (query.targets.has_ids() != key.targets.has_ids()) {
    const NamedTargets& without = query.targets.has_ids() ? key : query;
    fail_argument(without.name, "ids, as the other side has", "none");
  }
}

/// Throws unless targets fit pairs of rows that share them: ids; labels, sets, or lists of row
/// numbers below `keys`; or nothing.
inline void check_pair_targets(const NamedTargets& of, Index pairs, Index keys) {
  if (of.targets.rule() == Targets::Rule::none) {
    check_ids_alone(of, pairs);
    return;
  }
  check_targets(of, pairs, of, keys, true);
  check_pair_weights(of, PairWeights::refused);
  if (of.targets.has_weights()) fail_argument(of.name, no_anchor_weights, "weights");
}

}  // namespace nearfar::detail
