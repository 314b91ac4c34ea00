#include "pass.hpp"

namespace nearfar::detail::c {

void check_apart(const NamedPlace& written, std::span<const NamedPlace> others) {
  for (const NamedPlace& other : others) {
    if (!overlap(written.place, other.place)) continue;
    fail_argument(written.name, "memory apart from that of " + other.name,
                  "memory that overlaps it");
  }
}

void check_apart(std::span<const NamedPlace> buffers, std::span<const NamedPlace> others) {
  for (std::size_t k = 0; k < buffers.size(); ++k) {
    check_apart(buffers[k], others);
    check_apart(buffers[k], buffers.first(k));
  }
}

Pass::Pass(Direction direction, const nearfar_call* call, nearfar_result* result)
    : direction_(direction), to_(required("result", result)), result_(completed("result", result)) {
  if (call != nullptr) call_ = completed("call", call);
  check_count("call.upstream", call_.upstream.data, call_.upstream.count);
  if (call_.products != NEARFAR_PRODUCTS_SCALAR && call_.products != NEARFAR_PRODUCTS_BFLOAT16) {
    fail_argument("call.products", "NEARFAR_PRODUCTS_SCALAR or NEARFAR_PRODUCTS_BFLOAT16",
                  std::to_string(call_.products));
  }
  if (direction == Direction::forward_backward) return;
  if (call_.upstream.data != nullptr) {
    fail_argument("call.upstream", "none for a forward call", "numbers");
  }
  if (call_.d_parameter != nullptr) {
    fail_argument("call.d_parameter", "none for a forward call", "a gradient");
  }
}

void Pass::check(const Counts& counts, std::vector<NamedPlace> read,
                 const std::vector<NamedPlace>& gradients) const {
  if (call_.upstream.data != nullptr) {
    read.push_back({"call.upstream", place_of(doubles_of("call.upstream", call_.upstream))});
  }
  for (const NamedPlace& gradient : gradients) check_apart(gradient, read);
  read.insert(read.end(), gradients.begin(), gradients.end());
  check_apart(buffers(counts), read);
}

/// The buffers that are given. Throws unless there is room for what goes into them.
std::vector<NamedPlace> Pass::buffers(const Counts& counts) const {
  std::vector<NamedPlace> out;
  const auto add = [&](const char* name, const double* data, const char* capacity_name,
                       std::int64_t capacity, Index count) {
    if (data == nullptr) return;
    if (capacity < count) {
      fail_argument(std::string("result.") + capacity_name,
                    "room for " + std::to_string(count) + " numbers", std::to_string(capacity));
    }
    out.push_back({std::string("result.") + name, place_of(data, 1, count, count)});
  };
  const nearfar_result& r = result_;
  add("values", r.values, "values_capacity", r.values_capacity, counts.values);
  add("step_losses", r.step_losses, "steps_capacity", r.steps_capacity, counts.steps);
  add("step_bounds", r.step_bounds, "steps_capacity", r.steps_capacity, counts.steps);
  add("prefix_values", r.prefix_values, "prefixes_capacity", r.prefixes_capacity, counts.prefixes);
  return out;
}

Upstream Pass::upstream(Reduction reduction) const {
  const nearfar_doubles& given = call_.upstream;
  if (given.data == nullptr) return {};
  if (reduction != Reduction::none && given.count == 1) return given.data[0];
  return {given.data, static_cast<Index>(given.count)};
}

}  // namespace nearfar::detail::c
