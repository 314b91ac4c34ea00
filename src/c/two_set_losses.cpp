#include "nearfar/losses/alignment.hpp"
#include "nearfar/losses/clip.hpp"
#include "nearfar/losses/hard_negative.hpp"
#include "nearfar/losses/mutual_information.hpp"
#include "nearfar/losses/nt_xent.hpp"
#include "nearfar/losses/sig_lip.hpp"
#include "settings.hpp"

/// \file
/// Losses of two sets of rows, row i of one with row i of the other.

namespace nearfar::detail::c {

template <>
inline constexpr std::int32_t constants_of<ClipDirections> = 2;
static_assert(static_cast<int>(ClipDirections::sum) == NEARFAR_CLIP_SUM);

template <>
inline constexpr std::int32_t constants_of<MutualInformationBound> = 4;
static_assert(static_cast<int>(MutualInformationBound::info_nce) == NEARFAR_BOUND_INFO_NCE);
static_assert(static_cast<int>(MutualInformationBound::nwj) == NEARFAR_BOUND_NWJ);
static_assert(static_cast<int>(MutualInformationBound::donsker_varadhan) ==
              NEARFAR_BOUND_DONSKER_VARADHAN);
static_assert(static_cast<int>(MutualInformationBound::club) == NEARFAR_BOUND_CLUB);

namespace {

struct AlignmentForm : FormOf<nearfar_alignment_options, AlignmentOptions> {
  static constexpr const char* name = "Alignment";
  template <class S, class>
  using Loss = Alignment<S>;
  using Kernels = NoKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;
  static constexpr Index values_a_row = 1;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("alpha", c.alpha, cpp.alpha);
    visit("reduction", c.reduction, cpp.reduction);
  }
};

struct ClipForm : FormOf<nearfar_clip_options, ClipOptions> {
  static constexpr const char* name = "Clip";
  template <class S, class K>
  using Loss = Clip<S, K>;
  using Kernels = Similarities;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;
  static constexpr Index values_a_row = 1;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("logit_scale", c.logit_scale, cpp.logit_scale);
    visit("largest_logit_scale", c.largest_logit_scale, cpp.largest_logit_scale);
    visit("directions", c.directions, cpp.directions);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct HardNegativeForm : FormOf<nearfar_hard_negative_options, HardNegativeOptions> {
  static constexpr const char* name = "HardNegative";
  template <class S, class>
  using Loss = HardNegative<S>;
  using Kernels = NoKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;
  static constexpr Index values_a_row = 2;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("temperature", c.temperature, cpp.temperature);
    visit("positive_prior", c.positive_prior, cpp.positive_prior);
    visit("concentration", c.concentration, cpp.concentration);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct MutualInformationForm
    : FormOf<nearfar_mutual_information_options, MutualInformationOptions> {
  static constexpr const char* name = "MutualInformation";
  template <class S, class K>
  using Loss = MutualInformation<S, K>;
  using Kernels = AllKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_INNER_PRODUCT;
  static constexpr Index values_a_row = 0;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("bound", c.bound, cpp.bound);
    visit("temperature", c.temperature, cpp.temperature);
  }
};

struct NtXentForm : FormOf<nearfar_nt_xent_options, NtXentOptions> {
  static constexpr const char* name = "NtXent";
  template <class S, class K>
  using Loss = NtXent<S, K>;
  using Kernels = SymmetricKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;
  static constexpr Index values_a_row = 2;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("temperature", c.temperature, cpp.temperature);
    visit("denominator", c.denominator, cpp.denominator);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct SigLipForm : FormOf<nearfar_sig_lip_options, SigLipOptions> {
  static constexpr const char* name = "SigLip";
  template <class S, class K>
  using Loss = SigLip<S, K>;
  using Kernels = Similarities;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;
  static constexpr Index values_a_row = 1;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("logit_scale", c.logit_scale, cpp.logit_scale);
    visit("logit_bias", c.logit_bias, cpp.logit_bias);
    visit("reduction", c.reduction, cpp.reduction);
  }
};

template <class Form>
class TwoSetLoss : public LossOf<Form> {
 public:
  using LossOf<Form>::LossOf;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    if (in.match != nullptr) fail_argument("match", "none for this loss", "integers");
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const Rows<S> y = rows_of<S>("y", in.y);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const GradientRows<S> dy = gradient_of<S>("dy", in.dy);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), Form::values_a_row * x.rows(),
          [&] { return loss.forward(x, y, call); },
          [&] { return loss.forward_backward(x, y, dx, dy, call); });
    });
  }
};

}  // namespace
}  // namespace nearfar::detail::c

#define NEARFAR_C_TWO_SET_LOSS(name, Form)       \
  NEARFAR_C_LOSS(name, nearfar::detail::c::Form, \
                 nearfar::detail::c::TwoSetLoss<nearfar::detail::c::Form>)

NEARFAR_C_TWO_SET_LOSS(alignment, AlignmentForm)
NEARFAR_C_TWO_SET_LOSS(clip, ClipForm)
NEARFAR_C_TWO_SET_LOSS(hard_negative, HardNegativeForm)
NEARFAR_C_TWO_SET_LOSS(mutual_information, MutualInformationForm)
NEARFAR_C_TWO_SET_LOSS(nt_xent, NtXentForm)
NEARFAR_C_TWO_SET_LOSS(sig_lip, SigLipForm)
