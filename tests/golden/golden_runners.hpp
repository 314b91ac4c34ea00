#pragma once

#include "golden/in_batch_runners.hpp"
#include "golden/lists_runners.hpp"
#include "golden/runner.hpp"
#include "golden/scored_runners.hpp"
#include "golden/sets_runners.hpp"
#include "golden/tuples_runners.hpp"
#include "golden/weights_runners.hpp"

/// \file
/// The public calls for the names of losses in cases.

namespace golden {

template <class S>
Computed<S> hadsell_pairs(Case& c) {
  const nearfar::HadsellOptions options{.margin = c.number("margin"), .reduction = c.reduction()};
  const auto a = c.matrix<S>("a");
  const auto b = c.matrix<S>("b");
  const auto same = c.labels("same");
  Computed<S> out;
  if (c.word("kernel") == "mahalanobis") {
    const auto transform = c.matrix<S>("transform");
    const nearfar::Mahalanobis<S> kernel(transform);
    const nearfar::HadsellContrastive<S, nearfar::Mahalanobis<S>> loss(options, kernel);
    out.loss = loss.forward_backward(a, b, same, out.gradients["a"], out.gradients["b"],
                                     {.d_parameter = out.gradients["transform"]})
                   .value;
    return out;
  }
  return with_kernel<S, nearfar::Euclidean, nearfar::SquaredEuclidean>(c, [&]<class K>(const K&) {
    const nearfar::HadsellContrastive<S, K> loss(options);
    out.loss = loss.forward_backward(a, b, same, out.gradients["a"], out.gradients["b"]).value;
    return out;
  });
}

/// Integers of a case, and the targets of pairs from them: ids, labels or neither.
struct PairTargets {
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> labels;
  nearfar::Targets targets;

  explicit PairTargets(Case& c) {
    if (c.has_input("labels")) {
      labels = c.labels("labels");
      targets = nearfar::Targets(labels);
    }
    if (c.has_input("ids")) {
      ids = c.labels("ids");
      targets = targets.ids(ids);
    }
  }
  PairTargets(const PairTargets&) = delete;
  PairTargets& operator=(const PairTargets&) = delete;
};

template <class S>
Computed<S> info_nce(Case& c) {
  const PairTargets of(c);
  const bool learnt = c.has_input("temperature");
  const nearfar::InfoNceOptions options{
      .temperature = learnt ? c.input_number("temperature") : c.number("temperature"),
      .reduction = c.reduction()};
  const auto queries = c.matrix<S>("queries");
  const auto keys = c.matrix<S>("keys");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct, nearfar::SquaredEuclidean,
                     nearfar::Euclidean>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const nearfar::InfoNce<S, K> loss(options);
    auto& dq = out.gradients["queries"];
    auto& dk = out.gradients["keys"];
    const auto result = of.targets.has_ids()
                            ? loss.forward_backward(queries, keys, of.targets, dq, dk)
                            : loss.forward_backward(queries, keys, dq, dk);
    out.loss = result.value;
    if (learnt) {
      out.gradients["temperature"] = as_matrix<S>(result.d_temperature);
    }
    return out;
  });
}

template <class S>
Computed<S> info_nce_negatives(Case& c) {
  const nearfar::InfoNceOptions options{.temperature = c.number("temperature"),
                                        .reduction = c.reduction()};
  const auto queries = c.matrix<S>("queries");
  const auto keys = c.matrix<S>("keys");
  const auto rows = c.matrix<S>("negatives");
  nearfar::Negatives<S> negatives(rows);
  std::vector<nearfar::Index> offsets;
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> query_ids;
  if (c.has_input("offsets")) {
    offsets = c.numbers<nearfar::Index>("offsets");
    negatives = nearfar::per_query(rows, offsets);
  } else if (c.is_nested("negatives")) {
    negatives = nearfar::per_query(rows);
  }
  if (c.has_input("ids")) {
    ids = c.labels("negative_ids");
    query_ids = c.labels("ids");
    negatives = negatives.ids(ids, query_ids);
  }
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct, nearfar::SquaredEuclidean,
                     nearfar::Euclidean>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const nearfar::InfoNce<S, K> loss(options);
    out.loss = loss.forward_backward(queries, keys, negatives, out.gradients["queries"],
                                     out.gradients["keys"], out.gradients["negatives"])
                   .value;
    return out;
  });
}

template <class S>
Computed<S> matryoshka_info_nce(Case& c) {
  const nearfar::MatryoshkaOptions options{.prefixes = c.list<nearfar::Index>("dims"),
                                           .weights = c.list<double>("weights"),
                                           .temperature = c.number("temperature"),
                                           .reduction = c.reduction()};
  const auto queries = c.matrix<S>("queries");
  const auto keys = c.matrix<S>("keys");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const nearfar::MatryoshkaInfoNce<S, K> loss(options);
    out.loss =
        loss.forward_backward(queries, keys, out.gradients["queries"], out.gradients["keys"]).value;
    return out;
  });
}

/// In-batch InfoNCE of contexts and targets with a bilinear score: one step of CPC. The case is one
/// step and one time: sequences of two positions whose other rows have no influence.
template <class S>
Computed<S> cpc(Case& c) {
  using Matrix = nearfar::Matrix<S>;
  if (c.word("kernel") != "bilinear") throw std::runtime_error("unknown kernel for cpc");
  const nearfar::CpcOptions options{.length = 2,
                                    .temperature = c.number("temperature"),
                                    .negatives = nearfar::SequenceNegatives::same_time,
                                    .reduction = c.reduction()};
  const auto context = c.matrix<S>("context");
  const auto targets = c.matrix<S>("targets");
  const auto weight = c.matrix<S>("weight");
  const auto spread = [](const Matrix& rows, nearfar::Index at) {
    Matrix out = Matrix::Constant(2 * rows.rows(), rows.cols(), S(3));
    for (nearfar::Index i = 0; i < rows.rows(); ++i) out.row(2 * i + at) = rows.row(i);
    return out;
  };
  const auto picked = [](const Matrix& rows, nearfar::Index at) {
    Matrix out(rows.rows() / 2, rows.cols());
    for (nearfar::Index i = 0; i < out.rows(); ++i) out.row(i) = rows.row(2 * i + at);
    return out;
  };
  Matrix d_contexts;
  Matrix d_targets;
  Computed<S> out;
  out.loss = nearfar::Cpc<S>(options)
                 .forward_backward(spread(context, 0), spread(targets, 1), weight, d_contexts,
                                   d_targets, out.gradients["weight"])
                 .value;
  out.gradients["context"] = picked(d_contexts, 0);
  out.gradients["targets"] = picked(d_targets, 1);
  return out;
}

template <class S, nearfar::Denominator denominator>
Computed<S> nt_xent(Case& c) {
  const nearfar::NtXentOptions options{.temperature = c.number("temperature"),
                                       .denominator = denominator,
                                       .reduction = c.reduction()};
  const PairTargets of(c);
  const auto view1 = c.matrix<S>("view1");
  const auto view2 = c.matrix<S>("view2");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss = nearfar::NtXent<S, K>(options)
                   .forward_backward(view1, view2, of.targets, out.gradients["view1"],
                                     out.gradients["view2"])
                   .value;
    return out;
  });
}

template <class S>
Computed<S> clip(Case& c) {
  const nearfar::ClipOptions options{.logit_scale = c.input_number("logit_scale"),
                                     .reduction = c.reduction()};
  const PairTargets of(c);
  const auto image = c.matrix<S>("image");
  const auto text = c.matrix<S>("text");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const auto result = nearfar::Clip<S, K>(options).forward_backward(
        image, text, of.targets, out.gradients["image"], out.gradients["text"]);
    out.loss = result.value;
    out.gradients["logit_scale"] = as_matrix<S>(result.d_logit_scale);
    return out;
  });
}

template <class S>
Computed<S> siglip(Case& c) {
  const nearfar::SigLipOptions options{.logit_scale = c.input_number("logit_scale"),
                                       .logit_bias = c.input_number("logit_bias"),
                                       .reduction = c.reduction()};
  const PairTargets of(c);
  const auto image = c.matrix<S>("image");
  const auto text = c.matrix<S>("text");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const auto result = nearfar::SigLip<S, K>(options).forward_backward(
        image, text, of.targets, out.gradients["image"], out.gradients["text"]);
    out.loss = result.value;
    out.gradients["logit_scale"] = as_matrix<S>(result.d_logit_scale);
    out.gradients["logit_bias"] = as_matrix<S>(result.d_logit_bias);
    return out;
  });
}

template <class S>
Computed<S> nce(Case& c) {
  const nearfar::NceOptions options{.log_z = c.input_number("log_z"), .reduction = c.reduction()};
  const auto queries = c.matrix<S>("queries");
  const auto keys = c.matrix<S>("keys");
  const auto negatives = c.matrix<S>("negatives");
  const auto log_noise_keys = c.numbers<S>("log_noise_keys");
  const auto log_noise_negatives = c.numbers<S>("log_noise_negatives");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const auto result = nearfar::Nce<S, K>(options).forward_backward(
        queries, keys, negatives, log_noise_keys, log_noise_negatives, out.gradients["queries"],
        out.gradients["keys"], out.gradients["negatives"]);
    out.loss = result.value;
    out.gradients["log_z"] = as_matrix<S>(result.d_log_z);
    return out;
  });
}

template <class S>
Computed<S> negative_sampling(Case& c) {
  const nearfar::NegativeSamplingOptions options{.reduction = c.reduction()};
  const auto queries = c.matrix<S>("queries");
  const auto keys = c.matrix<S>("keys");
  const auto negatives = c.matrix<S>("negatives");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss = nearfar::NegativeSampling<S, K>(options)
                   .forward_backward(queries, keys, negatives, out.gradients["queries"],
                                     out.gradients["keys"], out.gradients["negatives"])
                   .value;
    return out;
  });
}

template <class S>
Computed<S> triplet(Case& c) {
  const nearfar::TripletOptions options{
      .margin = c.number("margin"), .swap = c.flag("swap"), .reduction = c.reduction()};
  const auto anchors = c.matrix<S>("anchors");
  const auto positives = c.matrix<S>("positives");
  const auto negatives = c.matrix<S>("negatives");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct, nearfar::SquaredEuclidean,
                     nearfar::Euclidean>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss = nearfar::Triplet<S, K>(options)
                   .forward_backward(anchors, positives, negatives, out.gradients["anchors"],
                                     out.gradients["positives"], out.gradients["negatives"])
                   .value;
    return out;
  });
}

/// The same with positive pairs as terms.
template <class S>
Computed<S> nt_xent_labels(Case& c) {
  auto options = options_of<nearfar::SincereOptions>(c);
  options.terms = nearfar::SincereTerms::positive_pairs;
  const auto x = c.matrix<S>("x");
  const auto labels = c.labels("labels");
  return with_kernel<S, nearfar::Cosine>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss =
        nearfar::Sincere<S, K>(options).forward_backward(x, labels, out.gradients["x"]).value;
    return out;
  });
}

template <class S>
Computed<S> n_pair(Case& c) {
  const auto anchors = c.matrix<S>("anchors");
  const auto positives = c.matrix<S>("positives");
  const nearfar::NPair<S> loss({.reduction = c.reduction()});
  return with_kernel<S, nearfar::InnerProduct>(c, [&](const nearfar::InnerProduct&) {
    Computed<S> out;
    out.loss = loss.forward_backward(anchors, positives, out.gradients["anchors"],
                                     out.gradients["positives"])
                   .value;
    return out;
  });
}

template <class S>
Computed<S> alignment(Case& c) {
  Computed<S> out;
  out.loss = nearfar::Alignment<S>({.alpha = c.number("alpha")})
                 .forward_backward(c.matrix<S>("x"), c.matrix<S>("y"), out.gradients["x"],
                                   out.gradients["y"])
                 .value;
  return out;
}

template <class S>
Computed<S> uniformity(Case& c) {
  Computed<S> out;
  out.loss = nearfar::Uniformity<S>({.t = c.number("t")})
                 .forward_backward(c.matrix<S>("x"), out.gradients["x"])
                 .value;
  return out;
}

/// With half the squared distance: the log-likelihood of a unit Gaussian.
template <class S>
Computed<S> club(Case& c) {
  return with_kernel<S, nearfar::SquaredEuclidean>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const nearfar::MutualInformation<S, K> bound(
        {.bound = nearfar::MutualInformationBound::club, .temperature = 2});
    out.loss = bound
                   .forward_backward(c.matrix<S>("x"), c.matrix<S>("y"), out.gradients["x"],
                                     out.gradients["y"])
                   .value;
    return out;
  });
}

/// Cases of the first groups of losses.
template <class S>
std::map<std::string, Runner<S>> first_runners() {
  namespace registered = nearfar::registered;
  return {
      {"hadsell_contrastive", hadsell_pairs<S>},
      {"hadsell_contrastive_labels", over_labels<S, registered::hadsell_contrastive>},
      {"info_nce", info_nce<S>},
      {"info_nce_negatives", info_nce_negatives<S>},
      {"matryoshka_info_nce", matryoshka_info_nce<S>},
      {"cpc", cpc<S>},
      {"nce", nce<S>},
      {"negative_sampling", negative_sampling<S>},
      {"nt_xent", nt_xent<S, nearfar::Denominator::with_positive>},
      {"clip", clip<S>},
      {"siglip", siglip<S>},
      {"info_nce_ids", info_nce<S>},
      {"info_nce_per_query_ids", info_nce_negatives<S>},
      {"info_nce_ragged", info_nce_negatives<S>},
      {"nt_xent_ids", nt_xent<S, nearfar::Denominator::with_positive>},
      {"clip_ids", clip<S>},
      {"siglip_ids", siglip<S>},
      {"clip_labels", clip<S>},
      {"siglip_labels", siglip<S>},
      {"triplet", triplet<S>},
      {"dcl", nt_xent<S, nearfar::Denominator::negatives_only>},
      {"nt_xent_labels", nt_xent_labels<S>},
      {"n_pair", n_pair<S>},
      {"alignment", alignment<S>},
      {"uniformity", uniformity<S>},
      {"club", club<S>},
  };
}

template <class S>
const std::map<std::string, Runner<S>>& runners() {
  static const std::map<std::string, Runner<S>> all = [] {
    std::map<std::string, Runner<S>> out;
    // The first runner of a name stays: groups have options and inputs that the lines of the
    // register do not have.
    out.merge(tuples_runners<S>());
    out.merge(in_batch_runners<S>());
    out.merge(lists_runners<S>());
    out.merge(scored_runners<S>());
    out.merge(sets_runners<S>());
    out.merge(weights_runners<S>());
    out.merge(first_runners<S>());
    out.merge(labelled_runners<S, ThroughClasses>());
    return out;
  }();
  return all;
}

}  // namespace golden
