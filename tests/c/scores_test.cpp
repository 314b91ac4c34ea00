#include <nearfar/scores/paired.hpp>
#include <nearfar/scores/pairwise.hpp>
#include <string>

#include "c/same_bits.hpp"

/// paired and pairwise through the interface: the bits of the C++ functions, and what is refused.

namespace {

using namespace support;

constexpr Index n = 9;
constexpr Index m = 12;

/// Of each kernel: body(number, its matrix or null, kernel).
template <class S, class Body>
void each_kernel(const Body& body) {
  for_kernels<S>(nearfar::registered::kernel_lists::All<S>(),
                 [&](nearfar_kernel kind, const nearfar_rows& matrix, const auto& kernel) {
                   SCOPED_TRACE(kind);
                   body(kind, matrix.scalar != 0 ? &matrix : nullptr, kernel);
                 });
}

template <class S>
void expect_same_paired() {
  const Matrix<S> a = random_rows<S>(n, depth, 1);
  const Matrix<S> b = random_rows<S>(n, depth, 2);
  const Matrix<S> upstream = random_rows<S>(n, 1, 3);
  const nearfar_rows ca = c_rows(a), cb = c_rows(b), cu = c_rows(upstream);
  each_kernel<S>([&]<class K>(nearfar_kernel kind, const nearfar_rows* matrix, const K& kernel) {
    Matrix<S> scores = Matrix<S>::Constant(n, 1, S(-77));
    const nearfar_gradient out = c_gradient(scores);
    ASSERT_EQ(nearfar_paired(kind, matrix, &ca, &cb, nullptr, &out), NEARFAR_OK)
        << nearfar_last_error();
    expect_same_bits<S>(scores, nearfar::paired(a, b, kernel), "scores");

    Matrix<S> da(n, depth), db(n, depth), dm, wanted_a, wanted_b, wanted_m;
    const nearfar_gradient to_a = c_gradient(da), to_b = c_gradient(db);
    nearfar_gradient to_m = {};
    CallOptions<S> call;
    if constexpr (nearfar::ParametricKernel<K>) {
      dm.resize(kernel.parameter().rows(), kernel.parameter().cols());
      to_m = c_gradient(dm);
      call.d_parameter = wanted_m;
    }
    ASSERT_EQ(nearfar_paired_backward(kind, matrix, &cu, &ca, &cb, nullptr, &to_a, &to_b,
                                      matrix != nullptr ? &to_m : nullptr),
              NEARFAR_OK)
        << nearfar_last_error();
    const nearfar::Vector<S> weights = upstream.col(0);
    nearfar::paired_backward(weights, a, b, wanted_a, wanted_b, kernel, call);
    expect_same_bits(da, wanted_a, "da");
    expect_same_bits(db, wanted_b, "db");
    expect_same_bits(dm, wanted_m, "d_matrix");
  });
}

template <class S>
void expect_same_pairwise() {
  const Matrix<S> a = random_rows<S>(n, depth, 1);
  const Matrix<S> b = random_rows<S>(m, depth, 2);
  const Matrix<S> upstream = random_rows<S>(n, m, 3);
  const nearfar_rows ca = c_rows(a), cb = c_rows(b), cu = c_rows(upstream);
  each_kernel<S>([&]<class K>(nearfar_kernel kind, const nearfar_rows* matrix, const K& kernel) {
    Matrix<S> scores = Matrix<S>::Constant(n, m, S(-77));
    const nearfar_gradient out = c_gradient(scores);
    ASSERT_EQ(nearfar_pairwise(kind, matrix, &ca, &cb, nullptr, &out), NEARFAR_OK)
        << nearfar_last_error();
    expect_same_bits<S>(scores, nearfar::pairwise(a, b, kernel), "scores");

    Matrix<S> da(n, depth), db = Matrix<S>::Ones(m, depth), wanted_a, wanted_b;
    const nearfar_gradient to_a = c_gradient(da);
    nearfar_gradient to_b = c_gradient(db);
    to_b.write = NEARFAR_ACCUMULATE;
    ASSERT_EQ(
        nearfar_pairwise_backward(kind, matrix, &cu, &ca, &cb, nullptr, &to_a, &to_b, nullptr),
        NEARFAR_OK)
        << nearfar_last_error();
    wanted_b.setOnes(m, depth);
    nearfar::pairwise_backward(upstream, a, b, wanted_a, nearfar::accumulate(wanted_b), kernel);
    expect_same_bits(da, wanted_a, "da");
    expect_same_bits(db, wanted_b, "db");
  });
}

TEST(CScores, PairedGivesTheBitsOfTheFunction) {
  expect_same_paired<float>();
  expect_same_paired<double>();
}

TEST(CScores, PairwiseGivesTheBitsOfTheFunction) {
  expect_same_pairwise<float>();
  expect_same_pairwise<double>();
}

class CScoreErrors : public testing::Test {
 protected:
  void refused(nearfar_status got, nearfar_status wanted, const std::string& message) {
    EXPECT_EQ(got, wanted);
    EXPECT_EQ(nearfar_last_error(), "nearfar: " + message);
    EXPECT_TRUE((scores.array() == -77).all()) << "written to";
    EXPECT_TRUE((gradient.array() == -77).all()) << "written to";
  }

  Matrix<double> a = random_rows<double>(n, depth, 1);
  Matrix<double> b = random_rows<double>(m, depth, 2);
  Matrix<double> weights = random_rows<double>(n, m, 3);
  Matrix<double> scores = Matrix<double>::Constant(n, m, -77);
  Matrix<double> gradient = Matrix<double>::Constant(n, depth, -77);
  nearfar_rows x = c_rows(a), y = c_rows(b), upstream = c_rows(weights);
  nearfar_gradient out = c_gradient(scores), da = c_gradient(gradient);
};

TEST_F(CScoreErrors, NamesWhatDoesNotFit) {
  const auto all_pairs = [&](const nearfar_gradient* to) {
    return nearfar_pairwise(NEARFAR_EUCLIDEAN, nullptr, &x, &y, nullptr, to);
  };
  refused(all_pairs(nullptr), NEARFAR_INVALID_ARGUMENT, "scores: wanted a pointer, got null");
  refused(nearfar_paired(NEARFAR_EUCLIDEAN, nullptr, &x, &y, nullptr, &out),
          NEARFAR_INVALID_ARGUMENT, "scores: wanted 9 x 1, got 9 x 12");
  out.write = NEARFAR_ACCUMULATE;
  refused(all_pairs(&out), NEARFAR_INVALID_ARGUMENT,
          "scores.write: wanted NEARFAR_OVERWRITE, got NEARFAR_ACCUMULATE");
  out.write = NEARFAR_OVERWRITE;
  refused(nearfar_pairwise(NEARFAR_BILINEAR, nullptr, &x, &y, nullptr, &out),
          NEARFAR_INVALID_ARGUMENT, "matrix: wanted the kernel's, got none");
  refused(nearfar_pairwise(17, nullptr, &x, &y, nullptr, &out), NEARFAR_INVALID_ARGUMENT,
          "kernel: wanted NEARFAR_COSINE or NEARFAR_INNER_PRODUCT or NEARFAR_EUCLIDEAN or "
          "NEARFAR_SQUARED_EUCLIDEAN or NEARFAR_COSINE_DISTANCE or NEARFAR_MAHALANOBIS or "
          "NEARFAR_BILINEAR, got 17");
  refused(nearfar_pairwise_backward(NEARFAR_COSINE, nullptr, &x, &x, &y, nullptr, &da, nullptr,
                                    nullptr),
          NEARFAR_INVALID_ARGUMENT, "upstream: wanted 9 x 12, got 9 x 7");
  refused(nearfar_pairwise_backward(NEARFAR_COSINE, nullptr, &upstream, &x, &y, nullptr, &da,
                                    nullptr, &da),
          NEARFAR_INVALID_ARGUMENT,
          "d_matrix: wanted a kernel with a matrix (Mahalanobis, Bilinear), got a kernel without "
          "one");
  nearfar_gradient over_x = c_gradient(a);
  const Matrix<double> kept = a;
  refused(nearfar_pairwise_backward(NEARFAR_COSINE, nullptr, &upstream, &x, &y, nullptr, &over_x,
                                    nullptr, nullptr),
          NEARFAR_INVALID_ARGUMENT,
          "da: wanted memory apart from that of a, got memory that overlaps it");
  expect_same_bits(a, kept, "a");
}

// Of some pairs the score is finite, and of one it is not: no score is written.
TEST_F(CScoreErrors, WritesNothingWhereOneScoreIsNotFinite) {
  a(n - 1, 0) = 1.7e308;
  b(m - 1, 0) = -1.7e308;
  EXPECT_EQ(nearfar_pairwise(NEARFAR_EUCLIDEAN, nullptr, &x, &y, nullptr, &out),
            NEARFAR_NOT_FINITE);
  EXPECT_TRUE((scores.array() == -77).all());
}

}  // namespace
