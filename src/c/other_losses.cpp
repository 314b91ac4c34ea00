#include "nearfar/losses/cpc.hpp"
#include "nearfar/losses/triplet.hpp"
#include "nearfar/losses/uniformity.hpp"
#include "settings.hpp"

/// \file
/// Losses of one set of rows, and of three.

namespace nearfar::detail::c {

template <>
inline constexpr std::int32_t constants_of<SequenceNegatives> = 3;
static_assert(static_cast<int>(SequenceNegatives::same_time) == NEARFAR_SEQUENCE_SAME_TIME);
static_assert(static_cast<int>(SequenceNegatives::same_sequence) == NEARFAR_SEQUENCE_SAME);
static_assert(static_cast<int>(SequenceNegatives::all) == NEARFAR_SEQUENCE_ALL);

namespace {

struct CpcForm : FormOf<nearfar_cpc_options, CpcOptions> {
  static constexpr const char* name = "Cpc";
  template <class S, class>
  using Loss = Cpc<S>;
  using Kernels = NoKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;
  static Index steps(const Cpp& options) { return options.steps; }

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("length", c.length, cpp.length);
    visit("steps", c.steps, cpp.steps);
    visit("temperature", c.temperature, cpp.temperature);
    visit("negatives", c.negatives, cpp.negatives);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct TripletLossForm : FormOf<nearfar_triplet_options, TripletOptions> {
  static constexpr const char* name = "Triplet";
  template <class S, class K>
  using Loss = Triplet<S, K>;
  using Kernels = AllKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_EUCLIDEAN;
  static Index steps(const Cpp&) { return 0; }

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("margin", c.margin, cpp.margin);
    visit("form", c.form, cpp.form);
    visit("swap", c.swap, cpp.swap);
    visit("reduction", c.reduction, cpp.reduction);
  }
};

struct UniformityForm : FormOf<nearfar_uniformity_options, UniformityOptions> {
  static constexpr const char* name = "Uniformity";
  template <class S, class>
  using Loss = Uniformity<S>;
  using Kernels = NoKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;

  static void each(const auto& visit, auto& c, auto& cpp) { visit("t", c.t, cpp.t); }
};

template <class Form>
class ThreeSetLoss : public LossOf<Form> {
 public:
  using LossOf<Form>::LossOf;

  void three_sets(const ThreeSets& in, Pass& pass) const override {
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const Rows<S> y = rows_of<S>("y", in.y);
      const Rows<S> z = rows_of<S>("z", in.z);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const GradientRows<S> dy = gradient_of<S>("dy", in.dy);
      const GradientRows<S> dz = gradient_of<S>("dz", in.dz);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), x.rows(), [&] { return loss.forward(x, y, z, call); },
          [&] { return loss.forward_backward(x, y, z, dx, dy, dz, call); },
          Form::steps(this->options()));
    });
  }
};

class UniformityLoss : public LossOf<UniformityForm> {
 public:
  using LossOf::LossOf;

  void one_set(const OneSet& in, Pass& pass) const override {
    with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const CallOptions<S> call = pass.options<S>(reduction());
      pass.run(
          reduction(), 0, [&] { return loss.forward(x, call); },
          [&] { return loss.forward_backward(x, dx, call); });
    });
  }
};

}  // namespace
}  // namespace nearfar::detail::c

NEARFAR_C_LOSS(cpc, nearfar::detail::c::CpcForm,
               nearfar::detail::c::ThreeSetLoss<nearfar::detail::c::CpcForm>)
NEARFAR_C_LOSS(triplet, nearfar::detail::c::TripletLossForm,
               nearfar::detail::c::ThreeSetLoss<nearfar::detail::c::TripletLossForm>)
NEARFAR_C_LOSS(uniformity, nearfar::detail::c::UniformityForm, nearfar::detail::c::UniformityLoss)
