#pragma once

#include <algorithm>

#include "nearfar/core/check_targets.hpp"
#include "nearfar/engine/call.hpp"
#include "nearfar/engine/pair_counts.hpp"
#include "nearfar/losses/clip.hpp"
#include "nearfar/terms/many_positives_softmax.hpp"
#include "nearfar/terms/one_positive_softmax.hpp"

namespace nearfar::detail {

/// The positives of the rows of one side, and each row's numbers of positives and negatives.
template <class S>
struct ClipSide {
  PositiveRule<S> rule;
  Index* positives = nullptr;
  Index* negatives = nullptr;

  /// Room for the counts of `rows` rows.
  ClipSide(Scratch& scratch, Index rows)
      : positives(scratch.take<Index>(rows)), negatives(scratch.take<Index>(rows)) {}
};

/// Pairs without these have no gradient.
enum class ClipNeeds { positives, negatives };

inline double clip_scale(const ClipOptions& options) {
  return std::min(options.logit_scale, options.largest_logit_scale);
}

/// Value, derivatives and gradients, after both directions are closed and pairs without a positive
/// or a negative counted, in the frame of one process or of many.
template <class S, class Frame, class Term>
void finish_clip(const ClipOptions& options, Frame& call, const Term& of_images,
                 const Term& of_texts, ClipNeeds needed, ClipResult& result) {
  Diagnostics& d = result.diagnostics;
  const double share = options.directions == ClipDirections::mean ? 0.5 : 1.0;
  const Index n = call.own_rows(0);
  const auto value_of = [&](Index i) { return share * (of_images.value(i) + of_texts.value(i)); };
  count_terms(n, value_of, d);
  call.combine(d);
  refuse_unusable(
      options.unusable_anchors,
      needed == ClipNeeds::positives ? d.anchors_without_positive : d.anchors_without_negative,
      needed == ClipNeeds::positives ? "without a positive" : "without a negative");
  call.reduce(n, value_of, result);
  if (!call.wants_gradients()) return;
  const double factor = share * call.scale(d);
  const double moments =
      call.sum(n, [&](Index i) { return of_images[i].temperature + of_texts[i].temperature; });
  // dL/dsigma = -1/sigma^2 dL/dtau, dL/dtau = -sigma times the moments.
  const double derivative =
      checked_derivative("d_logit_scale", factor * moments / clip_scale(options));
  // At the limit a larger scale changes nothing; a smaller one does, so that the scale can decrease
  // again.
  const bool capped = options.logit_scale >= options.largest_logit_scale;
  result.d_logit_scale = capped ? std::max(derivative, 0.0) : derivative;
  call.scatter(factor);
}

/// The loss in the frame of one process or of many, with one positive for each image and text.
template <class S, class Frame>
ClipResult clip(const ClipOptions& options, Frame& call) {
  const OnePositiveSettings<S> settings{call.kernel().sign(), 1 / clip_scale(options)};
  auto of_images = call.template make<OnePositiveSoftmax<S>>(0, settings, call.upstream());
  auto of_texts = call.template make<OnePositiveSoftmax<S>>(1, settings, call.upstream());
  call.keep_positives(nullptr);
  ClipResult result;
  Diagnostics& d = result.diagnostics;
  call.run_both_ways(of_images, of_texts, d);
  for (Index i = 0; i < call.own_rows(0); ++i) {
    d.anchors_without_negative += of_images[i].negatives == 0 ? 1 : 0;
  }
  finish_clip<S>(options, call, of_images, of_texts, ClipNeeds::negatives, result);
  return result;
}

/// The same with any number of positives on either side.
template <class S, class Frame>
ClipResult clip(const ClipOptions& options, Frame& call, const ClipSide<S>& images,
                const ClipSide<S>& texts) {
  ClipResult result;
  Diagnostics& d = result.diagnostics;
  for (Index i = 0; i < call.own_rows(0); ++i) {
    const bool no_positive = images.positives[i] == 0 || texts.positives[i] == 0;
    const bool no_negative = images.negatives[i] == 0 || texts.negatives[i] == 0;
    d.anchors_without_positive += no_positive ? 1 : 0;
    d.anchors_without_negative += no_negative ? 1 : 0;
  }
  const auto make = [&](int k, const ClipSide<S>& side) {
    return call.template make<ManyPositivesSoftmax<S>>(
        k, call.kernel().sign(), 1 / clip_scale(options), MeanOverPositives::outside_log, side.rule,
        side.positives, call.upstream());
  };
  auto of_images = make(0, images);
  auto of_texts = make(1, texts);
  call.run_both_ways(of_images, of_texts, d);
  finish_clip<S>(options, call, of_images, of_texts, ClipNeeds::positives, result);
  return result;
}

template <class S>
ClipResult evaluate(const ClipOptions& options, const KernelValue<S>& kernel,
                    const Inputs<S, 2>& inputs, const Targets& given) {
  Call<S> call(kernel, options.reduction, inputs);
  const LabelledRows labelled =
      labelled_rows(call.scratch(), {"targets", given}, inputs.rows[0].rows());
  call.add_pairs(inputs, "images", "texts", labelled.rows);
  call.take_bfloat16_products();
  call.check(labelled.rows);
  const Index n = labelled.rows.count;
  check_pair_targets({"targets", labelled.targets}, n, n);
  const Targets targets = pair_classes(call.scratch(), labelled.targets);
  if (targets.has_ids()) call.leave_out(targets.ids(), targets.ids());
  call.keep_positives(nullptr);
  call.pack();
  if (targets.rule() == Targets::Rule::none) return clip<S>(options, call);

  Scratch& scratch = call.scratch();
  const Targets same = targets;  // for texts: a separate object differs from the images' targets
  ClipSide<S> images(scratch, n);
  ClipSide<S> texts(scratch, n);
  images.rule = PositiveRule<S>(scratch, targets, same);
  images.rule.set_of_pairs();
  texts.rule = images.rule;
  if (targets.rule() == Targets::Rule::lists) texts.rule = images.rule.reversed(scratch, n, n);
  const bool by_class = images.rule.by_labels() && !targets.has_ids();
  for (const ClipSide<S>* side : {&images, &texts}) {
    for (Index i = 0; i < n && by_class; ++i) {
      side->positives[i] = images.rule.members(i);
      side->negatives[i] = n - images.rule.members(i);
    }
    if (by_class) continue;
    each_counted(n, call.threads(), [&](Index i) {
      const PairCounts counts = count_pairs(side->rule, {Pairing::all, call.excluded()}, i, n);
      side->positives[i] = counts.positives;
      side->negatives[i] = counts.negatives;
    });
  }
  return clip<S>(options, call, images, texts);
}

}  // namespace nearfar::detail
