#include <nearfar/losses/register.hpp>

#include "c/same_bits.hpp"
#include "support/errors.hpp"
#include "support/fields.hpp"
#include "support/settings.hpp"

/// Losses against proxies: each with settings that are not its defaults, with classes by their
/// places and by numbers, and with margins of classes.

namespace {

using namespace support;
using nearfar::Cosine;
using nearfar::Labels;
using nearfar::Proxies;

constexpr Index n = 14;
constexpr Index classes = 4;

std::vector<std::int64_t> labels_of(const std::vector<std::int64_t>& numbers) {
  std::vector<std::int64_t> out;
  for (const int place : random_labels(n, classes, 5)) {
    out.push_back(numbers[static_cast<std::size_t>(place)]);
  }
  return out;
}

template <class S, class Loss>
void expect_same(const CLoss& c, const Loss& loss, Reduction reduction, Index values, Index centers,
                 bool with_numbers, bool with_margins) {
  SCOPED_TRACE(nearfar_loss_name(c.get()));
  const Matrix<S> x = random_rows<S>(n, depth, 1);
  const Matrix<S> w = random_rows<S>(classes * centers, depth, 2);
  const std::vector<std::int64_t> numbers = with_numbers ? std::vector<std::int64_t>{7, -9, 40, 0}
                                                         : std::vector<std::int64_t>{0, 1, 2, 3};
  const std::vector<std::int64_t> labels = labels_of(numbers);
  const std::vector<S> margins = {S(0.1), S(0.2), S(0.3), S(0.4)};
  Proxies<S> proxies = w;
  nearfar_proxies c_proxies = defaults(nearfar_proxies_init);
  c_proxies.rows = c_rows(w);
  if (with_numbers) {
    proxies = proxies.classes(numbers);
    c_proxies.classes = {numbers.data(), classes};
  }
  if (with_margins) {
    proxies = proxies.margins(margins);
    c_proxies.margins = {margins.data(), classes, 1, 0,
                         sizeof(S) == sizeof(float) ? NEARFAR_FLOAT : NEARFAR_DOUBLE};
  }
  const nearfar_rows cx = c_rows(x);
  const nearfar_integers c_labels = {labels.data(), n};
  expect_same_calls<S, Cosine, 2>(
      Cosine(), reduction, values, {&x, &w},
      [&](const nearfar_call* call, nearfar_result* out) {
        return nearfar_proxies_forward(c.get(), &cx, &c_labels, &c_proxies, call, out);
      },
      [&](const auto& g, const nearfar_call* call, nearfar_result* out) {
        return nearfar_proxies_forward_backward(c.get(), &cx, &c_labels, &c_proxies, &g[0], &g[1],
                                                call, out);
      },
      [&](const nearfar::CallOptions<S>& call) { return loss.forward(x, labels, proxies, call); },
      [&](auto& g, const nearfar::CallOptions<S>& call) {
        return loss.forward_backward(x, labels, proxies, g[0], g[1], call);
      });
}

template <class Line, class C>
void expect_same_of(nearfar_status (*init)(C*, size_t),
                    nearfar_status (*create)(const C*, nearfar_loss**)) {
  using Options = typename Line::Options;
  EXPECT_EQ(members_of<C>(), fields_of<Options>() + 1) << "size";
  each_scalar_and_reduction([&]<class S>(S, Reduction reduction) {
    for (std::size_t round = 0; round < rounds_of<Options>(); ++round) {
      SCOPED_TRACE("round " + std::to_string(round));
      C c = defaults(init);
      Options options;
      Options::fields(OtherThanDefaults{round}, options, c);
      constexpr bool reduces = requires { options.reduction; };
      if constexpr (reduces) {
        c.reduction = number_of(reduction);
        options.reduction = reduction;
      } else if (reduction == Reduction::none) {
        return;
      }
      const typename Line::template Loss<S> loss(options);
      const Index values = reduces ? n : 0;
      const Index centers = centers_of(options);
      expect_same<S>(made(create, c), loss, reduction, values, centers, false, false);
      expect_same<S>(made(create, c), loss, reduction, values, centers, true, false);
      if (is_one_of<Options, nearfar::ArcFaceOptions, nearfar::CosFaceOptions,
                    nearfar::SoftTripleOptions, nearfar::SubCenterArcFaceOptions>) {
        expect_same<S>(made(create, c), loss, reduction, values, centers, false, true);
      }
    }
  });
}

TEST(CProxies, GiveTheBitsOfTheClassWithEveryChoice) {
#define NEARFAR_EXPECT_SAME(name, ...)                                      \
  expect_same_of<nearfar::registered::name>(&nearfar_##name##_options_init, \
                                            &nearfar_##name##_create);
  NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_EXPECT_SAME)
#undef NEARFAR_EXPECT_SAME
}

TEST(CProxies, RefuseWhatDoesNotFit) {
  const auto options = defaults(nearfar_arc_face_options_init);
  const CLoss loss = made(nearfar_arc_face_create, options);
  const Matrix<double> x = random_rows<double>(3, depth, 1);
  const Matrix<double> w = random_rows<double>(classes, depth, 2);
  const std::vector<std::int64_t> labels = {0, 1, 4};
  const nearfar_rows cx = c_rows(x);
  const nearfar_integers c_labels = {labels.data(), 3};
  nearfar_proxies proxies = defaults(nearfar_proxies_init);
  proxies.rows = c_rows(w);
  nearfar_result result = defaults(nearfar_result_init);
  const auto refused = [&](const nearfar_integers* its_labels, const nearfar_proxies* its_proxies,
                           const char* words) {
    EXPECT_EQ(nearfar_proxies_forward(loss.get(), &cx, its_labels, its_proxies, nullptr, &result),
              NEARFAR_INVALID_ARGUMENT);
    EXPECT_NE(std::string(nearfar_last_error()).find(words), std::string::npos)
        << nearfar_last_error();
  };
  refused(&c_labels, &proxies, "labels: wanted indices from 0 to 3, got 4 for row 2");
  refused(nullptr, &proxies, "labels: wanted a pointer, got null");
  refused(&c_labels, nullptr, "proxies: wanted a pointer, got null");
  nearfar_proxies another = proxies;
  another.size = 1;
  refused(&c_labels, &another, "proxies.size: wanted");
  const std::vector<float> margins(classes, 0.1F);
  another = proxies;
  another.margins = {margins.data(), classes, 1, 0, NEARFAR_FLOAT};
  refused(&c_labels, &another, "proxies.margins.scalar: wanted NEARFAR_DOUBLE");
  const nearfar_targets targets = nearfar_targets_of_labels(labels.data(), 3);
  EXPECT_EQ(nearfar_labelled_forward(loss.get(), &cx, &targets, nullptr, &result),
            NEARFAR_INVALID_ARGUMENT);
}

}  // namespace
