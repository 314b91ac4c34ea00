#include "loss.hpp"
#include "status.hpp"

using namespace nearfar::detail::c;

namespace {

nearfar_status one_set(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                       const nearfar_gradient* dx, const nearfar_call* call,
                       nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss).one_set({required("x", x), dx}, pass);
  });
}

nearfar_status two_sets(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                        const nearfar_rows* y, const nearfar_integers* match,
                        const nearfar_gradient* dx, const nearfar_gradient* dy,
                        const nearfar_call* call, nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss).two_sets({required("x", x), required("y", y), match, dx, dy}, pass);
  });
}

nearfar_status pairs(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                     const nearfar_rows* y, const nearfar_targets* targets,
                     const nearfar_gradient* dx, const nearfar_gradient* dy,
                     const nearfar_call* call, nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .pairs({required("x", x), required("y", y), required("targets", targets), dx, dy}, pass);
  });
}

nearfar_status scored(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                      const nearfar_rows* y, const nearfar_rows* scores, const nearfar_gradient* dx,
                      const nearfar_gradient* dy, const nearfar_call* call,
                      nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .scored({required("x", x), required("y", y), required("scores", scores), dx, dy}, pass);
  });
}

nearfar_status scored_triplets(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                               const nearfar_rows* y, const nearfar_rows* z,
                               const nearfar_rows* margins, const nearfar_gradient* dx,
                               const nearfar_gradient* dy, const nearfar_gradient* dz,
                               const nearfar_call* call, nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .scored_triplets({required("x", x), required("y", y), required("z", z),
                          required("margins", margins), dx, dy, dz},
                         pass);
  });
}

nearfar_status three_sets(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                          const nearfar_rows* y, const nearfar_rows* z, const nearfar_gradient* dx,
                          const nearfar_gradient* dy, const nearfar_gradient* dz,
                          const nearfar_call* call, nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .three_sets({required("x", x), required("y", y), required("z", z), dx, dy, dz}, pass);
  });
}

nearfar_status against_negatives(Direction direction, const nearfar_loss* loss,
                                 const nearfar_rows* queries, const nearfar_rows* keys,
                                 const nearfar_negatives* negatives,
                                 const nearfar_gradient* d_queries, const nearfar_gradient* d_keys,
                                 const nearfar_gradient* d_negatives, const nearfar_call* call,
                                 nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .negatives({required("queries", queries), required("keys", keys),
                    required("negatives", negatives), d_queries, d_keys, d_negatives},
                   pass);
  });
}

nearfar_status in_batch(Direction direction, const nearfar_loss* loss, const nearfar_rows* queries,
                        const nearfar_rows* keys, const nearfar_in_batch* extras,
                        const nearfar_gradient* d_queries, const nearfar_gradient* d_keys,
                        const nearfar_gradient* d_negatives, const nearfar_call* call,
                        nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .in_batch({required("queries", queries), required("keys", keys),
                   required_of_size("extras", extras), d_queries, d_keys, d_negatives},
                  pass);
  });
}

nearfar_status against_proxies(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                               const nearfar_integers* labels, const nearfar_proxies* proxies,
                               const nearfar_gradient* dx, const nearfar_gradient* d_proxies,
                               const nearfar_call* call, nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .proxies({required("x", x), required("labels", labels), required("proxies", proxies), dx,
                  d_proxies},
                 pass);
  });
}

nearfar_status labelled(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                        const nearfar_targets* targets, const nearfar_gradient* dx,
                        const nearfar_call* call, nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss).labelled({required("x", x), required("targets", targets), dx}, pass);
  });
}

nearfar_status references(Direction direction, const nearfar_loss* loss,
                          const nearfar_rows* queries, const nearfar_targets* query_targets,
                          const nearfar_rows* references, const nearfar_targets* reference_targets,
                          const nearfar_gradient* d_queries, const nearfar_gradient* d_references,
                          const nearfar_call* call, nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .references({required("queries", queries), required("query_targets", query_targets),
                     required("references", references),
                     required("reference_targets", reference_targets), d_queries, d_references},
                    pass);
  });
}

nearfar_status listed_pairs(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                            const nearfar_rows* reference_rows,
                            const nearfar_pair_list* positive_pairs,
                            const nearfar_pair_list* negative_pairs, const nearfar_gradient* dx,
                            const nearfar_gradient* d_references, const nearfar_call* call,
                            nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .listed_pairs({required("x", x), reference_rows, required("positive_pairs", positive_pairs),
                       required("negative_pairs", negative_pairs), dx, d_references},
                      pass);
  });
}

nearfar_status listed_triplets(Direction direction, const nearfar_loss* loss, const nearfar_rows* x,
                               const nearfar_rows* reference_rows,
                               const nearfar_triplet_list* triplets, const nearfar_gradient* dx,
                               const nearfar_gradient* d_references, const nearfar_call* call,
                               nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .listed_triplets(
            {required("x", x), reference_rows, required("triplets", triplets), dx, d_references},
            pass);
  });
}

nearfar_status predictions(Direction direction, const nearfar_loss* loss,
                           const nearfar_rows* prediction1, const nearfar_rows* prediction2,
                           const nearfar_rows* target1, const nearfar_rows* target2,
                           const nearfar_gradient* d_prediction1,
                           const nearfar_gradient* d_prediction2, const nearfar_call* call,
                           nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .predictions({required("prediction1", prediction1), required("prediction2", prediction2),
                      required("target1", target1), required("target2", target2), d_prediction1,
                      d_prediction2},
                     pass);
  });
}

nearfar_status tokens(Direction direction, const nearfar_loss* loss, const nearfar_rows* queries,
                      const nearfar_integers* query_offsets, const nearfar_rows* documents,
                      const nearfar_integers* document_offsets, const nearfar_gradient* d_queries,
                      const nearfar_gradient* d_documents, const nearfar_call* call,
                      nearfar_result* result) {
  return guarded([&] {
    Pass pass(direction, call, result);
    required("loss", loss)
        .tokens({required("queries", queries), required("query_offsets", query_offsets),
                 required("documents", documents), required("document_offsets", document_offsets),
                 d_queries, d_documents},
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
