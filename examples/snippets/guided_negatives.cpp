// In-batch and hard negatives, some of which are answers. A guide, an older model's embeddings of
// the same texts, finds them: pairs that are nearer in the guide than the positive pair are left
// out.
#include <iostream>
#include <nearfar/losses/in_batch_info_nce.hpp>

int main() {
  using Matrix = nearfar::Matrix<float>;
  // Topic i of 64 has two queries and two documents, i and 64 + i. Either document answers either
  // query, but each query has only one of them as its positive.
  const Matrix topics = Matrix::Random(64, 16);
  const auto two_of_each = [&](float noise) {
    Matrix rows(128, 16);
    rows << topics, topics;
    return Matrix(rows + noise * Matrix::Random(128, 16));
  };
  const Matrix guide_queries = two_of_each(0.1f);
  const Matrix guide_documents = two_of_each(0.1f);
  const Matrix queries = two_of_each(0.5f);
  const Matrix documents = two_of_each(0.5f);

  const nearfar::InBatchInfoNce<float> plain({.temperature = 0.05});
  const nearfar::InBatchInfoNce<float> guided(
      {.temperature = 0.05, .false_negatives = nearfar::FalseNegatives::drop, .margin = 0.05});
  Matrix dq, dk;
  const auto naive = plain.forward_backward(queries, documents, dq, dk);
  const auto result = guided.forward_backward(
      queries, documents, {.guide_queries = guide_queries, .guide_keys = guide_documents}, dq, dk,
      nearfar::no_gradient);
  std::cout << "loss " << naive.value << ", and " << result.value << " without the "
            << result.diagnostics.false_negatives << " pairs that the guide leaves out\n";
  return result.value < naive.value && result.diagnostics.false_negatives >= 120 ? 0 : 1;
}
