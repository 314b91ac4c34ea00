#pragma once

#include "golden/runner.hpp"

/// \file
/// Runners of losses over lists of pairs, and of statistics of pairs.

namespace golden {

/// A view of pairs that a case lists as [i, j], one after the other.
inline nearfar::PairList pairs_of(const std::vector<std::int64_t>& numbers) {
  const auto count = static_cast<nearfar::Index>(numbers.size() / 2);
  return {nearfar::Labels(numbers.data(), count, 2),
          nearfar::Labels(numbers.data() + (count > 0 ? 1 : 0), count, 2)};
}

template <class S>
Computed<S> linear_contrastive_pairs(Case& c) {
  const auto options = options_of<nearfar::LinearContrastiveOptions>(c);
  const auto x = c.matrix<S>("x");
  const auto positives = c.labels("positive_pairs");
  const auto negatives = c.labels("negative_pairs");
  return with_kernel<S, nearfar::Euclidean, nearfar::SquaredEuclidean, nearfar::Cosine,
                     nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const nearfar::LinearContrastive<S, K> loss(options);
    const nearfar::PairList positive_pairs = pairs_of(positives);
    const nearfar::PairList negative_pairs = pairs_of(negatives);
    if (c.has_input("references")) {
      out.loss = loss.forward_backward(x, c.matrix<S>("references"), positive_pairs, negative_pairs,
                                       out.gradients["x"], out.gradients["references"])
                     .value;
    } else {
      out.loss = loss.forward_backward(x, positive_pairs, negative_pairs, out.gradients["x"]).value;
    }
    return out;
  });
}

template <class S>
Computed<S> snr_contrastive(Case& c) {
  if (c.word("kernel") != "snr") throw std::runtime_error("unknown kernel for " + c.loss());
  const nearfar::SnrContrastive<S> loss(options_of<nearfar::SnrContrastiveOptions>(c));
  Computed<S> out;
  out.loss = loss.forward_backward(c.matrix<S>("x"), c.labels("labels"), out.gradients["x"]).value;
  return out;
}

template <class S>
Computed<S> centroid_triplet(Case& c) {
  const auto options = options_of<nearfar::CentroidTripletOptions>(c);
  return with_kernel<S, nearfar::Euclidean, nearfar::SquaredEuclidean>(c, [&]<class K>(const K&) {
    Computed<S> out;
    out.loss = nearfar::CentroidTriplet<S, K>(options)
                   .forward_backward(c.matrix<S>("x"), c.labels("labels"), out.gradients["x"])
                   .value;
    return out;
  });
}

template <class S>
std::map<std::string, Runner<S>> lists_runners() {
  return {{"linear_contrastive_pairs", linear_contrastive_pairs<S>},
          {"centroid_triplet", centroid_triplet<S>},
          {"snr_contrastive_labels", snr_contrastive<S>}};
}

}  // namespace golden
