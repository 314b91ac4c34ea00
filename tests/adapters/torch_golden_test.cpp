#include "adapters/tensors.hpp"
#include "golden/golden_files.hpp"
#include "golden/tuples_runners.hpp"

/// Reference cases of losses whose calls follow from the register, through LibTorch's functions.

namespace adapters {
namespace {

using nearfar::Matrix;

/// LibTorch's function for a loss: (tensors, options, kernel).
template <class Line>
struct Function;
#define NEARFAR_FUNCTION(name, ...)                     \
  template <>                                           \
  struct Function<nearfar::registered::name> {          \
    template <class... Arguments>                       \
    static Tensor call(const Arguments&... arguments) { \
      return nearfar::libtorch::name(arguments...);     \
    }                                                   \
  };
NEARFAR_LOSSES_OVER_LABELS(NEARFAR_FUNCTION)
NEARFAR_FUNCTION(rince)
NEARFAR_FUNCTION(rince_views)
NEARFAR_FUNCTION(dhel)
NEARFAR_FUNCTION(dclw)
#undef NEARFAR_FUNCTION

template <class S>
Matrix<S> gradient_of(const Tensor& leaf) {
  const Tensor g = leaf.grad().contiguous();
  return Eigen::Map<const Matrix<S>>(g.data_ptr<S>(), g.size(0), g.size(1));
}

struct ThroughTorch {
  template <class Line, class S, class K, class Options>
  static double labelled(const Options& options, const Matrix<S>& x,
                         const std::vector<std::int64_t>& labels, Matrix<S>& dx) {
    const Tensor leaf = leaf_of(x);
    const nearfar::libtorch::TensorTargets targets(integers(labels));
    Tensor value;
    if constexpr (nearfar::libtorch::detail::LearnsNumber<Line>) {
      const nearfar::libtorch::detail::LearntTensor<Line> learnt;
      value = Function<Line>::call(leaf, targets, options, learnt, K());
    } else {
      value = Function<Line>::call(leaf, targets, options, K());
    }
    value.backward();
    dx = gradient_of<S>(leaf);
    return value.item<double>();
  }
  template <class Line, class S, class K, class Options>
  static double two_sets(const Options& options, const Matrix<S>& a, const Matrix<S>& b,
                         Matrix<S>& da, Matrix<S>& db) {
    const Tensor first = leaf_of(a);
    const Tensor second = leaf_of(b);
    const nearfar::libtorch::TemperatureTensor learnt;
    const Tensor value = Function<Line>::call(first, second, options, learnt, K());
    value.backward();
    da = gradient_of<S>(first);
    db = gradient_of<S>(second);
    return value.item<double>();
  }
};

template <class S>
const std::map<std::string, golden::Runner<S>>& runners() {
  static const auto all = golden::labelled_runners<S, ThroughTorch>();
  return all;
}

class GoldenInTorch : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(GoldenInTorch, MatchesInDouble) { golden::run(GetParam(), runners<double>()); }
TEST_P(GoldenInTorch, MatchesInFloat) { golden::run(GetParam(), runners<float>()); }

INSTANTIATE_TEST_SUITE_P(Cases, GoldenInTorch,
                         testing::ValuesIn(golden::files_of(runners<double>())), golden::name_of);

}  // namespace
}  // namespace adapters
