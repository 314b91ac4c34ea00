#pragma once

#include <type_traits>

#include "kernels.hpp"
#include "loss.hpp"
#include "nearfar/core/denominator.hpp"
#include "nearfar/core/reduction.hpp"
#include "nearfar/core/triplet_form.hpp"
#include "status.hpp"

/// \file
/// A loss's form is what its file says of it, a struct with
/// - `name`, the class's,
/// - `C`, the options of the interface, and `Cpp`, those of the class,
/// - `Loss<S, K>`, the class, `Kernels`, those that it has (none: NoKernels), and `kernel`, its
/// own,
/// - `start()`, the options of the class before any setting is made,
/// - `each(visit, c, cpp)`, which calls visit(name, member of c, member of cpp) for each setting.
///
/// What is the same for all of them is here.

namespace nearfar::detail::c {

/// For losses that are no template over kernels.
struct NoKernels {};

/// What most forms have alike: their options, and no setting made before the interface's.
template <class Options, class CppOptions>
struct FormOf {
  using C = Options;
  using Cpp = CppOptions;
  static Cpp start() { return {}; }
};

/// How many constants an enum has, the same numbers from 0 on on both sides.
template <class E>
inline constexpr std::int32_t constants_of = 0;
template <>
inline constexpr std::int32_t constants_of<Reduction> = 4;
template <>
inline constexpr std::int32_t constants_of<UnusableAnchor> = 2;
template <>
inline constexpr std::int32_t constants_of<Denominator> = 2;
template <>
inline constexpr std::int32_t constants_of<TripletForm> = 2;

static_assert(static_cast<int>(Reduction::mean) == NEARFAR_MEAN);
static_assert(static_cast<int>(Reduction::sum) == NEARFAR_SUM);
static_assert(static_cast<int>(Reduction::mean_nonzero) == NEARFAR_MEAN_NONZERO);
static_assert(static_cast<int>(Reduction::none) == NEARFAR_NONE);
static_assert(static_cast<int>(UnusableAnchor::skip) == NEARFAR_SKIP);
static_assert(static_cast<int>(UnusableAnchor::error) == NEARFAR_REFUSE);
static_assert(static_cast<int>(Denominator::negatives_only) == NEARFAR_NEGATIVES_ONLY);
static_assert(static_cast<int>(TripletForm::soft) == NEARFAR_TRIPLET_SOFT);

/// Sets a setting of the interface's to that of the class.
struct ToC {
  template <class C, class Cpp>
  void operator()(const char*, C& c, const Cpp& cpp) const {
    c = static_cast<C>(cpp);
  }
};

/// Sets a setting of the class to that of the interface. Throws on a choice that is none.
struct FromC {
  template <class C, class Cpp>
  void operator()(const char* name, const C& c, Cpp& cpp) const {
    if constexpr (std::is_enum_v<Cpp> || std::is_same_v<Cpp, bool>) {
      constexpr std::int32_t count = std::is_enum_v<Cpp> ? constants_of<Cpp> : 2;
      static_assert(count > 0);
      if (c < 0 || c >= count) {
        fail_argument(name, "a choice from 0 to " + std::to_string(count - 1), std::to_string(c));
      }
    }
    cpp = static_cast<Cpp>(c);
  }
};

template <class Form>
typename Form::C defaults_of() {
  typename Form::C c = {};
  c.size = sizeof c;
  const typename Form::Cpp cpp = Form::start();
  Form::each(ToC(), c, cpp);
  if constexpr (requires { c.kernel; }) c.kernel = Form::kernel;
  return c;
}

/// A loss of one form: the class is made anew in each call, for the scalar type of the rows.
template <class Form>
class LossOf : public nearfar_loss {
 public:
  using C = typename Form::C;

  /// Throws std::invalid_argument as the class does, and on choices that are none.
  explicit LossOf(const C& c) {
    Form::each(FromC(), c, options_);
    if constexpr (requires { c.kernel; }) kernel_.kind = c.kernel;
    if constexpr (requires { c.matrix; }) kernel_.matrix = c.matrix;
    if (kernel_.matrix.scalar == 0) {
      check<double>();
    } else {
      with_scalar("matrix", kernel_.matrix, [&]<class S>(S) { check<S>(); });
    }
  }

  const char* name() const override { return Form::name; }

 protected:
  /// Calls body(S(), loss) with the class for the scalar type of `rows`.
  template <class Body>
  void with_loss(const char* name, const nearfar_rows& rows, const Body& body) const {
    with_scalar(name, rows,
                [&]<class S>(S scalar) { with<S>([&](const auto& loss) { body(scalar, loss); }); });
  }

  const typename Form::Cpp& options() const { return options_; }

  Reduction reduction() const {
    if constexpr (requires { options_.reduction; }) {
      return options_.reduction;
    } else {
      return Reduction::mean;  // one value and no terms
    }
  }

 private:
  static constexpr bool has_kernels = !std::is_same_v<typename Form::Kernels, NoKernels>;

  template <class S, class Body>
  void with(const Body& body) const {
    if constexpr (has_kernels) {
      kernel_.with_kernel<S>(typename Form::Kernels(), [&]<class K>(const K& kernel) {
        body(typename Form::template Loss<S, K>(options_, kernel));
      });
    } else {
      body(typename Form::template Loss<S, NoKernels>(options_));
    }
  }

  template <class S>
  void check() const {
    kernel_.check();
    with<S>([](const auto&) {});
  }

  typename Form::Cpp options_ = Form::start();
  KernelChoice kernel_ = {Form::kernel, {}};
};

/// What a loss's `_create` does: makes a Loss, which derives from LossOf<Form>.
template <class Form, class Loss>
nearfar_status create(const typename Form::C* options, nearfar_loss** loss) {
  return guarded([&] {
    nearfar_loss*& out = required("loss", loss);
    out = new Loss(options != nullptr ? required_of_size("options", options) : defaults_of<Form>());
  });
}

}  // namespace nearfar::detail::c

/// The two functions of the interface that each loss has.
#define NEARFAR_C_LOSS(name, Form, Loss)                                                     \
  extern "C" nearfar_status nearfar_##name##_options_init(nearfar_##name##_options* options, \
                                                          size_t size) {                     \
    return nearfar::detail::c::guarded([&] {                                                 \
      nearfar::detail::c::initialise("options", options, size,                               \
                                     nearfar::detail::c::defaults_of<Form>());               \
    });                                                                                      \
  }                                                                                          \
  extern "C" nearfar_status nearfar_##name##_create(const nearfar_##name##_options* options, \
                                                    nearfar_loss** loss) {                   \
    return nearfar::detail::c::create<Form, Loss>(options, loss);                            \
  }
