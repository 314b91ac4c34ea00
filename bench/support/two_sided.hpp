#pragma once

#include <nearfar/core/workspace.hpp>

#include "support/case.hpp"
#include "support/data.hpp"

/// \file
/// How losses of two sets are called, from the library and from the headers alone.

namespace bench {

/// Times one of nearfar's losses over two sets of rows, one gradient each.
template <class S, class Loss>
void two_sided(benchmark::State& state, const Loss& loss, const Floor& floor, bool gradients,
               const Size& size, Eigen::Index rows) {
  const TwoViews<S> views(rows, size.d);
  RowMatrix<S> dx;
  RowMatrix<S> dy;
  nearfar::Workspace workspace(size.threads);
  measure<S>(
      state, gradients ? floor.forward_backward : floor.forward, size,
      [&] {
        return gradients
                   ? loss.forward_backward(views.x, views.y, dx, dy, {.workspace = &workspace})
                         .value
                   : loss.forward(views.x, views.y, {.workspace = &workspace}).value;
      },
      [&] { return workspace.bytes(); });
}

}  // namespace bench
