#pragma once

#include "nearfar/losses/sig_lip.hpp"
#include "nearfar/sharded/inputs.hpp"

namespace nearfar::detail {

/// The part of one process in a call of sharded::SigLip.
template <class S>
SigLipResult evaluate(const SigLipOptions& options, const KernelValue<S>& kernel,
                      const ShardedInputs<S, 2>& inputs, const Targets& targets);

}  // namespace nearfar::detail

namespace nearfar::sharded {

/// SigLIP's loss of a batch split over processes: the loss, options and kernels of nearfar::SigLip
/// over the pairs of all processes (Zhai et al., Sigmoid loss for language image pre-training,
/// 2023, section 3.3, exchange texts in the same way). Each process passes its own pairs, in the
/// same call; Sharding defines value and gradients.
///
/// 6 N^2 D floating point operations in all, because no term depends on others. The ring passes
/// texts and their gradients once.
template <class S, Kernel K = Cosine>
class SigLip {
 public:
  /// Throws as nearfar::SigLip does.
  explicit SigLip(SigLipOptions options = {}, K kernel = K()) : loss_(options, kernel) {}

  const SigLipOptions& options() const { return loss_.options(); }
  const K& kernel() const { return loss_.kernel(); }

  /// The loss of all processes' images and texts. Own ones are N_r x D both, N_r >= 0, pair i in
  /// row i of both. Throws the same error on all processes, like sharded::InfoNce::forward.
  SigLipResult forward(const Sharding& where, Rows<S> images, Rows<S> texts,
                       CallOptions<S> call = {}) const {
    return forward(where, images, texts, Targets(), call);
  }
  /// The same with ids of the N_r own pairs, `Targets().ids(ids)`: pairs of one id, on any
  /// processes, are no negatives of each other. All processes have ids, or none.
  SigLipResult forward(const Sharding& where, Rows<S> images, Rows<S> texts, const Targets& targets,
                       CallOptions<S> call = {}) const {
    return hand_on(
        {where, {Chunks<S>(images, no_gradient), Chunks<S>(texts, no_gradient)}, false, call},
        targets);
  }

  /// Value, and gradients for own rows, times `call.upstream`: one number, the same on all
  /// processes, or N_r numbers with Reduction::none. d_logit_scale and d_logit_bias are those of
  /// the whole batch.
  SigLipResult forward_backward(const Sharding& where, Rows<S> images, Rows<S> texts,
                                GradientRows<S> d_images, GradientRows<S> d_texts,
                                CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(images, d_images), Chunks<S>(texts, d_texts),
                            Targets(), call);
  }
  SigLipResult forward_backward(const Sharding& where, Rows<S> images, Rows<S> texts,
                                const Targets& targets, GradientRows<S> d_images,
                                GradientRows<S> d_texts, CallOptions<S> call = {}) const {
    return forward_backward(where, Chunks<S>(images, d_images), Chunks<S>(texts, d_texts), targets,
                            call);
  }
  /// The same for rows in chunks; images and texts may have chunks of different sizes.
  SigLipResult forward_backward(const Sharding& where, const Chunks<S>& images,
                                const Chunks<S>& texts, CallOptions<S> call = {}) const {
    return forward_backward(where, images, texts, Targets(), call);
  }
  SigLipResult forward_backward(const Sharding& where, const Chunks<S>& images,
                                const Chunks<S>& texts, const Targets& targets,
                                CallOptions<S> call = {}) const {
    return hand_on({where, {images, texts}, true, call}, targets);
  }

 private:
  SigLipResult hand_on(const detail::ShardedInputs<S, 2>& inputs, const Targets& targets) const {
    return detail::evaluate(options(), detail::kernel_value<S>(kernel()), inputs, targets);
  }

  nearfar::SigLip<S, K> loss_;
};

}  // namespace nearfar::sharded

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/sharded/impl/sig_lip.hpp"
#endif
