#include <gtest/gtest.h>

#include "adapters/cases.hpp"

// Values and gradients of every loss over tensors against the same loss in LibTorch's operations,
// in double precision, with upstreams that are not one and, for a value a row, not uniform. Rows of
// 16 bits against the same rows in float.

namespace adapters {
namespace {

void add_softmax(Cases& cases) {
  using namespace nearfar;
  using libtorch::BilinearTensor;
  using libtorch::MahalanobisTensor;
  for_kernels<Cosine, InnerProduct, Euclidean, SquaredEuclidean, CosineDistance, BilinearTensor,
              MahalanobisTensor>([&](const std::string& of, auto kernel, auto near, auto) {
    cases.add(
        "info_nce" + of, {rows(n, d, 1), rows(n + 2, d, 2), rows(d, d, 3), number(tau)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::info_nce(x[0], x[1], {.reduction = r}, {.temperature = x[3]},
                                    kernel(x[2]));
        },
        [=](const Inputs& x, Reduction) {
          return reference::info_nce(near(x[0], x[1], x[2]) / x[3]);
        });
  });
  const Tensor column = integers({3, 3, 0, 9, 4, 1, 7, 2, 8});
  cases.add(
      "info_nce_at", {rows(n, d, 1), rows(n + 2, d, 2), number(tau)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::info_nce_at(x[0], x[1], column, {.reduction = r}, {.temperature = x[2]});
      },
      [=](const Inputs& x, Reduction) {
        return reference::info_nce(reference::cosine(x[0], x[1]) / x[2], column);
      });
  const auto against = [](const Tensor& q, const Tensor& k, const Tensor& negatives) {
    const Tensor own = (reference::unit(q) * reference::unit(k)).sum(1, true);
    if (negatives.dim() == 2) return at::cat({own, reference::cosine(q, negatives)}, 1);
    const Tensor unit = negatives / negatives.norm(2, {2}, true);
    return at::cat({own, (unit * reference::unit(q).unsqueeze(1)).sum(2)}, 1);
  };
  for (const bool shared : {true, false}) {
    cases.add(
        shared ? "info_nce_against, shared" : "info_nce_against, own",
        {rows(n, d, 1), rows(n, d, 2), shared ? rows(4, d, 3) : rows(n * 4, d, 3).view({n, 4, d}),
         number(tau)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::info_nce_against(x[0], x[1], x[2], {.reduction = r},
                                            {.temperature = x[3]});
        },
        [=](const Inputs& x, Reduction) {
          return reference::info_nce(against(x[0], x[1], x[2]) / x[3], at::zeros({n}, at::kLong));
        });
  }
  {
    // Ids: query i has i / 2. Own negatives: three for the first query, two for each other, but
    // none for the last; the reference has places that are left out instead.
    const Tensor query_ids = at::arange(n).div(2, "floor").to(at::kLong);
    const Tensor shared_ids = integers({0, 3, 7, 4, 9});
    const Tensor offsets = integers({0, 3, 5, 7, 9, 11, 13, 15, 17, 17});
    const Tensor owner = at::repeat_interleave(at::arange(n), offsets.diff());
    const Tensor own_ids = (at::arange(17) % 5).to(at::kLong);
    const auto logits = [=](const Inputs& x, bool ids) {
      Tensor of_all = at::ones({n, 5}, at::kBool);
      Tensor of_each = owner.unsqueeze(0) == at::arange(n).unsqueeze(1);
      if (ids) {
        of_all = query_ids.unsqueeze(1) != shared_ids.unsqueeze(0);
        of_each = of_each.logical_and(query_ids.unsqueeze(1) != own_ids.unsqueeze(0));
      }
      const Tensor own = (reference::unit(x[0]) * reference::unit(x[1])).sum(1, true) / x[4];
      return at::cat({own, reference::masked(reference::cosine(x[0], x[2]) / x[4], of_all),
                      reference::masked(reference::cosine(x[0], x[3]) / x[4], of_each)},
                     1);
    };
    for (const bool ids : {false, true}) {
      cases.add(
          ids ? "info_nce_against, shared and own, with ids" : "info_nce_against, shared and own",
          {rows(n, d, 1), rows(n, d, 2), rows(5, d, 3), rows(17, d, 4), number(tau)},
          [=](const Inputs& x, Reduction r) {
            libtorch::TensorNegatives of_all = x[2];
            auto of_each = libtorch::TensorNegatives(x[3]).offsets(offsets);
            if (ids) {
              of_all = of_all.ids(shared_ids, query_ids);
              of_each = of_each.ids(own_ids, query_ids);
            }
            return libtorch::info_nce_against(x[0], x[1], of_all, of_each, {.reduction = r},
                                              {.temperature = x[4]});
          },
          [=](const Inputs& x, Reduction) {
            return reference::info_nce(logits(x, ids), at::zeros({n}, at::kLong));
          });
    }
  }
  cases.add(
      "n_pair", {rows(n, d, 1), rows(n, d, 2)},
      [](const Inputs& x, Reduction r) { return libtorch::n_pair(x[0], x[1], r); },
      [](const Inputs& x, Reduction) {
        return reference::info_nce(reference::inner_product(x[0], x[1]));
      });
  const auto stacked = [](const Inputs& x) { return at::cat({x[0], x[1]}); };
  for (const bool decoupled : {false, true}) {
    for_kernels<Cosine, Euclidean>([&](const std::string& of, auto kernel, auto near, auto) {
      cases.add((decoupled ? "decoupled nt_xent" : "nt_xent") + of,
                {rows(n, d, 1), rows(n, d, 2), number(tau)},
                [=](const Inputs& x, Reduction r) {
                  const auto denominator =
                      decoupled ? Denominator::negatives_only : Denominator::with_positive;
                  return libtorch::nt_xent(x[0], x[1], {.denominator = denominator, .reduction = r},
                                           {.temperature = x[2]}, kernel({}));
                },
                [=](const Inputs& x, Reduction) {
                  return reference::nt_xent(near(stacked(x), stacked(x), {}) / x[2], decoupled);
                });
    });
  }
  {
    // A guide drops negatives; each query owns two of those given.
    const Tensor guide_q = rows(n, 3, 11);
    const Tensor guide_k = rows(n, 3, 12);
    const Tensor guide_n = rows(2 * n, 3, 13);
    cases.add(
        "in_batch_info_nce",
        {rows(n, d, 1), rows(n, d, 2), rows(2 * n, d, 3).reshape({n, 2, d}), number(tau)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::in_batch_info_nce(x[0], x[1],
                                             {.query_to_query = true,
                                              .key_to_key = true,
                                              .false_negatives = nearfar::FalseNegatives::drop,
                                              .reduction = r},
                                             {.negatives = x[2],
                                              .guide_queries = guide_q,
                                              .guide_keys = guide_k,
                                              .guide_negatives = guide_n},
                                             {.temperature = x[3]});
        },
        [=](const Inputs& x, Reduction) {
          const Tensor flat = x[2].reshape({2 * n, d});
          const Tensor documents = at::cat({x[1], flat});
          const Tensor guide_documents = at::cat({guide_k, guide_n});
          const auto own = at::eye(n, at::kBool);
          const Tensor owner = at::repeat_interleave(at::arange(n), 2).unsqueeze(0);
          const Tensor own_negatives = owner == at::arange(n).unsqueeze(1);
          const Tensor none = at::zeros({n, 2 * n}, at::kBool);
          const Tensor limit = reference::cosine(guide_q, guide_k).diagonal().unsqueeze(1);
          const auto kept = [&](const Tensor& a, const Tensor& b, const Tensor& left_out) {
            return (reference::cosine(a, b) <= limit).logical_and(left_out.logical_not());
          };
          const auto with_own = kept(guide_q, guide_documents, at::cat({own, none}, 1))
                                    .logical_or(at::cat({own, none}, 1));
          return reference::in_batch(
              {reference::cosine(x[0], documents) / x[3], reference::cosine(x[0], x[0]) / x[3],
               reference::cosine(x[1], documents) / x[3]},
              {with_own, kept(guide_q, guide_q, own),
               kept(guide_k, guide_documents, at::cat({own, own_negatives}, 1))});
        });
  }
  cases.add(
      "rince", {rows(n, d, 1), rows(n, d, 2), number(tau)},
      [](const Inputs& x, Reduction r) {
        return libtorch::rince(x[0], x[1], {.lambda = 0.1, .q = 0.3, .reduction = r},
                               {.temperature = x[2]});
      },
      [](const Inputs& x, Reduction) {
        return reference::rince(reference::cosine(x[0], x[1]) / x[2], 0.1, 0.3);
      });
  for_kernels<Cosine, Euclidean>([&](const std::string& of, auto kernel, auto near, auto) {
    cases.add(
        "rince_views" + of, {rows(n, d, 1), rows(n, d, 2), number(tau)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::rince_views(x[0], x[1], {.lambda = 0.1, .q = 0.3, .reduction = r},
                                       {.temperature = x[2]}, kernel({}));
        },
        [=](const Inputs& x, Reduction) {
          return reference::rince_views(near(stacked(x), stacked(x), {}) / x[2], 0.1, 0.3);
        });
    cases.add(
        "dhel" + of, {rows(n, d, 1), rows(n, d, 2), number(tau)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::dhel(x[0], x[1], {.reduction = r}, {.temperature = x[2]}, kernel({}));
        },
        [=](const Inputs& x, Reduction) {
          return reference::dhel(near(x[0], x[1], {}) / x[2], near(x[0], x[0], {}) / x[2],
                                 near(x[1], x[1], {}) / x[2]);
        });
    cases.add(
        "dclw" + of, {rows(n, d, 1), rows(n, d, 2), number(tau)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::dclw(x[0], x[1], {.reduction = r}, {.temperature = x[2]}, kernel({}));
        },
        [=](const Inputs& x, Reduction) {
          return reference::dclw(near(stacked(x), stacked(x), {}), x[2], 0.5);
        });
  });
  for (const double beta : {0.0, 1.5}) {
    cases.add(
        beta > 0 ? "hard_negative" : "hard_negative, only debiased", {rows(n, d, 1), rows(n, d, 2)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::hard_negative(
              x[0], x[1], {.temperature = tau, .concentration = beta, .reduction = r});
        },
        [=](const Inputs& x, Reduction) {
          const Tensor z = stacked(x);
          return reference::hard_negative(reference::cosine(z, z), tau, 0.1, beta);
        });
  }
  for_kernels<Cosine, BilinearTensor>([&](const std::string& of, auto kernel, auto near, auto) {
    cases.add(
        "clip" + of, {rows(n, d, 1), rows(n, d, 2), rows(d, d, 3), number(1.1)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::clip(x[0], x[1], {.reduction = r}, {.logit_scale = x[3].exp()},
                                kernel(x[2]));
        },
        [=](const Inputs& x, Reduction) {
          return reference::clip(near(x[0], x[1], x[2]) * x[3].exp());
        });
  });
  cases.add(
      "cpc",
      {rows(4 * 3, d, 1).view({3, 4, d}), rows(4 * 3, 6, 2).view({3, 4, 6}),
       rows(2 * 6, d, 3).view({2, 6, d})},
      [](const Inputs& x, Reduction r) {
        return libtorch::cpc(x[0], x[1], x[2], {.temperature = tau, .reduction = r});
      },
      [](const Inputs& x, Reduction r) {
        Terms terms = reference::cpc(x[0], x[1], x[2], tau);
        if (r == Reduction::mean) {
          // Each step is divided by its own number of terms.
          const Tensor first = reference::cpc(x[0], x[1], x[2].slice(0, 0, 1), tau).values / 2;
          terms.values = first / 9 + (terms.values - first) / 6;
          terms.count = 1;
        }
        return terms;
      });
}

/// Numbers that float holds, too: they are taken in the rows' type.
Tensor constants(Index count, std::uint64_t seed) {
  return rows(1, count, seed).flatten().to(at::kFloat).to(at::kDouble);
}

void add_scored(Cases& cases) {
  using namespace nearfar;
  const Tensor scores = integers({3, 1, 0, 1, 4, 2, 2, 0, 3}).to(at::kDouble) / 4;
  const Tensor same = integers({1, 0, 0, 1, 1, 0, 1, 0, 0});
  const auto paired = [](const Tensor& a, const Tensor& b) {
    return (reference::unit(a) * reference::unit(b)).sum(1);
  };
  const auto in_order = [=](const Tensor& s) {
    const Tensor pairs = s.unsqueeze(1) - s.unsqueeze(0);
    const Tensor ordered = scores.unsqueeze(1) < scores.unsqueeze(0);
    return at::log1p(reference::zeroed(pairs.exp(), ordered).sum());
  };
  // No terms: the reduction is of no consequence.
  cases.list.push_back(
      {"co_sent",
       {rows(n, d, 1), rows(n, d, 2), number(3)},
       [=](const Inputs& x, Reduction) {
         return libtorch::co_sent(x[0], x[1], scores, {}, {.scale = x[2]});
       },
       [=](const Inputs& x, Reduction) { return in_order(paired(x[0], x[1]) * x[2]); }});
  cases.list.push_back(
      {"angle",
       {rows(n, d, 1), rows(n, d, 2), number(3)},
       [=](const Inputs& x, Reduction) {
         return libtorch::angle(x[0], x[1], scores, {}, {.scale = x[2]});
       },
       [=](const Inputs& x, Reduction) {
         const auto parts = [](const Tensor& rows_of) {
           return at::constant_pad_nd(reference::unit(rows_of), {0, d % 2}).chunk(2, 1);
         };
         const auto a = parts(x[0]);
         const auto b = parts(x[1]);
         const Tensor sums = a[0] * b[0] + a[1] * b[1] + a[1] * b[0] - a[0] * b[1];
         return in_order(sums.sum(1).abs() * x[2]);
       }});
  cases.add(
      "score_regression", {rows(n, d, 1), rows(n, d, 2)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::score_regression(x[0], x[1], scores, {.reduction = r});
      },
      [=](const Inputs& x, Reduction) { return Terms((paired(x[0], x[1]) - scores).square()); });
  cases.add(
      "cosine_embedding", {rows(n, d, 1), rows(n, d, 2)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::cosine_embedding(x[0], x[1], same, {.margin = 0.1, .reduction = r});
      },
      [=](const Inputs& x, Reduction) {
        return Terms(at::cosine_embedding_loss(x[0], x[1], 2 * same - 1, 0.1, at::Reduction::None));
      });
  const auto lists = [](const Tensor& q, const Tensor& each) {
    return (each * q.unsqueeze(1)).sum(2);
  };
  const Tensor of_teacher = constants(4 * n, 5).view({n, 4});
  cases.add(
      "margin_mse", {rows(n, d, 1), rows(n, d, 2), rows(n * 4, d, 3).view({n, 4, d})},
      [=](const Inputs& x, Reduction r) {
        return libtorch::margin_mse(x[0], x[1], x[2], of_teacher, {.reduction = r});
      },
      [=](const Inputs& x, Reduction) {
        const Tensor margins = (x[0] * x[1]).sum(1, true) - lists(x[0], x[2]);
        return Terms((margins - of_teacher).square().sum(1), 4 * n);
      });
  cases.add(
      "margin_mse, one negative", {rows(n, d, 1), rows(n, d, 2), rows(n, d, 3)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::margin_mse(x[0], x[1], x[2], scores, {.reduction = r});
      },
      [=](const Inputs& x, Reduction) {
        return Terms(((x[0] * (x[1] - x[2])).sum(1) - scores).square());
      });
  cases.add(
      "distill_kl", {rows(n, d, 1), rows(n * 4, d, 3).view({n, 4, d}), number(0.7)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::distill_kl(x[0], x[1], of_teacher, {.reduction = r},
                                    {.temperature = x[2]});
      },
      [=](const Inputs& x, Reduction) {
        const Tensor student = (lists(x[0], x[1]) / x[2]).log_softmax(1);
        const Tensor teacher = (of_teacher / x[2]).log_softmax(1);
        return Terms((teacher.exp() * (teacher - student)).sum(1) * x[2].square());
      });
}

void add_logistic(Cases& cases) {
  using nearfar::InnerProduct;
  cases.add(
      "sig_lip", {rows(n, d, 1), rows(n, d, 2), number(3.1), number(-1.3)},
      [](const Inputs& x, Reduction r) {
        return libtorch::sig_lip(x[0], x[1], {.reduction = r},
                                 {.logit_scale = x[2], .logit_bias = x[3]});
      },
      [](const Inputs& x, Reduction) {
        return reference::sig_lip(reference::cosine(x[0], x[1]) * x[2] + x[3]);
      });
  for (const bool shared : {true, false}) {
    const Tensor negatives = shared ? rows(4, d, 3) : rows(n * 4, d, 3).view({n, 4, d});
    // Numbers that float holds, too: they are taken in the rows' type.
    const auto noise_of = [](Index count) {
      return (rows(1, count, 8).flatten() - 3).to(at::kFloat).to(at::kDouble);
    };
    const Tensor of_keys = noise_of(n);
    const Tensor of_negatives = noise_of(shared ? 4 : 4 * n);
    const auto scores = [](const Tensor& q, const Tensor& negative) {
      return negative.dim() == 2 ? q.mm(negative.t()) : (negative * q.unsqueeze(1)).sum(2);
    };
    const std::string whose = shared ? ", shared" : ", own";
    cases.add(
        "nce" + whose, {rows(n, d, 1), rows(n, d, 2), negatives, number(0.8), number(0.3)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::nce(x[0], x[1], x[2], of_keys, of_negatives, {.reduction = r},
                               {.temperature = x[3], .log_z = x[4]});
        },
        [=](const Inputs& x, Reduction) {
          const Tensor offset = x[4] + std::log(4.0);
          const Tensor noise = of_negatives.view({shared ? 1 : n, 4});
          return reference::logistic((x[0] * x[1]).sum(1) / x[3] - offset - of_keys,
                                     scores(x[0], x[2]) / x[3] - offset - noise);
        });
    cases.add(
        "negative_sampling" + whose, {rows(n, d, 1), rows(n, d, 2), negatives, number(0.8)},
        [](const Inputs& x, Reduction r) {
          return libtorch::negative_sampling(x[0], x[1], x[2], {.reduction = r},
                                             {.temperature = x[3]});
        },
        [=](const Inputs& x, Reduction) {
          return reference::logistic((x[0] * x[1]).sum(1) / x[3], scores(x[0], x[2]) / x[3]);
        });
  }
}

void add_whole_sets(Cases& cases) {
  using nearfar::MutualInformationBound;
  for (const double alpha : {2.0, 3.0}) {
    cases.add(
        "alignment", {rows(n, d, 1), rows(n, d, 2)},
        [=](const Inputs& x, Reduction r) {
          return libtorch::alignment(x[0], x[1], {.alpha = alpha, .reduction = r});
        },
        [=](const Inputs& x, Reduction) {
          return Terms((reference::unit(x[0]) - reference::unit(x[1])).norm(2, {1}).pow(alpha));
        });
  }
  // No terms: the reduction is of no consequence.
  cases.list.push_back({"uniformity",
                        {rows(n, d, 1)},
                        [](const Inputs& x, Reduction) { return libtorch::uniformity(x[0]); },
                        [](const Inputs& x, Reduction) { return reference::uniformity(x[0], 2); }});
  for_kernels<nearfar::InnerProduct, nearfar::SquaredEuclidean>([&](const std::string& of,
                                                                    auto kernel, auto near, auto) {
    const auto add = [&](const char* name, MutualInformationBound bound,
                         Tensor (reference::Critic::*value)() const) {
      cases.list.push_back({std::string("mutual_information, ") + name + of,
                            {rows(n, d, 1), rows(n, d, 2), number(1.5)},
                            [=](const Inputs& x, Reduction) {
                              return libtorch::mutual_information(
                                  x[0], x[1], {.bound = bound}, {.temperature = x[2]}, kernel({}));
                            },
                            [=](const Inputs& x, Reduction) {
                              const reference::Critic critic{near(x[0], x[1], {}) / x[2]};
                              return (critic.*value)();
                            }});
    };
    add("info_nce", MutualInformationBound::info_nce, &reference::Critic::info_nce);
    add("nwj", MutualInformationBound::nwj, &reference::Critic::nwj);
    add("donsker_varadhan", MutualInformationBound::donsker_varadhan,
        &reference::Critic::donsker_varadhan);
    add("club", MutualInformationBound::club, &reference::Critic::club);
  });
}

void add_pairs(Cases& cases) {
  using namespace nearfar;
  cases.add(
      "hadsell_pairs", {rows(n, d, 1), rows(n, d, 2)},
      [](const Inputs& x, Reduction r) {
        const Tensor same = integers({1, 0, 1, 0, 0, 1, 1, 0, 0});
        return libtorch::hadsell_pairs(x[0], x[1], same, {.margin = 1.7, .reduction = r});
      },
      [](const Inputs& x, Reduction) {
        const Tensor same = integers({1, 0, 1, 0, 0, 1, 1, 0, 0}) == 1;
        const Tensor apart = (x[0] - x[1]).norm(2, {1});
        return Terms(at::where(same, apart.square() / 2, (1.7 - apart).clamp_min(0).square() / 2));
      });
  cases.over_labels<Euclidean, CosineDistance, libtorch::MahalanobisTensor>(
      "hadsell",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::hadsell(of..., HadsellOptions{.margin = 1.3, .reduction = r}, kernel);
      },
      [](const Tensor&, const Tensor& far, const Pairs& pairs, bool batch, Reduction) {
        Terms terms = reference::hadsell(far, pairs, 1.3);
        // In a batch the matrix has each pair twice.
        if (batch) terms = {terms.values / 2, terms.count / 2};
        return terms;
      });
  cases.over_labels<Euclidean>(
      "linear_contrastive",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::linear_contrastive(
            of...,
            LinearContrastiveOptions{
                .positive_margin = 0.3, .negative_margin = 1.4, .reduction = r},
            kernel);
      },
      [](const Tensor&, const Tensor& far, const Pairs& pairs, bool, Reduction r) {
        return reference::linear_contrastive(far, pairs, 0.3, 1.4, r);
      });
  cases.over_labels<Cosine, InnerProduct>(
      "multi_similarity",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::multi_similarity(of..., MultiSimilarityOptions{.beta = 5, .reduction = r},
                                          kernel);
      },
      [](const Tensor& near, const Tensor&, const Pairs& pairs, bool, Reduction) {
        return reference::multi_similarity(near, pairs, 2, 5, 0.5);
      });
  for (const CircleWeights weights : {CircleWeights::constant, CircleWeights::differentiated}) {
    const bool differentiated = weights == CircleWeights::differentiated;
    cases.over_labels<Cosine>(
        differentiated ? "circle, weights differentiated" : "circle",
        [=](Reduction r, const auto& kernel, const auto&... of) {
          return libtorch::circle(
              of..., CircleOptions{.gamma = 6, .weights = weights, .reduction = r}, kernel);
        },
        [=](const Tensor& near, const Tensor&, const Pairs& pairs, bool, Reduction) {
          return reference::circle(near, pairs, 0.4, 6, differentiated);
        });
  }
  cases.over_labels<Euclidean, Cosine>(
      "lifted_structure",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::lifted_structure(of..., LiftedStructureOptions{.reduction = r}, kernel);
      },
      [](const Tensor&, const Tensor& far, const Pairs& pairs, bool batch, Reduction) {
        return reference::lifted_structure(far, pairs, 1, batch);
      });
  cases.over_labels<Euclidean, Cosine>(
      "generalized_lifted_structure",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::generalized_lifted_structure(
            of..., GeneralizedLiftedStructureOptions{.reduction = r}, kernel);
      },
      [](const Tensor&, const Tensor& far, const Pairs& pairs, bool, Reduction) {
        return reference::generalized_lifted_structure(far, pairs, 1);
      });
  cases.over_labels<Euclidean, SquaredEuclidean>(
      "ranked_list",
      [](Reduction r, const auto& kernel, const auto&... of) {
        const RankedListOptions options{
            .margin = 0.6, .alpha = 1.9, .t_p = 1.5, .t_n = 3, .imbalance = 0.3, .reduction = r};
        return libtorch::ranked_list(of..., options, kernel);
      },
      [](const Tensor&, const Tensor& far, const Pairs& pairs, bool, Reduction) {
        return reference::ranked_list(far, pairs, 0.6, 1.9, 1.5, 3, 0.3);
      });
  cases.over_labels<SquaredEuclidean, Cosine>(
      "nca",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::nca(of..., NcaOptions{.reduction = r}, {.temperature = number(tau)},
                             kernel);
      },
      [](const Tensor& near, const Tensor&, const Pairs& pairs, bool, Reduction) {
        return reference::nca(near / tau, pairs);
      });
  cases.over_labels<Cosine>(
      "tuplet_margin",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::tuplet_margin(of..., TupletMarginOptions{.margin = 0.2, .reduction = r},
                                       {.temperature = number(tau)}, kernel);
      },
      [](const Tensor& near, const Tensor&, const Pairs& pairs, bool, Reduction) {
        // A row with itself has no angle to differentiate, and is no pair.
        const Tensor inner = reference::zeroed(near, pairs.positive);
        const Tensor shifted = (inner.acos() - 0.2).cos();
        return reference::sincere(at::where(pairs.positive, shifted, near) / tau, pairs, true);
      });
  for (const SupConVariant variant : {SupConVariant::out, SupConVariant::in}) {
    const bool inside = variant == SupConVariant::in;
    cases.over_labels<Cosine, SquaredEuclidean>(
        inside ? "sup_con, in" : "sup_con",
        [=](Reduction r, const auto& kernel, const auto&... of) {
          return libtorch::sup_con(of..., SupConOptions{.variant = variant, .reduction = r},
                                   {.temperature = number(tau)}, kernel);
        },
        [=](const Tensor& near, const Tensor&, const Pairs& pairs, bool, Reduction) {
          return reference::sup_con(near / tau, pairs, inside);
        });
  }
  cases.over_labels<Cosine>(
      "fast_ap",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::fast_ap(of..., FastApOptions{.bins = 7, .reduction = r}, kernel);
      },
      [](const Tensor& near, const Tensor&, const Pairs& pairs, bool, Reduction) {
        return reference::fast_ap(near, pairs, 7);
      });
  cases.over_labels<Cosine, SquaredEuclidean>(
      "smooth_ap",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::smooth_ap(of..., SmoothApOptions{.reduction = r},
                                   {.temperature = number(tau)}, kernel);
      },
      [](const Tensor& near, const Tensor&, const Pairs& pairs, bool, Reduction) {
        return reference::smooth_ap(near / tau, pairs);
      });
  for (const SincereTerms terms : {SincereTerms::anchors, SincereTerms::positive_pairs}) {
    const bool by_pairs = terms == SincereTerms::positive_pairs;
    cases.over_labels<Cosine, SquaredEuclidean>(
        by_pairs ? "sincere, pairs" : "sincere",
        [=](Reduction r, const auto& kernel, const auto&... of) {
          return libtorch::sincere(of..., SincereOptions{.terms = terms, .reduction = r},
                                   {.temperature = number(tau)}, kernel);
        },
        [=](const Tensor& near, const Tensor&, const Pairs& pairs, bool, Reduction) {
          return reference::sincere(near / tau, pairs, by_pairs);
        });
  }
}

void add_triplets(Cases& cases) {
  using namespace nearfar;
  cases.over_labels<Euclidean>(
      "margin_loss",
      [](Reduction r, const auto& kernel, const auto&... of) {
        return libtorch::margin_loss(of..., MarginLossOptions{.reduction = r},
                                     {.beta = number(1.7)}, kernel);
      },
      [](const Tensor&, const Tensor& far, const Pairs& pairs, bool, Reduction) {
        return reference::margin_loss(far, pairs, number(1.7), 0.2);
      });
  cases.add(
      "margin_loss, learnt boundary", {rows(n, d, 1), number(1.7)},
      [](const Inputs& x, Reduction r) {
        return libtorch::margin_loss(x[0], labels(), {.reduction = r}, {.beta = x[1]});
      },
      [](const Inputs& x, Reduction) {
        return reference::margin_loss(reference::distance(x[0], x[0]), Pairs(labels()), x[1], 0.2);
      });
  cases.add(
      "angular", {rows(n, d, 1)},
      [](const Inputs& x, Reduction r) {
        return libtorch::angular(x[0], labels(), {.angle = 0.6, .reduction = r});
      },
      [](const Inputs& x, Reduction) {
        const Tensor cosines = reference::cosine(x[0], x[0]);
        return reference::angular(cosines, cosines, Pairs(labels()), 0.6);
      });
  cases.add(
      "angular, references", {rows(n, d, 1), rows(7, d, 2)},
      [](const Inputs& x, Reduction r) {
        return libtorch::angular(x[0], labels(), x[1], reference_labels(),
                                 {.angle = 0.6, .reduction = r});
      },
      [](const Inputs& x, Reduction) {
        return reference::angular(reference::cosine(x[0], x[1]), reference::cosine(x[1], x[1]),
                                  Pairs(labels(), reference_labels()), 0.6);
      });
  for (const bool soft : {false, true}) {
    const TripletForm form = soft ? TripletForm::soft : TripletForm::hinge;
    const std::string prefix = soft ? "soft " : "";
    for (const bool swap : {false, true}) {
      cases.add(
          prefix + (swap ? "triplet, swapped" : "triplet"),
          {rows(n, d, 1), rows(n, d, 2), rows(n, d, 3)},
          [=](const Inputs& x, Reduction r) {
            return libtorch::triplet(x[0], x[1], x[2],
                                     {.form = form, .swap = swap, .reduction = r});
          },
          [=](const Inputs& x, Reduction) {
            const auto apart = [&](std::size_t i, std::size_t j) {
              return (x[i] - x[j]).norm(2, {1});
            };
            const Tensor far = swap ? at::minimum(apart(0, 2), apart(1, 2)) : apart(0, 2);
            return Terms(reference::triplet_cost(apart(0, 1) - far + 1, soft));
          });
    }
    constexpr double margin = 0.2;
    const auto mined = [&](const char* name, Mining mining, const auto& terms) {
      cases.over_labels<Euclidean, Cosine>(
          prefix + "mined_triplet, " + name,
          [=](Reduction r, const auto& kernel, const auto&... of) {
            return libtorch::mined_triplet(
                of..., MinedTripletOptions{.form = form, .mining = mining, .reduction = r}, kernel);
          },
          [=](const Tensor&, const Tensor& far, const Pairs& pairs, bool, Reduction) {
            return terms(far, pairs);
          });
    };
    const auto of_kind = [&](const char* name, Mining mining, const auto& kind) {
      mined(name, mining, [=](const Tensor& far, const Pairs& pairs) {
        return reference::mined_triplets(far, pairs, margin, soft, kind);
      });
    };
    of_kind("all", Mining::all,
            [](const Tensor& p, const Tensor& q) { return at::ones_like(p + q, at::kBool); });
    of_kind("hard", Mining::hard, [](const Tensor& p, const Tensor& q) { return q <= p; });
    of_kind("semihard", Mining::semihard,
            [](const Tensor& p, const Tensor& q) { return (q > p).logical_and(q <= p + margin); });
    of_kind("easy", Mining::easy, [](const Tensor& p, const Tensor& q) { return q > p + margin; });
    mined("batch_hard", Mining::batch_hard, [=](const Tensor& far, const Pairs& pairs) {
      return reference::batch_hard(far, pairs, margin, soft);
    });
    mined("batch_easy_hard", Mining::batch_easy_hard, [=](const Tensor& d, const Pairs& pairs) {
      return reference::easy_semihard(d, pairs, margin, soft);
    });
    mined("semi_hard_per_pair", Mining::semi_hard_per_pair,
          [=](const Tensor& far, const Pairs& pairs) {
            return reference::semi_hard_per_pair(far, pairs, margin, soft);
          });
  }
}

void add_proxies(Cases& cases) {
  using namespace nearfar;
  constexpr std::int64_t classes = 4;
  const Tensor labels = integers({3, 3, 0, 1, 1, 2, 0, 2, 0});
  const Tensor own = labels.unsqueeze(1) == at::arange(classes, at::kLong);
  const auto softmax = [=](const Tensor& logits) { return reference::class_softmax(logits, own); };
  const auto add = [&](const char* name, std::int64_t centers, const Inputs& numbers,
                       const auto& call, const auto& logits) {
    Inputs inputs = {rows(n, d, 1), rows(classes * centers, d, 2)};
    inputs.insert(inputs.end(), numbers.begin(), numbers.end());
    cases.add(name, inputs, call, [=](const Inputs& x, Reduction) { return softmax(logits(x)); });
  };
  const auto z = [](const Inputs& x) { return reference::cosine(x[0], x[1]); };
  add(
      "normalized_softmax", 1, {number(tau)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::normalized_softmax(x[0], labels, x[1], {.reduction = r},
                                            {.temperature = x[2]});
      },
      [=](const Inputs& x) { return z(x) / x[2]; });
  add(
      "arc_face", 1, {number(4)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::arc_face(x[0], labels, x[1], {.margin = 0.4, .reduction = r},
                                  {.scale = x[2]});
      },
      [=](const Inputs& x) { return x[2] * reference::arc_face_logits(z(x), own, 0.4); });
  const Tensor margins = at::tensor(std::vector<double>{0.1, 0.2, 0.3, 0.4});
  const Tensor numbers = integers({7, -1, 40, 0});
  add(
      "cos_face, margins and numbers of classes", 1, {number(4)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::cos_face(x[0], numbers.index({labels}),
                                  libtorch::TensorProxies(x[1]).classes(numbers).margins(margins),
                                  {.reduction = r}, {.scale = x[2]});
      },
      [=](const Inputs& x) {
        return x[2] *
               (z(x) - reference::zeroed(margins.expand({n, classes}).to(x[0].scalar_type()), own));
      });
  add(
      "sphere_face", 1, {number(0.7)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::sphere_face(x[0], labels, x[1], {.margin = 3, .reduction = r},
                                     {.scale = x[2]});
      },
      [=](const Inputs& x) {
        return x[2] * x[0].norm(2, {1}, true) * reference::multiplied_angle(z(x), own, 3);
      });
  add(
      "large_margin_softmax", 1, {number(0.7)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::large_margin_softmax(x[0], labels, x[1], {.margin = 3, .reduction = r},
                                              {.scale = x[2]});
      },
      [=](const Inputs& x) {
        return x[2] * x[0].norm(2, {1}, true) * x[1].norm(2, {1}) *
               reference::multiplied_angle(z(x), own, 3);
      });
  add(
      "proxy_nca", 1, {number(3)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::proxy_nca(x[0], labels, x[1], {.reduction = r}, {.scale = x[2]});
      },
      [=](const Inputs& x) {
        return -x[2] * reference::squared_distance(reference::unit(x[0]), reference::unit(x[1]));
      });
  const auto by_centers = [=](const Inputs& x) { return z(x).view({n, classes, 3}); };
  add(
      "sub_center_arc_face", 3, {number(4)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::sub_center_arc_face(
            x[0], labels, x[1], {.margin = 0.4, .sub_centers = 3, .reduction = r}, {.scale = x[2]});
      },
      [=](const Inputs& x) {
        return x[2] * reference::arc_face_logits(by_centers(x).amax({2}), own, 0.4);
      });
  add(
      "soft_triple", 3, {number(4), number(0.3)},
      [=](const Inputs& x, Reduction r) {
        return libtorch::soft_triple(x[0], labels, x[1],
                                     {.margin = 0.05, .centers_per_class = 3, .reduction = r},
                                     {.lambda = x[2], .gamma = x[3]});
      },
      [=](const Inputs& x) {
        const Tensor s = by_centers(x);
        const Tensor mean = ((s / x[3]).softmax(2) * s).sum(2);
        return x[2] * (mean - 0.05 * own.to(s.scalar_type()));
      });
  cases.list.push_back({"proxy_anchor",
                        {rows(n, d, 1), rows(classes + 1, d, 2)},
                        [=](const Inputs& x, Reduction) {
                          return libtorch::proxy_anchor(x[0], labels, x[1], {.alpha = 4});
                        },
                        [=](const Inputs& x, Reduction) {
                          const Tensor all = at::arange(classes + 1, at::kLong);
                          return reference::proxy_anchor(z(x), labels.unsqueeze(1) == all, 0.1, 4);
                        }});
}

void expect_agreement(void (*add)(Cases&)) {
  Cases cases;
  add(cases);
  EXPECT_FALSE(cases.list.empty());
  for (const Case& its : cases.list) {
    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::none}) {
      compare(its, reduction, at::kFloat, 1e-5);
      compare(its, reduction, at::kDouble, 1e-10);
      for (const bool beside_float : {false, true}) {
        compare_narrow(its, reduction, at::kBFloat16, beside_float);
        compare_narrow(its, reduction, at::kHalf, beside_float);
      }
    }
  }
}

TEST(LibTorchLosses, Softmax) { expect_agreement(&add_softmax); }
TEST(LibTorchLosses, PairsAndListsWithNumbers) { expect_agreement(&add_scored); }
TEST(LibTorchLosses, Logistic) { expect_agreement(&add_logistic); }
TEST(LibTorchLosses, WholeSets) { expect_agreement(&add_whole_sets); }
TEST(LibTorchLosses, Proxies) { expect_agreement(&add_proxies); }
TEST(LibTorchLosses, PairsOverLabels) { expect_agreement(&add_pairs); }
TEST(LibTorchLosses, Triplets) { expect_agreement(&add_triplets); }

}  // namespace
}  // namespace adapters
