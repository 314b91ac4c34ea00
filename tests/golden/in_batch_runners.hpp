#pragma once

#include <utility>

#include "golden/runner.hpp"

/// \file
/// Runners of InBatchInfoNce.

namespace golden {

template <class S>
Computed<S> in_batch_info_nce(Case& c, bool all_sides) {
  nearfar::InBatchInfoNceOptions options{.temperature = c.number("temperature"),
                                         .query_to_query = all_sides,
                                         .key_to_key = all_sides,
                                         .reduction = c.reduction()};
  using nearfar::FalseNegatives;
  using nearfar::Hardness;
  using nearfar::Partition;
  if (c.has_option("directions")) {
    for (const std::string& direction : c.template list<std::string>("directions")) {
      if (direction == "query_to_query") options.query_to_query = true;
      if (direction == "doc_to_query") options.key_to_query = true;
      if (direction == "doc_to_doc") options.key_to_key = true;
    }
    const bool joint = c.word("partition_mode") == "joint";
    options.partition = joint ? Partition::joint : Partition::per_direction;
  }
  if (c.has_option("hardness_mode")) {
    const std::string mode = c.word("hardness_mode");
    options.hardness = mode == "in_batch_negatives" ? Hardness::in_batch_negatives
                       : mode == "hard_negatives"   ? Hardness::hard_negatives
                                                    : Hardness::all_negatives;
    options.hardness_strength = c.number("hardness_strength");
  }
  if (c.has_option("margin")) {
    options.margin = c.number("margin");
    options.false_negatives = c.word("margin_strategy") == "relative"
                                  ? FalseNegatives::drop_relative
                                  : FalseNegatives::drop;
  }
  const auto queries = c.matrix<S>("queries");
  const auto keys = c.matrix<S>("keys");
  nearfar::Matrix<S> negatives;
  nearfar::Matrix<S> guide_queries;
  nearfar::Matrix<S> guide_keys;
  std::vector<double> log_q;
  nearfar::InBatchExtras<S> extras;
  if (c.has_input("negatives")) {
    negatives = c.matrix<S>("negatives");
    extras.negatives = nearfar::per_query(negatives);
  }
  if (c.has_input("guide_queries")) {
    guide_queries = c.matrix<S>("guide_queries");
    guide_keys = c.matrix<S>("guide_keys");
    extras.guide_queries = guide_queries;
    extras.guide_keys = guide_keys;
  }
  if (c.has_input("log_q")) {
    log_q = c.numbers<double>("log_q");
    extras.log_q = log_q;
  }
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    Computed<S> out;
    const nearfar::InBatchInfoNce<S, K> loss(options);
    out.loss = loss.forward_backward(queries, keys, extras, out.gradients["queries"],
                                     out.gradients["keys"], out.gradients["negatives"])
                   .value;
    return out;
  });
}

template <class S>
std::map<std::string, Runner<S>> in_batch_runners() {
  const auto pairs = [](Case& c) { return in_batch_info_nce<S>(c, false); };
  return {{"info_nce_drop_margin", pairs},
          {"info_nce_guided", pairs},
          {"info_nce_hardness", pairs},
          {"info_nce_log_q", pairs},
          {"joint_softmax", pairs},
          {"gist_embed", [](Case& c) { return in_batch_info_nce<S>(c, true); }}};
}

}  // namespace golden
