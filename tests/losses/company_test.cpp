#include <gtest/gtest.h>

#include <nearfar/losses/register.hpp>
#include <string>
#include <vector>

#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/settings.hpp"
#include "support/through_classes.hpp"
#include "support/token_offsets.hpp"

/// With Reduction::none, the value and the gradient of a query have the same bits for any other
/// queries in the call, in any number and order, if the keys are the same. The same holds for the
/// row of a loss against proxies or negatives, and for the pairs and triplets of a loss of these.

namespace {

using namespace support;
using nearfar::Labels;
using nearfar::Reduction;
using nearfar::Targets;

/// Queries, keys, and the positive of each query.
template <class S>
struct Batch {
  Matrix<S> queries;
  std::vector<Index> positives;
  std::vector<int> labels;

  Batch some(const std::vector<Index>& rows) const {
    Batch out{queries(rows, Eigen::indexing::all), {}, {}};
    for (const Index i : rows) {
      out.positives.push_back(positives[static_cast<std::size_t>(i)]);
      out.labels.push_back(labels[static_cast<std::size_t>(i)]);
    }
    return out;
  }
};

/// Queries in other companies: single ones, all in another order, some.
inline std::vector<std::vector<Index>> companies_of(Index count) {
  std::vector<std::vector<Index>> out = {{0}, {count - 1}, random_order(count, 4)};
  out.push_back({out[2].begin(), out[2].begin() + 61});
  return out;
}

constexpr Index n = 210;  // more than two panels of rows
constexpr Index m = 500;  // more than a tile of keys
constexpr Index d = 24;

template <class S>
Batch<S> batch() {
  Batch<S> out{random_rows<S>(n, d, 1), {}, random_labels(n, 7, 3)};
  for (Index i = 0; i < n; ++i) out.positives.push_back(i * 2);
  return out;
}

/// call(batch, d_queries) runs a loss of a batch's queries.
template <class S, class Call>
void expect_no_company(const std::string& name, const Call& call) {
  SCOPED_TRACE(name);
  const Batch<S> all = batch<S>();
  Matrix<S> d_all;
  const std::vector<double> values = call(all, d_all).values;
  ASSERT_EQ(values.size(), static_cast<std::size_t>(n));
  for (const std::vector<Index>& rows : companies_of(n)) {
    Matrix<S> d_some;
    const std::vector<double> some = call(all.some(rows), d_some).values;
    for (std::size_t k = 0; k < rows.size(); ++k) {
      ASSERT_EQ(some[k], values[static_cast<std::size_t>(rows[k])])
          << "query " << rows[k] << " among " << rows.size();
    }
    EXPECT_TRUE(same_bits(d_some, Matrix<S>(d_all(rows, Eigen::indexing::all)))) << rows.size();
  }
}

/// Kernels of inner products and cosines. Distances differ: the centre depends on all rows of a
/// call.
template <class K>
constexpr bool is_product = K::geometry != nearfar::Geometry::squared_distance;

template <class S>
class Company : public testing::Test {};
using BothScalars = testing::Types<float, double>;
TYPED_TEST_SUITE(Company, BothScalars);

TYPED_TEST(Company, OfQueriesOverKeysDoesNotMatter) {
  using S = TypeParam;
  const Matrix<S> keys = random_rows<S>(m, d, 2);
  const auto check = [&]<class K>(const K&) {
    for (const auto denominator :
         {nearfar::Denominator::with_positive, nearfar::Denominator::negatives_only}) {
      const nearfar::InfoNce<S, K> loss(
          {.temperature = 0.3, .denominator = denominator, .reduction = Reduction::none});
      expect_no_company<S>("InfoNce", [&](const Batch<S>& of, Matrix<S>& dq) {
        return loss.forward_backward(of.queries, keys, Labels(of.positives), dq,
                                     nearfar::no_gradient);
      });
    }
  };
  check(nearfar::Cosine());
  check(nearfar::InnerProduct());
  check(nearfar::CosineDistance());
}

TYPED_TEST(Company, OfQueriesOverReferencesDoesNotMatter) {
  using S = TypeParam;
  const Matrix<S> references = random_rows<S>(m, d, 2);
  const std::vector<int> reference_labels = random_labels(m, 7, 5);
  nearfar::registered::for_each([&]<class Line>(Line) {
    // A term of the lifted structure has the negatives of both its rows, including those of the
    // reference; intra-pair variance has the means of all pairs.
    constexpr bool shares_sums = std::is_same_v<Line, nearfar::registered::lifted_structure> ||
                                 std::is_same_v<Line, nearfar::registered::intra_pair_variance>;
    if constexpr (is_over_labels<Line> && !shares_sums) {
      for_each_kernel<Line, S>([&]<class K>() {
        if constexpr (is_product<K> && !nearfar::ParametricKernel<K>) {
          for (const auto& options : gentle_options<Line, K>(Reduction::none, 1)) {
            const typename Line::template Loss<S, K> loss(options);
            expect_no_company<S>(
                std::string(Line::name) + " " + name_of_kernel<K> + choices_in(options),
                [&](const Batch<S>& of, Matrix<S>& dq) {
                  return loss.forward_backward(of.queries, Targets(of.labels), references,
                                               Targets(reference_labels), dq, nearfar::no_gradient);
                });
          }
        }
      });
    }
  });
}

/// True for losses whose terms are those of single rows, pairs or triplets.
template <class Line>
constexpr bool has_terms_of_their_own = [] {
  using Options = typename Line::Options;
  constexpr Takes takes = Line::takes;
  if constexpr (!requires(Options o) { o.reduction; }) return false;
  return takes == Takes::proxies || takes == Takes::negatives || takes == Takes::noise ||
         takes == Takes::triplets || takes == Takes::matched_pairs ||
         takes == Takes::scored_pairs || takes == Takes::scored_lists ||
         takes == Takes::scored_triplets || takes == Takes::predictions ||
         std::is_same_v<Line, nearfar::registered::alignment>;
}();

/// Arguments of such a loss.
template <class Line, class S>
NamedArguments<S> own_terms(Index centers) {
  constexpr Takes takes = Line::takes;
  NamedArguments<S> out;
  out.add("first", random_rows<S>(n, d, 1));
  if (takes == Takes::proxies) {
    out.add("proxies", random_rows<S>(7 * centers, d, 2));
    for (const int label : random_labels(n, 7, 3)) out.labels.push_back(label);
    return out;
  }
  out.add("second", random_rows<S>(takes == Takes::scored_lists ? 3 * n : n, d, 2));
  if (takes == Takes::triplets) out.add("third", random_rows<S>(n, d, 4));
  if (takes == Takes::scored_triplets) out.add("third", random_rows<S>(2 * n, d, 4));
  if (takes == Takes::negatives || takes == Takes::noise) {
    out.add("negatives", random_rows<S>(m, d, 4));
    for (const double u : random_upstream(m, 5)) out.negatives_numbers.push_back(S(-3 - u));
  }
  if (takes == Takes::predictions) {
    out.constants = {random_rows<S>(n, d, 6), random_rows<S>(n, d, 7)};
  }
  for (const int label : random_labels(n, 2, 8)) out.same.push_back(label);
  const Index numbers = takes == Takes::noise ? n : out.sets.back().rows();
  for (const double u : random_upstream(numbers, 9)) out.numbers.push_back(S(u));
  return out;
}

/// Rows of a set of as many rows as there are terms, or of a multiple; other sets are shared.
template <class Line>
std::vector<Index> rows_of_terms(const std::vector<Index>& terms, Index rows) {
  std::vector<Index> out;
  if (rows % n != 0) {
    for (Index i = 0; i < rows; ++i) out.push_back(i);
    return out;
  }
  for (const Index i : terms) {
    for (Index k = 0; k < rows / n; ++k) out.push_back(i * (rows / n) + k);
  }
  return out;
}

template <class Line, class S>
NamedArguments<S> some_terms(const NamedArguments<S>& all, const std::vector<Index>& terms) {
  NamedArguments<S> out = all;
  const auto pick = [&](auto& values) {
    auto some = values;
    some.clear();
    for (const Index i : rows_of_terms<Line>(terms, static_cast<Index>(values.size()))) {
      some.push_back(values[static_cast<std::size_t>(i)]);
    }
    values = some;
  };
  const auto pick_rows = [&](Matrix<S>& rows) {
    rows = Matrix<S>(rows(rows_of_terms<Line>(terms, rows.rows()), Eigen::indexing::all));
  };
  for (Matrix<S>& rows : out.sets) pick_rows(rows);
  for (Matrix<S>& rows : out.constants) pick_rows(rows);
  pick(out.labels);
  pick(out.same);
  pick(out.numbers);
  return out;
}

TYPED_TEST(Company, OfTermsOfTheirOwnDoesNotMatter) {
  using S = TypeParam;
  nearfar::registered::for_each([&]<class Line>(Line) {
    if constexpr (has_terms_of_their_own<Line>) {
      for_each_kernel<Line, S>([&]<class K>() {
        if constexpr (is_product<K> && !nearfar::ParametricKernel<K>) {
          for (const auto& options : gentle_options<Line, K>(Reduction::none, 1)) {
            SCOPED_TRACE(std::string(Line::name) + " " + name_of_kernel<K> + choices_in(options));
            const auto call = [&](const NamedArguments<S>& a) {
              return ThroughClasses::call<Line, S, K>(options, K(), a);
            };
            const NamedArguments<S> all = own_terms<Line, S>(centers_of(options));
            const Outcome<S> together = call(all);
            ASSERT_EQ(together.values.size(), static_cast<std::size_t>(n));
            for (const std::vector<Index>& terms : companies_of(n)) {
              const Outcome<S> apart = call(some_terms<Line>(all, terms));
              for (std::size_t k = 0; k < terms.size(); ++k) {
                ASSERT_EQ(apart.values[k], together.values[static_cast<std::size_t>(terms[k])])
                    << "term " << terms[k] << " among " << terms.size();
              }
              for (std::size_t set = 0; set < all.sets.size(); ++set) {
                if (all.sets[set].rows() % n != 0) continue;  // of all terms
                const Matrix<S>& whole = together.gradients.at(all.names[set]);
                EXPECT_TRUE(same_bits(apart.gradients.at(all.names[set]),
                                      Matrix<S>(whole(rows_of_terms<Line>(terms, whole.rows()),
                                                      Eigen::indexing::all))))
                    << all.names[set] << " of " << terms.size();
              }
            }
          }
        }
      });
    }
  });
}

/// Query i belongs to document i: companies are the first queries.
TYPED_TEST(Company, OfSetsOfTokensDoesNotMatter) {
  using S = TypeParam;
  const std::vector<Index> documents = token_offsets(m, 100);
  const std::vector<Index> queries = token_offsets(n, 90);
  const Matrix<S> of_documents = random_rows<S>(m, d, 2);
  const Matrix<S> of_queries = random_rows<S>(n, d, 1);
  const auto check = [&]<class K>(const K&) {
    const nearfar::MaxSimInfoNce<S, K> loss({.temperature = 2, .reduction = Reduction::none});
    Matrix<S> d_all;
    const std::vector<double> values = loss.forward_backward(of_queries, queries, of_documents,
                                                             documents, d_all, nearfar::no_gradient)
                                           .values;
    for (const std::size_t count : {1u, 2u, 61u}) {
      const std::vector<Index> first(queries.begin(), queries.begin() + Index(count) + 1);
      const Matrix<S> rows = of_queries.topRows(first.back());
      Matrix<S> d_some;
      const std::vector<double> some =
          loss.forward_backward(rows, first, of_documents, documents, d_some, nearfar::no_gradient)
              .values;
      for (std::size_t i = 0; i < count; ++i) ASSERT_EQ(some[i], values[i]) << i;
      EXPECT_TRUE(same_bits(d_some, Matrix<S>(d_all.topRows(first.back())))) << count;
    }
  };
  check(nearfar::Cosine());
  check(nearfar::InnerProduct());
}

}  // namespace
