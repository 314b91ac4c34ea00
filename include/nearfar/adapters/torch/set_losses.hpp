#pragma once

#include "nearfar/adapters/torch/call.hpp"
#include "nearfar/losses/barlow_twins.hpp"
#include "nearfar/losses/gor.hpp"
#include "nearfar/losses/ko_leo.hpp"
#include "nearfar/losses/max_sim.hpp"
#include "nearfar/losses/negative_cosine.hpp"
#include "nearfar/losses/sig_reg.hpp"
#include "nearfar/losses/vic_reg.hpp"

/// \file
/// Losses of whole sets of rows, of predictions with targets, and of sets of tokens.
/// nearfar/adapters/torch.hpp has what holds of all functions.

namespace nearfar::libtorch {

namespace detail {

// Losses without a choice of kernel, as `call` takes them.
template <class S, Kernel>
using BarlowTwinsOver = BarlowTwins<S>;
template <class S, Kernel>
using VicRegOver = VicReg<S>;
template <class S, Kernel>
using KoLeoOver = KoLeo<S>;
template <class S, Kernel>
using GorOver = Gor<S>;
template <class S, Kernel>
using SigRegOver = SigReg<S>;
template <class S, Kernel>
using NegativeCosineOver = NegativeCosine<S>;
template <class S, Kernel>
using ByolOver = Byol<S>;

/// Rows that a loss takes as constants, which computes in one type with `like`: there is no
/// gradient, and no graph is followed.
inline Tensor constant_rows(const char* name, const Tensor& x, const char* like_name,
                            const Tensor& like) {
  check_rows(like_name, like, 2, 2);
  check_rows(name, x, 2, 2);
  check_same_type(name, x, like_name, like);
  return matrix_of(x.detach());
}

/// `Loss<S>` of predictions and targets.
template <template <class S, Kernel K> class Loss, class Options>
Tensor of_predictions(const Tensor& prediction1, const Tensor& prediction2, const Tensor& target1,
                      const Tensor& target2, const Options& options) {
  return call<Loss, Result>(
      {{"prediction1", prediction1}, {"prediction2", prediction2}}, options, Cosine(), {},
      [first = constant_rows("target1", target1, "prediction1", prediction1),
       second = constant_rows("target2", target2, "prediction1", prediction1)]<class Views>(
          const Views& views) {
        using S = typename Views::value_type::Scalar;
        return std::tuple(views[0], views[1], rows_of<S>(first), rows_of<S>(second));
      });
}

}  // namespace detail

/// BarlowTwins: two views, both N x D.
inline Tensor barlow_twins(const Tensor& view1, const Tensor& view2,
                           const BarlowTwinsOptions& options = {}) {
  return detail::call<detail::BarlowTwinsOver, Result>(
      {{"view1", view1}, {"view2", view2}}, options, Cosine(), {},
      [](const auto& views) { return std::tuple(views[0], views[1]); });
}

/// VicReg: two views, both N x D.
inline Tensor vic_reg(const Tensor& view1, const Tensor& view2, const VicRegOptions& options = {}) {
  return detail::call<detail::VicRegOver, Result>(
      {{"view1", view1}, {"view2", view2}}, options, Cosine(), {},
      [](const auto& views) { return std::tuple(views[0], views[1]); });
}

/// KoLeo of x, N x D. Reduction::none gives N values.
inline Tensor ko_leo(const Tensor& x, const KoLeoOptions& options = {}) {
  return detail::call<detail::KoLeoOver, Result>(
      {{"x", x}}, options, Cosine(), {}, [](const auto& views) { return std::tuple(views[0]); });
}

/// Gor of x, N x D.
inline Tensor gor(const Tensor& x, const GorOptions& options = {}) {
  return detail::call<detail::GorOver, Result>(
      {{"x", x}}, options, Cosine(), {}, [](const auto& views) { return std::tuple(views[0]); });
}

/// SigReg of x (N x D) on slices (M x D), which get no gradient.
inline Tensor sig_reg(const Tensor& x, const Tensor& slices, const SigRegOptions& options = {}) {
  return detail::call<detail::SigRegOver, Result>(
      {{"x", x}}, options, InnerProduct(), {},
      [constant =
           detail::constant_rows("slices", slices, "x", x)]<class Views>(const Views& views) {
        using S = typename Views::value_type::Scalar;
        return std::tuple(views[0], detail::rows_of<S>(constant));
      });
}

/// NegativeCosine: predictions of two views and targets of both, all N x D. Targets get no
/// gradient. Reduction::none gives N values.
inline Tensor negative_cosine(const Tensor& prediction1, const Tensor& prediction2,
                              const Tensor& target1, const Tensor& target2,
                              const NegativeCosineOptions& options = {}) {
  return detail::of_predictions<detail::NegativeCosineOver>(prediction1, prediction2, target1,
                                                            target2, options);
}

/// Byol: likewise.
inline Tensor byol(const Tensor& prediction1, const Tensor& prediction2, const Tensor& target1,
                   const Tensor& target2, const ByolOptions& options = {}) {
  return detail::of_predictions<detail::ByolOver>(prediction1, prediction2, target1, target2,
                                                  options);
}

namespace detail {

/// A loss of sets of tokens; `where` come before the other arguments of a call.
template <template <class S, Kernel K> class Loss, class K, class... Where>
Tensor over_tokens(const Tensor& queries, const Tensor& query_offsets, const Tensor& documents,
                   const Tensor& document_offsets, const MaxSimInfoNceOptions& options,
                   const TemperatureTensor& learnt, const K& kernel, const Where&... where) {
  return call<Loss>({{"queries", queries}, {"documents", documents}}, options, kernel,
                    temperature_of<MaxSimInfoNceOptions, TemperatureResult>(learnt),
                    [of_queries = checked_integers("query_offsets", query_offsets),
                     of_documents = checked_integers("document_offsets", document_offsets),
                     where...](const auto& views) {
                      return std::tuple(where..., views[0], offsets_of(of_queries), views[1],
                                        offsets_of(of_documents));
                    });
}

}  // namespace detail

/// MaxSimInfoNce: tokens of queries (T x D) and of documents (U x D), those of query i in rows
/// query_offsets[i] .. query_offsets[i + 1] - 1 (int64, Q + 1), of documents likewise (M + 1, M >=
/// Q). Reduction::none gives Q values.
template <class K = Cosine>
Tensor max_sim_info_nce(const Tensor& queries, const Tensor& query_offsets, const Tensor& documents,
                        const Tensor& document_offsets, const MaxSimInfoNceOptions& options = {},
                        const TemperatureTensor& learnt = {}, const K& kernel = {}) {
  return detail::over_tokens<MaxSimInfoNce>(queries, query_offsets, documents, document_offsets,
                                            options, learnt, kernel);
}

}  // namespace nearfar::libtorch
