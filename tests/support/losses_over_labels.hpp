#pragma once

#include <gtest/gtest.h>

#include <string>

#include "support/settings.hpp"

namespace support {

/// Calls body(loss, name) for every registered loss over labels with its own kernel, once for each
/// of its choices.
template <class S, class Body>
void each_loss_over_labels(nearfar::Reduction reduction, const Body& body) {
  nearfar::registered::for_each([&]<class Line>(Line) {
    if constexpr (is_over_labels<Line>) {
      using Own = typename Line::template Loss<S>;
      for (const auto& options :
           gentle_options<Line, typename OwnKernel<Line, S>::Type>(reduction, 1)) {
        const std::string name = Line::class_name + choices_in(options);
        SCOPED_TRACE(name);
        body(Own(options), name);
      }
    }
  });
}

}  // namespace support
