#include <nearfar/losses/circle.hpp>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/lifted_structure.hpp>
#include <nearfar/losses/linear_contrastive.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/losses/multi_similarity.hpp>
#include <nearfar/losses/sup_con.hpp>

#include "c/same_bits.hpp"

/// Losses over labels: each with settings that are not its defaults, in a batch and with
/// references.

namespace {

using namespace support;
using nearfar::Targets;

constexpr Index n = 14;
constexpr Index m = 10;

std::vector<std::int64_t> labels_of(Index count, std::uint64_t seed) {
  const std::vector<int> labels = random_labels(count, 4, seed);
  return {labels.begin(), labels.end()};
}

template <class S, class K, class Loss>
void expect_same_batch(const CLoss& c, const Loss& loss, const K& kernel, Reduction reduction,
                       const nearfar_targets& c_targets, const Targets& targets) {
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const nearfar_rows cx = c_rows(x);
  expect_same_calls<S, K, 1>(
      kernel, reduction, n, {&x},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_labelled_forward(c.get(), &cx, &c_targets, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_labelled_forward_backward(c.get(), &cx, &c_targets, &g[0], call, out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(x, targets, call); },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(x, targets, g[0], call);
      });
}

template <class S, class K, class Loss>
void expect_same_references(const CLoss& c, const Loss& loss, const K& kernel, Reduction reduction,
                            const nearfar_targets& c_targets, const Targets& targets,
                            const nearfar_targets& c_others, const Targets& others) {
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const Matrix<S> y = random_rows<S>(m, depth, 2);
  const nearfar_rows cx = c_rows(x);
  const nearfar_rows cy = c_rows(y);
  expect_same_calls<S, K, 2>(
      kernel, reduction, n, {&x, &y},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_references_forward(c.get(), &cx, &c_targets, &cy, &c_others, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_references_forward_backward(c.get(), &cx, &c_targets, &cy, &c_others, &g[0],
                                                   &g[1], call, out);
      },
      [&](const CallOptions<S>& call) { return loss.forward(x, targets, y, others, call); },
      [&](auto& g, const CallOptions<S>& call) {
        return loss.forward_backward(x, targets, y, others, g[0], g[1], call);
      });
}

/// Both forms with plain labels.
template <class S, class K, class Loss>
void expect_same_over_labels(const CLoss& c, const Loss& loss, const K& kernel,
                             Reduction reduction) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  const std::vector<std::int64_t> labels = labels_of(n, 5);
  const std::vector<std::int64_t> others = labels_of(m, 6);
  const nearfar_targets c_labels = nearfar_targets_of_labels(labels.data(), n);
  const nearfar_targets c_others = nearfar_targets_of_labels(others.data(), m);
  expect_same_batch<S>(c, loss, kernel, reduction, c_labels, labels);
  expect_same_references<S>(c, loss, kernel, reduction, c_labels, labels, c_others, others);
}

TEST(CLabels, Circle) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    each_symmetric_similarity<S>(
        [&]<class K>(nearfar_kernel kind, const nearfar_rows&, const K& k) {
          auto options = defaults(nearfar_circle_options_init);
          options.kernel = kind;
          options.m = 0.3;
          options.gamma = 8;
          options.weights = NEARFAR_CIRCLE_DIFFERENTIATED;
          options.reduction = number_of(reduction);
          expect_same_over_labels<S>(
              made(nearfar_circle_create, options),
              nearfar::Circle<S, K>({.m = 0.3,
                                     .gamma = 8,
                                     .weights = nearfar::CircleWeights::differentiated,
                                     .reduction = reduction},
                                    k),
              k, reduction);
        });
  });
}

TEST(CLabels, HadsellContrastive) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    each_distance<S>([&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_hadsell_contrastive_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.margin = 1.7;
      options.factor = NEARFAR_SQUARE_ONE;
      options.reduction = number_of(reduction);
      expect_same_over_labels<S>(
          made(nearfar_hadsell_contrastive_create, options),
          nearfar::HadsellContrastive<S, K>(
              {.margin = 1.7, .factor = nearfar::SquareFactor::one, .reduction = reduction}, k),
          k, reduction);
    });
  });
}

TEST(CLabels, LiftedStructure) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const auto compare = [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_lifted_structure_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.margin = 1.2;
      options.reduction = number_of(reduction);
      expect_same_over_labels<S>(
          made(nearfar_lifted_structure_create, options),
          nearfar::LiftedStructure<S, K>({.margin = 1.2, .reduction = reduction}, k), k, reduction);
    };
    each_symmetric_similarity<S>(compare);
    each_distance<S>(compare);
  });
}

TEST(CLabels, LinearContrastive) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const auto compare = [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_linear_contrastive_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.positive_margin = 0.2;
      options.negative_margin = 0.9;
      options.reduction = number_of(reduction);
      expect_same_over_labels<S>(
          made(nearfar_linear_contrastive_create, options),
          nearfar::LinearContrastive<S, K>(
              {.positive_margin = 0.2, .negative_margin = 0.9, .reduction = reduction}, k),
          k, reduction);
    };
    each_symmetric_similarity<S>(compare);
    each_distance<S>(compare);
  });
}

TEST(CLabels, MinedTriplet) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const auto compare = [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_mined_triplet_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.margin = 0.4;
      options.form = NEARFAR_TRIPLET_SOFT;
      options.mining = NEARFAR_MINING_BATCH_EASY_HARD;
      options.positive = NEARFAR_CHOICE_HARD;
      options.negative = NEARFAR_CHOICE_EASY;
      options.reduction = number_of(reduction);
      expect_same_over_labels<S>(
          made(nearfar_mined_triplet_create, options),
          nearfar::MinedTriplet<S, K>({.margin = 0.4,
                                       .form = nearfar::TripletForm::soft,
                                       .mining = nearfar::Mining::batch_easy_hard,
                                       .positive = nearfar::PositiveChoice::hard,
                                       .negative = nearfar::NegativeChoice::easy,
                                       .reduction = reduction},
                                      k),
          k, reduction);
    };
    each_symmetric_similarity<S>(compare);
    each_distance<S>(compare);
  });
}

TEST(CLabels, EveryMining) {
  for (int mining = NEARFAR_MINING_ALL; mining <= NEARFAR_MINING_DISTANCE_WEIGHTED; ++mining) {
    SCOPED_TRACE(mining);
    auto options = defaults(nearfar_mined_triplet_options_init);
    options.mining = mining;
    options.weighting_seed = 3;
    options.weighting_step = 9;
    options.weighting_nearest = 0.4;
    options.weighting_farthest = 1.6;
    options.unusable_anchors = NEARFAR_SKIP;
    expect_same_over_labels<double>(
        made(nearfar_mined_triplet_create, options),
        nearfar::MinedTriplet<double>(
            {.mining = static_cast<nearfar::Mining>(mining),
             .weighting = {.seed = 3, .step = 9, .nearest = 0.4, .farthest = 1.6}}),
        nearfar::Euclidean(), Reduction::mean);
  }
}

TEST(CLabels, MultiSimilarity) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    each_symmetric_similarity<S>(
        [&]<class K>(nearfar_kernel kind, const nearfar_rows&, const K& k) {
          auto options = defaults(nearfar_multi_similarity_options_init);
          options.kernel = kind;
          options.alpha = 3;
          options.beta = 20;
          options.base = 0.4;
          options.reduction = number_of(reduction);
          expect_same_over_labels<S>(
              made(nearfar_multi_similarity_create, options),
              nearfar::MultiSimilarity<S, K>(
                  {.alpha = 3, .beta = 20, .base = 0.4, .reduction = reduction}, k),
              k, reduction);
        });
  });
}

TEST(CLabels, SupCon) {
  each_scalar_and_reduction([]<class S>(S, Reduction reduction) {
    const auto compare = [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
      auto options = defaults(nearfar_sup_con_options_init);
      options.kernel = kind;
      options.matrix = matrix;
      options.temperature = 0.5;
      options.variant = NEARFAR_SUP_CON_IN;
      options.reduction = number_of(reduction);
      expect_same_over_labels<S>(
          made(nearfar_sup_con_create, options),
          nearfar::SupCon<S, K>(
              {.temperature = 0.5, .variant = nearfar::SupConVariant::in, .reduction = reduction},
              k),
          k, reduction);
    };
    each_symmetric_similarity<S>(compare);
    each_distance<S>(compare);
  });
}

// Rules are the same for all losses over labels.

class CTags : public testing::Test {
 protected:
  void expect_same(const nearfar_targets& c_targets, const Targets& targets) {
    expect_same_batch<double>(c, loss, nearfar::Cosine(), Reduction::none, c_targets, targets);
  }
  void expect_same(const nearfar_targets& c_targets, const Targets& targets,
                   const nearfar_targets& c_others, const Targets& of_others) {
    expect_same_references<double>(c, loss, nearfar::Cosine(), Reduction::none, c_targets, targets,
                                   c_others, of_others);
  }
  static CLoss make() {
    auto options = defaults(nearfar_sup_con_options_init);
    options.reduction = NEARFAR_NONE;
    return made(nearfar_sup_con_create, options);
  }

  CLoss c = make();
  nearfar::SupCon<double> loss{{.reduction = Reduction::none}};
  std::vector<std::int64_t> labels = labels_of(n, 5);
  std::vector<std::int64_t> others = labels_of(m, 6);
};

TEST_F(CTags, IdsAndWeights) {
  const std::vector<std::int64_t> ids = labels_of(n, 7);
  const std::vector<std::int64_t> other_ids = labels_of(m, 8);
  const std::vector<double> weights = random_upstream(n, 9);
  nearfar_targets targets = nearfar_targets_of_labels(labels.data(), n);
  targets.ids = {ids.data(), n};
  targets.weights = {weights.data(), n};
  expect_same(targets, Targets(labels).ids(ids).weights(weights));
  nearfar_targets other_targets = nearfar_targets_of_labels(others.data(), m);
  other_targets.ids = {other_ids.data(), m};
  expect_same(targets, Targets(labels).ids(ids).weights(weights), other_targets,
              Targets(others).ids(other_ids));
}

TEST_F(CTags, LabelSets) {
  std::vector<std::uint64_t> sets(2 * n);
  for (std::size_t i = 0; i < sets.size(); ++i) sets[i] = i % 2 == 0 ? 1u << (i % 5) : i % 3;
  nearfar_targets targets = defaults(nearfar_targets_init);
  targets.rule = NEARFAR_LABEL_SETS;
  targets.label_sets = sets.data();
  targets.label_set_rows = n;
  targets.label_set_words = 2;
  expect_same(targets, nearfar::MultiLabels{sets.data(), n, 2});
}

TEST_F(CTags, PositiveLists) {
  const std::vector<std::int64_t> columns = {1, 4, 9, 0, 3, 7, 2};
  std::vector<std::int64_t> offsets(n + 1, 7);
  offsets[0] = 0;
  offsets[1] = 3;
  offsets[2] = 6;
  const std::vector<double> weights = {1, 2, 0.5, 3, 1, 1, 4};
  nearfar_targets targets = defaults(nearfar_targets_init);
  targets.rule = NEARFAR_POSITIVE_LISTS;
  targets.offsets = {offsets.data(), n + 1};
  targets.columns = {columns.data(), 7};
  targets.column_weights = {weights.data(), 7};
  const std::vector<Index> as_index(offsets.begin(), offsets.end());
  const std::vector<Index> columns_as_index(columns.begin(), columns.end());
  expect_same(targets, nearfar::PositiveLists{as_index, columns_as_index, weights},
              defaults(nearfar_targets_init), Targets());
}

}  // namespace
