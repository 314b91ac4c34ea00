#pragma once

#include <ATen/ATen.h>

#include <cmath>
#include <limits>
#include <nearfar/core/reduction.hpp>
#include <vector>

/// \file
/// The losses as LibTorch's own operations: whole matrices of scores and masks, gradients by
/// autograd. `nearness` is N x M: scores of similarities, or minus the distance.

namespace reference {

using at::Tensor;

/// One value a row, and how many terms they are made of.
struct Terms {
  Tensor values;
  double count;

  explicit Terms(const Tensor& v) : values(v), count(static_cast<double>(v.numel())) {}
  Terms(const Tensor& v, double n) : values(v), count(n) {}

  /// The loss under a reduction other than mean_nonzero.
  Tensor reduced(nearfar::Reduction reduction) const {
    if (reduction == nearfar::Reduction::none) return values;
    const Tensor sum = values.sum();
    return reduction == nearfar::Reduction::mean ? sum / count : sum;
  }
};

inline Tensor unit(const Tensor& x) { return x / x.norm(2, {1}, true); }
inline Tensor cosine(const Tensor& x, const Tensor& y) { return unit(x).mm(unit(y).t()); }
inline Tensor inner_product(const Tensor& x, const Tensor& y) { return x.mm(y.t()); }
/// From differences, not from products, so that a distance 0 is one.
inline Tensor distance(const Tensor& x, const Tensor& y) { return at::cdist(x, y, 2, 2); }
inline Tensor squared_distance(const Tensor& x, const Tensor& y) {
  return (x.unsqueeze(1) - y.unsqueeze(0)).square().sum(2);
}

/// Pairs of a labelled batch, or of queries and references.
struct Pairs {
  Tensor positive;
  Tensor negative;

  /// A batch: no row is its own partner.
  explicit Pairs(const Tensor& labels) : Pairs(labels, labels) {
    const Tensor other = at::eye(labels.size(0), at::kBool).logical_not();
    positive = positive.logical_and(other);
  }
  Pairs(const Tensor& query_labels, const Tensor& reference_labels)
      : positive(query_labels.unsqueeze(1) == reference_labels.unsqueeze(0)),
        negative(positive.logical_not()) {}
};

inline Tensor masked(const Tensor& x, const Tensor& where) {
  return x.masked_fill(where.logical_not(), -std::numeric_limits<double>::infinity());
}

/// The same, 0 where not.
inline Tensor zeroed(const Tensor& x, const Tensor& where) {
  return at::where(where, x, at::zeros_like(x));
}

/// LibTorch's softplus stops at x = 20, two in a thousand million off.
inline Tensor log_one_plus_exp(const Tensor& x) { return at::softplus(x, 1, 100); }

inline Tensor as_numbers(const Tensor& mask) { return mask.to(at::kDouble); }

// ---- picking one of many
// -------------------------------------------------------------------------

/// Own key at column[i] of logits.
inline Terms info_nce(const Tensor& logits, const Tensor& column) {
  return Terms(at::logsumexp(logits, 1) - logits.gather(1, column.unsqueeze(1)).squeeze(1));
}
inline Terms info_nce(const Tensor& logits) {
  return info_nce(logits, at::arange(logits.size(0), at::kLong));
}

/// One's partner in the other view.
inline Tensor partners(std::int64_t n) {
  const Tensor own = at::arange(n, at::kLong);
  return at::cat({own + n, own});
}

/// Two views stacked. Decoupled: the partner is no candidate.
inline Terms nt_xent(const Tensor& logits, bool decoupled = false) {
  const auto n = logits.size(0);
  const Tensor partner = partners(n / 2).unsqueeze(1);
  Tensor candidates = at::eye(n, at::kBool).logical_not();
  if (decoupled) candidates = candidates.scatter(1, partner, false);
  return Terms(at::logsumexp(masked(logits, candidates), 1) - logits.gather(1, partner).squeeze(1));
}

inline Terms hard_negative(const Tensor& cosines, double temperature, double prior, double beta) {
  const auto views = cosines.size(0);
  const auto n = static_cast<double>(views - 2);
  const Tensor partner = partners(views / 2).unsqueeze(1);
  const Tensor others = at::eye(views, at::kBool).logical_not().scatter(1, partner, false);
  const Tensor exponentials = (cosines / temperature).exp();
  const Tensor positive = exponentials.gather(1, partner).squeeze(1);
  const Tensor weights = zeroed((beta * cosines / temperature).exp(), others);
  const Tensor weighted = n * (weights * exponentials).sum(1) / weights.sum(1);
  const Tensor negatives =
      ((weighted - n * prior * positive) / (1 - prior)).clamp_min(n * std::exp(-1 / temperature));
  return Terms(-(positive / (positive + negatives)).log());
}

/// Logits of queries with keys and negatives, among queries and among keys (with negatives); pairs
/// that a mask is false of are dropped.
inline Terms in_batch(const std::vector<Tensor>& logits, const std::vector<Tensor>& kept) {
  std::vector<Tensor> all;
  for (std::size_t b = 0; b < logits.size(); ++b) {
    all.push_back(logits[b].masked_fill(kept[b].logical_not(), -INFINITY));
  }
  return Terms(at::logsumexp(at::cat(all, 1), 1) - logits[0].diagonal());
}

/// Own key at column[i] of logits, the sum over the candidates.
inline Terms rince(const Tensor& logits, const Tensor& column, const Tensor& candidates,
                   double lambda, double q) {
  const Tensor own = logits.gather(1, column.unsqueeze(1)).squeeze(1);
  const Tensor all = zeroed(logits.exp(), candidates).sum(1);
  return Terms(((lambda * all).pow(q) - (q * own).exp()) / q);
}
inline Terms rince(const Tensor& logits, double lambda, double q) {
  return rince(logits, at::arange(logits.size(0), at::kLong), at::ones_like(logits).to(at::kBool),
               lambda, q);
}
inline Terms rince_views(const Tensor& logits, double lambda, double q) {
  const auto n = logits.size(0);
  return rince(logits, partners(n / 2), at::eye(n, at::kBool).logical_not(), lambda, q);
}

/// Logits of the pairs, and of each view with itself.
inline Terms dhel(const Tensor& pairs, const Tensor& view1, const Tensor& view2) {
  const Tensor others = at::eye(pairs.size(0), at::kBool).logical_not();
  const auto spread = [&](const Tensor& view) { return at::logsumexp(masked(view, others), 1); };
  return Terms(spread(view1) + spread(view2) - pairs.diagonal());
}

/// Nearness of two views stacked.
inline Terms dclw(const Tensor& near, const Tensor& temperature, double sigma) {
  const auto n = near.size(0);
  const Tensor partner = partners(n / 2).unsqueeze(1);
  const Tensor own = near.gather(1, partner).squeeze(1);
  const Tensor exponentials = (own / sigma).exp();  // of each pair twice
  const Tensor weights = (2 - exponentials / exponentials.mean()).detach();
  const Tensor others = at::eye(n, at::kBool).logical_not().scatter(1, partner, false);
  return Terms(at::logsumexp(masked(near / temperature, others), 1) - weights * own / temperature);
}

// Against proxies: z are cosines, own (N x C) true for each row's class.

inline Terms class_softmax(const Tensor& logits, const Tensor& own) {
  return Terms(at::logsumexp(logits, 1) - zeroed(logits, own).sum(1));
}
inline Tensor arc_face_logits(const Tensor& z, const Tensor& own, double margin) {
  const Tensor theta = z.acos();
  const Tensor turned = at::where(theta <= std::acos(-1.0) - margin, (theta + margin).cos(),
                                  z - margin * std::sin(margin));
  return at::where(own, turned, z);
}
/// (-1)^k cos(m theta) - 2k.
inline Tensor multiplied_angle(const Tensor& z, const Tensor& own, double m) {
  const Tensor theta = z.acos();
  const Tensor k = (m * theta / std::acos(-1.0)).floor().detach();
  const Tensor sign = 1 - 2 * k.remainder(2);
  return at::where(own, sign * (m * theta).cos() - 2 * k, z);
}
inline Tensor proxy_anchor(const Tensor& z, const Tensor& own, double margin, double alpha) {
  const Tensor near = zeroed((-alpha * (z - margin)).exp(), own).sum(0);
  const Tensor far = zeroed((alpha * (z + margin)).exp(), own.logical_not()).sum(0);
  const Tensor present = own.any(0).to(z.scalar_type()).sum();
  return near.log1p().sum() / present + far.log1p().mean();
}

inline Terms clip(const Tensor& logits) {
  return Terms((info_nce(logits).values + info_nce(logits.t()).values) / 2);
}

/// The share of a step k ahead: all other targets at times k and later as negatives.
inline Terms cpc(const Tensor& contexts, const Tensor& targets, const Tensor& weights,
                 double temperature) {
  const auto sequences = contexts.size(0);
  const auto length = contexts.size(1);
  const auto steps = weights.size(0);
  Tensor values = at::zeros({sequences, length}, contexts.options());
  for (std::int64_t k = 1; k <= steps; ++k) {
    const auto times = length - k;
    const Tensor from = contexts.slice(1, 0, times).reshape({sequences * times, -1});
    const Tensor to = targets.slice(1, k, length).reshape({sequences * times, -1});
    const Tensor rows = info_nce(from.mm(weights[k - 1].t()).mm(to.t()) / temperature).values;
    const Tensor step = rows.view({sequences, times}) / static_cast<double>(steps);
    values = values + at::constant_pad_nd(step, {0, k});
  }
  return Terms(values);
}

inline Terms sup_con(const Tensor& logits, const Pairs& pairs, bool inside) {
  const Tensor all = at::logsumexp(masked(logits, pairs.positive.logical_or(pairs.negative)), 1);
  const Tensor usable = pairs.positive.any(1);
  const Tensor count = as_numbers(pairs.positive).sum(1).clamp_min(1);
  // Rows that are no terms must not bring infinities into the gradient.
  const Tensor summed = pairs.positive.logical_or(usable.logical_not().unsqueeze(1));
  const Tensor of_positives = inside ? at::logsumexp(masked(logits, summed), 1) - count.log()
                                     : zeroed(logits, pairs.positive).sum(1) / count;
  return {zeroed(all - of_positives, usable), as_numbers(usable).sum().item<double>()};
}

/// A value a row; `by_pairs`: terms are positive pairs.
inline Terms sincere(const Tensor& logits, const Pairs& pairs, bool by_pairs) {
  const Tensor negatives = at::logsumexp(masked(logits, pairs.negative), 1, true);
  const Tensor losses = zeroed(log_one_plus_exp(negatives - logits), pairs.positive);
  const Tensor counts = as_numbers(pairs.positive).sum(1);
  if (by_pairs) return {losses.sum(1), counts.sum().item<double>()};
  return {losses.sum(1) / counts.clamp_min(1),
          as_numbers(pairs.positive.any(1)).sum().item<double>()};
}

// ---- rankings: of precisions, one a row, those of rows that have a positive

inline Terms less_precision(const Tensor& sums, const Pairs& pairs) {
  const Tensor counts = as_numbers(pairs.positive).sum(1);
  const Tensor usable = pairs.positive.any(1);
  return {zeroed(1 - sums / counts.clamp_min(1), usable), as_numbers(usable).sum().item<double>()};
}

inline Terms fast_ap(const Tensor& cosines, const Pairs& pairs, int bins) {
  const Tensor place = (1 - cosines) * bins / 2;
  const Tensor all = as_numbers(pairs.positive.logical_or(pairs.negative));
  Tensor sums = at::zeros({cosines.size(0)}, at::kDouble);
  Tensor own_up_to = sums;
  Tensor all_up_to = sums;
  for (int b = 0; b <= bins; ++b) {
    const Tensor share = (1 - (place - b).abs()).clamp_min(0);
    const Tensor own = (share * as_numbers(pairs.positive)).sum(1);
    own_up_to = own_up_to + own;
    all_up_to = all_up_to + (share * all).sum(1);
    const Tensor empty = all_up_to == 0;
    sums = sums + own * own_up_to / at::where(empty, at::ones_like(all_up_to), all_up_to);
  }
  return less_precision(sums, pairs);
}

inline Terms smooth_ap(const Tensor& logits, const Pairs& pairs) {
  // [a, p, k]: how far key k is above key p.
  const Tensor above = at::sigmoid(logits.unsqueeze(1) - logits.unsqueeze(2));
  const Tensor others = at::eye(logits.size(1), at::kBool).logical_not().unsqueeze(0);
  const auto rank_among = [&](const Tensor& keys) {
    return 1 + zeroed(above, keys.unsqueeze(1).logical_and(others)).sum(2);
  };
  const Tensor precisions =
      rank_among(pairs.positive) / rank_among(pairs.positive.logical_or(pairs.negative));
  return less_precision(zeroed(precisions, pairs.positive).sum(1), pairs);
}

// ---- yes or no
// -----------------------------------------------------------------------------------

inline Terms sig_lip(const Tensor& logits) {
  const Tensor sign = 2 * at::eye(logits.size(0), logits.options()) - 1;
  return Terms(-at::log_sigmoid(sign * logits).sum(1));
}

/// Logits of own keys (N) and of negatives (N x K).
inline Terms logistic(const Tensor& own, const Tensor& negatives) {
  return Terms(log_one_plus_exp(-own) + log_one_plus_exp(negatives).sum(1));
}

// ---- whole sets
// ----------------------------------------------------------------------------------

inline Tensor uniformity(const Tensor& x, double t) {
  const auto n = static_cast<double>(x.size(0));
  const Tensor gaussians = (-t * squared_distance(unit(x), unit(x))).exp().triu(1);
  return (gaussians.sum() * 2 / (n * (n - 1))).log();
}

struct Critic {
  Tensor f;
  double n = static_cast<double>(f.size(0));
  Tensor joint = f.diag().mean();
  Tensor others = masked(f, at::eye(f.size(0), at::kBool).logical_not());

  Tensor info_nce() const { return std::log(n) - reference::info_nce(f).values.mean(); }
  Tensor nwj() const { return joint - (others - 1).exp().sum() / (n * (n - 1)); }
  Tensor donsker_varadhan() const {
    return joint - at::logsumexp(others.flatten(), 0) + std::log(n * (n - 1));
  }
  Tensor club() const { return joint - f.mean(); }
};

// ---- pairs
// ---------------------------------------------------------------------------------------

/// Pairs of each row, all of them the row's: of queries and references.
inline Terms hadsell(const Tensor& d, const Pairs& pairs, double margin) {
  const Tensor values = zeroed(d.square() / 2, pairs.positive) +
                        zeroed((margin - d).clamp_min(0).square() / 2, pairs.negative);
  return {values.sum(1),
          as_numbers(pairs.positive.logical_or(pairs.negative)).sum().item<double>()};
}

/// With `mean`, each kind is divided by the number of its pairs.
inline Terms linear_contrastive(const Tensor& d, const Pairs& pairs, double positive_margin,
                                double negative_margin, nearfar::Reduction reduction) {
  const auto share = [&](const Tensor& mask) {
    return reduction == nearfar::Reduction::mean ? 1 / as_numbers(mask).sum().item<double>() : 1.0;
  };
  const Tensor near = zeroed((d - positive_margin).clamp_min(0), pairs.positive);
  const Tensor far = zeroed((negative_margin - d).clamp_min(0), pairs.negative);
  return {near.sum(1) * share(pairs.positive) + far.sum(1) * share(pairs.negative), 1};
}

inline Terms multi_similarity(const Tensor& s, const Pairs& pairs, double alpha, double beta,
                              double base) {
  const auto part = [&](const Tensor& logits, const Tensor& mask) {
    return zeroed(logits.exp(), mask).sum(1).log1p();
  };
  return Terms(part(-alpha * (s - base), pairs.positive) / alpha +
               part(beta * (s - base), pairs.negative) / beta);
}

inline Terms circle(const Tensor& s, const Pairs& pairs, double m, double gamma,
                    bool differentiated) {
  const Tensor at_weights = differentiated ? s : s.detach();
  const Tensor near = (1 + m - at_weights).clamp_min(0) * (1 - m - s) * gamma;
  const Tensor far = (at_weights + m).clamp_min(0) * (s - m) * gamma;
  const Tensor usable = pairs.positive.any(1).logical_and(pairs.negative.any(1));
  const auto sum = [&](const Tensor& logits, const Tensor& mask) {
    return at::logsumexp(masked(logits, mask.logical_or(usable.logical_not().unsqueeze(1))), 1);
  };
  const Tensor values = log_one_plus_exp(sum(near, pairs.positive) + sum(far, pairs.negative));
  return {zeroed(values, usable), as_numbers(usable).sum().item<double>()};
}

/// A pair's value is a row's; in a batch, where each pair is there twice, half of it each time.
inline Terms lifted_structure(const Tensor& d, const Pairs& pairs, double margin, bool batch) {
  const Tensor of_rows = zeroed((margin - d).exp(), pairs.negative).sum(1);
  const Tensor of_keys = zeroed((margin - d).exp(), pairs.negative).sum(0);
  const Tensor j = (of_rows.unsqueeze(1) + of_keys.unsqueeze(0)).log() + d;
  const double share = batch ? 0.5 : 1.0;
  return {zeroed(share * j.clamp_min(0).square() / 2, pairs.positive).sum(1),
          share * as_numbers(pairs.positive).sum().item<double>()};
}

inline Terms generalized_lifted_structure(const Tensor& d, const Pairs& pairs, double margin) {
  const Tensor usable = pairs.positive.any(1).logical_and(pairs.negative.any(1));
  const auto sum = [&](const Tensor& logits, const Tensor& mask) {
    return at::logsumexp(masked(logits, mask.logical_or(usable.logical_not().unsqueeze(1))), 1);
  };
  const Tensor values = (margin + sum(d, pairs.positive) + sum(-d, pairs.negative)).clamp_min(0);
  return {zeroed(values, usable), as_numbers(usable).sum().item<double>()};
}

/// With weights that are constants.
inline Terms ranked_list(const Tensor& d, const Pairs& pairs, double margin, double alpha,
                         double t_p, double t_n, double imbalance) {
  const auto mean = [](const Tensor& hinge, const Tensor& pair, double t) {
    const Tensor counts = pair.logical_and(hinge > 0);
    const Tensor weights = zeroed((t * hinge.detach()).exp(), counts);
    const Tensor sum = weights.sum(1);
    return (weights * zeroed(hinge, counts)).sum(1) / at::where(sum > 0, sum, at::ones_like(sum));
  };
  return Terms((1 - imbalance) * mean(d - (alpha - margin), pairs.positive, t_p) +
               imbalance * mean(alpha - d, pairs.negative, t_n));
}

inline Terms nca(const Tensor& logits, const Pairs& pairs) {
  const Tensor usable = pairs.positive.any(1);
  const Tensor summed = pairs.positive.logical_or(usable.logical_not().unsqueeze(1));
  const Tensor all = at::logsumexp(masked(logits, pairs.positive.logical_or(pairs.negative)), 1);
  const Tensor values = all - at::logsumexp(masked(logits, summed), 1);
  return {zeroed(values, usable), as_numbers(usable).sum().item<double>()};
}

// ---- triplets ----------------------------------------------------------------------------------

inline Tensor triplet_cost(const Tensor& gap, bool soft) {
  return soft ? log_one_plus_exp(gap) : gap.clamp_min(0);
}

/// All triplets (i, p, n) for which `kind` is true of (d(i, p), d(i, n)).
template <class Kind>
Terms mined_triplets(const Tensor& d, const Pairs& pairs, double margin, bool soft,
                     const Kind& kind) {
  const Tensor to_positive = d.unsqueeze(2);
  const Tensor to_negative = d.unsqueeze(1);
  const Tensor mined = pairs.positive.unsqueeze(2)
                           .logical_and(pairs.negative.unsqueeze(1))
                           .logical_and(kind(to_positive.detach(), to_negative.detach()));
  const Tensor cost = triplet_cost(to_positive - to_negative + margin, soft);
  return {zeroed(cost, mined).sum({1, 2}), as_numbers(mined).sum().item<double>()};
}

/// Hinges of all triplets against a boundary.
inline Terms margin_loss(const Tensor& d, const Pairs& pairs, const Tensor& beta, double margin) {
  const Tensor all = pairs.positive.unsqueeze(2).logical_and(pairs.negative.unsqueeze(1));
  const Tensor near = (d - beta + margin).clamp_min(0).unsqueeze(2);
  const Tensor far = (beta - d + margin).clamp_min(0).unsqueeze(1);
  return {zeroed(near + far, all).sum({1, 2}), 2 * as_numbers(all).sum().item<double>()};
}

/// Positive pairs against the anchor's negatives, of cosines.
inline Terms angular(const Tensor& between, const Tensor& among_keys, const Pairs& pairs,
                     double angle) {
  const double t = std::tan(angle) * std::tan(angle);
  const Tensor both = between.unsqueeze(1) + among_keys.unsqueeze(0);  // anchor, positive, negative
  const Tensor logits = 4 * t * both - 2 * (1 + t) * between.unsqueeze(2);
  const Tensor sums = zeroed(logits.exp(), pairs.negative.unsqueeze(1).expand_as(logits)).sum(2);
  return {zeroed(sums.log1p(), pairs.positive).sum(1),
          as_numbers(pairs.positive).sum().item<double>()};
}

/// Each anchor's farthest positive and nearest negative.
inline Terms batch_hard(const Tensor& d, const Pairs& pairs, double margin, bool soft) {
  const Tensor far = std::get<0>(masked(d, pairs.positive).max(1));
  const Tensor near = -std::get<0>(masked(-d, pairs.negative).max(1));
  const Tensor usable = pairs.positive.any(1).logical_and(pairs.negative.any(1));
  return {zeroed(triplet_cost(far - near + margin, soft), usable),
          as_numbers(usable).sum().item<double>()};
}

/// Each anchor's nearest positive and the nearest negative beyond it.
inline Terms easy_semihard(const Tensor& d, const Pairs& pairs, double margin, bool soft) {
  const Tensor near = -std::get<0>(masked(-d, pairs.positive).max(1));
  const Tensor beyond = (d > near.unsqueeze(1)).logical_and(pairs.negative);
  const Tensor chosen = -std::get<0>(masked(-d, beyond).max(1));
  const Tensor usable = pairs.positive.any(1).logical_and(beyond.any(1));
  return {zeroed(triplet_cost(near - chosen + margin, soft), usable),
          as_numbers(usable).sum().item<double>()};
}

/// Of each anchor and positive the nearest negative beyond, else the farthest negative.
inline Terms semi_hard_per_pair(const Tensor& d, const Pairs& pairs, double margin, bool soft) {
  const Tensor to_positive = d.unsqueeze(2);
  const Tensor to_negative = d.unsqueeze(1);
  const Tensor negative = pairs.negative.unsqueeze(1).expand({-1, d.size(1), -1});
  const Tensor beyond = (to_negative > to_positive).logical_and(negative);
  const Tensor nearest = -std::get<0>(masked(-to_negative.expand_as(beyond), beyond).max(2));
  const Tensor farthest = std::get<0>(masked(to_negative.expand_as(beyond), negative).max(2));
  const Tensor chosen = at::where(beyond.any(2), nearest, farthest);
  const Tensor mined = pairs.positive.logical_and(pairs.negative.any(1).unsqueeze(1));
  return {zeroed(triplet_cost(d - chosen + margin, soft), mined).sum(1),
          as_numbers(mined).sum().item<double>()};
}

}  // namespace reference
