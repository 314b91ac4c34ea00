#include <gtest/gtest.h>

#include <array>
#include <nearfar/losses/info_nce.hpp>
#include <string>

#include "support/compare.hpp"
#include "support/gradient.hpp"
#include "support/kernel_cases.hpp"

/// InfoNCE of every kernel: values, counts and all gradients on odd sizes against the oracle, and
/// on small ones against finite differences, which know nothing of the oracle's formulas.

namespace {

using namespace support;
using nearfar::InfoNceOptions;
using nearfar::InfoNceResult;
using nearfar::Reduction;
using nearfar::Upstream;

constexpr double temperature = 0.5;

struct Sizes {
  Index queries;
  Index keys;
  Index negatives;  ///< none explicit: -1
  Index depth;
};

std::string text(const Sizes& s) {
  return std::to_string(s.queries) + " queries, " + std::to_string(s.keys) + " keys, " +
         std::to_string(s.negatives) + " negatives, depth " + std::to_string(s.depth);
}

/// One set of rows for a case's kernel, and every way to call the loss on it.
template <class Case>
struct Problem {
  using S = typename Case::Scalar;
  using Loss = nearfar::InfoNce<S, typename Case::Kernel>;

  explicit Problem(const Sizes& s)
      : of_kernel(s.depth),
        queries(random_rows<S>(s.queries, of_kernel.query_cols, 31)),
        keys(random_rows<S>(s.keys, of_kernel.key_cols, 32)),
        negatives(random_rows<S>(s.negatives < 0 ? 0 : s.negatives, of_kernel.key_cols, 33)),
        explicit_negatives(s.negatives >= 0) {}

  Case of_kernel;
  Matrix<S> queries;
  Matrix<S> keys;
  Matrix<S> negatives;
  bool explicit_negatives;
  Matrix<S> d_queries;
  Matrix<S> d_keys;
  Matrix<S> d_negatives;
  Matrix<S> d_parameter;

  Loss loss(Reduction reduction, double tau = temperature) const {
    return Loss(InfoNceOptions{.temperature = tau, .reduction = reduction}, of_kernel.kernel());
  }

  InfoNceResult forward(const Loss& loss, nearfar::Workspace* workspace = nullptr) const {
    const nearfar::CallOptions<S> call{.workspace = workspace};
    return explicit_negatives ? loss.forward(queries, keys, negatives, call)
                              : loss.forward(queries, keys, call);
  }

  InfoNceResult gradients(const Loss& loss, const Upstream& upstream = {}) {
    const nearfar::CallOptions<S> call{.d_parameter = parameter_gradient<Case>(d_parameter),
                                       .upstream = upstream};
    return explicit_negatives ? loss.forward_backward(queries, keys, negatives, d_queries, d_keys,
                                                      d_negatives, call)
                              : loss.forward_backward(queries, keys, d_queries, d_keys, call);
  }

  oracle::Loss want(oracle::Request request) const {
    request.parameter_rows = of_kernel.parameter.rows();
    request.parameter_cols = of_kernel.parameter.cols();
    const oracle::Matrix others = oracle::exact(negatives);
    return oracle::info_nce(of_kernel.oracle(), temperature, oracle::exact(queries),
                            oracle::exact(keys), explicit_negatives ? &others : nullptr, request);
  }

  void expect_gradients(const InfoNceResult& got, const oracle::Loss& wanted) const {
    expect_gradient<S>(d_queries, wanted.first, "d_queries");
    expect_gradient<S>(d_keys, wanted.second, "d_keys");
    if (explicit_negatives) expect_gradient<S>(d_negatives, wanted.third, "d_negatives");
    if (Case::parametric) expect_gradient<S>(d_parameter, wanted.parameter, "d_parameter");
    EXPECT_LE(std::abs(got.d_temperature - wanted.d_temperature),
              Tolerance<S>::gradient * wanted.d_temperature_scale)
        << "d_temperature: got " << got.d_temperature << ", wanted " << wanted.d_temperature;
  }
};

template <class Case>
class InfoNce : public testing::Test {
 protected:
  static constexpr std::array odd_sizes{
      Sizes{1, 1, -1, 1},     Sizes{1, 2, -1, 3},    Sizes{2, 2, -1, 17},
      Sizes{2, 130, -1, 128}, Sizes{7, 7, -1, 3},    Sizes{7, 33, -1, 200},
      Sizes{33, 33, -1, 17},  Sizes{33, 34, -1, 1},  Sizes{130, 130, -1, 17},
      Sizes{130, 133, -1, 3}, Sizes{1, 1, 0, 3},     Sizes{1, 1, 1, 1},
      Sizes{2, 2, 7, 200},    Sizes{7, 7, 0, 17},    Sizes{7, 7, 130, 3},
      Sizes{33, 33, 2, 128},  Sizes{33, 33, 33, 17}, Sizes{130, 130, 33, 3},
      Sizes{130, 130, 1, 17},
  };
  /// Sizes on which a test can afford to ask several things.
  static constexpr std::array few_sizes{Sizes{7, 7, -1, 17}, Sizes{7, 9, -1, 3},
                                        Sizes{33, 33, 5, 3}, Sizes{7, 7, 3, 17}};
};
TYPED_TEST_SUITE(InfoNce, AllKernels, CaseNames);

/// Rows are weighed apart, so that no error of one can hide behind another's.
TYPED_TEST(InfoNce, IsTheOraclesOnOddSizes) {
  using S = typename TypeParam::Scalar;
  for (const Sizes& sizes : this->odd_sizes) {
    SCOPED_TRACE(text(sizes));
    Problem<TypeParam> p(sizes);
    const std::vector<double> weights = random_upstream(sizes.queries, 34);
    const Upstream upstream(weights);
    const oracle::Loss want = p.want({.reduction = Reduction::none, .upstream = weights});
    const InfoNceResult got = p.gradients(p.loss(Reduction::none), upstream);
    expect_result<S>(got, want, Reduction::none);
    p.expect_gradients(got, want);
    if (testing::Test::HasFailure()) return;
  }
}

TYPED_TEST(InfoNce, ReducesAsAsked) {
  using S = typename TypeParam::Scalar;
  for (const Sizes& sizes : this->few_sizes) {
    for (const Reduction reduction :
         {Reduction::mean, Reduction::sum, Reduction::mean_nonzero, Reduction::none}) {
      SCOPED_TRACE(text(sizes) + ", reduction " + std::to_string(static_cast<int>(reduction)));
      Problem<TypeParam> p(sizes);
      const auto loss = p.loss(reduction);
      const oracle::Loss want = p.want({.reduction = reduction});
      expect_result<S>(p.forward(loss), want, reduction);
      const InfoNceResult got = p.gradients(loss);
      expect_result<S>(got, want, reduction);
      p.expect_gradients(got, want);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TYPED_TEST(InfoNce, UpstreamMultipliesGradientsAndNotTheValue) {
  using S = typename TypeParam::Scalar;
  const Upstream upstream(-1.75);
  for (const Sizes& sizes : this->few_sizes) {
    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::mean_nonzero}) {
      SCOPED_TRACE(text(sizes) + ", reduction " + std::to_string(static_cast<int>(reduction)));
      Problem<TypeParam> p(sizes);
      const oracle::Loss want = p.want({.reduction = reduction, .upstream = {-1.75}});
      const InfoNceResult got = p.gradients(p.loss(reduction), upstream);
      expect_result<S>(got, want, reduction);
      p.expect_gradients(got, want);
      if (testing::Test::HasFailure()) return;
    }
  }
}

TYPED_TEST(InfoNce, GradientsMatchFiniteDifferences) {
  using S = typename TypeParam::Scalar;
  // Depth 4: a Mahalanobis of one output would have the corners of an absolute value.
  for (const Sizes& sizes : {Sizes{4, 5, -1, 4}, Sizes{3, 3, 4, 4}}) {
    for (const Reduction reduction :
         {Reduction::mean, Reduction::sum, Reduction::mean_nonzero, Reduction::none}) {
      SCOPED_TRACE(text(sizes) + ", reduction " + std::to_string(static_cast<int>(reduction)));
      Problem<TypeParam> p(sizes);
      Matrix<S> tau = Matrix<S>::Constant(1, 1, static_cast<S>(temperature));
      const InfoNceResult got = p.gradients(p.loss(reduction));
      const Matrix<S> d_tau = Matrix<S>::Constant(1, 1, static_cast<S>(got.d_temperature));
      nearfar::Workspace workspace(1);
      std::vector<nearfar::CheckedInput<S>> inputs = {{"queries", p.queries, p.d_queries},
                                                      {"keys", p.keys, p.d_keys},
                                                      {"temperature", tau, d_tau}};
      Index elements = p.queries.size() + p.keys.size() + 1;
      if (p.explicit_negatives) {
        inputs.push_back({"negatives", p.negatives, p.d_negatives});
        elements += p.negatives.size();
      }
      if (TypeParam::parametric) {
        inputs.push_back({"parameter", p.of_kernel.parameter, p.d_parameter});
        elements += p.of_kernel.parameter.size();
      }
      expect_right(nearfar::check_gradient<S>(
                       [&] {
                         const auto loss = p.loss(reduction, static_cast<double>(tau(0, 0)));
                         return p.forward(loss, &workspace).value;
                       },
                       inputs),
                   elements);
    }
  }
}

TYPED_TEST(InfoNce, OfNoQueriesIsZero) {
  using S = typename TypeParam::Scalar;
  for (const Index negatives : {-1, 0, 3}) {
    for (const Reduction reduction :
         {Reduction::mean, Reduction::sum, Reduction::mean_nonzero, Reduction::none}) {
      SCOPED_TRACE(testing::Message() << negatives << " negatives");
      Problem<TypeParam> p({0, negatives < 0 ? Index(2) : Index(0), negatives, 3});
      const InfoNceResult got = p.gradients(p.loss(reduction));
      EXPECT_EQ(got.value, 0);
      EXPECT_TRUE(got.values.empty());
      EXPECT_EQ(got.d_temperature, 0);
      EXPECT_EQ(got.diagnostics.terms, 0);
      EXPECT_EQ(p.d_queries.rows(), 0);
      EXPECT_EQ(p.d_keys, Matrix<S>::Zero(p.keys.rows(), p.keys.cols()));
      if (p.explicit_negatives) {
        EXPECT_EQ(p.d_negatives, Matrix<S>::Zero(negatives, p.keys.cols()));
      }
    }
  }
}

}  // namespace
