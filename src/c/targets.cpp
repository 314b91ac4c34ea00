#include "arguments.hpp"
#include "status.hpp"

namespace nearfar::detail::c {

namespace {

MultiLabels sets_of(const std::string& name, const nearfar_targets& given) {
  check_view(name + ".label_sets", given.label_sets, given.label_set_rows, given.label_set_words,
             0);
  return {given.label_sets, given.label_set_rows, given.label_set_words};
}

PositiveLists lists_of(const std::string& name, const nearfar_targets& given) {
  return {indices_of(name + ".offsets", given.offsets),
          indices_of(name + ".columns", given.columns),
          doubles_of(name + ".column_weights", given.column_weights)};
}

Targets rule_of(const std::string& name, const nearfar_targets& given) {
  switch (given.rule) {
    case NEARFAR_NO_RULE:
      return {};
    case NEARFAR_LABELS:
      return labels_of(name + ".labels", given.labels);
    case NEARFAR_LABEL_SETS:
      return sets_of(name, given);
    case NEARFAR_POSITIVE_LISTS:
      return lists_of(name, given);
    default:
      fail_argument(name + ".rule", "one of nearfar_rule, 0 to 3", std::to_string(given.rule));
  }
}

}  // namespace

Targets targets_of(const std::string& name, const nearfar_targets& of_caller) {
  const nearfar_targets given = completed(name.c_str(), &of_caller);
  Targets targets = rule_of(name, given);
  const Labels ids = labels_of(name + ".ids", given.ids);
  if (given.ids.data != nullptr) targets = targets.ids(ids);
  const std::span<const double> weights = doubles_of(name + ".weights", given.weights);
  if (given.weights.data != nullptr) targets = targets.weights(weights);
  switch (given.unlabelled_rows) {
    case NEARFAR_ALL_LABELLED:
      return targets;
    case NEARFAR_UNLABELLED_LEFT_OUT:
      return targets.unlabelled(given.unlabelled);
    case NEARFAR_UNLABELLED_NEGATIVES:
      return targets.unlabelled(given.unlabelled, UnlabelledRows::negatives);
    default:
      fail_argument(name + ".unlabelled_rows", "one of nearfar_unlabelled_rows, 0 to 2",
                    std::to_string(given.unlabelled_rows));
  }
}

}  // namespace nearfar::detail::c

extern "C" {

nearfar_status nearfar_targets_init(nearfar_targets* targets, size_t size) {
  return nearfar::detail::c::guarded(
      [&] { nearfar::detail::c::initialise("targets", targets, size, {}); });
}

nearfar_status nearfar_in_batch_init(nearfar_in_batch* extras, size_t size) {
  return nearfar::detail::c::guarded(
      [&] { nearfar::detail::c::initialise("extras", extras, size, {}); });
}

nearfar_status nearfar_proxies_init(nearfar_proxies* proxies, size_t size) {
  return nearfar::detail::c::guarded(
      [&] { nearfar::detail::c::initialise("proxies", proxies, size, {}); });
}

nearfar_status nearfar_negatives_init(nearfar_negatives* negatives, size_t size) {
  return nearfar::detail::c::guarded(
      [&] { nearfar::detail::c::initialise("negatives", negatives, size, {}); });
}

}  // extern "C"
