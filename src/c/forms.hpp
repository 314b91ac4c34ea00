#pragma once

#include <utility>

#include "settings.hpp"

/// \file
/// Losses by the arguments of their calls.

namespace nearfar::detail::c {

using registered::Takes;

template <class Line, class C>
class ClassLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void labelled(const Labelled& in, Pass& pass) const override {
    const Targets targets = targets_of("targets", in.targets);
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), x.rows(), [&] { return loss.forward(x, targets, call); },
          [&] { return loss.forward_backward(x, targets, dx, call); });
    });
  }
};

/// Also of queries with references.
template <class Line, class C>
class LabelLoss : public ClassLoss<Line, C> {
 public:
  using ClassLoss<Line, C>::ClassLoss;

  void references(const WithReferences& in, Pass& pass) const override {
    const Targets query_targets = targets_of("query_targets", in.query_targets);
    const Targets reference_targets = targets_of("reference_targets", in.reference_targets);
    this->with_loss("queries", in.queries, [&]<class S>(S, const auto& loss) {
      const Rows<S> queries = rows_of<S>("queries", in.queries);
      const Rows<S> references = rows_of<S>("references", in.references);
      const GradientRows<S> dq = gradient_of<S>("d_queries", in.d_queries);
      const GradientRows<S> dr = gradient_of<S>("d_references", in.d_references);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), queries.rows(),
          [&] { return loss.forward(queries, query_targets, references, reference_targets, call); },
          [&] {
            return loss.forward_backward(queries, query_targets, references, reference_targets, dq,
                                         dr, call);
          });
    });
  }
};

/// Pairs that are given, similar or not: adds the form to Base.
template <class Line, class Base>
class WithMatchedPairs : public Base {
 public:
  using Base::Base;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    const Labels same = labels_of("match", required("match", in.match));
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> a = rows_of<S>("x", in.x);
      const Rows<S> b = rows_of<S>("y", in.y);
      const GradientRows<S> da = gradient_of<S>("dx", in.dx);
      const GradientRows<S> db = gradient_of<S>("dy", in.dy);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), a.rows(), [&] { return loss.forward(a, b, same, call); },
          [&] { return loss.forward_backward(a, b, same, da, db, call); });
    });
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

/// Rows of references, and their gradient: of none where there are none, whose gradient is refused.
template <class S>
std::pair<Rows<S>, GradientRows<S>> references_of(const nearfar_rows* rows,
                                                  const nearfar_gradient* gradient) {
  if (rows != nullptr) {
    return {rows_of<S>("references", *rows), gradient_of<S>("d_references", gradient)};
  }
  if (gradient != nullptr) fail_argument("d_references", "none without references", "a gradient");
  return {};
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
      const Index count = positives.first.size() + negatives.first.size();
      this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
        const Rows<S> x = rows_of<S>("x", in.x);
        const auto [references, d_references] = references_of<S>(in.references, in.d_references);
        const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
        const CallOptions<S> call = pass.options<S>(this->reduction());
        pass.run(
            this->reduction(), count,
            [&, &others = references] {
              return in.references == nullptr ? loss.forward(x, positives, negatives, call)
                                              : loss.forward(x, others, positives, negatives, call);
            },
            [&, &others = references, &d_others = d_references] {
              return in.references == nullptr
                         ? loss.forward_backward(x, positives, negatives, dx, call)
                         : loss.forward_backward(x, others, positives, negatives, dx, d_others,
                                                 call);
            });
      });
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
      this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
        const Rows<S> x = rows_of<S>("x", in.x);
        const Rows<S> y = rows_of<S>("y", in.y);
        const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
        const GradientRows<S> dy = gradient_of<S>("dy", in.dy);
        const CallOptions<S> call = pass.options<S>(this->reduction());
        pass.run(
            this->reduction(), (Line::takes == Takes::views ? 2 : 1) * x.rows(),
            [&] { return loss.forward(x, y, targets, call); },
            [&] { return loss.forward_backward(x, y, targets, dx, dy, call); });
      });
    }
  }
};

template <class Line, class C>
class TwoSetLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    if (in.match != nullptr) fail_argument("match", "none for this loss", "integers");
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const Rows<S> y = rows_of<S>("y", in.y);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const GradientRows<S> dy = gradient_of<S>("dy", in.dy);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), (Line::takes == Takes::views ? 2 : 1) * x.rows(),
          [&] { return loss.forward(x, y, call); },
          [&] { return loss.forward_backward(x, y, dx, dy, call); });
    });
  }
};

template <class S>
Negatives<S> negatives_of(const nearfar_negatives& given) {
  check_size<nearfar_negatives>("negatives", given.size);
  const Rows<S> rows = rows_of<S>("negatives.rows", given.rows);
  if (given.per_query != 0 && given.per_query != 1) {
    fail_argument("negatives.per_query", "0 or 1", std::to_string(given.per_query));
  }
  Negatives<S> out = given.per_query == 1 ? per_query(rows) : Negatives<S>(rows);
  if (given.offsets.data != nullptr) {
    if (given.per_query == 0) fail_argument("negatives.offsets", "none for shared rows", "offsets");
    out = per_query(rows, indices_of("negatives.offsets", given.offsets));
  }
  const Labels ids = labels_of("negatives.ids", given.ids);
  const Labels query_ids = labels_of("negatives.query_ids", given.query_ids);
  if (given.ids.data == nullptr && given.query_ids.data == nullptr) return out;
  return out.ids(ids, query_ids);
}

inline void refuse_log_noise(const nearfar_negatives& given) {
  if (given.log_noise_keys.data == nullptr && given.log_noise_negatives.data == nullptr) return;
  fail_argument("negatives.log_noise", "none for this loss", "numbers");
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
      this->with_loss("queries", in.queries, [&]<class S>(S, const auto& loss) {
        const Rows<S> queries = rows_of<S>("queries", in.queries);
        const Rows<S> keys = rows_of<S>("keys", in.keys);
        const InBatchExtras<S> extras = extras_of<S>(in.extras, targets);
        const GradientRows<S> dq = gradient_of<S>("d_queries", in.d_queries);
        const GradientRows<S> dk = gradient_of<S>("d_keys", in.d_keys);
        const GradientRows<S> dn = gradient_of<S>("d_negatives", in.d_negatives);
        const CallOptions<S> call = pass.options<S>(this->reduction());
        pass.run(
            this->reduction(), queries.rows(),
            [&] { return loss.forward(queries, keys, extras, call); },
            [&] { return loss.forward_backward(queries, keys, extras, dq, dk, dn, call); });
      });
    }
  }

 private:
  template <class S>
  static InBatchExtras<S> extras_of(const nearfar_in_batch& given, const Targets& targets) {
    const auto rows = [](const char* name, const nearfar_rows* some) {
      return some != nullptr ? rows_of<S>(name, *some) : Rows<S>();
    };
    const auto numbers = [](const char* name, const nearfar_doubles& some) {
      check_count(name, some.data, some.count);
      return Numbers<double>(some.data, static_cast<Index>(some.count));
    };
    InBatchExtras<S> out;
    if (given.negatives != nullptr) {
      out.negatives = negatives_of<S>(*given.negatives);
      refuse_log_noise(*given.negatives);
    }
    out.targets = targets;
    out.guide_queries = rows("extras.guide_queries", given.guide_queries);
    out.guide_keys = rows("extras.guide_keys", given.guide_keys);
    out.guide_negatives = rows("extras.guide_negatives", given.guide_negatives);
    out.log_q = numbers("extras.log_q", given.log_q);
    out.log_q_negatives = numbers("extras.log_q_negatives", given.log_q_negatives);
    return out;
  }
};

template <class Line, class C>
class NegativesLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void negatives(const AgainstNegatives& in, Pass& pass) const override {
    this->with_loss("queries", in.queries, [&]<class S>(S, const auto& loss) {
      const Rows<S> queries = rows_of<S>("queries", in.queries);
      const Rows<S> keys = rows_of<S>("keys", in.keys);
      const Negatives<S> negatives = negatives_of<S>(in.negatives);
      refuse_log_noise(in.negatives);
      const GradientRows<S> dq = gradient_of<S>("d_queries", in.d_queries);
      const GradientRows<S> dk = gradient_of<S>("d_keys", in.d_keys);
      const GradientRows<S> dn = gradient_of<S>("d_negatives", in.d_negatives);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), queries.rows(),
          [&] { return loss.forward(queries, keys, negatives, call); },
          [&] { return loss.forward_backward(queries, keys, negatives, dq, dk, dn, call); });
    });
  }
};

/// Also of keys alone, of keys whose positives are named, and with ids of queries and of keys.
template <class Line, class C>
class QueryLoss : public NegativesLoss<Line, C> {
 public:
  using NegativesLoss<Line, C>::NegativesLoss;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const Rows<S> y = rows_of<S>("y", in.y);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const GradientRows<S> dy = gradient_of<S>("dy", in.dy);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      if (in.match == nullptr) {
        pass.run(
            this->reduction(), x.rows(), [&] { return loss.forward(x, y, call); },
            [&] { return loss.forward_backward(x, y, dx, dy, call); });
        return;
      }
      const Labels match = labels_of("match", *in.match);
      pass.run(
          this->reduction(), x.rows(), [&] { return loss.forward(x, y, match, call); },
          [&] { return loss.forward_backward(x, y, match, dx, dy, call); });
    });
  }

  void references(const WithReferences& in, Pass& pass) const override {
    const Targets of_queries = targets_of("query_targets", in.query_targets);
    const Targets of_keys = targets_of("reference_targets", in.reference_targets);
    this->with_loss("queries", in.queries, [&]<class S>(S, const auto& loss) {
      const Rows<S> queries = rows_of<S>("queries", in.queries);
      const Rows<S> keys = rows_of<S>("references", in.references);
      const GradientRows<S> dq = gradient_of<S>("d_queries", in.d_queries);
      const GradientRows<S> dk = gradient_of<S>("d_references", in.d_references);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), queries.rows(),
          [&] { return loss.forward(queries, keys, of_queries, of_keys, call); },
          [&] { return loss.forward_backward(queries, keys, of_queries, of_keys, dq, dk, call); });
    });
  }
};

template <class Line, class C>
class NoiseLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void negatives(const AgainstNegatives& in, Pass& pass) const override {
    this->with_loss("queries", in.queries, [&]<class S>(S, const auto& loss) {
      const Rows<S> queries = rows_of<S>("queries", in.queries);
      const Rows<S> keys = rows_of<S>("keys", in.keys);
      const Negatives<S> negatives = negatives_of<S>(in.negatives);
      const Numbers<S> key_noise =
          numbers_of<S>("negatives.log_noise_keys", in.negatives.log_noise_keys);
      const Numbers<S> noise =
          numbers_of<S>("negatives.log_noise_negatives", in.negatives.log_noise_negatives);
      const GradientRows<S> dq = gradient_of<S>("d_queries", in.d_queries);
      const GradientRows<S> dk = gradient_of<S>("d_keys", in.d_keys);
      const GradientRows<S> dn = gradient_of<S>("d_negatives", in.d_negatives);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), queries.rows(),
          [&] { return loss.forward(queries, keys, negatives, key_noise, noise, call); },
          [&] {
            return loss.forward_backward(queries, keys, negatives, key_noise, noise, dq, dk, dn,
                                         call);
          });
    });
  }
};

/// Rows with a number for each row of the second set.
template <class Line, class C>
class ScoredLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void scored(const Scored& in, Pass& pass) const override {
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const Rows<S> y = rows_of<S>("y", in.y);
      const Numbers<S> scores = numbers_of<S>("scores", in.scores);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const GradientRows<S> dy = gradient_of<S>("dy", in.dy);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), x.rows(), [&] { return loss.forward(x, y, scores, call); },
          [&] { return loss.forward_backward(x, y, scores, dx, dy, call); });
    });
  }
};

template <class Line, class C>
class ScoredTripletLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void scored_triplets(const ScoredTriplets& in, Pass& pass) const override {
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const Rows<S> y = rows_of<S>("y", in.y);
      const Rows<S> z = rows_of<S>("z", in.z);
      const Numbers<S> margins = numbers_of<S>("margins", in.margins);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const GradientRows<S> dy = gradient_of<S>("dy", in.dy);
      const GradientRows<S> dz = gradient_of<S>("dz", in.dz);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), x.rows(), [&] { return loss.forward(x, y, z, margins, call); },
          [&] { return loss.forward_backward(x, y, z, margins, dx, dy, dz, call); });
    });
  }
};

template <class Line, class C>
class ProxyLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void proxies(const AgainstProxies& in, Pass& pass) const override {
    check_size<nearfar_proxies>("proxies", in.proxies.size);
    const Labels labels = labels_of("labels", in.labels);
    const Labels classes = labels_of("proxies.classes", in.proxies.classes);
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      Proxies<S> proxies = rows_of<S>("proxies.rows", in.proxies.rows);
      if (in.proxies.classes.data != nullptr) proxies = proxies.classes(classes);
      if (in.proxies.margins.data != nullptr) {
        proxies = proxies.margins(numbers_of<S>("proxies.margins", in.proxies.margins));
      }
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const GradientRows<S> d_proxies = gradient_of<S>("d_proxies", in.d_proxies);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), x.rows(), [&] { return loss.forward(x, labels, proxies, call); },
          [&] { return loss.forward_backward(x, labels, proxies, dx, d_proxies, call); });
    });
  }
};

template <class Line, class C>
class ThreeSetLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void three_sets(const ThreeSets& in, Pass& pass) const override {
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const Rows<S> y = rows_of<S>("y", in.y);
      const Rows<S> z = rows_of<S>("z", in.z);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const GradientRows<S> dy = gradient_of<S>("dy", in.dy);
      const GradientRows<S> dz = gradient_of<S>("dz", in.dz);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), x.rows(), [&] { return loss.forward(x, y, z, call); },
          [&] { return loss.forward_backward(x, y, z, dx, dy, dz, call); }, steps());
    });
  }

  void listed_triplets(const ListedTriplets& in, Pass& pass) const override {
    if constexpr (Line::takes != Takes::triplets) {
      LossOf<Line, C>::listed_triplets(in, pass);
    } else {
      const TripletList triplets = triplet_list_of(in.triplets);
      this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
        const Rows<S> x = rows_of<S>("x", in.x);
        const auto [references, d_references] = references_of<S>(in.references, in.d_references);
        const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
        const CallOptions<S> call = pass.options<S>(this->reduction());
        pass.run(
            this->reduction(), triplets.anchors.size(),
            [&, &others = references] {
              return in.references == nullptr ? loss.forward(x, triplets, call)
                                              : loss.forward(x, others, triplets, call);
            },
            [&, &others = references, &d_others = d_references] {
              return in.references == nullptr
                         ? loss.forward_backward(x, triplets, dx, call)
                         : loss.forward_backward(x, others, triplets, dx, d_others, call);
            });
      });
    }
  }

 private:
  Index steps() const {
    if constexpr (requires { this->options().steps; }) {
      return this->options().steps;
    } else {
      return 0;
    }
  }
};

template <class Line, class C>
class OneSetLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void one_set(const OneSet& in, Pass& pass) const override {
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), 0, [&] { return loss.forward(x, call); },
          [&] { return loss.forward_backward(x, dx, call); });
    });
  }
};

/// Of rows and slices, which have no gradient.
template <class Line, class C>
class SliceLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    if (in.match != nullptr) fail_argument("match", "none for this loss", "integers");
    if (in.dy != nullptr) fail_argument("dy", "none, as slices have no gradient", "a gradient");
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const Rows<S> slices = rows_of<S>("y", in.y);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), 0, [&] { return loss.forward(x, slices, call); },
          [&] { return loss.forward_backward(x, slices, dx, call); });
    });
  }
};

template <class Line, class C>
class PredictionLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void predictions(const Predictions& in, Pass& pass) const override {
    this->with_loss("prediction1", in.prediction1, [&]<class S>(S, const auto& loss) {
      const Rows<S> p1 = rows_of<S>("prediction1", in.prediction1);
      const Rows<S> p2 = rows_of<S>("prediction2", in.prediction2);
      const Rows<S> z1 = rows_of<S>("target1", in.target1);
      const Rows<S> z2 = rows_of<S>("target2", in.target2);
      const GradientRows<S> d1 = gradient_of<S>("d_prediction1", in.d_prediction1);
      const GradientRows<S> d2 = gradient_of<S>("d_prediction2", in.d_prediction2);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), p1.rows(), [&] { return loss.forward(p1, p2, z1, z2, call); },
          [&] { return loss.forward_backward(p1, p2, z1, z2, d1, d2, call); });
    });
  }
};

template <class Line, class C>
class TokenLoss : public LossOf<Line, C> {
 public:
  using LossOf<Line, C>::LossOf;

  void tokens(const Tokens& in, Pass& pass) const override {
    const std::span<const Index> of_queries = indices_of("query_offsets", in.query_offsets);
    const std::span<const Index> of_documents = indices_of("document_offsets", in.document_offsets);
    this->with_loss("queries", in.queries, [&]<class S>(S, const auto& loss) {
      const Rows<S> queries = rows_of<S>("queries", in.queries);
      const Rows<S> documents = rows_of<S>("documents", in.documents);
      const GradientRows<S> dq = gradient_of<S>("d_queries", in.d_queries);
      const GradientRows<S> dd = gradient_of<S>("d_documents", in.d_documents);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      const Index count = of_queries.empty() ? 0 : static_cast<Index>(of_queries.size()) - 1;
      pass.run(
          this->reduction(), count,
          [&] { return loss.forward(queries, of_queries, documents, of_documents, call); },
          [&] {
            return loss.forward_backward(queries, of_queries, documents, of_documents, dq, dd,
                                         call);
          });
    });
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
