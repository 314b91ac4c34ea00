#include "options.hpp"

/// \file
/// Losses of whole sets of rows, of predictions with targets, and of sets of tokens.

namespace nearfar::libtorch::operators {
namespace {

std::vector<std::string> two_views() { return {"view1", "view2"}; }
const char* const two_views_text = "Tensor view1, Tensor view2";

template <class Line, class Call>
void of_predictions(Operators& all, const std::string& name, const Call& call) {
  add<Line>(all,
            {name,
             "Tensor prediction1, Tensor prediction2, Tensor target1, Tensor target2",
             {"prediction1", "prediction2"},
             {}},
            rows_of("prediction1"), [call](const Arguments& from, const auto& options, NoKernel) {
              return call(from.tensor("prediction1"), from.tensor("prediction2"),
                          from.tensor("target1"), from.tensor("target2"), options);
            });
}

}  // namespace

void add_set_losses(Operators& all) {
  add<registered::barlow_twins>(
      all, {"barlow_twins", two_views_text, two_views(), {}}, rows_of("view1"),
      [](const Arguments& from, const auto& options, NoKernel) {
        return barlow_twins(from.tensor("view1"), from.tensor("view2"), options);
      });
  add<registered::vic_reg>(all, {"vic_reg", two_views_text, two_views(), {}}, rows_of("view1"),
                           [](const Arguments& from, const auto& options, NoKernel) {
                             return vic_reg(from.tensor("view1"), from.tensor("view2"), options);
                           });
  add<registered::ko_leo>(all, {"ko_leo", "Tensor x", {"x"}, {}}, rows_of("x"),
                          [](const Arguments& from, const auto& options, NoKernel) {
                            return ko_leo(from.tensor("x"), options);
                          });
  add<registered::gor>(all, {"gor", "Tensor x", {"x"}, {}}, rows_of("x"),
                       [](const Arguments& from, const auto& options, NoKernel) {
                         return gor(from.tensor("x"), options);
                       });
  add<registered::sig_reg>(all, {"sig_reg", "Tensor x, Tensor slices", {"x"}, {}}, rows_of("x"),
                           [](const Arguments& from, const auto& options, NoKernel) {
                             return sig_reg(from.tensor("x"), from.tensor("slices"), options);
                           });
  of_predictions<registered::negative_cosine>(
      all, "negative_cosine", [](const auto&... its) { return negative_cosine(its...); });
  of_predictions<registered::byol>(all, "byol", [](const auto&... its) { return byol(its...); });
  add<registered::max_sim_info_nce>(
      all,
      {"max_sim_info_nce",
       "Tensor queries, Tensor query_offsets, Tensor documents, Tensor document_offsets",
       {"queries", "documents"},
       {"temperature"}},
      [](const Arguments& from) {
        return std::vector<c10::SymInt>{from.tensor("query_offsets").sym_size(0) - 1};
      },
      [](const Arguments& from, const auto& options, const auto& kernel) {
        return max_sim_info_nce(from.tensor("queries"), from.tensor("query_offsets"),
                                from.tensor("documents"), from.tensor("document_offsets"), options,
                                {from.tensor("temperature")}, kernel);
      });
}

}  // namespace nearfar::libtorch::operators
