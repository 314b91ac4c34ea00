#pragma once

#include <cmath>
#include <limits>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

#include "kernels.hpp"
#include "loss.hpp"
#include "status.hpp"

/// \file
/// From the settings of the interface to a loss of the register: the structs of the interface have
/// the members of the classes' options, by the same names.

namespace nearfar::detail::c {

// Choices have the same numbers on both sides.
static_assert(static_cast<int>(Reduction::mean) == NEARFAR_MEAN);
static_assert(static_cast<int>(Reduction::sum) == NEARFAR_SUM);
static_assert(static_cast<int>(Reduction::mean_nonzero) == NEARFAR_MEAN_NONZERO);
static_assert(static_cast<int>(Reduction::none) == NEARFAR_NONE);
static_assert(static_cast<int>(UnusableAnchor::skip) == NEARFAR_SKIP);
static_assert(static_cast<int>(UnusableAnchor::error) == NEARFAR_REFUSE);
static_assert(static_cast<int>(Denominator::negatives_only) == NEARFAR_NEGATIVES_ONLY);
static_assert(static_cast<int>(Partition::per_direction) == NEARFAR_PARTITION_PER_DIRECTION);
static_assert(static_cast<int>(Hardness::in_batch_negatives) ==
              NEARFAR_HARDNESS_IN_BATCH_NEGATIVES);
static_assert(static_cast<int>(Hardness::hard_negatives) == NEARFAR_HARDNESS_HARD_NEGATIVES);
static_assert(static_cast<int>(Hardness::all_negatives) == NEARFAR_HARDNESS_ALL_NEGATIVES);
static_assert(static_cast<int>(FalseNegatives::drop) == NEARFAR_FALSE_NEGATIVES_DROP);
static_assert(static_cast<int>(FalseNegatives::drop_relative) ==
              NEARFAR_FALSE_NEGATIVES_DROP_RELATIVE);
static_assert(static_cast<int>(TripletForm::soft) == NEARFAR_TRIPLET_SOFT);
static_assert(static_cast<int>(CircleWeights::differentiated) == NEARFAR_CIRCLE_DIFFERENTIATED);
static_assert(static_cast<int>(SquareFactor::one) == NEARFAR_SQUARE_ONE);
static_assert(static_cast<int>(SincereTerms::positive_pairs) == NEARFAR_SINCERE_POSITIVE_PAIRS);
static_assert(static_cast<int>(SupConVariant::in) == NEARFAR_SUP_CON_IN);
static_assert(static_cast<int>(Mining::all) == NEARFAR_MINING_ALL);
static_assert(static_cast<int>(Mining::hard) == NEARFAR_MINING_HARD);
static_assert(static_cast<int>(Mining::semihard) == NEARFAR_MINING_SEMIHARD);
static_assert(static_cast<int>(Mining::easy) == NEARFAR_MINING_EASY);
static_assert(static_cast<int>(Mining::batch_hard) == NEARFAR_MINING_BATCH_HARD);
static_assert(static_cast<int>(Mining::batch_easy_hard) == NEARFAR_MINING_BATCH_EASY_HARD);
static_assert(static_cast<int>(Mining::semi_hard_per_pair) == NEARFAR_MINING_SEMI_HARD_PER_PAIR);
static_assert(static_cast<int>(Mining::distance_weighted) == NEARFAR_MINING_DISTANCE_WEIGHTED);
static_assert(static_cast<int>(PositiveChoice::easy) == NEARFAR_CHOICE_EASY);
static_assert(static_cast<int>(PositiveChoice::semihard) == NEARFAR_CHOICE_SEMIHARD);
static_assert(static_cast<int>(PositiveChoice::hard) == NEARFAR_CHOICE_HARD);
static_assert(static_cast<int>(NegativeChoice::easy) == NEARFAR_CHOICE_EASY);
static_assert(static_cast<int>(NegativeChoice::semihard) == NEARFAR_CHOICE_SEMIHARD);
static_assert(static_cast<int>(NegativeChoice::hard) == NEARFAR_CHOICE_HARD);
static_assert(static_cast<int>(SequenceNegatives::same_time) == NEARFAR_SEQUENCE_SAME_TIME);
static_assert(static_cast<int>(SequenceNegatives::same_sequence) == NEARFAR_SEQUENCE_SAME);
static_assert(static_cast<int>(SequenceNegatives::all) == NEARFAR_SEQUENCE_ALL);
static_assert(static_cast<int>(ClipDirections::sum) == NEARFAR_CLIP_SUM);
static_assert(static_cast<int>(MutualInformationBound::info_nce) == NEARFAR_BOUND_INFO_NCE);
static_assert(static_cast<int>(MutualInformationBound::nwj) == NEARFAR_BOUND_NWJ);
static_assert(static_cast<int>(MutualInformationBound::donsker_varadhan) ==
              NEARFAR_BOUND_DONSKER_VARADHAN);
static_assert(static_cast<int>(MutualInformationBound::club) == NEARFAR_BOUND_CLUB);

/// Sets a setting of the interface's to that of the class; NaN where that is left to the class.
struct ToC {
  template <class C, class Cpp>
  void operator()(const char*, C& c, const Cpp& cpp) const {
    if constexpr (std::is_class_v<Cpp>) {
      Cpp::fields(*this, c, cpp);
    } else {
      c = static_cast<C>(cpp);
    }
  }
  void operator()(const char*, double& c, const std::optional<double>& cpp) const {
    c = cpp.value_or(std::numeric_limits<double>::quiet_NaN());
  }
  // Lists have no default but none.
  void operator()(const char*, nearfar_integers& c, const std::vector<Index>&) const { c = {}; }
  void operator()(const char*, nearfar_doubles& c, const std::vector<double>&) const { c = {}; }
};

/// Sets a setting of the class to that of the interface. Throws on a choice that is none.
struct FromC {
  std::string prefix = {};

  template <class C, class Cpp>
  void operator()(const char* name, const C& c, Cpp& cpp) const {
    if constexpr (std::is_class_v<Cpp>) {
      Cpp::fields(FromC{prefix + name + "."}, c, cpp);
    } else {
      if constexpr (std::is_enum_v<Cpp> || std::is_same_v<Cpp, bool>) {
        constexpr auto count = static_cast<std::int32_t>(registered::choices_of<Cpp>.size());
        static_assert(count > 0);
        if (c < 0 || c >= count) {
          fail_argument(prefix + name, "a choice from 0 to " + std::to_string(count - 1),
                        std::to_string(c));
        }
      }
      cpp = static_cast<Cpp>(c);
    }
  }
  void operator()(const char*, const double& c, std::optional<double>& cpp) const {
    if (!detail::is_nan(c)) cpp = c;
  }
  void operator()(const char* name, const nearfar_integers& c, std::vector<Index>& cpp) const {
    const std::span<const Index> given = indices_of(prefix + name, c);
    cpp.assign(given.begin(), given.end());
  }
  void operator()(const char* name, const nearfar_doubles& c, std::vector<double>& cpp) const {
    const std::span<const double> given = doubles_of(prefix + name, c);
    cpp.assign(given.begin(), given.end());
  }
};

/// A loss of the register, Line, with settings of type C. The class is made anew in each call, for
/// the scalar type of the rows.
template <class Line, class C>
class LossOf : public nearfar_loss {
 public:
  /// Throws std::invalid_argument as the class does, and on choices that are none.
  explicit LossOf(const C& c) {
    Options::fields(FromC(), c, options_);
    if constexpr (requires { c.kernel; }) kernel_.kind = c.kernel;
    if constexpr (requires { c.matrix; }) kernel_.matrix = c.matrix;
    if (kernel_.matrix.scalar == 0) {
      check<double>();
    } else {
      with_scalar("matrix", kernel_.matrix, [&]<class S>(S) { check<S>(); });
    }
  }

  static C defaults() {
    C c = {};
    c.size = sizeof c;
    const Options options = {};
    Options::fields(ToC(), c, options);
    if constexpr (requires { c.kernel; }) c.kernel = own_kernel;
    return c;
  }

  const char* name() const override { return Line::class_name; }

 protected:
  using Options = typename Line::Options;

  /// A call with these sets of rows, the first `gradients` of which can have one.
  /// `arguments(rows)` is the tuple of what the class's calls take before gradients. `values`: how
  /// many there are with Reduction::none; -1: one for each row of the first set, or of both views.
  template <std::size_t gradients, std::size_t n, class Arguments>
  void evaluate_with(Pass& pass, const std::array<Set, n>& sets, const Arguments& arguments,
                     Index values = -1) const {
    with_scalar(sets[0].name, *sets[0].rows, [&]<class S>(S) {
      std::array<Rows<S>, n> rows;
      std::array<GradientRows<S>, gradients> d;
      std::vector<NamedPlace> read;
      std::vector<NamedPlace> written;
      for (std::size_t k = 0; k < n; ++k) {
        rows[k] = sets[k].template view<S>();
        read.push_back({sets[k].name, rows[k].place()});
      }
      for (std::size_t k = 0; k < gradients; ++k) {
        d[k] = sets[k].template gradient_view<S>();
        if (d[k].wanted()) written.push_back({sets[k].gradient_name(), d[k].place()});
      }
      const CallOptions<S> call = pass.options<S>(reduction());
      if (call.d_parameter.wanted()) {
        written.push_back({"call.d_parameter", call.d_parameter.place()});
      }
      if (kernel_.matrix.scalar != 0) {
        read.push_back({"matrix", rows_of<S>("matrix", kernel_.matrix).place()});
      }
      const Counts counts = counts_of(values >= 0 ? values : values_of(rows[0].rows()));
      const auto in = arguments(rows);
      pass.check(counts, std::move(read), written);
      pass.hand_out(with<S>([&](const auto& loss) { return run(loss, pass, in, d, call); }));
    });
  }
  /// The same where all of them can have one.
  template <std::size_t n, class Arguments>
  void evaluate(Pass& pass, const std::array<Set, n>& sets, const Arguments& arguments,
                Index values = -1) const {
    evaluate_with<n>(pass, sets, arguments, values);
  }

  /// A call with lists of row numbers, with references or without.
  template <class... Lists>
  void over_lists(Pass& pass, const Set& x, const Set& references, Index values,
                  const Lists&... lists) const {
    if (references.rows != nullptr) {
      evaluate(
          pass, std::array{x, references},
          [&](const auto& rows) { return std::tuple(rows[0], rows[1], lists...); }, values);
      return;
    }
    refuse_without_references("d_references", references.gradient, "a gradient");
    evaluate(
        pass, std::array{x}, [&](const auto& rows) { return std::tuple(rows[0], lists...); },
        values);
  }

  /// Throws where an argument is given that goes with references, and there are none.
  static void refuse_without_references(const char* name, const void* given, const char* got) {
    if (given != nullptr) fail_argument(name, "none without references", got);
  }

  Reduction reduction() const {
    if constexpr (requires { options_.reduction; }) {
      return options_.reduction;
    } else {
      return Reduction::mean;  // one value and no terms
    }
  }

 private:
  /// The loss's call. All else that a call needs does not depend on the kernel.
  template <class Loss, class In, class D, class Call>
  static auto run(const Loss& loss, const Pass& pass, const In& in, const D& d, const Call& call) {
    return std::apply(
        [&](const auto&... arguments) {
          return std::apply(
              [&](const auto&... gradients) {
                return pass.direction() == Direction::forward
                           ? loss.forward(arguments..., call)
                           : loss.forward_backward(arguments..., gradients..., call);
              },
              d);
        },
        in);
  }

  static Index values_of(Index rows) {
    return (Line::takes == registered::Takes::views ? 2 : 1) * rows;
  }

  Counts counts_of(Index values) const {
    Counts out;
    if (reduction() == Reduction::none) out.values = values;
    if constexpr (requires { options_.steps; }) out.steps = options_.steps;
    if constexpr (requires { options_.prefixes; }) {
      out.prefixes = static_cast<Index>(options_.prefixes.size());
    }
    return out;
  }

  static constexpr bool has_kernels =
      !std::is_same_v<typename Line::template Kernels<double>, registered::KernelList<>>;

  static constexpr nearfar_kernel own_kernel_of() {
    if constexpr (has_kernels) {
      using Kernel = decltype(std::declval<typename Line::template Loss<double>>().kernel());
      return number_of<std::remove_cvref_t<Kernel>>;
    } else {
      return NEARFAR_COSINE;
    }
  }
  static constexpr nearfar_kernel own_kernel = own_kernel_of();

  /// body(loss), of the scalar type and the kernel.
  template <class S, class Body>
  auto with(const Body& body) const {
    if constexpr (has_kernels) {
      return kernel_.with_kernel<S>(
          typename Line::template Kernels<S>(), [&]<class K>(const K& kernel) {
            return body(typename Line::template Loss<S, K>(options_, kernel));
          });
    } else {
      return body(typename Line::template Loss<S>(options_));
    }
  }

  template <class S>
  void check() const {
    kernel_.check();
    with<S>([](const auto&) { return true; });
  }

  Options options_ = {};
  KernelChoice kernel_ = {own_kernel, {}};
};

/// What a loss's `_create` does.
template <class Loss, class C>
nearfar_status create(const C* options, nearfar_loss** loss) {
  return guarded([&] {
    nearfar_loss*& out = required("loss", loss);
    out = new Loss(options != nullptr ? completed("options", options, Loss::defaults())
                                      : Loss::defaults());
  });
}

}  // namespace nearfar::detail::c

/// The two functions of the interface that each loss has; `...` is the loss, which derives from
/// LossOf.
#define NEARFAR_C_FUNCTIONS(name, ...)                                                       \
  extern "C" nearfar_status nearfar_##name##_options_init(nearfar_##name##_options* options, \
                                                          size_t size) {                     \
    return nearfar::detail::c::guarded([&] {                                                 \
      nearfar::detail::c::initialise("options", options, size, __VA_ARGS__::defaults());     \
    });                                                                                      \
  }                                                                                          \
  extern "C" nearfar_status nearfar_##name##_create(const nearfar_##name##_options* options, \
                                                    nearfar_loss** loss) {                   \
    return nearfar::detail::c::create<__VA_ARGS__>(options, loss);                           \
  }
