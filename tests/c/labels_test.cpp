#include <nearfar/losses/register.hpp>

#include "c/same_bits.hpp"
#include "support/drawn_batches.hpp"
#include "support/fields.hpp"

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
                       const Matrix<S>& x, const nearfar_targets& c_targets,
                       const Targets& targets) {
  const nearfar_rows cx = c_rows(x);
  expect_same_calls<S, K, 1>(
      kernel, reduction, x.rows(), {&x},
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
                            const Matrix<S>& x, const nearfar_targets& c_targets,
                            const Targets& targets, const Matrix<S>& y,
                            const nearfar_targets& c_others, const Targets& others) {
  const nearfar_rows cx = c_rows(x);
  const nearfar_rows cy = c_rows(y);
  expect_same_calls<S, K, 2>(
      kernel, reduction, x.rows(), {&x, &y},
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

nearfar_targets c_targets_of(const std::vector<std::int64_t>& labels) {
  return nearfar_targets_of_labels(labels.data(), static_cast<std::int64_t>(labels.size()));
}

/// Both forms with plain labels, of drawn batches of every kind; batch k against batch k + 3. Where
/// classes have centroids there are no references.
template <class S, class K, class Loss>
void expect_same_over_labels(const CLoss& c, const Loss& loss, const K& kernel,
                             Reduction reduction) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  for (std::uint64_t k = 0; k < 2 * kinds_of_batches; ++k) {
    const DrawnBatch<S> own = drawn_batch<S>(k, depth);
    const DrawnBatch<S> others = drawn_batch<S>(k + 3, depth);
    SCOPED_TRACE(own.name + " against " + others.name);
    expect_same_batch<S>(c, loss, kernel, reduction, own.x, c_targets_of(own.labels), own.labels);
    if constexpr (requires { loss.forward(own.x, own.labels, others.x, others.labels); }) {
      expect_same_references<S>(c, loss, kernel, reduction, own.x, c_targets_of(own.labels),
                                own.labels, others.x, c_targets_of(others.labels), others.labels);
    }
  }
}

/// A loss of the register with each of its kernels and choices. `init` and `create` are its
/// functions.
template <class Line, class C>
void expect_same_of(nearfar_status (*init)(C*, size_t),
                    nearfar_status (*create)(const C*, nearfar_loss**)) {
  using Options = typename Line::Options;
  const bool has_matrix = [] {
    return requires(C c) { c.matrix; };
  }();
  EXPECT_EQ(members_of<C>(), fields_of<Options>() + (has_matrix ? 3 : 2)) << "size, kernel, matrix";
  each_scalar_and_reduction([&]<class S>(S, Reduction reduction) {
    for_kernels<S>(typename Line::template Kernels<S>(),
                   [&]<class K>(nearfar_kernel kind, const nearfar_rows& matrix, const K& k) {
                     for (std::size_t round = 0; round < rounds_of<Options>(); ++round) {
                       SCOPED_TRACE("round " + std::to_string(round));
                       C c = defaults(init);
                       Options options;
                       Options::fields(OtherThanDefaults{round}, options, c);
                       c.kernel = kind;
                       if constexpr (requires { c.matrix; }) c.matrix = matrix;
                       c.reduction = number_of(reduction);
                       options.reduction = reduction;
                       const typename Line::template Loss<S, K> loss(options, k);
                       expect_same_over_labels<S>(made(create, c), loss, k, reduction);
                     }
                   });
  });
}

TEST(CLabels, GiveTheBitsOfTheClassWithEveryKernelAndChoice) {
#define NEARFAR_EXPECT_SAME(name, ...)                                      \
  expect_same_of<nearfar::registered::name>(&nearfar_##name##_options_init, \
                                            &nearfar_##name##_create);
  NEARFAR_LOSSES_OVER_LABELS(NEARFAR_EXPECT_SAME)
  NEARFAR_EXPECT_SAME(hadsell_contrastive)
  NEARFAR_EXPECT_SAME(centroid_triplet)
#undef NEARFAR_EXPECT_SAME
}

// Rules are the same for all losses over labels.

class CTargets : public testing::Test {
 protected:
  void expect_same(const nearfar_targets& c_targets, const Targets& targets) {
    expect_same_batch<double>(c, loss, nearfar::Cosine(), Reduction::none, x, c_targets, targets);
  }
  void expect_same(const nearfar_targets& c_targets, const Targets& targets,
                   const nearfar_targets& c_others, const Targets& of_others) {
    expect_same_references<double>(c, loss, nearfar::Cosine(), Reduction::none, x, c_targets,
                                   targets, y, c_others, of_others);
  }
  static CLoss make() {
    auto options = defaults(nearfar_sup_con_options_init);
    options.reduction = NEARFAR_NONE;
    return made(nearfar_sup_con_create, options);
  }

  CLoss c = make();
  nearfar::SupCon<double> loss{{.reduction = Reduction::none}};
  Matrix<double> x = random_rows<double>(n, depth, 1);
  Matrix<double> y = random_rows<double>(m, depth, 2);
  std::vector<std::int64_t> labels = labels_of(n, 5);
  std::vector<std::int64_t> others = labels_of(m, 6);
};

TEST_F(CTargets, IdsAndWeights) {
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

TEST_F(CTargets, UnlabelledRows) {
  nearfar_targets targets = nearfar_targets_of_labels(labels.data(), n);
  targets.unlabelled = labels[1];
  targets.unlabelled_rows = NEARFAR_UNLABELLED_LEFT_OUT;
  expect_same(targets, Targets(labels).unlabelled(labels[1]));
  targets.unlabelled_rows = NEARFAR_UNLABELLED_NEGATIVES;
  expect_same(targets, Targets(labels).unlabelled(labels[1], nearfar::UnlabelledRows::negatives));
}

TEST_F(CTargets, LabelSets) {
  std::vector<std::uint64_t> sets(2 * n);
  for (std::size_t i = 0; i < sets.size(); ++i) sets[i] = i % 2 == 0 ? 1u << (i % 5) : i % 3;
  nearfar_targets targets = defaults(nearfar_targets_init);
  targets.rule = NEARFAR_LABEL_SETS;
  targets.label_sets = sets.data();
  targets.label_set_rows = n;
  targets.label_set_words = 2;
  expect_same(targets, nearfar::MultiLabels{sets.data(), n, 2});
}

TEST_F(CTargets, PositiveLists) {
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
