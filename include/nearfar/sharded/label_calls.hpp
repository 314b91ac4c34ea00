#pragma once

#include "nearfar/core/reduce.hpp"
#include "nearfar/core/tags.hpp"
#include "nearfar/sharded/chunks.hpp"
#include "nearfar/sharded/sharding.hpp"

namespace nearfar::sharded {

/// The public calls of a sharded loss over labels, the same for all of them. Loss has `options()`
/// with a `reduction`, and `run`, private, with this class its friend.
template <class Loss, class S, class R>
class LabelCalls {
 public:
  /// The loss of the rows of all processes, each compared with all others. Own rows x are N_r x D,
  /// N_r >= 0, with one label a row, and perhaps ids (Tags::ids): rows of one id, wherever they
  /// are, are not compared. Multi-labels, lists and weights are for calls of one process. Throws
  /// the same error on all processes, as sharded::InfoNce::forward.
  R forward(const Sharding& where, Rows<S> x, const Tags& labels, CallOptions<S> call = {}) const {
    return self().run(where, nullptr, {x, no_gradient}, labels, call);
  }

  /// Value and the gradient of it for own rows. Numbers beside the value are of the whole batch.
  R forward_backward(const Sharding& where, Rows<S> x, const Tags& labels, GradientRows<S> dx,
                     CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(x, dx), labels, call);
  }
  /// The same of rows in chunks; labels are one a row of all chunks.
  R forward_backward(const Sharding& where, const Chunks<S>& x, const Tags& labels,
                     CallOptions<S> call = {}) const {
    const Upstream one = detail::unit_upstream(self().options().reduction, x.rows());
    return self().run(where, &one, x, labels, call);
  }

  /// As forward_backward with gradients times `upstream` = dL/d(value): one number, the same on all
  /// processes, or one an own row with Reduction::none.
  R backward(const Sharding& where, const Upstream& upstream, Rows<S> x, const Tags& labels,
             GradientRows<S> dx, CallOptions<S> call = {}) const {
    return self().run(where, &upstream, {x, dx}, labels, call);
  }
  R backward(const Sharding& where, const Upstream& upstream, const Chunks<S>& x,
             const Tags& labels, CallOptions<S> call = {}) const {
    return self().run(where, &upstream, x, labels, call);
  }

 private:
  const Loss& self() const { return static_cast<const Loss&>(*this); }
};

}  // namespace nearfar::sharded
