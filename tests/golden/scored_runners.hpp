#pragma once

#include "golden/runner.hpp"

/// \file
/// Losses of pairs and lists with given numbers.

namespace golden {

/// Runs a loss of pairs with a target score each.
template <class S, template <class, class> class Loss, class Options>
Computed<S> scored_pairs(Case& c) {
  const auto options = options_of<Options>(c);
  const auto a = c.matrix<S>("a");
  const auto b = c.matrix<S>("b");
  const auto scores = c.numbers<S>("scores");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss = Loss<S, K>(options)
                   .forward_backward(a, b, scores, out.gradients["a"], out.gradients["b"])
                   .value;
    return out;
  });
}

template <class S>
Computed<S> angle(Case& c) {
  Computed<S> out;
  out.loss = nearfar::Angle<S>(options_of<nearfar::AngleOptions>(c))
                 .forward_backward(c.matrix<S>("a"), c.matrix<S>("b"), c.numbers<S>("scores"),
                                   out.gradients["a"], out.gradients["b"])
                 .value;
  return out;
}

template <class S>
Computed<S> margin_mse(Case& c) {
  const auto options = options_of<nearfar::MarginMseOptions>(c);
  const auto queries = c.matrix<S>("queries");
  const auto positives = c.matrix<S>("positives");
  const auto negatives = c.matrix<S>("negatives");
  const auto margins = c.flat_numbers<S>("teacher_margins");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss =
        nearfar::MarginMse<S, K>(options)
            .forward_backward(queries, positives, negatives, margins, out.gradients["queries"],
                              out.gradients["positives"], out.gradients["negatives"])
            .value;
    return out;
  });
}

template <class S>
Computed<S> distill_kl(Case& c) {
  const auto options = options_of<nearfar::DistillKlOptions>(c);
  const auto queries = c.matrix<S>("queries");
  const auto candidates = c.matrix<S>("candidates");
  const auto scores = c.flat_numbers<S>("teacher_scores");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss = nearfar::DistillKl<S, K>(options)
                   .forward_backward(queries, candidates, scores, out.gradients["queries"],
                                     out.gradients["candidates"])
                   .value;
    return out;
  });
}

template <class S>
std::map<std::string, Runner<S>> scored_runners() {
  return {
      {"cosent", scored_pairs<S, nearfar::CoSent, nearfar::CoSentOptions>},
      {"angle", angle<S>},
      {"margin_mse", margin_mse<S>},
      {"distill_kl", distill_kl<S>},
  };
}

}  // namespace golden
