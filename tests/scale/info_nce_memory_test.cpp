#include <gtest/gtest.h>
#include <sys/resource.h>

#include <nearfar/losses/info_nce.hpp>

/// The promise that no N x M matrix exists, at a size where one would be 4 GB.

namespace {

#if defined(__SANITIZE_ADDRESS__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer);
#else
constexpr bool sanitized = false;
#endif

TEST(InfoNceMemory, N32768InUnder400MegabytesResident) {
  if (sanitized) GTEST_SKIP() << "a sanitizer's own memory counts as the process's";
  constexpr nearfar::Index n = 32768;
  constexpr nearfar::Index d = 64;
  nearfar::Matrix<float> queries = nearfar::Matrix<float>::Random(n, d);
  nearfar::Matrix<float> keys = queries + nearfar::Matrix<float>::Random(n, d);
  nearfar::Matrix<float> d_queries;
  nearfar::Matrix<float> d_keys;
  const nearfar::InfoNce<float> loss({.temperature = 0.1});
  const auto result = loss.forward_backward(queries, keys, d_queries, d_keys);

  rusage usage{};
  ASSERT_EQ(getrusage(RUSAGE_SELF, &usage), 0);
  EXPECT_LT(usage.ru_maxrss, 400 * 1024) << "kilobytes";
  // The call has computed something: the value is between 0 and that of the worst equal logits, and
  // the gradients of a row's scores sum to zero, so each is orthogonal to its row.
  EXPECT_GT(result.value, 0);
  EXPECT_LT(result.value, std::log(double(n)) + 2 / 0.1);
  const double along = (queries.array() * d_queries.array()).rowwise().sum().abs().maxCoeff();
  EXPECT_GT(d_queries.cwiseAbs().maxCoeff(), 0);
  EXPECT_LT(along, 1e-4 * static_cast<double>(d_queries.rowwise().norm().maxCoeff()) *
                       static_cast<double>(queries.rowwise().norm().maxCoeff()));
}

}  // namespace
