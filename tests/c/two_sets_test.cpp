#include <nearfar/losses/alignment.hpp>
#include <nearfar/losses/clip.hpp>
#include <nearfar/losses/cpc.hpp>
#include <nearfar/losses/dclw.hpp>
#include <nearfar/losses/dhel.hpp>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/hard_negative.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/mutual_information.hpp>
#include <nearfar/losses/nt_xent.hpp>
#include <nearfar/losses/rince.hpp>
#include <nearfar/losses/sig_lip.hpp>
#include <nearfar/losses/triplet.hpp>
#include <nearfar/losses/uniformity.hpp>

#include "c/same_bits.hpp"

/// Losses of one, two and three sets of rows: each with settings that are not its defaults.

namespace {

using namespace support;
using nearfar::UnusableAnchor;

constexpr Index n = 11;

/// Both calls of a loss of two sets; `values` a row of x.
template <class S, class K, class Loss>
void expect_same_two_sets(const CLoss& c, const Loss& loss, const K& kernel, Reduction reduction,
                          Index values, Index keys = n) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const Matrix<S> y = random_rows<S>(keys, depth, 2);
  const nearfar_rows cx = c_rows(x);
  const nearfar_rows cy = c_rows(y);
  expect_same_calls<S, K, 2>(
      kernel, reduction, values * n, {&x, &y},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_two_sets_forward(c.get(), &cx, &cy, nullptr, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_two_sets_forward_backward(c.get(), &cx, &cy, nullptr, &g[0], &g[1], call,
                                                 out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(x, y, call); },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(x, y, g[0], g[1], call);
      });
}

/// The same with an integer a row: positives, or whether a pair is similar.
template <class S, class K, class Loss>
void expect_same_matches(const CLoss& c, const Loss& loss, const K& kernel, Reduction reduction,
                         const std::vector<std::int64_t>& match) {
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const Matrix<S> y = random_rows<S>(n, depth, 2);
  const nearfar_rows cx = c_rows(x);
  const nearfar_rows cy = c_rows(y);
  const nearfar_integers c_match = {match.data(), n};
  expect_same_calls<S, K, 2>(
      kernel, reduction, n, {&x, &y},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_two_sets_forward(c.get(), &cx, &cy, &c_match, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_two_sets_forward_backward(c.get(), &cx, &cy, &c_match, &g[0], &g[1], call,
                                                 out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(x, y, match, call); },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(x, y, match, g[0], g[1], call);
      });
}

/// The same of pairs with targets: ids and, where the loss takes them, labels.
template <class S, class K, class Loss>
void expect_same_pairs(const CLoss& c, const Loss& loss, const K& kernel, Reduction reduction,
                       Index values, bool takes_labels) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const Matrix<S> y = random_rows<S>(n, depth, 2);
  const nearfar_rows cx = c_rows(x);
  const nearfar_rows cy = c_rows(y);
  const std::vector<std::int64_t> ids = {0, 1, 1, 3, 4, 3, 6, 7, 8, 9, 1};
  const std::vector<std::int64_t> labels = {0, 0, 1, 1, 4, 5, 4, 7, 0, 9, 10};
  for (const bool labelled : {false, true}) {
    if (labelled && !takes_labels) continue;
    nearfar_targets c_targets = defaults(nearfar_targets_init);
    if (labelled) c_targets = nearfar_targets_of_labels(labels.data(), n);
    c_targets.ids = {ids.data(), n};
    const nearfar::Targets targets =
        (labelled ? nearfar::Targets(labels) : nearfar::Targets()).ids(ids);
    expect_same_calls<S, K, 2>(
        kernel, reduction, values * n, {&x, &y},
        [&](const nearfar_call* call, nearfar_result* out) {
          return nearfar_pairs_forward(c.get(), &cx, &cy, &c_targets, call, out);
        },
        [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
          return nearfar_pairs_forward_backward(c.get(), &cx, &cy, &c_targets, &g[0], &g[1], call,
                                                out);
        },
        [&](const CallOptions<S>& call) { return loss.forward(x, y, targets, call); },
        [&](auto& g, const CallOptions<S>& call) {
          return loss.forward_backward(x, y, targets, g[0], g[1], call);
        });
  }
}

TEST(CPairs, TakeTargets) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const auto check = [&](const auto& create, auto options, const auto& loss, Index values,
                           bool takes_labels) {
      options.reduction = number_of(reduction);
      const auto kernel = [&] {
        if constexpr (requires { loss.kernel(); }) {
          return loss.kernel();
        } else {
          return nearfar::Cosine();
        }
      }();
      expect_same_pairs<S>(made(create, options), loss, kernel, reduction, values, takes_labels);
    };
    check(nearfar_clip_create, defaults(nearfar_clip_options_init),
          nearfar::Clip<S>({.reduction = reduction}), 1, true);
    check(nearfar_sig_lip_create, defaults(nearfar_sig_lip_options_init),
          nearfar::SigLip<S>({.reduction = reduction}), 1, true);
    check(nearfar_hard_negative_create, defaults(nearfar_hard_negative_options_init),
          nearfar::HardNegative<S>({.reduction = reduction}), 2, false);
    check(nearfar_nt_xent_create, defaults(nearfar_nt_xent_options_init),
          nearfar::NtXent<S>({.reduction = reduction}), 2, false);
    check(nearfar_info_nce_create, defaults(nearfar_info_nce_options_init),
          nearfar::InfoNce<S>({.reduction = reduction}), 1, false);
    check(nearfar_n_pair_create, defaults(nearfar_n_pair_options_init),
          nearfar::NPair<S>({.reduction = reduction}), 1, false);
  });
}

TEST(CPairs, InfoNceTakesIdsOfQueriesAndOfKeys) {
  constexpr Index m = n + 4;
  const Matrix<float> x = random_rows<float>(n, depth, 1);
  const Matrix<float> y = random_rows<float>(m, depth, 2);
  const nearfar_rows cx = c_rows(x);
  const nearfar_rows cy = c_rows(y);
  std::vector<std::int64_t> of_queries, of_keys;
  for (Index i = 0; i < n; ++i) of_queries.push_back(i % 4);
  for (Index j = 0; j < m; ++j) of_keys.push_back(j % 6);
  nearfar_targets queries = defaults(nearfar_targets_init);
  nearfar_targets keys = queries;
  queries.ids = {of_queries.data(), n};
  keys.ids = {of_keys.data(), m};
  using nearfar::Targets;
  const CLoss c = made(nearfar_info_nce_create, defaults(nearfar_info_nce_options_init));
  const nearfar::InfoNce<float> loss;
  expect_same_calls<float, nearfar::Cosine, 2>(
      nearfar::Cosine(), Reduction::mean, n, {&x, &y},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_references_forward(c.get(), &cx, &queries, &cy, &keys, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_references_forward_backward(c.get(), &cx, &queries, &cy, &keys, &g[0], &g[1],
                                                   call, out);
      },
      [&](const CallOptions<float>& call) {
        return loss.forward(x, y, Targets().ids(of_queries), Targets().ids(of_keys), call);
      },
      [&](auto& g, const CallOptions<float>& call) {
        return loss.forward_backward(x, y, Targets().ids(of_queries), Targets().ids(of_keys), g[0],
                                     g[1], call);
      });
}

TEST(CPairs, OtherLossesRefuseTargets) {
  const Matrix<float> x = random_rows<float>(n, depth, 1);
  const nearfar_rows cx = c_rows(x);
  const nearfar_targets targets = defaults(nearfar_targets_init);
  nearfar_result result = defaults(nearfar_result_init);
  const CLoss c = made(nearfar_alignment_create, defaults(nearfar_alignment_options_init));
  EXPECT_EQ(nearfar_pairs_forward(c.get(), &cx, &cx, &targets, nullptr, &result),
            NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(),
               "nearfar: loss: wanted one that compares pairs of rows with targets, got Alignment");
}

template <class S, class K, class Loss>
void expect_same_three_sets(const CLoss& c, const Loss& loss, const K& kernel, Reduction reduction,
                            const Matrix<S>& x, const Matrix<S>& y, const Matrix<S>& z) {
  const nearfar_rows cx = c_rows(x);
  const nearfar_rows cy = c_rows(y);
  const nearfar_rows cz = c_rows(z);
  expect_same_calls<S, K, 3>(
      kernel, reduction, x.rows(), {&x, &y, &z},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_three_sets_forward(c.get(), &cx, &cy, &cz, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_three_sets_forward_backward(c.get(), &cx, &cy, &cz, &g[0], &g[1], &g[2],
                                                   call, out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(x, y, z, call); },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(x, y, z, g[0], g[1], g[2], call);
      });
}

TEST(CTwoSets, Alignment) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto options = defaults(nearfar_alignment_options_init);
    options.alpha = 1.5;
    options.reduction = number_of(reduction);
    expect_same_two_sets<S>(made(nearfar_alignment_create, options),
                            nearfar::Alignment<S>({.alpha = 1.5, .reduction = reduction}),
                            nearfar::Cosine(), reduction, 1);
  });
}

TEST(CTwoSets, Clip) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    each_similarity<S>([&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_clip_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.logit_scale = 3;
      options.largest_logit_scale = 5;
      options.directions = NEARFAR_CLIP_SUM;
      options.reduction = number_of(reduction);
      expect_same_two_sets<S>(made(nearfar_clip_create, options),
                              nearfar::Clip<S, K>({.logit_scale = 3,
                                                   .largest_logit_scale = 5,
                                                   .directions = nearfar::ClipDirections::sum,
                                                   .reduction = reduction},
                                                  k),
                              k, reduction, 1);
    });
  });
}

TEST(CTwoSets, Dclw) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto options = defaults(nearfar_dclw_options_init);
    options.temperature = 0.4;
    options.sigma = 0.7;
    options.reduction = number_of(reduction);
    expect_same_two_sets<S>(
        made(nearfar_dclw_create, options),
        nearfar::Dclw<S>({.temperature = 0.4, .sigma = 0.7, .reduction = reduction}),
        nearfar::Cosine(), reduction, 2);
  });
}

TEST(CTwoSets, Dhel) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    for (const int both_views : {0, 1}) {
      auto options = defaults(nearfar_dhel_options_init);
      options.temperature = 0.4;
      options.both_views = both_views;
      options.reduction = number_of(reduction);
      expect_same_two_sets<S>(
          made(nearfar_dhel_create, options),
          nearfar::Dhel<S>(
              {.temperature = 0.4, .both_views = both_views == 1, .reduction = reduction}),
          nearfar::Cosine(), reduction, 1);
    }
  });
}

TEST(CTwoSets, Rince) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    each_similarity<S>([&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_rince_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.temperature = 0.6;
      options.lambda = 0.2;
      options.q = 0.3;
      options.reduction = number_of(reduction);
      expect_same_two_sets<S>(
          made(nearfar_rince_create, options),
          nearfar::Rince<S, K>(
              {.temperature = 0.6, .lambda = 0.2, .q = 0.3, .reduction = reduction}, k),
          k, reduction, 1);
    });
    auto options = defaults(nearfar_rince_views_options_init);
    options.temperature = 0.6;
    options.lambda = 0.2;
    options.q = 0.3;
    options.reduction = number_of(reduction);
    expect_same_two_sets<S>(
        made(nearfar_rince_views_create, options),
        nearfar::RinceViews<S>(
            {.temperature = 0.6, .lambda = 0.2, .q = 0.3, .reduction = reduction}),
        nearfar::Cosine(), reduction, 2);
  });
}

TEST(CTwoSets, HardNegative) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto options = defaults(nearfar_hard_negative_options_init);
    options.temperature = 0.4;
    options.positive_prior = 0.05;
    options.concentration = 0.7;
    options.reduction = number_of(reduction);
    expect_same_two_sets<S>(made(nearfar_hard_negative_create, options),
                            nearfar::HardNegative<S>({.temperature = 0.4,
                                                      .positive_prior = 0.05,
                                                      .concentration = 0.7,
                                                      .reduction = reduction}),
                            nearfar::Cosine(), reduction, 2);
  });
}

TEST(CTwoSets, InfoNce) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const auto compare = [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_info_nce_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.temperature = 0.6;
      options.denominator = NEARFAR_NEGATIVES_ONLY;
      options.reduction = number_of(reduction);
      const CLoss c = made(nearfar_info_nce_create, options);
      const nearfar::InfoNce<S, K> loss({.temperature = 0.6,
                                         .denominator = nearfar::Denominator::negatives_only,
                                         .reduction = reduction},
                                        k);
      expect_same_two_sets<S>(c, loss, k, reduction, 1, n + 4);
      expect_same_matches<S>(c, loss, k, reduction, {3, 0, 0, 10, 2, 5, 9, 1, 8, 7, 4});
    };
    each_similarity<S>(compare);
    each_distance<S>(compare);
  });
}

TEST(CTwoSets, NPair) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto options = defaults(nearfar_n_pair_options_init);
    options.reduction = number_of(reduction);
    expect_same_two_sets<S>(made(nearfar_n_pair_create, options),
                            nearfar::NPair<S>({.reduction = reduction}), nearfar::InnerProduct(),
                            reduction, 1);
  });
}

TEST(CTwoSets, MutualInformation) {
  using nearfar::MutualInformationBound;
  const auto compare = []<class S>(S, nearfar_bound number, MutualInformationBound bound) {
    const auto with = [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_mutual_information_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.bound = number;
      options.temperature = 2;
      expect_same_two_sets<S>(
          made(nearfar_mutual_information_create, options),
          nearfar::MutualInformation<S, K>({.bound = bound, .temperature = 2}, k), k,
          Reduction::mean, 0);
    };
    each_similarity<S>(with);
    each_distance<S>(with);
  };
  compare(float(), NEARFAR_BOUND_INFO_NCE, MutualInformationBound::info_nce);
  compare(double(), NEARFAR_BOUND_NWJ, MutualInformationBound::nwj);
  compare(double(), NEARFAR_BOUND_DONSKER_VARADHAN, MutualInformationBound::donsker_varadhan);
  compare(float(), NEARFAR_BOUND_CLUB, MutualInformationBound::club);
}

TEST(CTwoSets, NtXent) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const auto compare = [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_nt_xent_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.temperature = 0.3;
      options.denominator = NEARFAR_NEGATIVES_ONLY;
      options.reduction = number_of(reduction);
      expect_same_two_sets<S>(
          made(nearfar_nt_xent_create, options),
          nearfar::NtXent<S, K>({.temperature = 0.3,
                                 .denominator = nearfar::Denominator::negatives_only,
                                 .reduction = reduction},
                                k),
          k, reduction, 2);
    };
    each_symmetric<S>(compare);
  });
}

TEST(CTwoSets, SigLip) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    each_similarity<S>([&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_sig_lip_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.logit_scale = 4;
      options.logit_bias = -1.5;
      options.reduction = number_of(reduction);
      expect_same_two_sets<S>(
          made(nearfar_sig_lip_create, options),
          nearfar::SigLip<S, K>({.logit_scale = 4, .logit_bias = -1.5, .reduction = reduction}, k),
          k, reduction, 1);
    });
  });
}

TEST(CTwoSets, HadsellOfPairs) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    each_distance<S>([&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_hadsell_contrastive_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.margin = 1.7;
      options.factor = NEARFAR_SQUARE_ONE;
      options.reduction = number_of(reduction);
      expect_same_matches<S>(
          made(nearfar_hadsell_contrastive_create, options),
          nearfar::HadsellContrastive<S, K>(
              {.margin = 1.7, .factor = nearfar::SquareFactor::one, .reduction = reduction}, k),
          k, reduction, {1, 0, 0, 1, 1, 0, 1, 0, 1, 0, 0});
    });
  });
}

TEST(CThreeSets, Triplet) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const auto compare = [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_triplet_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.margin = 0.5;
      options.form = NEARFAR_TRIPLET_SOFT;
      const bool swap = kind != NEARFAR_BILINEAR;
      options.swap = swap ? 1 : 0;
      options.reduction = number_of(reduction);
      expect_same_three_sets<S>(made(nearfar_triplet_create, options),
                                nearfar::Triplet<S, K>({.margin = 0.5,
                                                        .form = nearfar::TripletForm::soft,
                                                        .swap = swap,
                                                        .reduction = reduction},
                                                       k),
                                k, reduction, random_rows<S>(n, depth, 1),
                                random_rows<S>(n, depth, 2), random_rows<S>(n, depth, 3));
    };
    each_similarity<S>(compare);
    each_distance<S>(compare);
  });
}

TEST(CThreeSets, Cpc) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto options = defaults(nearfar_cpc_options_init);
    options.length = 4;
    options.steps = 2;
    options.temperature = 1.5;
    options.negatives = NEARFAR_SEQUENCE_SAME_TIME;
    options.reduction = number_of(reduction);
    const CLoss c = made(nearfar_cpc_create, options);
    const nearfar::Cpc<S> loss({.length = 4,
                                .steps = 2,
                                .temperature = 1.5,
                                .negatives = nearfar::SequenceNegatives::same_time,
                                .reduction = reduction});
    const Matrix<S> contexts = random_rows<S>(12, 5, 1);
    const Matrix<S> targets = random_rows<S>(12, 3, 2);
    const Matrix<S> weights = random_rows<S>(6, 5, 3);
    expect_same_three_sets<S>(c, loss, nearfar::Cosine(), reduction, contexts, targets, weights);

    std::array<double, 2> losses;
    std::array<double, 2> bounds;
    nearfar_result got = defaults(nearfar_result_init);
    got.step_losses = losses.data();
    got.step_bounds = bounds.data();
    got.steps_capacity = 2;
    const nearfar_rows x = c_rows(contexts);
    const nearfar_rows y = c_rows(targets);
    const nearfar_rows z = c_rows(weights);
    ASSERT_EQ(nearfar_three_sets_forward(c.get(), &x, &y, &z, nullptr, &got), NEARFAR_OK);
    const auto wanted = loss.forward(contexts, targets, weights);
    ASSERT_EQ(got.steps_count, 2);
    for (std::size_t k = 0; k < 2; ++k) {
      expect_same_bits(losses[k], wanted.steps[k].loss, "loss of a step");
      expect_same_bits(bounds[k], wanted.steps[k].bound, "bound of a step");
    }
  });
}

TEST(COneSet, Uniformity) {
  const auto compare = []<class S>(S) {
    auto options = defaults(nearfar_uniformity_options_init);
    options.t = 1.25;
    const CLoss c = made(nearfar_uniformity_create, options);
    const nearfar::Uniformity<S> loss({.t = 1.25});
    const Matrix<S> x = random_rows<S>(n, depth, 1);
    const nearfar_rows cx = c_rows(x);
    expect_same_calls<S, nearfar::Cosine, 1>(
        nearfar::Cosine(), Reduction::mean, 0, {&x},
        [&](const nearfar_call* call, nearfar_result* out) {
          return nearfar_one_set_forward(c.get(), &cx, call, out);
        },
        [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
          return nearfar_one_set_forward_backward(c.get(), &cx, &g[0], call, out);
        },
        [&](const CallOptions<S>& call) { return loss.forward(x, call); },
        [&](auto& g, const CallOptions<S>& call) { return loss.forward_backward(x, g[0], call); });
  };
  compare(float());
  compare(double());
}

}  // namespace
