#pragma once

#include <functional>

#include "golden/golden_case.hpp"

/// \file
/// From a case's loss name to the public call that computes it.

namespace golden {

template <class S>
using Runner = std::function<Computed<S>(Case&)>;

/// Calls body(kernel) with the kernel a case names, from those given.
template <class S, class... Kernels, class Body>
auto with_kernel(Case& c, const Body& body) {
  const std::string name = c.word("kernel");
  Computed<S> out;
  bool known = false;
  const auto attempt = [&](const char* its_name, const auto& kernel) {
    if (name == its_name) {
      known = true;
      out = body(kernel);
    }
  };
  (attempt(Kernels::name, typename Kernels::Type()), ...);
  if (!known) throw std::runtime_error("unknown kernel " + name + " for " + c.loss());
  return out;
}

template <class S>
nearfar::Matrix<S> as_matrix(double v) {
  return nearfar::Matrix<S>::Constant(1, 1, static_cast<S>(v));
}

struct EuclideanKernel {
  static constexpr const char* name = "euclidean";
  using Type = nearfar::Euclidean;
};
struct SquaredEuclideanKernel {
  static constexpr const char* name = "squared_euclidean";
  using Type = nearfar::SquaredEuclidean;
};
struct CosineKernel {
  static constexpr const char* name = "cosine";
  using Type = nearfar::Cosine;
};
struct InnerProductKernel {
  static constexpr const char* name = "inner_product";
  using Type = nearfar::InnerProduct;
};

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
  return with_kernel<S, EuclideanKernel, SquaredEuclideanKernel>(c, [&]<class K>(const K&) {
    const nearfar::HadsellContrastive<S, K> loss(options);
    out.loss = loss.forward_backward(a, b, same, out.gradients["a"], out.gradients["b"]).value;
    return out;
  });
}

template <class S>
Computed<S> hadsell_labels(Case& c) {
  const nearfar::HadsellOptions options{.margin = c.number("margin"), .reduction = c.reduction()};
  const auto x = c.matrix<S>("x");
  const auto labels = c.labels("labels");
  return with_kernel<S, EuclideanKernel, SquaredEuclideanKernel>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const nearfar::HadsellContrastive<S, K> loss(options);
    out.loss = loss.forward_backward(x, labels, out.gradients["x"]).value;
    return out;
  });
}

template <class S>
Computed<S> info_nce(Case& c) {
  const bool learnt = c.has_input("temperature");
  const nearfar::InfoNceOptions options{
      .temperature = learnt ? c.input_number("temperature") : c.number("temperature"),
      .reduction = c.reduction()};
  const auto queries = c.matrix<S>("queries");
  const auto keys = c.matrix<S>("keys");
  return with_kernel<S, CosineKernel, InnerProductKernel, SquaredEuclideanKernel, EuclideanKernel>(
      c, [&]<class K>(const K&) {
        Computed<S> out;
        const nearfar::InfoNce<S, K> loss(options);
        const auto result =
            loss.forward_backward(queries, keys, out.gradients["queries"], out.gradients["keys"]);
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
  const auto negatives = c.matrix<S>("negatives");
  return with_kernel<S, CosineKernel, InnerProductKernel, SquaredEuclideanKernel, EuclideanKernel>(
      c, [&]<class K>(const K&) {
        Computed<S> out;
        const nearfar::InfoNce<S, K> loss(options);
        out.loss = loss.forward_backward(queries, keys, negatives, out.gradients["queries"],
                                         out.gradients["keys"], out.gradients["negatives"])
                       .value;
        return out;
      });
}

/// In-batch InfoNCE of contexts against targets under a bilinear score: one step of CPC.
/// The case is one step and one time: sequences of two positions whose other rows count for
/// nothing.
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
  const auto view1 = c.matrix<S>("view1");
  const auto view2 = c.matrix<S>("view2");
  return with_kernel<S, CosineKernel, InnerProductKernel>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss = nearfar::NtXent<S, K>(options)
                   .forward_backward(view1, view2, out.gradients["view1"], out.gradients["view2"])
                   .value;
    return out;
  });
}

template <class S>
Computed<S> clip(Case& c) {
  const nearfar::ClipOptions options{.logit_scale = c.input_number("logit_scale"),
                                     .reduction = c.reduction()};
  const auto image = c.matrix<S>("image");
  const auto text = c.matrix<S>("text");
  return with_kernel<S, CosineKernel, InnerProductKernel>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const auto result = nearfar::Clip<S, K>(options).forward_backward(
        image, text, out.gradients["image"], out.gradients["text"]);
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
  const auto image = c.matrix<S>("image");
  const auto text = c.matrix<S>("text");
  return with_kernel<S, CosineKernel, InnerProductKernel>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const auto result = nearfar::SigLip<S, K>(options).forward_backward(
        image, text, out.gradients["image"], out.gradients["text"]);
    out.loss = result.value;
    out.gradients["logit_scale"] = as_matrix<S>(result.d_logit_scale);
    out.gradients["logit_bias"] = as_matrix<S>(result.d_logit_bias);
    return out;
  });
}

template <class S>
Computed<S> sup_con(Case& c) {
  const nearfar::SupConOptions options{.temperature = c.number("temperature"),
                                       .reduction = c.reduction()};
  const auto x = c.matrix<S>("x");
  const auto labels = c.labels("labels");
  return with_kernel<S, CosineKernel, InnerProductKernel>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss = nearfar::SupCon<S, K>(options).forward_backward(x, labels, out.gradients["x"]).value;
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
  return with_kernel<S, CosineKernel, InnerProductKernel>(c, [&]<class K>(const K&) {
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
  return with_kernel<S, CosineKernel, InnerProductKernel>(c, [&]<class K>(const K&) {
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
  return with_kernel<S, CosineKernel, InnerProductKernel, SquaredEuclideanKernel, EuclideanKernel>(
      c, [&]<class K>(const K&) {
        Computed<S> out;
        out.loss = nearfar::Triplet<S, K>(options)
                       .forward_backward(anchors, positives, negatives, out.gradients["anchors"],
                                         out.gradients["positives"], out.gradients["negatives"])
                       .value;
        return out;
      });
}

inline nearfar::Mining mining_of(const std::string& name) {
  static const std::map<std::string, nearfar::Mining> names = {
      {"all", nearfar::Mining::all},
      {"hard", nearfar::Mining::hard},
      {"semihard", nearfar::Mining::semihard},
      {"easy", nearfar::Mining::easy},
      {"batch_hard", nearfar::Mining::batch_hard},
      {"semi_hard_per_pair", nearfar::Mining::semi_hard_per_pair},
  };
  const auto found = names.find(name);
  if (found == names.end()) throw std::runtime_error("unknown mining " + name);
  return found->second;
}

template <class S>
Computed<S> triplet_labels(Case& c) {
  const bool soft = c.has_option("soft_margin") && c.flag("soft_margin");
  const nearfar::MinedTripletOptions options{
      .margin = c.number("margin"),
      .form = soft ? nearfar::TripletForm::soft : nearfar::TripletForm::hinge,
      .mining = mining_of(c.word("mining")),
      .reduction = c.reduction()};
  const auto x = c.matrix<S>("x");
  const auto labels = c.labels("labels");
  return with_kernel<S, CosineKernel, InnerProductKernel, SquaredEuclideanKernel, EuclideanKernel>(
      c, [&]<class K>(const K&) {
        Computed<S> out;
        out.loss = nearfar::MinedTriplet<S, K>(options)
                       .forward_backward(x, labels, out.gradients["x"])
                       .value;
        return out;
      });
}

/// A loss over labels, of type Loss<S, K>, under any of the kernels.
template <class S, template <class, class> class Loss, class... Kernels, class Options>
Computed<S> over_labels(Case& c, const Options& options) {
  const auto x = c.matrix<S>("x");
  const auto labels = c.labels("labels");
  return with_kernel<S, Kernels...>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss = Loss<S, K>(options).forward_backward(x, labels, out.gradients["x"]).value;
    return out;
  });
}

template <class S>
Computed<S> linear_contrastive(Case& c) {
  return over_labels<S, nearfar::LinearContrastive, EuclideanKernel, SquaredEuclideanKernel,
                     CosineKernel>(
      c, nearfar::LinearContrastiveOptions{.positive_margin = c.number("positive_margin"),
                                           .negative_margin = c.number("negative_margin"),
                                           .reduction = c.reduction()});
}

template <class S>
Computed<S> multi_similarity(Case& c) {
  return over_labels<S, nearfar::MultiSimilarity, CosineKernel, InnerProductKernel>(
      c, nearfar::MultiSimilarityOptions{.alpha = c.number("alpha"),
                                         .beta = c.number("beta"),
                                         .base = c.number("base"),
                                         .reduction = c.reduction()});
}

template <class S>
Computed<S> circle(Case& c) {
  return over_labels<S, nearfar::Circle, CosineKernel, InnerProductKernel>(
      c, nearfar::CircleOptions{
             .m = c.number("m"), .gamma = c.number("gamma"), .reduction = c.reduction()});
}

template <class S>
Computed<S> n_pair(Case& c) {
  const auto anchors = c.matrix<S>("anchors");
  const auto positives = c.matrix<S>("positives");
  const nearfar::NPair<S> loss({.reduction = c.reduction()});
  return with_kernel<S, InnerProductKernel>(c, [&](const nearfar::InnerProduct&) {
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
  return with_kernel<S, SquaredEuclideanKernel>(c, [&]<class K>(const K&) {
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

template <class S>
const std::map<std::string, Runner<S>>& runners() {
  static const std::map<std::string, Runner<S>> all = {
      {"hadsell_contrastive", hadsell_pairs<S>},
      {"hadsell_contrastive_labels", hadsell_labels<S>},
      {"info_nce", info_nce<S>},
      {"info_nce_negatives", info_nce_negatives<S>},
      {"cpc", cpc<S>},
      {"nce", nce<S>},
      {"negative_sampling", negative_sampling<S>},
      {"nt_xent", nt_xent<S, nearfar::Denominator::with_positive>},
      {"clip", clip<S>},
      {"siglip", siglip<S>},
      {"sup_con", sup_con<S>},
      {"triplet", triplet<S>},
      {"triplet_labels", triplet_labels<S>},
      {"linear_contrastive_labels", linear_contrastive<S>},
      {"multi_similarity", multi_similarity<S>},
      {"circle", circle<S>},
      {"dcl", nt_xent<S, nearfar::Denominator::negatives_only>},
      {"n_pair", n_pair<S>},
      {"alignment", alignment<S>},
      {"uniformity", uniformity<S>},
      {"club", club<S>},
  };
  return all;
}

}  // namespace golden
