#include <gtest/gtest.h>

#include <limits>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/info_nce.hpp>

#include "support/errors.hpp"
#include "support/kernel_cases.hpp"

/// Every way to call InfoNCE and Hadsell's loss wrongly: what is thrown, what it says, and that
/// nothing was written.

namespace {

using namespace support;
using nearfar::accumulate;
using nearfar::CallOptions;
using nearfar::GradientRows;
using nearfar::no_gradient;
using nearfar::Reduction;
using nearfar::UnusableAnchor;
using nearfar::Upstream;

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

template <class S>
Matrix<S> with(Matrix<S> m, Index row, Index col, S element) {
  m(row, col) = element;
  return m;
}

/// Buffers that no refused call may touch.
template <class S>
class Untouched {
 public:
  Matrix<S> first = Matrix<S>::Constant(3, 2, S(7));
  Matrix<S> second = Matrix<S>::Constant(4, 1, S(8));
  Matrix<S> third = Matrix<S>::Constant(1, 6, S(9));
  Matrix<S> parameter = Matrix<S>::Constant(2, 3, S(5));

  /// A buffer of fixed shape, too small for anything here.
  Eigen::Map<Matrix<S>> small() { return {memory_.data(), 4, 3}; }

  void expect_as_before(const char* name) const {
    EXPECT_EQ(first, Matrix<S>::Constant(3, 2, S(7))) << name;
    EXPECT_EQ(second, Matrix<S>::Constant(4, 1, S(8))) << name;
    EXPECT_EQ(third, Matrix<S>::Constant(1, 6, S(9))) << name;
    EXPECT_EQ(parameter, Matrix<S>::Constant(2, 3, S(5))) << name;
    EXPECT_EQ(memory_, std::vector<S>(12, S(6))) << name;
  }

 private:
  std::vector<S> memory_ = std::vector<S>(12, S(6));
};

template <class S>
class BadLosses : public testing::Test {
 protected:
  using Rows = Matrix<S>;
  static constexpr S nan = std::numeric_limits<S>::quiet_NaN();
  static constexpr S infinity = std::numeric_limits<S>::infinity();

  const Rows five = random_rows<S>(5, 4, 1);
  const Rows other_five = random_rows<S>(5, 4, 2);
  const Rows six = random_rows<S>(6, 4, 3);
  const Rows wide_five = random_rows<S>(5, 6, 4);
  const Rows no_columns = Rows(5, 0);
  const Rows huge = Rows::Constant(5, 4, std::numeric_limits<S>::max() / 2);
  const Rows two_by_four = random_rows<S>(2, 4, 5);
  const Rows six_by_four = random_rows<S>(6, 4, 6);
  const std::vector<int> labels = {0, 1, 0, 1, 1};
  const std::vector<int> four_labels = {0, 1, 0, 1};
};
TYPED_TEST_SUITE(BadLosses, Scalars, CaseNames);

// ---- options ------------------------------------------------------------------------------------

TYPED_TEST(BadLosses, RefuseOptionsThatMakeNoSense) {
  using S = TypeParam;
  const auto temperature = [](double value) {
    return [value] { nearfar::InfoNce<S>({.temperature = value}); };
  };
  const auto margin = [](double value) {
    return [value] { nearfar::HadsellContrastive<S>({.margin = value}); };
  };
  const BadCall table[] = {
      {"temperature 0",
       Thrown::invalid_argument,
       {"temperature: wanted a finite number > 0, got 0"},
       temperature(0)},
      {"temperature below 0",
       Thrown::invalid_argument,
       {"temperature: ", "got -0.07"},
       temperature(-0.07)},
      {"temperature NaN",
       Thrown::invalid_argument,
       {"temperature: ", "nan"},
       temperature(not_a_number)},
      {"temperature infinite",
       Thrown::invalid_argument,
       {"temperature: ", "got inf"},
       temperature(infinite)},
      {"margin 0",
       Thrown::invalid_argument,
       {"margin: wanted a finite number > 0, got 0"},
       margin(0)},
      {"margin below 0", Thrown::invalid_argument, {"margin: ", "got -1"}, margin(-1)},
      {"margin NaN", Thrown::invalid_argument, {"margin: ", "nan"}, margin(not_a_number)},
      {"margin infinite", Thrown::invalid_argument, {"margin: ", "got inf"}, margin(infinite)},
      {"margin minus infinity",
       Thrown::invalid_argument,
       {"margin: ", "got -inf"},
       margin(-infinite)},
  };
  for (const BadCall& bad : table) expect_refused(bad);
}

// ---- InfoNce ------------------------------------------------------------------------------------

/// Rows that no call takes: forward, forward_backward, and forward_backward with an upstream.
TYPED_TEST(BadLosses, InfoNceRefusesRows) {
  using S = TypeParam;
  using M = Matrix<S>;
  const auto& t = *this;
  Untouched<S> out;
  enum { forward, forward_backward, with_upstream, ways };
  for (int way = forward; way < ways; ++way) {
    const auto keys_of = [&](const auto& kernel, const M& queries, const M& keys,
                             UnusableAnchor unusable = UnusableAnchor::skip) {
      const nearfar::InfoNce<S, std::decay_t<decltype(kernel)>> loss({.unusable_anchors = unusable},
                                                                     kernel);
      if (way == forward) loss.forward(queries, keys);
      if (way == forward_backward) loss.forward_backward(queries, keys, out.first, out.second);
      if (way == with_upstream) {
        loss.forward_backward(queries, keys, out.first, out.second, {.upstream = 2.0});
      }
    };
    const auto negatives_of = [&](const auto& kernel, const M& queries, const M& keys,
                                  const M& negatives,
                                  UnusableAnchor unusable = UnusableAnchor::skip) {
      const nearfar::InfoNce<S, std::decay_t<decltype(kernel)>> loss({.unusable_anchors = unusable},
                                                                     kernel);
      if (way == forward) loss.forward(queries, keys, negatives);
      if (way == forward_backward) {
        loss.forward_backward(queries, keys, negatives, out.first, out.second, out.third);
      }
      if (way == with_upstream) {
        loss.forward_backward(queries, keys, negatives, out.first, out.second, out.third,
                              {.upstream = 2.0});
      }
    };
    const nearfar::Cosine cosine;
    const BadCall table[] = {
        {"fewer keys than queries",
         Thrown::invalid_argument,
         {"keys: wanted a key for each of 6 queries, got 5 keys"},
         [&] { keys_of(cosine, t.six, t.five); }},
        {"keys of other elements",
         Thrown::invalid_argument,
         {"keys: wanted 5 x 4, got 5 x 6"},
         [&] { keys_of(cosine, t.five, t.wide_five); }},
        {"no elements",
         Thrown::invalid_argument,
         {"queries: wanted rows of at least one element"},
         [&] { keys_of(cosine, t.no_columns, t.no_columns); }},
        {"NaN in queries",
         Thrown::domain_error,
         {"queries: ", "NaN at row 3, column 2"},
         [&] { keys_of(cosine, with(t.five, 3, 2, t.nan), t.six); }},
        {"infinity in keys",
         Thrown::domain_error,
         {"keys: ", "got infinity at row 5, column 0"},
         [&] { keys_of(cosine, t.five, with(t.six, 5, 0, t.infinity)); }},
        {"minus infinity in keys",
         Thrown::domain_error,
         {"keys: ", "got -infinity at row 0, column 3"},
         [&] { keys_of(cosine, t.five, with(t.six, 0, 3, -t.infinity)); }},
        {"inner products too large",
         Thrown::domain_error,
         {"queries and keys", "overflow"},
         [&] { keys_of(nearfar::InnerProduct(), t.huge, t.huge); }},
        {"matrix for other queries",
         Thrown::invalid_argument,
         {"queries: wanted 5 x 4, got 5 x 6"},
         [&] { keys_of(nearfar::Mahalanobis(t.two_by_four), t.wide_five, t.wide_five); }},
        {"matrix for other keys",
         Thrown::invalid_argument,
         {"keys: wanted 5 x 6, got 5 x 4"},
         [&] { keys_of(nearfar::Bilinear(t.six_by_four), t.five, t.other_five); }},
        {"NaN in the matrix",
         Thrown::domain_error,
         {"kernel parameter", "NaN at row 1, column 0"},
         [&] {
           const M bad = with(t.two_by_four, 1, 0, t.nan);
           keys_of(nearfar::Mahalanobis(bad), t.five, t.other_five);
         }},
        {"a query without a negative",
         Thrown::invalid_argument,
         {"batch: ", "1 anchors without a negative"},
         [&] {
           const M one = t.five.topRows(1);
           keys_of(cosine, one, one, UnusableAnchor::error);
         }},
        {"more keys than queries, with negatives",
         Thrown::invalid_argument,
         {"keys: wanted one key for each of 5 queries, got 6 keys"},
         [&] { negatives_of(cosine, t.five, t.six, t.six); }},
        {"fewer keys than queries, with negatives",
         Thrown::invalid_argument,
         {"keys: wanted one key for each of 6 queries, got 5 keys"},
         [&] { negatives_of(cosine, t.six, t.five, t.six); }},
        {"keys of other elements, with negatives",
         Thrown::invalid_argument,
         {"keys: wanted 5 x 4, got 5 x 6"},
         [&] { negatives_of(cosine, t.five, t.wide_five, t.six); }},
        {"negatives of other elements",
         Thrown::invalid_argument,
         {"negatives: wanted 5 x 4, got 5 x 6"},
         [&] { negatives_of(cosine, t.five, t.other_five, t.wide_five); }},
        {"NaN in negatives",
         Thrown::domain_error,
         {"negatives: ", "NaN at row 4, column 1"},
         [&] { negatives_of(cosine, t.five, t.other_five, with(t.six, 4, 1, t.nan)); }},
        {"infinity in keys, with negatives",
         Thrown::domain_error,
         {"keys: ", "infinity at row 1, column 1"},
         [&] { negatives_of(cosine, t.five, with(t.five, 1, 1, t.infinity), t.six); }},
        {"inner products too large, with negatives",
         Thrown::domain_error,
         {"queries and negatives", "overflow"},
         [&] { negatives_of(nearfar::InnerProduct(), t.huge, M::Zero(5, 4), t.huge); }},
        {"queries without a negative",
         Thrown::invalid_argument,
         {"batch: ", "5 anchors without a negative"},
         [&] { negatives_of(cosine, t.five, t.other_five, M(0, 4), UnusableAnchor::error); }},
    };
    for (const BadCall& bad : table) {
      SCOPED_TRACE(testing::Message() << "way " << way);
      expect_refused(bad);
      out.expect_as_before(bad.name);
    }
  }
}

TYPED_TEST(BadLosses, InfoNceRefusesGradientsAndUpstream) {
  using S = TypeParam;
  const auto& t = *this;
  Untouched<S> out;
  const nearfar::InfoNce<S> mean;
  const nearfar::InfoNce<S> none({.reduction = Reduction::none});
  const nearfar::InfoNce<S, nearfar::Mahalanobis<S>> mahalanobis(
      {}, nearfar::Mahalanobis<S>(t.two_by_four));
  const std::vector<double> four(4, 1.0);
  const std::vector<double> five_ones(5, 1.0);
  const std::vector<double> with_nan = {1, 1, 1, not_a_number, 1};
  const auto keys = [&](const auto& loss, const Upstream& upstream, GradientRows<S> d_queries,
                        GradientRows<S> d_keys, GradientRows<S> d_parameter = {}) {
    loss.forward_backward(t.five, t.six, d_queries, d_keys,
                          CallOptions<S>{.d_parameter = d_parameter, .upstream = upstream});
  };
  const auto negatives = [&](const auto& loss, const Upstream& upstream, GradientRows<S> d_queries,
                             GradientRows<S> d_keys, GradientRows<S> d_negatives,
                             GradientRows<S> d_parameter = {}) {
    loss.forward_backward(t.five, t.other_five, t.six, d_queries, d_keys, d_negatives,
                          CallOptions<S>{.d_parameter = d_parameter, .upstream = upstream});
  };
  const BadCall table[] = {
      {"queries' buffer",
       Thrown::invalid_argument,
       {"d_queries: wanted 5 x 4, got 4 x 3"},
       [&] { keys(mean, 1.0, out.small(), out.second); }},
      {"keys' buffer",
       Thrown::invalid_argument,
       {"d_keys: wanted 6 x 4, got 4 x 3"},
       [&] { keys(mean, 1.0, out.first, out.small()); }},
      {"keys to add to",
       Thrown::invalid_argument,
       {"d_keys: wanted 6 x 4, got 4 x 1"},
       [&] { keys(mean, 1.0, out.first, accumulate(out.second)); }},
      {"queries' buffer, with negatives",
       Thrown::invalid_argument,
       {"d_queries: wanted 5 x 4, got 4 x 3"},
       [&] { negatives(mean, 1.0, out.small(), out.second, out.third); }},
      {"keys' buffer, with negatives",
       Thrown::invalid_argument,
       {"d_keys: wanted 5 x 4, got 4 x 3"},
       [&] { negatives(mean, 1.0, out.first, out.small(), out.third); }},
      {"negatives' buffer",
       Thrown::invalid_argument,
       {"d_negatives: wanted 6 x 4, got 4 x 3"},
       [&] { negatives(mean, 1.0, out.first, out.second, out.small()); }},
      {"negatives to add to",
       Thrown::invalid_argument,
       {"d_negatives: wanted 6 x 4, got 1 x 6"},
       [&] { negatives(mean, 1.0, out.first, out.second, accumulate(out.third)); }},
      {"no matrix to have a gradient",
       Thrown::invalid_argument,
       {"d_parameter", "without one"},
       [&] { keys(mean, 1.0, out.first, out.second, out.parameter); }},
      {"no matrix to have a gradient, with negatives",
       Thrown::invalid_argument,
       {"d_parameter", "without one"},
       [&] { negatives(mean, 1.0, out.first, out.second, out.third, out.parameter); }},
      {"one Matrix for gradients of two shapes",
       Thrown::invalid_argument,
       {"gradients: wanted a Matrix for each shape, got one Matrix for two of them"},
       [&] { nearfar::InfoNce<S>().forward_backward(t.five, t.six, out.first, out.first); }},
      {"one Matrix for gradients of rows and of the kernel's matrix",
       Thrown::invalid_argument,
       {"gradients: wanted a Matrix for each shape, got one Matrix for two of them"},
       [&] { keys(mahalanobis, 1.0, out.first, out.second, out.first); }},
      {"matrix's gradient of another shape",
       Thrown::invalid_argument,
       {"d_parameter: wanted 2 x 4, got 2 x 3"},
       [&] { keys(mahalanobis, 1.0, out.first, out.second, accumulate(out.parameter)); }},
      {"matrix's gradient of another shape, with negatives",
       Thrown::invalid_argument,
       {"d_parameter: wanted 2 x 4, got 2 x 3"},
       [&] {
         negatives(mahalanobis, 1.0, out.first, out.second, out.third, accumulate(out.parameter));
       }},
      {"rows' upstream for a mean",
       Thrown::invalid_argument,
       {"upstream: wanted one number, got 5 numbers"},
       [&] { keys(mean, five_ones, out.first, out.second); }},
      {"one upstream for rows",
       Thrown::invalid_argument,
       {"upstream: wanted 5 numbers", "got one number"},
       [&] { keys(none, 1.0, out.first, out.second); }},
      {"fewer upstream than rows",
       Thrown::invalid_argument,
       {"upstream: wanted 5 numbers", "got 4 numbers"},
       [&] { keys(none, four, out.first, out.second); }},
      {"NaN upstream of a row",
       Thrown::domain_error,
       {"upstream: ", "NaN at row 3"},
       [&] { keys(none, with_nan, out.first, out.second); }},
      {"infinite upstream",
       Thrown::domain_error,
       {"upstream: ", "infinity"},
       [&] { keys(mean, infinite, out.first, out.second); }},
      {"rows' upstream for a mean, with negatives",
       Thrown::invalid_argument,
       {"upstream: wanted one number, got 5 numbers"},
       [&] { negatives(mean, five_ones, out.first, out.second, out.third); }},
      {"fewer upstream than rows, with negatives",
       Thrown::invalid_argument,
       {"upstream: wanted 5 numbers", "got 4 numbers"},
       [&] { negatives(none, four, out.first, out.second, out.third); }},
      {"NaN upstream, with negatives",
       Thrown::domain_error,
       {"upstream: ", "NaN"},
       [&] { negatives(mean, not_a_number, out.first, out.second, out.third); }},
  };
  for (const BadCall& bad : table) {
    expect_refused(bad);
    out.expect_as_before(bad.name);
  }
}

// ---- HadsellContrastive -------------------------------------------------------------------------

TYPED_TEST(BadLosses, HadsellRefusesRowsAndLabels) {
  using S = TypeParam;
  using M = Matrix<S>;
  const auto& t = *this;
  Untouched<S> out;
  enum { forward, forward_backward, with_upstream, ways };
  for (int way = forward; way < ways; ++way) {
    const auto pairs_of = [&](const auto& kernel, const M& x, const M& y,
                              const std::vector<int>& same) {
      const nearfar::HadsellContrastive<S, std::decay_t<decltype(kernel)>> loss({}, kernel);
      if (way == forward) loss.forward(x, y, same);
      if (way == forward_backward) loss.forward_backward(x, y, same, out.first, out.second);
      if (way == with_upstream) {
        loss.forward_backward(x, y, same, out.first, out.second, {.upstream = 2.0});
      }
    };
    const auto batch_of = [&](const auto& kernel, const M& x, const std::vector<int>& classes,
                              UnusableAnchor unusable = UnusableAnchor::skip) {
      const nearfar::HadsellContrastive<S, std::decay_t<decltype(kernel)>> loss(
          {.unusable_anchors = unusable}, kernel);
      if (way == forward) loss.forward(x, classes);
      if (way == forward_backward) loss.forward_backward(x, classes, out.first);
      if (way == with_upstream) {
        loss.forward_backward(x, classes, out.first, {.upstream = 2.0});
      }
    };
    const nearfar::Euclidean euclidean;
    const BadCall table[] = {
        {"another number of rows",
         Thrown::invalid_argument,
         {"b: wanted 5 x 4, got 6 x 4"},
         [&] { pairs_of(euclidean, t.five, t.six, t.labels); }},
        {"other elements",
         Thrown::invalid_argument,
         {"b: wanted 5 x 4, got 5 x 6"},
         [&] { pairs_of(euclidean, t.five, t.wide_five, t.labels); }},
        {"no elements",
         Thrown::invalid_argument,
         {"a: wanted rows of at least one element"},
         [&] { pairs_of(euclidean, t.no_columns, t.no_columns, t.labels); }},
        {"NaN in a",
         Thrown::domain_error,
         {"a: ", "NaN at row 3, column 2"},
         [&] { pairs_of(euclidean, with(t.five, 3, 2, t.nan), t.other_five, t.labels); }},
        {"minus infinity in b",
         Thrown::domain_error,
         {"b: ", "got -infinity at row 4, column 0"},
         [&] { pairs_of(euclidean, t.five, with(t.five, 4, 0, -t.infinity), t.labels); }},
        {"flags missing",
         Thrown::invalid_argument,
         {"same: wanted 5 labels", "got 4"},
         [&] { pairs_of(euclidean, t.five, t.other_five, t.four_labels); }},
        {"no flags",
         Thrown::invalid_argument,
         {"same: wanted 5 labels", "got 0"},
         [&] { pairs_of(euclidean, t.five, t.other_five, {}); }},
        {"a flag that is a label",
         Thrown::invalid_argument,
         {"same: wanted 0 or 1 for each pair, got 2 for pair 3"},
         [&] {
           pairs_of(euclidean, t.five, t.other_five, {0, 1, 1, 2, 0});
         }},
        {"a flag below 0",
         Thrown::invalid_argument,
         {"same: ", "got -1 for pair 0"},
         [&] {
           pairs_of(euclidean, t.five, t.other_five, {-1, 1, 1, 1, 0});
         }},
        {"matrix for other rows",
         Thrown::invalid_argument,
         {"a: wanted 5 x 4, got 5 x 6"},
         [&] {
           pairs_of(nearfar::Mahalanobis(t.two_by_four), t.wide_five, t.wide_five, t.labels);
         }},
        {"NaN in the matrix",
         Thrown::domain_error,
         {"kernel parameter", "NaN at row 1, column 3"},
         [&] {
           const M bad = with(t.two_by_four, 1, 3, t.nan);
           pairs_of(nearfar::Mahalanobis(bad), t.five, t.other_five, t.labels);
         }},
        {"no elements in the batch",
         Thrown::invalid_argument,
         {"x: wanted rows of at least one element"},
         [&] { batch_of(euclidean, t.no_columns, t.labels); }},
        {"infinity in x",
         Thrown::domain_error,
         {"x: ", "got infinity at row 2, column 1"},
         [&] { batch_of(euclidean, with(t.five, 2, 1, t.infinity), t.labels); }},
        {"labels missing",
         Thrown::invalid_argument,
         {"labels: wanted 5 labels", "got 4"},
         [&] { batch_of(euclidean, t.five, t.four_labels); }},
        {"labels without a row",
         Thrown::invalid_argument,
         {"labels: wanted 6 labels", "got 5"},
         [&] { batch_of(euclidean, t.six, t.labels); }},
        {"matrix for other rows of the batch",
         Thrown::invalid_argument,
         {"x: wanted 5 x 4, got 5 x 6"},
         [&] { batch_of(nearfar::Mahalanobis(t.two_by_four), t.wide_five, t.labels); }},
        {"NaN in the batch's matrix",
         Thrown::domain_error,
         {"kernel parameter", "NaN at row 0, column 0"},
         [&] {
           const M bad = with(t.two_by_four, 0, 0, t.nan);
           batch_of(nearfar::Mahalanobis(bad), t.five, t.labels);
         }},
        {"a row without another",
         Thrown::invalid_argument,
         {"batch: ", "1 anchors without another row"},
         [&] { batch_of(euclidean, t.five.topRows(1), {3}, UnusableAnchor::error); }},
    };
    for (const BadCall& bad : table) {
      SCOPED_TRACE(testing::Message() << "way " << way);
      expect_refused(bad);
      out.expect_as_before(bad.name);
    }
  }
}

TYPED_TEST(BadLosses, HadsellRefusesGradientsAndUpstream) {
  using S = TypeParam;
  const auto& t = *this;
  Untouched<S> out;
  const nearfar::HadsellContrastive<S> mean;
  const nearfar::HadsellContrastive<S> none({.reduction = Reduction::none});
  const nearfar::HadsellContrastive<S, nearfar::Mahalanobis<S>> mahalanobis(
      {}, nearfar::Mahalanobis<S>(t.two_by_four));
  const std::vector<double> six_ones(6, 1.0);
  const std::vector<double> five_ones(5, 1.0);
  const std::vector<double> with_infinity = {1, infinite, 1, 1, 1};
  const auto pairs = [&](const auto& loss, const Upstream& upstream, GradientRows<S> da,
                         GradientRows<S> db, GradientRows<S> d_parameter = {}) {
    loss.forward_backward(t.five, t.other_five, t.labels, da, db,
                          CallOptions<S>{.d_parameter = d_parameter, .upstream = upstream});
  };
  const auto batch = [&](const auto& loss, const Upstream& upstream, GradientRows<S> dx,
                         GradientRows<S> d_parameter = {}) {
    loss.forward_backward(t.five, t.labels, dx,
                          CallOptions<S>{.d_parameter = d_parameter, .upstream = upstream});
  };
  const BadCall table[] = {
      {"buffer of a",
       Thrown::invalid_argument,
       {"da: wanted 5 x 4, got 4 x 3"},
       [&] { pairs(mean, 1.0, out.small(), out.second); }},
      {"buffer of b",
       Thrown::invalid_argument,
       {"db: wanted 5 x 4, got 4 x 3"},
       [&] { pairs(mean, 1.0, out.first, out.small()); }},
      {"b to add to",
       Thrown::invalid_argument,
       {"db: wanted 5 x 4, got 4 x 1"},
       [&] { pairs(mean, 1.0, out.first, accumulate(out.second)); }},
      {"buffer of x",
       Thrown::invalid_argument,
       {"dx: wanted 5 x 4, got 4 x 3"},
       [&] { batch(mean, 1.0, out.small()); }},
      {"x to add to",
       Thrown::invalid_argument,
       {"dx: wanted 5 x 4, got 3 x 2"},
       [&] { batch(mean, 1.0, accumulate(out.first)); }},
      {"no matrix to have a gradient",
       Thrown::invalid_argument,
       {"d_parameter", "without one"},
       [&] { pairs(mean, 1.0, out.first, out.second, out.parameter); }},
      {"no matrix to have a gradient, batch",
       Thrown::invalid_argument,
       {"d_parameter", "without one"},
       [&] { batch(mean, 1.0, out.first, out.parameter); }},
      {"matrix's gradient of another shape",
       Thrown::invalid_argument,
       {"d_parameter: wanted 2 x 4, got 2 x 3"},
       [&] { pairs(mahalanobis, 1.0, out.first, out.second, accumulate(out.parameter)); }},
      {"matrix's gradient of another shape, batch",
       Thrown::invalid_argument,
       {"d_parameter: wanted 2 x 4, got 2 x 3"},
       [&] { batch(mahalanobis, 1.0, out.first, accumulate(out.parameter)); }},
      {"pairs' upstream for a mean",
       Thrown::invalid_argument,
       {"upstream: wanted one number, got 5 numbers"},
       [&] { pairs(mean, five_ones, out.first, out.second); }},
      {"one upstream for pairs",
       Thrown::invalid_argument,
       {"upstream: wanted 5 numbers", "got one number"},
       [&] { pairs(none, 1.0, out.first, out.second); }},
      {"more upstream than pairs",
       Thrown::invalid_argument,
       {"upstream: wanted 5 numbers", "got 6 numbers"},
       [&] { pairs(none, six_ones, out.first, out.second); }},
      {"infinite upstream of a pair",
       Thrown::domain_error,
       {"upstream: ", "infinity at row 1"},
       [&] { pairs(none, with_infinity, out.first, out.second); }},
      {"rows' upstream for a mean",
       Thrown::invalid_argument,
       {"upstream: wanted one number, got 5 numbers"},
       [&] { batch(mean, five_ones, out.first); }},
      {"one upstream for rows",
       Thrown::invalid_argument,
       {"upstream: wanted 5 numbers", "got one number"},
       [&] { batch(none, 1.0, out.first); }},
      {"infinite upstream of a row",
       Thrown::domain_error,
       {"upstream: ", "infinity at row 1"},
       [&] { batch(none, with_infinity, out.first); }},
      {"NaN upstream",
       Thrown::domain_error,
       {"upstream: ", "NaN"},
       [&] { batch(mean, not_a_number, out.first); }},
  };
  for (const BadCall& bad : table) {
    expect_refused(bad);
    out.expect_as_before(bad.name);
  }
}

// ---- what is not refused ------------------------------------------------------------------------

TYPED_TEST(BadLosses, SkipAnchorsWithNothingToLearnFromUnlessAsked) {
  using S = TypeParam;
  using M = Matrix<S>;
  const auto& t = *this;
  const M one = t.five.topRows(1);
  M dx;
  M dy;
  M dz;
  const nearfar::InfoNce<S> info_nce;
  const auto of_keys = info_nce.forward_backward(one, one, dx, dy);
  EXPECT_EQ(of_keys.value, 0);
  EXPECT_EQ(of_keys.diagnostics.anchors_without_negative, 1);
  EXPECT_EQ(dx, (M::Zero(1, 4)));
  EXPECT_EQ(dy, (M::Zero(1, 4)));
  // No negatives may come without columns, too.
  for (const Index columns : {0, 4}) {
    const auto of_none = info_nce.forward_backward(t.five, t.other_five, M(0, columns), dx, dy, dz);
    EXPECT_EQ(of_none.value, 0);
    EXPECT_EQ(of_none.diagnostics.anchors_without_negative, 5);
    EXPECT_EQ(dx, (M::Zero(5, 4)));
    EXPECT_EQ(dy, (M::Zero(5, 4)));
    EXPECT_EQ(dz.rows(), 0);
  }
  const nearfar::HadsellContrastive<S> hadsell;
  const auto of_one = hadsell.forward_backward(one, std::vector<int>{3}, dx);
  EXPECT_EQ(of_one.value, 0);
  EXPECT_EQ(of_one.diagnostics.terms, 0);
  EXPECT_EQ(dx, (M::Zero(1, 4)));
  EXPECT_NO_THROW((nearfar::HadsellContrastive<S>({.unusable_anchors = UnusableAnchor::error})
                       .forward(t.five, t.labels)));
  EXPECT_NO_THROW((nearfar::InfoNce<S>({.unusable_anchors = UnusableAnchor::error})
                       .forward(t.five, t.other_five)));
}

/// A call that was refused leaves its workspace free.
TYPED_TEST(BadLosses, LeaveTheWorkspaceFree) {
  using S = TypeParam;
  const auto& t = *this;
  nearfar::Workspace workspace;
  const CallOptions<S> call{.workspace = &workspace};
  const nearfar::InfoNce<S> info_nce;
  const nearfar::HadsellContrastive<S> hadsell;
  EXPECT_THROW(info_nce.forward(t.six, t.five, call), std::invalid_argument);
  EXPECT_THROW(info_nce.forward(with(t.five, 0, 0, t.nan), t.five, call), std::domain_error);
  EXPECT_THROW(hadsell.forward(t.five, t.four_labels, call), std::invalid_argument);
  EXPECT_NO_THROW(info_nce.forward(t.five, t.six, call));
  EXPECT_NO_THROW(hadsell.forward(t.five, t.labels, call));
}

}  // namespace
