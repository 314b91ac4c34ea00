#include "options.hpp"

/// \file
/// Losses over labels: x, labels, and references with labels of their own where they are given.

namespace nearfar::libtorch::operators {
namespace {

const char* const of_rows = "Tensor? ids=None, Tensor? anchor_weights=None, int? unlabelled=None";
const char* const of_references =
    "Tensor? references=None, Tensor? reference_labels=None, Tensor? reference_ids=None, ";

/// call(arguments of a function of nearfar::libtorch...).
template <class Line, class Call>
void over_labels(Operators& all, const std::string& name, const Call& call) {
  Signature its{name, "Tensor x, Tensor labels", {"x", "references"}, {}};
  its.optional_arguments = std::string(of_references) + of_rows;
  constexpr bool learns = detail::LearnsNumber<Line>;
  const std::string number = detail::LearnsBoundary<Line> ? "beta" : "temperature";
  if (learns) its.learnt = {number};
  add<Line>(all, its, rows_of("x"),
            [call, number](const Arguments& from, const auto& options, const auto& kernel) {
              const TensorTargets labels = targets_of(from, "labels", "ids", "anchor_weights");
              const auto with = [&](const auto&... last) {
                const Tensor references = from.tensor("references");
                return references.defined()
                           ? call(from.tensor("x"), labels, references,
                                  targets_of(from, "reference_labels", "reference_ids", ""),
                                  options, last...)
                           : call(from.tensor("x"), labels, options, last...);
              };
              if constexpr (learns) {
                return with(detail::LearntTensor<Line>{from.tensor(number)}, kernel);
              } else {
                return with(kernel);
              }
            });
}

}  // namespace

void add_label_losses(Operators& all) {
#define NEARFAR_OPERATOR(name, ...) \
  over_labels<registered::name>(    \
      all, #name, [](const auto&... arguments) { return libtorch::name(arguments...); });
  NEARFAR_LOSSES_OVER_LABELS(NEARFAR_OPERATOR)
#undef NEARFAR_OPERATOR
  over_labels<registered::hadsell_contrastive>(
      all, "hadsell", [](const auto&... arguments) { return hadsell(arguments...); });
  add<registered::centroid_triplet>(
      all, {"centroid_triplet", "Tensor x, Tensor labels", {"x"}, {}}, rows_of("x"),
      [](const Arguments& from, const auto& options, const auto& kernel) {
        return centroid_triplet(from.tensor("x"), from.tensor("labels"), options, kernel);
      });
}

}  // namespace nearfar::libtorch::operators
