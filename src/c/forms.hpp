#pragma once

#include <tuple>
#include <utility>

#include "settings.hpp"

/// \file
/// Losses by the arguments of their calls. A form says how a call's sets of rows, and what else it
/// is given, become the arguments of the class; `evaluate` of LossOf does the rest.

namespace nearfar::detail::c {

using registered::Takes;

/// The sets of rows and nothing else.
inline constexpr auto rows_alone = [](const auto& rows) { return std::tuple_cat(rows); };

template <class Line, class C>
class ClassLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void labelled(const Labelled& in, Pass& pass) const override {
    const Targets targets = targets_of("targets", in.targets);
    this->evaluate(pass, in.sets, [&](const auto& rows) { return std::tuple(rows[0], targets); });
  }
};

/// Also of queries with references, and of those with boundaries of classes for the loss that has
/// them.
template <class Line, class C>
class LabelLoss : public ClassLoss<Line, C> {
 public:
  using ClassLoss<Line, C>::ClassLoss;

  void references(const WithReferences& in, Pass& pass) const override {
    const Targets of_queries = targets_of("query_targets", in.query_targets);
    const Targets of_references = targets_of("reference_targets", in.reference_targets);
    this->evaluate(pass, in.sets, [&](const auto& rows) {
      return std::tuple(rows[0], of_queries, rows[1], of_references);
    });
  }

  void boundaries(const WithBoundaries& in, Pass& pass) const override {
    constexpr bool takes_boundaries = requires(typename Line::template Loss<float> loss) {
      loss.forward(Rows<float>(), Targets(), Rows<float>());
    };
    if constexpr (!takes_boundaries) {
      ClassLoss<Line, C>::boundaries(in, pass);
    } else {
      const Targets targets = targets_of("targets", in.targets);
      if (in.references.rows == nullptr) {
        this->refuse_without_references("d_references", in.references.gradient, "a gradient");
        this->refuse_without_references("reference_targets", in.reference_targets, "targets");
        this->evaluate(pass, std::array{in.x, in.betas},
                       [&](const auto& rows) { return std::tuple(rows[0], targets, rows[1]); });
        return;
      }
      const Targets of_references =
          targets_of("reference_targets", required("reference_targets", in.reference_targets));
      this->evaluate(pass, std::array{in.x, in.references, in.betas}, [&](const auto& rows) {
        return std::tuple(rows[0], targets, rows[1], of_references, rows[2]);
      });
    }
  }
};

/// Pairs that are given, similar or not: adds the form to Base.
template <class Line, class Base>
class WithMatchedPairs : public Base {
 public:
  using Base::Base;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    const Labels same = labels_of("match", required("match", in.match));
    this->evaluate(pass, in.sets,
                   [&](const auto& rows) { return std::tuple(rows[0], rows[1], same); });
  }
};

inline PairList pair_list_of(const std::string& name, const nearfar_pair_list& given) {
  return {labels_of(name + ".first", given.first), labels_of(name + ".second", given.second)};
}

inline TripletList triplet_list_of(const nearfar_triplet_list& given) {
  return {labels_of("triplets.anchors", given.anchors),
          labels_of("triplets.positives", given.positives),
          labels_of("triplets.negatives", given.negatives)};
}

/// Pairs of rows by number, for losses that take these: adds the form to Base.
template <class Line, class Base>
class WithPairLists : public Base {
 public:
  using Base::Base;

  void listed_pairs(const ListedPairs& in, Pass& pass) const override {
    constexpr bool takes_lists = requires(typename Line::template Loss<float> loss) {
      loss.forward(Rows<float>(), PairList(), PairList());
    };
    if constexpr (!takes_lists) {
      Base::listed_pairs(in, pass);
    } else {
      const PairList positives = pair_list_of("positive_pairs", in.positives);
      const PairList negatives = pair_list_of("negative_pairs", in.negatives);
      this->over_lists(pass, in.x, in.references, positives.first.size() + negatives.first.size(),
                       positives, negatives);
    }
  }
};

/// Pairs of rows with targets, for losses that take these: adds the form to Base.
template <class Line, class Base>
class WithPairs : public Base {
 public:
  using Base::Base;

  void pairs(const Pairs& in, Pass& pass) const override {
    constexpr bool takes_targets = requires(typename Line::template Loss<float> loss) {
      loss.forward(Rows<float>(), Rows<float>(), Targets());
    };
    if constexpr (!takes_targets) {
      Base::pairs(in, pass);
    } else {
      const Targets targets = targets_of("targets", in.targets);
      this->evaluate(pass, in.sets,
                     [&](const auto& rows) { return std::tuple(rows[0], rows[1], targets); });
    }
  }
};

template <class Line, class C>
class TwoSetLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    if (in.match != nullptr) fail_argument("match", "none for this loss", "integers");
    this->evaluate(pass, in.sets, rows_alone);
  }
};

template <class S>
Negatives<S> negatives_of(const std::string& name, const nearfar_negatives& given,
                          const Rows<S>& rows) {
  if (given.per_query != 0 && given.per_query != 1) {
    fail_argument(name + ".per_query", "0 or 1", std::to_string(given.per_query));
  }
  Negatives<S> out = given.per_query == 1 ? per_query(rows) : Negatives<S>(rows);
  if (given.offsets.data != nullptr) {
    if (given.per_query == 0) fail_argument(name + ".offsets", "none for shared rows", "offsets");
    out = per_query(rows, indices_of(name + ".offsets", given.offsets));
  }
  const Labels ids = labels_of(name + ".ids", given.ids);
  const Labels query_ids = labels_of(name + ".query_ids", given.query_ids);
  if (given.ids.data == nullptr && given.query_ids.data == nullptr) return out;
  return out.ids(ids, query_ids);
}

/// Throws where negatives come with a second set, for losses that take one alone.
inline void refuse_own(const nearfar_negatives& given) {
  if (given.own != nullptr) fail_argument("negatives.own", "none for this loss", "negatives");
  if (given.d_own != nullptr) fail_argument("negatives.d_own", "none for this loss", "a gradient");
}

inline void refuse_log_noise(const nearfar_negatives& given,
                             const std::string& name = "negatives") {
  if (given.log_noise_keys.data == nullptr && given.log_noise_negatives.data == nullptr) return;
  fail_argument(name + ".log_noise", "none for this loss", "numbers");
}

/// Pairs with what else a batch has, for the loss that takes it: adds the form to Base.
template <class Line, class Base>
class WithExtras : public Base {
 public:
  using Base::Base;

  void in_batch(const InBatch& in, Pass& pass) const override {
    constexpr bool takes_extras = requires(typename Line::template Loss<float> loss) {
      loss.forward(Rows<float>(), Rows<float>(), InBatchExtras<float>());
    };
    if constexpr (!takes_extras) {
      Base::in_batch(in, pass);
    } else {
      const Targets targets = in.extras.targets != nullptr
                                  ? targets_of("extras.targets", *in.extras.targets)
                                  : Targets();
      if (in.negatives != nullptr) {
        refuse_own(*in.negatives);
        refuse_log_noise(*in.negatives);
      }
      this->evaluate(pass, in.sets, [&](const auto& rows) {
        return std::tuple(rows[0], rows[1], extras_of(in, rows[2], targets));
      });
    }
  }

 private:
  template <class S>
  static InBatchExtras<S> extras_of(const InBatch& in, const Rows<S>& negatives,
                                    const Targets& targets) {
    const auto rows = [](const char* name, const nearfar_rows* some) {
      return Set{name, some}.template view<S>();
    };
    const auto numbers = [](const char* name, const nearfar_doubles& some) {
      return Numbers<double>(doubles_of(name, some));
    };
    InBatchExtras<S> out;
    if (in.negatives != nullptr)
      out.negatives = negatives_of("negatives", *in.negatives, negatives);
    out.targets = targets;
    out.guide_queries = rows("extras.guide_queries", in.extras.guide_queries);
    out.guide_keys = rows("extras.guide_keys", in.extras.guide_keys);
    out.guide_negatives = rows("extras.guide_negatives", in.extras.guide_negatives);
    out.log_q = numbers("extras.log_q", in.extras.log_q);
    out.log_q_negatives = numbers("extras.log_q_negatives", in.extras.log_q_negatives);
    return out;
  }
};

template <class Line, class C>
class NegativesLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void negatives(const AgainstNegatives& in, Pass& pass) const override {
    refuse_own(in.negatives);
    refuse_log_noise(in.negatives);
    this->evaluate(pass, in.sets, [&](const auto& rows) {
      return std::tuple(rows[0], rows[1], negatives_of("negatives", in.negatives, rows[2]));
    });
  }
};

/// Also with each query's own negatives beside shared ones, of keys alone, of keys whose positives
/// are named, and with ids of queries and of keys.
template <class Line, class C>
class QueryLoss : public NegativesLoss<Line, C> {
 public:
  using NegativesLoss<Line, C>::NegativesLoss;

  void negatives(const AgainstNegatives& in, Pass& pass) const override {
    if (in.own_negatives == nullptr) {
      if (in.negatives.d_own != nullptr) {
        fail_argument("negatives.d_own", "none without negatives.own", "a gradient");
      }
      NegativesLoss<Line, C>::negatives(in, pass);
      return;
    }
    refuse_log_noise(in.negatives);
    refuse_log_noise(*in.own_negatives, "negatives.own");
    this->evaluate(
        pass, std::array{in.sets[0], in.sets[1], in.sets[2], in.own}, [&](const auto& rows) {
          return std::tuple(rows[0], rows[1], negatives_of("negatives", in.negatives, rows[2]),
                            negatives_of("negatives.own", *in.own_negatives, rows[3]));
        });
  }

  void two_sets(const TwoSets& in, Pass& pass) const override {
    if (in.match == nullptr) {
      this->evaluate(pass, in.sets, rows_alone);
      return;
    }
    const Labels match = labels_of("match", *in.match);
    this->evaluate(pass, in.sets,
                   [&](const auto& rows) { return std::tuple(rows[0], rows[1], match); });
  }

  void references(const WithReferences& in, Pass& pass) const override {
    const Targets of_queries = targets_of("query_targets", in.query_targets);
    const Targets of_keys = targets_of("reference_targets", in.reference_targets);
    this->evaluate(pass, in.sets, [&](const auto& rows) {
      return std::tuple(rows[0], rows[1], of_queries, of_keys);
    });
  }
};

template <class Line, class C>
class NoiseLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void negatives(const AgainstNegatives& in, Pass& pass) const override {
    refuse_own(in.negatives);
    this->evaluate(pass, in.sets, [&]<class Views>(const Views& rows) {
      using S = typename Views::value_type::Scalar;
      const Negatives<S> negatives = negatives_of("negatives", in.negatives, rows[2]);
      const Numbers<S> of_keys =
          numbers_of<S>("negatives.log_noise_keys", in.negatives.log_noise_keys);
      const Numbers<S> of_negatives =
          numbers_of<S>("negatives.log_noise_negatives", in.negatives.log_noise_negatives);
      return std::tuple(rows[0], rows[1], negatives, of_keys, of_negatives);
    });
  }
};

/// Rows with a number for each row of the second set.
template <class Line, class C>
class ScoredLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void scored(const Scored& in, Pass& pass) const override {
    this->evaluate(pass, in.sets, [&]<class Views>(const Views& rows) {
      using S = typename Views::value_type::Scalar;
      return std::tuple(rows[0], rows[1], numbers_of<S>("scores", in.scores));
    });
  }
};

template <class Line, class C>
class ScoredTripletLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void scored_triplets(const ScoredTriplets& in, Pass& pass) const override {
    this->evaluate(pass, in.sets, [&]<class Views>(const Views& rows) {
      using S = typename Views::value_type::Scalar;
      return std::tuple(rows[0], rows[1], rows[2], numbers_of<S>("margins", in.margins));
    });
  }
};

template <class Line, class C>
class ProxyLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void proxies(const AgainstProxies& in, Pass& pass) const override {
    const Labels labels = labels_of("labels", in.labels);
    const Labels classes = labels_of("proxies.classes", in.proxies.classes);
    this->evaluate(pass, in.sets, [&]<class Views>(const Views& rows) {
      using S = typename Views::value_type::Scalar;
      Proxies<S> proxies = rows[1];
      if (in.proxies.classes.data != nullptr) proxies = proxies.classes(classes);
      if (in.proxies.margins.data != nullptr) {
        proxies = proxies.margins(numbers_of<S>("proxies.margins", in.proxies.margins));
      }
      return std::tuple(rows[0], labels, proxies);
    });
  }
};

template <class Line, class C>
class ThreeSetLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void three_sets(const ThreeSets& in, Pass& pass) const override {
    this->evaluate(pass, in.sets, rows_alone);
  }

  void listed_triplets(const ListedTriplets& in, Pass& pass) const override {
    if constexpr (Line::takes != Takes::triplets) {
      LossOf<Line, C>::listed_triplets(in, pass);
    } else {
      const TripletList triplets = triplet_list_of(in.triplets);
      this->over_lists(pass, in.x, in.references, triplets.anchors.size(), triplets);
    }
  }
};

template <class Line, class C>
class OneSetLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void one_set(const OneSet& in, Pass& pass) const override {
    this->evaluate(pass, in.sets, rows_alone);
  }
};

/// Of rows and slices, which have no gradient.
template <class Line, class C>
class SliceLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    if (in.match != nullptr) fail_argument("match", "none for this loss", "integers");
    if (in.sets[1].gradient != nullptr) {
      fail_argument("dy", "none, as slices have no gradient", "a gradient");
    }
    this->template evaluate_with<1>(pass, in.sets, rows_alone);
  }
};

template <class Line, class C>
class PredictionLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void predictions(const Predictions& in, Pass& pass) const override {
    this->template evaluate_with<2>(pass, in.sets, rows_alone);
  }
};

template <class Line, class C>
class TokenLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void tokens(const Tokens& in, Pass& pass) const override {
    const std::span<const Index> of_queries = indices_of("query_offsets", in.query_offsets);
    const std::span<const Index> of_documents = indices_of("document_offsets", in.document_offsets);
    const Index count = of_queries.empty() ? 0 : static_cast<Index>(of_queries.size()) - 1;
    this->evaluate(
        pass, in.sets,
        [&](const auto& rows) { return std::tuple(rows[0], of_queries, rows[1], of_documents); },
        count);
  }
};

/// The class for a loss of the register, by the arguments of its calls.
template <class Line, class C>
constexpr auto loss_for() {
  constexpr Takes takes = Line::takes;
  if constexpr (takes == Takes::classes) {
    return std::type_identity<ClassLoss<Line, C>>();
  } else if constexpr (takes == Takes::labels) {
    return std::type_identity<WithPairLists<Line, LabelLoss<Line, C>>>();
  } else if constexpr (takes == Takes::labels_or_pairs) {
    return std::type_identity<WithPairLists<Line, WithMatchedPairs<Line, LabelLoss<Line, C>>>>();
  } else if constexpr (takes == Takes::matched_pairs) {
    return std::type_identity<WithMatchedPairs<Line, LossOf<Line, C>>>();
  } else if constexpr (takes == Takes::scored_pairs || takes == Takes::scored_lists) {
    return std::type_identity<ScoredLoss<Line, C>>();
  } else if constexpr (takes == Takes::scored_triplets) {
    return std::type_identity<ScoredTripletLoss<Line, C>>();
  } else if constexpr (takes == Takes::pairs || takes == Takes::views) {
    return std::type_identity<WithExtras<Line, WithPairs<Line, TwoSetLoss<Line, C>>>>();
  } else if constexpr (takes == Takes::queries) {
    return std::type_identity<WithPairs<Line, QueryLoss<Line, C>>>();
  } else if constexpr (takes == Takes::negatives) {
    return std::type_identity<NegativesLoss<Line, C>>();
  } else if constexpr (takes == Takes::noise) {
    return std::type_identity<NoiseLoss<Line, C>>();
  } else if constexpr (takes == Takes::proxies) {
    return std::type_identity<ProxyLoss<Line, C>>();
  } else if constexpr (takes == Takes::triplets || takes == Takes::sequences) {
    return std::type_identity<ThreeSetLoss<Line, C>>();
  } else if constexpr (takes == Takes::slices) {
    return std::type_identity<SliceLoss<Line, C>>();
  } else if constexpr (takes == Takes::predictions) {
    return std::type_identity<PredictionLoss<Line, C>>();
  } else if constexpr (takes == Takes::tokens) {
    return std::type_identity<TokenLoss<Line, C>>();
  } else {
    static_assert(takes == Takes::one_set);
    return std::type_identity<OneSetLoss<Line, C>>();
  }
}
template <class Line, class C>
using LossFor = typename decltype(loss_for<Line, C>())::type;

}  // namespace nearfar::detail::c

/// The interface's functions for a line of the register.
#define NEARFAR_C_LOSS(name, ...) \
  NEARFAR_C_FUNCTIONS(            \
      name, nearfar::detail::c::LossFor<nearfar::registered::name, nearfar_##name##_options>)
