#pragma once

#include <algorithm>
#include <cstdint>
#include <nearfar/scores/pairwise.hpp>
#include <string>
#include <vector>

#include "support/kernel_cases.hpp"

/// \file
/// Rankings by complete sorting, and sets of rows to rank.

namespace ranking {

using nearfar::Index;
using oracle::Real;
using Labels = std::vector<std::int64_t>;

/// The distance of each reference from each query; `same_rows`: both are the same rows.
struct Distances {
  oracle::Matrix d;
  bool same_rows = false;

  /// All candidates of a query, nearest first, ties to the lowest index.
  std::vector<Index> order(Index i) const {
    std::vector<Index> out;
    for (Index j = 0; j < d.cols(); ++j) {
      if (!same_rows || i != j) out.push_back(j);
    }
    std::sort(out.begin(), out.end(),
              [&](Index a, Index b) { return d(i, a) != d(i, b) ? d(i, a) < d(i, b) : a < b; });
    return out;
  }
};

/// From the kernel's definition, in long double.
template <class O>
Distances exact_distances(const O& kernel, const oracle::Matrix& a, const oracle::Matrix& b,
                          bool same_rows) {
  oracle::Matrix d = oracle::pairwise(kernel, a, b);
  if (O::similarity) d = -d;
  return {d, same_rows};
}

/// From scores as the library computes them, so that rounding errors do not change near ties.
template <class S, class K>
Distances computed_distances(const K& kernel, const nearfar::Matrix<S>& a,
                             const nearfar::Matrix<S>& b, bool same_rows) {
  oracle::Matrix d = oracle::exact(nearfar::pairwise(a, b, kernel));
  if (K::orientation == nearfar::Orientation::similarity) d = -d;
  return {d, same_rows};
}

/// Rows with labels.
template <class S>
struct Set {
  nearfar::Matrix<S> x;
  Labels labels;
};

template <class Of>
Labels labels_of(Index n, const Of& of) {
  Labels out;
  for (Index i = 0; i < n; ++i) out.push_back(of(i));
  return out;
}

template <class S>
Set<S> random_set(Index n, Index cols, int classes, std::uint64_t seed) {
  const std::vector<int> labels = support::random_labels(n, classes, seed + 1);
  return {support::random_rows<S>(n, cols, seed), Labels(labels.begin(), labels.end())};
}

/// Few points, each several times: every query has ties. Rows are -2 .. 2 times a unit vector, and
/// every second one is minus the previous: the mean is 0 (except for an odd last row), lengths are
/// integers, and so inner products and squared distances are exact.
template <class S>
Set<S> tied_set(Index n, Index cols, int classes, std::uint64_t seed) {
  support::Random random(seed);
  Set<S> out{nearfar::Matrix<S>::Zero(n, cols), {}};
  for (Index i = 0; i < n; ++i) {
    if (i % 2 == 1) {
      out.x.row(i) = -out.x.row(i - 1);
    } else {
      out.x(i, random.below(cols)) = static_cast<S>(random.below(5) - 2);
    }
    out.labels.push_back(random.below(classes));
  }
  return out;
}

template <class S>
struct NamedSet {
  std::string name;
  Set<S> set;
};

/// Difficult sets for metrics, of `cols` >= 1 elements.
template <class S>
std::vector<NamedSet<S>> hard_sets(Index cols) {
  constexpr auto least = std::numeric_limits<std::int64_t>::min();
  constexpr auto most = std::numeric_limits<std::int64_t>::max();
  const auto rows = [&](Index n) { return support::random_rows<S>(n, cols, 40); };
  return {{"random", random_set<S>(61, cols, 7, 1)},
          {"two rows", random_set<S>(2, cols, 1, 3)},
          {"one row", random_set<S>(1, cols, 1, 4)},
          {"no row", {nearfar::Matrix<S>(0, cols), {}}},
          {"ties", tied_set<S>(50, cols, 4, 5)},
          {"all rows the same",
           {nearfar::Matrix<S>::Constant(20, cols, S(0.5)),
            labels_of(20, [](Index i) { return i * i % 3; })}},
          {"zero rows",
           {nearfar::Matrix<S>::Zero(9, cols), labels_of(9, [](Index i) { return i % 2; })}},
          {"one class", {rows(23), labels_of(23, [](Index) { return 9; })}},
          {"all unique", {rows(23), labels_of(23, [](Index i) { return -i; })}},
          {"one pair among unique ones",
           {rows(30), labels_of(30, [](Index i) { return i == 29 ? 0 : i; })}},
          {"labels of any size", {rows(25), labels_of(25, [=](Index i) {
                                    return i % 3 == 0 ? least : i % 3 == 1 ? most : -1;
                                  })}}};
}

/// The labels of reordered rows.
inline Labels reordered(const Labels& labels, const std::vector<Index>& order) {
  Labels out;
  for (const Index i : order) out.push_back(labels[static_cast<std::size_t>(i)]);
  return out;
}

}  // namespace ranking
