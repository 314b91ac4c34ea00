// A program compiled with flags that let compilers change arithmetic: values are right, and NaN and
// infinity are refused.
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nearfar/losses/clip.hpp>
#include <nearfar/losses/hard_negative.hpp>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/losses/linear_contrastive.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/losses/triplet.hpp>
#include <nearfar/losses/uniformity.hpp>
#include <nearfar/memory/cross_batch_memory.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/memory_bank.hpp>
#include <nearfar/memory/momentum.hpp>
#include <vector>

using namespace nearfar;

namespace {

int failures = 0;

void expect(bool holds, const char* text) {
  if (holds) return;
  ++failures;
  std::printf("%s\n", text);
}

void expect_near(double got, double want, double relative, const char* text) {
  const bool near = std::abs(got - want) <= relative * std::abs(want);
  if (!detail::is_finite(got) || !near) std::printf("got %.9g for %.9g: ", got, want);
  expect(detail::is_finite(got) && near, text);
}

/// NaN or infinity from its bits, so that no compiler assumes a finite number.
template <class S>
S from_bits(typename detail::MagnitudeBits<S>::Bits bits) {
  volatile auto hidden = bits;
  const auto read = static_cast<typename detail::MagnitudeBits<S>::Bits>(hidden);
  S out;
  std::memcpy(&out, &read, sizeof out);
  return out;
}

template <class Body>
bool refused(const Body& body) {
  try {
    body();
  } catch (const std::exception&) {
    return true;
  }
  return false;
}

template <class S>
void check_values() {
  Matrix<S> query(1, 2), key(1, 2), negative(1, 2), d_query;
  query << 1, 0;
  key << 2, 0;
  negative << S(0.8), S(0.6);
  const double exact = sizeof(S) == sizeof(float) ? 1e-5 : 1e-12;
  const InfoNce<S> loss({.temperature = 0.07});
  const double value =
      loss.forward_backward(query, key, negative, d_query, no_gradient, no_gradient).value;
  const double cosine = static_cast<double>(negative(0, 0));
  const double share = 1 / (1 + std::exp((1 - cosine) / 0.07));
  expect_near(value, std::log1p(std::exp((cosine - 1) / 0.07)), exact, "InfoNCE's value");
  expect_near(value, 0.0558439, 1e-5, "InfoNCE's value as published");
  expect_near(static_cast<double>(d_query(0, 1)), share * 0.6 / 0.07, exact, "its gradient");

  // exp and log1p, for the soft margin: its two distances are x and 0.
  const Triplet<S> soft({.margin = 0, .form = TripletForm::soft});
  Matrix<S> anchor(1, 1), other(1, 1);
  anchor << 0;
  for (int k = -40; k <= 80; ++k) {
    const S distance = static_cast<S>(std::abs(k)) / 8;
    other << distance;
    const double got =
        (k < 0 ? soft.forward(anchor, anchor, other) : soft.forward(anchor, other, anchor)).value;
    const double gap = (k < 0 ? -1.0 : 1.0) * static_cast<double>(distance);
    expect_near(got, std::log1p(std::exp(gap)), exact, "the soft margin");
  }
  for (int k = 1; k < 200; ++k) {
    const S score = -static_cast<S>(k) / 16;
    key << 0, 0;
    negative << score, 0;
    const double got =
        InfoNce<S, InnerProduct>({.temperature = 0.9}).forward(query, key, negative).value;
    expect_near(got, std::log1p(std::exp(static_cast<double>(score) / 0.9)), exact,
                "InfoNCE of inner products");
  }
  // A function in vector loops: every number of a row, including the remainder.
  const Index n = 21;
  Matrix<S> x(n, 1), y(n, 1);
  double want = 0;
  for (Index i = 0; i < n; ++i) x(i, 0) = y(i, 0) = static_cast<S>(i) / 4;
  for (Index i = 0; i < n; ++i) {
    double sum = 0;
    for (Index j = 0; j < n; ++j) {
      sum += std::exp(static_cast<double>(x(i, 0)) * static_cast<double>(y(j, 0) - y(i, 0)));
    }
    want += std::log(sum) / static_cast<double>(n);
  }
  expect_near(InfoNce<S, InnerProduct>({.temperature = 1}).forward(x, y).value, want, exact,
              "InfoNCE of a batch");

  // Weights of equal negatives cancel at any concentration; the first ones come after -infinity.
  Matrix<S> view(2, 2), d_view1, d_view2;
  view << 1, 0, S(0.6), S(0.8);
  const auto slope = [&](double concentration) {
    const HardNegative<S> hard(
        {.temperature = 0.2, .positive_prior = 0, .concentration = concentration});
    return hard.forward_backward(view, view, d_view1, d_view2).d_temperature;
  };
  const double plain = slope(1);
  expect_near(slope(0), plain, exact, "hard negatives without hardness");
  expect_near(slope(1e8), plain, exact, "equal negatives, very hard");
}

/// The remainder of sums that nearly cancel.
template <class S>
void check_differences() {
  const double exact = sizeof(S) == sizeof(float) ? 1e-5 : 1e-12;
  const Index n = 21;
  Matrix<S> x(n, 1);
  std::vector<int> labels;
  for (Index i = 0; i < n; ++i) {
    x(i, 0) = static_cast<S>(100 * (i % 3) + i * i) / 8;
    labels.push_back(static_cast<int>(i % 2));
  }
  const auto distance = [&](Index i, Index j) {
    return std::abs(static_cast<double>(x(i, 0)) - static_cast<double>(x(j, 0)));
  };
  const double margin = 0.75;
  double hinges = 0;
  double count = 0;
  for (Index a = 0; a < n; ++a) {
    for (Index p = 0; p < n; ++p) {
      for (Index k = 0; k < n; ++k) {
        if (p == a || p % 2 != a % 2 || k % 2 == a % 2) continue;
        const double farther = distance(a, k) - distance(a, p);
        if (!(farther > 0) || farther > margin) continue;
        hinges += margin - farther;
        ++count;
      }
    }
  }
  const MinedTriplet<S> semi_hard({.margin = margin, .mining = Mining::semihard});
  expect_near(semi_hard.forward(x, labels).value, hinges / count, exact, "semi-hard triplets");

  Matrix<S> circle(n, 2);
  for (Index i = 0; i < n; ++i) {
    circle(i, 0) = static_cast<S>(std::cos(0.01 * static_cast<double>(i)));
    circle(i, 1) = static_cast<S>(std::sin(0.01 * static_cast<double>(i)));
  }
  const auto angle = [&](Index i) {
    return std::atan2(static_cast<double>(circle(i, 1)), static_cast<double>(circle(i, 0)));
  };
  double less_one = 0;
  for (Index i = 0; i < n; ++i) {
    for (Index j = i + 1; j < n; ++j) {
      const double chord = 2 * std::sin((angle(j) - angle(i)) / 2);
      less_one += std::expm1(-2 * chord * chord) / static_cast<double>(n * (n - 1) / 2);
    }
  }
  expect_near(Uniformity<S>().forward(circle).value, std::log1p(less_one), exact,
              "the uniformity of rows near each other");
}

template <class S>
void check_refusals() {
  using Bits = detail::MagnitudeBits<S>;
  const S nan = from_bits<S>(Bits::infinity + 1);
  const S infinity = from_bits<S>(Bits::infinity);
  for (const S bad : {nan, infinity}) {
    for (const Index at : {Index(0), Index(7), Index(36)}) {
      Matrix<S> x = Matrix<S>::Ones(3, 37);
      const Matrix<S> good = x;
      x(1, at) = bad;
      expect(refused([&] { InfoNce<S>().forward(x, good); }), "an element that is not finite");
      expect(refused([&] { KeyQueue<S>(4, 37).push(x); }), "one in a queue");
      expect(refused([&] {
               CrossBatchMemory<S>(4, 37).push(x, std::vector<int>{1, 2, 3});
             }),
             "one in a memory");
      expect(refused([&] {
               MemoryBank<S>(3, 37).update(std::vector<int>{0, 1, 2}, x);
             }),
             "one in a bank");
      Matrix<S> target = good;
      expect(refused([&] { momentum_update(target, x, 0.5); }), "one in a momentum update");
    }
  }
  using Wide = detail::MagnitudeBits<double>;
  const double wide_nan = from_bits<double>(Wide::infinity + 1);
  for (const double bad : {wide_nan, from_bits<double>(Wide::infinity)}) {
    expect(refused([&] { InfoNce<S>({.temperature = bad}); }), "a temperature");
    expect(refused([&] { Triplet<S>({.margin = bad}); }), "a margin");
    expect(refused([&] { LinearContrastive<S>({.positive_margin = bad}); }), "an own margin");
    expect(refused([&] { HardNegative<S>({.positive_prior = bad}); }), "a prior");
    expect(refused([&] { MinedTriplet<S>({.weighting = {.nearest = bad}}); }), "a bound");
    expect(refused([&] { MemoryBank<S>(2, 2, {.momentum = bad}); }), "a momentum");
    expect(refused([&] { cosine_momentum(bad, 1, 2); }), "a base");
    const Matrix<S> x = Matrix<S>::Ones(2, 2);
    Matrix<S> dx;
    expect(
        refused([&] { InfoNce<S>().forward_backward(x, x, dx, no_gradient, {.upstream = bad}); }),
        "an upstream");
  }
  expect(refused([&] { Clip<S>({.largest_logit_scale = wide_nan}); }), "a cap");
  expect(!refused([&] { Clip<S>(); }), "no cap");
  expect(!refused([&] { LinearContrastive<S>(); }), "the default margins of distances");
  expect(!refused([&] { LinearContrastive<S, Cosine>(); }), "the default margins of cosines");
}

}  // namespace

int main() {
  check_values<float>();
  check_values<double>();
  check_differences<float>();
  check_differences<double>();
  check_refusals<float>();
  check_refusals<double>();
  return failures == 0 ? 0 : 1;
}
