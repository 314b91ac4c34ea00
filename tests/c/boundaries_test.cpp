#include "c/same_bits.hpp"

/// MarginLoss with a boundary for each class.

namespace {

using namespace support;
using nearfar::MarginLoss;

constexpr Index n = 14;
constexpr Index m = 10;
constexpr Index classes = 4;

std::vector<std::int64_t> labels_of(Index count, std::uint64_t seed) {
  const std::vector<int> labels = random_labels(count, classes, seed);
  return {labels.begin(), labels.end()};
}

nearfar_margin_loss_options margin_options(Reduction reduction) {
  auto options = defaults(nearfar_margin_loss_options_init);
  options.nu = 0.3;
  options.reduction = number_of(reduction);
  return options;
}

TEST(CBoundaries, GiveTheBitsOfTheClass) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const CLoss c = made(nearfar_margin_loss_create, margin_options(reduction));
    const MarginLoss<S> loss({.nu = 0.3, .reduction = reduction});
    const std::vector<std::int64_t> labels = labels_of(n, 5);
    const std::vector<std::int64_t> others = labels_of(m, 6);
    const nearfar_targets c_labels = nearfar_targets_of_labels(labels.data(), n);
    const nearfar_targets c_others = nearfar_targets_of_labels(others.data(), m);
    const Matrix<S> x = random_rows<S>(n, depth, 1);
    const Matrix<S> y = random_rows<S>(m, depth, 2);
    const Matrix<S> betas = random_rows<S>(classes, 1, 3);
    const nearfar_rows cx = c_rows(x), cy = c_rows(y), cb = c_rows(betas);
    expect_same_calls<S, nearfar::Euclidean, 2>(
        nearfar::Euclidean(), reduction, n, {&x, &betas},
        [&](const nearfar_call* call, nearfar_result* out) {
          return nearfar_boundaries_forward(c.get(), &cx, &c_labels, nullptr, nullptr, &cb, call,
                                            out);
        },
        [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
          return nearfar_boundaries_forward_backward(c.get(), &cx, &c_labels, nullptr, nullptr, &cb,
                                                     &g[0], nullptr, &g[1], call, out);
        },
        [&](const CallOptions<S>& call) { return loss.forward(x, labels, betas, call); },
        [&](auto& g, const CallOptions<S>& call) {
          return loss.forward_backward(x, labels, betas, g[0], g[1], call);
        });
    expect_same_calls<S, nearfar::Euclidean, 3>(
        nearfar::Euclidean(), reduction, n, {&x, &y, &betas},
        [&](const nearfar_call* call, nearfar_result* out) {
          return nearfar_boundaries_forward(c.get(), &cx, &c_labels, &cy, &c_others, &cb, call,
                                            out);
        },
        [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
          return nearfar_boundaries_forward_backward(c.get(), &cx, &c_labels, &cy, &c_others, &cb,
                                                     &g[0], &g[1], &g[2], call, out);
        },
        [&](const CallOptions<S>& call) { return loss.forward(x, labels, y, others, betas, call); },
        [&](auto& g, const CallOptions<S>& call) {
          return loss.forward_backward(x, labels, y, others, betas, g[0], g[1], g[2], call);
        });
  });
}

TEST(CBoundaries, NameWhatDoesNotFit) {
  const CLoss c = made(nearfar_margin_loss_create, margin_options(Reduction::mean));
  const CLoss sup_con = made(nearfar_sup_con_create, defaults(nearfar_sup_con_options_init));
  const std::vector<std::int64_t> labels = labels_of(n, 5);
  const nearfar_targets targets = nearfar_targets_of_labels(labels.data(), n);
  const Matrix<double> rows = random_rows<double>(n, depth, 1);
  const Matrix<double> few = random_rows<double>(1, 1, 3);
  const nearfar_rows x = c_rows(rows), betas = c_rows(few);
  nearfar_result result = defaults(nearfar_result_init);
  const auto refused = [&](const CLoss& loss, const nearfar_targets* reference_targets,
                           const nearfar_rows* its_betas, const std::string& message) {
    EXPECT_EQ(nearfar_boundaries_forward(loss.get(), &x, &targets, nullptr, reference_targets,
                                         its_betas, nullptr, &result),
              NEARFAR_INVALID_ARGUMENT);
    EXPECT_EQ(std::string(nearfar_last_error()).substr(0, message.size()), message);
  };
  refused(sup_con, nullptr, &betas,
          "nearfar: loss: wanted one that compares rows with labels by boundaries of classes");
  refused(c, nullptr, nullptr, "nearfar: betas: wanted a pointer, got null");
  refused(c, &targets, &betas,
          "nearfar: reference_targets: wanted none without references, got targets");
  refused(c, nullptr, &betas, "nearfar: targets: wanted labels from 0 to 0");
}

}  // namespace
