#include <nearfar/losses/register.hpp>

#include "fuzz/promises.hpp"
#include "support/loss_oracles.hpp"
#include "support/settings.hpp"

/// Any rows, labels and options in calls of the losses of the register. A call is refused as
/// documented, with unchanged outputs, or gives finite numbers. These equal the oracle's if the
/// loss has one; and for all losses the value is the same with gradients and without, and twice the
/// upstream gives twice the gradient.

namespace {

using fuzz::Bytes;
using fuzz::Index;
using fuzz::Matrix;
using fuzz::require;
using fuzz::Strided;
using nearfar::Reduction;
using oracle::Real;

/// The arguments of a call. `x` and `y` have a stride of their own.
template <class S>
struct Case {
  explicit Case(Bytes& bytes)
      : hard(bytes.flag()),
        reduction(static_cast<Reduction>(bytes.below(3))),
        first(bytes.option()),
        second(bytes.option()) {
    const Index n = bytes.below(20);
    const Index m = bytes.below(4) == 3 ? bytes.below(20) : n;
    const Index d = bytes.below(6);
    gap = bytes.below(3);
    x = bytes.rows<S>(n, d, hard);
    y = bytes.rows<S>(m, d, hard);
    labels = bytes.labels(n);
  }

  bool hard;
  Reduction reduction;
  double first;   ///< an option
  double second;  ///< another
  Index gap = 0;  ///< elements between rows
  Matrix<S> x;
  Matrix<S> y;
  std::vector<int> labels;

  /// The factor by which an option may increase the error of a number near 0: a temperature of
  /// 1e-300 turns a weight with two digits into 1e-290.
  double amplification() const {
    return std::max({1.0, std::abs(first), 1 / std::abs(first), std::abs(second)});
  }
};

template <class S>
using Answer = fuzz::Answer<S, 2>;

/// Checks the promises of every loss. `forward()`, `forward_backward(upstream, gx, gy)`.
template <class S, class Forward, class ForwardBackward>
Answer<S> promises(const Case<S>& c, const Forward& forward,
                   const ForwardBackward& forward_backward) {
  const bool scales = !fuzz::shorter_than_normal(c.x) && !fuzz::shorter_than_normal(c.y);
  return fuzz::promises<S, 2>(scales, c.amplification(), forward,
                              [&](const nearfar::Upstream& u, auto& g) -> nearfar::Result {
                                return forward_backward(u, g[0], g[1]);
                              });
}

/// f(x, y).
template <class S, class Make>
Answer<S> of_two(const Case<S>& c, const Make& make) {
  const Strided<S> x(c.x, c.gap);
  const Strided<S> y(c.y, c.gap);
  const Answer<S> out = promises<S>(
      c, [&]() -> nearfar::Result { return make().forward(x.rows(), y.rows()); },
      [&](const nearfar::Upstream& u, Matrix<S>& gx, Matrix<S>& gy) -> nearfar::Result {
        return make().forward_backward(x.rows(), y.rows(), gx, gy, {.upstream = u});
      });
  require(out.refused || (c.x.allFinite() && c.y.allFinite()), "NaN and infinities are refused");
  return out;
}

/// f(x, labels).
template <class S, class Make>
Answer<S> of_labels(const Case<S>& c, const Make& make) {
  const Strided<S> x(c.x, c.gap);
  const Answer<S> out = promises<S>(
      c, [&]() -> nearfar::Result { return make().forward(x.rows(), c.labels); },
      [&](const nearfar::Upstream& u, Matrix<S>& gx, Matrix<S>& gy) -> nearfar::Result {
        auto result = make().forward_backward(x.rows(), c.labels, gx, {.upstream = u});
        gy = gx;
        return result;
      });
  require(out.refused || c.x.allFinite(), "NaN and infinities are refused");
  return out;
}

/// f(x, labels, proxies); if there are classes, labels are theirs.
template <class S, class Make>
Answer<S> of_proxies(const Case<S>& c, Index centers, const Make& make) {
  const Strided<S> x(c.x, c.gap);
  const Strided<S> y(c.y, c.gap);
  std::vector<std::int64_t> labels;
  for (const auto label : c.labels) {
    const std::int64_t classes = std::max<Index>(c.y.rows() / std::max<Index>(centers, 1), 1);
    labels.push_back(((static_cast<std::int64_t>(label) % classes) + classes) % classes);
  }
  const Answer<S> out = promises<S>(
      c, [&]() -> nearfar::Result { return make().forward(x.rows(), labels, y.rows()); },
      [&](const nearfar::Upstream& u, Matrix<S>& gx, Matrix<S>& gy) -> nearfar::Result {
        return make().forward_backward(x.rows(), labels, y.rows(), gx, gy, {.upstream = u});
      });
  require(out.refused || (c.x.allFinite() && c.y.allFinite()), "NaN and infinities are refused");
  return out;
}

/// f(x); both gradients of the answer are that of x.
template <class S, class Call>
Answer<S> of_one(const Case<S>& c, const Call& call) {
  const Strided<S> x(c.x, c.gap);
  const Answer<S> out = promises<S>(
      c, [&]() -> nearfar::Result { return call(x.rows(), nullptr, nearfar::Upstream()); },
      [&](const nearfar::Upstream& u, Matrix<S>& gx, Matrix<S>& gy) -> nearfar::Result {
        const nearfar::Result result = call(x.rows(), &gx, u);
        gy = gx;
        return result;
      });
  require(out.refused || c.x.allFinite(), "NaN and infinities are refused");
  return out;
}

/// f(queries, offsets, documents, offsets), in sets of one and of two tokens.
template <class S, class Make>
Answer<S> of_tokens(const Case<S>& c, const Make& make) {
  const auto offsets = [](nearfar::Index rows) {
    std::vector<nearfar::Index> out = {0};
    while (out.back() < rows) {
      out.push_back(std::min<nearfar::Index>(rows, out.back() + (out.size() % 2 == 0 ? 1 : 2)));
    }
    return out;
  };
  const std::vector<nearfar::Index> of_x = offsets(c.x.rows());
  const std::vector<nearfar::Index> of_y = offsets(c.y.rows());
  const Strided<S> x(c.x, c.gap);
  const Strided<S> y(c.y, c.gap);
  const Answer<S> out = promises<S>(
      c, [&]() -> nearfar::Result { return make().forward(x.rows(), of_x, y.rows(), of_y); },
      [&](const nearfar::Upstream& u, Matrix<S>& gx, Matrix<S>& gy) -> nearfar::Result {
        return make().forward_backward(x.rows(), of_x, y.rows(), of_y, gx, gy, {.upstream = u});
      });
  require(out.refused || (c.x.allFinite() && c.y.allFinite()), "NaN and infinities are refused");
  return out;
}

/// f(prediction1, prediction2, target1, target2); the targets are the predictions of the other
/// view.
template <class S, class Make>
Answer<S> of_predictions(const Case<S>& c, const Make& make) {
  const Strided<S> x(c.x, c.gap);
  const Strided<S> y(c.y, c.gap);
  const Answer<S> out = promises<S>(
      c,
      [&]() -> nearfar::Result { return make().forward(x.rows(), y.rows(), x.rows(), y.rows()); },
      [&](const nearfar::Upstream& u, Matrix<S>& gx, Matrix<S>& gy) -> nearfar::Result {
        return make().forward_backward(x.rows(), y.rows(), x.rows(), y.rows(), gx, gy,
                                       {.upstream = u});
      });
  require(out.refused || (c.x.allFinite() && c.y.allFinite()), "NaN and infinities are refused");
  return out;
}

// ---- against the oracle ------------------------------------------------------------------------

/// `steepness`: the factor of a score's rounding error in the result.
void expect_oracle(const Answer<double>& got, const oracle::Loss& want, Real steepness,
                   const oracle::Gradient& gx, const oracle::Gradient* gy, Real value_scale) {
  constexpr Real rounding = 1e-13L;
  if (!(steepness < 1e8L) || !(value_scale < 1e100L)) return;
  require(std::abs(static_cast<Real>(got.result.value) - want.value) <=
              rounding * steepness * value_scale + 1e-290L,
          "the oracle's value, " + std::to_string(static_cast<double>(want.value)) + ", not " +
              std::to_string(got.result.value));
  require(got.result.diagnostics.terms == want.diagnostics.terms, "the oracle's terms");
  const auto near = [&](const Matrix<double>& g, const oracle::Gradient& wanted) {
    const Real scale = wanted.scale();
    if (!(scale < 1e200L)) return;  // it may saturate
    for (Index k = 0; k < g.size(); ++k) {
      require(std::abs(static_cast<Real>(g.data()[k]) - wanted.values.data()[k]) <=
                  100 * rounding * steepness * scale + 1e-290L,
              "the oracle's gradient");
    }
  };
  near(got.gradients[0], gx);
  if (gy != nullptr) near(got.gradients[1], *gy);
}

/// True if a distance between rows is above 0, but below the rounding errors of the rows: the
/// gradient jumps at a distance of 0.
bool near_a_kink(const oracle::Matrix& scores, const oracle::Matrix& x, const oracle::Matrix& y) {
  const Real rows = std::max(x.cwiseAbs().maxCoeff(), y.cwiseAbs().maxCoeff());
  return (scores.array() != 0 && scores.array().abs() < 1e-12L * rows).any();
}

oracle::Request request_of(Reduction reduction) {
  oracle::Request request;
  request.reduction = reduction;
  return request;
}

template <class K, class O>
void info_nce(Bytes& bytes) {
  const Case<double> c(bytes);
  const Answer<double> got = of_two(c, [&] {
    return nearfar::InfoNce<double, K>({.temperature = c.first, .reduction = c.reduction});
  });
  const bool fits = c.y.rows() >= c.x.rows() && (c.x.cols() > 0 || c.y.rows() == 0);
  if (got.refused || !fits || c.y.rows() != c.x.rows() || c.x.rows() == 0) return;
  if (c.reduction == Reduction::mean_nonzero) return;  // rounding errors may make a value 0
  const oracle::Matrix x = oracle::exact(c.x);
  const oracle::Matrix y = oracle::exact(c.y);
  const oracle::Matrix scores = oracle::pairwise(O(), x, y);
  if (std::is_same_v<K, nearfar::Euclidean> && near_a_kink(scores, x, y)) return;
  const Real size = oracle::score_scale(O(), scores, x, y) / c.first;
  const auto want = oracle::info_nce(O(), c.first, x, y, nullptr, request_of(c.reduction));
  const Real terms = c.reduction == Reduction::sum ? static_cast<Real>(c.x.rows()) : 1;
  expect_oracle(got, want, 1 + size, want.first, &want.second, terms);
}

template <class K, class O>
void hadsell(Bytes& bytes) {
  const Case<double> c(bytes);
  const Answer<double> got = of_labels(c, [&] {
    return nearfar::HadsellContrastive<double, K>({.margin = c.first, .reduction = c.reduction});
  });
  if (got.refused || c.reduction == Reduction::mean_nonzero || c.x.rows() == 0) return;
  const oracle::Matrix x = oracle::exact(c.x);
  const oracle::Matrix scores = oracle::pairwise(O(), x, x);
  if (std::is_same_v<K, nearfar::Euclidean> && near_a_kink(scores, x, x)) return;
  const Real reach = scores.maxCoeff() + c.first;
  const auto want = oracle::hadsell_batch(O(), c.first, x, c.labels, request_of(c.reduction));
  if (!(want.first.scale() < 1e100L)) return;
  expect_oracle(got, want, 1, want.first, nullptr,
                100 * reach * reach * static_cast<Real>(c.x.rows() * c.x.rows()));
}

// ---- all, from the register --------------------------------------------------------------------

/// The options that `fields` visits: the first two numbers come from the case, the others and
/// choices from the next bytes.
template <class Options, class S>
Options options_of(const Case<S>& c, Bytes& bytes) {
  Options options;
  int numbers = 0;
  const auto read = [&](const auto& self, auto& value) {
    using T = std::remove_reference_t<decltype(value)>;
    if constexpr (std::is_same_v<T, Reduction>) {
      value = c.reduction;
    } else if constexpr (std::is_same_v<T, nearfar::UnusableAnchor>) {
      return;
    } else if constexpr (std::is_same_v<T, std::optional<double>>) {
      double number = 0;
      self(self, number);
      value = number;
    } else if constexpr (std::is_class_v<T>) {
      T::fields([&](const char*, auto& member) { self(self, member); }, value);
    } else if constexpr (std::is_floating_point_v<T>) {
      ++numbers;
      value = numbers == 1 ? c.first : numbers == 2 ? c.second : bytes.option();
    } else if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
      constexpr auto choices = static_cast<int>(nearfar::registered::choices_of<T>.size());
      value = static_cast<T>(bytes.below(choices));
    } else {
      value = static_cast<T>(bytes.next());
    }
  };
  Options::fields([&](const char*, auto& value) { read(read, value); }, options);
  return options;
}

/// A loss of pairs with a number or a flag each, in the form of a loss of pairs alone.
template <class Loss, class Column>
struct WithColumn {
  Loss loss;
  Column column;

  auto forward(const auto& x, const auto& y) const { return loss.forward(x, y, column); }
  auto forward_backward(const auto& x, const auto& y, Matrix<float>& gx, Matrix<float>& gy,
                        const nearfar::CallOptions<float>& call) const {
    return loss.forward_backward(x, y, column, gx, gy, call);
  }
};

template <class Loss, class Column>
WithColumn(Loss, Column) -> WithColumn<Loss, Column>;  // clang 14 does not deduce aggregates

/// A loss of the register with its own kernel whose calls take one or two sets of rows, optionally
/// with a number or a flag a pair, or rows and labels, slices, predictions or tokens.
template <class Line>
void registered_loss(Bytes& bytes) {
  const Case<float> c(bytes);
  const auto options = options_of<typename Line::Options>(c, bytes);
  const auto make = [&] { return typename Line::template Loss<float>(options); };
  using nearfar::registered::Takes;
  const auto one = [&](const auto&... constants) {
    return [&make, constants...](nearfar::Rows<float> x, Matrix<float>* g,
                                 const nearfar::Upstream& u) -> nearfar::Result {
      if (g == nullptr) return make().forward(x, constants...);
      return make().forward_backward(x, constants..., *g, {.upstream = u});
    };
  };
  if constexpr (support::is_over_labels<Line> || Line::takes == Takes::classes) {
    of_labels(c, make);
  } else if constexpr (Line::takes == Takes::scored_pairs) {
    const std::vector<float> numbers(c.labels.begin(), c.labels.end());
    of_two(c, [&] { return WithColumn{make(), nearfar::Numbers<float>(numbers)}; });
  } else if constexpr (Line::takes == Takes::matched_pairs) {
    std::vector<int> flags;
    for (const auto label : c.labels) flags.push_back(static_cast<int>(label & 1));
    of_two(c, [&] { return WithColumn{make(), nearfar::Labels(flags)}; });
  } else if constexpr (Line::takes == Takes::proxies) {
    of_proxies(c, support::centers_of(options), make);
  } else if constexpr (Line::takes == Takes::one_set) {
    of_one(c, one());
  } else if constexpr (Line::takes == Takes::slices) {
    of_one(c, one(nearfar::Rows<float>(c.y)));
  } else if constexpr (Line::takes == Takes::predictions) {
    of_predictions(c, make);
  } else if constexpr (Line::takes == Takes::tokens) {
    of_tokens(c, make);
  } else {
    of_two(c, make);
  }
}

using Target = void (*)(Bytes&);

/// The losses with an oracle, then those of the register.
const std::vector<Target>& targets() {
  static const std::vector<Target> all = [] {
    using nearfar::registered::Takes;
    std::vector<Target> out = {info_nce<nearfar::Cosine, oracle::Cosine>,
                               info_nce<nearfar::Euclidean, oracle::Euclidean>,
                               hadsell<nearfar::Euclidean, oracle::Euclidean>};
    nearfar::registered::for_each([&]<class Line>(Line) {
      constexpr Takes takes = Line::takes;
      if constexpr (support::is_over_labels<Line> || takes == Takes::classes ||
                    takes == Takes::pairs || takes == Takes::views || takes == Takes::queries ||
                    takes == Takes::proxies || takes == Takes::scored_pairs ||
                    takes == Takes::matched_pairs || takes == Takes::one_set ||
                    takes == Takes::slices || takes == Takes::predictions ||
                    takes == Takes::tokens) {
        out.push_back(registered_loss<Line>);
      }
    });
    return out;
  }();
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  targets()[static_cast<std::size_t>(bytes.below(static_cast<int>(targets().size())))](bytes);
  return 0;
}
