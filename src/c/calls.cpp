#include "loss.hpp"
#include "names.hpp"
#include "status.hpp"

using namespace nearfar::detail::c;

namespace {

/// body(loss, pass), with the names that the interface has for the arguments of the class.
template <class Body>
nearfar_status call_of(Direction direction, const nearfar_loss* loss, const nearfar_call* call,
                       nearfar_result* result, Names names, const Body& body) {
  return guarded([&] {
    with_names({{"upstream", "call.upstream"},
                {"d_parameter", "call.d_parameter"},
                {"products", "call.products"},
                {"kernel parameter", "matrix"}},
               [&] {
                 with_names(names, [&] {
                   Pass pass(direction, call, result);
                   body(required("loss", loss), pass);
                 });
               });
  });
}

nearfar_status one_set(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                       const nearfar_gradient* dx, const nearfar_call* call,
                       nearfar_result* result) {
  return call_of(direction, loss, call, result, {}, [&](const nearfar_loss& its, Pass& pass) {
    its.one_set({{{{"x", &required("x", x), dx}}}}, pass);
  });
}

nearfar_status two_sets(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                        const nearfar_rows* y, const nearfar_integers* match,
                        const nearfar_gradient* dx, const nearfar_gradient* dy,
                        const nearfar_call* call, nearfar_result* result) {
  const Names names = {{"queries", "x"}, {"keys", "y"},     {"view1", "x"},        {"view2", "y"},
                       {"a", "x"},       {"b", "y"},        {"images", "x"},       {"texts", "y"},
                       {"slices", "y"},  {"same", "match"}, {"positives", "match"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    its.two_sets({{{{"x", &required("x", x), dx}, {"y", &required("y", y), dy}}}, match}, pass);
  });
}

nearfar_status pairs(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                     const nearfar_rows* y, const nearfar_targets* targets,
                     const nearfar_gradient* dx, const nearfar_gradient* dy,
                     const nearfar_call* call, nearfar_result* result) {
  const Names names = {{"queries", "x"},
                       {"keys", "y"},
                       {"view1", "x"},
                       {"view2", "y"},
                       {"images", "x"},
                       {"texts", "y"},
                       {"query_targets", "targets"},
                       {"key_targets", "targets"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    its.pairs({{{{"x", &required("x", x), dx}, {"y", &required("y", y), dy}}},
               required("targets", targets)},
              pass);
  });
}

nearfar_status scored(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                      const nearfar_rows* y, const nearfar_rows* scores, const nearfar_gradient* dx,
                      const nearfar_gradient* dy, const nearfar_call* call,
                      nearfar_result* result) {
  const Names names = {
      {"a", "x"}, {"b", "y"}, {"queries", "x"}, {"candidates", "y"}, {"teacher_scores", "scores"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    its.scored({{{{"x", &required("x", x), dx}, {"y", &required("y", y), dy}}},
                required("scores", scores)},
               pass);
  });
}

nearfar_status scored_triplets(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                               const nearfar_rows* y, const nearfar_rows* z,
                               const nearfar_rows* margins, const nearfar_gradient* dx,
                               const nearfar_gradient* dy, const nearfar_gradient* dz,
                               const nearfar_call* call, nearfar_result* result) {
  const Names names = {
      {"queries", "x"}, {"positives", "y"}, {"negatives", "z"}, {"teacher_margins", "margins"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    its.scored_triplets({{{{"x", &required("x", x), dx},
                           {"y", &required("y", y), dy},
                           {"z", &required("z", z), dz}}},
                         required("margins", margins)},
                        pass);
  });
}

nearfar_status three_sets(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                          const nearfar_rows* y, const nearfar_rows* z, const nearfar_gradient* dx,
                          const nearfar_gradient* dy, const nearfar_gradient* dz,
                          const nearfar_call* call, nearfar_result* result) {
  const Names names = {{"anchors", "x"},  {"positives", "y"}, {"negatives", "z"},
                       {"contexts", "x"}, {"targets", "y"},   {"weights", "z"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    its.three_sets({{{{"x", &required("x", x), dx},
                      {"y", &required("y", y), dy},
                      {"z", &required("z", z), dz}}}},
                   pass);
  });
}

nearfar_status against_negatives(Direction direction, const nearfar_loss* loss,
                                 const nearfar_rows* queries, const nearfar_rows* keys,
                                 const nearfar_negatives* negatives,
                                 const nearfar_gradient* d_queries, const nearfar_gradient* d_keys,
                                 const nearfar_gradient* d_negatives, const nearfar_call* call,
                                 nearfar_result* result) {
  const Names names = {{"ids of negatives", "negatives.ids"},
                       {"ids of queries", "negatives.query_ids"},
                       {"d_own_negatives", "negatives.d_own"},  // first: it is not that of .own
                       {"own_negatives", "negatives.own"},
                       {"log_noise_keys", "negatives.log_noise_keys"},
                       {"log_noise_negatives", "negatives.log_noise_negatives"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    const nearfar_negatives all = completed("negatives", negatives);
    const bool has_own = all.own != nullptr;
    const nearfar_negatives own =
        has_own ? completed("negatives.own", all.own) : nearfar_negatives{};
    if (all.d_own != nullptr && direction == Direction::forward) {
      nearfar::fail_argument("negatives.d_own", "none for a forward call", "a gradient");
    }
    if (own.own != nullptr || own.d_own != nullptr) {
      nearfar::fail_argument("negatives.own.own", "none", "negatives");
    }
    its.negatives(
        {{{{"queries", &required("queries", queries), d_queries},
           {"keys", &required("keys", keys), d_keys},
           {"negatives.rows", &all.rows, d_negatives}}},
         all,
         {"negatives.own.rows", has_own ? &own.rows : nullptr, all.d_own, "negatives.d_own"},
         has_own ? &own : nullptr},
        pass);
  });
}

nearfar_status in_batch(Direction direction, const nearfar_loss* loss, const nearfar_rows* queries,
                        const nearfar_rows* keys, const nearfar_in_batch* extras,
                        const nearfar_gradient* d_queries, const nearfar_gradient* d_keys,
                        const nearfar_gradient* d_negatives, const nearfar_call* call,
                        nearfar_result* result) {
  const Names names = {{"ids of negatives", "negatives.ids"},
                       {"ids of queries", "negatives.query_ids"},
                       {"targets", "extras.targets"},
                       {"guide_queries", "extras.guide_queries"},
                       {"guide_keys", "extras.guide_keys"},
                       {"guide_negatives", "extras.guide_negatives"},
                       {"log_q", "extras.log_q"},
                       {"log_q_negatives", "extras.log_q_negatives"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    const nearfar_in_batch all = completed("extras", extras);
    const bool has_negatives = all.negatives != nullptr;
    const nearfar_negatives negatives =
        has_negatives ? completed("negatives", all.negatives) : nearfar_negatives{};
    its.in_batch({{{{"queries", &required("queries", queries), d_queries},
                    {"keys", &required("keys", keys), d_keys},
                    {"negatives.rows", has_negatives ? &negatives.rows : nullptr, d_negatives}}},
                  all,
                  has_negatives ? &negatives : nullptr},
                 pass);
  });
}

nearfar_status against_proxies(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                               const nearfar_integers* labels, const nearfar_proxies* proxies,
                               const nearfar_gradient* dx, const nearfar_gradient* d_proxies,
                               const nearfar_call* call, nearfar_result* result) {
  const Names names = {{"classes", "proxies.classes"}, {"margins", "proxies.margins"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    const nearfar_proxies all = completed("proxies", proxies);
    its.proxies({{{{"x", &required("x", x), dx}, {"proxies.rows", &all.rows, d_proxies}}},
                 required("labels", labels),
                 all},
                pass);
  });
}

nearfar_status labelled(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                        const nearfar_targets* targets, const nearfar_gradient* dx,
                        const nearfar_call* call, nearfar_result* result) {
  const Names names = {{"labels", "targets"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    its.labelled({{{{"x", &required("x", x), dx}}}, required("targets", targets)}, pass);
  });
}

nearfar_status references(Direction direction, const nearfar_loss* loss,
                          const nearfar_rows* queries, const nearfar_targets* query_targets,
                          const nearfar_rows* references, const nearfar_targets* reference_targets,
                          const nearfar_gradient* d_queries, const nearfar_gradient* d_references,
                          const nearfar_call* call, nearfar_result* result) {
  const Names names = {{"query_labels", "query_targets"},
                       {"reference_labels", "reference_targets"},
                       {"keys", "references"},
                       {"key_targets", "reference_targets"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    its.references({{{{"queries", &required("queries", queries), d_queries},
                      {"references", &required("references", references), d_references}}},
                    required("query_targets", query_targets),
                    required("reference_targets", reference_targets)},
                   pass);
  });
}

nearfar_status boundaries(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                          const nearfar_targets* targets, const nearfar_rows* references,
                          const nearfar_targets* reference_targets, const nearfar_rows* betas,
                          const nearfar_gradient* dx, const nearfar_gradient* d_references,
                          const nearfar_gradient* d_betas, const nearfar_call* call,
                          nearfar_result* result) {
  const Names names = {{"queries", "x"},
                       {"labels", "targets"},
                       {"query_labels", "targets"},
                       {"reference_labels", "reference_targets"}};
  return call_of(direction, loss, call, result, names, [&](const nearfar_loss& its, Pass& pass) {
    its.boundaries({{"x", &required("x", x), dx},
                    {"references", references, d_references},
                    {"betas", &required("betas", betas), d_betas},
                    required("targets", targets),
                    reference_targets},
                   pass);
  });
}

nearfar_status listed_pairs(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                            const nearfar_rows* reference_rows,
                            const nearfar_pair_list* positive_pairs,
                            const nearfar_pair_list* negative_pairs, const nearfar_gradient* dx,
                            const nearfar_gradient* d_references, const nearfar_call* call,
                            nearfar_result* result) {
  return call_of(direction, loss, call, result, {}, [&](const nearfar_loss& its, Pass& pass) {
    its.listed_pairs({{"x", &required("x", x), dx},
                      {"references", reference_rows, d_references},
                      required("positive_pairs", positive_pairs),
                      required("negative_pairs", negative_pairs)},
                     pass);
  });
}

nearfar_status listed_triplets(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                               const nearfar_rows* reference_rows,
                               const nearfar_triplet_list* triplets, const nearfar_gradient* dx,
                               const nearfar_gradient* d_references, const nearfar_call* call,
                               nearfar_result* result) {
  return call_of(direction, loss, call, result, {}, [&](const nearfar_loss& its, Pass& pass) {
    its.listed_triplets({{"x", &required("x", x), dx},
                         {"references", reference_rows, d_references},
                         required("triplets", triplets)},
                        pass);
  });
}

nearfar_status predictions(Direction direction, const nearfar_loss* loss,
                           const nearfar_rows* prediction1, const nearfar_rows* prediction2,
                           const nearfar_rows* target1, const nearfar_rows* target2,
                           const nearfar_gradient* d_prediction1,
                           const nearfar_gradient* d_prediction2, const nearfar_call* call,
                           nearfar_result* result) {
  return call_of(direction, loss, call, result, {}, [&](const nearfar_loss& its, Pass& pass) {
    its.predictions({{{{"prediction1", &required("prediction1", prediction1), d_prediction1},
                       {"prediction2", &required("prediction2", prediction2), d_prediction2},
                       {"target1", &required("target1", target1)},
                       {"target2", &required("target2", target2)}}}},
                    pass);
  });
}

nearfar_status tokens(Direction direction, const nearfar_loss* loss, const nearfar_rows* queries,
                      const nearfar_integers* query_offsets, const nearfar_rows* documents,
                      const nearfar_integers* document_offsets, const nearfar_gradient* d_queries,
                      const nearfar_gradient* d_documents, const nearfar_call* call,
                      nearfar_result* result) {
  return call_of(direction, loss, call, result, {}, [&](const nearfar_loss& its, Pass& pass) {
    its.tokens({{{{"queries", &required("queries", queries), d_queries},
                  {"documents", &required("documents", documents), d_documents}}},
                required("query_offsets", query_offsets),
                required("document_offsets", document_offsets)},
               pass);
  });
}

}  // namespace

extern "C" {

void nearfar_loss_destroy(nearfar_loss* loss) { delete loss; }

const char* nearfar_loss_name(const nearfar_loss* loss) {
  return loss != nullptr ? loss->name() : "";
}

nearfar_status nearfar_call_init(nearfar_call* call, size_t size) {
  return guarded([&] { initialise("call", call, size, {}); });
}

nearfar_status nearfar_result_init(nearfar_result* result, size_t size) {
  return guarded([&] { initialise("result", result, size, {}); });
}

nearfar_status nearfar_one_set_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                       const nearfar_call* call, nearfar_result* result) {
  return one_set(Direction::forward, loss, x, nullptr, call, result);
}

nearfar_status nearfar_one_set_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                                const nearfar_gradient* dx,
                                                const nearfar_call* call, nearfar_result* result) {
  return one_set(Direction::forward_backward, loss, x, dx, call, result);
}

nearfar_status nearfar_two_sets_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                        const nearfar_rows* y, const nearfar_integers* match,
                                        const nearfar_call* call, nearfar_result* result) {
  return two_sets(Direction::forward, loss, x, y, match, nullptr, nullptr, call, result);
}

nearfar_status nearfar_two_sets_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                                 const nearfar_rows* y,
                                                 const nearfar_integers* match,
                                                 const nearfar_gradient* dx,
                                                 const nearfar_gradient* dy,
                                                 const nearfar_call* call, nearfar_result* result) {
  return two_sets(Direction::forward_backward, loss, x, y, match, dx, dy, call, result);
}

nearfar_status nearfar_pairs_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                     const nearfar_rows* y, const nearfar_targets* targets,
                                     const nearfar_call* call, nearfar_result* result) {
  return pairs(Direction::forward, loss, x, y, targets, nullptr, nullptr, call, result);
}

nearfar_status nearfar_pairs_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                              const nearfar_rows* y, const nearfar_targets* targets,
                                              const nearfar_gradient* dx,
                                              const nearfar_gradient* dy, const nearfar_call* call,
                                              nearfar_result* result) {
  return pairs(Direction::forward_backward, loss, x, y, targets, dx, dy, call, result);
}

nearfar_status nearfar_scored_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                      const nearfar_rows* y, const nearfar_rows* scores,
                                      const nearfar_call* call, nearfar_result* result) {
  return scored(Direction::forward, loss, x, y, scores, nullptr, nullptr, call, result);
}

nearfar_status nearfar_scored_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                               const nearfar_rows* y, const nearfar_rows* scores,
                                               const nearfar_gradient* dx,
                                               const nearfar_gradient* dy, const nearfar_call* call,
                                               nearfar_result* result) {
  return scored(Direction::forward_backward, loss, x, y, scores, dx, dy, call, result);
}

nearfar_status nearfar_scored_triplets_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                               const nearfar_rows* y, const nearfar_rows* z,
                                               const nearfar_rows* margins,
                                               const nearfar_call* call, nearfar_result* result) {
  return scored_triplets(Direction::forward, loss, x, y, z, margins, nullptr, nullptr, nullptr,
                         call, result);
}

nearfar_status nearfar_scored_triplets_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_rows* y, const nearfar_rows* z,
    const nearfar_rows* margins, const nearfar_gradient* dx, const nearfar_gradient* dy,
    const nearfar_gradient* dz, const nearfar_call* call, nearfar_result* result) {
  return scored_triplets(Direction::forward_backward, loss, x, y, z, margins, dx, dy, dz, call,
                         result);
}

nearfar_status nearfar_three_sets_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                          const nearfar_rows* y, const nearfar_rows* z,
                                          const nearfar_call* call, nearfar_result* result) {
  return three_sets(Direction::forward, loss, x, y, z, nullptr, nullptr, nullptr, call, result);
}

nearfar_status nearfar_three_sets_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_rows* y, const nearfar_rows* z,
    const nearfar_gradient* dx, const nearfar_gradient* dy, const nearfar_gradient* dz,
    const nearfar_call* call, nearfar_result* result) {
  return three_sets(Direction::forward_backward, loss, x, y, z, dx, dy, dz, call, result);
}

nearfar_status nearfar_negatives_forward(const nearfar_loss* loss, const nearfar_rows* queries,
                                         const nearfar_rows* keys,
                                         const nearfar_negatives* negatives,
                                         const nearfar_call* call, nearfar_result* result) {
  return against_negatives(Direction::forward, loss, queries, keys, negatives, nullptr, nullptr,
                           nullptr, call, result);
}

nearfar_status nearfar_negatives_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* queries, const nearfar_rows* keys,
    const nearfar_negatives* negatives, const nearfar_gradient* d_queries,
    const nearfar_gradient* d_keys, const nearfar_gradient* d_negatives, const nearfar_call* call,
    nearfar_result* result) {
  return against_negatives(Direction::forward_backward, loss, queries, keys, negatives, d_queries,
                           d_keys, d_negatives, call, result);
}

nearfar_status nearfar_in_batch_forward(const nearfar_loss* loss, const nearfar_rows* queries,
                                        const nearfar_rows* keys, const nearfar_in_batch* extras,
                                        const nearfar_call* call, nearfar_result* result) {
  return in_batch(Direction::forward, loss, queries, keys, extras, nullptr, nullptr, nullptr, call,
                  result);
}

nearfar_status nearfar_in_batch_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* queries, const nearfar_rows* keys,
    const nearfar_in_batch* extras, const nearfar_gradient* d_queries,
    const nearfar_gradient* d_keys, const nearfar_gradient* d_negatives, const nearfar_call* call,
    nearfar_result* result) {
  return in_batch(Direction::forward_backward, loss, queries, keys, extras, d_queries, d_keys,
                  d_negatives, call, result);
}

nearfar_status nearfar_proxies_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                       const nearfar_integers* labels,
                                       const nearfar_proxies* proxies, const nearfar_call* call,
                                       nearfar_result* result) {
  return against_proxies(Direction::forward, loss, x, labels, proxies, nullptr, nullptr, call,
                         result);
}

nearfar_status nearfar_proxies_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                                const nearfar_integers* labels,
                                                const nearfar_proxies* proxies,
                                                const nearfar_gradient* dx,
                                                const nearfar_gradient* d_proxies,
                                                const nearfar_call* call, nearfar_result* result) {
  return against_proxies(Direction::forward_backward, loss, x, labels, proxies, dx, d_proxies, call,
                         result);
}

nearfar_status nearfar_labelled_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                        const nearfar_targets* targets, const nearfar_call* call,
                                        nearfar_result* result) {
  return labelled(Direction::forward, loss, x, targets, nullptr, call, result);
}

nearfar_status nearfar_labelled_forward_backward(const nearfar_loss* loss, const nearfar_rows* x,
                                                 const nearfar_targets* targets,
                                                 const nearfar_gradient* dx,
                                                 const nearfar_call* call, nearfar_result* result) {
  return labelled(Direction::forward_backward, loss, x, targets, dx, call, result);
}

nearfar_status nearfar_references_forward(const nearfar_loss* loss, const nearfar_rows* queries,
                                          const nearfar_targets* query_targets,
                                          const nearfar_rows* reference_rows,
                                          const nearfar_targets* reference_targets,
                                          const nearfar_call* call, nearfar_result* result) {
  return references(Direction::forward, loss, queries, query_targets, reference_rows,
                    reference_targets, nullptr, nullptr, call, result);
}

nearfar_status nearfar_references_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* queries, const nearfar_targets* query_targets,
    const nearfar_rows* reference_rows, const nearfar_targets* reference_targets,
    const nearfar_gradient* d_queries, const nearfar_gradient* d_references,
    const nearfar_call* call, nearfar_result* result) {
  return references(Direction::forward_backward, loss, queries, query_targets, reference_rows,
                    reference_targets, d_queries, d_references, call, result);
}

nearfar_status nearfar_boundaries_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                          const nearfar_targets* targets,
                                          const nearfar_rows* reference_rows,
                                          const nearfar_targets* reference_targets,
                                          const nearfar_rows* betas, const nearfar_call* call,
                                          nearfar_result* result) {
  return boundaries(Direction::forward, loss, x, targets, reference_rows, reference_targets, betas,
                    nullptr, nullptr, nullptr, call, result);
}

nearfar_status nearfar_boundaries_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_targets* targets,
    const nearfar_rows* reference_rows, const nearfar_targets* reference_targets,
    const nearfar_rows* betas, const nearfar_gradient* dx, const nearfar_gradient* d_references,
    const nearfar_gradient* d_betas, const nearfar_call* call, nearfar_result* result) {
  return boundaries(Direction::forward_backward, loss, x, targets, reference_rows,
                    reference_targets, betas, dx, d_references, d_betas, call, result);
}

nearfar_status nearfar_listed_pairs_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                            const nearfar_rows* reference_rows,
                                            const nearfar_pair_list* positive_pairs,
                                            const nearfar_pair_list* negative_pairs,
                                            const nearfar_call* call, nearfar_result* result) {
  return listed_pairs(Direction::forward, loss, x, reference_rows, positive_pairs, negative_pairs,
                      nullptr, nullptr, call, result);
}

nearfar_status nearfar_listed_pairs_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_rows* reference_rows,
    const nearfar_pair_list* positive_pairs, const nearfar_pair_list* negative_pairs,
    const nearfar_gradient* dx, const nearfar_gradient* d_references, const nearfar_call* call,
    nearfar_result* result) {
  return listed_pairs(Direction::forward_backward, loss, x, reference_rows, positive_pairs,
                      negative_pairs, dx, d_references, call, result);
}

nearfar_status nearfar_listed_triplets_forward(const nearfar_loss* loss, const nearfar_rows* x,
                                               const nearfar_rows* reference_rows,
                                               const nearfar_triplet_list* triplets,
                                               const nearfar_call* call, nearfar_result* result) {
  return listed_triplets(Direction::forward, loss, x, reference_rows, triplets, nullptr, nullptr,
                         call, result);
}

nearfar_status nearfar_listed_triplets_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* x, const nearfar_rows* reference_rows,
    const nearfar_triplet_list* triplets, const nearfar_gradient* dx,
    const nearfar_gradient* d_references, const nearfar_call* call, nearfar_result* result) {
  return listed_triplets(Direction::forward_backward, loss, x, reference_rows, triplets, dx,
                         d_references, call, result);
}

nearfar_status nearfar_predictions_forward(const nearfar_loss* loss,
                                           const nearfar_rows* prediction1,
                                           const nearfar_rows* prediction2,
                                           const nearfar_rows* target1, const nearfar_rows* target2,
                                           const nearfar_call* call, nearfar_result* result) {
  return predictions(Direction::forward, loss, prediction1, prediction2, target1, target2, nullptr,
                     nullptr, call, result);
}

nearfar_status nearfar_predictions_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* prediction1, const nearfar_rows* prediction2,
    const nearfar_rows* target1, const nearfar_rows* target2, const nearfar_gradient* d_prediction1,
    const nearfar_gradient* d_prediction2, const nearfar_call* call, nearfar_result* result) {
  return predictions(Direction::forward_backward, loss, prediction1, prediction2, target1, target2,
                     d_prediction1, d_prediction2, call, result);
}

nearfar_status nearfar_tokens_forward(const nearfar_loss* loss, const nearfar_rows* queries,
                                      const nearfar_integers* query_offsets,
                                      const nearfar_rows* documents,
                                      const nearfar_integers* document_offsets,
                                      const nearfar_call* call, nearfar_result* result) {
  return tokens(Direction::forward, loss, queries, query_offsets, documents, document_offsets,
                nullptr, nullptr, call, result);
}

nearfar_status nearfar_tokens_forward_backward(
    const nearfar_loss* loss, const nearfar_rows* queries, const nearfar_integers* query_offsets,
    const nearfar_rows* documents, const nearfar_integers* document_offsets,
    const nearfar_gradient* d_queries, const nearfar_gradient* d_documents,
    const nearfar_call* call, nearfar_result* result) {
  return tokens(Direction::forward_backward, loss, queries, query_offsets, documents,
                document_offsets, d_queries, d_documents, call, result);
}

}  // extern "C"
