#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "support/errors.hpp"
#include "support/kernel_cases.hpp"
#include "support/public_calls.hpp"

/// All common mistakes in every public call of every loss, and the mistakes of single calls. The
/// exception contains the argument, the wanted value and the value it got, and no byte of an output
/// has changed.

namespace {

using namespace support;
using nearfar::GradientRows;
using nearfar::Reduction;
using nearfar::UnusableAnchor;
using nearfar::Upstream;
using nearfar::Workspace;

constexpr double infinite = std::numeric_limits<double>::infinity();
constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();
const std::vector<Way> all_ways = {Way::forward, Way::forward_backward};
const std::vector<Way> with_gradients = {Way::forward_backward};

std::string shape(Index rows, Index cols) {
  return std::to_string(rows) + " x " + std::to_string(cols);
}

/// Rows with `more` of them added (or removed), each with `wider` more elements.
template <class S>
Matrix<S> resized(const Matrix<S>& m, Index more, Index wider) {
  Matrix<S> out = Matrix<S>::Constant(m.rows() + more, m.cols() + wider, S(0.25));
  const Index rows = std::min(m.rows(), out.rows());
  const Index cols = std::min(m.cols(), out.cols());
  out.topLeftCorner(rows, cols) = m.topLeftCorner(rows, cols);
  return out;
}

/// Outputs of a call: matrices that a valid call would resize, and memory of fixed shape. A refused
/// call may change neither.
template <class S>
class Outputs {
 public:
  explicit Outputs(std::size_t sets)
      : memory_(12, S(6)), matrices_(sets, Matrix<S>::Constant(3, 7, S(7))) {}

  std::vector<GradientRows<S>> gradients() { return {matrices_.begin(), matrices_.end()}; }
  Matrix<S>& matrix(std::size_t k) { return matrices_[k]; }
  GradientRows<S> parameter() { return parameter_; }
  Matrix<S>& parameter_matrix() { return parameter_; }
  /// 4 x 3, which fits no set here.
  GradientRows<S> small() { return {memory_.data(), 4, 3}; }

  void expect_untouched(const std::string& name) const {
    EXPECT_EQ(memory_, std::vector<S>(12, S(6))) << name;
    EXPECT_TRUE(untouched(parameter_, S(5))) << name;
    for (const Matrix<S>& m : matrices_) EXPECT_TRUE(untouched(m, S(7))) << name;
  }

 private:
  static bool untouched(const Matrix<S>& m, S was) {
    return m.rows() == 3 && m.cols() == 7 && (m.array() == was).all();
  }

  std::vector<S> memory_;
  std::vector<Matrix<S>> matrices_;
  Matrix<S> parameter_ = Matrix<S>::Constant(3, 7, S(5));
};

template <class S>
class Refusals : public testing::Test {
 protected:
  /// Makes the call with valid arguments changed by `spoil(arguments, outputs)`; for gradients also
  /// with an upstream.
  template <class Spoil>
  static void expect(const PublicCall<S>& call, const std::vector<Way>& ways, Thrown type,
                     const std::vector<std::string>& words, const Spoil& spoil) {
    for (const Way way : ways) {
      for (const double upstream : {1.0, 2.0}) {
        if (way == Way::forward && upstream != 1.0) continue;
        Outputs<S> out(call.sets.size());
        Arguments<S> a = call.good;
        a.gradients = out.gradients();
        if (call.parametric) a.options.d_parameter = out.parameter();
        if (upstream != 1.0) a.options.upstream = Upstream(upstream);
        spoil(a, out);
        const std::string name = call.name + ", way " + std::to_string(static_cast<int>(way)) +
                                 ", upstream " + std::to_string(upstream);
        expect_refused({name.c_str(), type, words, [&] { call.call(way, a); }});
        out.expect_untouched(name + ": " + words[0]);
      }
    }
  }
  template <class Spoil>
  static void expect_invalid(const PublicCall<S>& call, const std::vector<Way>& ways,
                             const std::vector<std::string>& words, const Spoil& spoil) {
    expect(call, ways, Thrown::invalid_argument, words, spoil);
  }
};
TYPED_TEST_SUITE(Refusals, Scalars, CaseNames);

/// All other tests depend on this: without a mistake, nothing is refused and outputs are written.
TYPED_TEST(Refusals, ValidCallsAreAccepted) {
  using S = TypeParam;
  const auto calls = all_public_calls<S>();
  EXPECT_GT(calls.size(), 40u);
  for (const PublicCall<S>& call : calls) {
    EXPECT_NO_THROW(call.call(Way::forward, call.good)) << call.name;
    for (const bool with_upstream : {false, true}) {
      Outputs<S> out(call.sets.size());
      Arguments<S> a = call.good;
      a.gradients = out.gradients();
      if (call.parametric) a.options.d_parameter = out.parameter();
      if (with_upstream) a.options.upstream = Upstream(2.0);
      EXPECT_NO_THROW(call.call(Way::forward_backward, a)) << call.name;
      for (std::size_t k = 0; k < call.sets.size(); ++k) {
        if (call.sets[k].constant) continue;
        EXPECT_EQ(out.matrix(k).rows(), call.sets[k].rows) << call.name;
      }
    }
  }
}

TYPED_TEST(Refusals, OfShapes) {
  using S = TypeParam;
  for (const PublicCall<S>& call : all_public_calls<S>()) {
    constexpr Index cols = PublicCalls<S>::cols;
    for (std::size_t k = 0; k < call.sets.size(); ++k) {
      const NamedSet& set = call.sets[k];
      const std::string wanted = std::string("nearfar: ") + set.name + ": wanted ";
      for (const Index more : {-1, 1}) {
        // If there may be more keys than queries, one more is valid, but two fewer are not.
        const Index by = set.fit == Fit::at_least ? -2 : more;
        if (set.fit == Fit::free || k == 0) continue;
        this->expect_invalid(call, all_ways, {wanted, "got " + std::to_string(set.rows + by)},
                             [&](auto& a, auto&) { a.rows[k] = resized(a.rows[k], by, 0); });
      }
      // The first set determines the others, unless the kernel's matrix does.
      const bool others = k == 0 && call.sets.size() > 1 && !call.parametric;
      if (call.sets.size() == 1 && !call.parametric) continue;
      const NamedSet& blamed = others ? call.sets[1] : set;
      this->expect_invalid(call, all_ways,
                           {std::string("nearfar: ") + blamed.name + ": wanted " +
                                shape(blamed.rows, others ? cols + 2 : cols),
                            "got " + shape(blamed.rows, others ? cols : cols + 2)},
                           [&](auto& a, auto&) { a.rows[k] = resized(a.rows[k], 0, 2); });
    }
    if (!call.parametric) {
      this->expect_invalid(
          call, all_ways,
          {std::string(call.sets[0].name) + ": wanted rows of at least one element", "0 columns"},
          [&](auto& a, auto&) {
            for (Matrix<S>& m : a.rows) m = resized(m, 0, -cols);
          });
    } else {
      this->expect_invalid(call, all_ways,
                           {std::string("nearfar: ") + call.sets[0].name + ": wanted " +
                            shape(call.sets[0].rows, cols + 1)},
                           [&](auto& a, auto&) { a.parameter = resized(a.parameter, 0, 1); });
    }
  }
}

TYPED_TEST(Refusals, OfElementsThatAreNotFinite) {
  using S = TypeParam;
  const std::pair<double, const char*> elements[] = {
      {not_a_number, "got NaN"}, {infinite, "got infinity"}, {-infinite, "got -infinity"}};
  for (const PublicCall<S>& call : all_public_calls<S>()) {
    for (const auto& [element, got] : elements) {
      const S bad = static_cast<S>(element);
      for (std::size_t k = 0; k < call.sets.size(); ++k) {
        const Index row = call.sets[k].rows - 1;
        const std::string set = std::string("nearfar: ") + call.sets[k].name;
        this->expect(call, all_ways, Thrown::domain_error,
                     {set + ": wanted finite elements, " + got + " at row " + std::to_string(row) +
                      ", column 2"},
                     [&](auto& a, auto&) { a.rows[k](row, 2) = bad; });
        // The message names the first in row order.
        this->expect(call, all_ways, Thrown::domain_error,
                     {set + ": wanted finite elements, " + got + " at row 1, column 3"},
                     [&](auto& a, auto&) { a.rows[k](1, 3) = a.rows[k](row, 0) = bad; });
      }
      for (std::size_t k = 0; k < call.numbers.size(); ++k) {
        this->expect(call, all_ways, Thrown::domain_error,
                     {std::string("nearfar: ") + call.numbers[k].name, got, "at row 3"},
                     [&](auto& a, auto&) { a.numbers[k][3] = bad; });
      }
      if (!call.parametric) continue;
      this->expect(call, all_ways, Thrown::domain_error,
                   {std::string("nearfar: kernel parameter: wanted finite elements, ") + got +
                    " at row 2, column 1"},
                   [&](auto& a, auto&) { a.parameter(2, 1) = bad; });
    }
  }
}

TYPED_TEST(Refusals, OfLabelsAndNumbersOfAnotherCount) {
  using S = TypeParam;
  for (const PublicCall<S>& call : all_public_calls<S>()) {
    const auto each = [&](const auto& columns, const char* what, const auto& member) {
      for (std::size_t k = 0; k < columns.size(); ++k) {
        for (const Index more : {-1, 1}) {
          const Index size = columns[k].size;
          this->expect_invalid(
              call, all_ways,
              {std::string("nearfar: ") + columns[k].name + ": wanted " + std::to_string(size) +
                   " " + what + ", one a row",
               "got " + std::to_string(size + more)},
              [&](auto& a, auto&) { member(a)[k].resize(static_cast<std::size_t>(size + more)); });
        }
      }
    };
    each(
        call.labels, "labels", [](auto& a) -> auto& { return a.labels; });
    each(
        call.numbers, "numbers", [](auto& a) -> auto& { return a.numbers; });
  }
}

TYPED_TEST(Refusals, OfGradientsThatDoNotFit) {
  using S = TypeParam;
  for (const PublicCall<S>& call : all_public_calls<S>()) {
    constexpr Index cols = PublicCalls<S>::cols;
    for (std::size_t k = 0; k < call.sets.size(); ++k) {
      if (call.sets[k].constant) continue;
      const std::string wanted = "nearfar: " + call.gradient_name(k) + ": wanted " +
                                 shape(call.sets[k].rows, cols) + ", got ";
      this->expect_invalid(call, with_gradients, {wanted + "4 x 3"},
                           [&](auto& a, auto& out) { a.gradients[k] = out.small(); });
      this->expect_invalid(call, with_gradients, {wanted + "3 x 7"}, [&](auto& a, auto& out) {
        a.gradients[k] = nearfar::accumulate(out.matrix(k));
      });
    }
    if (call.parametric) {
      this->expect_invalid(call, with_gradients,
                           {"nearfar: d_parameter: wanted " + shape(cols, cols) + ", got 3 x 7"},
                           [&](auto& a, auto& out) {
                             a.options.d_parameter = nearfar::accumulate(out.parameter_matrix());
                           });
    } else {
      this->expect_invalid(
          call, with_gradients,
          {"nearfar: d_parameter: wanted a kernel with a matrix", "got a kernel without one"},
          [&](auto& a, auto& out) { a.options.d_parameter = out.parameter(); });
    }
  }
}

TYPED_TEST(Refusals, OfUpstreamThatDoesNotFit) {
  using S = TypeParam;
  for (const PublicCall<S>& call : all_public_calls<S>()) {
    const Index n = call.upstream_rows;
    const std::string each = std::to_string(n) + " numbers";
    std::vector<double> numbers(static_cast<std::size_t>(n), 1.0);
    this->expect_invalid(call, with_gradients,
                         {"nearfar: upstream: wanted one number, got " + each},
                         [&](auto& a, auto&) { a.options.upstream = Upstream(numbers); });
    for (const auto& [element, got] :
         {std::pair(not_a_number, "NaN"), std::pair(infinite, "inf")}) {
      this->expect(call, with_gradients, Thrown::domain_error,
                   {std::string("nearfar: upstream: wanted finite elements, got ") + got},
                   [&, bad = element](auto& a, auto&) { a.options.upstream = Upstream(bad); });
    }
    if (!call.reduces) continue;
    this->expect_invalid(call, with_gradients,
                         {"nearfar: upstream: wanted " + each, "got one number"},
                         [&](auto& a, auto&) {
                           a.reduction = Reduction::none;
                           a.options.upstream = Upstream(1.0);
                         });
    for (const Index more : {-1, 1}) {
      const std::vector<double> other(static_cast<std::size_t>(n + more), 1.0);
      this->expect_invalid(
          call, with_gradients,
          {"nearfar: upstream: wanted " + each, "got " + std::to_string(n + more) + " numbers"},
          [&](auto& a, auto&) {
            a.reduction = Reduction::none;
            a.options.upstream = Upstream(other);
          });
    }
    numbers[2] = -infinite;
    this->expect(call, with_gradients, Thrown::domain_error,
                 {"nearfar: upstream: wanted finite elements, got -infinity at row 2"},
                 [&](auto& a, auto&) {
                   a.reduction = Reduction::none;
                   a.options.upstream = Upstream(numbers);
                 });
  }
}

TYPED_TEST(Refusals, OfUnusableAnchorsIfTheOptionSaysSo) {
  using S = TypeParam;
  int found = 0;
  for (const PublicCall<S>& call : all_public_calls<S>()) {
    if (call.unusable.empty()) continue;
    ++found;
    const auto alone = [](auto& a) {
      for (Matrix<S>& m : a.rows) m = Matrix<S>(m.topRows(1));
      for (auto& labels : a.labels) labels.resize(1);
      a.unusable = UnusableAnchor::error;
    };
    this->expect_invalid(
        call, all_ways,
        {"nearfar: batch: wanted every anchor to have something to learn from", call.unusable},
        [&](auto& a, auto&) { alone(a); });
  }
  EXPECT_GE(found, 20);
}

/// A workspace in use by another call; after a refused call it is free again.
TYPED_TEST(Refusals, OfAWorkspaceInUse) {
  using S = TypeParam;
  for (const PublicCall<S>& call : all_public_calls<S>()) {
    Workspace workspace;
    {
      const nearfar::detail::Scratch other_call(&workspace);
      this->expect_invalid(call, all_ways,
                           {"nearfar: workspace: wanted one that no other call is using"},
                           [&](auto& a, auto&) { a.options.workspace = &workspace; });
    }
    this->expect(call, all_ways, Thrown::domain_error, {call.sets[0].name}, [&](auto& a, auto&) {
      a.options.workspace = &workspace;
      a.rows[0](0, 0) = static_cast<S>(not_a_number);
    });
    this->expect_invalid(call, all_ways, {"nearfar: "}, [&](auto& a, auto&) {
      a.options.workspace = &workspace;
      for (Matrix<S>& m : a.rows) m = Matrix<S>(m.rows(), 0);
    });
    Arguments<S> good = call.good;
    good.options.workspace = &workspace;
    EXPECT_NO_THROW(call.call(Way::forward, good)) << call.name;
  }
}

// ---- of single calls ----------------------------------------------------------------------------

/// Calls whose matrix is not square, and one whose scores overflow.
template <class S>
std::vector<PublicCall<S>> further_calls() {
  using namespace nearfar;
  using A = Arguments<S>;
  constexpr Index n = PublicCalls<S>::rows;
  constexpr Index cols = PublicCalls<S>::cols;
  PublicCalls<S> all;
  const auto info_nce = [&]<class K>(const std::string& name) {
    const auto make = [](const A& a) { return InfoNce<S, K>({}, kernel_of<K>(a.parameter)); };
    all.template two<K>(name, {"queries", n}, {"keys", n + 1, Fit::at_least}, make);
    all.template three<K>(name + ", negatives", {"queries", n}, {"keys", n},
                          {"negatives", n + 1, Fit::free}, make);
  };
  info_nce.template operator()<InnerProduct>("InnerProduct");
  info_nce.template operator()<Mahalanobis<S>>("Mahalanobis 2 x 4");
  info_nce.template operator()<Bilinear<S>>("Bilinear 6 x 4");
  all.template labelled<Mahalanobis<S>>("Hadsell of Mahalanobis 2 x 4", [](const A& a) {
    return HadsellContrastive<S, Mahalanobis<S>>({}, Mahalanobis<S>(a.parameter));
  });
  all.template add<Mahalanobis<S>>(
      "Hadsell of Mahalanobis 2 x 4, pairs", {{"a", n}, {"b", n}}, {{"same", n}},
      [](Way way, const A& x) {
        const HadsellContrastive<S, Mahalanobis<S>> loss({}, Mahalanobis<S>(x.parameter));
        return call_one_way<2>(loss, way, x, x.rows[0], x.rows[1], Labels(x.labels[0]));
      });
  for (PublicCall<S>& call : all.list) {
    if (!call.parametric) continue;
    const bool bilinear = call.name.starts_with("Bilinear");
    call.good.parameter = random_rows<S>(bilinear ? 6 : 2, cols, 41);
    for (std::size_t k = 1; bilinear && k < call.sets.size(); ++k) {
      call.good.rows[k] = random_rows<S>(call.sets[k].rows, 6, 31 + k);
    }
  }
  return all.list;
}

TYPED_TEST(Refusals, OfMistakesSpecificToOneCall) {
  using S = TypeParam;
  using A = Arguments<S>;
  using Out = Outputs<S>;
  std::vector<PublicCall<S>> calls = all_public_calls<S>();
  for (const PublicCall<S>& call : further_calls<S>()) {
    EXPECT_NO_THROW(call.call(Way::forward, call.good)) << call.name;
    calls.push_back(call);
  }
  const auto invalid = Thrown::invalid_argument;
  const S huge = std::numeric_limits<S>::max() / 2;
  const auto rows = [](std::size_t set, Index more, Index wider) {
    return [=](A& a, Out&) { a.rows[set] = resized(a.rows[set], more, wider); };
  };
  const auto all_wider = [](A& a, Out&) {
    for (Matrix<S>& m : a.rows) m = resized(m, 0, 2);
  };
  const auto labels = [](std::vector<int> flags) {
    return [flags](A& a, Out&) { a.labels[0] = flags; };
  };
  const auto parameter_of_another_shape = [](A& a, Out& out) {
    a.options.d_parameter = nearfar::accumulate(out.parameter_matrix());
  };
  struct Mistake {
    const char* call;
    std::vector<Way> ways;
    Thrown type;
    std::vector<std::string> words;
    std::function<void(A&, Out&)> spoil;
  };
  const Mistake table[] = {
      {"InfoNce of Cosine, denominator with_positive",
       all_ways,
       invalid,
       {"keys: wanted a key for each of 5 queries, got 4 keys"},
       rows(1, -2, 0)},
      {"InfoNce of Cosine, denominator with_positive, negatives",
       all_ways,
       invalid,
       {"keys: wanted one key for each of 5 queries, got 4 keys"},
       rows(1, -1, 0)},
      {"InfoNce of Cosine, denominator with_positive, negatives",
       all_ways,
       invalid,
       {"keys: wanted one key for each of 5 queries, got 6 keys"},
       rows(1, 1, 0)},
      {"InfoNce of Cosine, denominator with_positive, negatives",
       all_ways,
       invalid,
       {"batch: ", "5 anchors without a negative"},
       [](A& a, Out&) {
         a.rows[2] = Matrix<S>(0, PublicCalls<S>::cols);
         a.unusable = UnusableAnchor::error;
       }},
      {"InnerProduct",
       all_ways,
       Thrown::domain_error,
       {"queries and keys", "overflow"},
       [=](A& a, Out&) {
         for (Matrix<S>& m : a.rows) m.setConstant(huge);
       }},
      {"InnerProduct, negatives",
       all_ways,
       Thrown::domain_error,
       {"queries and negatives", "overflow"},
       [=](A& a, Out&) {
         a.rows[0].setConstant(huge), a.rows[1].setZero(), a.rows[2].setConstant(huge);
       }},
      {"Mahalanobis 2 x 4", all_ways, invalid, {"queries: wanted 5 x 4, got 5 x 6"}, all_wider},
      {"Mahalanobis 2 x 4",
       with_gradients,
       invalid,
       {"d_parameter: wanted 2 x 4, got 3 x 7"},
       parameter_of_another_shape},
      {"Mahalanobis 2 x 4, negatives",
       with_gradients,
       invalid,
       {"d_parameter: wanted 2 x 4, got 3 x 7"},
       parameter_of_another_shape},
      {"Mahalanobis 2 x 4",
       with_gradients,
       invalid,
       {"gradients: wanted memory of its own for each"},
       [](A& a, Out& out) { a.options.d_parameter = out.matrix(0); }},
      {"Bilinear 6 x 4", all_ways, invalid, {"keys: wanted 6 x 6, got 6 x 4"}, rows(1, 0, -2)},
      {"InfoNce of Cosine, denominator with_positive",
       with_gradients,
       invalid,
       {"gradients: wanted memory of its own for each"},
       [](A& a, Out& out) { a.gradients[1] = out.matrix(0); }},
      {"HadsellContrastive of Euclidean, factor half, pairs",
       all_ways,
       invalid,
       {"same: wanted 5 labels", "got 0"},
       labels({})},
      {"HadsellContrastive of Euclidean, factor half, pairs",
       all_ways,
       invalid,
       {"same: wanted 0 or 1 for each pair, got 2 for pair 3"},
       labels({0, 1, 1, 2, 0})},
      {"HadsellContrastive of Euclidean, factor half, pairs",
       all_ways,
       invalid,
       {"same: ", "got -1 for pair 0"},
       labels({-1, 1, 1, 1, 0})},
      {"Hadsell of Mahalanobis 2 x 4, pairs",
       all_ways,
       invalid,
       {"a: wanted 5 x 4, got 5 x 6"},
       all_wider},
      {"Hadsell of Mahalanobis 2 x 4, pairs",
       with_gradients,
       invalid,
       {"d_parameter: wanted 2 x 4, got 3 x 7"},
       parameter_of_another_shape},
      {"Hadsell of Mahalanobis 2 x 4, batch",
       all_ways,
       invalid,
       {"x: wanted 5 x 4, got 5 x 6"},
       all_wider},
      {"Hadsell of Mahalanobis 2 x 4, batch",
       with_gradients,
       invalid,
       {"d_parameter: wanted 2 x 4, got 3 x 7"},
       parameter_of_another_shape},
  };
  for (const Mistake& mistake : table) {
    const auto call = std::find_if(calls.begin(), calls.end(), [&](const PublicCall<S>& one) {
      return one.name == mistake.call;
    });
    ASSERT_NE(call, calls.end()) << mistake.call;
    this->expect(*call, mistake.ways, mistake.type, mistake.words, mistake.spoil);
  }
}

}  // namespace
