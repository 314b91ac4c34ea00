#pragma once

#include <algorithm>
#include <functional>
#include <nearfar/losses/register.hpp>
#include <optional>
#include <type_traits>

#include "golden/golden_case.hpp"
#include "support/named_arguments.hpp"

/// \file
/// The calls for the names of losses in cases, through the classes or an interface to them: a table
/// of the line of the register, the names of the sets of rows, and what a case says otherwise than
/// the options.

namespace golden {

using support::NamedArguments;
using support::Outcome;
using support::Takes;

template <class S>
using Runner = std::function<Outcome<S>(Case&)>;

/// A kernel's name in cases.
template <class K>
inline constexpr const char* name_of_kernel = "";
template <>
inline constexpr const char* name_of_kernel<nearfar::Euclidean> = "euclidean";
template <>
inline constexpr const char* name_of_kernel<nearfar::SquaredEuclidean> = "squared_euclidean";
template <>
inline constexpr const char* name_of_kernel<nearfar::Cosine> = "cosine";
template <>
inline constexpr const char* name_of_kernel<nearfar::InnerProduct> = "inner_product";
template <class S>
inline constexpr const char* name_of_kernel<nearfar::Mahalanobis<S>> = "mahalanobis";

/// The options of a case, by their names. A number that is learnt is an input.
template <class Options>
Options options_of(Case& c) {
  Options options;
  Options::fields(
      [&]<class T>(const std::string& name, T& value) {
        if constexpr (std::is_same_v<T, double> || std::is_same_v<T, std::optional<double>>) {
          if (c.has_input(name) && !c.is_list(name)) value = c.input_number(name);
        }
        if (!c.has_option(name)) return;
        if constexpr (std::is_same_v<T, nearfar::Reduction>) {
          value = c.reduction();
        } else if constexpr (std::is_same_v<T, double> ||
                             std::is_same_v<T, std::optional<double>>) {
          value = c.number(name);
        } else if constexpr (std::is_same_v<T, bool>) {
          value = c.flag(name);
        } else if constexpr (std::is_integral_v<T>) {
          value = c.integer<T>(name);
        } else if constexpr (std::is_enum_v<T>) {
          const auto& choices = nearfar::registered::choices_of<T>;
          const auto found = std::find(choices.begin(), choices.end(), c.word(name));
          if (found == choices.end()) throw std::runtime_error("unknown choice of " + name);
          value = static_cast<T>(found - choices.begin());
        } else if constexpr (requires { value.push_back(typename T::value_type()); }) {
          value = c.list<typename T::value_type>(name);
        }
      },
      options);
  return options;
}

/// Pairs that a case lists as [i, j], one after the other.
inline support::ListedPairs pairs_of(const std::vector<std::int64_t>& numbers) {
  support::ListedPairs out;
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    (k % 2 == 0 ? out.first : out.second).push_back(numbers[k]);
  }
  return out;
}

/// The arguments of a call, by the names of a case's inputs. `names`: the sets of rows with a
/// gradient; those that a case lacks are left out.
template <class S>
NamedArguments<S> arguments_of(Case& c, const std::vector<std::string>& names) {
  NamedArguments<S> out;
  for (const std::string& name : names) {
    if (c.has_input(name)) out.add(name, c.matrix<S>(name));
  }
  for (const char* name : {"target1", "target2", "slices", "guide_queries", "guide_keys"}) {
    if (c.has_input(name)) out.constants.push_back(c.matrix<S>(name));
  }
  const auto integers = [&](const char* name, std::vector<std::int64_t>& to) {
    if (c.has_input(name)) to = c.labels(name);
  };
  integers("labels", out.labels);
  integers("ids", out.ids);
  integers("negative_ids", out.negative_ids);
  integers("same", out.same);
  for (const char* name : {"scores", "teacher_margins", "teacher_scores", "log_noise_keys"}) {
    if (c.has_input(name)) out.numbers = c.flat_numbers<S>(name);
  }
  if (c.has_input("log_noise_negatives")) {
    out.negatives_numbers = c.numbers<S>("log_noise_negatives");
  }
  if (c.has_input("log_q")) out.log_q = c.numbers<double>("log_q");
  if (c.has_input("offsets")) out.offsets = c.numbers<nearfar::Index>("offsets");
  out.per_query = c.has_input("negatives") && c.is_nested("negatives");
  out.listed = c.has_input("positive_pairs");
  if (out.listed) {
    out.positive_pairs = pairs_of(c.labels("positive_pairs"));
    out.negative_pairs = pairs_of(c.labels("negative_pairs"));
  }
  return out;
}

/// Calls body(kernel) with the kernel of a list that a case names.
template <class S, class... K, class Body>
Outcome<S> with_kernel(Case& c, const std::string& name, nearfar::registered::KernelList<K...>,
                       const Body& body) {
  Outcome<S> out;
  const auto attempt = [&]<class Kernel>() {
    if (name.empty() || name != name_of_kernel<Kernel>) return false;
    if constexpr (nearfar::ParametricKernel<Kernel>) {
      const auto matrix = c.matrix<S>(support::gradient_of_matrix);
      out = body(Kernel(matrix));
    } else {
      out = body(Kernel());
    }
    return true;
  };
  if (!(attempt.template operator()<K>() || ...)) {
    throw std::runtime_error("unknown kernel " + name + " for " + c.loss());
  }
  return out;
}

/// What a case of a loss says otherwise than the loss's options and arguments.
template <class S, class Line>
struct Entry {
  std::vector<std::string> names;  ///< of the sets of rows with a gradient
  /// Options that follow from others of the case.
  std::function<void(Case&, typename Line::Options&)> adjust = {};
  /// The case's name of the kernel, if the loss has no choice of kernels or the name is another.
  const char* fixed_kernel = nullptr;
  std::function<void(Case&, NamedArguments<S>&)> arrange = {};
  std::function<void(Case&, Outcome<S>&)> rearrange = {};  ///< gradients as the case has them
};

/// The runner of a line.
template <class S, class Line, class Through>
Runner<S> runner_of(const Entry<S, Line>& entry) {
  return [entry](Case& c) {
    auto options = options_of<typename Line::Options>(c);
    if (entry.adjust) entry.adjust(c, options);
    NamedArguments<S> arguments = arguments_of<S>(c, entry.names);
    if (entry.arrange) entry.arrange(c, arguments);
    const std::string named = c.has_option("kernel") ? c.word("kernel") : "";
    const auto call = [&]<class K>(const K& kernel) {
      return Through::template call<Line, S, K>(options, kernel, arguments);
    };
    Outcome<S> out;
    using Kernels = typename Line::template Kernels<S>;
    if constexpr (std::is_same_v<Kernels, nearfar::registered::KernelList<>>) {
      if (!named.empty() && named != (entry.fixed_kernel ? entry.fixed_kernel : "")) {
        throw std::runtime_error("unknown kernel " + named + " for " + c.loss());
      }
      out = call(nearfar::Cosine());
    } else {
      using Own =
          std::remove_cvref_t<decltype(std::declval<typename Line::template Loss<S>>().kernel())>;
      const bool own = named.empty() || (entry.fixed_kernel && named == entry.fixed_kernel);
      out = with_kernel<S>(c, own ? name_of_kernel<Own> : named, Kernels(), call);
    }
    if (entry.rearrange) entry.rearrange(c, out);
    return out;
  };
}

// ---- what single losses say otherwise ----------------------------------------------------------

inline void mined_form(Case& c, nearfar::MinedTripletOptions& options) {
  const bool soft = c.has_option("soft_margin") && c.flag("soft_margin");
  options.form = soft ? nearfar::TripletForm::soft : nearfar::TripletForm::hinge;
}

/// With half the squared distance: the log-likelihood of a unit Gaussian.
inline void club(Case&, nearfar::MutualInformationOptions& options) {
  options.bound = nearfar::MutualInformationBound::club;
  options.temperature = 2;
}

/// Cases have a scale, the inverse of the temperature.
template <class Options>
void inverse_scale(Case& c, Options& options) {
  options.temperature = 1 / c.number("scale");
}

/// Only the difference of a case's two margins counts.
inline void difference_of_margins(Case& c, nearfar::GeneralizedLiftedStructureOptions& options) {
  options.margin = c.number("negative_margin") - c.number("positive_margin");
}

inline void positive_pairs_as_terms(Case&, nearfar::SincereOptions& options) {
  options.terms = nearfar::SincereTerms::positive_pairs;
}

inline void negatives_only(Case&, nearfar::NtXentOptions& options) {
  options.denominator = nearfar::Denominator::negatives_only;
}

inline void prefixes(Case& c, nearfar::MatryoshkaOptions& options) {
  options.prefixes = c.list<nearfar::Index>("dims");
}

inline void in_batch(Case& c, nearfar::InBatchInfoNceOptions& options) {
  using nearfar::FalseNegatives;
  using nearfar::Hardness;
  using nearfar::Partition;
  if (c.loss() == "gist_embed") options.query_to_query = options.key_to_key = true;
  if (c.has_option("directions")) {
    for (const std::string& direction : c.list<std::string>("directions")) {
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
  }
  if (c.has_option("margin")) {
    options.false_negatives = c.word("margin_strategy") == "relative"
                                  ? FalseNegatives::drop_relative
                                  : FalseNegatives::drop;
  }
}

/// Each query has one negative of its own.
template <class S>
void own_negatives(Case&, NamedArguments<S>& arguments) {
  arguments.per_query = true;
}

/// Boundaries of classes are a column.
template <class S>
void boundaries(Case& c, NamedArguments<S>& arguments) {
  if (c.is_list("beta")) arguments.sets.back().transposeInPlace();
  if (!c.is_list("beta")) arguments.sets.pop_back();
}
template <class S>
void boundaries_in_a_row(Case&, Outcome<S>& out) {
  out.gradients.at("beta").transposeInPlace();
}

// One step of CPC and one time: sequences of two positions whose other rows have no influence.
inline void one_step(Case&, nearfar::CpcOptions& options) {
  options.length = 2;
  options.negatives = nearfar::SequenceNegatives::same_time;
}
template <class S>
void in_sequences(Case&, NamedArguments<S>& arguments) {
  for (nearfar::Index at = 0; at < 2; ++at) {
    nearfar::Matrix<S>& rows = arguments.sets[static_cast<std::size_t>(at)];
    nearfar::Matrix<S> all = nearfar::Matrix<S>::Constant(2 * rows.rows(), rows.cols(), S(3));
    for (nearfar::Index i = 0; i < rows.rows(); ++i) all.row(2 * i + at) = rows.row(i);
    rows = all;
  }
}
template <class S>
void out_of_sequences(Case&, Outcome<S>& out) {
  for (const auto& [name, at] :
       std::map<const char*, nearfar::Index>{{"context", 0}, {"targets", 1}}) {
    nearfar::Matrix<S>& all = out.gradients.at(name);
    nearfar::Matrix<S> rows(all.rows() / 2, all.cols());
    for (nearfar::Index i = 0; i < rows.rows(); ++i) rows.row(i) = all.row(2 * i + at);
    all = rows;
  }
}

/// The rows of sets of tokens among those that a case pads to one length.
struct Tokens {
  std::vector<nearfar::Index> offsets = {0};
  std::vector<nearfar::Index> places;

  Tokens(Case& c, const char* lengths, nearfar::Index padded_rows) {
    const auto of_sets = c.numbers<nearfar::Index>(lengths);
    const nearfar::Index length = padded_rows / static_cast<nearfar::Index>(of_sets.size());
    nearfar::Index set = 0;
    for (const nearfar::Index count : of_sets) {
      for (nearfar::Index k = 0; k < count; ++k) places.push_back(set * length + k);
      offsets.push_back(static_cast<nearfar::Index>(places.size()));
      ++set;
    }
  }
};
template <class S>
void packed_tokens(Case& c, NamedArguments<S>& arguments) {
  const auto pack = [&](std::size_t set, const char* lengths) {
    nearfar::Matrix<S>& rows = arguments.sets[set];
    const Tokens tokens(c, lengths, rows.rows());
    rows = nearfar::Matrix<S>(rows(tokens.places, Eigen::indexing::all));
    return tokens.offsets;
  };
  arguments.offsets = pack(0, "query_lengths");
  arguments.document_offsets = pack(1, "document_lengths");
}
template <class S>
void padded_tokens(Case& c, Outcome<S>& out) {
  const auto pad = [&](const char* name, const char* lengths) {
    const nearfar::Index rows = c.matrix<S>(name).rows();
    const Tokens tokens(c, lengths, rows);
    nearfar::Matrix<S>& gradient = out.gradients.at(name);
    nearfar::Matrix<S> padded = nearfar::Matrix<S>::Zero(rows, gradient.cols());
    for (std::size_t k = 0; k < tokens.places.size(); ++k) {
      padded.row(tokens.places[k]) = gradient.row(static_cast<nearfar::Index>(k));
    }
    gradient = padded;
  };
  pad("queries", "query_lengths");
  pad("documents", "document_lengths");
}

// ---- the table
// -----------------------------------------------------------------------------------

/// All runners. Through: see support/named_arguments.hpp.
template <class S, class Through>
std::map<std::string, Runner<S>> runners() {
  namespace r = nearfar::registered;
  std::map<std::string, Runner<S>> all;
  const auto add = [&]<class Line>(const char* name, const Entry<S, Line>& entry) {
    if (!all.emplace(name, runner_of<S, Line, Through>(entry)).second) {
      throw std::logic_error(std::string("two runners of ") + name);
    }
  };
#define NEARFAR_OF_BATCH(name) add(#name, Entry<S, r::name>{.names = {"x"}})
  NEARFAR_OF_BATCH(angular);
  NEARFAR_OF_BATCH(centroid_triplet);
  NEARFAR_OF_BATCH(circle);
  NEARFAR_OF_BATCH(fast_ap);
  NEARFAR_OF_BATCH(intra_pair_variance);
  NEARFAR_OF_BATCH(ko_leo);
  NEARFAR_OF_BATCH(multi_similarity);
  NEARFAR_OF_BATCH(ranked_list);
  NEARFAR_OF_BATCH(sincere);
  NEARFAR_OF_BATCH(smooth_ap);
  NEARFAR_OF_BATCH(sup_con);
  NEARFAR_OF_BATCH(uniformity);
#undef NEARFAR_OF_BATCH
  add("generalized_lifted_structure",
      Entry<S, r::generalized_lifted_structure>{.names = {"x"}, .adjust = difference_of_margins});
  add("gor", Entry<S, r::gor>{.names = {"x"}, .fixed_kernel = "cosine"});
  add("hadsell_contrastive_labels", Entry<S, r::hadsell_contrastive>{.names = {"x"}});
  add("linear_contrastive_labels", Entry<S, r::linear_contrastive>{.names = {"x"}});
  add("linear_contrastive_pairs", Entry<S, r::linear_contrastive>{.names = {"x", "references"}});
  add("margin_loss",
      Entry<S, r::margin_loss>{
          .names = {"x", "beta"}, .arrange = boundaries<S>, .rearrange = boundaries_in_a_row<S>});
  add("multi_similarity_mined", Entry<S, r::multi_similarity>{.names = {"x"}});
  add("nca", Entry<S, r::nca>{.names = {"x"}, .adjust = inverse_scale<nearfar::NcaOptions>});
  add("nt_xent_labels", Entry<S, r::sincere>{.names = {"x"}, .adjust = positive_pairs_as_terms});
  add("sigreg", Entry<S, r::sig_reg>{.names = {"x"}});
  add("snr_contrastive_labels",
      Entry<S, r::snr_contrastive>{.names = {"x"}, .fixed_kernel = "snr"});
  add("triplet_labels", Entry<S, r::mined_triplet>{.names = {"x"}, .adjust = mined_form});
  add("tuplet_margin", Entry<S, r::tuplet_margin>{
                           .names = {"x"}, .adjust = inverse_scale<nearfar::TupletMarginOptions>});

#define NEARFAR_OVER_PROXIES(name, ...) add(#name, Entry<S, r::name>{.names = {"x", "proxies"}});
  NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_OVER_PROXIES)
#undef NEARFAR_OVER_PROXIES

  add("alignment", Entry<S, r::alignment>{.names = {"x", "y"}});
  add("angle", Entry<S, r::angle>{.names = {"a", "b"}});
  add("barlow_twins", Entry<S, r::barlow_twins>{.names = {"view1", "view2"}});
  add("byol", Entry<S, r::byol>{.names = {"prediction1", "prediction2"}});
  for (const char* name : {"clip", "clip_ids", "clip_labels"}) {
    add(name, Entry<S, r::clip>{.names = {"image", "text"}});
  }
  add("club", Entry<S, r::mutual_information>{.names = {"x", "y"}, .adjust = club});
  add("cosent", Entry<S, r::co_sent>{.names = {"a", "b"}});
  add("cpc", Entry<S, r::cpc>{.names = {"context", "targets", "weight"},
                              .adjust = one_step,
                              .fixed_kernel = "bilinear",
                              .arrange = in_sequences<S>,
                              .rearrange = out_of_sequences<S>});
  add("dcl", Entry<S, r::nt_xent>{.names = {"view1", "view2"}, .adjust = negatives_only});
  add("dclw", Entry<S, r::dclw>{.names = {"view1", "view2"}});
  add("dhel", Entry<S, r::dhel>{.names = {"view1", "view2"}});
  add("distill_kl", Entry<S, r::distill_kl>{.names = {"queries", "candidates"}});
  add("hadsell_contrastive", Entry<S, r::hadsell_contrastive>{.names = {"a", "b"}});
  for (const char* name : {"gist_embed", "info_nce_drop_margin", "info_nce_guided",
                           "info_nce_hardness", "info_nce_log_q", "joint_softmax"}) {
    add(name, Entry<S, r::in_batch_info_nce>{.names = {"queries", "keys", "negatives"},
                                             .adjust = in_batch,
                                             .arrange = own_negatives<S>});
  }
  for (const char* name : {"info_nce", "info_nce_ids", "info_nce_negatives",
                           "info_nce_per_query_ids", "info_nce_ragged"}) {
    add(name, Entry<S, r::info_nce>{.names = {"queries", "keys", "negatives"}});
  }
  add("margin_mse", Entry<S, r::margin_mse>{.names = {"queries", "positives", "negatives"}});
  add("matryoshka_info_nce",
      Entry<S, support::MatryoshkaLine>{.names = {"queries", "keys"}, .adjust = prefixes});
  add("max_sim_info_nce", Entry<S, r::max_sim_info_nce>{.names = {"queries", "documents"},
                                                        .arrange = packed_tokens<S>,
                                                        .rearrange = padded_tokens<S>});
  add("n_pair",
      Entry<S, r::n_pair>{.names = {"anchors", "positives"}, .fixed_kernel = "inner_product"});
  add("nce", Entry<S, r::nce>{.names = {"queries", "keys", "negatives"}});
  add("negative_cosine", Entry<S, r::negative_cosine>{.names = {"prediction1", "prediction2"}});
  add("negative_sampling",
      Entry<S, r::negative_sampling>{.names = {"queries", "keys", "negatives"}});
  for (const char* name : {"nt_xent", "nt_xent_ids"}) {
    add(name, Entry<S, r::nt_xent>{.names = {"view1", "view2"}});
  }
  add("rince", Entry<S, r::rince>{.names = {"queries", "keys"}});
  add("rince_views", Entry<S, r::rince_views>{.names = {"view1", "view2"}});
  for (const char* name : {"siglip", "siglip_ids", "siglip_labels"}) {
    add(name, Entry<S, r::sig_lip>{.names = {"image", "text"}});
  }
  add("triplet", Entry<S, r::triplet>{.names = {"anchors", "positives", "negatives"}});
  add("vicreg", Entry<S, r::vic_reg>{.names = {"view1", "view2"}});
  return all;
}

}  // namespace golden
