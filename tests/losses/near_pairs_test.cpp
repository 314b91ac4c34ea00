#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>
#include <nearfar/kernels/euclidean.hpp>
#include <nearfar/kernels/mahalanobis.hpp>
#include <nearfar/kernels/squared_euclidean.hpp>
#include <nearfar/losses/clip.hpp>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/losses/linear_contrastive.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/losses/triplet.hpp>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/kernel_cases.hpp"
#include "support/oracle.hpp"
#include "support/random.hpp"

/// Gradients of pairs that are near each other and far from the mean of all rows keep their digits:
/// those of each row are right to 1e-4 (float) and 1e-11 (double) of the summands' size.

namespace {

using nearfar::Index;
using nearfar::Matrix;
using oracle::Real;

template <class S, class K, bool root>
struct Distance {
  using Scalar = S;
  using Kernel = K;
  static constexpr bool is_root = root;
};

template <class Case>
class NearPairs : public testing::Test {
 protected:
  using S = typename Case::Scalar;
  using K = typename Case::Kernel;
  static constexpr bool is_float = sizeof(S) == sizeof(float);
  static constexpr bool has_matrix = nearfar::ParametricKernel<K>;

  struct Batch {
    std::string name;
    Matrix<S> x;
    std::vector<int> labels;
    bool has_twins = false;
    /// The kernel's matrix, if it has one, that makes rows shorter or longer.
    Matrix<S> transform = {};

    template <class Loss, class Options>
    Loss loss(const Options& options) const {
      if constexpr (has_matrix) {
        return Loss(options, K(transform));
      } else {
        return Loss(options);
      }
    }
  };

  static std::vector<int> cycle(Index n, int classes) {
    std::vector<int> labels;
    for (Index i = 0; i < n; ++i) labels.push_back(static_cast<int>(i) % classes);
    return labels;
  }

  static std::vector<Batch> batches() {
    std::vector<Batch> all;
    for (const double at : is_float ? std::vector{1e6, 1e8} : std::vector{1e8, 1e15}) {
      Batch outlier{"an outlier at " + std::to_string(at), support::random_rows<S>(70, 9, 1), {}};
      outlier.x(69, 0) = static_cast<S>(at);
      outlier.labels = cycle(70, 6);
      outlier.labels.back() = 99;
      all.push_back(outlier);
    }
    // More than a tile of rows, and than a panel of rows compared with themselves.
    Batch twins{"twins far apart", Matrix<S>(400, 3), {}};
    const S far = is_float ? S(1e5) : S(1e13);
    for (Index i = 0; i < 400; ++i) {
      const S side = i % 4 < 2 ? far : -far;
      twins.x.row(i) << side + S(i % 2) / 128, S(i % 7) * 8, S(i % 5) * 8;
    }
    // Classes on one side each: no triplet depends on the rounding errors of distances across.
    for (Index i = 0; i < 400; ++i)
      twins.labels.push_back(static_cast<int>((i % 4 < 2 ? 0 : 10) + i % 9));
    twins.has_twins = true;
    all.push_back(twins);
    Batch clusters{"tight classes", support::random_rows<S>(60, 17, 2), {}};
    clusters.labels = cycle(60, 5);
    for (Index i = 5; i < 60; ++i) {
      clusters.x.row(i) = clusters.x.row(i % 5) + clusters.x.row(i) / S(is_float ? 1e3 : 1e6);
    }
    all.push_back(clusters);
    for (Batch& one : all) {
      const Index cols = one.x.cols();
      if (has_matrix) one.transform = support::random_rows<S>(cols > 5 ? cols / 2 : 5, cols, 3);
    }
    return all;
  }

  /// Gradients of a sum over pairs, and the sum of the absolute summands of each row.
  class Expected {
   public:
    explicit Expected(const Batch& batch) : Expected(batch, batch.x) {}
    Expected(const Batch& batch, const Matrix<S>& x)
        : x_(oracle::exact(x)),
          transform_(has_matrix ? oracle::exact(batch.transform)
                                : oracle::Matrix(oracle::Matrix::Identity(x.cols(), x.cols()))),
          gradient_(oracle::Matrix::Zero(x.rows(), x.cols())),
          size_(static_cast<std::size_t>(x.rows()), 0) {}

    Real squared(Index i, Index j) const { return mapped(i, j).squaredNorm(); }
    Real score(Index i, Index j) const {
      return Case::is_root ? std::sqrt(squared(i, j)) : squared(i, j);
    }

    /// Adds g times the derivative of the score of rows i and j.
    void add(Index i, Index j, Real g) {
      const oracle::Matrix v = mapped(i, j);
      const Real distance = v.norm();
      if (distance == 0) return;
      const Real slope = Case::is_root ? g / distance : 2 * g;
      const oracle::Matrix step = slope * v * transform_;
      gradient_.row(i) += step;
      gradient_.row(j) -= step;
      for (const Index row : {i, j}) size_[static_cast<std::size_t>(row)] += step.norm();
    }

    void expect(const Matrix<S>& got, const std::string& what) const {
      for (Index i = 0; i < x_.rows(); ++i) {
        Real error = 0;
        for (Index k = 0; k < x_.cols(); ++k) {
          error = std::max(error, std::abs(static_cast<Real>(got(i, k)) - gradient_(i, k)));
        }
        EXPECT_LE(error, relative * size_[static_cast<std::size_t>(i)]) << what << ", row " << i;
      }
    }

   private:
    static constexpr Real relative = is_float ? 1e-4L : 1e-11L;

    /// The difference of the mapped rows, as a row.
    oracle::Matrix mapped(Index i, Index j) const {
      return (x_.row(i) - x_.row(j)) * transform_.transpose();
    }

    oracle::Matrix x_;
    oracle::Matrix transform_;
    oracle::Matrix gradient_;
    std::vector<Real> size_;
  };

  static void each_batch(const std::function<void(const Batch&)>& body) {
    for (const Batch& batch : batches()) body(batch);
  }
};

using Cases = testing::Types<Distance<float, nearfar::Euclidean, true>,
                             Distance<double, nearfar::Euclidean, true>,
                             Distance<float, nearfar::SquaredEuclidean, false>,
                             Distance<double, nearfar::SquaredEuclidean, false>,
                             Distance<float, nearfar::Mahalanobis<float>, true>,
                             Distance<double, nearfar::Mahalanobis<double>, true>>;
TYPED_TEST_SUITE(NearPairs, Cases);

TYPED_TEST(NearPairs, HaveTheirGradientOfLinearContrastive) {
  using Scalar = typename TypeParam::Scalar;
  this->each_batch([](const auto& batch) {
    using Loss = nearfar::LinearContrastive<Scalar, typename TypeParam::Kernel>;
    const auto loss = batch.template loss<Loss>(nearfar::LinearContrastiveOptions{
        .positive_margin = 0, .negative_margin = 2, .reduction = nearfar::Reduction::sum});
    Matrix<Scalar> dx;
    loss.forward_backward(batch.x, batch.labels, dx);
    typename TestFixture::Expected expected(batch);
    for (Index i = 0; i < batch.x.rows(); ++i) {
      for (Index j = 0; j < batch.x.rows(); ++j) {
        if (i == j) continue;
        if (batch.labels[std::size_t(i)] == batch.labels[std::size_t(j)]) {
          expected.add(i, j, 1);
        } else if (expected.score(i, j) < 2) {
          expected.add(i, j, -1);
        }
      }
    }
    expected.expect(dx, batch.name);
  });
}

TYPED_TEST(NearPairs, HaveTheirGradientOfAllTriplets) {
  using Scalar = typename TypeParam::Scalar;
  for (const auto mining : {nearfar::Mining::all, nearfar::Mining::batch_hard}) {
    this->each_batch([&](const auto& batch) {
      const bool hardest = mining == nearfar::Mining::batch_hard;
      if (hardest && batch.has_twins) return;  // rounding errors decide between them
      const Real margin = 0.3L;
      using Loss = nearfar::MinedTriplet<Scalar, typename TypeParam::Kernel>;
      const auto loss = batch.template loss<Loss>(nearfar::MinedTripletOptions{
          .margin = 0.3, .mining = mining, .reduction = nearfar::Reduction::sum});
      Matrix<Scalar> dx;
      loss.forward_backward(batch.x, batch.labels, dx);
      typename TestFixture::Expected expected(batch);
      const Index n = batch.x.rows();
      oracle::Matrix s(n, n);
      for (Index i = 0; i < n; ++i) {
        for (Index j = 0; j < n; ++j) s(i, j) = expected.score(i, j);
      }
      for (Index i = 0; i < n; ++i) {
        std::vector<Index> positives;
        std::vector<Index> negatives;
        for (Index j = 0; j < n; ++j) {
          const bool same = batch.labels[std::size_t(i)] == batch.labels[std::size_t(j)];
          if (i != j) (same ? positives : negatives).push_back(j);
        }
        if (positives.empty()) continue;
        if (hardest) {
          const auto nearer = [&](Index a, Index b) { return s(i, a) < s(i, b); };
          positives = {*std::max_element(positives.begin(), positives.end(), nearer)};
          negatives = {*std::min_element(negatives.begin(), negatives.end(), nearer)};
        }
        std::vector<Real> g(std::size_t(n), 0);
        for (const Index p : positives) {
          for (const Index k : negatives) {
            if (s(i, p) - s(i, k) + margin <= 0) continue;
            g[std::size_t(p)] += 1;
            g[std::size_t(k)] -= 1;
          }
        }
        for (Index j = 0; j < n; ++j) expected.add(i, j, g[std::size_t(j)]);
      }
      expected.expect(dx, batch.name);
    });
  }
}

TYPED_TEST(NearPairs, HaveTheirGradientOfBothSides) {
  using Scalar = typename TypeParam::Scalar;
  this->each_batch([](const auto& batch) {
    const Index n = batch.x.rows() / 2;
    using Loss = nearfar::Clip<Scalar, typename TypeParam::Kernel>;
    const auto loss = batch.template loss<Loss>(
        nearfar::ClipOptions{.logit_scale = 0.5, .reduction = nearfar::Reduction::none});
    // Without the last pair: an outlier's distances differ by less than their rounding errors.
    std::vector<double> upstream(std::size_t(n), 1);
    upstream.back() = 0;
    const Matrix<Scalar> a = batch.x.topRows(n);
    const Matrix<Scalar> b = batch.x.bottomRows(n);
    Matrix<Scalar> da;
    Matrix<Scalar> db;
    loss.forward_backward(a, b, da, db, {.upstream = upstream});
    Matrix<Scalar> both(2 * n, batch.x.cols());
    both << a, b;
    Matrix<Scalar> got(2 * n, batch.x.cols());
    got << da, db;
    typename TestFixture::Expected expected(batch, both);
    for (const bool transposed : {false, true}) {
      for (Index i = 0; i + 1 < n; ++i) {
        const auto logit = [&](Index j) {
          return -0.5L * (transposed ? expected.score(j, n + i) : expected.score(i, n + j));
        };
        Real top = logit(0);
        for (Index j = 1; j < n; ++j) top = std::max(top, logit(j));
        Real sum = 0;
        for (Index j = 0; j < n; ++j) sum += std::exp(logit(j) - top);
        for (Index j = 0; j < n; ++j) {
          const Real g = std::exp(logit(j) - top) / sum - (i == j ? 1 : 0);
          expected.add(transposed ? j : i, n + (transposed ? i : j), -0.5L * g / 2);
        }
      }
    }
    expected.expect(got, batch.name);
  });
}

TYPED_TEST(NearPairs, HaveTheirGradientOfReferences) {
  using Scalar = typename TypeParam::Scalar;
  this->each_batch([](const auto& batch) {
    using Loss = nearfar::LinearContrastive<Scalar, typename TypeParam::Kernel>;
    const auto loss = batch.template loss<Loss>(nearfar::LinearContrastiveOptions{
        .positive_margin = 0, .negative_margin = 2, .reduction = nearfar::Reduction::sum});
    const Index n = batch.x.rows() / 2;
    const Matrix<Scalar> a = batch.x.topRows(n);
    const Matrix<Scalar> b = batch.x.bottomRows(n);
    const std::vector<int> of_a(batch.labels.begin(), batch.labels.begin() + n);
    const std::vector<int> of_b(batch.labels.begin() + n, batch.labels.end());
    Matrix<Scalar> da;
    Matrix<Scalar> db;
    loss.forward_backward(a, of_a, b, of_b, da, db);
    Matrix<Scalar> got(2 * n, batch.x.cols());
    got << da, db;
    typename TestFixture::Expected expected(batch);
    for (Index i = 0; i < n; ++i) {
      for (Index j = n; j < 2 * n; ++j) {
        if (batch.labels[std::size_t(i)] == batch.labels[std::size_t(j)]) {
          expected.add(i, j, 1);
        } else if (expected.score(i, j) < 2) {
          expected.add(i, j, -1);
        }
      }
    }
    expected.expect(got, batch.name);
  });
}

TYPED_TEST(NearPairs, HaveTheirGradientOfGivenTriplets) {
  using Scalar = typename TypeParam::Scalar;
  this->each_batch([](const auto& batch) {
    // With a margin beyond all distances every triplet counts.
    using Loss = nearfar::Triplet<Scalar, typename TypeParam::Kernel>;
    const auto loss = batch.template loss<Loss>(
        nearfar::TripletOptions{.margin = 1e35, .reduction = nearfar::Reduction::sum});
    const Index n = batch.x.rows() / 2;
    const Matrix<Scalar> a = batch.x.topRows(n);
    const Matrix<Scalar> b = batch.x.bottomRows(n);
    const Matrix<Scalar> c = a.colwise().reverse();
    Matrix<Scalar> da;
    Matrix<Scalar> db;
    Matrix<Scalar> dc;
    loss.forward_backward(a, b, c, da, db, dc);
    Matrix<Scalar> got(2 * n, batch.x.cols());
    got << da + dc.colwise().reverse(), db;
    typename TestFixture::Expected expected(batch);
    for (Index i = 0; i < n; ++i) {
      expected.add(i, n + i, 1);
      expected.add(i, n - 1 - i, -1);
    }
    expected.expect(got, batch.name);
  });
}

TYPED_TEST(NearPairs, HaveTheSameBitsOnAnyNumberOfThreads) {
  using Scalar = typename TypeParam::Scalar;
  this->each_batch([](const auto& batch) {
    using Linear = nearfar::LinearContrastive<Scalar, typename TypeParam::Kernel>;
    using OfTwoSets = nearfar::Clip<Scalar, typename TypeParam::Kernel>;
    const auto linear = batch.template loss<Linear>(nearfar::LinearContrastiveOptions{
        .positive_margin = 0, .negative_margin = 2, .reduction = nearfar::Reduction::sum});
    const auto of_two_sets = batch.template loss<OfTwoSets>(nearfar::ClipOptions{});
    const Index n = batch.x.rows() / 2;
    const Matrix<Scalar> a = batch.x.topRows(n);
    const Matrix<Scalar> b = batch.x.bottomRows(n);
    std::array<Matrix<Scalar>, 3> want;
    for (const int threads : {1, 2, 3}) {
      nearfar::Workspace workspace(threads);
      std::array<Matrix<Scalar>, 3> got;
      linear.forward_backward(batch.x, batch.labels, got[0], {.workspace = &workspace});
      of_two_sets.forward_backward(a, b, got[1], got[2], {.workspace = &workspace});
      if (threads == 1) want = got;
      for (std::size_t k = 0; k < got.size(); ++k) {
        EXPECT_TRUE(support::same_bits(got[k], want[k])) << batch.name << ", " << threads;
      }
      const auto bytes = workspace.bytes();
      linear.forward_backward(batch.x, batch.labels, got[0], {.workspace = &workspace});
      of_two_sets.forward_backward(a, b, got[1], got[2], {.workspace = &workspace});
      EXPECT_EQ(workspace.bytes(), bytes) << batch.name;
    }
  });
}

}  // namespace
