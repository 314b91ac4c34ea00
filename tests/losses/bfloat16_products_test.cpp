#include <gtest/gtest.h>

#include <Eigen/LU>
#include <cmath>
#include <limits>
#include <nearfar/core/instruction_set.hpp>
#include <nearfar/kernels/kernels.hpp>
#include <nearfar/losses/clip.hpp>
#include <nearfar/losses/cpc.hpp>
#include <nearfar/losses/dclw.hpp>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/hard_negative.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/nt_xent.hpp>
#include <nearfar/losses/rince.hpp>
#include <nearfar/losses/sig_lip.hpp>
#include <nearfar/losses/sincere.hpp>
#include <nearfar/losses/sup_con.hpp>
#include <nearfar/metrics/retrieval.hpp>
#include <string>
#include <vector>

#include "support/errors.hpp"
#include "support/random.hpp"

/// \file
/// Products::bfloat16 beside plain loops in double. Products of two bfloat16 are exact in float, so
/// a score has the error of a sum in float. A weight of a gradient's product is rounded to bfloat16
/// once, by at most 2^-8 of itself; all other errors are those of float.

namespace {

using Bfloat16 = Eigen::bfloat16;
using nearfar::CallOptions;
using nearfar::Index;
using nearfar::Matrix;
using nearfar::Products;
using nearfar::Workspace;

#define NEEDS_BFLOAT16_PRODUCTS()        \
  if (!nearfar::has_bfloat16_products()) \
  GTEST_SKIP() << "no AVX-512 BF16, or another instruction set is active"

constexpr double rounding_of_weights = 1.0 / 256;
constexpr double rounding_of_float = 1.0 / (1 << 24);

CallOptions<float> in_bfloat16(Workspace* workspace = nullptr) {
  CallOptions<float> out{.workspace = workspace};
  out.products = Products::bfloat16;
  return out;
}

Matrix<Bfloat16> random_bfloat16(Index rows, Index cols, unsigned seed) {
  return support::random_rows<float>(rows, cols, seed).cast<Bfloat16>();
}

/// Rows in double as a kernel takes them, and what a gradient passes through on its way back.
struct Side {
  Matrix<double> rows;
  std::vector<double> inverse;  ///< 1/|x| of a cosine; empty for inner products

  Side(const Matrix<Bfloat16>& x, bool cosine) : rows(x.cast<float>().cast<double>()) {
    for (Index i = 0; cosine && i < rows.rows(); ++i) {
      inverse.push_back(1 / rows.row(i).norm());
      rows.row(i) *= inverse.back();
    }
  }

  /// The gradient of the caller's row i, from that of the row.
  Matrix<double> chain(const Matrix<double>& g, Index i) const {
    if (inverse.empty()) return g.row(i);
    const double along = g.row(i).dot(rows.row(i));
    return inverse[static_cast<std::size_t>(i)] * (g.row(i) - along * rows.row(i));
  }
  /// The largest error of each element of it, for errors of at most `e`.
  Matrix<double> chain_bound(const Matrix<double>& e, Index i) const {
    if (inverse.empty()) return e.row(i);
    const Matrix<double> size = rows.row(i).cwiseAbs();
    return inverse[static_cast<std::size_t>(i)] *
           (e.row(i) + e.row(i).cwiseProduct(size).sum() * size);
  }
};

/// Checks a gradient: W Y for weights W, with the bound on each element. Returns the ratio of norms
/// of error and gradient.
double expect_gradient(const Matrix<float>& got, const Matrix<double>& w, const Matrix<double>& y,
                       const Side& x, const std::string& what) {
  const Matrix<double> want = w * y;
  const Matrix<double> size = w.cwiseAbs() * y.cwiseAbs();
  // Scores of at most about 1 have an error of D roundings. At a temperature of 0.1 a probability
  // has twenty times that, relative to itself. The product is a sum of as many as there are rows.
  const double of_float = rounding_of_float * static_cast<double>(20 * (y.cols() + 8) + y.rows());
  const Matrix<double> bound = size * (rounding_of_weights + of_float);
  double error = 0;
  double all = 0;
  EXPECT_EQ(got.rows(), want.rows()) << what;
  EXPECT_EQ(got.cols(), want.cols()) << what;
  for (Index i = 0; i < want.rows(); ++i) {
    const Matrix<double> row = x.chain(want, i);
    const Matrix<double> most = x.chain_bound(bound, i);
    for (Index k = 0; k < want.cols(); ++k) {
      const double difference = std::abs(static_cast<double>(got(i, k)) - row(0, k));
      EXPECT_LE(difference, most(0, k)) << what << " " << i << ", " << k;
      error += difference * difference;
      all += row(0, k) * row(0, k);
    }
  }
  return std::sqrt(error / all);
}

/// Cross entropy of a row of scores: each positive's share, summed over rows, and its derivatives
/// with respect to scores. allowed(i, j): whether the row is compared with the key. share(i, j): of
/// the row's positives, which sum to 1.
struct Softmax {
  double value = 0;
  Matrix<double> weights;

  template <class Allowed, class Share>
  Softmax(const Matrix<double>& scores, double temperature, const Allowed& allowed,
          const Share& share)
      : weights(Matrix<double>::Zero(scores.rows(), scores.cols())) {
    for (Index i = 0; i < scores.rows(); ++i) {
      double sum = 0;
      double shares = 0;
      for (Index j = 0; j < scores.cols(); ++j) {
        if (!allowed(i, j)) continue;
        sum += std::exp(scores(i, j) / temperature);
        shares += share(i, j);
      }
      if (shares == 0) continue;
      for (Index j = 0; j < scores.cols(); ++j) {
        if (!allowed(i, j)) continue;
        const double p = std::exp(scores(i, j) / temperature) / sum;
        value -= share(i, j) > 0 ? share(i, j) * std::log(p) : 0;
        weights(i, j) = (p - share(i, j)) / temperature;
      }
    }
  }
};

/// A score of D products has an error of at most about D roundings of |x| |y|, and a value twice
/// that of its logits.
void expect_value(double got, double want, double temperature, double largest, Index depth) {
  const double roundings = static_cast<double>(depth + 8) * rounding_of_float;
  EXPECT_NEAR(got, want, 2 * roundings * largest / temperature + 1e-6 * std::abs(want));
}

struct Shape {
  Index queries;
  Index keys;
  Index depth;
};

class Bfloat16Products : public testing::TestWithParam<Shape> {};

template <class K>
void expect_info_nce(const Shape& shape, bool cosine, double temperature, bool with_ids) {
  const Matrix<Bfloat16> q = random_bfloat16(shape.queries, shape.depth, 1);
  const Matrix<Bfloat16> k = random_bfloat16(shape.keys, shape.depth, 2);
  const Side queries(q, cosine);
  const Side keys(k, cosine);
  std::vector<int> query_ids, key_ids;
  for (Index i = 0; i < shape.queries; ++i) query_ids.push_back(static_cast<int>(i % 50));
  for (Index j = 0; j < shape.keys; ++j) key_ids.push_back(static_cast<int>(j % 50));
  const Matrix<double> scores = queries.rows * keys.rows.transpose();
  const Softmax want(
      scores, temperature,
      [&](Index i, Index j) {
        return !with_ids || i == j ||
               query_ids[static_cast<std::size_t>(i)] != key_ids[static_cast<std::size_t>(j)];
      },
      [](Index i, Index j) { return i == j ? 1.0 : 0.0; });
  const nearfar::InfoNce<float, K> loss(
      {.temperature = temperature, .reduction = nearfar::Reduction::sum});
  Matrix<float> dq, dk;
  const auto call = [&](const CallOptions<float>& options) {
    return with_ids ? loss.forward_backward(q, k, nearfar::Targets().ids(query_ids),
                                            nearfar::Targets().ids(key_ids), dq, dk, options)
                    : loss.forward_backward(q, k, dq, dk, options);
  };
  const nearfar::InfoNceResult result = call(in_bfloat16());
  const double rows = static_cast<double>(shape.queries);
  expect_value(result.value / rows, want.value / rows, temperature, scores.cwiseAbs().maxCoeff(),
               shape.depth);
  const double error = expect_gradient(dq, want.weights, keys.rows, queries, "queries");
  EXPECT_LT(error, rounding_of_weights);
  EXPECT_GT(error, rounding_of_weights / 64) << "weights are rounded";
  EXPECT_LT(expect_gradient(dk, want.weights.transpose(), queries.rows, keys, "keys"),
            rounding_of_weights);
  // The value and the temperature's derivative have the same scores without gradients.
  const nearfar::InfoNceResult exact = call({});
  EXPECT_NEAR(result.d_temperature, exact.d_temperature, 1e-4 * std::abs(exact.d_temperature));
  if (!with_ids) {
    EXPECT_EQ(loss.forward(q, k, in_bfloat16()).value, result.value);
  }
}

TEST_P(Bfloat16Products, OfInfoNceWithinTheirBound) {
  NEEDS_BFLOAT16_PRODUCTS();
  expect_info_nce<nearfar::Cosine>(GetParam(), true, 0.1, false);
  expect_info_nce<nearfar::InnerProduct>(GetParam(), false, 2, false);
}

TEST_P(Bfloat16Products, OfInfoNceWithIdsWithinTheirBound) {
  NEEDS_BFLOAT16_PRODUCTS();
  expect_info_nce<nearfar::Cosine>(GetParam(), true, 0.1, true);
}

TEST_P(Bfloat16Products, OfClipWithinTheirBound) {
  NEEDS_BFLOAT16_PRODUCTS();
  const Shape shape = GetParam();
  const Matrix<Bfloat16> q = random_bfloat16(shape.queries, shape.depth, 3);
  const Matrix<Bfloat16> k = random_bfloat16(shape.queries, shape.depth, 4);
  const Side images(q, true);
  const Side texts(k, true);
  const Matrix<double> scores = images.rows * texts.rows.transpose();
  const auto all = [](Index, Index) { return true; };
  const auto pairs = [](Index i, Index j) { return i == j ? 1.0 : 0.0; };
  const Softmax by_image(scores, 0.1, all, pairs);
  const Softmax by_text(scores.transpose(), 0.1, all, pairs);
  const Matrix<double> weights = (by_image.weights + by_text.weights.transpose()) / 2;
  const nearfar::Clip<float> loss({.logit_scale = 10, .reduction = nearfar::Reduction::sum});
  Matrix<float> dq, dk;
  const double value = loss.forward_backward(q, k, dq, dk, in_bfloat16()).value;
  const double rows = static_cast<double>(shape.queries);
  expect_value(value / rows, (by_image.value + by_text.value) / 2 / rows, 0.1, 1, shape.depth);
  EXPECT_LT(expect_gradient(dq, weights, texts.rows, images, "images"), rounding_of_weights);
  EXPECT_LT(expect_gradient(dk, weights.transpose(), images.rows, texts, "texts"),
            rounding_of_weights);
}

TEST_P(Bfloat16Products, OfNtXentWithinTheirBound) {
  NEEDS_BFLOAT16_PRODUCTS();
  const Shape shape = GetParam();
  const Index n = shape.queries;
  const Matrix<Bfloat16> x = random_bfloat16(2 * n, shape.depth, 5);
  const Side rows(x, true);
  const Softmax want(
      rows.rows * rows.rows.transpose(), 0.2, [](Index i, Index j) { return i != j; },
      [&](Index i, Index j) { return j == (i + n) % (2 * n) ? 1.0 : 0.0; });
  const nearfar::NtXent<float> loss({.temperature = 0.2, .reduction = nearfar::Reduction::sum});
  Matrix<float> dx(2 * n, shape.depth);
  const double value = loss.forward_backward(x.topRows(n), x.bottomRows(n), dx.topRows(n),
                                             dx.bottomRows(n), in_bfloat16())
                           .value;
  const double count = static_cast<double>(2 * n);
  expect_value(value / count, want.value / count, 0.2, 1, shape.depth);
  EXPECT_LT(expect_gradient(dx, want.weights + want.weights.transpose(), rows.rows, rows, "views"),
            rounding_of_weights);
}

/// Some rows have no label, and take no part.
TEST_P(Bfloat16Products, OfSupConWithinTheirBound) {
  NEEDS_BFLOAT16_PRODUCTS();
  const Shape shape = GetParam();
  const Index n = shape.queries;
  const Matrix<Bfloat16> x = random_bfloat16(n, shape.depth, 6);
  std::vector<int> labels;
  for (Index i = 0; i < n; ++i) labels.push_back(i % 7 == 3 ? -1 : static_cast<int>(i % 5));
  const auto label = [&](Index i) { return labels[static_cast<std::size_t>(i)]; };
  const Side rows(x, true);
  std::vector<double> positives(labels.size(), -1.0);
  for (Index i = 0; i < n; ++i) {
    for (Index j = 0; j < n; ++j) {
      positives[static_cast<std::size_t>(i)] += label(i) == label(j) ? 1 : 0;
    }
  }
  const auto kept = [&](Index i, Index j) { return i != j && label(i) >= 0 && label(j) >= 0; };
  const Softmax want(rows.rows * rows.rows.transpose(), 0.1, kept, [&](Index i, Index j) {
    return label(i) == label(j) ? 1 / positives[static_cast<std::size_t>(i)] : 0.0;
  });
  const nearfar::SupCon<float> loss({.temperature = 0.1, .reduction = nearfar::Reduction::sum});
  const auto targets = nearfar::Targets(labels).unlabelled(-1);
  Matrix<float> dx;
  const double value = loss.forward_backward(x, targets, dx, in_bfloat16()).value;
  expect_value(value / static_cast<double>(n), want.value / static_cast<double>(n), 0.1, 1,
               shape.depth);
  EXPECT_LT(expect_gradient(dx, want.weights + want.weights.transpose(), rows.rows, rows, "x"),
            rounding_of_weights);
}

INSTANTIATE_TEST_SUITE_P(Shapes, Bfloat16Products,
                         testing::Values(Shape{60, 60, 64}, Shape{61, 67, 33}, Shape{97, 401, 3},
                                         Shape{131, 770, 95}, Shape{385, 385, 130},
                                         Shape{1025, 1031, 17}));

TEST(Bfloat16ProductsOf, AnyNumberOfThreadsHaveTheSameBits) {
  NEEDS_BFLOAT16_PRODUCTS();
  const Matrix<Bfloat16> q = random_bfloat16(701, 97, 7);
  const Matrix<Bfloat16> k = random_bfloat16(701, 97, 8);
  std::vector<int> labels;
  for (int i = 0; i < 701; ++i) labels.push_back(i % 9);
  const auto expect = [&](const auto& call) {
    Workspace one(1);
    Matrix<float> want_q, want_k;
    const double value = call(want_q, want_k, in_bfloat16(&one));
    for (const int threads : {2, 3, 7}) {
      Workspace workspace(threads);
      Matrix<float> dq, dk;
      EXPECT_EQ(call(dq, dk, in_bfloat16(&workspace)), value) << threads;
      EXPECT_TRUE(dq == want_q) << threads;
      EXPECT_TRUE(dk == want_k) << threads;
      const std::size_t bytes = workspace.bytes();
      call(dq, dk, in_bfloat16(&workspace));
      EXPECT_EQ(workspace.bytes(), bytes) << "a second call";
    }
  };
  using Gradient = Matrix<float>;
  using Options = CallOptions<float>;
  expect([&](Gradient& dq, Gradient& dk, const Options& options) {
    return nearfar::InfoNce<float>().forward_backward(q, k, dq, dk, options).value;
  });
  expect([&](Gradient& dq, Gradient& dk, const Options& options) {
    return nearfar::Clip<float>().forward_backward(q, k, dq, dk, options).value;
  });
  expect([&](Gradient& dq, Gradient& dk, const Options& options) {
    return nearfar::NtXent<float>().forward_backward(q, k, dq, dk, options).value;
  });
  expect([&](Gradient& dq, Gradient&, const Options& options) {
    return nearfar::SupCon<float>().forward_backward(q, labels, dq, options).value;
  });
}

/// Rows whose products would be beyond float's range, or below it, have cosines like any others.
TEST(Bfloat16ProductsOf, RowsOfAnyLengthHaveTheirCosines) {
  NEEDS_BFLOAT16_PRODUCTS();
  const nearfar::InfoNce<float> loss;
  for (const Index depth : {1, 40}) {
    const Matrix<Bfloat16> q = random_bfloat16(30, depth, 9);
    const Matrix<Bfloat16> k = random_bfloat16(30, depth, 10);
    Matrix<float> want_q, want_k;
    const double value = loss.forward_backward(q, k, want_q, want_k, in_bfloat16()).value;
    for (const int exponent : {-100, -70, 70, 120}) {
      SCOPED_TRACE(testing::Message() << depth << " elements times 2^" << exponent);
      const float power = std::ldexp(1.0f, exponent);
      const auto scaled = [&](const Matrix<Bfloat16>& x) -> Matrix<Bfloat16> {
        return (x.cast<float>() * power).cast<Bfloat16>();
      };
      Matrix<float> dq, dk;
      EXPECT_EQ(loss.forward_backward(scaled(q), k, dq, dk, in_bfloat16()).value, value);
      EXPECT_TRUE(dk == want_k);
      EXPECT_LE((dq * power - want_q).norm(), 1e-6f * want_q.norm());
      EXPECT_EQ(loss.forward_backward(scaled(q), scaled(k), dq, dk, in_bfloat16()).value, value);
      EXPECT_LE((dq * power - want_q).norm(), 1e-6f * want_q.norm());
      EXPECT_LE((dk * power - want_k).norm(), 1e-6f * want_k.norm());
    }
  }
}

TEST(Bfloat16ProductsOf, AGradientAloneHasTheBitsThatItHasWithTheOther) {
  NEEDS_BFLOAT16_PRODUCTS();
  const Matrix<Bfloat16> q = random_bfloat16(61, 33, 17);
  const Matrix<Bfloat16> k = random_bfloat16(67, 33, 18);
  const nearfar::InfoNce<float> loss;
  Matrix<float> want_q, want_k, dq, dk;
  loss.forward_backward(q, k, want_q, want_k, in_bfloat16());
  loss.forward_backward(q, k, dq, nearfar::no_gradient, in_bfloat16());
  loss.forward_backward(q, k, nearfar::no_gradient, dk, in_bfloat16());
  EXPECT_TRUE(dq == want_q);
  EXPECT_TRUE(dk == want_k);
}

TEST(Bfloat16ProductsOf, InnerProductsOfLongAndShortRows) {
  NEEDS_BFLOAT16_PRODUCTS();
  const Matrix<Bfloat16> q = random_bfloat16(30, 40, 11);
  const Matrix<Bfloat16> k = random_bfloat16(30, 40, 12);
  const nearfar::InfoNce<float, nearfar::InnerProduct> loss({.temperature = 1});
  Matrix<float> want_q, want_k;
  const double value = loss.forward_backward(q, k, want_q, want_k, in_bfloat16()).value;
  for (const int exponent : {-100, 100}) {
    const float power = std::ldexp(1.0f, exponent);
    const Matrix<Bfloat16> large = (q.cast<float>() * power).cast<Bfloat16>();
    const Matrix<Bfloat16> small = (k.cast<float>() / power).cast<Bfloat16>();
    Matrix<float> dq, dk;
    EXPECT_EQ(loss.forward_backward(large, small, dq, dk, in_bfloat16()).value, value) << exponent;
    EXPECT_TRUE(dq * power == want_q) << exponent;
    EXPECT_TRUE(dk / power == want_k) << exponent;
  }
}

TEST(Bfloat16ProductsOf, ZeroRowsAndAnEmptyBatch) {
  NEEDS_BFLOAT16_PRODUCTS();
  Matrix<Bfloat16> q = random_bfloat16(9, 5, 13);
  q.row(4).setZero();
  const Matrix<Bfloat16> k = q;
  Matrix<float> dq, dk, want_q, want_k;
  const nearfar::InfoNce<float> loss;
  const double value = loss.forward_backward(q, k, want_q, want_k).value;
  EXPECT_NEAR(loss.forward_backward(q, k, dq, dk, in_bfloat16()).value, value, 1e-6);
  EXPECT_LT((dq - want_q).norm(), want_q.norm() / 256);
  EXPECT_EQ(dq.row(4).norm(), 0);
  EXPECT_EQ(loss.forward(Matrix<Bfloat16>(0, 5), Matrix<Bfloat16>(0, 5), in_bfloat16()).value, 0);
}

TEST(Bfloat16ProductsOf, NegativesThatAllQueriesShare) {
  NEEDS_BFLOAT16_PRODUCTS();
  const Matrix<Bfloat16> q = random_bfloat16(50, 41, 14);
  const Matrix<Bfloat16> k = random_bfloat16(50, 41, 15);
  const Matrix<Bfloat16> negatives = random_bfloat16(500, 41, 16);
  const nearfar::InfoNce<float> loss;
  Matrix<float> dq, dk, dn, want_q, want_k, want_n;
  const nearfar::Negatives<float> shared(negatives);
  const double value = loss.forward_backward(q, k, shared, want_q, want_k, want_n).value;
  const double got = loss.forward_backward(q, k, shared, dq, dk, dn, in_bfloat16()).value;
  EXPECT_NEAR(got, value, 1e-5 * value);
  EXPECT_LT((dq - want_q).norm(), want_q.norm() / 256);
  EXPECT_LT((dk - want_k).norm(), want_k.norm() / 256);
  EXPECT_LT((dn - want_n).norm(), want_n.norm() / 256);
  EXPECT_FALSE(dn == want_n) << "weights are rounded";
}

/// A loss of two sets of as many rows as elements. The weights follow from the exact gradients: W =
/// dX Y^-1. `same`: both sets are halves of one, in which all rows are compared.
template <class Call>
void expect_bound_from_weights(const char* name, bool cosine, bool same, const Call& call) {
  constexpr Index n = 60;
  const Matrix<Bfloat16> q = random_bfloat16(same ? n / 2 : n, n, 23);
  const Matrix<Bfloat16> k = random_bfloat16(same ? n / 2 : n, n, 24);
  Matrix<float> exact[2], got[2];
  const double value = call(q, k, exact[0], exact[1], CallOptions<float>());
  EXPECT_NEAR(call(q, k, got[0], got[1], in_bfloat16()), value, 1e-5 * std::abs(value)) << name;
  const auto stacked = [&](const auto& upper, const auto& lower) {
    using Row = std::decay_t<decltype(upper)>;
    Row out(upper.rows() + lower.rows(), upper.cols());
    out << upper, lower;
    return out;
  };
  const auto expect = [&](const Matrix<float>& of_exact, const Matrix<float>& of_bfloat16,
                          const Side& x, const Side& y) {
    const Matrix<double> want = of_exact.cast<double>();
    Matrix<double> of_row = want;
    for (Index i = 0; i < n && cosine; ++i) {
      of_row.row(i) /= x.inverse[static_cast<std::size_t>(i)];
    }
    // Of a cosine the weight of a row with itself is its part along the row, which is not rounded.
    Matrix<double> w = y.rows.transpose().partialPivLu().solve(of_row.transpose()).transpose();
    if (same) w.diagonal().setZero();
    const Matrix<double> bound = 1.01 * rounding_of_weights * (w.cwiseAbs() * y.rows.cwiseAbs());
    const Matrix<double> difference = of_bfloat16.cast<double>() - want;
    EXPECT_GT(difference.norm(), rounding_of_weights / 64 * want.norm()) << name;
    for (Index i = 0; i < n; ++i) {
      const Matrix<double> most = x.chain_bound(bound, i);
      for (Index j = 0; j < n; ++j) {
        EXPECT_LE(std::abs(difference(i, j)), most(0, j)) << name << " " << i << ", " << j;
      }
    }
  };
  if (same) {
    const Side x(stacked(q, k), cosine);
    expect(stacked(exact[0], exact[1]), stacked(got[0], got[1]), x, x);
  } else {
    const Side x(q, cosine);
    const Side y(k, cosine);
    expect(exact[0], got[0], x, y);
    expect(exact[1], got[1], y, x);
  }
}

TEST(Bfloat16ProductsOf, OtherLossesWithinTheirBound) {
  NEEDS_BFLOAT16_PRODUCTS();
  using nearfar::InnerProduct;
  const auto of = [](const auto& loss) {
    return [loss](const auto& q, const auto& k, auto& dq, auto& dk, const auto& options) {
      return loss.forward_backward(q, k, dq, dk, options).value;
    };
  };
  expect_bound_from_weights("SigLIP", false, false, of(nearfar::SigLip<float, InnerProduct>()));
  expect_bound_from_weights("InfoNCE of distances", true, false,
                            of(nearfar::InfoNce<float, nearfar::CosineDistance>()));
  expect_bound_from_weights("RINCE", false, false, of(nearfar::Rince<float, InnerProduct>()));
  expect_bound_from_weights("RINCE of views", true, true, of(nearfar::RinceViews<float>()));
  expect_bound_from_weights("DCLW", true, true, of(nearfar::Dclw<float>()));
  expect_bound_from_weights("hard negatives", true, true, of(nearfar::HardNegative<float>()));
  expect_bound_from_weights(
      "SINCERE", true, true,
      [](const auto& q, const auto& k, auto& dq, auto& dk, const auto& options) {
        Matrix<Bfloat16> x(q.rows() + k.rows(), q.cols());
        x << q, k;
        std::vector<int> labels;
        for (int i = 0; i < x.rows(); ++i) labels.push_back(i % 6);
        Matrix<float> dx;
        const double value =
            nearfar::Sincere<float>().forward_backward(x, labels, dx, options).value;
        dq = dx.topRows(q.rows());
        dk = dx.bottomRows(k.rows());
        return value;
      });
}

// ---- refusals: everywhere --------------------------------------------------------------------

template <class Call>
void expect_refused(const Call& call, const std::string& why) {
  try {
    call();
    FAIL() << "nothing thrown: " << why;
  } catch (const std::invalid_argument& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("products: wanted Products::scalar, got Products::bfloat16, "),
              std::string::npos)
        << text;
    EXPECT_NE(text.find(why), std::string::npos) << text;
  }
}

TEST(Bfloat16ProductsAreRefused, WhereTheProcessorHasNone) {
  if (nearfar::has_bfloat16_products()) GTEST_SKIP() << "this processor has them";
  const Matrix<Bfloat16> x = random_bfloat16(4, 3, 17);
  expect_refused([&] { nearfar::InfoNce<float>().forward(x, x, in_bfloat16()); },
                 "which needs AVX-512 BF16");
}

TEST(Bfloat16ProductsAreRefused, ByLossesWithOtherProducts) {
  const Matrix<Bfloat16> x = random_bfloat16(4, 3, 18);
  const std::vector<int> labels = {0, 0, 1, 1};
  const std::string why = "which this loss or metric does not take";
  Matrix<float> dx = Matrix<float>::Constant(1, 1, 5);
  expect_refused(
      [&] { nearfar::HadsellContrastive<float>().forward_backward(x, labels, dx, in_bfloat16()); },
      why);
  EXPECT_EQ(dx(0, 0), 5);
  expect_refused([&] { nearfar::Retrieval<float>().evaluate(x, labels, in_bfloat16()); }, why);
  expect_refused(
      [&] {
        nearfar::Cpc<float>({.length = 2, .steps = 1})
            .forward(x, x, Matrix<Bfloat16>(random_bfloat16(3, 3, 19)), in_bfloat16());
      },
      why);
  expect_refused(
      [&] {
        nearfar::InfoNce<float>().forward(x, x, nearfar::per_query(nearfar::Rows<float>(x)),
                                          in_bfloat16());
      },
      why);
}

TEST(Bfloat16ProductsAreRefused, OfDouble) {
  const Matrix<double> x = support::random_rows<double>(4, 3, 20);
  CallOptions<double> options;
  options.products = Products::bfloat16;
  expect_refused([&] { nearfar::InfoNce<double>().forward(x, x, options); }, "a loss of double");
}

TEST(Bfloat16ProductsAreRefused, OfOtherRowsAndKernels) {
  NEEDS_BFLOAT16_PRODUCTS();
  const Matrix<Bfloat16> x = random_bfloat16(4, 3, 21);
  const Matrix<float> other = x.cast<float>();
  const Matrix<Eigen::half> half = other.cast<Eigen::half>();
  Matrix<float> dx = Matrix<float>::Constant(1, 1, 5);
  const nearfar::InfoNce<float> loss;
  expect_refused([&] { loss.forward_backward(x, other, dx, nearfar::no_gradient, in_bfloat16()); },
                 "rows of another type: keys");
  EXPECT_EQ(dx(0, 0), 5);
  expect_refused([&] { loss.forward(half, half, in_bfloat16()); }, "rows of another type: queries");
  expect_refused([&] { nearfar::NtXent<float>().forward(x, other, in_bfloat16()); },
                 "rows of another type: view2");
  expect_refused(
      [&] { nearfar::InfoNce<float, nearfar::SquaredEuclidean>().forward(x, x, in_bfloat16()); },
      "an inner product or a cosine");
  const Matrix<float> matrix = support::random_rows<float>(3, 3, 22);
  expect_refused(
      [&] {
        nearfar::InfoNce<float, nearfar::Bilinear<float>>({}, nearfar::Bilinear(matrix))
            .forward(x, x, in_bfloat16());
      },
      "an inner product or a cosine");
}

}  // namespace
