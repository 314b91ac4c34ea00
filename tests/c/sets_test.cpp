#include <nearfar/losses/barlow_twins.hpp>
#include <nearfar/losses/gor.hpp>
#include <nearfar/losses/ko_leo.hpp>
#include <nearfar/losses/max_sim.hpp>
#include <nearfar/losses/negative_cosine.hpp>
#include <nearfar/losses/sig_reg.hpp>
#include <nearfar/losses/vic_reg.hpp>

#include "c/same_bits.hpp"

/// Losses of whole sets, of predictions and of tokens: each with settings that are not its
/// defaults.

namespace {

using namespace support;
using nearfar::Cosine;

constexpr Index n = 11;

template <class S, class Loss>
void expect_same_one_set(const CLoss& c, const Loss& loss, Reduction reduction, Index values) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const nearfar_rows cx = c_rows(x);
  expect_same_calls<S, Cosine, 1>(
      Cosine(), reduction, values, {&x},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_one_set_forward(c.get(), &cx, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_one_set_forward_backward(c.get(), &cx, &g[0], call, out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(x, call); },
      [&](auto& g, const CallOptions<S>& call) { return loss.forward_backward(x, g[0], call); });
}

template <class S, class Loss>
void expect_same_views(const CLoss& c, const Loss& loss) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const Matrix<S> y = random_rows<S>(n, depth, 2);
  const nearfar_rows cx = c_rows(x);
  const nearfar_rows cy = c_rows(y);
  expect_same_calls<S, Cosine, 2>(
      Cosine(), Reduction::mean, 0, {&x, &y},
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

TEST(CSets, OfOneSet) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto ko_leo = defaults(nearfar_ko_leo_options_init);
    ko_leo.reduction = number_of(reduction);
    expect_same_one_set<S>(made(nearfar_ko_leo_create, ko_leo),
                           nearfar::KoLeo<S>({.reduction = reduction}), reduction, n);
    auto gor = defaults(nearfar_gor_options_init);
    gor.mean_weight = 0.75;
    gor.second_moment_weight = 2;
    expect_same_one_set<S>(made(nearfar_gor_create, gor),
                           nearfar::Gor<S>({.mean_weight = 0.75, .second_moment_weight = 2}),
                           Reduction::mean, 0);
  });
}

TEST(CSets, OfTwoViews) {
  const auto compare = []<class S>(S) {
    auto barlow = defaults(nearfar_barlow_twins_options_init);
    barlow.lambda = 0.25;
    barlow.epsilon = 0.01;
    expect_same_views<S>(made(nearfar_barlow_twins_create, barlow),
                         nearfar::BarlowTwins<S>({.lambda = 0.25, .epsilon = 0.01}));
    auto vic_reg = defaults(nearfar_vic_reg_options_init);
    vic_reg.invariance = 2;
    vic_reg.variance = 3;
    vic_reg.covariance = 4;
    vic_reg.epsilon = 0.01;
    expect_same_views<S>(
        made(nearfar_vic_reg_create, vic_reg),
        nearfar::VicReg<S>({.invariance = 2, .variance = 3, .covariance = 4, .epsilon = 0.01}));
  };
  compare(float());
  compare(double());
}

TEST(CSets, SigReg) {
  const auto compare = []<class S>(S) {
    auto options = defaults(nearfar_sig_reg_options_init);
    options.knots = 9;
    options.t_max = 2;
    const CLoss c = made(nearfar_sig_reg_create, options);
    const nearfar::SigReg<S> loss({.knots = 9, .t_max = 2});
    const Matrix<S> x = random_rows<S>(n, depth, 1);
    const Matrix<S> slices = random_rows<S>(5, depth, 2);
    const nearfar_rows cx = c_rows(x);
    const nearfar_rows cy = c_rows(slices);
    expect_same_calls<S, Cosine, 1>(
        Cosine(), Reduction::mean, 0, {&x},
        [&](const nearfar_call* call, nearfar_result* out) {
          return nearfar_two_sets_forward(c.get(), &cx, &cy, nullptr, call, out);
        },
        [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
          return nearfar_two_sets_forward_backward(c.get(), &cx, &cy, nullptr, &g[0], nullptr, call,
                                                   out);
        },
        [&](const CallOptions<S>& call) { return loss.forward(x, slices, call); },
        [&](auto& g, const CallOptions<S>& call) {
          return loss.forward_backward(x, slices, g[0], call);
        });
  };
  compare(float());
  compare(double());
}

TEST(CSets, SlicesHaveNoGradient) {
  const Matrix<float> x = random_rows<float>(n, depth, 1);
  Matrix<float> dy(n, depth);
  const nearfar_rows cx = c_rows(x);
  const nearfar_gradient g = c_gradient(dy);
  nearfar_result result = defaults(nearfar_result_init);
  const CLoss c = made(nearfar_sig_reg_create, defaults(nearfar_sig_reg_options_init));
  EXPECT_EQ(
      nearfar_two_sets_forward_backward(c.get(), &cx, &cx, nullptr, nullptr, &g, nullptr, &result),
      NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(),
               "nearfar: dy: wanted none, as slices have no gradient, got a gradient");
}

template <class S, class Loss>
void expect_same_predictions(const CLoss& c, const Loss& loss, Reduction reduction) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  const Matrix<S> p1 = random_rows<S>(n, depth, 1);
  const Matrix<S> p2 = random_rows<S>(n, depth, 2);
  const Matrix<S> z1 = random_rows<S>(n, depth, 3);
  const Matrix<S> z2 = random_rows<S>(n, depth, 4);
  const nearfar_rows rows[] = {c_rows(p1), c_rows(p2), c_rows(z1), c_rows(z2)};
  expect_same_calls<S, Cosine, 2>(
      Cosine(), reduction, n, {&p1, &p2},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_predictions_forward(c.get(), &rows[0], &rows[1], &rows[2], &rows[3], call,
                                           out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_predictions_forward_backward(c.get(), &rows[0], &rows[1], &rows[2], &rows[3],
                                                    &g[0], &g[1], call, out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(p1, p2, z1, z2, call); },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(p1, p2, z1, z2, g[0], g[1], call);
      });
}

TEST(CPredictions, NegativeCosineAndByol) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto negative_cosine = defaults(nearfar_negative_cosine_options_init);
    negative_cosine.reduction = number_of(reduction);
    expect_same_predictions<S>(made(nearfar_negative_cosine_create, negative_cosine),
                               nearfar::NegativeCosine<S>({.reduction = reduction}), reduction);
    auto byol = defaults(nearfar_byol_options_init);
    byol.reduction = number_of(reduction);
    expect_same_predictions<S>(made(nearfar_byol_create, byol),
                               nearfar::Byol<S>({.reduction = reduction}), reduction);
  });
}

TEST(CTokens, MaxSimInfoNce) {
  const std::vector<Index> of_queries = {0, 2, 2, 7, 11};
  const std::vector<Index> of_documents = {0, 1, 4, 5, 9, 11};
  const std::vector<std::int64_t> c_queries(of_queries.begin(), of_queries.end());
  const std::vector<std::int64_t> c_documents(of_documents.begin(), of_documents.end());
  const nearfar_integers q_offsets = {c_queries.data(), 5};
  const nearfar_integers d_offsets = {c_documents.data(), 6};
  each_scalar_and_reduction([&]<class S>(S, Reduction reduction) {
    const auto compare = [&]<class K>(nearfar_kernel kind, const K&) {
      auto options = defaults(nearfar_max_sim_info_nce_options_init);
      options.kernel = kind;
      options.temperature = 0.6;
      options.reduction = number_of(reduction);
      const CLoss c = made(nearfar_max_sim_info_nce_create, options);
      const nearfar::MaxSimInfoNce<S, K> loss({.temperature = 0.6, .reduction = reduction});
      const Matrix<S> x = random_rows<S>(n, depth, 1);
      const Matrix<S> y = random_rows<S>(n, depth, 2);
      const nearfar_rows cx = c_rows(x);
      const nearfar_rows cy = c_rows(y);
      expect_same_calls<S, K, 2>(
          K(), reduction, 4, {&x, &y},
          [&](const nearfar_call* call, nearfar_result* out) {
            return nearfar_tokens_forward(c.get(), &cx, &q_offsets, &cy, &d_offsets, call, out);
          },
          [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
            return nearfar_tokens_forward_backward(c.get(), &cx, &q_offsets, &cy, &d_offsets, &g[0],
                                                   &g[1], call, out);
          },
          [&](const CallOptions<S>& call) {
            return loss.forward(x, of_queries, y, of_documents, call);
          },
          [&](auto& g, const CallOptions<S>& call) {
            return loss.forward_backward(x, of_queries, y, of_documents, g[0], g[1], call);
          });
    };
    compare(NEARFAR_COSINE, Cosine());
    compare(NEARFAR_INNER_PRODUCT, nearfar::InnerProduct());
  });
}

TEST(CSets, OtherLossesRefuseTheseForms) {
  const Matrix<float> x = random_rows<float>(n, depth, 1);
  const nearfar_rows cx = c_rows(x);
  const nearfar_integers none = {nullptr, 0};
  nearfar_result result = defaults(nearfar_result_init);
  const CLoss c = made(nearfar_alignment_create, defaults(nearfar_alignment_options_init));
  EXPECT_EQ(nearfar_predictions_forward(c.get(), &cx, &cx, &cx, &cx, nullptr, &result),
            NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(),
               "nearfar: loss: wanted one that compares predictions and targets, got Alignment");
  EXPECT_EQ(nearfar_tokens_forward(c.get(), &cx, &none, &cx, &none, nullptr, &result),
            NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(),
               "nearfar: loss: wanted one that compares sets of tokens, got Alignment");
}

}  // namespace
