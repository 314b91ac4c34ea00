#include <nearfar/losses/in_batch_info_nce.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/nce.hpp>

#include "c/same_bits.hpp"

/// Losses of queries, their keys and negatives.

namespace {

using namespace support;
using nearfar::Negatives;
using nearfar::per_query;

constexpr Index n = 9;

/// `extra...` come after the negatives in calls of the class.
template <class S, class K, class Loss, class... Extra>
void expect_same_negatives(const CLoss& c, const Loss& loss, const K& kernel, Reduction reduction,
                           const Matrix<S>& rows, const nearfar_negatives& c_negatives,
                           const Negatives<S>& negatives, const Extra&... extra) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  const Matrix<S> queries = random_rows<S>(n, depth, 1);
  const Matrix<S> keys = random_rows<S>(n, depth, 2);
  const nearfar_rows cq = c_rows(queries);
  const nearfar_rows ck = c_rows(keys);
  expect_same_calls<S, K, 3>(
      kernel, reduction, n, {&queries, &keys, &rows},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_negatives_forward(c.get(), &cq, &ck, &c_negatives, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_negatives_forward_backward(c.get(), &cq, &ck, &c_negatives, &g[0], &g[1],
                                                  &g[2], call, out);
      },
      [&](const CallOptions<S>& call) {
        return loss.forward(queries, keys, negatives, extra..., call);
      },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(queries, keys, negatives, extra..., g[0], g[1], g[2], call);
      });
}

/// Negatives shared by all queries, and each query's own.
template <class S, class K, class Loss>
void expect_same_either_way(const CLoss& c, const Loss& loss, const K& kernel,
                            Reduction reduction) {
  nearfar_negatives in = defaults(nearfar_negatives_init);
  const Matrix<S> shared = random_rows<S>(5, depth, 3);
  in.rows = c_rows(shared);
  expect_same_negatives<S>(c, loss, kernel, reduction, shared, in, Negatives<S>(shared));
  const Matrix<S> own = random_rows<S>(n * 4, depth, 3);
  in.rows = c_rows(own);
  in.per_query = 1;
  expect_same_negatives<S>(c, loss, kernel, reduction, own, in, per_query(own));
  const std::vector<std::int64_t> c_offsets = {0, 4, 4, 10, 11, 12, 20, 30, 33, n * 4};
  const std::vector<Index> offsets(c_offsets.begin(), c_offsets.end());
  in.offsets = {c_offsets.data(), n + 1};
  expect_same_negatives<S>(c, loss, kernel, reduction, own, in, per_query(own, offsets));
}

TEST(CNegatives, InfoNce) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const auto compare = [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_info_nce_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.temperature = 0.4;
      options.reduction = number_of(reduction);
      expect_same_either_way<S>(
          made(nearfar_info_nce_create, options),
          nearfar::InfoNce<S, K>({.temperature = 0.4, .reduction = reduction}, k), k, reduction);
    };
    each_similarity<S>(compare);
    each_distance<S>(compare);
  });
}

TEST(CNegatives, InfoNceWithSharedAndOwn) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto options = defaults(nearfar_info_nce_options_init);
    options.temperature = 0.4;
    options.reduction = number_of(reduction);
    const CLoss c = made(nearfar_info_nce_create, options);
    const nearfar::InfoNce<S> loss({.temperature = 0.4, .reduction = reduction});
    const Matrix<S> queries = random_rows<S>(n, depth, 1);
    const Matrix<S> keys = random_rows<S>(n, depth, 2);
    const Matrix<S> shared = random_rows<S>(5, depth, 3);
    const Matrix<S> own = random_rows<S>(n * 4, depth, 4);
    const nearfar_rows cq = c_rows(queries);
    const nearfar_rows ck = c_rows(keys);
    const std::vector<std::int64_t> ids = {0, 3, 8, 1, 3};
    const std::vector<std::int64_t> query_ids = {0, 1, 2, 3, 4, 5, 6, 7, 8};
    std::vector<std::int64_t> own_ids;
    for (std::int64_t k = 0; k < n * 4; ++k) own_ids.push_back(k % 9);
    const std::vector<std::int64_t> c_offsets = {0, 4, 4, 10, 11, 12, 20, 30, 33, n * 4};
    const std::vector<Index> offsets(c_offsets.begin(), c_offsets.end());
    const auto compare = [&](const nearfar_negatives& c_shared, const nearfar_negatives& c_own,
                             const Negatives<S>& of_all, const Negatives<S>& of_each) {
      nearfar_negatives in = c_shared;
      in.own = &c_own;
      expect_same_calls<S, nearfar::Cosine, 4>(
          nearfar::Cosine(), reduction, n, {&queries, &keys, &shared, &own},
          [&](const nearfar_call* call, nearfar_result* out) {
            return nearfar_negatives_forward(c.get(), &cq, &ck, &in, call, out);
          },
          [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
            nearfar_negatives with_gradient = in;
            with_gradient.d_own = &g[3];
            return nearfar_negatives_forward_backward(c.get(), &cq, &ck, &with_gradient, &g[0],
                                                      &g[1], &g[2], call, out);
          },
          [&](const CallOptions<S>& call) {
            return loss.forward(queries, keys, of_all, of_each, call);
          },
          [&](auto& g, const CallOptions<S>& call) {
            return loss.forward_backward(queries, keys, of_all, of_each, g[0], g[1], g[2], g[3],
                                         call);
          });
    };
    nearfar_negatives c_shared = defaults(nearfar_negatives_init);
    c_shared.rows = c_rows(shared);
    nearfar_negatives c_own = defaults(nearfar_negatives_init);
    c_own.rows = c_rows(own);
    c_own.per_query = 1;
    compare(c_shared, c_own, shared, per_query(own));
    c_own.offsets = {c_offsets.data(), n + 1};
    c_shared.ids = {ids.data(), 5};
    c_own.ids = {own_ids.data(), n * 4};
    c_shared.query_ids = c_own.query_ids = {query_ids.data(), n};
    compare(c_shared, c_own, Negatives<S>(shared).ids(ids, query_ids),
            per_query(own, offsets).ids(own_ids, query_ids));
  });
}

TEST(CNegatives, InfoNceWithIds) {
  const Matrix<float> shared = random_rows<float>(5, depth, 3);
  const std::vector<std::int64_t> ids = {0, 3, 8, 1, 3};
  const std::vector<std::int64_t> query_ids = {0, 1, 2, 3, 4, 5, 6, 7, 8};
  nearfar_negatives in = defaults(nearfar_negatives_init);
  in.rows = c_rows(shared);
  in.ids = {ids.data(), 5};
  in.query_ids = {query_ids.data(), n};
  expect_same_negatives<float>(
      made(nearfar_info_nce_create, defaults(nearfar_info_nce_options_init)),
      nearfar::InfoNce<float>(), nearfar::Cosine(), Reduction::mean, shared, in,
      Negatives<float>(shared).ids(ids, query_ids));
}

TEST(CInBatch, TakesPairsAloneAndWithAllExtras) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto options = defaults(nearfar_in_batch_info_nce_options_init);
    options.temperature = 0.4;
    options.query_to_query = 1;
    options.key_to_key = 1;
    options.hardness = NEARFAR_HARDNESS_HARD_NEGATIVES;
    options.hardness_strength = 0.5;
    options.false_negatives = NEARFAR_FALSE_NEGATIVES_DROP;
    options.margin = -0.3;
    options.reduction = number_of(reduction);
    const CLoss c = made(nearfar_in_batch_info_nce_create, options);
    const nearfar::InBatchInfoNce<S> loss({.temperature = 0.4,
                                           .query_to_query = true,
                                           .key_to_key = true,
                                           .hardness = nearfar::Hardness::hard_negatives,
                                           .hardness_strength = 0.5,
                                           .false_negatives = nearfar::FalseNegatives::drop,
                                           .margin = -0.3,
                                           .reduction = reduction});
    const Matrix<S> queries = random_rows<S>(n, depth, 1);
    const Matrix<S> keys = random_rows<S>(n, depth, 2);
    const Matrix<S> rows = random_rows<S>(n * 2, depth, 3);
    const Matrix<S> guide_q = random_rows<S>(n, 3, 4);
    const Matrix<S> guide_k = random_rows<S>(n, 3, 5);
    const Matrix<S> guide_n = random_rows<S>(n * 2, 3, 6);
    const std::vector<std::int64_t> ids = {0, 1, 2, 0, 4, 5, 1, 7, 8};
    const std::vector<double> log_q(n, -1.5);
    const std::vector<double> log_q_negatives(n * 2, -1.2);
    const nearfar_rows cq = c_rows(queries);
    const nearfar_rows ck = c_rows(keys);
    const nearfar_rows c_guides[] = {c_rows(guide_q), c_rows(guide_k), c_rows(guide_n)};

    expect_same_calls<S, nearfar::Cosine, 2>(
        nearfar::Cosine(), reduction, n, {&queries, &keys},
        [&](const nearfar_call* call, nearfar_result* out) {
          return nearfar_two_sets_forward(c.get(), &cq, &ck, nullptr, call, out);
        },
        [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
          return nearfar_two_sets_forward_backward(c.get(), &cq, &ck, nullptr, &g[0], &g[1], call,
                                                   out);
        },
        [&](const CallOptions<S>& call) { return loss.forward(queries, keys, call); },
        [&](auto& g, const CallOptions<S>& call) {
          return loss.forward_backward(queries, keys, g[0], g[1], call);
        });

    nearfar_negatives negatives = defaults(nearfar_negatives_init);
    negatives.rows = c_rows(rows);
    negatives.per_query = 1;
    nearfar_targets targets = defaults(nearfar_targets_init);
    targets.ids = {ids.data(), n};
    nearfar_in_batch in = defaults(nearfar_in_batch_init);
    in.negatives = &negatives;
    in.targets = &targets;
    in.guide_queries = &c_guides[0];
    in.guide_keys = &c_guides[1];
    in.guide_negatives = &c_guides[2];
    in.log_q = {log_q.data(), n};
    in.log_q_negatives = {log_q_negatives.data(), n * 2};
    const nearfar::InBatchExtras<S> extras{.negatives = per_query(rows),
                                           .targets = nearfar::Targets().ids(ids),
                                           .guide_queries = guide_q,
                                           .guide_keys = guide_k,
                                           .guide_negatives = guide_n,
                                           .log_q = log_q,
                                           .log_q_negatives = log_q_negatives};
    expect_same_calls<S, nearfar::Cosine, 3>(
        nearfar::Cosine(), reduction, n, {&queries, &keys, &rows},
        [&](const nearfar_call* call, nearfar_result* out) {
          const nearfar_status status = nearfar_in_batch_forward(c.get(), &cq, &ck, &in, call, out);
          EXPECT_EQ(out->false_negatives,
                    loss.forward(queries, keys, extras).diagnostics.false_negatives);
          return status;
        },
        [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
          return nearfar_in_batch_forward_backward(c.get(), &cq, &ck, &in, &g[0], &g[1], &g[2],
                                                   call, out);
        },
        [&](const CallOptions<S>& call) { return loss.forward(queries, keys, extras, call); },
        [&](auto& g, const CallOptions<S>& call) {
          return loss.forward_backward(queries, keys, extras, g[0], g[1], g[2], call);
        });
  });
}

TEST(CInBatch, OtherLossesRefuseExtras) {
  const Matrix<float> x = random_rows<float>(n, depth, 1);
  const nearfar_rows cx = c_rows(x);
  const nearfar_in_batch extras = defaults(nearfar_in_batch_init);
  nearfar_result result = defaults(nearfar_result_init);
  const CLoss c = made(nearfar_rince_create, defaults(nearfar_rince_options_init));
  EXPECT_EQ(nearfar_in_batch_forward(c.get(), &cx, &cx, &extras, nullptr, &result),
            NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(
      nearfar_last_error(),
      "nearfar: loss: wanted one that compares pairs with what else a batch has, got Rince");
}

TEST(CNegatives, NPair) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto options = defaults(nearfar_n_pair_options_init);
    options.reduction = number_of(reduction);
    expect_same_either_way<S>(made(nearfar_n_pair_create, options),
                              nearfar::NPair<S>({.reduction = reduction}), nearfar::InnerProduct(),
                              reduction);
  });
}

TEST(CNegatives, NegativeSampling) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    each_similarity<S>([&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_negative_sampling_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.temperature = 0.8;
      options.reduction = number_of(reduction);
      expect_same_either_way<S>(
          made(nearfar_negative_sampling_create, options),
          nearfar::NegativeSampling<S, K>({.temperature = 0.8, .reduction = reduction}, k), k,
          reduction);
    });
  });
}

TEST(CNegatives, Nce) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    each_similarity<S>([&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_nce_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.temperature = 0.8;
      options.log_z = 0.3;
      options.reduction = number_of(reduction);
      const Matrix<S> noise = random_rows<S>(5, depth, 3);
      const Matrix<S> of_keys = uniform_matrix<S>(n, 1, 4).array() - S(2);
      const Matrix<S> of_noise = uniform_matrix<S>(5, 1, 5).array() - S(2);
      nearfar_negatives in = defaults(nearfar_negatives_init);
      in.rows = c_rows(noise);
      in.log_noise_keys = c_rows(of_keys);
      in.log_noise_negatives = c_rows(of_noise);
      expect_same_negatives<S>(
          made(nearfar_nce_create, options),
          nearfar::Nce<S, K>({.temperature = 0.8, .log_z = 0.3, .reduction = reduction}, k), k,
          reduction, noise, in, Negatives<S>(noise), nearfar::Numbers<S>(of_keys.data(), n),
          nearfar::Numbers<S>(of_noise.data(), 5));
    });
  });
}

}  // namespace
