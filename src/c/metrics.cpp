#include "nearfar/c/metrics.h"

#include <limits>
#include <optional>

#include "kernels.hpp"
#include "names.hpp"
#include "nearfar/metrics/collapse.hpp"
#include "nearfar/metrics/knn_accuracy.hpp"
#include "nearfar/metrics/nearest_keys.hpp"
#include "nearfar/metrics/retrieval.hpp"
#include "outputs.hpp"
#include "status.hpp"

using namespace nearfar;
using namespace nearfar::detail;
using namespace nearfar::detail::c;

static_assert(static_cast<int>(KnnVote::weighted) == NEARFAR_VOTE_WEIGHTED);
static_assert(static_cast<int>(KnnVote::majority) == NEARFAR_VOTE_MAJORITY);

namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t default_ks[] = {1, 2, 4, 8};

nearfar_retrieval_options default_retrieval() {
  nearfar_retrieval_options out = {};
  out.kernel = NEARFAR_COSINE;
  out.ks = {default_ks, 4};
  return out;
}

nearfar_knn_options default_knn() {
  const KnnOptions options;
  nearfar_knn_options out = {};
  out.kernel = NEARFAR_COSINE;
  out.k = options.k;
  out.temperature = options.temperature;
  out.vote = NEARFAR_VOTE_WEIGHTED;
  return out;
}

nearfar_nearest_options default_nearest() {
  const NearestOptions options;
  nearfar_nearest_options out = {};
  out.kernel = NEARFAR_COSINE;
  out.k = options.k;
  out.skip = options.skip;
  out.smallest_score = options.smallest_score;
  out.largest_score = options.largest_score;
  out.margin = none;
  out.relative_margin = none;
  return out;
}

template <class T>
T options_of(const T* given, const T& defaults) {
  return given != nullptr ? completed("options", given, defaults) : defaults;
}

/// Queries among others, or, without others, among themselves.
template <class S>
struct RankedRows {
  Rows<S> queries;
  Rows<S> others;
  bool one;
};

/// Calls body(kernel, rows) for the scalar type of the queries and a kernel of settings.
template <class Options, class Body>
void with_ranked(const Options& options, const nearfar_rows* queries, const char* others_name,
                 const nearfar_rows* others, const Body& body) {
  const KernelChoice choice{options.kernel, options.matrix};
  choice.check();
  with_scalar("queries", required("queries", queries), [&]<class S>(S) {
    RankedRows<S> rows{rows_of<S>("queries", *queries), {}, others == nullptr};
    if (others != nullptr) rows.others = rows_of<S>(others_name, *others);
    choice.with_kernel<S>(registered::kernel_lists::All<S>(),
                          [&](const auto& kernel) { body(kernel, rows); });
  });
}

/// Throws where an argument is given that goes with another set, and there is none, or the other
/// way.
template <class T>
void check_goes_with(const char* name, const T* given, const char* others_name, bool has_others) {
  if ((given != nullptr) == has_others) return;
  if (has_others) required(name, given);
  fail_argument(name, std::string("none without ") + others_name, "some");
}

template <class T>
std::optional<T> unless_nan(T number) {
  if (is_nan(number)) return {};
  return number;
}

void retrieve(const nearfar_retrieval_options& options, const nearfar_rows* queries,
              const nearfar_targets* query_targets, const nearfar_rows* references,
              const nearfar_targets* reference_targets, nearfar_workspace* workspace,
              nearfar_retrieval_result* to) {
  nearfar_retrieval_result out = completed("result", to);
  const Targets targets = targets_of("query_targets", required("query_targets", query_targets));
  check_goes_with("reference_targets", reference_targets, "references", references != nullptr);
  RetrievalOptions cpp;
  const std::span<const Index> ks = indices_of("ks", options.ks);
  cpp.ks.assign(ks.begin(), ks.end());
  cpp.average_precision = flag_of("average_precision", options.average_precision);
  if (flag_of("has_unlabelled", options.has_unlabelled)) cpp.unlabelled = options.unlabelled;
  const bool rows_wanted = out.precision_per_query != nullptr || out.ndcg_per_query != nullptr;
  cpp.per_query = rows_wanted || out.positives != nullptr || out.first_positive != nullptr ||
                  out.average_precision_at_r != nullptr || out.r_precisions != nullptr ||
                  out.average_precisions != nullptr;
  with_ranked(
      options, queries, "references", references,
      [&]<class S, class K>(const K& kernel, const RankedRows<S>& rows) {
        const Retrieval<S, K> retrieval(cpp, kernel);
        const auto k = static_cast<Index>(ks.size());
        const Index n = rows.queries.rows();
        Buffers buffers;
        const auto each_k = [&](const char* name, const double* data) {
          buffers.add(name, data, "result.ks_capacity", out.ks_capacity, k);
        };
        const auto each_query = [&](const char* name, const auto* data, Index cols) {
          buffers.add(name, data, "result.queries_capacity", out.queries_capacity, n, cols);
        };
        each_k("result.recall", out.recall);
        each_k("result.precision", out.precision);
        each_k("result.ndcg", out.ndcg);
        each_query("result.positives", out.positives, 1);
        each_query("result.first_positive", out.first_positive, 1);
        each_query("result.average_precision_at_r", out.average_precision_at_r, 1);
        each_query("result.r_precisions", out.r_precisions, 1);
        each_query("result.average_precisions", out.average_precisions, 1);
        each_query("result.precision_per_query", out.precision_per_query, k);
        each_query("result.ndcg_per_query", out.ndcg_per_query, k);
        buffers.check({{"queries", rows.queries.place()}, {"references", rows.others.place()}});
        const CallOptions<S> call{.workspace = workspace_of(workspace)};
        const RetrievalResult found =
            rows.one
                ? retrieval.evaluate(rows.queries, targets, call)
                : retrieval.evaluate(rows.queries, targets, rows.others,
                                     targets_of("reference_targets", *reference_targets), call);
        copy_to(out.recall, found.recall);
        copy_to(out.precision, found.precision);
        copy_to(out.ndcg, found.ndcg);
        for (std::size_t i = 0; i < found.per_query.size(); ++i) {
          const RetrievedQuery& query = found.per_query[i];
          const auto set = [&](auto* buffer, auto number) {
            if (buffer != nullptr) buffer[i] = number;
          };
          set(out.positives, query.positives);
          set(out.first_positive, query.first_positive);
          set(out.average_precision_at_r, query.average_precision_at_r);
          set(out.r_precisions, query.r_precision);
          set(out.average_precisions, query.average_precision);
        }
        copy_to(out.precision_per_query, found.precision_per_query);
        copy_to(out.ndcg_per_query, found.ndcg_per_query);
        out.map_at_r = found.map_at_r;
        out.r_precision = found.r_precision;
        out.mean_reciprocal_rank = found.mean_reciprocal_rank;
        out.mean_average_precision = found.mean_average_precision;
        out.queries = found.queries;
        out.queries_without_positive = found.queries_without_positive;
        write_back(to, out);
      });
}

void vote(const nearfar_knn_options& options, const nearfar_rows* queries,
          const nearfar_integers* query_labels, const nearfar_rows* references,
          const nearfar_integers* reference_labels, nearfar_workspace* workspace,
          nearfar_knn_result* to) {
  nearfar_knn_result out = completed("result", to);
  const Labels labels = labels_of("query_labels", required("query_labels", query_labels));
  check_goes_with("reference_labels", reference_labels, "references", references != nullptr);
  KnnOptions cpp;
  cpp.k = options.k;
  cpp.temperature = options.temperature;
  if (options.vote != NEARFAR_VOTE_WEIGHTED && options.vote != NEARFAR_VOTE_MAJORITY) {
    fail_argument("vote", "NEARFAR_VOTE_WEIGHTED or NEARFAR_VOTE_MAJORITY",
                  std::to_string(options.vote));
  }
  cpp.vote = static_cast<KnnVote>(options.vote);
  cpp.per_query = out.predictions != nullptr;
  with_ranked(
      options, queries, "references", references,
      [&]<class S, class K>(const K& kernel, const RankedRows<S>& rows) {
        const KnnAccuracy<S, K> accuracy(cpp, kernel);
        Buffers buffers;
        buffers.add("result.predictions", out.predictions, "result.predictions_capacity",
                    out.predictions_capacity, rows.queries.rows());
        buffers.check({{"queries", rows.queries.place()}, {"references", rows.others.place()}});
        const CallOptions<S> call{.workspace = workspace_of(workspace)};
        const KnnResult found =
            rows.one ? accuracy.evaluate(rows.queries, labels, call)
                     : accuracy.evaluate(rows.queries, labels, rows.others,
                                         labels_of("reference_labels", *reference_labels), call);
        copy_to(out.predictions, found.predictions);
        out.predictions_count = static_cast<std::int64_t>(found.predictions.size());
        out.accuracy = found.accuracy;
        out.queries = found.queries;
        out.correct = found.correct;
        out.queries_without_neighbour = found.queries_without_neighbour;
        write_back(to, out);
      });
}

KnownPositives known_of(const nearfar_known_positives* given) {
  KnownPositives out;
  if (given == nullptr) return out;
  const nearfar_known_positives known = completed("known", given);
  const Labels own = labels_of("known.own", known.own);
  if (flag_of("known.own_aligned", known.own_aligned)) {
    if (known.own.data != nullptr) fail_argument("known.own", "none with own_aligned", "integers");
    out.own = PositiveKeys::aligned();
  } else if (known.own.data != nullptr) {
    out.own = own;
  }
  if (known.targets != nullptr) out.targets = targets_of("known.targets", *known.targets);
  if (known.key_targets != nullptr) {
    out.key_targets = targets_of("known.key_targets", *known.key_targets);
  }
  return out;
}

void find_nearest(const nearfar_nearest_options& options, const nearfar_rows* queries,
                  const nearfar_rows* keys, const nearfar_known_positives* given,
                  nearfar_workspace* workspace, nearfar_nearest_result* to) {
  const nearfar_nearest_result out = completed("result", to);
  const KnownPositives known = known_of(given);
  const NearestOptions cpp{.k = options.k,
                           .skip = options.skip,
                           .smallest_score = options.smallest_score,
                           .largest_score = options.largest_score,
                           .margin = unless_nan(options.margin),
                           .relative_margin = unless_nan(options.relative_margin)};
  with_ranked(options, queries, "keys", keys,
              [&]<class S, class K>(const K& kernel, const RankedRows<S>& rows) {
                const NearestKeys<S, K> nearest(cpp, kernel);
                const Index n = rows.queries.rows();
                Buffers buffers;
                const auto add = [&](const char* name, const auto* data, Index cols) {
                  buffers.add(name, data, "result.queries_capacity", out.queries_capacity, n, cols);
                };
                add("result.indices", out.indices, cpp.k);
                add("result.scores", out.scores, cpp.k);
                add("result.counts", out.counts, 1);
                buffers.check({{"queries", rows.queries.place()}, {"keys", rows.others.place()}});
                const CallOptions<S> call{.workspace = workspace_of(workspace)};
                const NearestResult<S> found =
                    rows.one ? nearest.find(rows.queries, known, call)
                             : nearest.find(rows.queries, rows.others, known, call);
                copy_to(out.indices, found.indices);
                copy_to(out.scores, found.scores);
                copy_to(out.counts, found.counts);
              });
}

void measure_collapse(const nearfar_rows* x, nearfar_workspace* workspace,
                      nearfar_collapse_result* to) {
  nearfar_collapse_result out = completed("result", to);
  with_scalar("x", required("x", x), [&]<class S>(S) {
    // The effective rank takes a solver of Eigen's, whose functions must not get into the library.
    const CollapseResult found = evaluate<S>({.effective_rank = false}, rows_of<S>("x", *x),
                                             {.workspace = workspace_of(workspace)}, nullptr);
    out.mean_cosine = found.mean_cosine;
    out.mean_norm = found.mean_norm;
    out.norm_deviation = found.norm_deviation;
    out.rows = found.rows;
    out.zero_rows = found.zero_rows;
    write_back(to, out);
  });
}

/// The names of a batch's arguments, which the interface calls queries.
constexpr Renamed of_batch = {"x", "queries"};

}  // namespace

extern "C" {

nearfar_status nearfar_retrieval_options_init(nearfar_retrieval_options* options, size_t size) {
  return guarded([&] { initialise("options", options, size, default_retrieval()); });
}

nearfar_status nearfar_retrieval_result_init(nearfar_retrieval_result* result, size_t size) {
  return guarded([&] { initialise("result", result, size, {}); });
}

nearfar_status nearfar_retrieval(const nearfar_retrieval_options* options,
                                 const nearfar_rows* queries, const nearfar_targets* query_targets,
                                 const nearfar_rows* references,
                                 const nearfar_targets* reference_targets,
                                 nearfar_workspace* workspace, nearfar_retrieval_result* result) {
  return guarded([&] {
    with_names({of_batch,
                {"labels", "query_targets"},
                {"query_labels", "query_targets"},
                {"reference_labels", "reference_targets"},
                {"kernel parameter", "matrix"}},
               [&] {
                 retrieve(options_of(options, default_retrieval()), queries, query_targets,
                          references, reference_targets, workspace, result);
               });
  });
}

nearfar_status nearfar_knn_options_init(nearfar_knn_options* options, size_t size) {
  return guarded([&] { initialise("options", options, size, default_knn()); });
}

nearfar_status nearfar_knn_result_init(nearfar_knn_result* result, size_t size) {
  return guarded([&] { initialise("result", result, size, {}); });
}

nearfar_status nearfar_knn_accuracy(const nearfar_knn_options* options, const nearfar_rows* queries,
                                    const nearfar_integers* query_labels,
                                    const nearfar_rows* references,
                                    const nearfar_integers* reference_labels,
                                    nearfar_workspace* workspace, nearfar_knn_result* result) {
  return guarded([&] {
    with_names({of_batch, {"labels", "query_labels"}, {"kernel parameter", "matrix"}}, [&] {
      vote(options_of(options, default_knn()), queries, query_labels, references, reference_labels,
           workspace, result);
    });
  });
}

nearfar_status nearfar_nearest_options_init(nearfar_nearest_options* options, size_t size) {
  return guarded([&] { initialise("options", options, size, default_nearest()); });
}

nearfar_status nearfar_nearest_result_init(nearfar_nearest_result* result, size_t size) {
  return guarded([&] { initialise("result", result, size, {}); });
}

nearfar_status nearfar_known_positives_init(nearfar_known_positives* known, size_t size) {
  return guarded([&] { initialise("known", known, size, {}); });
}

nearfar_status nearfar_nearest_keys(const nearfar_nearest_options* options,
                                    const nearfar_rows* queries, const nearfar_rows* keys,
                                    const nearfar_known_positives* known,
                                    nearfar_workspace* workspace, nearfar_nearest_result* result) {
  return guarded([&] {
    with_names({of_batch,
                {"own", "known.own"},
                {"targets", "known.targets"},
                {"key_targets", "known.key_targets"},
                {"kernel parameter", "matrix"}},
               [&] {
                 find_nearest(options_of(options, default_nearest()), queries, keys, known,
                              workspace, result);
               });
  });
}

nearfar_status nearfar_collapse_result_init(nearfar_collapse_result* result, size_t size) {
  return guarded([&] { initialise("result", result, size, {}); });
}

nearfar_status nearfar_collapse(const nearfar_rows* x, nearfar_workspace* workspace,
                                nearfar_collapse_result* result) {
  return guarded([&] { measure_collapse(x, workspace, result); });
}

}  // extern "C"
