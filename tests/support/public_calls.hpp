#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "support/public_call.hpp"
#include "support/settings.hpp"
#include "support/token_offsets.hpp"

/// \file
/// Every public call of every loss with one signature, so that all are tested for the same errors
/// in the same words. No option has its default, so that each has an effect.

namespace support {

/// True if calls are made with kernel K: the loss's own kernel, one with a matrix if the loss takes
/// any, and over labels one of the other orientation.
template <class Line, class S, class K>
constexpr bool is_called_with() {
  constexpr bool over_labels = Line::takes == nearfar::registered::Takes::labels;
  return std::is_same_v<K, typename OwnKernel<Line, S>::Type> || nearfar::ParametricKernel<K> ||
         (over_labels && std::is_same_v<K, nearfar::InnerProduct>);
}

/// The names of two sets of rows in errors.
template <class Line>
std::pair<const char*, const char*> names_of_pairs() {
  using Options = typename Line::Options;
  if constexpr (is_one_of<Options, nearfar::ClipOptions, nearfar::SigLipOptions>) {
    return {"images", "texts"};
  } else if constexpr (is_one_of<Options, nearfar::InBatchInfoNceOptions, nearfar::RinceOptions>) {
    return {"queries", "keys"};
  } else if constexpr (Line::takes == nearfar::registered::Takes::views ||
                       is_one_of<Options, nearfar::BarlowTwinsOptions, nearfar::DhelOptions,
                                 nearfar::VicRegOptions>) {
    return {"view1", "view2"};
  }
  return {"x", "y"};
}

/// 0, 1/4, 1/2, 0 ...
template <class S>
std::vector<S> numbers_in_steps(Index count) {
  std::vector<S> out;
  for (Index i = 0; i < count; ++i) out.push_back(S(0.25) * static_cast<S>(i % 3));
  return out;
}

/// The calls of a loss with kernel K and options of its own.
template <class Line, class K, class S>
void add_calls_with(PublicCalls<S>& all, const typename Line::Options& options) {
  using namespace nearfar;
  using registered::Takes;
  using A = Arguments<S>;
  using Options = typename Line::Options;
  using Loss = typename Line::template Loss<S, K>;
  constexpr Index n = PublicCalls<S>::rows;
  constexpr Takes takes = Line::takes;
  const std::string name =
      std::string(Line::class_name) + " of " + name_of_kernel<K> + choices_in(options);

  const auto make = [options](const A& a) {
    Options own = options;
    std::size_t learnt = 0;
    Options::fields(
        [&]<class T>(std::string_view option, T& value) {
          if constexpr (std::is_same_v<T, Reduction>) {
            value = a.reduction;
          } else if constexpr (std::is_same_v<T, UnusableAnchor>) {
            value = a.unusable;
          } else if constexpr (std::is_same_v<T, double>) {
            if (is_learnable<Options>(option)) value += a.moved[learnt++];
          }
        },
        own);
    if constexpr (std::is_constructible_v<Loss, Options, K>) {
      return Loss(own, kernel_of<K>(a.parameter));
    } else {
      return Loss(own);
    }
  };

  const std::size_t first = all.list.size();
  const NamedSet queries{"queries", n};
  const NamedSet keys{"keys", n};
  const NamedSet negatives{"negatives", n + 2, Fit::free};
  if constexpr (is_over_labels<Line>) {
    all.template labelled<K>(name, make);
  }
  if constexpr (takes == Takes::classes) all.template batch<K>(name, make);
  if constexpr (takes == Takes::labels_or_pairs) {
    all.template add<K>(
        name + ", pairs", {{"a", n}, {"b", n}}, {{"same", n}}, [=](Way way, const A& x) {
          return call_one_way<2>(make(x), way, x, x.rows[0], x.rows[1], Labels(x.labels[0]));
        });
  }
  if constexpr (takes == Takes::proxies) {
    const Index classes = n + 2;
    all.template add<K>(name, {{"x", n}, {"proxies", classes * centers_of(options), Fit::free}},
                        {{"labels", n}}, [=](Way way, const A& x) {
                          return call_one_way<2>(make(x), way, x, x.rows[0], Labels(x.labels[0]),
                                                 x.rows[1]);
                        });
  }
  if constexpr (takes == Takes::pairs || takes == Takes::views) {
    const auto [a, b] = names_of_pairs<Line>();
    all.template two<K>(name, {a, n}, {b, n}, make).upstream_rows =
        takes == Takes::views ? 2 * n : n;
  }
  if constexpr (takes == Takes::queries) {
    all.template two<K>(name, queries, {"keys", n + 1, Fit::at_least}, make);
    all.template three<K>(name + ", negatives", queries, keys, negatives, make);
    all.template add<K>(name + ", own negatives", {queries, keys, {"negatives", 2 * n, Fit::free}},
                        {}, [=](Way way, const A& x) {
                          return call_one_way<3>(make(x), way, x, x.rows[0], x.rows[1],
                                                 per_query(x.rows[2]));
                        });
    all.template add<K>(name + ", positives", {queries, {"keys", n - 1, Fit::free}},
                        {{"positives", n}}, [=](Way way, const A& x) {
                          return call_one_way<2>(make(x), way, x, x.rows[0], x.rows[1],
                                                 Labels(x.labels[0]));
                        });
  } else if constexpr (takes == Takes::negatives) {
    all.template three<K>(name, queries, keys, negatives, make);
  } else if constexpr (takes == Takes::noise) {
    auto& call =
        all.template add<K>(name, {queries, keys, negatives}, {}, [=](Way way, const A& x) {
          return call_one_way<3>(make(x), way, x, x.rows[0], x.rows[1], x.rows[2], x.numbers[0],
                                 x.numbers[1]);
        });
    call.numbers = {{"log_noise_keys", n}, {"log_noise_negatives", n + 2}};
    call.good.numbers = {std::vector<S>(n, S(-2)), std::vector<S>(n + 2, S(-2))};
  } else if constexpr (takes == Takes::matched_pairs) {
    all.template add<K>(name, {{"a", n}, {"b", n}}, {{"same", n}}, [=](Way way, const A& x) {
      return call_one_way<2>(make(x), way, x, x.rows[0], x.rows[1], Labels(x.labels[0]));
    });
  } else if constexpr (takes == Takes::scored_pairs || takes == Takes::scored_lists) {
    constexpr bool lists = takes == Takes::scored_lists;
    const NamedSet x0 = lists ? queries : NamedSet{"a", n};
    const NamedSet x1 = lists ? NamedSet{"candidates", 2 * n, Fit::free} : NamedSet{"b", n};
    auto& call = all.template add<K>(name, {x0, x1}, {}, [=](Way way, const A& x) {
      return call_one_way<2>(make(x), way, x, x.rows[0], x.rows[1], x.numbers[0]);
    });
    call.numbers = {{lists ? "teacher_scores" : "scores", x1.rows}};
    call.good.numbers = {numbers_in_steps<S>(x1.rows)};
  } else if constexpr (takes == Takes::scored_triplets) {
    auto& call = all.template add<K>(
        name, {queries, {"positives", n}, {"negatives", n}}, {}, [=](Way way, const A& x) {
          return call_one_way<3>(make(x), way, x, x.rows[0], x.rows[1], x.rows[2], x.numbers[0]);
        });
    call.numbers = {{"teacher_margins", n}};
    call.good.numbers = {numbers_in_steps<S>(n)};
  } else if constexpr (takes == Takes::triplets) {
    all.template three<K>(name, {"anchors", n}, {"positives", n}, {"negatives", n}, make);
  } else if constexpr (takes == Takes::one_set) {
    all.template add<K>(name, {{"x", n}}, {}, [=](Way way, const A& x) {
      return call_one_way<1>(make(x), way, x, x.rows[0]);
    });
  } else if constexpr (takes == Takes::slices) {
    all.template add<K>(name, {{"x", n}, {"slices", n + 1, Fit::free, true}}, {},
                        [=](Way way, const A& x) {
                          return call_one_way<1>(make(x), way, x, x.rows[0], x.rows[1]);
                        });
  } else if constexpr (takes == Takes::predictions) {
    all.template add<K>(name,
                        {{"prediction1", n},
                         {"prediction2", n},
                         {"target1", n, Fit::equal, true},
                         {"target2", n, Fit::equal, true}},
                        {}, [=](Way way, const A& x) {
                          return call_one_way<2>(make(x), way, x, x.rows[0], x.rows[1], x.rows[2],
                                                 x.rows[3]);
                        });
  } else if constexpr (takes == Takes::tokens) {
    all.template add<K>(name, {queries, {"documents", n + 2, Fit::free}}, {},
                        [=](Way way, const A& x) {
                          const support::TokenOffsets of(x.rows[0].rows(), x.rows[1].rows());
                          return call_one_way<2>(make(x), way, x, x.rows[0], std::span(of.queries),
                                                 x.rows[1], std::span(of.documents));
                        })
        .upstream_rows = (n + 1) / 2;
  }

  for (std::size_t k = first; k < all.list.size(); ++k) {
    all.list[k].learnt = learnable_numbers_of<Options>();
    all.list[k].reduces = requires { options.reduction; };
  }
  // With one row in every set an anchor of these forms has no gradient; with references or given
  // negatives it may have one.
  if constexpr (requires { options.unusable_anchors; } && takes != Takes::sequences) {
    all.list[first].unusable = (takes == Takes::views ? "2 " : "1 ") + unusable_of<Line>();
  }
}

/// All calls of a loss of the register, except those of Cpc, whose sets differ in width; it has
/// tests of its own.
template <class Line, class S>
void add_calls(PublicCalls<S>& all) {
  for_each_kernel<Line, S>([&]<class K>() {
    if constexpr (is_called_with<Line, S, K>()) {
      for (const auto& options : other_options<Line, K>()) add_calls_with<Line, K>(all, options);
    }
  });
}

template <class S>
std::vector<PublicCall<S>> all_public_calls() {
  PublicCalls<S> all;
  nearfar::registered::for_each([&]<class Line>(Line) { add_calls<Line>(all); });
  return std::move(all.list);
}

}  // namespace support
