#include <gtest/gtest.h>

#include <nearfar/adapters/torch.hpp>

#include "adapters/cases.hpp"

/// Losses of whole sets, of predictions and of tokens beside the same losses in LibTorch's
/// operations, values and gradients.

namespace adapters {
namespace {

using nearfar::ByolOptions;
using nearfar::NegativeCosineOptions;

Tensor standardised(const Tensor& x, double epsilon) {
  const Tensor centred = x - x.mean(0, true);
  return centred / (centred.square().mean(0, true) + epsilon).sqrt();
}

Tensor off_diagonal(const Tensor& m) { return m - at::diag(m.diag()); }

Tensor barlow_twins(const Tensor& x, const Tensor& y, double lambda, double epsilon) {
  const Tensor c =
      standardised(x, epsilon).t().mm(standardised(y, epsilon)) / static_cast<double>(x.size(0));
  return (c.diag() - 1).square().sum() + lambda * off_diagonal(c).square().sum();
}

Tensor spread(const Tensor& x) {
  const Tensor centred = x - x.mean(0, true);
  const Tensor covariances = centred.t().mm(centred) / static_cast<double>(x.size(0) - 1);
  const Tensor hinges = (1 - (covariances.diag() + 1e-4).sqrt()).clamp_min(0);
  return 25 * hinges.mean() / 2 +
         off_diagonal(covariances).square().sum() / static_cast<double>(x.size(1));
}

Tensor vic_reg(const Tensor& x, const Tensor& y) {
  return 25 * (x - y).square().mean() + spread(x) + spread(y);
}

Tensor ko_leo(const Tensor& x) {
  const Tensor far = at::eye(x.size(0), at::kDouble) * 100;
  return -std::get<0>((at::cdist(reference::unit(x), reference::unit(x), 2, 2) + far).min(1)).log();
}

Tensor gor(const Tensor& x) {
  const double pairs = static_cast<double>(x.size(0) * (x.size(0) - 1));
  const Tensor s = off_diagonal(reference::cosine(x, x));
  return (s.sum() / pairs).square() +
         (s.square().sum() / pairs - 1 / static_cast<double>(x.size(1))).clamp_min(0);
}

Tensor sig_reg(const Tensor& x, const Tensor& slices) {
  const Tensor t = at::linspace(0, 3, 17, at::kDouble);
  const Tensor phi = (-t.square() / 2).exp();
  Tensor weights = at::full({17}, 2 * 3.0 / 16, at::kDouble);
  weights[0] /= 2;
  weights[16] /= 2;
  const Tensor angles = x.mm(slices.t()).unsqueeze(2) * t;  // N x M x knots
  const Tensor apart = (angles.cos().mean(0) - phi).square() + angles.sin().mean(0).square();
  return static_cast<double>(x.size(0)) * (apart * weights * phi).sum(1).mean();
}

Tensor cosines(const Tensor& x, const Tensor& y) {
  return (reference::unit(x) * reference::unit(y)).sum(1);
}

void run(const Case& its) {
  for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
    compare(its, reduction, at::kFloat, 1e-5);
    compare(its, reduction, at::kDouble, 1e-10);
  }
}

// No terms: the reduction is of no consequence.
TEST(LibTorchSets, OfWholeSets) {
  const Tensor near = rows(n, d, 1) + 0.5;
  run({"barlow_twins",
       {rows(n, d, 1), rows(n, d, 2)},
       [](const Inputs& x, Reduction) {
         return libtorch::barlow_twins(x[0], x[1], {.lambda = 0.5, .epsilon = 0.01});
       },
       [](const Inputs& x, Reduction) { return barlow_twins(x[0], x[1], 0.5, 0.01); }});
  run({"vic_reg",
       {rows(n, d, 1), rows(n, d, 2)},
       [](const Inputs& x, Reduction) { return libtorch::vic_reg(x[0], x[1]); },
       [](const Inputs& x, Reduction) { return vic_reg(x[0], x[1]); }});
  run({"gor",
       {near},
       [](const Inputs& x, Reduction) { return libtorch::gor(x[0]); },
       [](const Inputs& x, Reduction) { return gor(x[0]); }});
  const Tensor slices = reference::unit(rows(6, d, 3));
  run({"sig_reg",
       {rows(n, d, 1)},
       [=](const Inputs& x, Reduction) {
         return libtorch::sig_reg(x[0], slices.to(at::kFloat).to(x[0].scalar_type()));
       },
       [=](const Inputs& x, Reduction) {
         return sig_reg(x[0], slices.to(at::kFloat).to(at::kDouble));
       }});
  run({"ko_leo",
       {rows(n, d, 1)},
       [](const Inputs& x, Reduction r) { return libtorch::ko_leo(x[0], {.reduction = r}); },
       [](const Inputs& x, Reduction r) { return Terms(ko_leo(x[0])).reduced(r); }});
}

TEST(LibTorchSets, OfPredictions) {
  const Tensor z1 = rows(n, d, 3).to(at::kFloat).to(at::kDouble);
  const Tensor z2 = rows(n, d, 4).to(at::kFloat).to(at::kDouble).requires_grad_(true);
  const auto both = [=](const Inputs& x) { return cosines(x[0], z2) + cosines(x[1], z1); };
  run({"negative_cosine",
       {rows(n, d, 1), rows(n, d, 2)},
       [=](const Inputs& x, Reduction r) {
         const at::ScalarType type = x[0].scalar_type();
         return libtorch::negative_cosine(x[0], x[1], z1.to(type), z2.to(type), {.reduction = r});
       },
       [=](const Inputs& x, Reduction r) { return Terms(-both(x) / 2).reduced(r); }});
  run({"byol",
       {rows(n, d, 1), rows(n, d, 2)},
       [=](const Inputs& x, Reduction r) {
         const at::ScalarType type = x[0].scalar_type();
         return libtorch::byol(x[0], x[1], z1.to(type), z2.to(type), {.reduction = r});
       },
       [=](const Inputs& x, Reduction r) { return Terms(4 - 2 * both(x)).reduced(r); }});
}

/// Targets get no gradient, whether they require one or not.
TEST(LibTorchSets, TargetsGetNoGradient) {
  const Tensor p1 = leaf(n, d, 1);
  const Tensor p2 = leaf(n, d, 2);
  const Tensor z1 = leaf(n, d, 3);
  const Tensor z2 = leaf(n, d, 4);
  libtorch::byol(p1, p2, z1, z2).backward();
  EXPECT_TRUE(p1.grad().defined() && p2.grad().defined());
  EXPECT_FALSE(z1.grad().defined() || z2.grad().defined());
  EXPECT_THROW(libtorch::byol(p1, p2, z1.to(at::kFloat), z2), c10::Error);
  EXPECT_THROW(libtorch::sig_reg(p1, z1.to(at::kFloat)), c10::Error);
}

TEST(LibTorchSets, OfTokens) {
  const std::vector<std::int64_t> of_queries = {0, 2, 3, 6, 9};
  const std::vector<std::int64_t> of_documents = {0, 1, 4, 6, 10, 14};
  run({"max_sim_info_nce",
       {rows(9, d, 1), rows(14, d, 2), number(tau)},
       [=](const Inputs& x, Reduction r) {
         return libtorch::max_sim_info_nce(x[0], at::tensor(of_queries), x[1],
                                           at::tensor(of_documents), {.reduction = r},
                                           {.temperature = x[2]});
       },
       [=](const Inputs& x, Reduction r) {
         const Tensor s = reference::cosine(x[0], x[1]);
         std::vector<Tensor> scores;
         for (std::size_t i = 0; i + 1 < of_queries.size(); ++i) {
           for (std::size_t m = 0; m + 1 < of_documents.size(); ++m) {
             const Tensor some = s.slice(0, of_queries[i], of_queries[i + 1])
                                     .slice(1, of_documents[m], of_documents[m + 1]);
             scores.push_back(std::get<0>(some.max(1)).sum());
           }
         }
         const Tensor logits =
             at::stack(scores).view({static_cast<Index>(of_queries.size()) - 1, -1}) / x[2];
         return reference::info_nce(logits).reduced(r);
       }});
}

}  // namespace
}  // namespace adapters
