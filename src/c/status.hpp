#pragma once

#include <exception>
#include <new>
#include <stdexcept>

#include "nearfar/c/basics.h"

/// \file
/// Exceptions end here.

namespace nearfar::detail::c {

/// Keeps `message` as this thread's last error. Allocates nothing.
nearfar_status failed(nearfar_status status, const char* message) noexcept;

/// Runs what a function of the interface does; its exceptions become a status and a message.
template <class Body>
nearfar_status guarded(const Body& body) noexcept {
  try {
    body();
    return NEARFAR_OK;
  } catch (const std::invalid_argument& e) {
    return failed(NEARFAR_INVALID_ARGUMENT, e.what());
  } catch (const std::domain_error& e) {
    return failed(NEARFAR_NOT_FINITE, e.what());
  } catch (const std::runtime_error& e) {  // of these the library throws those of files alone
    return failed(NEARFAR_FILE, e.what());
  } catch (const std::bad_alloc&) {
    return failed(NEARFAR_OUT_OF_MEMORY, "nearfar: out of memory");
  } catch (const std::exception& e) {
    return failed(NEARFAR_INTERNAL, e.what());
  } catch (...) {
    return failed(NEARFAR_INTERNAL, "nearfar: an exception of no known type");
  }
}

}  // namespace nearfar::detail::c
