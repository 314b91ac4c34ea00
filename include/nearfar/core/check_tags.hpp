#pragma once

#include <string>

#include "nearfar/core/tags.hpp"

/// \file
/// Whether tags fit the rows they are of, and each other.

namespace nearfar::detail {

/// Tags of a set of rows, under the name the caller knows them by.
struct NamedTags {
  const char* name;
  const Tags& tags;
};

/// Throws unless tags fit `queries` anchors and `keys` keys (the same tags twice for a set compared
/// with itself).
inline void check_tags(const NamedTags& query, Index queries, const NamedTags& key, Index keys,
                       bool same_rows) {
  const auto each_side = [&](const auto& body) {
    body(query, queries);
    if (!same_rows) body(key, keys);
  };
  switch (query.tags.rule()) {
    case Tags::Rule::none:
      fail_argument(query.name, "labels, or lists of positives", "nothing");
    case Tags::Rule::labels:
      if (key.tags.rule() != Tags::Rule::labels)
        fail_argument(key.name, "labels, as " + std::string(query.name) + " are", "another rule");
      each_side([](const NamedTags& side, Index rows) {
        check_label_count(side.name, side.tags.labels(), rows);
      });
      break;
    case Tags::Rule::multi_labels:
      if (key.tags.rule() != Tags::Rule::multi_labels)
        fail_argument(key.name, "sets of labels, as " + std::string(query.name) + " are",
                      "another rule");
      each_side([&](const NamedTags& side, Index rows) {
        const MultiLabels& labels = side.tags.multi_labels();
        if (labels.rows != rows) {
          fail_argument(side.name, std::to_string(rows) + " sets of labels, one a row",
                        std::to_string(labels.rows));
        }
        if (labels.words < 1 || labels.words != query.tags.multi_labels().words) {
          fail_argument(side.name, "the same number of words a row on both sides, at least 1",
                        std::to_string(labels.words) + " words");
        }
      });
      break;
    case Tags::Rule::lists: {
      if (!same_rows && key.tags.rule() != Tags::Rule::none)
        fail_argument(key.name, "no labels where anchors list their positives", "labels");
      const PositiveLists& lists = query.tags.lists();
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
  if (query.tags.has_ids() != key.tags.has_ids()) {
    const NamedTags& without = query.tags.has_ids() ? key : query;
    fail_argument(without.name, "ids, as the other side has", "none");
  }
  if (query.tags.has_ids()) {
    each_side([](const NamedTags& side, Index rows) {
      check_label_count((std::string(side.name) + " ids").c_str(), side.tags.ids(), rows);
    });
  }
  if (!same_rows && key.tags.has_weights())
    fail_argument(key.name, "no weights: anchors have weights", "weights");
  if (query.tags.has_weights()) {
    const std::string name = std::string(query.name) + " weights";
    check_numbers(name.c_str(), query.tags.weights(), queries);
    for (Index i = 0; i < queries; ++i) check_not_negative(name.c_str(), query.tags.weights()[i]);
  }
}

}  // namespace nearfar::detail
