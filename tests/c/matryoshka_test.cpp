#include "c/same_bits.hpp"

/// MatryoshkaInfoNce, whose settings are lists.

namespace {

using namespace support;
using nearfar::MatryoshkaInfoNce;

constexpr Index n = 14;

TEST(CMatryoshka, GivesTheBitsOfTheClass) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const std::vector<std::int64_t> prefixes = {2, 5, depth};
    const std::vector<double> weights = {1, 0.5, 2};
    auto options = defaults(nearfar_matryoshka_info_nce_options_init);
    EXPECT_EQ(options.prefixes.data, nullptr);
    EXPECT_EQ(options.temperature, 0.07);
    options.prefixes = {prefixes.data(), 3};
    options.weights = {weights.data(), 3};
    options.temperature = 0.4;
    options.denominator = NEARFAR_NEGATIVES_ONLY;
    options.reduction = number_of(reduction);
    const nearfar::MatryoshkaOptions cpp{.prefixes = {2, 5, depth},
                                         .weights = weights,
                                         .temperature = 0.4,
                                         .denominator = nearfar::Denominator::negatives_only,
                                         .reduction = reduction};
    for_kernels<S>(
        nearfar::registered::kernel_lists::SymmetricSimilarities<S>(),
        [&]<class K>(nearfar_kernel kind, const nearfar_rows&, const K& k) {
          options.kernel = kind;
          const CLoss c = made(nearfar_matryoshka_info_nce_create, options);
          const MatryoshkaInfoNce<S, K> loss(cpp, k);
          const Matrix<S> x = random_rows<S>(n, depth, 1);
          const Matrix<S> y = random_rows<S>(n + 3, depth, 2);
          const nearfar_rows cx = c_rows(x), cy = c_rows(y);
          expect_same_calls<S, K, 2>(
              k, reduction, n, {&x, &y},
              [&](const nearfar_call* call, nearfar_result* out) {
                return nearfar_two_sets_forward(c.get(), &cx, &cy, nullptr, call, out);
              },
              [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
                return nearfar_two_sets_forward_backward(c.get(), &cx, &cy, nullptr, &g[0], &g[1],
                                                         call, out);
              },
              [&](const CallOptions<S>& call) { return loss.forward(x, y, call); },
              [&](auto& g, const CallOptions<S>& call) {
                return loss.forward_backward(x, y, g[0], g[1], call);
              });
          double own[3];
          nearfar_result result = defaults(nearfar_result_init);
          result.prefix_values = own;
          result.prefixes_capacity = 2;
          EXPECT_EQ(nearfar_two_sets_forward(c.get(), &cx, &cy, nullptr, nullptr, &result),
                    NEARFAR_INVALID_ARGUMENT);
          EXPECT_STREQ(nearfar_last_error(),
                       "nearfar: result.prefixes_capacity: wanted room for 3 numbers, got 2");
          result.prefixes_capacity = 3;
          ASSERT_EQ(nearfar_two_sets_forward(c.get(), &cx, &cy, nullptr, nullptr, &result),
                    NEARFAR_OK);
          EXPECT_EQ(result.prefixes_count, 3);
          const auto wanted = loss.forward(x, y);
          for (std::size_t p = 0; p < 3; ++p) {
            expect_same_bits(own[p], wanted.prefix_values[p], "a prefix's value");
          }
        });
  });
}

TEST(CMatryoshka, NeedsPrefixes) {
  nearfar_loss* none = nullptr;
  EXPECT_EQ(nearfar_matryoshka_info_nce_create(nullptr, &none), NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(), "nearfar: prefixes: wanted at least one length, got none");
  auto options = defaults(nearfar_matryoshka_info_nce_options_init);
  options.prefixes.count = 2;
  EXPECT_EQ(nearfar_matryoshka_info_nce_create(&options, &none), NEARFAR_INVALID_ARGUMENT);
  EXPECT_STREQ(nearfar_last_error(), "nearfar: prefixes.data: wanted 2 items, got null");
}

}  // namespace
