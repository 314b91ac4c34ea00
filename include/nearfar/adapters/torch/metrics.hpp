#pragma once

#include <array>
#include <concepts>
#include <cstring>

#include "nearfar/adapters/torch/call.hpp"
#include "nearfar/metrics/knn_accuracy.hpp"
#include "nearfar/metrics/nearest_keys.hpp"
#include "nearfar/metrics/retrieval.hpp"

/// \file
/// Metrics of rows (N x D) as functions of tensors. Nothing has a gradient, and rows that require
/// one are taken as they are. nearfar/adapters/torch.hpp has what else holds of all functions.

namespace nearfar::libtorch {

/// What nearest_keys finds: nearfar::NearestResult as tensors.
struct NearestTensors {
  Tensor indices;  ///< N x k, int64: keys, nearest first; -1 where there is none
  Tensor scores;   ///< N x k, of the type that is computed in
  Tensor counts;   ///< N, int64: number of keys of each query
};

/// Positives that nearest_keys leaves out: nearfar::KnownPositives. All may be left out.
struct KnownPositiveTensors {
  Tensor own = {};       ///< N, int64: the key that is each query's own positive
  bool aligned = false;  ///< key i is query i's own positive
  TensorTargets targets = {};
  TensorTargets key_targets = {};
};

namespace detail {

template <class K>
inline constexpr std::size_t matrices_of = requires(const K& kernel) {
  kernel.matrix;
}
? 1 : 0;

/// body(views, kernel over S, call) for the type S that rows are computed in. Returns what it
/// returns, which is of one type for both.
template <std::size_t sets, class K, class Body>
auto measured(const RowInput (&rows)[sets], const K& kernel, const Body& body) {
  std::array<Tensor, sets + matrices_of<K>> tensors;
  const auto take = [&](std::size_t k, const RowInput& input) {
    check_rows(input.name, input.tensor, 2, 2);
    check_same_type(input.name, input.tensor, rows[0].name, rows[0].tensor);
    tensors[k] = matrix_of(input.tensor.detach());
  };
  for (std::size_t k = 0; k < sets; ++k) take(k, rows[k]);
  if constexpr (matrices_of < K >> 0) {
    take(sets, {"kernel's matrix", kernel.matrix});
    tensors[sets] = as_computed(tensors[sets]);  // kernels hold theirs as S
  }
  return for_scalar(computed_type(tensors[0]), [&]<class S>() {
    std::array<Rows<S>, sets + matrices_of<K>> views;
    for (std::size_t k = 0; k < views.size(); ++k) views[k] = rows_of<S>(tensors[k]);
    const CallOptions<S> call{.workspace = &workspace(), .products = ProductsGuard::current()};
    return body(views, KernelOver<S, K>::make(kernel, views.back()), call);
  });
}

inline KnownPositives known_of(const KnownPositiveTensors& tensors, const Tensor& own) {
  KnownPositives out;
  if (tensors.aligned) out.own = PositiveKeys::aligned();
  if (own.defined()) out.own = PositiveKeys(labels_of(own));
  out.targets = tensors.targets.view();
  out.key_targets = tensors.key_targets.view();
  return out;
}

template <class S>
NearestTensors tensors_of(const NearestResult<S>& found) {
  static_assert(sizeof(Index) == sizeof(std::int64_t));
  const auto copied = [](const auto& from, at::IntArrayRef shape, at::ScalarType type) {
    Tensor out = at::empty(shape, type);
    if (!from.empty()) std::memcpy(out.data_ptr(), from.data(), from.size() * sizeof(from[0]));
    return out;
  };
  const std::int64_t n = found.queries();
  return {copied(found.indices, {n, found.k}, at::kLong),
          copied(found.scores, {n, found.k}, c10::CppTypeToScalarType<S>::value),
          copied(found.counts, {n}, at::kLong)};
}

/// NearestKeys of one set of rows, or of queries and keys.
template <std::size_t sets, class K>
NearestTensors nearest(const RowInput (&rows)[sets], const NearestOptions& options,
                       const KnownPositiveTensors& known, const K& kernel) {
  TORCH_CHECK(!known.aligned || !known.own.defined(),
              "nearfar: own: wanted none where positives are aligned, got a tensor");
  const Tensor own = known.own.defined() ? checked_integers("own", known.own) : Tensor();
  return measured(
      rows, kernel,
      [&]<class S, class Its>(const auto& views, const Its& its, const CallOptions<S>& call) {
        const NearestKeys<S, Its> search(options, its);
        if constexpr (sets == 1) {
          return tensors_of(search.find(views[0], known_of(known, own), call));
        } else {
          return tensors_of(search.find(views[0], views[1], known_of(known, own), call));
        }
      });
}

}  // namespace detail

/// Retrieval: metrics of a batch x with its targets, each row a query and all others its
/// candidates.
template <class K = Cosine>
RetrievalResult retrieval(const Tensor& x, const TensorTargets& labels,
                          const RetrievalOptions& options = {}, const K& kernel = {}) {
  return detail::measured(
      {{"x", x}}, kernel,
      [&]<class S, class Its>(const auto& views, const Its& its, const CallOptions<S>& call) {
        return Retrieval<S, Its>(options, its).evaluate(views[0], labels.view(), call);
      });
}

/// The same of queries among references (M x D), each with targets.
template <class K = Cosine>
RetrievalResult retrieval(const Tensor& queries, const TensorTargets& query_labels,
                          const Tensor& references, const TensorTargets& reference_labels,
                          const RetrievalOptions& options = {}, const K& kernel = {}) {
  return detail::measured(
      {{"queries", queries}, {"references", references}}, kernel,
      [&]<class S, class Its>(const auto& views, const Its& its, const CallOptions<S>& call) {
        return Retrieval<S, Its>(options, its)
            .evaluate(views[0], query_labels.view(), views[1], reference_labels.view(), call);
      });
}

/// KnnAccuracy: each row of x predicted from the nearest other rows, labels int64, N.
template <class K = Cosine>
KnnResult knn_accuracy(const Tensor& x, const Tensor& labels, const KnnOptions& options = {},
                       const K& kernel = {}) {
  const Tensor of_rows = detail::checked_integers("labels", labels);
  return detail::measured(
      {{"x", x}}, kernel,
      [&]<class S, class Its>(const auto& views, const Its& its, const CallOptions<S>& call) {
        return KnnAccuracy<S, Its>(options, its)
            .evaluate(views[0], detail::labels_of(of_rows), call);
      });
}

/// The same of queries, predicted from references (M x D) with their labels.
template <class K = Cosine>
KnnResult knn_accuracy(const Tensor& queries, const Tensor& query_labels, const Tensor& references,
                       const Tensor& reference_labels, const KnnOptions& options = {},
                       const K& kernel = {}) {
  const Tensor of_queries = detail::checked_integers("query_labels", query_labels);
  const Tensor of_references = detail::checked_integers("reference_labels", reference_labels);
  return detail::measured(
      {{"queries", queries}, {"references", references}}, kernel,
      [&]<class S, class Its>(const auto& views, const Its& its, const CallOptions<S>& call) {
        return KnnAccuracy<S, Its>(options, its)
            .evaluate(views[0], detail::labels_of(of_queries), views[1],
                      detail::labels_of(of_references), call);
      });
}

/// NearestKeys: the nearest other rows of each row of x.
template <class K = Cosine>
NearestTensors nearest_keys(const Tensor& x, const NearestOptions& options = {},
                            const KnownPositiveTensors& known = {}, const K& kernel = {}) {
  return detail::nearest({{"x", x}}, options, known, kernel);
}

/// The nearest keys (of M x D) of each query. (A template, so that braces are options.)
template <std::same_as<Tensor> T, class K = Cosine>
NearestTensors nearest_keys(const Tensor& queries, const T& keys,
                            const NearestOptions& options = {},
                            const KnownPositiveTensors& known = {}, const K& kernel = {}) {
  return detail::nearest({{"queries", queries}, {"keys", keys}}, options, known, kernel);
}

}  // namespace nearfar::libtorch
