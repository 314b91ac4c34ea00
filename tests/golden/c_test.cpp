#include "c/same_bits.hpp"
#include "golden/golden_files.hpp"
#include "golden/tuples_runners.hpp"

/// Reference cases of losses whose calls follow from the register, through the C interface.

namespace {

using nearfar::Matrix;

/// The number of a kernel that has no matrix.
template <class K>
constexpr nearfar_kernel number_of_kernel() {
  if constexpr (std::is_same_v<K, nearfar::Cosine>) return NEARFAR_COSINE;
  if constexpr (std::is_same_v<K, nearfar::InnerProduct>) return NEARFAR_INNER_PRODUCT;
  if constexpr (std::is_same_v<K, nearfar::Euclidean>) return NEARFAR_EUCLIDEAN;
  if constexpr (std::is_same_v<K, nearfar::SquaredEuclidean>) return NEARFAR_SQUARED_EUCLIDEAN;
  return NEARFAR_COSINE_DISTANCE;
}

/// A visitor of `fields` that copies options into those of the interface. A number that is not
/// given is NaN there.
struct Copy {
  template <class From, class To>
  void operator()(const char*, const From& from, To& to) const {
    if constexpr (std::is_same_v<From, std::optional<double>>) {
      to = from.value_or(std::numeric_limits<double>::quiet_NaN());
    } else if constexpr (std::is_class_v<From>) {
      From::fields(*this, from, to);
    } else {
      to = static_cast<To>(from);
    }
  }
};

/// The functions of the interface for a loss.
template <class Line>
struct Functions;
#define NEARFAR_FUNCTIONS(name, ...)                             \
  template <>                                                    \
  struct Functions<nearfar::registered::name> {                  \
    static constexpr auto init = &nearfar_##name##_options_init; \
    static constexpr auto create = &nearfar_##name##_create;     \
  };
NEARFAR_LOSSES_OVER_LABELS(NEARFAR_FUNCTIONS)
NEARFAR_FUNCTIONS(rince)
NEARFAR_FUNCTIONS(rince_views)
NEARFAR_FUNCTIONS(dhel)
NEARFAR_FUNCTIONS(dclw)
#undef NEARFAR_FUNCTIONS

struct ThroughC {
  template <class Line, class S, class K, class Options>
  static double labelled(const Options& options, const Matrix<S>& x,
                         const std::vector<std::int64_t>& labels, Matrix<S>& dx) {
    dx.resize(x.rows(), x.cols());
    const nearfar_rows rows = support::c_rows(x);
    const nearfar_gradient gradient = support::c_gradient(dx);
    const nearfar_targets targets = nearfar_targets_of_labels(labels.data(), x.rows());
    nearfar_result result = support::defaults(nearfar_result_init);
    EXPECT_EQ(nearfar_labelled_forward_backward(loss_of<Line, K>(options).get(), &rows, &targets,
                                                &gradient, nullptr, &result),
              NEARFAR_OK)
        << nearfar_last_error();
    return result.value;
  }
  template <class Line, class S, class K, class Options>
  static double two_sets(const Options& options, const Matrix<S>& a, const Matrix<S>& b,
                         Matrix<S>& da, Matrix<S>& db) {
    da.resize(a.rows(), a.cols());
    db.resize(b.rows(), b.cols());
    const nearfar_rows rows[2] = {support::c_rows(a), support::c_rows(b)};
    const nearfar_gradient gradients[2] = {support::c_gradient(da), support::c_gradient(db)};
    nearfar_result result = support::defaults(nearfar_result_init);
    EXPECT_EQ(
        nearfar_two_sets_forward_backward(loss_of<Line, K>(options).get(), &rows[0], &rows[1],
                                          nullptr, &gradients[0], &gradients[1], nullptr, &result),
        NEARFAR_OK)
        << nearfar_last_error();
    return result.value;
  }

 private:
  template <class Line, class K, class Options>
  static support::CLoss loss_of(const Options& options) {
    auto c = support::defaults(Functions<Line>::init);
    Options::fields(Copy(), options, c);
    c.kernel = number_of_kernel<K>();
    return support::made(Functions<Line>::create, c);
  }
};

template <class S>
const std::map<std::string, golden::Runner<S>>& runners() {
  static const auto all = golden::labelled_runners<S, ThroughC>();
  return all;
}

class GoldenInC : public testing::TestWithParam<std::filesystem::path> {};

TEST_P(GoldenInC, MatchesInDouble) { golden::run(GetParam(), runners<double>()); }
TEST_P(GoldenInC, MatchesInFloat) { golden::run(GetParam(), runners<float>()); }

INSTANTIATE_TEST_SUITE_P(Cases, GoldenInC, testing::ValuesIn(golden::files_of(runners<double>())),
                         golden::name_of);

}  // namespace
