// Positives by list: the references that belong to a query, with weights.
#include <cmath>
#include <iostream>
#include <nearfar/losses/sup_con.hpp>
#include <vector>

int main() {
  using Matrix = nearfar::Matrix<double>;
  const Matrix queries = Matrix::Random(2, 8);
  const Matrix references = Matrix::Random(6, 8);
  // Query 0 belongs to references 1 and 4, query 1 to reference 2 (compressed sparse rows).
  const std::vector<nearfar::Index> offsets = {0, 2, 3};
  const std::vector<nearfar::Index> columns = {1, 4, 2};
  const std::vector<double> weights = {3, 1, 1};  // reference 1 counts three times as much as 4

  const nearfar::SupCon<double> loss({.temperature = 0.1});
  const nearfar::PositiveLists lists{offsets, columns, weights};
  Matrix d_queries, d_references;
  const auto result = loss.forward_backward(queries, lists, references, nearfar::Targets(),
                                            d_queries, d_references);
  std::cout << "loss " << result.value << " over " << result.diagnostics.terms << " queries\n";

  // An anchor's weight multiplies its loss; the mean still divides by two queries.
  const std::vector<double> anchors = {0, 2};
  const auto second = loss.forward(queries, nearfar::Targets(lists).weights(anchors), references,
                                   nearfar::Targets());
  const nearfar::SupCon<double> each({.temperature = 0.1, .reduction = nearfar::Reduction::none});
  const double alone = each.forward(queries, lists, references, nearfar::Targets()).values[1];
  std::cout << "weights 0 and 2: " << second.value << ", the second query alone " << alone << '\n';
  return std::abs(second.value - alone) < 1e-12 ? 0 : 1;
}
