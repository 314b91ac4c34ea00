#include "nearfar/losses/circle.hpp"
#include "nearfar/losses/hadsell.hpp"
#include "nearfar/losses/lifted_structure.hpp"
#include "nearfar/losses/linear_contrastive.hpp"
#include "nearfar/losses/mined_triplet.hpp"
#include "nearfar/losses/multi_similarity.hpp"
#include "nearfar/losses/sup_con.hpp"
#include "settings.hpp"

/// \file
/// Losses over labels.

namespace nearfar::detail::c {

template <>
inline constexpr std::int32_t constants_of<CircleWeights> = 2;
static_assert(static_cast<int>(CircleWeights::differentiated) == NEARFAR_CIRCLE_DIFFERENTIATED);

template <>
inline constexpr std::int32_t constants_of<SquareFactor> = 2;
static_assert(static_cast<int>(SquareFactor::one) == NEARFAR_SQUARE_ONE);

template <>
inline constexpr std::int32_t constants_of<SupConVariant> = 2;
static_assert(static_cast<int>(SupConVariant::in) == NEARFAR_SUP_CON_IN);

template <>
inline constexpr std::int32_t constants_of<Mining> = 8;
static_assert(static_cast<int>(Mining::all) == NEARFAR_MINING_ALL);
static_assert(static_cast<int>(Mining::hard) == NEARFAR_MINING_HARD);
static_assert(static_cast<int>(Mining::semihard) == NEARFAR_MINING_SEMIHARD);
static_assert(static_cast<int>(Mining::easy) == NEARFAR_MINING_EASY);
static_assert(static_cast<int>(Mining::batch_hard) == NEARFAR_MINING_BATCH_HARD);
static_assert(static_cast<int>(Mining::batch_easy_hard) == NEARFAR_MINING_BATCH_EASY_HARD);
static_assert(static_cast<int>(Mining::semi_hard_per_pair) == NEARFAR_MINING_SEMI_HARD_PER_PAIR);
static_assert(static_cast<int>(Mining::distance_weighted) == NEARFAR_MINING_DISTANCE_WEIGHTED);

template <>
inline constexpr std::int32_t constants_of<PositiveChoice> = 3;
static_assert(static_cast<int>(PositiveChoice::easy) == NEARFAR_CHOICE_EASY);
static_assert(static_cast<int>(PositiveChoice::semihard) == NEARFAR_CHOICE_SEMIHARD);
static_assert(static_cast<int>(PositiveChoice::hard) == NEARFAR_CHOICE_HARD);

template <>
inline constexpr std::int32_t constants_of<NegativeChoice> = 3;
static_assert(static_cast<int>(NegativeChoice::easy) == NEARFAR_CHOICE_EASY);
static_assert(static_cast<int>(NegativeChoice::semihard) == NEARFAR_CHOICE_SEMIHARD);
static_assert(static_cast<int>(NegativeChoice::hard) == NEARFAR_CHOICE_HARD);

namespace {

struct CircleForm : FormOf<nearfar_circle_options, CircleOptions> {
  static constexpr const char* name = "Circle";
  template <class S, class K>
  using Loss = Circle<S, K>;
  using Kernels = SymmetricSimilarities;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("m", c.m, cpp.m);
    visit("gamma", c.gamma, cpp.gamma);
    visit("weights", c.weights, cpp.weights);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct HadsellForm : FormOf<nearfar_hadsell_contrastive_options, HadsellOptions> {
  static constexpr const char* name = "HadsellContrastive";
  template <class S, class K>
  using Loss = HadsellContrastive<S, K>;
  using Kernels = Distances;
  static constexpr nearfar_kernel kernel = NEARFAR_EUCLIDEAN;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("margin", c.margin, cpp.margin);
    visit("factor", c.factor, cpp.factor);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct LiftedStructureForm : FormOf<nearfar_lifted_structure_options, LiftedStructureOptions> {
  static constexpr const char* name = "LiftedStructure";
  template <class S, class K>
  using Loss = LiftedStructure<S, K>;
  using Kernels = SymmetricKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_EUCLIDEAN;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("margin", c.margin, cpp.margin);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct LinearContrastiveForm
    : FormOf<nearfar_linear_contrastive_options, LinearContrastiveOptions> {
  static constexpr const char* name = "LinearContrastive";
  template <class S, class K>
  using Loss = LinearContrastive<S, K>;
  using Kernels = SymmetricKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_EUCLIDEAN;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("positive_margin", c.positive_margin, cpp.positive_margin);
    visit("negative_margin", c.negative_margin, cpp.negative_margin);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct MinedTripletForm : FormOf<nearfar_mined_triplet_options, MinedTripletOptions> {
  static constexpr const char* name = "MinedTriplet";
  template <class S, class K>
  using Loss = MinedTriplet<S, K>;
  using Kernels = SymmetricKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_EUCLIDEAN;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("margin", c.margin, cpp.margin);
    visit("form", c.form, cpp.form);
    visit("mining", c.mining, cpp.mining);
    visit("positive", c.positive, cpp.positive);
    visit("negative", c.negative, cpp.negative);
    visit("weighting_seed", c.weighting_seed, cpp.weighting.seed);
    visit("weighting_step", c.weighting_step, cpp.weighting.step);
    visit("weighting_nearest", c.weighting_nearest, cpp.weighting.nearest);
    visit("weighting_farthest", c.weighting_farthest, cpp.weighting.farthest);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct MultiSimilarityForm : FormOf<nearfar_multi_similarity_options, MultiSimilarityOptions> {
  static constexpr const char* name = "MultiSimilarity";
  template <class S, class K>
  using Loss = MultiSimilarity<S, K>;
  using Kernels = SymmetricSimilarities;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("alpha", c.alpha, cpp.alpha);
    visit("beta", c.beta, cpp.beta);
    visit("base", c.base, cpp.base);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct SupConForm : FormOf<nearfar_sup_con_options, SupConOptions> {
  static constexpr const char* name = "SupCon";
  template <class S, class K>
  using Loss = SupCon<S, K>;
  using Kernels = SymmetricKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("temperature", c.temperature, cpp.temperature);
    visit("variant", c.variant, cpp.variant);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

template <class Form>
class LabelLoss : public LossOf<Form> {
 public:
  using LossOf<Form>::LossOf;

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

/// Also of pairs that are given.
class HadsellLoss : public LabelLoss<HadsellForm> {
 public:
  using LabelLoss::LabelLoss;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    const Labels same = labels_of("match", required("match", in.match));
    with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> a = rows_of<S>("x", in.x);
      const Rows<S> b = rows_of<S>("y", in.y);
      const GradientRows<S> da = gradient_of<S>("dx", in.dx);
      const GradientRows<S> db = gradient_of<S>("dy", in.dy);
      const CallOptions<S> call = pass.options<S>(reduction());
      pass.run(
          reduction(), a.rows(), [&] { return loss.forward(a, b, same, call); },
          [&] { return loss.forward_backward(a, b, same, da, db, call); });
    });
  }
};

}  // namespace
}  // namespace nearfar::detail::c

#define NEARFAR_C_LABEL_LOSS(name, Form)         \
  NEARFAR_C_LOSS(name, nearfar::detail::c::Form, \
                 nearfar::detail::c::LabelLoss<nearfar::detail::c::Form>)

NEARFAR_C_LABEL_LOSS(circle, CircleForm)
NEARFAR_C_LABEL_LOSS(lifted_structure, LiftedStructureForm)
NEARFAR_C_LABEL_LOSS(linear_contrastive, LinearContrastiveForm)
NEARFAR_C_LABEL_LOSS(mined_triplet, MinedTripletForm)
NEARFAR_C_LABEL_LOSS(multi_similarity, MultiSimilarityForm)
NEARFAR_C_LABEL_LOSS(sup_con, SupConForm)
NEARFAR_C_LOSS(hadsell_contrastive, nearfar::detail::c::HadsellForm,
               nearfar::detail::c::HadsellLoss)
