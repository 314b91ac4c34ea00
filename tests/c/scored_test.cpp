#include <nearfar/losses/register.hpp>

#include "c/same_bits.hpp"

/// Losses of rows with numbers, and of pairs that are similar or not.

namespace {

using namespace support;
namespace registered = nearfar::registered;

constexpr Index n = 9;

template <class S>
Matrix<S> numbers(Index count) {
  return uniform_matrix<S>(count, 1, 4);
}

template <class S>
nearfar::Numbers<S> view(const Matrix<S>& column) {
  return {column.data(), column.rows()};
}

/// `per_query`: rows of the second set for each of the first.
template <class S, class K, class Loss>
void expect_same_scored(const CLoss& c, const Loss& loss, const K& kernel, Reduction reduction,
                        Index values, Index per_query) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  const Matrix<S> a = random_rows<S>(n, depth, 1);
  const Matrix<S> b = random_rows<S>(n * per_query, depth, 2);
  const Matrix<S> scores = numbers<S>(b.rows());
  const nearfar_rows ca = c_rows(a);
  const nearfar_rows cb = c_rows(b);
  const nearfar_rows cs = c_rows(scores);
  expect_same_calls<S, K, 2>(
      kernel, reduction, values, {&a, &b},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_scored_forward(c.get(), &ca, &cb, &cs, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_scored_forward_backward(c.get(), &ca, &cb, &cs, &g[0], &g[1], call, out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(a, b, view(scores), call); },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(a, b, view(scores), g[0], g[1], call);
      });
}

TEST(CScored, CoSentAndAngle) {
  const auto compare = []<class S>(S) {
    for_kernels<S>(registered::kernel_lists::All<S>(),
                   [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
                     auto options = defaults(nearfar_co_sent_options_init);
                     options.kernel = kind;
                     options.matrix = matrix;
                     options.scale = 3;
                     expect_same_scored<S>(made(nearfar_co_sent_create, options),
                                           nearfar::CoSent<S, K>({.scale = 3}, k), k,
                                           Reduction::mean, 0, 1);
                   });
    auto options = defaults(nearfar_angle_options_init);
    options.scale = 3;
    expect_same_scored<S>(made(nearfar_angle_create, options), nearfar::Angle<S>({.scale = 3}),
                          nearfar::Cosine(), Reduction::mean, 0, 1);
  };
  compare(float());
  compare(double());
}

TEST(CScored, ScoreRegression) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    for_kernels<S>(registered::kernel_lists::All<S>(),
                   [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
                     auto options = defaults(nearfar_score_regression_options_init);
                     options.kernel = kind;
                     options.matrix = matrix;
                     options.reduction = number_of(reduction);
                     expect_same_scored<S>(
                         made(nearfar_score_regression_create, options),
                         nearfar::ScoreRegression<S, K>({.reduction = reduction}, k), k, reduction,
                         n, 1);
                   });
  });
}

TEST(CScored, DistillKl) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    for_kernels<S>(registered::kernel_lists::All<S>(),
                   [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
                     auto options = defaults(nearfar_distill_kl_options_init);
                     options.kernel = kind;
                     options.matrix = matrix;
                     options.temperature = 0.8;
                     options.reduction = number_of(reduction);
                     expect_same_scored<S>(
                         made(nearfar_distill_kl_create, options),
                         nearfar::DistillKl<S, K>({.temperature = 0.8, .reduction = reduction}, k),
                         k, reduction, n, 4);
                   });
  });
}

TEST(CScored, MarginMse) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    for_kernels<S>(registered::kernel_lists::All<S>(), [&]<class K>(nearfar_kernel kind,
                                                                    const nearfar_rows& matrix,
                                                                    const K& k) {
      auto options = defaults(nearfar_margin_mse_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.reduction = number_of(reduction);
      const CLoss c = made(nearfar_margin_mse_create, options);
      const nearfar::MarginMse<S, K> loss({.reduction = reduction}, k);
      const Matrix<S> q = random_rows<S>(n, depth, 1);
      const Matrix<S> p = random_rows<S>(n, depth, 2);
      const Matrix<S> x = random_rows<S>(n * 3, depth, 3);
      const Matrix<S> margins = numbers<S>(n * 3);
      const nearfar_rows cq = c_rows(q);
      const nearfar_rows cp = c_rows(p);
      const nearfar_rows cx = c_rows(x);
      const nearfar_rows cm = c_rows(margins);
      expect_same_calls<S, K, 3>(
          k, reduction, n, {&q, &p, &x},
          [&](const nearfar_call* call, nearfar_result* out) {
            return nearfar_scored_triplets_forward(c.get(), &cq, &cp, &cx, &cm, call, out);
          },
          [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
            return nearfar_scored_triplets_forward_backward(c.get(), &cq, &cp, &cx, &cm, &g[0],
                                                            &g[1], &g[2], call, out);
          },
          [&](const CallOptions<S>& call) { return loss.forward(q, p, x, view(margins), call); },
          [&](auto& g, const CallOptions<S>& call) {
            return loss.forward_backward(q, p, x, view(margins), g[0], g[1], g[2], call);
          });
    });
  });
}

TEST(CScored, CosineEmbedding) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    auto options = defaults(nearfar_cosine_embedding_options_init);
    options.margin = 0.1;
    options.reduction = number_of(reduction);
    const CLoss c = made(nearfar_cosine_embedding_create, options);
    const nearfar::CosineEmbedding<S> loss({.margin = 0.1, .reduction = reduction});
    const Matrix<S> a = random_rows<S>(n, depth, 1);
    const Matrix<S> b = random_rows<S>(n, depth, 2);
    const std::vector<std::int64_t> same = {1, 0, 0, 1, 0, 1, 0, 0, 1};
    const nearfar_rows ca = c_rows(a);
    const nearfar_rows cb = c_rows(b);
    const nearfar_integers flags = {same.data(), n};
    expect_same_calls<S, nearfar::Cosine, 2>(
        nearfar::Cosine(), reduction, n, {&a, &b},
        [&](const nearfar_call* call, nearfar_result* out) {
          return nearfar_two_sets_forward(c.get(), &ca, &cb, &flags, call, out);
        },
        [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
          return nearfar_two_sets_forward_backward(c.get(), &ca, &cb, &flags, &g[0], &g[1], call,
                                                   out);
        },
        [&](const CallOptions<S>& call) { return loss.forward(a, b, same, call); },
        [&](auto& g, const CallOptions<S>& call) {
          return loss.forward_backward(a, b, same, g[0], g[1], call);
        });
  });
}

TEST(CScored, RefuseWhatDoesNotFit) {
  const Matrix<double> a = random_rows<double>(n, depth, 1);
  const Matrix<double> scores = numbers<double>(n);
  const Matrix<double> wide = numbers<double>(2 * n).reshaped(n, 2);
  const nearfar_rows ca = c_rows(a);
  const nearfar_rows cs = c_rows(scores);
  const nearfar_rows cw = c_rows(wide);
  nearfar_result out = defaults(nearfar_result_init);
  const CLoss loss = made(nearfar_co_sent_create, defaults(nearfar_co_sent_options_init));
  const auto refuses = [&](const char* words, const nearfar_loss* of, const nearfar_rows* numbers) {
    EXPECT_EQ(nearfar_scored_forward(of, &ca, &ca, numbers, nullptr, &out),
              NEARFAR_INVALID_ARGUMENT);
    EXPECT_NE(std::strstr(nearfar_last_error(), words), nullptr) << nearfar_last_error();
  };
  refuses("scores: wanted a pointer", loss.get(), nullptr);
  refuses("scores: wanted one column", loss.get(), &cw);
  const Matrix<double> few = numbers<double>(n - 1);
  const nearfar_rows cf = c_rows(few);
  refuses("scores: wanted 9 numbers", loss.get(), &cf);
  const CLoss other = made(nearfar_clip_create, defaults(nearfar_clip_options_init));
  refuses("loss: wanted one that compares rows with scores, got Clip", other.get(), &cs);
}

}  // namespace
