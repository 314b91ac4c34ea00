#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nearfar/check/gradient_check.hpp>
#include <nearfar/losses/cpc.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <string>

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/cpc_oracle.hpp"
#include "support/errors.hpp"
#include "support/kernel_cases.hpp"
#include "support/options.hpp"

/// Contrastive predictive coding against plain loops over contexts and candidates, and the promises
/// of every loss. Its rows have an order, so the common tests do not cover it.

namespace {

using namespace support;
using nearfar::accumulate;
using nearfar::CallOptions;
using nearfar::CpcOptions;
using nearfar::CpcResult;
using nearfar::GradientRows;
using nearfar::no_gradient;
using nearfar::Reduction;
using nearfar::SequenceNegatives;
using nearfar::UnusableAnchor;
using nearfar::Upstream;
using nearfar::Workspace;
using oracle::Real;

constexpr SequenceNegatives kinds[] = {SequenceNegatives::same_time,
                                       SequenceNegatives::same_sequence, SequenceNegatives::all};
constexpr Reduction reductions[] = {Reduction::mean, Reduction::sum, Reduction::mean_nonzero,
                                    Reduction::none};

struct Shape {
  Index sequences;
  Index length;
  Index steps;
  Index context_cols = 5;
  Index target_cols = 4;
};

template <class S>
struct Inputs {
  Matrix<S> contexts;
  Matrix<S> targets;
  Matrix<S> weights;

  explicit Inputs(const Shape& s)
      : contexts(random_rows<S>(s.sequences * s.length, s.context_cols, 1)),
        targets(random_rows<S>(s.sequences * s.length, s.target_cols, 2)),
        weights(S(2) * random_rows<S>(s.steps * s.target_cols, s.context_cols, 3)) {}
};

template <class S>
struct Gradients {
  Matrix<S> contexts;
  Matrix<S> targets;
  Matrix<S> weights;
};

template <class S>
CpcResult run(const CpcOptions& o, const Inputs<S>& x, Gradients<S>& d,
              const Upstream& upstream = {}, Workspace* workspace = nullptr) {
  return nearfar::Cpc<S>(o).forward_backward(x.contexts, x.targets, x.weights, d.contexts,
                                             d.targets, d.weights,
                                             {.workspace = workspace, .upstream = upstream});
}

template <class S>
void expect_same_bits(const Gradients<S>& got, const Gradients<S>& want) {
  EXPECT_TRUE(same_bits(got.contexts, want.contexts));
  EXPECT_TRUE(same_bits(got.targets, want.targets));
  EXPECT_TRUE(same_bits(got.weights, want.weights));
}

void expect_identical_steps(const CpcResult& got, const CpcResult& want) {
  expect_identical(got, want);
  ASSERT_EQ(got.steps.size(), want.steps.size());
  for (std::size_t k = 0; k < got.steps.size(); ++k) {
    EXPECT_EQ(got.steps[k].loss, want.steps[k].loss);
    EXPECT_EQ(got.steps[k].bound, want.steps[k].bound);
  }
}

// ---- the definition -----------------------------------------------------------------------------

template <class S>
class CpcOf : public testing::Test {};
TYPED_TEST_SUITE(CpcOf, Scalars, CaseNames);

TYPED_TEST(CpcOf, EqualsItsDefinition) {
  using S = TypeParam;
  // The last one has more candidates than a tile is wide, and more contexts than a panel.
  for (const Shape& shape : {Shape{1, 2, 1}, Shape{1, 6, 4, 3, 2}, Shape{4, 2, 1, 7, 9},
                             Shape{3, 5, 4, 1, 1}, Shape{7, 6, 3, 5, 8}, Shape{33, 13, 2, 19, 7}}) {
    const Inputs<S> x(shape);
    const bool large = shape.sequences > 30;
    for (const SequenceNegatives negatives : kinds) {
      for (const Reduction reduction : reductions) {
        if (large && reduction != Reduction::none) continue;
        SCOPED_TRACE(testing::Message() << shape.sequences << " x " << shape.length
                                        << ", negatives " << static_cast<int>(negatives)
                                        << ", reduction " << static_cast<int>(reduction));
        const CpcOptions options{.length = shape.length,
                                 .steps = shape.steps,
                                 .temperature = 0.7,
                                 .negatives = negatives,
                                 .reduction = reduction};
        const std::vector<double> above = reduction == Reduction::none
                                              ? random_upstream(x.contexts.rows(), 5)
                                              : std::vector<double>{-1.5};
        const Upstream upstream = reduction == Reduction::none ? Upstream(above) : above[0];
        const oracle::CpcLoss want =
            oracle::cpc(options, oracle::exact(x.contexts), oracle::exact(x.targets),
                        oracle::exact(x.weights), above);
        Gradients<S> d;
        const CpcResult got = run(options, x, d, upstream);
        expect_result<S>(got, want, reduction);
        ASSERT_EQ(got.steps.size(), want.step_losses.size());
        for (std::size_t k = 0; k < got.steps.size(); ++k) {
          const auto loss = static_cast<double>(want.step_losses[k]);
          const double most =
              static_cast<double>(Tolerance<S>::value) * std::max(1.0, std::abs(loss));
          EXPECT_NEAR(got.steps[k].loss, loss, most);
          EXPECT_NEAR(got.steps[k].bound, static_cast<double>(want.step_bounds[k]), most);
        }
        expect_gradient<S>(d.contexts, want.first, "contexts");
        expect_gradient<S>(d.targets, want.second, "targets");
        expect_gradient<S>(d.weights, want.parameter, "weights");
        EXPECT_NEAR(got.d_temperature, static_cast<double>(want.d_temperature),
                    static_cast<double>(Tolerance<S>::gradient * want.d_temperature_scale));
      }
    }
  }
}

TYPED_TEST(CpcOf, GradientsAreTheDerivativesOfTheValue) {
  using S = TypeParam;
  const Shape shape{3, 5, 2, 4, 3};
  for (const SequenceNegatives negatives : kinds) {
    for (const Reduction reduction : reductions) {
      SCOPED_TRACE(testing::Message() << "negatives " << static_cast<int>(negatives)
                                      << ", reduction " << static_cast<int>(reduction));
      const CpcOptions options{.length = shape.length,
                               .steps = shape.steps,
                               .negatives = negatives,
                               .reduction = reduction};
      Inputs<S> x(shape);
      Gradients<S> d;
      const CpcResult result = run(options, x, d);
      const auto value = [&](const CpcOptions& o) {
        return nearfar::Cpc<S>(o).forward(x.contexts, x.targets, x.weights).value;
      };
      EXPECT_EQ(result.value, value(options));
      nearfar::GradientCheckOptions check;
      if (sizeof(S) == sizeof(double)) check.step = 1e-5;
      const auto report = nearfar::check_gradient<S>([&] { return value(options); },
                                                     {{"contexts", x.contexts, d.contexts},
                                                      {"targets", x.targets, d.targets},
                                                      {"weights", x.weights, d.weights}},
                                                     check);
      EXPECT_TRUE(report.passed) << report;
      EXPECT_EQ(report.checked, x.contexts.size() + x.targets.size() + x.weights.size());
      const auto at = [&](double temperature) {
        CpcOptions moved = options;
        moved.temperature = temperature;
        return value(moved);
      };
      const double h = sizeof(S) == sizeof(double) ? 1e-4 : 1e-2;
      const double measured = (at(1 + h) - at(1 - h)) / (2 * h);
      EXPECT_NEAR(result.d_temperature, measured,
                  (sizeof(S) == sizeof(double) ? 1e-6 : 3e-3) * std::max(1.0, std::abs(measured)));
    }
  }
}

// ---- consequences of the definition ------------------------------------------------------------

TYPED_TEST(CpcOf, OfOneStepAtOneTimeIsInfoNce) {
  using S = TypeParam;
  const Shape shape{40, 2, 1};
  const Inputs<S> x(shape);
  Matrix<S> contexts(shape.sequences, shape.context_cols);
  Matrix<S> targets(shape.sequences, shape.target_cols);
  for (Index b = 0; b < shape.sequences; ++b) {
    contexts.row(b) = x.contexts.row(2 * b);
    targets.row(b) = x.targets.row(2 * b + 1);
  }
  const nearfar::InfoNce<S, nearfar::Bilinear<S>> info_nce({.temperature = 1},
                                                           nearfar::Bilinear<S>(x.weights));
  Gradients<S> want;
  const double value = info_nce
                           .forward_backward(contexts, targets, want.contexts, want.targets,
                                             {.d_parameter = want.weights})
                           .value;
  for (const SequenceNegatives negatives : {SequenceNegatives::same_time, SequenceNegatives::all}) {
    Gradients<S> got;
    EXPECT_EQ(run({.length = 2, .negatives = negatives}, x, got).value, value);
    for (Index b = 0; b < shape.sequences; ++b) {
      EXPECT_EQ(got.contexts.row(2 * b), want.contexts.row(b));
      EXPECT_EQ(got.targets.row(2 * b + 1), want.targets.row(b));
      EXPECT_TRUE(got.contexts.row(2 * b + 1).isZero(0)) << "predicts nothing";
      EXPECT_TRUE(got.targets.row(2 * b).isZero(0)) << "predicted by nothing";
    }
    EXPECT_TRUE(same_bits(got.weights, want.weights));
  }
}

TYPED_TEST(CpcOf, OfOneSequenceHasNegativesInItOnly) {
  using S = TypeParam;
  const Shape shape{1, 9, 3};
  const Inputs<S> x(shape);
  Gradients<S> all;
  Gradients<S> same;
  const CpcResult of_all =
      run({.length = 9, .steps = 3, .negatives = SequenceNegatives::all}, x, all);
  expect_identical_steps(
      run({.length = 9, .steps = 3, .negatives = SequenceNegatives::same_sequence}, x, same),
      of_all);
  expect_same_bits(same, all);

  Gradients<S> none;
  const CpcResult of_none =
      run({.length = 9, .steps = 3, .negatives = SequenceNegatives::same_time}, x, none);
  EXPECT_EQ(of_none.value, 0);
  EXPECT_EQ(of_none.diagnostics.anchors_without_negative, 8 + 7 + 6);
  EXPECT_EQ(of_none.diagnostics.active_terms, 0);
  EXPECT_TRUE(none.contexts.isZero(0) && none.targets.isZero(0) && none.weights.isZero(0));
}

/// Equal scores, where the choice is random; and scores that determine the choice.
TYPED_TEST(CpcOf, BoundGoesFromZeroToTheLogarithmOfTheCandidates) {
  using S = TypeParam;
  constexpr Index sequences = 6;
  constexpr Index length = 5;
  const std::size_t candidates[][2] = {{6, 6}, {4, 3}, {24, 18}};
  // One direction for each target.
  const Matrix<S> targets = Matrix<S>::Identity(sequences * length, sequences * length);
  Matrix<S> weights(2 * sequences * length, sequences * length);
  for (Index k = 1; k <= 2; ++k) {
    // W_k takes the context of row i to the target of row i + k.
    auto w = weights.middleRows((k - 1) * sequences * length, sequences * length);
    w.setZero();
    for (Index i = 0; i + k < sequences * length; ++i) w(i + k, i) = S(50);
  }
  const Matrix<S> nothing = Matrix<S>::Zero(30, 30);
  for (std::size_t kind = 0; kind < 3; ++kind) {
    const nearfar::Cpc<S> loss({.length = length, .steps = 2, .negatives = kinds[kind]});
    const CpcResult sure = loss.forward(targets, targets, weights);
    const CpcResult blind = loss.forward(nothing, targets, weights);
    for (std::size_t k = 0; k < 2; ++k) {
      const double most = std::log(static_cast<double>(candidates[kind][k]));
      EXPECT_NEAR(sure.steps[k].bound, most, Tolerance<S>::value);
      EXPECT_LE(sure.steps[k].bound, most);
      EXPECT_NEAR(blind.steps[k].loss, most, Tolerance<S>::value * most);
      EXPECT_NEAR(blind.steps[k].bound, 0, Tolerance<S>::value * most);
    }
  }
}

TYPED_TEST(CpcOf, OrderOfSequencesDoesNotMatter) {
  using S = TypeParam;
  const Shape shape{12, 6, 3};
  const Inputs<S> x(shape);
  Inputs<S> moved = x;
  std::vector<Index> rows;
  for (const Index b : random_order(shape.sequences, 4)) {
    for (Index t = 0; t < shape.length; ++t) rows.push_back(b * shape.length + t);
  }
  moved.contexts = reordered(x.contexts, rows);
  moved.targets = reordered(x.targets, rows);
  for (const SequenceNegatives negatives : kinds) {
    const CpcOptions options{.length = 6, .steps = 3, .negatives = negatives};
    Gradients<S> want;
    Gradients<S> got;
    const double value = run(options, x, want).value;
    EXPECT_NEAR(run(options, moved, got).value, value, Tolerance<S>::same * value);
    expect_same<S>(got.contexts, reordered(want.contexts, rows), "contexts");
    expect_same<S>(got.targets, reordered(want.targets, rows), "targets");
    expect_same<S>(got.weights, want.weights, "weights");
  }
}

// ---- calls --------------------------------------------------------------------------------------

TYPED_TEST(CpcOf, ForwardGivesTheResultOfForwardBackwardAndAnUpstreamOfOneChangesNothing) {
  using S = TypeParam;
  const Inputs<S> x({5, 7, 3});
  const std::vector<double> ones(35, 1);
  for (const SequenceNegatives negatives : kinds) {
    for (const Reduction reduction : reductions) {
      const CpcOptions options{
          .length = 7, .steps = 3, .negatives = negatives, .reduction = reduction};
      const Upstream one = reduction == Reduction::none ? Upstream(ones) : Upstream(1.0);
      Gradients<S> want;
      Gradients<S> got;
      const CpcResult result = run(options, x, want);
      expect_identical_steps(nearfar::Cpc<S>(options).forward(x.contexts, x.targets, x.weights),
                             result);
      expect_identical_steps(run(options, x, got, one), result);
      expect_same_bits(got, want);
      EXPECT_GT(want.weights.norm(), S(0));
    }
  }
}

TYPED_TEST(CpcOf, LeavingAGradientOutChangesNoOther) {
  using S = TypeParam;
  const Inputs<S> x({5, 7, 3});
  for (const SequenceNegatives negatives : kinds) {
    const nearfar::Cpc<S> loss({.length = 7, .steps = 3, .negatives = negatives});
    Gradients<S> want;
    const CpcResult result = run(loss.options(), x, want);
    for (int choice = 0; choice < 8; ++choice) {
      Gradients<S> got;
      const auto wanted = [&](int k, Matrix<S>& m) -> GradientRows<S> {
        return (choice >> k) % 2 == 1 ? GradientRows<S>(m) : GradientRows<S>(no_gradient);
      };
      expect_identical_steps(
          loss.forward_backward(x.contexts, x.targets, x.weights, wanted(0, got.contexts),
                                wanted(1, got.targets), wanted(2, got.weights)),
          result);
      const Matrix<S> left_out;
      EXPECT_TRUE(same_bits(got.contexts, choice % 2 == 1 ? want.contexts : left_out));
      EXPECT_TRUE(same_bits(got.targets, (choice >> 1) % 2 == 1 ? want.targets : left_out));
      EXPECT_TRUE(same_bits(got.weights, (choice >> 2) % 2 == 1 ? want.weights : left_out));
    }
  }
}

TYPED_TEST(CpcOf, AccumulateAddsToWhatIsThere) {
  using S = TypeParam;
  const Inputs<S> x({5, 7, 3});
  const nearfar::Cpc<S> loss({.length = 7, .steps = 3});
  Gradients<S> want;
  run(loss.options(), x, want);
  const Inputs<S> before = x;
  Inputs<S> after = before;
  loss.forward_backward(x.contexts, x.targets, x.weights, accumulate(after.contexts),
                        accumulate(after.targets), accumulate(after.weights));
  expect_same<S>(after.contexts, before.contexts + want.contexts, "contexts");
  expect_same<S>(after.targets, before.targets + want.targets, "targets");
  expect_same<S>(after.weights, before.weights + want.weights, "weights");
}

TYPED_TEST(CpcOf, TakesViewsWithStrides) {
  using S = TypeParam;
  const Inputs<S> x({5, 7, 3});
  const auto framed = [](const Matrix<S>& m) {
    Matrix<S> out = Matrix<S>::Constant(m.rows(), m.cols() + 3, S(7));
    out.leftCols(m.cols()) = m;
    return out;
  };
  const nearfar::Cpc<S> loss({.length = 7, .steps = 3});
  Gradients<S> want;
  const CpcResult result = run(loss.options(), x, want);
  Matrix<S> weights = framed(x.weights);
  Matrix<S> d_weights = framed(x.weights);
  const Matrix<S> contexts = framed(x.contexts);
  expect_identical_steps(loss.forward_backward(contexts.leftCols(5), x.targets, weights.leftCols(5),
                                               no_gradient, no_gradient, d_weights.leftCols(5)),
                         result);
  EXPECT_TRUE(same_bits(Matrix<S>(d_weights.leftCols(5)), want.weights));
  EXPECT_TRUE((d_weights.rightCols(3).array() == S(7)).all());
}

TYPED_TEST(CpcOf, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  const Inputs<S> x({37, 11, 3, 19, 9});
  for (const SequenceNegatives negatives : kinds) {
    const CpcOptions options{
        .length = 11, .steps = 3, .negatives = negatives, .reduction = Reduction::none};
    Workspace alone(1);
    Gradients<S> want;
    const CpcResult result = run(options, x, want, {}, &alone);
    for (const int threads : {2, 3, 4, 7, 16}) {
      SCOPED_TRACE(testing::Message() << threads << " threads");
      Workspace workspace(threads);
      Gradients<S> got;
      const CpcResult again = run(options, x, got, {}, &workspace);
      expect_identical_steps(again, result);
      EXPECT_EQ(again.d_temperature, result.d_temperature);
      expect_same_bits(got, want);
    }
  }
}

TYPED_TEST(CpcOf, ASecondCallAllocatesNothingButTheStepsItReturns) {
  using S = TypeParam;
  const Inputs<S> x({37, 11, 3, 19, 9});
  for (const SequenceNegatives negatives : kinds) {
    for (const int threads : {1, 3}) {
      const CpcOptions options{.length = 11, .steps = 3, .negatives = negatives};
      Workspace workspace(threads);
      Gradients<S> d;
      run(options, x, d, {}, &workspace);
      const std::size_t bytes = workspace.bytes();
      const long before = allocations;
      run(options, x, d, {}, &workspace);
      EXPECT_EQ(allocations - before, 1);
      EXPECT_EQ(workspace.bytes(), bytes);
    }
  }
}

/// Steps and blocks use the same memory one after the other; none holds a matrix of scores.
TYPED_TEST(CpcOf, MemoryGrowsWithRowsAndNotWithSteps) {
  using S = TypeParam;
  constexpr Index cols = 16;
  const auto bytes = [=](Index sequences, Index steps, SequenceNegatives negatives) {
    const Inputs<S> x({sequences, 16, steps, cols, cols});
    Workspace workspace(1);
    Gradients<S> d;
    run({.length = 16, .steps = steps, .negatives = negatives}, x, d, {}, &workspace);
    return static_cast<double>(workspace.bytes());
  };
  for (const SequenceNegatives negatives : kinds) {
    const double few = bytes(64, 1, negatives);
    EXPECT_LT(bytes(64, 8, negatives), 1.2 * few);
    EXPECT_LT(bytes(256, 1, negatives), 4.5 * few);
    // Both sides gathered, packed, mapped and with gradients, and panels of up to 192 rows.
    EXPECT_LT(bytes(256, 1, negatives), 256 * 15 * sizeof(S) * (16 * 2 * cols + 2 * 192));
  }
}

// ---- errors, and inputs that are no errors -----------------------------------------------------

TYPED_TEST(CpcOf, RefusesOptionsOutOfRange) {
  using S = TypeParam;
  const auto with = [](const CpcOptions& o) { return [o] { nearfar::Cpc<S>{o}; }; };
  const BadCall table[] = {
      {"no steps",
       Thrown::invalid_argument,
       {"steps: wanted a number > 0, got 0"},
       with({.length = 4, .steps = 0})},
      {"no length",
       Thrown::invalid_argument,
       {"length: wanted more positions than steps = 1, got 0"},
       with({})},
      {"as many steps as positions",
       Thrown::invalid_argument,
       {"length: wanted more positions than steps = 4, got 4"},
       with({.length = 4, .steps = 4})},
  };
  for (const BadCall& bad : table) expect_refused(bad);
  expect_must_be_positive("temperature",
                          [&](double v) { nearfar::Cpc<S>({.length = 4, .temperature = v}); });
}

TEST(Cpc, HasTheDefaultsOfItsPage) {
  EXPECT_EQ(CpcOptions().length, 0);
  EXPECT_EQ(CpcOptions().steps, 1);
  EXPECT_EQ(CpcOptions().temperature, 1);
  EXPECT_EQ(CpcOptions().negatives, SequenceNegatives::all);
  expect_common_defaults<CpcOptions>();
}

TYPED_TEST(CpcOf, RefusesBadCallsAndTouchesNothing) {
  using S = TypeParam;
  using M = Matrix<S>;
  const Inputs<S> x({3, 4, 2});  // 12 x 5, 12 x 4, 8 x 5
  const auto with = [](M m, Index row, Index col, S element) {
    m(row, col) = element;
    return m;
  };
  const S nan = std::numeric_limits<S>::quiet_NaN();
  const S infinity = std::numeric_limits<S>::infinity();
  const S large = std::sqrt(std::numeric_limits<S>::max());
  Gradients<S> d{M::Constant(3, 2, S(7)), M::Constant(1, 6, S(8)), M::Constant(2, 2, S(9))};
  std::vector<S> memory(12, S(6));
  Eigen::Map<M> small(memory.data(), 4, 3);
  const auto call = [&](const M& c, const M& z, const M& w) {
    nearfar::Cpc<S>({.length = 4, .steps = 2})
        .forward_backward(c, z, w, d.contexts, d.targets, d.weights);
  };
  const auto give = [&](const Upstream& upstream, GradientRows<S> dc, GradientRows<S> dz,
                        GradientRows<S> dw, Reduction reduction = Reduction::mean,
                        GradientRows<S> d_parameter = {}) {
    nearfar::Cpc<S>({.length = 4, .steps = 2, .reduction = reduction})
        .forward_backward(x.contexts, x.targets, x.weights, dc, dz, dw,
                          {.d_parameter = d_parameter, .upstream = upstream});
  };
  const std::vector<double> eleven(11, 1.0);
  const std::vector<double> ones(12, 1.0);
  const BadCall table[] = {
      {"a piece of a sequence",
       Thrown::invalid_argument,
       {"contexts: wanted whole sequences of length 4, got 11 rows"},
       [&] { call(x.contexts.topRows(11), x.targets, x.weights); }},
      {"targets missing",
       Thrown::invalid_argument,
       {"targets: wanted 12 x 4, got 8 x 4"},
       [&] { call(x.contexts, x.targets.topRows(8), x.weights); }},
      {"a matrix missing",
       Thrown::invalid_argument,
       {"weights: wanted 8 x 5, got 4 x 5"},
       [&] { call(x.contexts, x.targets, x.weights.topRows(4)); }},
      {"matrices the wrong way round",
       Thrown::invalid_argument,
       {"weights: wanted 8 x 5, got 10 x 4"},
       [&] { call(x.contexts, x.targets, M::Zero(10, 4)); }},
      {"matrices of other contexts",
       Thrown::invalid_argument,
       {"weights: wanted 8 x 5, got 8 x 4"},
       [&] { call(x.contexts, x.targets, M::Zero(8, 4)); }},
      {"contexts without elements",
       Thrown::invalid_argument,
       {"contexts: wanted rows of at least one element"},
       [&] { call(M(12, 0), x.targets, M(8, 0)); }},
      {"targets without elements",
       Thrown::invalid_argument,
       {"targets: wanted rows of at least one element"},
       [&] { call(x.contexts, M(12, 0), M(0, 5)); }},
      {"NaN in contexts",
       Thrown::domain_error,
       {"contexts: ", "NaN at row 11, column 2"},
       [&] { call(with(x.contexts, 11, 2, nan), x.targets, x.weights); }},
      {"infinity in targets",
       Thrown::domain_error,
       {"targets: ", "got infinity at row 0, column 3"},
       [&] { call(x.contexts, with(x.targets, 0, 3, infinity), x.weights); }},
      {"minus infinity in weights",
       Thrown::domain_error,
       {"weights: ", "got -infinity at row 7, column 0"},
       [&] { call(x.contexts, x.targets, with(x.weights, 7, 0, -infinity)); }},
      {"scores too large, at the last step alone",
       Thrown::domain_error,
       {"contexts and targets", "overflow"},
       [&] { call(x.contexts * large, x.targets, with(x.weights, 5, 1, large)); }},
      {"contexts' buffer",
       Thrown::invalid_argument,
       {"d_contexts: wanted 12 x 5, got 4 x 3"},
       [&] { give(1.0, small, d.targets, d.weights); }},
      {"targets to add to",
       Thrown::invalid_argument,
       {"d_targets: wanted 12 x 4, got 1 x 6"},
       [&] { give(1.0, d.contexts, accumulate(d.targets), d.weights); }},
      {"weights' buffer",
       Thrown::invalid_argument,
       {"d_weights: wanted 8 x 5, got 4 x 3"},
       [&] { give(1.0, d.contexts, d.targets, small); }},
      {"a kernel's matrix",
       Thrown::invalid_argument,
       {"d_parameter", "without one"},
       [&] { give(1.0, d.contexts, d.targets, d.weights, Reduction::mean, d.weights); }},
      {"rows' upstream for a mean",
       Thrown::invalid_argument,
       {"upstream: wanted one number, got 12 numbers"},
       [&] { give(ones, d.contexts, d.targets, d.weights); }},
      {"fewer upstream than rows",
       Thrown::invalid_argument,
       {"upstream: wanted 12 numbers", "got 11 numbers"},
       [&] { give(eleven, d.contexts, d.targets, d.weights, Reduction::none); }},
      {"NaN upstream",
       Thrown::domain_error,
       {"upstream: ", "NaN"},
       [&] { give(std::nan(""), d.contexts, d.targets, d.weights); }},
      {"contexts without a negative",
       Thrown::invalid_argument,
       {"batch: ", "3 anchors without a negative"},
       [&] {
         nearfar::Cpc<S>({.length = 4,
                          .steps = 3,
                          .negatives = SequenceNegatives::same_sequence,
                          .unusable_anchors = UnusableAnchor::error})
             .forward(x.contexts, x.targets, M(M::Zero(12, 5)));
       }},
  };
  for (const BadCall& bad : table) {
    expect_refused(bad);
    EXPECT_EQ(d.contexts, (M::Constant(3, 2, S(7)))) << bad.name;
    EXPECT_EQ(d.targets, (M::Constant(1, 6, S(8)))) << bad.name;
    EXPECT_EQ(d.weights, (M::Constant(2, 2, S(9)))) << bad.name;
    EXPECT_EQ(memory, std::vector<S>(12, S(6))) << bad.name;
  }
}

TYPED_TEST(CpcOf, OfNoSequencesIsZero) {
  using S = TypeParam;
  for (const SequenceNegatives negatives : kinds) {
    const Inputs<S> x({0, 4, 2});
    Gradients<S> d;
    const CpcResult result = run({.length = 4, .steps = 2, .negatives = negatives}, x, d);
    EXPECT_EQ(result.value, 0);
    EXPECT_EQ(result.diagnostics.terms, 0);
    ASSERT_EQ(result.steps.size(), 2u);
    EXPECT_EQ(result.steps[0].bound, 0);
    EXPECT_EQ(d.contexts.rows(), 0);
    EXPECT_EQ(d.targets.rows(), 0);
    EXPECT_EQ(d.weights, (Matrix<S>::Zero(8, 5)));
  }
}

/// Without rows, sets may have no columns.
TYPED_TEST(CpcOf, OfNothingAtAllIsZero) {
  using S = TypeParam;
  const Matrix<S> none(0, 0);
  const CpcResult result = nearfar::Cpc<S>({.length = 4, .steps = 2}).forward(none, none, none);
  EXPECT_EQ(result.value, 0);
  ASSERT_EQ(result.steps.size(), 2u);
  for (const auto& step : result.steps) EXPECT_EQ(step.loss, 0);
}

/// The context of its only step has no negative.
TYPED_TEST(CpcOf, RefusesSequencesTooShortForANegativeIfTheOptionSaysSo) {
  using S = TypeParam;
  const Inputs<S> x({3, 2, 1});
  const nearfar::Cpc<S> loss({.length = 2,
                              .steps = 1,
                              .negatives = SequenceNegatives::same_sequence,
                              .unusable_anchors = UnusableAnchor::error});
  EXPECT_THROW(loss.forward(x.contexts, x.targets, x.weights), std::invalid_argument);
}

TYPED_TEST(CpcOf, HardInputsGiveFiniteResultsOrAClearError) {
  using S = TypeParam;
  const bool is_float = sizeof(S) == sizeof(float);
  for (const S factor : {S(0), is_float ? S(1e-20) : S(1e-160), S(1e4),
                         is_float ? S(1e12) : S(1e100), is_float ? S(1e18) : S(1e150)}) {
    for (const SequenceNegatives negatives : kinds) {
      SCOPED_TRACE(factor);
      Inputs<S> x({4, 5, 2});
      x.contexts *= factor;
      x.targets *= factor;
      Gradients<S> d;
      try {
        const CpcResult result = run({.length = 5, .steps = 2, .negatives = negatives}, x, d);
        EXPECT_TRUE(std::isfinite(result.value)) << result.value;
        EXPECT_TRUE(d.contexts.allFinite());
        EXPECT_TRUE(d.targets.allFinite());
        EXPECT_TRUE(d.weights.allFinite());
      } catch (const std::domain_error& error) {
        EXPECT_NE(std::string(error.what()).find("overflow"), std::string::npos) << error.what();
      }
    }
  }
}

}  // namespace
