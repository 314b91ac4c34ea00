#include "status.hpp"

#include <cstring>
#include <string>

#include "nearfar/core/determinism.hpp"
#include "nearfar/core/errors.hpp"
#include "nearfar/core/instruction_set.hpp"
#include "nearfar/version.hpp"

namespace nearfar::detail::c {

namespace {

// An array, not a string: it can be written where memory has run out.
thread_local char last_error[1024] = "";

}  // namespace

nearfar_status failed(nearfar_status status, const char* message) noexcept {
  std::strncpy(last_error, message, sizeof last_error - 1);
  last_error[sizeof last_error - 1] = '\0';
  return status;
}

}  // namespace nearfar::detail::c

extern "C" {

const char* nearfar_status_message(nearfar_status status) {
  switch (status) {
    case NEARFAR_OK:
      return "no error";
    case NEARFAR_INVALID_ARGUMENT:
      return "invalid argument";
    case NEARFAR_NOT_FINITE:
      return "not finite";
    case NEARFAR_OUT_OF_MEMORY:
      return "out of memory";
    case NEARFAR_INTERNAL:
      return "internal error";
    case NEARFAR_FILE:
      return "file error";
    default:
      return "unknown status";
  }
}

const char* nearfar_last_error(void) { return nearfar::detail::c::last_error; }

const char* nearfar_version(void) { return nearfar::version().data(); }

const char* nearfar_instruction_set_name(void) {
  return nearfar::name_of(nearfar::active_instruction_set());
}

int32_t nearfar_has_bfloat16_products(void) { return nearfar::has_bfloat16_products() ? 1 : 0; }

nearfar_status nearfar_set_determinism(nearfar_determinism wanted) {
  return nearfar::detail::c::guarded([&] {
    switch (wanted) {
      case NEARFAR_ACROSS_THREADS:
        return nearfar::set_determinism(nearfar::Determinism::across_threads);
      case NEARFAR_ACROSS_MACHINES:
        return nearfar::set_determinism(nearfar::Determinism::across_machines);
      default:
        nearfar::fail_argument("determinism", "NEARFAR_ACROSS_THREADS or NEARFAR_ACROSS_MACHINES",
                               std::to_string(wanted));
    }
  });
}

}  // extern "C"
