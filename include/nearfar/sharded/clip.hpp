#pragma once

#include "nearfar/losses/clip.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::Clip.
template <class S>
ClipResult evaluate(const ClipOptions& options, const KernelValue<S>& kernel,
                    const ShardedInputs<S, 2>& inputs, const Targets& targets);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// CLIP's loss of a batch split over processes: the loss, options and kernels of nearfar::Clip over
/// the pairs of all processes. Each process passes its own pairs, in the same call; Sharding
/// defines value and gradients.
///
/// Texts visit all processes, where their scores serve both halves of the loss: 6 to 8 N^2 D
/// floating point operations in all, as in one process (12 N^2 D with Schedule::all_gather).
template <class S, Kernel K = Cosine>
class Clip {
 public:
  /// Throws as nearfar::Clip does.
  explicit Clip(ClipOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const ClipOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' images and texts. Own ones are N_r x D both, N_r >= 0, pair i in
  /// row i of both. Throws the same error on all processes, like sharded::InfoNce::forward.
  ClipResult forward(const Sharding& where, Rows<S> images, Rows<S> texts,
                     CallOptions<S> call = {}) const {
    return forward(where, images, texts, Targets(), call);
  }
  /// The same with ids of the N_r own pairs, `Targets().ids(ids)`: pairs of one id, on any
  /// processes, are no negatives of each other. All processes have ids, or none.
  ClipResult forward(const Sharding& where, Rows<S> images, Rows<S> texts, const Targets& targets,
                     CallOptions<S> call = {}) const {
    return hand_on(
        {where, {Chunks<S>(images, no_gradient), Chunks<S>(texts, no_gradient)}, false, call},
        targets);
  }

  /// Value, and gradients for own rows, times `call.upstream`: one number, the same on all
  /// processes, or N_r numbers with Reduction::none. d_logit_scale is that of the whole batch.
  ClipResult forward_backward(const Sharding& where, Rows<S> images, Rows<S> texts,
                              GradientRows<S> d_images, GradientRows<S> d_texts,
                              CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(images, d_images), Chunks<S>(texts, d_texts),
                            Targets(), call);
  }
  ClipResult forward_backward(const Sharding& where, Rows<S> images, Rows<S> texts,
                              const Targets& targets, GradientRows<S> d_images,
                              GradientRows<S> d_texts, CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(images, d_images), Chunks<S>(texts, d_texts), targets,
                            call);
  }
  /// The same for rows in chunks; images and texts may have chunks of different sizes.
  ClipResult forward_backward(const Sharding& where, const Chunks<S>& images,
                              const Chunks<S>& texts, CallOptions<S> call = {}) const {
    return forward_backward(where, images, texts, Targets(), call);
  }
  ClipResult forward_backward(const Sharding& where, const Chunks<S>& images,
                              const Chunks<S>& texts, const Targets& targets,
                              CallOptions<S> call = {}) const {
    return hand_on({where, {images, texts}, true, call}, targets);
  }

 private:
  ClipResult hand_on(const detail::ShardedInputs<S, 2>& inputs, const Targets& targets) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs, targets);
  }

  nearfar::Clip<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/clip.hpp"
#endif
