#pragma once

#include <string>
#include <utility>
#include <vector>

#include "support/public_call.hpp"

/// \file
/// Every public call of every loss behind one signature: what is refused of one is refused of all,
/// in the same words. Options are not the defaults, so that each of them is seen.

namespace support {

// Families of losses, each with its default kernel, and with one that has a matrix where it takes
// any.

template <class S>
void add_info_nce(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto info_nce = [&]<class K>(const std::string& of, Denominator denominator) {
    const auto make = [denominator](const A& a) {
      return InfoNce<S, K>({.temperature = 0.3 + a.moved[0],
                            .denominator = denominator,
                            .reduction = a.reduction,
                            .unusable_anchors = a.unusable},
                           kernel_of<K>(a.parameter));
    };
    all.template two<K>("InfoNce" + of, {"queries", n}, {"keys", n + 1, Fit::at_least}, make)
        .unusable = "without a negative";
    all.template three<K>("InfoNce with negatives" + of, {"queries", n}, {"keys", n},
                          {"negatives", n + 2, Fit::free}, make);
    all.template add<K>("InfoNce with own negatives" + of,
                        {{"queries", n}, {"keys", n}, {"negatives", 2 * n, Fit::free}}, {},
                        [=](Way way, const A& x) {
                          return call_one_way<3>(make(x), way, x, x.rows[0], x.rows[1],
                                                 per_query(x.rows[2]));
                        });
    all.template add<K>("InfoNce with positives" + of, {{"queries", n}, {"keys", n - 1, Fit::free}},
                        {{"positives", n}}, [=](Way way, const A& x) {
                          return call_one_way<2>(make(x), way, x, x.rows[0], x.rows[1],
                                                 Labels(x.labels[0]));
                        });
  };
  info_nce.template operator()<Cosine>("", Denominator::with_positive);
  info_nce.template operator()<Cosine>(", decoupled", Denominator::negatives_only);
  info_nce.template operator()<Bilinear<S>>(" of Bilinear", Denominator::with_positive);
}

template <class S>
void add_two_views(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto of_views = [&]<class K>(const std::string& name, const auto& make) {
    auto& call = all.template two<K>(name, {"view1", n}, {"view2", n}, make);
    call.upstream_rows = 2 * n;
    call.unusable = "2 anchors without a negative";
  };
  const auto nt_xent = [&]<class K>(const std::string& of, Denominator denominator) {
    of_views.template operator()<K>("NtXent" + of, [denominator](const A& a) {
      return NtXent<S, K>({.temperature = 0.3 + a.moved[0],
                           .denominator = denominator,
                           .reduction = a.reduction,
                           .unusable_anchors = a.unusable},
                          kernel_of<K>(a.parameter));
    });
  };
  nt_xent.template operator()<Cosine>("", Denominator::with_positive);
  nt_xent.template operator()<Cosine>(", decoupled", Denominator::negatives_only);
  nt_xent.template operator()<Mahalanobis<S>>(" of Mahalanobis", Denominator::with_positive);

  // With the second prior most rows are held by the floor.
  for (const double prior : {0.1, 0.9}) {
    of_views.template operator()<Cosine>("HardNegative", [prior](const A& a) {
      return HardNegative<S>({.temperature = 0.4 + a.moved[0],
                              .positive_prior = prior,
                              .concentration = 0.7,
                              .reduction = a.reduction,
                              .unusable_anchors = a.unusable});
    });
  }
}

template <class S>
void add_pairs_and_noise(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto pairs = [&]<class K>(const std::string& of) {
    for (const ClipDirections directions : {ClipDirections::mean, ClipDirections::sum}) {
      all.template two<K>("Clip" + of, {"images", n}, {"texts", n},
                          [directions](const A& a) {
                            return Clip<S, K>({.logit_scale = 3 + a.moved[0],
                                               .directions = directions,
                                               .reduction = a.reduction,
                                               .unusable_anchors = a.unusable},
                                              kernel_of<K>(a.parameter));
                          })
          .unusable = "1 anchors without a negative";
    }
    all.template two<K>("SigLip" + of, {"images", n}, {"texts", n}, [](const A& a) {
      return SigLip<S, K>(
          {.logit_scale = 3 + a.moved[0], .logit_bias = -1 + a.moved[1], .reduction = a.reduction},
          kernel_of<K>(a.parameter));
    });
    const NamedSet negatives{"negatives", n + 2, Fit::free};
    const auto sampling = [](const A& a) {
      return NegativeSampling<S, K>({.temperature = 0.6 + a.moved[0], .reduction = a.reduction},
                                    kernel_of<K>(a.parameter));
    };
    all.template three<K>("NegativeSampling" + of, {"queries", n}, {"keys", n}, negatives,
                          sampling);
    auto& nce = all.template add<K>("Nce" + of, {{"queries", n}, {"keys", n}, negatives}, {},
                                    [](Way way, const A& x) {
                                      const Nce<S, K> loss({.temperature = 0.6 + x.moved[0],
                                                            .log_z = 0.4 + x.moved[1],
                                                            .reduction = x.reduction},
                                                           kernel_of<K>(x.parameter));
                                      return call_one_way<3>(loss, way, x, x.rows[0], x.rows[1],
                                                             x.rows[2], x.numbers[0], x.numbers[1]);
                                    });
    nce.numbers = {{"log_noise_keys", n}, {"log_noise_negatives", n + 2}};
    nce.good.numbers = {std::vector<S>(n, S(-2)), std::vector<S>(n + 2, S(-2))};
  };
  pairs.template operator()<Cosine>("");
  pairs.template operator()<Bilinear<S>>(" of Bilinear");
}

template <class S>
void add_triplets(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto triplet = [&]<class K>(const std::string& of) {
    for (const TripletForm form : {TripletForm::hinge, TripletForm::soft}) {
      for (const bool swap : {false, true}) {
        if (swap && !is_symmetric<K>()) continue;
        all.template three<K>(
            "Triplet" + of, {"anchors", n}, {"positives", n}, {"negatives", n},
            [form, swap](const A& a) {
              return Triplet<S, K>(
                  {.margin = 0.3, .form = form, .swap = swap, .reduction = a.reduction},
                  kernel_of<K>(a.parameter));
            });
      }
    }
    for (const auto bound :
         {MutualInformationBound::info_nce, MutualInformationBound::nwj,
          MutualInformationBound::donsker_varadhan, MutualInformationBound::club}) {
      all.template two<K>("MutualInformation" + of, {"x", n}, {"y", n},
                          [bound](const A& a) {
                            return MutualInformation<S, K>(
                                {.bound = bound, .temperature = 0.6 + a.moved[0]},
                                kernel_of<K>(a.parameter));
                          })
          .reduces = false;
    }
  };
  triplet.template operator()<Euclidean>("");
  triplet.template operator()<Bilinear<S>>(" of Bilinear");
}

template <class S>
void add_label_losses(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto over_labels = [&]<class K>(const std::string& of) {
    for (const SupConVariant variant : {SupConVariant::out, SupConVariant::in}) {
      all.template labelled<K>("SupCon" + of, "1 anchors without a positive",
                               [variant](const A& a) {
                                 return SupCon<S, K>({.temperature = 0.4 + a.moved[0],
                                                      .variant = variant,
                                                      .reduction = a.reduction,
                                                      .unusable_anchors = a.unusable},
                                                     kernel_of<K>(a.parameter));
                               });
    }
    all.template labelled<K>("LinearContrastive" + of, "1 anchors without any other row",
                             [](const A& a) {
                               return LinearContrastive<S, K>({.positive_margin = 0.5,
                                                               .negative_margin = 1.5,
                                                               .reduction = a.reduction,
                                                               .unusable_anchors = a.unusable},
                                                              kernel_of<K>(a.parameter));
                             });
    all.template labelled<K>(
        "LiftedStructure" + of, "1 anchors without a positive or a negative", [](const A& a) {
          return LiftedStructure<S, K>({.reduction = a.reduction, .unusable_anchors = a.unusable},
                                       kernel_of<K>(a.parameter));
        });
  };
  over_labels.template operator()<Euclidean>("");
  over_labels.template operator()<Mahalanobis<S>>(" of Mahalanobis");
  over_labels.template operator()<InnerProduct>(" of InnerProduct");
}

template <class S>
void add_mined(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto mined = [&]<class K>(const std::string& of) {
    const auto add = [&](const MinedTripletOptions& options) {
      all.template labelled<K>(
          "MinedTriplet " + std::to_string(static_cast<int>(options.mining)) + of,
          "1 anchors without a positive or a negative", [options](const A& a) {
            MinedTripletOptions own = options;
            own.reduction = a.reduction;
            own.unusable_anchors = a.unusable;
            return MinedTriplet<S, K>(own, kernel_of<K>(a.parameter));
          });
    };
    for (const Mining mining :
         {Mining::all, Mining::hard, Mining::semihard, Mining::easy, Mining::batch_hard,
          Mining::batch_easy_hard, Mining::semi_hard_per_pair, Mining::distance_weighted}) {
      for (const TripletForm form : {TripletForm::hinge, TripletForm::soft}) {
        add({.margin = 0.3, .form = form, .mining = mining});
      }
    }
    for (const auto& [positive, negative] :
         {std::pair(PositiveChoice::semihard, NegativeChoice::hard),
          std::pair(PositiveChoice::hard, NegativeChoice::easy)}) {
      add({.mining = Mining::batch_easy_hard, .positive = positive, .negative = negative});
    }
  };
  mined.template operator()<Euclidean>("");
  mined.template operator()<Mahalanobis<S>>(" of Mahalanobis");
  mined.template operator()<Cosine>(" of Cosine");
}

template <class S>
void add_hadsell(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto hadsell = [&]<class K>(const std::string& of) {
    const auto make = [](const A& a) {
      return HadsellContrastive<S, K>(
          {.margin = 1.3, .reduction = a.reduction, .unusable_anchors = a.unusable},
          kernel_of<K>(a.parameter));
    };
    all.template labelled<K>("HadsellContrastive" + of, "1 anchors without another row", make);
    all.template add<K>("HadsellContrastive of pairs" + of, {{"a", n}, {"b", n}}, {{"same", n}},
                        [=](Way way, const A& x) {
                          return call_one_way<2>(make(x), way, x, x.rows[0], x.rows[1],
                                                 Labels(x.labels[0]));
                        });
  };
  hadsell.template operator()<Euclidean>("");
  hadsell.template operator()<Mahalanobis<S>>(" of Mahalanobis");
}

template <class S>
void add_others(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  all.template labelled<Cosine>("MultiSimilarity", "1 anchors without any other row",
                                [](const A& a) {
                                  return MultiSimilarity<S>({.alpha = 2,
                                                             .beta = 5,
                                                             .base = 0.3,
                                                             .reduction = a.reduction,
                                                             .unusable_anchors = a.unusable});
                                });
  all.template labelled<Cosine>("Circle", "1 anchors without a positive or a negative",
                                [](const A& a) {
                                  return Circle<S>({.m = 0.3,
                                                    .gamma = 4,
                                                    .weights = CircleWeights::differentiated,
                                                    .reduction = a.reduction,
                                                    .unusable_anchors = a.unusable});
                                });
  all.template two<Cosine>("Alignment", {"x", n}, {"y", n}, [](const A& a) {
    return Alignment<S>({.alpha = 1.5, .reduction = a.reduction});
  });
  all.template two<InnerProduct>("NPair", {"queries", n}, {"keys", n, Fit::at_least},
                                 [](const A& a) { return NPair<S>(a.reduction); });
  // The second Gaussian is so narrow that only the nearest pairs count.
  for (const double t : {2.0, 500.0}) {
    all.template add<Cosine>("Uniformity", {{"x", n}}, {},
                             [t](Way way, const A& x) {
                               return call_one_way<1>(Uniformity<S>({.t = t}), way, x, x.rows[0]);
                             })
        .reduces = false;
  }
}

template <class S>
std::vector<PublicCall<S>> all_public_calls() {
  PublicCalls<S> all;
  add_info_nce(all);
  add_two_views(all);
  add_pairs_and_noise(all);
  add_triplets(all);
  add_label_losses(all);
  add_mined(all);
  add_hadsell(all);
  add_others(all);
  return std::move(all.list);
}

}  // namespace support
