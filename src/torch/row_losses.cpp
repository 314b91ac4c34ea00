#include "options.hpp"

/// \file
/// Losses of rows that belong together by their place.

namespace nearfar::libtorch::operators {
namespace {

using Names = std::vector<std::string>;

/// "Tensor a, Tensor b" of a and b.
std::string tensors(const Names& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "Tensor " : ", Tensor ") + name;
  return out;
}

/// Adds the operator of a loss whose arguments are sets of rows and nothing else:
/// call(arguments, rows..., options, kernel).
template <class Line, class Shape, class Call>
void of_two(Operators& all, const std::string& name, const Names& rows, const Names& learnt,
            const Shape& shape, const Call& call, const std::string& optional_arguments = {},
            const Names& omitted = {}) {
  add<Line>(all, {name, tensors(rows), rows, learnt, optional_arguments, omitted}, shape,
            [call, rows](const Arguments& from, const auto& options, const auto& kernel) {
              return call(from, from.tensor(rows[0]), from.tensor(rows[1]), options, kernel);
            });
}

/// The same of two rows a pair, and a number for each pair that has no gradient.
template <class Line, class Call>
void of_numbered(Operators& all, const std::string& name, const std::string& number,
                 const Names& learnt, const Call& call) {
  add<Line>(all, {name, "Tensor a, Tensor b, Tensor " + number, {"a", "b"}, learnt}, rows_of("a"),
            [call, number](const Arguments& from, const auto& options, const auto& kernel) {
              return call(from, from.tensor("a"), from.tensor("b"), from.tensor(number), options,
                          kernel);
            });
}

TemperatureTensor temperature(const Arguments& from) { return {from.tensor("temperature")}; }

// Functions, as registration may run before variables of this file are made.
Names learnt_temperature() { return {"temperature"}; }
Names queries_and_keys() { return {"queries", "keys"}; }
Names two_views() { return {"view1", "view2"}; }
Names images_and_texts() { return {"images", "texts"}; }
const char* const pair_ids = "Tensor? ids=None";
const char* const labels_and_ids = "Tensor? labels=None, Tensor? ids=None";

/// Whether a call says which pairs belong together.
bool has_targets(const Arguments& from) {
  return from.tensor("labels").defined() || from.tensor("ids").defined();
}
/// Negatives by the arguments of these names. Ids of negatives go with `query_ids`.
TensorNegatives negatives_of(const Arguments& from, const std::string& rows,
                             const std::string& offsets, const std::string& ids) {
  TensorNegatives out = from.tensor(rows);
  if (!out.rows().defined()) {
    for (const std::string& name : {offsets, ids}) {
      if (from.tensor(name).defined()) fail_argument(name, "none without " + rows, "a tensor");
    }
  }
  if (const Tensor given = from.tensor(offsets); given.defined()) out = out.offsets(given);
  if (const Tensor given = from.tensor(ids); given.defined()) {
    out = out.ids(given, from.tensor("query_ids"));
  }
  return out;
}
TensorTargets pair_targets(const Arguments& from) { return targets_of(from, "labels", "ids", ""); }

void add_queries(Operators& all) {
  of_two<registered::info_nce>(
      all, "info_nce", queries_and_keys(), learnt_temperature(), rows_of("queries"),
      [](const Arguments& from, const Tensor& q, const Tensor& k, const auto& options,
         const auto& kernel) {
        return has_targets(from)
                   ? info_nce(q, k, pair_targets(from), options, temperature(from), kernel)
                   : info_nce(q, k, options, temperature(from), kernel);
      },
      pair_ids);
  add<registered::info_nce>(
      all,
      {"info_nce_at", "Tensor queries, Tensor keys, Tensor positives", queries_and_keys(),
       learnt_temperature()},
      rows_of("queries"), [](const Arguments& from, const auto& options, const auto& kernel) {
        return info_nce_at(from.tensor("queries"), from.tensor("keys"), from.tensor("positives"),
                           options, temperature(from), kernel);
      });
  const Names with_negatives = {"queries", "keys", "negatives"};
  add<registered::info_nce>(
      all,
      {"info_nce_against",
       tensors(with_negatives),
       {"queries", "keys", "negatives", "own_negatives"},
       learnt_temperature(),
       "Tensor? offsets=None, Tensor? ids=None, Tensor? query_ids=None, "
       "Tensor? own_negatives=None, Tensor? own_offsets=None, Tensor? own_ids=None"},
      rows_of("queries"), [](const Arguments& from, const auto& options, const auto& kernel) {
        const Tensor q = from.tensor("queries");
        const Tensor k = from.tensor("keys");
        const TensorNegatives negatives = negatives_of(from, "negatives", "offsets", "ids");
        const TensorNegatives own = negatives_of(from, "own_negatives", "own_offsets", "own_ids");
        return own.rows().defined()
                   ? info_nce_against(q, k, negatives, own, options, temperature(from), kernel)
                   : info_nce_against(q, k, negatives, options, temperature(from), kernel);
      });
  add<registered::in_batch_info_nce>(
      all,
      {"in_batch_info_nce", tensors(queries_and_keys()), with_negatives, learnt_temperature(),
       "Tensor? negatives=None, Tensor? ids=None, Tensor? guide_queries=None, "
       "Tensor? guide_keys=None, Tensor? guide_negatives=None, Tensor? log_q=None, "
       "Tensor? log_q_negatives=None"},
      rows_of("queries"), [](const Arguments& from, const auto& options, const auto& kernel) {
        return in_batch_info_nce(
            from.tensor("queries"), from.tensor("keys"), options,
            {from.tensor("negatives"), pair_targets(from), from.tensor("guide_queries"),
             from.tensor("guide_keys"), from.tensor("guide_negatives"), from.tensor("log_q"),
             from.tensor("log_q_negatives")},
            temperature(from), kernel);
      });
  of_two<registered::n_pair>(
      all, "n_pair", {"anchors", "positives"}, {}, rows_of("anchors"),
      [](const Arguments&, const Tensor& anchors, const Tensor& positives, const auto& options,
         NoKernel) { return n_pair(anchors, positives, options.reduction); },
      "", {"unusable_anchors"});
  add<registered::nce>(
      all,
      {"nce",
       tensors(with_negatives) + ", Tensor log_noise_keys, Tensor log_noise_negatives",
       with_negatives,
       {"temperature", "log_z"}},
      rows_of("queries"), [](const Arguments& from, const auto& options, const auto& kernel) {
        return nce(from.tensor("queries"), from.tensor("keys"), from.tensor("negatives"),
                   from.tensor("log_noise_keys"), from.tensor("log_noise_negatives"), options,
                   {from.tensor("temperature"), from.tensor("log_z")}, kernel);
      });
  add<registered::negative_sampling>(
      all, {"negative_sampling", tensors(with_negatives), with_negatives, learnt_temperature()},
      rows_of("queries"), [](const Arguments& from, const auto& options, const auto& kernel) {
        return negative_sampling(from.tensor("queries"), from.tensor("keys"),
                                 from.tensor("negatives"), options, temperature(from), kernel);
      });
  of_two<registered::rince>(
      all, "rince", queries_and_keys(), learnt_temperature(), rows_of("queries"),
      [](const Arguments& from, const Tensor& q, const Tensor& k, const auto& options,
         const auto& kernel) { return rince(q, k, options, temperature(from), kernel); });
  add<registered::cpc>(
      all,
      {"cpc",
       "Tensor contexts, Tensor targets, Tensor weights",
       {"contexts", "targets", "weights"},
       learnt_temperature(),
       "",
       {"length", "steps"}},
      [](const Arguments& from) {
        const Tensor contexts = from.tensor("contexts");
        return std::vector<c10::SymInt>{contexts.sym_size(0), contexts.sym_size(1)};
      },
      [](const Arguments& from, const auto& options, NoKernel) {
        return cpc(from.tensor("contexts"), from.tensor("targets"), from.tensor("weights"), options,
                   temperature(from));
      });
}

void add_views(Operators& all) {
  of_two<registered::nt_xent>(
      all, "nt_xent", two_views(), learnt_temperature(), rows_of("view1", 2),
      [](const Arguments& from, const Tensor& a, const Tensor& b, const auto& options,
         const auto& kernel) {
        return has_targets(from)
                   ? nt_xent(a, b, pair_targets(from), options, temperature(from), kernel)
                   : nt_xent(a, b, options, temperature(from), kernel);
      },
      pair_ids);
  of_two<registered::dclw>(
      all, "dclw", two_views(), learnt_temperature(), rows_of("view1", 2),
      [](const Arguments& from, const Tensor& a, const Tensor& b, const auto& options,
         const auto& kernel) { return dclw(a, b, options, temperature(from), kernel); });
  of_two<registered::dhel>(
      all, "dhel", two_views(), learnt_temperature(), rows_of("view1"),
      [](const Arguments& from, const Tensor& a, const Tensor& b, const auto& options,
         const auto& kernel) { return dhel(a, b, options, temperature(from), kernel); });
  of_two<registered::rince_views>(
      all, "rince_views", two_views(), learnt_temperature(), rows_of("view1", 2),
      [](const Arguments& from, const Tensor& a, const Tensor& b, const auto& options,
         const auto& kernel) { return rince_views(a, b, options, temperature(from), kernel); });
  of_two<registered::hard_negative>(
      all, "hard_negative", two_views(), learnt_temperature(), rows_of("view1", 2),
      [](const Arguments& from, const Tensor& a, const Tensor& b, const auto& options, NoKernel) {
        return has_targets(from)
                   ? hard_negative(a, b, pair_targets(from), options, temperature(from))
                   : hard_negative(a, b, options, temperature(from));
      },
      pair_ids);
}

void add_pairs(Operators& all) {
  of_two<registered::clip>(
      all, "clip", images_and_texts(), {"logit_scale"}, rows_of("images"),
      [](const Arguments& from, const Tensor& a, const Tensor& b, const auto& options,
         const auto& kernel) {
        const LogitScaleTensor scale{from.tensor("logit_scale")};
        return has_targets(from) ? clip(a, b, pair_targets(from), options, scale, kernel)
                                 : clip(a, b, options, scale, kernel);
      },
      labels_and_ids);
  of_two<registered::sig_lip>(
      all, "sig_lip", images_and_texts(), {"logit_scale", "logit_bias"}, rows_of("images"),
      [](const Arguments& from, const Tensor& a, const Tensor& b, const auto& options,
         const auto& kernel) {
        const LogitTensors learnt{from.tensor("logit_scale"), from.tensor("logit_bias")};
        return has_targets(from) ? sig_lip(a, b, pair_targets(from), options, learnt, kernel)
                                 : sig_lip(a, b, options, learnt, kernel);
      },
      labels_and_ids);
  of_two<registered::mutual_information>(
      all, "mutual_information", {"x", "y"}, learnt_temperature(), rows_of("x"),
      [](const Arguments& from, const Tensor& x, const Tensor& y, const auto& options,
         const auto& kernel) {
        return mutual_information(x, y, options, temperature(from), kernel);
      });
  of_two<registered::alignment>(
      all, "alignment", {"x", "y"}, {}, rows_of("x"),
      [](const Arguments&, const Tensor& x, const Tensor& y, const auto& options, NoKernel) {
        return alignment(x, y, options);
      });
  add<registered::uniformity>(all, {"uniformity", "Tensor x", {"x"}, {}}, rows_of("x"),
                              [](const Arguments& from, const auto& options, NoKernel) {
                                return uniformity(from.tensor("x"), options);
                              });
  of_numbered<registered::co_sent>(
      all, "co_sent", "scores", {"scale"},
      [](const Arguments& from, const Tensor& a, const Tensor& b, const Tensor& scores,
         const auto& options, const auto& kernel) {
        return co_sent(a, b, scores, options, {from.tensor("scale")}, kernel);
      });
  of_numbered<registered::angle>(all, "angle", "scores", {"scale"},
                                 [](const Arguments& from, const Tensor& a, const Tensor& b,
                                    const Tensor& scores, const auto& options, NoKernel) {
                                   return angle(a, b, scores, options, {from.tensor("scale")});
                                 });
  of_numbered<registered::score_regression>(
      all, "score_regression", "scores", {},
      [](const Arguments&, const auto&... its) { return score_regression(its...); });
  of_numbered<registered::cosine_embedding>(
      all, "cosine_embedding", "same", {},
      [](const Arguments&, const Tensor& a, const Tensor& b, const Tensor& same,
         const auto& options, NoKernel) { return cosine_embedding(a, b, same, options); });
  of_numbered<registered::hadsell_contrastive>(
      all, "hadsell_pairs", "same", {},
      [](const Arguments&, const auto&... its) { return hadsell_pairs(its...); });
}

/// Pairs of rows by number: call(x, [references,] positive pairs, negative pairs, options, kernel).
template <class Line, class Call>
void listed_pairs(Operators& all, const std::string& name, const Call& call) {
  add<Line>(
      all,
      {name,
       "Tensor x, Tensor positive_pairs, Tensor negative_pairs",
       {"x", "references"},
       {},
       "Tensor? references=None"},
      [](const Arguments& from) {
        return std::vector<c10::SymInt>{from.tensor("positive_pairs").sym_size(0) +
                                        from.tensor("negative_pairs").sym_size(0)};
      },
      [call](const Arguments& from, const auto& options, const auto& kernel) {
        const Tensor positives = from.tensor("positive_pairs");
        const Tensor negatives = from.tensor("negative_pairs");
        const Tensor references = from.tensor("references");
        return references.defined()
                   ? call(from.tensor("x"), references, positives, negatives, options, kernel)
                   : call(from.tensor("x"), positives, negatives, options, kernel);
      });
}

void add_triplets_and_lists(Operators& all) {
  listed_pairs<registered::linear_contrastive>(
      all, "linear_contrastive_listed",
      [](const auto&... its) { return linear_contrastive_listed(its...); });
  listed_pairs<registered::hadsell_contrastive>(
      all, "hadsell_listed", [](const auto&... its) { return hadsell_listed(its...); });
  const Names three = {"anchors", "positives", "negatives"};
  add<registered::triplet>(all, {"triplet", tensors(three), three, {}}, rows_of("anchors"),
                           [](const Arguments& from, const auto& options, const auto& kernel) {
                             return triplet(from.tensor("anchors"), from.tensor("positives"),
                                            from.tensor("negatives"), options, kernel);
                           });
  add<registered::triplet>(
      all,
      {"triplet_listed",
       "Tensor x, Tensor triplets",
       {"x", "references"},
       {},
       "Tensor? references=None"},
      rows_of("triplets"), [](const Arguments& from, const auto& options, const auto& kernel) {
        const Tensor references = from.tensor("references");
        return references.defined()
                   ? triplet_listed(from.tensor("x"), references, from.tensor("triplets"), options,
                                    kernel)
                   : triplet_listed(from.tensor("x"), from.tensor("triplets"), options, kernel);
      });
}

void add_distillation(Operators& all) {
  add<registered::margin_mse>(
      all,
      {"margin_mse",
       "Tensor queries, Tensor positives, Tensor negatives, Tensor teacher_margins",
       {"queries", "positives", "negatives"},
       {}},
      rows_of("queries"), [](const Arguments& from, const auto& options, const auto& kernel) {
        return margin_mse(from.tensor("queries"), from.tensor("positives"),
                          from.tensor("negatives"), from.tensor("teacher_margins"), options,
                          kernel);
      });
  add<registered::distill_kl>(
      all,
      {"distill_kl",
       "Tensor queries, Tensor candidates, Tensor teacher_scores",
       {"queries", "candidates"},
       learnt_temperature()},
      rows_of("queries"), [](const Arguments& from, const auto& options, const auto& kernel) {
        return distill_kl(from.tensor("queries"), from.tensor("candidates"),
                          from.tensor("teacher_scores"), options, temperature(from), kernel);
      });
}

}  // namespace

void add_row_losses(Operators& all) {
  add_queries(all);
  add_views(all);
  add_pairs(all);
  add_triplets_and_lists(all);
  add_distillation(all);
}

}  // namespace nearfar::libtorch::operators
