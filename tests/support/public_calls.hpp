#pragma once

#include <functional>
#include <nearfar/nearfar.hpp>
#include <string>
#include <utility>
#include <vector>

#include "support/random.hpp"

/// \file
/// Every public call of every loss behind one signature, under the names its arguments have: what
/// is refused of one is refused of all, in the same words.

namespace support {

enum class Way { forward, forward_backward, backward };

/// What a call is given.
template <class S>
struct Arguments {
  std::vector<Matrix<S>> rows;
  Matrix<S> parameter;  ///< the kernel's matrix, when it has one
  std::vector<std::vector<int>> labels;
  std::vector<std::vector<S>> numbers;
  std::vector<nearfar::GradientRows<S>> gradients;  ///< one a set of rows
  nearfar::CallOptions<S> options = {};
  nearfar::Upstream upstream{1.0};
  nearfar::Reduction reduction = nearfar::Reduction::mean;
  nearfar::UnusableAnchor unusable = nearfar::UnusableAnchor::skip;
};

/// How many rows a set may have.
enum class Fit {
  first,     ///< the first set: others are measured by it
  equal,     ///< as many as the first
  at_least,  ///< as many as the first or more
  free
};

/// A set of rows as a call knows it.
struct NamedSet {
  const char* name;
  Index rows;
  Fit fit = Fit::equal;
};

/// Labels or numbers, one a row of a set.
struct NamedColumn {
  const char* name;
  Index size;
};

template <class S>
struct PublicCall {
  std::string name;
  std::vector<NamedSet> sets;
  std::vector<NamedColumn> labels;
  std::vector<NamedColumn> numbers;
  Arguments<S> good;        ///< arguments that the call takes, without gradients
  bool parametric = false;  ///< the kernel has a matrix
  bool reduces = true;      ///< has a Reduction
  Index upstream_rows = 0;  ///< numbers of upstream with Reduction::none
  /// Rows of every set and what the message says of them where anchors may be unusable.
  const char* unusable = nullptr;
  /// Gives numbers_of what the call returns.
  std::function<std::vector<double>(Way, const Arguments<S>&)> call;

  /// The name of a set's gradient: dx, da, but d_queries.
  std::string gradient_name(std::size_t k) const {
    const std::string of = sets[k].name;
    return (of.size() == 1 ? "d" : "d_") + of;
  }
};

/// Everything a call returns, the value first.
template <class Result>
std::vector<double> numbers_of(const Result& r) {
  const nearfar::Diagnostics& d = r.diagnostics;
  std::vector<double> out = {r.value};
  out.insert(out.end(), r.values.begin(), r.values.end());
  for (const std::int64_t count :
       {d.anchors, d.anchors_without_positive, d.anchors_without_negative, d.terms, d.active_terms,
        d.zero_distances}) {
    out.push_back(static_cast<double>(count));
  }
  out.push_back(d.smallest_score);
  out.push_back(d.largest_score);
  if constexpr (requires { r.d_temperature; }) out.push_back(r.d_temperature);
  if constexpr (requires { r.d_logit_scale; }) out.push_back(r.d_logit_scale);
  if constexpr (requires { r.d_logit_bias; }) out.push_back(r.d_logit_bias);
  if constexpr (requires { r.d_log_z; }) out.push_back(r.d_log_z);
  if constexpr (requires { r.ceiling; }) out.push_back(r.ceiling);
  if constexpr (requires { r.hard_triplets; }) {
    for (const std::int64_t count : {r.hard_triplets, r.semihard_triplets, r.easy_triplets}) {
      out.push_back(static_cast<double>(count));
    }
  }
  if constexpr (requires { r.positive_pairs; }) {
    for (const std::int64_t count :
         {r.positive_pairs, r.negative_pairs, r.active_positive_pairs, r.active_negative_pairs}) {
      out.push_back(static_cast<double>(count));
    }
  }
  return out;
}

/// Calls `loss` one way or another; the first `sets` gradients are those of its sets of rows.
template <std::size_t sets, class S, class Loss, class... Inputs>
std::vector<double> call_one_way(const Loss& loss, Way way, const Arguments<S>& a,
                                 const Inputs&... inputs) {
  if (way == Way::forward) return numbers_of(loss.forward(inputs..., a.options));
  return [&]<std::size_t... k>(std::index_sequence<k...>) {
    return way == Way::forward_backward
               ? numbers_of(loss.forward_backward(inputs..., a.gradients[k]..., a.options))
               : numbers_of(loss.backward(a.upstream, inputs..., a.gradients[k]..., a.options));
  }
  (std::make_index_sequence<sets>());
}

template <class K, class S>
K kernel_for(const Arguments<S>& a) {
  if constexpr (nearfar::ParametricKernel<K>) {
    return K(a.parameter);
  } else {
    return K();
  }
}

template <class S>
class PublicCalls {
 public:
  static constexpr Index rows = 5;
  static constexpr Index cols = 4;

  std::vector<PublicCall<S>> list;

  /// `call(way, arguments)` makes one call.
  template <class K, class Call>
  PublicCall<S>& add(std::string name, std::vector<NamedSet> sets, std::vector<NamedColumn> labels,
                     const Call& call) {
    PublicCall<S> out;
    out.name = std::move(name);
    out.sets = std::move(sets);
    out.labels = std::move(labels);
    out.parametric = nearfar::ParametricKernel<K>;
    out.upstream_rows = out.sets[0].rows;
    for (std::size_t k = 0; k < out.sets.size(); ++k) {
      out.good.rows.push_back(random_rows<S>(out.sets[k].rows, cols, 31 + k));
    }
    for (const NamedColumn& column : out.labels) {
      std::vector<int> labels_of;
      for (Index i = 0; i < column.size; ++i) labels_of.push_back(static_cast<int>(i % 2));
      out.good.labels.push_back(labels_of);
    }
    // Square: as good for keys as for queries.
    if (out.parametric) out.good.parameter = random_rows<S>(cols, cols, 41);
    out.call = call;
    list.push_back(std::move(out));
    return list.back();
  }

  /// f(a, b); `make(arguments)` is the loss.
  template <class K, class Make>
  PublicCall<S>& two(const std::string& name, NamedSet a, NamedSet b, const Make& make) {
    return add<K>(name, {a, b}, {}, [=](Way way, const Arguments<S>& x) {
      return call_one_way<2>(make(x), way, x, x.rows[0], x.rows[1]);
    });
  }

  template <class K, class Make>
  PublicCall<S>& three(const std::string& name, NamedSet a, NamedSet b, NamedSet c,
                       const Make& make) {
    return add<K>(name, {a, b, c}, {}, [=](Way way, const Arguments<S>& x) {
      return call_one_way<3>(make(x), way, x, x.rows[0], x.rows[1], x.rows[2]);
    });
  }

  /// Both forms of a loss over labels.
  template <class K, class Make>
  void labelled(const std::string& name, const char* unusable, const Make& make) {
    add<K>(name + ", batch", {{"x", rows}}, {{"labels", rows}},
           [=](Way way, const Arguments<S>& x) {
             return call_one_way<1>(make(x), way, x, x.rows[0], x.labels[0]);
           })
        .unusable = unusable;
    add<K>(name + ", references", {{"queries", rows}, {"references", rows + 1, Fit::free}},
           {{"query_labels", rows}, {"reference_labels", rows + 1}},
           [=](Way way, const Arguments<S>& x) {
             return call_one_way<2>(make(x), way, x, x.rows[0], x.labels[0], x.rows[1],
                                    x.labels[1]);
           });
  }
};

// Families of losses, each with its default kernel, and with one that has a matrix where it takes
// any.

template <class S>
void add_choices(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto info_nce = [&]<class K>(const std::string& of) {
    const auto make = [](const A& a) {
      return InfoNce<S, K>({.reduction = a.reduction, .unusable_anchors = a.unusable},
                           kernel_for<K>(a));
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
  info_nce.template operator()<Cosine>("");
  info_nce.template operator()<Bilinear<S>>(" of Bilinear");
}

template <class S>
void add_views(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto nt_xent = [&]<class K>(const std::string& of) {
    auto& call = all.template two<K>("NtXent" + of, {"view1", n}, {"view2", n}, [](const A& a) {
      return NtXent<S, K>({.reduction = a.reduction, .unusable_anchors = a.unusable},
                          kernel_for<K>(a));
    });
    call.upstream_rows = 2 * n;
    call.unusable = "2 anchors without a negative";
  };
  nt_xent.template operator()<Cosine>("");
  nt_xent.template operator()<Mahalanobis<S>>(" of Mahalanobis");

  auto& hard = all.template two<Cosine>("HardNegative", {"view1", n}, {"view2", n}, [](const A& a) {
    return HardNegative<S>({.reduction = a.reduction, .unusable_anchors = a.unusable});
  });
  hard.upstream_rows = 2 * n;
  hard.unusable = "2 anchors without a negative";
}

template <class S>
void add_questions(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto pairs = [&]<class K>(const std::string& of) {
    all.template two<K>("Clip" + of, {"images", n}, {"texts", n},
                        [](const A& a) {
                          return Clip<S, K>(
                              {.reduction = a.reduction, .unusable_anchors = a.unusable},
                              kernel_for<K>(a));
                        })
        .unusable = "1 anchors without a negative";
    all.template two<K>("SigLip" + of, {"images", n}, {"texts", n}, [](const A& a) {
      return SigLip<S, K>({.reduction = a.reduction}, kernel_for<K>(a));
    });
    const NamedSet negatives{"negatives", n + 2, Fit::free};
    const auto sampling = [](const A& a) {
      return NegativeSampling<S, K>({.reduction = a.reduction}, kernel_for<K>(a));
    };
    all.template three<K>("NegativeSampling" + of, {"queries", n}, {"keys", n}, negatives,
                          sampling);
    auto& nce = all.template add<K>(
        "Nce" + of, {{"queries", n}, {"keys", n}, negatives}, {}, [](Way way, const A& x) {
          const Nce<S, K> loss({.reduction = x.reduction}, kernel_for<K>(x));
          return call_one_way<3>(loss, way, x, x.rows[0], x.rows[1], x.rows[2], x.numbers[0],
                                 x.numbers[1]);
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
        if (swap && detail::maps_queries<K>() != detail::maps_keys<K>()) continue;
        all.template three<K>(
            "Triplet" + of, {"anchors", n}, {"positives", n}, {"negatives", n},
            [form, swap](const A& a) {
              return Triplet<S, K>(
                  {.margin = 0.3, .form = form, .swap = swap, .reduction = a.reduction},
                  kernel_for<K>(a));
            });
      }
    }
    for (const auto bound :
         {MutualInformationBound::info_nce, MutualInformationBound::nwj,
          MutualInformationBound::donsker_varadhan, MutualInformationBound::club}) {
      all.template two<K>("MutualInformation" + of, {"x", n}, {"y", n},
                          [bound](const A& a) {
                            return MutualInformation<S, K>({.bound = bound, .temperature = 0.6},
                                                           kernel_for<K>(a));
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
    all.template labelled<K>("SupCon" + of, "1 anchors without a positive", [](const A& a) {
      return SupCon<S, K>({.reduction = a.reduction, .unusable_anchors = a.unusable},
                          kernel_for<K>(a));
    });
    all.template labelled<K>(
        "LinearContrastive" + of, "1 anchors without any other row", [](const A& a) {
          return LinearContrastive<S, K>({.reduction = a.reduction, .unusable_anchors = a.unusable},
                                         kernel_for<K>(a));
        });
    all.template labelled<K>(
        "LiftedStructure" + of, "1 anchors without a positive or a negative", [](const A& a) {
          return LiftedStructure<S, K>({.reduction = a.reduction, .unusable_anchors = a.unusable},
                                       kernel_for<K>(a));
        });
    for (const Mining mining : {Mining::all, Mining::batch_hard, Mining::distance_weighted}) {
      all.template labelled<K>(
          "MinedTriplet " + std::to_string(static_cast<int>(mining)) + of,
          "1 anchors without a positive or a negative", [mining](const A& a) {
            return MinedTriplet<S, K>(
                {.mining = mining, .reduction = a.reduction, .unusable_anchors = a.unusable},
                kernel_for<K>(a));
          });
    }
  };
  over_labels.template operator()<Euclidean>("");
  over_labels.template operator()<Mahalanobis<S>>(" of Mahalanobis");
}

template <class S>
void add_hadsell(PublicCalls<S>& all) {
  using namespace nearfar;
  namespace detail = nearfar::detail;
  using A = Arguments<S>;
  [[maybe_unused]] constexpr Index n = PublicCalls<S>::rows;
  const auto hadsell = [&]<class K>(const std::string& of) {
    const auto make = [](const A& a) {
      return HadsellContrastive<S, K>({.reduction = a.reduction, .unusable_anchors = a.unusable},
                                      kernel_for<K>(a));
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
  all.template labelled<Cosine>(
      "MultiSimilarity", "1 anchors without any other row", [](const A& a) {
        return MultiSimilarity<S>({.reduction = a.reduction, .unusable_anchors = a.unusable});
      });
  all.template labelled<Cosine>(
      "Circle", "1 anchors without a positive or a negative", [](const A& a) {
        return Circle<S>({.reduction = a.reduction, .unusable_anchors = a.unusable});
      });
  all.template two<Cosine>("Alignment", {"x", n}, {"y", n},
                           [](const A& a) { return Alignment<S>({.reduction = a.reduction}); });
  all.template two<InnerProduct>("NPair", {"queries", n}, {"keys", n, Fit::at_least},
                                 [](const A& a) { return NPair<S>(a.reduction); });
  all.template add<Cosine>(
         "Uniformity", {{"x", n}}, {},
         [](Way way, const A& x) { return call_one_way<1>(Uniformity<S>(), way, x, x.rows[0]); })
      .reduces = false;
}

template <class S>
std::vector<PublicCall<S>> all_public_calls() {
  PublicCalls<S> all;
  add_choices(all);
  add_views(all);
  add_questions(all);
  add_triplets(all);
  add_label_losses(all);
  add_hadsell(all);
  add_others(all);
  return std::move(all.list);
}

}  // namespace support
