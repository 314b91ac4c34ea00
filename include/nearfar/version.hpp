#pragma once

#include <string_view>

/// \file
/// The version of nearfar. It is written here alone: CMake reads these lines, and packages get it
/// from CMake.

#define NEARFAR_VERSION_MAJOR 0
#define NEARFAR_VERSION_MINOR 1
#define NEARFAR_VERSION_PATCH 0

namespace nearfar {

/// Text of the three numbers above, such as "1.2.3": the version of the headers that the caller was
/// compiled with. Before 1.0 a new minor version may change the interface; a new patch does not.
constexpr std::string_view version() noexcept {
#define NEARFAR_TEXT_OF(number) #number
#define NEARFAR_DOTTED(a, b, c) NEARFAR_TEXT_OF(a) "." NEARFAR_TEXT_OF(b) "." NEARFAR_TEXT_OF(c)
  return NEARFAR_DOTTED(NEARFAR_VERSION_MAJOR, NEARFAR_VERSION_MINOR, NEARFAR_VERSION_PATCH);
#undef NEARFAR_DOTTED
#undef NEARFAR_TEXT_OF
}

}  // namespace nearfar
