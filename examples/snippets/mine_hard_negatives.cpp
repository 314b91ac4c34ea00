// Mine hard negatives for retrieval: for each query the nearest documents that are probably no
// answers, and their rows as negatives of each query's own for InfoNCE.
#include <algorithm>
#include <iostream>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/metrics/nearest_keys.hpp>

int main() {
  using Matrix = nearfar::Matrix<float>;
  using Index = nearfar::Index;
  // Document i answers query i. Document 100 + i is nearly the same, but no list contains it.
  Matrix documents = Matrix::Random(1000, 16);
  documents.middleRows(100, 100) = documents.topRows(100) + 0.02f * Matrix::Random(100, 16);
  const Matrix queries = documents.topRows(100) + 0.3f * Matrix::Random(100, 16);
  const Matrix answers = documents.topRows(100);

  // Five a query, none of them nearer than 95 % of the answer's own score.
  const nearfar::NearestKeys<float> nearest({.k = 5, .relative_margin = 0.05});
  const auto found = nearest.find(queries, documents, {.own = nearfar::PositiveKeys::aligned()});
  Matrix negatives;
  nearfar::copy_nearest(found, documents, negatives);

  const nearfar::InfoNce<float> loss({.temperature = 0.05});
  const double mined = loss.forward(queries, answers, nearfar::per_query(negatives)).value;
  const Matrix random = documents.bottomRows(500);
  const double drawn = loss.forward(queries, answers, nearfar::per_query(random)).value;
  std::cout << "loss over 5 mined negatives a query " << mined << ", over 5 random ones " << drawn
            << '\n';

  Index unnoted = 0;
  Index fewest = 5;
  for (Index i = 0; i < found.queries(); ++i) {
    fewest = std::min(fewest, found.counts[static_cast<std::size_t>(i)]);
    for (Index rank = 0; rank < 5; ++rank) unnoted += found.index(i, rank) == 100 + i ? 1 : 0;
  }
  std::cout << "unnoted answers among them " << unnoted << ", fewest of a query " << fewest << '\n';
  return mined > 2 * drawn && unnoted <= 2 && fewest == 5 ? 0 : 1;
}
