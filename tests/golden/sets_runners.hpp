#pragma once

#include <map>
#include <string>
#include <vector>

#include "golden/runner.hpp"

/// \file
/// Runners of losses of whole sets of rows and of late interaction.

namespace golden {

/// Runs a loss of two views without a kernel.
template <class S, template <class> class Loss, class Options>
Computed<S> of_views(Case& c) {
  const Loss<S> loss(options_of<Options>(c));
  const auto a = c.matrix<S>("view1");
  const auto b = c.matrix<S>("view2");
  Computed<S> out;
  out.loss = loss.forward_backward(a, b, out.gradients["view1"], out.gradients["view2"]).value;
  return out;
}

/// Runs a loss of one set without a kernel; with cosines if the case names a kernel.
template <class S, template <class> class Loss, class Options>
Computed<S> of_one_set(Case& c) {
  if (c.has_option("kernel") && c.word("kernel") != "cosine") {
    throw std::runtime_error("unknown kernel for " + c.loss());
  }
  const Loss<S> loss(options_of<Options>(c));
  const auto x = c.matrix<S>("x");
  Computed<S> out;
  out.loss = loss.forward_backward(x, out.gradients["x"]).value;
  return out;
}

template <class S, template <class> class Loss, class Options>
Computed<S> of_predictions(Case& c) {
  const Loss<S> loss(options_of<Options>(c));
  const auto p1 = c.matrix<S>("prediction1");
  const auto p2 = c.matrix<S>("prediction2");
  const auto z1 = c.matrix<S>("target1");
  const auto z2 = c.matrix<S>("target2");
  Computed<S> out;
  out.loss = loss.forward_backward(p1, p2, z1, z2, out.gradients["prediction1"],
                                   out.gradients["prediction2"])
                 .value;
  return out;
}

template <class S>
Computed<S> sig_reg(Case& c) {
  const nearfar::SigRegOptions options{.knots = static_cast<nearfar::Index>(c.number("knots")),
                                       .t_max = c.number("t_max")};
  const auto x = c.matrix<S>("x");
  const auto slices = c.matrix<S>("slices");
  Computed<S> out;
  out.loss = nearfar::SigReg<S>(options).forward_backward(x, slices, out.gradients["x"]).value;
  return out;
}

/// Converts sets of tokens that a case pads to one length to rows one after another, and back.
template <class S>
struct Tokens {
  nearfar::Matrix<S> padded;
  nearfar::Matrix<S> rows;
  std::vector<nearfar::Index> offsets = {0};
  std::vector<nearfar::Index> places;  ///< positions of the rows in `padded`

  Tokens(Case& c, const char* name, const char* lengths) : padded(c.matrix<S>(name)) {
    const auto of_sets = c.numbers<nearfar::Index>(lengths);
    const nearfar::Index length = padded.rows() / static_cast<nearfar::Index>(of_sets.size());
    nearfar::Index set = 0;
    for (const nearfar::Index count : of_sets) {
      for (nearfar::Index k = 0; k < count; ++k) places.push_back(set * length + k);
      offsets.push_back(static_cast<nearfar::Index>(places.size()));
      ++set;
    }
    rows.resize(offsets.back(), padded.cols());
    for (nearfar::Index k = 0; k < rows.rows(); ++k) rows.row(k) = padded.row(place(k));
  }

  nearfar::Matrix<S> back(const nearfar::Matrix<S>& of_rows) const {
    nearfar::Matrix<S> out = nearfar::Matrix<S>::Zero(padded.rows(), padded.cols());
    for (nearfar::Index k = 0; k < rows.rows(); ++k) out.row(place(k)) = of_rows.row(k);
    return out;
  }

 private:
  nearfar::Index place(nearfar::Index k) const { return places[static_cast<std::size_t>(k)]; }
};

template <class S>
Computed<S> max_sim_info_nce(Case& c) {
  const auto options = options_of<nearfar::MaxSimInfoNceOptions>(c);
  const Tokens<S> queries(c, "queries", "query_lengths");
  const Tokens<S> documents(c, "documents", "document_lengths");
  return with_kernel<S, nearfar::Cosine, nearfar::InnerProduct>(c, [&]<class K>(const K&) {
    const nearfar::MaxSimInfoNce<S, K> loss(options);
    nearfar::Matrix<S> dq;
    nearfar::Matrix<S> dd;
    Computed<S> out;
    out.loss = loss.forward_backward(queries.rows, queries.offsets, documents.rows,
                                     documents.offsets, dq, dd)
                   .value;
    out.gradients["queries"] = queries.back(dq);
    out.gradients["documents"] = documents.back(dd);
    return out;
  });
}

template <class S>
std::map<std::string, Runner<S>> sets_runners() {
  return {
      {"barlow_twins", of_views<S, nearfar::BarlowTwins, nearfar::BarlowTwinsOptions>},
      {"vicreg", of_views<S, nearfar::VicReg, nearfar::VicRegOptions>},
      {"negative_cosine",
       of_predictions<S, nearfar::NegativeCosine, nearfar::NegativeCosineOptions>},
      {"byol", of_predictions<S, nearfar::Byol, nearfar::ByolOptions>},
      {"ko_leo", of_one_set<S, nearfar::KoLeo, nearfar::KoLeoOptions>},
      {"gor", of_one_set<S, nearfar::Gor, nearfar::GorOptions>},
      {"sigreg", sig_reg<S>},
      {"max_sim_info_nce", max_sim_info_nce<S>},
  };
}

}  // namespace golden
