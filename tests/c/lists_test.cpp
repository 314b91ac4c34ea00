#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/linear_contrastive.hpp>
#include <nearfar/losses/triplet.hpp>

#include "c/same_bits.hpp"

/// Pairs and triplets by the numbers of rows.

namespace {

using namespace support;

constexpr Index n = 11;
constexpr Index m = 9;

const std::vector<std::int64_t> first = {0, 3, 3, 8};
const std::vector<std::int64_t> second = {1, 4, 4, 2};
const std::vector<std::int64_t> other_first = {5, 2};
const std::vector<std::int64_t> other_second = {0, 7};

nearfar_integers integers_of(const std::vector<std::int64_t>& x) {
  return {x.data(), static_cast<std::int64_t>(x.size())};
}

const nearfar_pair_list similar = {integers_of(first), integers_of(second)};
const nearfar_pair_list dissimilar = {integers_of(other_first), integers_of(other_second)};
const nearfar_triplet_list triplets = {integers_of(first), integers_of(second), {second.data(), 4}};

/// Both forms with both calls; `pass(references, call...)` is C's, lists... the class's.
template <class S, class Loss, class Forward, class Both, class... Lists>
void expect_same_lists(const Loss& loss, Reduction reduction, Index terms, const Forward& forward,
                       const Both& both, const Lists&... lists) {
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const Matrix<S> y = random_rows<S>(m, depth, 2);
  const nearfar_rows cx = c_rows(x);
  const nearfar_rows cy = c_rows(y);
  const nearfar::Euclidean kernel;
  expect_same_calls<S, nearfar::Euclidean, 1>(
      kernel, reduction, terms, {&x},
      [&](const nearfar_call* call, nearfar_result* out) {
        return forward(&cx, nullptr, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return both(&cx, nullptr, &g[0], nullptr, call, out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(x, lists..., call); },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(x, lists..., g[0], call);
      });
  expect_same_calls<S, nearfar::Euclidean, 2>(
      kernel, reduction, terms, {&x, &y},
      [&](const nearfar_call* call, nearfar_result* out) { return forward(&cx, &cy, call, out); },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return both(&cx, &cy, &g[0], &g[1], call, out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(x, y, lists..., call); },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(x, y, lists..., g[0], g[1], call);
      });
}

template <class S, class Loss>
void expect_same_pairs(const CLoss& c, const Loss& loss, Reduction reduction) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  expect_same_lists<S>(
      loss, reduction, 6,
      [&](auto... a) {
        const auto call = [&](const nearfar_rows* x, const nearfar_rows* references,
                              const nearfar_call* options, nearfar_result* out) {
          return nearfar_listed_pairs_forward(c.get(), x, references, &similar, &dissimilar,
                                              options, out);
        };
        return call(a...);
      },
      [&](auto... a) {
        const auto call = [&](const nearfar_rows* x, const nearfar_rows* references,
                              const nearfar_gradient* dx, const nearfar_gradient* dy,
                              const nearfar_call* options, nearfar_result* out) {
          return nearfar_listed_pairs_forward_backward(c.get(), x, references, &similar,
                                                       &dissimilar, dx, dy, options, out);
        };
        return call(a...);
      },
      nearfar::PairList{first, second}, nearfar::PairList{other_first, other_second});
}

TEST(CLists, GiveTheBitsOfTheClass) {
  each_scalar_and_reduction([&]<class S>(S, Reduction reduction) {
    auto linear = defaults(nearfar_linear_contrastive_options_init);
    linear.reduction = number_of(reduction);
    expect_same_pairs<S>(made(nearfar_linear_contrastive_create, linear),
                         nearfar::LinearContrastive<S>({.reduction = reduction}), reduction);
    auto hadsell = defaults(nearfar_hadsell_contrastive_options_init);
    hadsell.reduction = number_of(reduction);
    expect_same_pairs<S>(made(nearfar_hadsell_contrastive_create, hadsell),
                         nearfar::HadsellContrastive<S>({.reduction = reduction}), reduction);
    auto triplet = defaults(nearfar_triplet_options_init);
    triplet.reduction = number_of(reduction);
    const CLoss c = made(nearfar_triplet_create, triplet);
    expect_same_lists<S>(
        nearfar::Triplet<S>({.reduction = reduction}), reduction, 4,
        [&](const nearfar_rows* x, const nearfar_rows* references, const nearfar_call* call,
            nearfar_result* out) {
          return nearfar_listed_triplets_forward(c.get(), x, references, &triplets, call, out);
        },
        [&](const nearfar_rows* x, const nearfar_rows* references, const nearfar_gradient* dx,
            const nearfar_gradient* dy, const nearfar_call* call, nearfar_result* out) {
          return nearfar_listed_triplets_forward_backward(c.get(), x, references, &triplets, dx, dy,
                                                          call, out);
        },
        nearfar::TripletList{first, second, second});
  });
}

TEST(CLists, OfLossesWithoutThemAndWithoutReferencesAreRefused) {
  const Matrix<double> x = random_rows<double>(n, depth, 1);
  const nearfar_rows cx = c_rows(x);
  Matrix<double> dy(m, depth);
  const nearfar_gradient gradient = nearfar_double_gradient(dy.data(), m, depth);
  nearfar_result result = defaults(nearfar_result_init);
  const auto refused = [](nearfar_status status, const char* text) {
    EXPECT_EQ(status, NEARFAR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(nearfar_last_error()).find(text), std::string::npos)
        << nearfar_last_error();
  };
  const CLoss sup_con = made(nearfar_sup_con_create, defaults(nearfar_sup_con_options_init));
  refused(nearfar_listed_pairs_forward(sup_con.get(), &cx, nullptr, &similar, &dissimilar, nullptr,
                                       &result),
          "loss: wanted one that compares pairs of rows by number, got SupCon");
  const CLoss linear =
      made(nearfar_linear_contrastive_create, defaults(nearfar_linear_contrastive_options_init));
  refused(nearfar_listed_triplets_forward(linear.get(), &cx, nullptr, &triplets, nullptr, &result),
          "loss: wanted one that compares triplets of rows by number, got LinearContrastive");
  refused(nearfar_listed_pairs_forward_backward(linear.get(), &cx, nullptr, &similar, &dissimilar,
                                                nullptr, &gradient, nullptr, &result),
          "d_references: wanted none without references, got a gradient");
  refused(nearfar_listed_pairs_forward(linear.get(), &cx, nullptr, nullptr, &dissimilar, nullptr,
                                       &result),
          "positive_pairs: wanted a pointer, got null");
}

}  // namespace
