#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "adapters/tensors.hpp"
#include "support/errors.hpp"

// Arguments of the adapter's functions besides rows, and refusals.

namespace adapters {
namespace {

using nearfar::Reduction;
using support::Thrown;

// ---- types and arguments
// ---------------------------------------------------------------------------

TEST(LibTorch, LearntNumbersKeepTheirTypeAndShape) {
  const Tensor x = rows(10, 4, 1);
  const Tensor y = rows(10, 4, 2);
  const Tensor scale = at::full({1, 1}, 5.0, at::kFloat).requires_grad_(true);
  const Tensor bias = at::scalar_tensor(-2.0, at::kDouble).requires_grad_(true);
  const Tensor value =
      libtorch::sig_lip(x, y, {.logit_scale = 99}, {.logit_scale = scale, .logit_bias = bias});
  (3 * value).backward();
  nearfar::Matrix<double> dx, dy;
  const auto result = nearfar::SigLip<double>({.logit_scale = 5, .logit_bias = -2})
                          .forward_backward(matrix(x), matrix(y), dx, dy, {.upstream = 3.0});
  EXPECT_EQ(value.item<double>(), result.value);
  EXPECT_EQ(scale.grad().sizes(), scale.sizes());
  EXPECT_EQ(scale.grad().scalar_type(), at::kFloat);
  EXPECT_NEAR(scale.grad().item<double>(), result.d_logit_scale,
              1e-6 * std::abs(result.d_logit_scale));
  EXPECT_NEAR(bias.grad().item<double>(), result.d_logit_bias, 1e-14);
}

/// Downhill from its limit a scale may fall and not rise.
TEST(LibTorch, AScaleBeyondItsLimitHasTheGradientThatLowersIt) {
  const auto gradient_at = [](double value, const Tensor& texts) {
    const Tensor scale = at::scalar_tensor(value).requires_grad_(true);
    libtorch::clip(leaf(10, 4, 1), texts, {.largest_logit_scale = 100}, {.logit_scale = scale})
        .backward();
    return scale.grad().item<double>();
  };
  const Tensor others = rows(10, 4, 2);
  EXPECT_GT(gradient_at(100, others), 0);
  EXPECT_EQ(gradient_at(120, others), gradient_at(100, others));
  EXPECT_EQ(gradient_at(120, rows(10, 4, 1)), 0);
}

struct Gaussian {
  static constexpr auto geometry = nearfar::Geometry::squared_distance;
  static constexpr auto orientation = nearfar::Orientation::similarity;
  template <class S>
  S score(S u) const {
    return std::exp(-u / 2);
  }
  template <class S>
  S slope(S, S s) const {
    return -s / 2;
  }
};

TEST(LibTorch, TargetsAreThoseOfTheLoss) {
  const Tensor x = rows(6, 4, 1);
  const nearfar::SupCon<double> loss;
  const std::vector<std::int64_t> labels = {0, 1, 0, 1, 2, 2};
  const std::vector<std::int64_t> ids = {0, 1, 0, 2, 3, 4};
  const std::vector<double> weights = {1, 2, 0, 0.5, 3, 1};
  EXPECT_EQ(
      libtorch::sup_con(
          x,
          libtorch::TensorTargets(integers(labels)).ids(integers(ids)).weights(at::tensor(weights)))
          .item<double>(),
      loss.forward(matrix(x), nearfar::Targets(labels).ids(ids).weights(weights)).value);

  EXPECT_EQ(
      libtorch::sup_con(x, libtorch::TensorTargets(integers(labels)).unlabelled(1)).item<double>(),
      loss.forward(matrix(x), nearfar::Targets(labels).unlabelled(1)).value);
  using nearfar::UnlabelledRows;
  EXPECT_EQ(
      libtorch::sup_con(
          x, libtorch::TensorTargets(integers(labels)).unlabelled(1, UnlabelledRows::negatives))
          .item<double>(),
      loss.forward(matrix(x), nearfar::Targets(labels).unlabelled(1, UnlabelledRows::negatives))
          .value);

  // Sets of labels, of more than a word each: rows 0, 1 and 3, 4 share one.
  Tensor sets = at::zeros({6, 70}, at::kBool);
  const std::vector<std::int64_t> shared = {3, 3, 64, 69, 69, 65};
  std::vector<std::uint64_t> words(12);
  for (Index i = 0; i < 6; ++i) {
    const std::int64_t own = shared[static_cast<std::size_t>(i)];
    sets[i][own] = true;
    words[static_cast<std::size_t>(2 * i + own / 64)] |= std::uint64_t(1) << own % 64;
  }
  EXPECT_EQ(libtorch::sup_con(x, sets).item<double>(),
            loss.forward(matrix(x), nearfar::MultiLabels{words.data(), 6, 2}).value);

  const std::vector<Index> offsets = {0, 2, 2, 3, 3, 4, 5};
  const std::vector<Index> columns = {1, 3, 5, 0, 2};
  const std::vector<double> of_columns = {1, 2, 1, 0.5, 1};
  EXPECT_EQ(libtorch::sup_con(x, libtorch::TensorTargets::lists(integers({0, 2, 2, 3, 3, 4, 5}),
                                                                integers({1, 3, 5, 0, 2}),
                                                                at::tensor(of_columns)))
                .item<double>(),
            loss.forward(matrix(x), nearfar::PositiveLists{offsets, columns, of_columns}).value);
  // Lists of positives go with references without targets.
  EXPECT_EQ(libtorch::sup_con(x,
                              libtorch::TensorTargets::lists(integers({0, 2, 2, 3, 3, 4, 5}),
                                                             integers({1, 3, 5, 0, 2})),
                              x, {})
                .item<double>(),
            loss.forward(matrix(x), nearfar::PositiveLists{offsets, columns}, matrix(x), {}).value);
}

TEST(LibTorch, RowsAreListedByNumber) {
  const Tensor pairs = at::tensor({0, 1, 3, 4, 0, 1}, at::kLong).view({3, 2});
  const Tensor others = at::tensor({5, 0, 2, 2}, at::kLong).view({2, 2});
  const Tensor triplets = at::tensor({0, 1, 2, 3, 4, 0}, at::kLong).view({2, 3});
  const std::vector<Index> first = {0, 3, 0}, second = {1, 4, 1};
  const std::vector<Index> other_first = {5, 2}, other_second = {0, 2};
  const std::vector<Index> anchors = {0, 3}, positives = {1, 4}, negatives = {2, 0};
  const nearfar::PairList similar{first, second}, dissimilar{other_first, other_second};
  const nearfar::TripletList list{anchors, positives, negatives};
  const auto check = [](const auto& function, const auto& with_references, const auto& loss,
                        const auto&... lists) {
    const Tensor x = leaf(6, 4, 1);
    const Tensor y = leaf(6, 4, 2);
    const Tensor value = function(x);
    value.backward();
    nearfar::Matrix<double> dx, dy;
    EXPECT_EQ(value.item<double>(), loss.forward_backward(matrix(x), lists..., dx).value);
    EXPECT_TRUE(same(x.grad(), dx));
    x.mutable_grad().reset();
    const Tensor of_both = with_references(x, y);
    of_both.backward();
    EXPECT_EQ(of_both.item<double>(),
              loss.forward_backward(matrix(x), matrix(y), lists..., dx, dy).value);
    EXPECT_TRUE(same(x.grad(), dx));
    EXPECT_TRUE(same(y.grad(), dy));
  };
  check([&](const Tensor& x) { return libtorch::linear_contrastive_listed(x, pairs, others); },
        [&](const Tensor& x, const Tensor& y) {
          return libtorch::linear_contrastive_listed(x, y, pairs, others);
        },
        nearfar::LinearContrastive<double>(), similar, dissimilar);
  check([&](const Tensor& x) { return libtorch::hadsell_listed(x, pairs, others); },
        [&](const Tensor& x, const Tensor& y) {
          return libtorch::hadsell_listed(x, y, pairs, others);
        },
        nearfar::HadsellContrastive<double>(), similar, dissimilar);
  check([&](const Tensor& x) { return libtorch::triplet_listed(x, triplets); },
        [&](const Tensor& x, const Tensor& y) { return libtorch::triplet_listed(x, y, triplets); },
        nearfar::Triplet<double>(), list);
  EXPECT_THROW(libtorch::triplet_listed(rows(6, 4, 1), pairs), c10::Error);
  const Tensor none = at::empty({0, 2}, at::kLong);
  EXPECT_EQ(libtorch::hadsell_listed(rows(6, 4, 1), none, none).item<double>(), 0);
}

/// The same bits as the class, of float rows and beside the batch's own keys.
TEST(LibTorch, KeysOfTheBatchAndOwnNegatives) {
  using nearfar::Negatives;
  using nearfar::per_query;
  const Tensor q = leaf(4, 5, 1);
  const Tensor k = leaf(4, 5, 2);
  const Tensor hard = leaf(8, 5, 3).detach().view({4, 2, 5}).requires_grad_();
  const Tensor ids = integers({0, 1, 2, 1});
  const Tensor value =
      libtorch::info_nce_against(q, k, libtorch::TensorNegatives(k).ids(ids, ids),
                                 libtorch::TensorNegatives(hard), {.temperature = 0.3});
  value.backward();
  nearfar::Matrix<double> dq, dk, ds, dn;
  const nearfar::Matrix<double> keys = matrix(k);
  const nearfar::Matrix<double> own = matrix(hard.view({8, 5}));
  const std::vector<int> of_pairs = {0, 1, 2, 1};
  const auto result =
      nearfar::InfoNce<double>({.temperature = 0.3})
          .forward_backward(matrix(q), keys, Negatives<double>(keys).ids(of_pairs, of_pairs),
                            per_query(own), dq, dk, ds, dn);
  EXPECT_EQ(value.item<double>(), result.value);
  EXPECT_TRUE(same(q.grad(), dq));
  EXPECT_TRUE(same(k.grad(), nearfar::Matrix<double>(dk + ds)));
  EXPECT_TRUE(same(hard.grad().view({8, 5}), dn));
}

/// Ids and any number of negatives a pair, of in_batch_info_nce.
TEST(LibTorch, InBatchNegativesWithIdsAndOffsets) {
  const Tensor q = leaf(4, 5, 1);
  const Tensor k = leaf(4, 5, 2);
  const Tensor negatives = leaf(6, 5, 3);
  const std::vector<Index> offsets = {0, 3, 3, 4, 6};
  const std::vector<int> of_negatives = {0, 5, 1, 2, 3, 0};
  const std::vector<int> of_queries = {0, 1, 2, 3};
  const nearfar::InBatchInfoNceOptions options{.temperature = 0.3, .key_to_key = true};
  const Tensor value = libtorch::in_batch_info_nce(
      q, k, options,
      {.negatives = libtorch::TensorNegatives(negatives)
                        .offsets(integers({0, 3, 3, 4, 6}))
                        .ids(integers({0, 5, 1, 2, 3, 0}), integers({0, 1, 2, 3}))});
  value.backward();
  nearfar::Matrix<double> dq, dk, dn;
  const nearfar::Matrix<double> rows_of_negatives = matrix(negatives);
  const auto result = nearfar::InBatchInfoNce<double>(options).forward_backward(
      matrix(q), matrix(k),
      {.negatives = nearfar::per_query(rows_of_negatives, offsets).ids(of_negatives, of_queries)},
      dq, dk, dn);
  EXPECT_EQ(value.item<double>(), result.value);
  EXPECT_TRUE(same(q.grad(), dq));
  EXPECT_TRUE(same(k.grad(), dk));
  EXPECT_TRUE(same(negatives.grad(), dn));
}

/// Three negatives, none, one, two.
TEST(LibTorch, NegativesOfAnyNumberAQuery) {
  const Tensor q = leaf(4, 5, 1);
  const Tensor k = leaf(4, 5, 2);
  const Tensor negatives = leaf(6, 5, 3);
  const std::vector<Index> offsets = {0, 3, 3, 4, 6};
  const Tensor value = libtorch::info_nce_against(
      q, k, negatives, integers({0, 3, 3, 4, 6}),
      {.temperature = 0.3, .denominator = nearfar::Denominator::with_positive});
  value.backward();
  nearfar::Matrix<double> dq, dk, dn;
  const nearfar::Matrix<double> own = matrix(negatives);
  const auto result =
      nearfar::InfoNce<double>({.temperature = 0.3})
          .forward_backward(matrix(q), matrix(k), nearfar::per_query(own, offsets), dq, dk, dn);
  EXPECT_EQ(value.item<double>(), result.value);
  EXPECT_TRUE(same(q.grad(), dq));
  EXPECT_TRUE(same(k.grad(), dk));
  EXPECT_TRUE(same(negatives.grad(), dn));
}

TEST(LibTorch, CentroidTripletIsThatOfTheClass) {
  const Tensor x = leaf(6, 4, 1);
  const std::vector<std::int64_t> labels = {0, 1, 0, 1, 2, 2};
  const Tensor value = libtorch::centroid_triplet(x, integers(labels), {.margin = 1});
  value.backward();
  nearfar::Matrix<double> dx;
  EXPECT_EQ(value.item<double>(), nearfar::CentroidTriplet<double>({.margin = 1})
                                      .forward_backward(matrix(x), labels, dx)
                                      .value);
  EXPECT_TRUE(same(x.grad(), dx));
}

TEST(LibTorch, MarginLossWithABoundaryForEachClassIsThatOfTheClass) {
  const std::vector<std::int64_t> labels = {0, 1, 0, 1, 2, 2};
  const std::vector<std::int64_t> others = {1, 0, 2, 2};
  const nearfar::MarginLoss<double> loss({.nu = 0.2});
  const Tensor x = leaf(6, 4, 1);
  const Tensor y = leaf(4, 4, 2);
  const Tensor betas = leaf(3, 1, 3).detach().flatten().requires_grad_();
  const nearfar::Matrix<double> column = matrix(betas.detach().unsqueeze(1));
  nearfar::Matrix<double> dx, dy, d_betas;
  const Tensor value = libtorch::margin_loss_per_class(x, integers(labels), betas, {.nu = 0.2});
  value.backward();
  EXPECT_EQ(value.item<double>(),
            loss.forward_backward(matrix(x), labels, column, dx, d_betas).value);
  EXPECT_TRUE(same(x.grad(), dx));
  EXPECT_TRUE(same(betas.grad().unsqueeze(1), d_betas));

  x.mutable_grad() = Tensor();
  betas.mutable_grad() = Tensor();
  const Tensor against =
      libtorch::margin_loss_per_class(x, integers(labels), y, integers(others), betas, {.nu = 0.2});
  against.backward();
  EXPECT_EQ(
      against.item<double>(),
      loss.forward_backward(matrix(x), labels, matrix(y), others, column, dx, dy, d_betas).value);
  EXPECT_TRUE(same(x.grad(), dx));
  EXPECT_TRUE(same(y.grad(), dy));
  EXPECT_TRUE(same(betas.grad().unsqueeze(1), d_betas));
  EXPECT_THROW(libtorch::margin_loss_per_class(x, integers(labels), leaf(3, 1, 3)), c10::Error);
}

TEST(LibTorch, MatryoshkaInfoNceIsThatOfTheClass) {
  const Tensor x = leaf(6, 4, 1);
  const Tensor y = leaf(8, 4, 2);
  const Tensor temperature = at::full({}, 0.4, at::kDouble).requires_grad_();
  const nearfar::MatryoshkaOptions options{.prefixes = {1, 2, 4}, .weights = {1, 2, 0.5}};
  nearfar::MatryoshkaOptions with_temperature = options;
  with_temperature.temperature = 0.4;
  const auto check = [&]<class K>(const K& kernel) {
    x.mutable_grad() = Tensor();
    y.mutable_grad() = Tensor();
    temperature.mutable_grad() = Tensor();
    const Tensor value = libtorch::matryoshka_info_nce(x, y, options, {temperature}, kernel);
    value.backward();
    nearfar::Matrix<double> dx, dy;
    const auto wanted = nearfar::MatryoshkaInfoNce<double, K>(with_temperature)
                            .forward_backward(matrix(x), matrix(y), dx, dy);
    EXPECT_EQ(value.item<double>(), wanted.value);
    EXPECT_TRUE(same(x.grad(), dx));
    EXPECT_TRUE(same(y.grad(), dy));
    EXPECT_EQ(temperature.grad().item<double>(), wanted.d_temperature);
  };
  check(nearfar::Cosine());
  check(nearfar::InnerProduct());
}

TEST(LibTorch, PairsTakeTargets) {
  const std::vector<std::int64_t> labels = {0, 1, 0, 1, 2, 2};
  const std::vector<std::int64_t> ids = {0, 1, 0, 2, 3, 3};
  const auto of_ids = libtorch::TensorTargets().ids(integers(ids));
  const auto of_labels = libtorch::TensorTargets(integers(labels)).ids(integers(ids));
  const auto check = [](const auto& function, const auto& loss, const auto& targets,
                        const nearfar::Targets& same_targets) {
    const Tensor x = leaf(6, 4, 1);
    const Tensor y = leaf(6, 4, 2);
    const Tensor value = function(x, y, targets);
    value.backward();
    nearfar::Matrix<double> dx, dy;
    EXPECT_EQ(value.item<double>(),
              loss.forward_backward(matrix(x), matrix(y), same_targets, dx, dy).value);
    EXPECT_TRUE(same(x.grad(), dx));
    EXPECT_TRUE(same(y.grad(), dy));
  };
  const nearfar::Targets only_ids = nearfar::Targets().ids(ids);
  check([](auto&... a) { return libtorch::info_nce(a...); }, nearfar::InfoNce<double>(), of_ids,
        only_ids);
  check([](auto&... a) { return libtorch::nt_xent(a...); }, nearfar::NtXent<double>(), of_ids,
        only_ids);
  check([](auto&... a) { return libtorch::clip(a...); }, nearfar::Clip<double>(), of_labels,
        nearfar::Targets(labels).ids(ids));
  check([](auto&... a) { return libtorch::sig_lip(a...); }, nearfar::SigLip<double>(), of_labels,
        nearfar::Targets(labels).ids(ids));
}

TEST(LibTorch, KernelsOfTheUsers) {
  const Tensor x = leaf(6, 4, 1);
  const Tensor y = rows(6, 4, 2);
  libtorch::info_nce(x, y, {}, {}, Gaussian()).backward();
  nearfar::Matrix<double> dx;
  nearfar::InfoNce<double, Gaussian>().forward_backward(matrix(x), matrix(y), dx,
                                                        nearfar::no_gradient);
  EXPECT_TRUE(same(x.grad(), dx));
}

// ---- errors
// ----------------------------------------------------------------------------------------

/// c10::Error with these words.
void expect_refused(const std::vector<std::string>& words, const std::function<void()>& call) {
  try {
    call();
    ADD_FAILURE() << "not refused: " << words[0];
  } catch (const c10::Error& e) {
    for (const std::string& word : words) {
      EXPECT_NE(std::string(e.what()).find(word), std::string::npos)
          << '"' << e.what() << "\" does not say \"" << word << '"';
    }
  }
}

TEST(LibTorch, TensorsThatCannotBeRead) {
  const Tensor x = rows(6, 4, 1);
  expect_refused({"keys", "on the CPU", "meta"}, [&] {
    libtorch::info_nce(x, at::empty({6, 4}, x.options().device(at::kMeta)));
  });
  expect_refused({"keys", "Double", "queries", "Float"},
                 [&] { libtorch::info_nce(x, x.to(at::kFloat)); });
  expect_refused({"x", "half or bfloat16", "Long"}, [&] { libtorch::uniformity(x.to(at::kLong)); });
  expect_refused({"queries", "2 dimensions", "1"}, [&] { libtorch::info_nce(x[0], x); });
  expect_refused({"negatives", "2 or 3 dimensions", "1"},
                 [&] { libtorch::info_nce_against(x, x, x[0]); });
  expect_refused({"keys", "undefined"}, [&] { libtorch::info_nce(x, {}); });
  expect_refused({"negatives", "undefined"}, [&] { libtorch::info_nce_against(x, x, {}); });
  expect_refused({"view2", "dense", "Sparse"}, [&] { libtorch::nt_xent(x, x.to_sparse()); });
  expect_refused({"kernel's matrix", "Double"}, [&] {
    libtorch::info_nce(x, x, {}, {}, libtorch::BilinearTensor{at::eye(4, at::kFloat)});
  });
  expect_refused({"temperature", "one floating point number"},
                 [&] { libtorch::info_nce(x, x, {}, {.temperature = at::ones({2})}); });
  expect_refused({"temperature", "on the CPU"}, [&] {
    libtorch::info_nce(x, x, {}, {.temperature = at::empty({}, at::TensorOptions(at::kMeta))});
  });
}

TEST(LibTorch, TensorsThatAreNoLabels) {
  const Tensor x = rows(6, 4, 1);
  expect_refused({"offsets", "int64", "Double"},
                 [&] { libtorch::info_nce_against(x, x, x, x[0]); });
  using libtorch::TensorNegatives;
  expect_refused({"own_negatives", "2 dimensions", "1"}, [&] {
    libtorch::info_nce_against(x, x, x, TensorNegatives(x[0]).offsets(integers({0})));
  });
  expect_refused({"own_negatives", "undefined"},
                 [&] { libtorch::info_nce_against(x, x, x, TensorNegatives()); });
  expect_refused({"ids of queries", "undefined"},
                 [&] { TensorNegatives(x).ids(integers({1}), Tensor()); });
  EXPECT_THROW(libtorch::info_nce_against(x, x, x, TensorNegatives(x)), std::invalid_argument);
  const Tensor labels = integers({0, 1, 0, 1, 0, 1});
  expect_refused({"labels", "int64", "Int"}, [&] { libtorch::sup_con(x, labels.to(at::kInt)); });
  expect_refused({"labels", "int64", "Float"}, [&] { libtorch::sup_con(x, x[0].to(at::kFloat)); });
  expect_refused({"labels", "one dimension", "2"},
                 [&] { libtorch::sup_con(x, labels.unsqueeze(1)); });
  expect_refused({"labels", "undefined"}, [&] { libtorch::sup_con(x, Tensor()); });
  expect_refused({"labels", "meta"}, [&] { libtorch::sup_con(x, labels.to(at::kMeta)); });
  expect_refused({"same", "int64"}, [&] { libtorch::hadsell_pairs(x, x, x[0]); });
  expect_refused({"weights", "no gradient"}, [&] {
    libtorch::sup_con(
        x, libtorch::TensorTargets(labels).weights(at::ones(6, at::kDouble).requires_grad_(true)));
  });
  expect_refused({"log_noise_keys", "no gradient"}, [&] {
    const Tensor noise = at::zeros(6, at::kDouble);
    libtorch::nce(x, x, x, noise.clone().requires_grad_(true), noise);
  });
}

TEST(LibTorch, ErrorsOfTheLossAreItsOwn) {
  const Tensor x = rows(6, 4, 1);
  const support::BadCall bad[] = {
      {"labels",
       Thrown::invalid_argument,
       {"labels", "6", "2"},
       [&] {
         libtorch::sup_con(x, integers({0, 1}));
       }},
      {"positives",
       Thrown::invalid_argument,
       {"positives", "0 to 5"},
       [&] {
         libtorch::info_nce_at(x, x, integers({0, 1, 2, 3, 4, 6}));
       }},
      {"shapes",
       Thrown::invalid_argument,
       {"view2", "6 x 4", "5 x 4"},
       [&] { libtorch::nt_xent(x, rows(5, 4, 2)); }},
      {"option",
       Thrown::invalid_argument,
       {"temperature", "> 0"},
       [&] { libtorch::info_nce(x, x, {.temperature = 0}); }},
      {"learnt",
       Thrown::invalid_argument,
       {"temperature", "> 0"},
       [&] { libtorch::info_nce(x, x, {}, {.temperature = at::scalar_tensor(-1.0)}); }},
      {"NaN",
       Thrown::domain_error,
       {"x", "NaN", "row 0"},
       [&] { libtorch::uniformity((x * NAN).requires_grad_(true)); }},
      {"upstream",
       Thrown::domain_error,
       {"upstream", "infinity"},
       [&] {
         const Tensor y = leaf(6, 4, 3);
         libtorch::info_nce(y, x, {.reduction = Reduction::none})
             .backward(at::full({6}, INFINITY, at::kDouble));
       }},
  };
  for (const auto& call : bad) support::expect_refused(call);
  // A call that failed leaves the workspace free.
  EXPECT_NO_THROW(libtorch::uniformity(x));
}

}  // namespace
}  // namespace adapters
