#pragma once

#include <exception>
#include <utility>

/// \file
/// The failure of a process on whose messages others wait.

namespace nearfar::detail {

/// The first exception of some visits: it is thrown on once all that others wait for has been
/// passed on.
class FirstFailure {
 public:
  /// Runs body() unless one before it has failed, and remembers its exception.
  template <class Body>
  void tried(const Body& body) {
    if (failure_ != nullptr) return;
    try {
      body();
    } catch (...) {
      failure_ = std::current_exception();
    }
  }

  void rethrow() {
    if (failure_ != nullptr) std::rethrow_exception(std::exchange(failure_, nullptr));
  }

 private:
  std::exception_ptr failure_;
};

}  // namespace nearfar::detail
