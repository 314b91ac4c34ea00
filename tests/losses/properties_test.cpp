#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <string>

#include "support/allocations.hpp"
#include "support/compare.hpp"
#include "support/kernel_cases.hpp"

/// Properties of InfoNCE and Hadsell's loss that follow from the formulas, for any rows:
/// symmetries, sums that are zero, equal calls, threads, memory.

namespace {

using namespace support;
using nearfar::GradientRows;
using nearfar::Reduction;
using nearfar::Result;
using nearfar::Upstream;
using nearfar::Workspace;

/// A call's arguments besides rows; without gradients, forward only.
template <class S>
struct Request {
  Reduction reduction = Reduction::mean;
  Upstream upstream = {};
  std::vector<GradientRows<S>> gradients = {};
  GradientRows<S> d_parameter = {};
  Workspace* workspace = nullptr;
  double* d_temperature = nullptr;
};

template <class S>
using Sets = std::vector<Matrix<S>>;

/// A loss in one of its forms with one kernel, and rows for it.
template <class S>
struct Form {
  std::string name;
  Sets<S> x;
  Matrix<S> parameter;
  std::vector<int> labels;
  bool shared_negatives = false;  ///< rows of the last set belong to no row of another set
  bool distance_of_rows = false;  ///< no change if all rows are translated alike
  bool direction_only = false;    ///< no change if rows are scaled
  bool two_spaces = false;        ///< queries and keys are rotated separately
  std::function<Result(const Form&, const Request<S>&)> call;

  Result operator()(const Request<S>& request) const { return call(*this, request); }
  bool parametric() const { return parameter.size() > 0; }

  /// An order for each set that keeps rows together that belong together.
  std::vector<std::vector<Index>> orders() const {
    std::vector<std::vector<Index>> out;
    const std::vector<Index> common = random_order(x[0].rows(), 81);
    for (std::size_t k = 0; k < x.size(); ++k) {
      if (shared_negatives && k + 1 == x.size()) {
        out.push_back(random_order(x[k].rows(), 82));
        continue;
      }
      out.push_back(common);
      for (const Index i : random_order(x[k].rows() - x[0].rows(), 83)) {
        out.back().push_back(x[0].rows() + i);
      }
    }
    return out;
  }
};

/// Value and all gradients of a form.
template <class S>
struct Computed {
  Result result;
  Sets<S> d;
  Matrix<S> d_parameter;
  double d_temperature = 0;
};

template <class S>
Computed<S> compute(const Form<S>& form, Request<S> request = {}) {
  Computed<S> out;
  out.d.resize(form.x.size());
  for (Matrix<S>& d : out.d) request.gradients.push_back(d);
  if (form.parametric()) request.d_parameter = out.d_parameter;
  request.d_temperature = &out.d_temperature;
  out.result = form(request);
  return out;
}

template <class S>
void expect_same_bits(const Computed<S>& got, const Computed<S>& want) {
  expect_identical(got.result, want.result);
  for (std::size_t k = 0; k < want.d.size(); ++k) EXPECT_TRUE(same_bits(got.d[k], want.d[k]));
  EXPECT_TRUE(same_bits(got.d_parameter, want.d_parameter));
  EXPECT_EQ(got.d_temperature, want.d_temperature);
}

void expect_close(double got, double want, double tolerance) {
  EXPECT_LE(std::abs(got - want), tolerance * std::abs(want)) << got << " and " << want;
}

// ---- all forms ----------------------------------------------------------------------------------

constexpr double temperature = 0.4;

/// Loss over rows, in that order, then labels, if any.
template <class S, class Loss, class... Inputs>
Result called(const Loss& loss, const Request<S>& request, const Inputs&... inputs) {
  const std::vector<GradientRows<S>>& g = request.gradients;
  const nearfar::CallOptions<S> call{.workspace = request.workspace,
                                     .d_parameter = request.d_parameter,
                                     .upstream = request.upstream};
  const auto finish = [&](auto result) -> Result {
    if constexpr (requires { result.d_temperature; }) {
      if (request.d_temperature != nullptr) *request.d_temperature = result.d_temperature;
    }
    return result;
  };
  const auto with = [&](const auto&... out) -> Result {
    return finish(loss.forward_backward(inputs..., out..., call));
  };
  if (g.empty()) return finish(loss.forward(inputs..., call));
  constexpr int sets = (0 + ... + (std::is_same_v<Inputs, Matrix<S>> ? 1 : 0));
  if constexpr (sets == 1) {
    return with(g[0]);
  } else if constexpr (sets == 2) {
    return with(g[0], g[1]);
  } else {
    return with(g[0], g[1], g[2]);
  }
}

template <class Case, class S = typename Case::Scalar>
void add_forms(Index rows, Index depth, std::vector<Form<S>>& out) {
  using Kernel = typename Case::Kernel;
  const Case c(depth);
  Form<S> form;
  form.parameter = c.parameter;
  form.distance_of_rows = Kernel::geometry == nearfar::Geometry::squared_distance;
  form.direction_only = Kernel::geometry == nearfar::Geometry::cosine;
  form.two_spaces = c.query_cols != c.key_cols;
  const Matrix<S> first = random_rows<S>(rows, c.query_cols, 61);
  const Matrix<S> second = random_rows<S>(rows, c.key_cols, 62);
  const Matrix<S> third = random_rows<S>(rows + 3, c.key_cols, 63);

  const auto kernel_of = [](const Form<S>& f) {
    if constexpr (Case::parametric) {
      return Kernel(f.parameter);
    } else {
      static_cast<void>(f);
      return Kernel();
    }
  };
  const auto info_nce_of = [=](const Form<S>& f, const Request<S>& request) {
    return nearfar::InfoNce<S, Kernel>({.temperature = temperature, .reduction = request.reduction},
                                       kernel_of(f));
  };
  form.name = "InfoNce of " + Case::name();
  form.x = {first, third};
  form.call = [=](const Form<S>& f, const Request<S>& request) {
    return called(info_nce_of(f, request), request, f.x[0], f.x[1]);
  };
  out.push_back(form);

  form.name = "InfoNce with negatives of " + Case::name();
  form.x = {first, second, third};
  form.shared_negatives = true;
  form.call = [=](const Form<S>& f, const Request<S>& request) {
    return called(info_nce_of(f, request), request, f.x[0], f.x[1], f.x[2]);
  };
  out.push_back(form);

  if constexpr (Kernel::orientation == nearfar::Orientation::distance) {
    const auto hadsell_of = [=](const Form<S>& f, const Request<S>& request) {
      return nearfar::HadsellContrastive<S, Kernel>({.margin = 1.3, .reduction = request.reduction},
                                                    kernel_of(f));
    };
    form.shared_negatives = false;
    form.name = "pairs of HadsellContrastive of " + Case::name();
    form.x = {first, second};
    form.labels = random_labels(rows, 2, 64);
    form.call = [=](const Form<S>& f, const Request<S>& request) {
      return called(hadsell_of(f, request), request, f.x[0], f.x[1], f.labels);
    };
    out.push_back(form);

    form.name = "batch of HadsellContrastive of " + Case::name();
    form.x = {first};
    form.labels = random_labels(rows, 4, 65);
    form.call = [=](const Form<S>& f, const Request<S>& request) {
      return called(hadsell_of(f, request), request, f.x[0], f.labels);
    };
    out.push_back(form);
  }
}

/// Every form with every kernel. Odd sizes: neither rows nor elements fill whole tiles.
template <class S>
std::vector<Form<S>> forms(Index rows, Index depth) {
  std::vector<Form<S>> out;
  add_forms<EuclideanCase<S>>(rows, depth, out);
  add_forms<SquaredEuclideanCase<S>>(rows, depth, out);
  add_forms<CosineDistanceCase<S>>(rows, depth, out);
  add_forms<CosineCase<S>>(rows, depth, out);
  add_forms<InnerProductCase<S>>(rows, depth, out);
  add_forms<MahalanobisFewer<S>>(rows, depth, out);
  add_forms<MahalanobisMore<S>>(rows, depth, out);
  add_forms<BilinearCase<S>>(rows, depth, out);
  return out;
}

template <class S>
class Properties : public testing::Test {};
TYPED_TEST_SUITE(Properties, Scalars, CaseNames);

// ---- symmetries ---------------------------------------------------------------------------------

TYPED_TEST(Properties, PermutedRowsHavePermutedValuesAndGradients) {
  using S = TypeParam;
  for (const Form<S>& form : forms<S>(33, 7)) {
    SCOPED_TRACE(form.name);
    const Computed<S> want = compute(form, {.reduction = Reduction::none});
    Form<S> other = form;
    const auto orders = form.orders();
    for (std::size_t k = 0; k < form.x.size(); ++k) other.x[k] = reordered(form.x[k], orders[k]);
    for (std::size_t i = 0; i < form.labels.size(); ++i) {
      other.labels[i] = form.labels[static_cast<std::size_t>(orders[0][i])];
    }
    const Computed<S> got = compute(other, {.reduction = Reduction::none});
    expect_same_counts(got.result.diagnostics, want.result.diagnostics);
    ASSERT_EQ(got.result.values.size(), want.result.values.size());
    double largest_value = 0;
    for (const double v : want.result.values) largest_value = std::max(largest_value, v);
    for (std::size_t i = 0; i < got.result.values.size(); ++i) {
      EXPECT_NEAR(got.result.values[i], want.result.values[static_cast<std::size_t>(orders[0][i])],
                  Tolerance<S>::same * largest_value);
    }
    for (std::size_t k = 0; k < form.x.size(); ++k) {
      expect_same<S>(got.d[k], reordered(want.d[k], orders[k]), "rows' gradient");
    }
    if (form.parametric()) expect_same<S>(got.d_parameter, want.d_parameter, "matrix's gradient");
  }
}

/// Rotating rows, and the space of the kernel's matrix, keeps the value and rotates gradients.
TYPED_TEST(Properties, RotatingRowsRotatesGradients) {
  using S = TypeParam;
  for (const Form<S>& form : forms<S>(33, 7)) {
    SCOPED_TRACE(form.name);
    const Computed<S> want = compute(form);
    const Matrix<S> turn = random_rotation(form.x[0].cols(), 71).template cast<S>();
    const Matrix<S> other_turn =
        form.two_spaces ? Matrix<S>(random_rotation(form.x[1].cols(), 72).template cast<S>())
                        : turn;
    const auto turned = [&](const Sets<S>& sets) {
      Sets<S> out;
      for (std::size_t k = 0; k < sets.size(); ++k) {
        out.push_back(sets[k] * (k == 0 ? turn : other_turn));
      }
      return out;
    };
    const auto turned_matrix = [&](const Matrix<S>& m) -> Matrix<S> {
      if (m.size() == 0) return m;
      return form.two_spaces ? Matrix<S>(other_turn.transpose() * m * turn) : Matrix<S>(m * turn);
    };
    Form<S> other = form;
    other.x = turned(form.x);
    other.parameter = turned_matrix(form.parameter);
    const Computed<S> got = compute(other);
    expect_close(got.result.value, want.result.value, Tolerance<S>::same);
    EXPECT_NEAR(got.d_temperature, want.d_temperature,
                Tolerance<S>::same * std::max(1.0, std::abs(want.d_temperature)));
    const Sets<S> wanted = turned(want.d);
    for (std::size_t k = 0; k < wanted.size(); ++k) {
      expect_same<S>(got.d[k], wanted[k], "rows' gradient");
    }
    expect_same<S>(got.d_parameter, turned_matrix(want.d_parameter), "matrix's gradient");
  }
}

TYPED_TEST(Properties, GradientsOfDistancesSumToZero) {
  using S = TypeParam;
  int found = 0;
  for (const Form<S>& form : forms<S>(33, 7)) {
    if (!form.distance_of_rows) continue;
    SCOPED_TRACE(form.name);
    ++found;
    const Computed<S> got = compute(form);
    oracle::Matrix sum = oracle::Matrix::Zero(1, form.x[0].cols());
    oracle::Real size = 0;
    for (const Matrix<S>& d : got.d) {
      sum += oracle::exact(d).colwise().sum();
      size += oracle::exact(d).cwiseAbs().sum();
    }
    EXPECT_GT(size, 0);
    EXPECT_LE(largest(sum), Tolerance<S>::gradient * size);
  }
  EXPECT_EQ(found, 16);
}

TYPED_TEST(Properties, GradientsOfCosinesAreAtRightAnglesToTheirRows) {
  using S = TypeParam;
  int found = 0;
  for (const Form<S>& form : forms<S>(33, 7)) {
    if (!form.direction_only) continue;
    SCOPED_TRACE(form.name);
    ++found;
    const Computed<S> got = compute(form);
    for (std::size_t k = 0; k < form.x.size(); ++k) {
      const oracle::Matrix x = oracle::exact(form.x[k]);
      const oracle::Matrix d = oracle::exact(got.d[k]);
      const oracle::Real longest = std::sqrt(d.rowwise().squaredNorm().maxCoeff());
      EXPECT_GT(longest, 0);
      for (Index i = 0; i < x.rows(); ++i) {
        EXPECT_LE(std::abs(x.row(i).dot(d.row(i))),
                  Tolerance<S>::gradient * x.row(i).norm() * longest)
            << "set " << k << ", row " << i;
      }
    }
  }
  EXPECT_EQ(found, 6);
}

TYPED_TEST(Properties, LengthsDoNotMatterToCosines) {
  using S = TypeParam;
  for (const Form<S>& form : forms<S>(33, 7)) {
    if (!form.direction_only) continue;
    SCOPED_TRACE(form.name);
    const Computed<S> want = compute(form);
    Form<S> longer = form;
    for (Matrix<S>& x : longer.x) x *= S(8);  // a power of two: no rounding
    const Computed<S> got = compute(longer);
    expect_close(got.result.value, want.result.value, Tolerance<S>::same);
    for (std::size_t k = 0; k < want.d.size(); ++k) {
      expect_same<S>(got.d[k] * S(8), want.d[k], "rows' gradient");
    }
  }
}

// ---- equal calls --------------------------------------------------------------------------------

TYPED_TEST(Properties, ForwardEqualsForwardBackwardAndAnUpstreamOfOneChangesNothing) {
  using S = TypeParam;
  const std::vector<double> ones(33, 1);
  for (const Form<S>& form : forms<S>(33, 7)) {
    for (const Reduction reduction :
         {Reduction::mean, Reduction::sum, Reduction::mean_nonzero, Reduction::none}) {
      SCOPED_TRACE(form.name + ", reduction " + std::to_string(static_cast<int>(reduction)));
      const Upstream one = reduction == Reduction::none ? Upstream(ones) : Upstream(1.0);
      const Computed<S> want = compute(form, {.reduction = reduction});
      expect_identical(form({.reduction = reduction}), want.result);
      expect_same_bits(compute(form, {.reduction = reduction, .upstream = one}), want);
    }
  }
}

TYPED_TEST(Properties, AccumulateAddsToWhatIsThere) {
  using S = TypeParam;
  for (const Form<S>& form : forms<S>(33, 7)) {
    SCOPED_TRACE(form.name);
    const Computed<S> want = compute(form);
    Sets<S> before;
    for (const Matrix<S>& x : form.x) before.push_back(uniform_matrix<S>(x.rows(), x.cols(), 74));
    const Matrix<S> before_parameter =
        uniform_matrix<S>(form.parameter.rows(), form.parameter.cols(), 75);
    Sets<S> after = before;
    Matrix<S> after_parameter = before_parameter;
    Request<S> request;
    for (Matrix<S>& d : after) request.gradients.push_back(nearfar::accumulate(d));
    if (form.parametric()) request.d_parameter = nearfar::accumulate(after_parameter);
    expect_identical(form(request), want.result);
    for (std::size_t k = 0; k < after.size(); ++k) {
      expect_same<S>(after[k], before[k] + want.d[k], "accumulated");
      EXPECT_GT((after[k] - before[k]).cwiseAbs().maxCoeff(), S(0));
    }
    if (form.parametric()) {
      expect_same<S>(after_parameter, before_parameter + want.d_parameter, "matrix, accumulated");
    }
  }
}

TYPED_TEST(Properties, LeavingAGradientOutChangesNoOther) {
  using S = TypeParam;
  for (const Form<S>& form : forms<S>(33, 7)) {
    const Computed<S> want = compute(form);
    // Every subset of the gradients, including that of the matrix.
    const std::size_t sets = form.x.size();
    const std::size_t choices = std::size_t(1) << (sets + (form.parametric() ? 1 : 0));
    for (std::size_t choice = 0; choice < choices; ++choice) {
      SCOPED_TRACE(form.name + ", choice " + std::to_string(choice));
      const auto wanted = [&](std::size_t k) { return (choice >> k) % 2 == 1; };
      Sets<S> got(sets);
      Matrix<S> got_parameter;
      double d_temperature = -1;
      Request<S> request{.d_temperature = &d_temperature};
      for (std::size_t k = 0; k < sets; ++k) {
        request.gradients.push_back(wanted(k) ? GradientRows<S>(got[k]) : nearfar::no_gradient);
      }
      if (form.parametric() && wanted(sets)) request.d_parameter = got_parameter;
      const Result result = form(request);
      expect_identical(result, want.result);
      for (std::size_t k = 0; k < sets; ++k) {
        EXPECT_TRUE(same_bits(got[k], wanted(k) ? want.d[k] : Matrix<S>())) << "set " << k;
      }
      EXPECT_TRUE(same_bits(got_parameter, wanted(sets) ? want.d_parameter : Matrix<S>()));
      if (form.name.starts_with("InfoNce")) {
        EXPECT_EQ(d_temperature, want.d_temperature);
      }
    }
  }
}

// ---- threads and memory -------------------------------------------------------------------------

TYPED_TEST(Properties, ThreadsDoNotChangeABit) {
  using S = TypeParam;
  // Rows for several panels and tiles, without whole numbers of them.
  for (const Form<S>& form : forms<S>(270, 11)) {
    for (const Reduction reduction : {Reduction::none, Reduction::mean}) {
      // Only pairs of a batch take another pass if rows have no values of their own.
      if (reduction == Reduction::mean && !form.name.starts_with("batch")) continue;
      SCOPED_TRACE(form.name + ", reduction " + std::to_string(static_cast<int>(reduction)));
      Workspace alone(1);
      const Computed<S> want = compute(form, {.reduction = reduction, .workspace = &alone});
      for (const int threads : {2, 3, 4, 7, 16}) {
        SCOPED_TRACE(testing::Message() << threads << " threads");
        Workspace workspace(threads);
        expect_same_bits(compute(form, {.reduction = reduction, .workspace = &workspace}), want);
      }
    }
  }
}

TYPED_TEST(Properties, ASecondCallAllocatesNothing) {
  using S = TypeParam;
  for (const Form<S>& form : forms<S>(130, 19)) {
    for (const int threads : {1, 3}) {
      SCOPED_TRACE(form.name + ", threads " + std::to_string(threads));
      Workspace workspace(threads);
      Sets<S> d(form.x.size());
      Matrix<S> d_parameter;
      Request<S> forward{.workspace = &workspace};
      Request<S> gradients{.upstream = 0.5, .workspace = &workspace};
      for (Matrix<S>& m : d) gradients.gradients.push_back(m);
      if (form.parametric()) gradients.d_parameter = d_parameter;
      const long at_first = allocations;
      form(gradients);
      EXPECT_GT(allocations - at_first, 0) << "the count counts";
      const std::size_t bytes = workspace.bytes();
      const long before = allocations;
      form(gradients);
      form(gradients);
      EXPECT_EQ(allocations - before, 0);
      EXPECT_EQ(workspace.bytes(), bytes);
      form(forward);
      const long before_forward = allocations;
      form(forward);
      EXPECT_EQ(allocations - before_forward, 0) << "forward";
    }
  }
}

}  // namespace
