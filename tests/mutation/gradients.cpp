#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#include "support/gradient.hpp"
#include "support/public_calls.hpp"

/// For scripts/mutate: of every public call of the family NEARFAR_FAMILY that its value is the one
/// it has without a mutant, that gradients are the derivatives of the value and upstream is their
/// factor; in one scalar type and with few kernels. (The tests proper hold every loss with every
/// kernel against oracles.)

namespace {

using namespace support;
using nearfar::Reduction;

std::vector<PublicCall<double>> calls() {
#ifdef NEARFAR_FAMILY
  PublicCalls<double> all;
  NEARFAR_FAMILY(all);
  return std::move(all.list);
#else
  return all_public_calls<double>();
#endif
}

/// The first program, without a mutant, leaves its values in the file NEARFAR_VALUES.
TEST(Mutants, HaveOtherValues) {
  const char* file = std::getenv("NEARFAR_VALUES");
  ASSERT_NE(file, nullptr);
  std::vector<double> got;
  const auto take = [&](const PublicCall<double>& call, const auto& change) {
    for (const Reduction reduction :
         {Reduction::mean, Reduction::sum, Reduction::mean_nonzero, Reduction::none}) {
      if (!call.reduces && reduction != Reduction::mean) continue;
      for (const Way way : {Way::forward, Way::forward_backward}) {
        Arguments<double> a = call.good;
        a.reduction = reduction;
        std::vector<Matrix<double>> gradients(a.rows.size());
        a.gradients.assign(gradients.begin(), gradients.end());
        change(a);
        try {
          for (const double number : call.call(way, a)) got.push_back(number);
          for (const Matrix<double>& m : gradients) got.push_back(m.norm());
        } catch (const std::exception& error) {
          got.push_back(static_cast<double>(std::string(error.what()).size()));
        }
      }
    }
  };
  for (const PublicCall<double>& call : calls()) {
    take(call, [](auto&) {});
    // All labels the same, and two rows.
    take(call, [](auto& a) {
      for (auto& labels : a.labels) std::fill(labels.begin(), labels.end(), 1);
      a.rows[0].row(1) = a.rows[0].row(0);
    });
    // Positives where they should be, and far longer.
    take(call, [](auto& a) {
      for (Matrix<double>& m : a.rows) m *= 30;
    });
    for (const Index rows : {0, 1, 2}) {
      take(call, [&](auto& a) {
        const auto some = static_cast<std::size_t>(rows);
        for (Matrix<double>& m : a.rows) m = Matrix<double>(m.topRows(rows));
        for (auto& labels : a.labels) labels.resize(some);
        for (auto& numbers : a.numbers) numbers.resize(some);
      });
    }
  }
  for (double& number : got) number = std::isfinite(number) ? number : 1e300;
  const char* mutant = std::getenv("NEARFAR_MUTANT");
  if (mutant == nullptr || std::string(mutant) == "-1") {
    std::ofstream out(file);
    out.precision(17);
    for (const double value : got) out << value << '\n';
    return;
  }
  std::ifstream in(file);
  for (const double value : got) {
    double want = 0;
    ASSERT_TRUE(in >> want);
    ASSERT_NEAR(value, want, 1e-10 * std::max(1.0, std::abs(want)));
  }
}

TEST(Mutants, HaveGradientsThatAreNotThoseOfTheValue) {
  for (const PublicCall<double>& call : calls()) {
    for (const Reduction reduction : {Reduction::mean, Reduction::sum, Reduction::mean_nonzero}) {
      if (!call.reduces && reduction != Reduction::mean) continue;
      Arguments<double> a = call.good;
      a.reduction = reduction;
      std::vector<Matrix<double>> gradients(a.rows.size());
      Matrix<double> d_parameter;
      a.gradients.assign(gradients.begin(), gradients.end());
      if (call.parametric) a.options.d_parameter = d_parameter;
      const double value = call.call(Way::forward_backward, a)[0];
      ASSERT_EQ(value, call.call(Way::forward, a)[0]) << call.name;
      std::vector<nearfar::CheckedInput<double>> checked;
      for (std::size_t k = 0; k < a.rows.size(); ++k) {
        checked.push_back({call.sets[k].name, a.rows[k], gradients[k]});
      }
      if (call.parametric) checked.push_back({"matrix", a.parameter, d_parameter});
      Arguments<double> again = a;
      const auto report = nearfar::check_gradient<double>(
          [&] {
            again.rows = a.rows;
            again.parameter = a.parameter;
            return call.call(Way::forward, again)[0];
          },
          checked, {.step = 1e-5});
      ASSERT_TRUE(report.passed) << call.name << ": " << report;
      ASSERT_LE(report.kinks, report.checked / 2) << call.name << ": " << report;
    }
  }
}

TEST(Mutants, IgnoreTheUpstream) {
  for (const PublicCall<double>& call : calls()) {
    Arguments<double> a = call.good;
    std::vector<Matrix<double>> once(a.rows.size());
    std::vector<Matrix<double>> thrice(a.rows.size());
    a.gradients.assign(once.begin(), once.end());
    call.call(Way::forward_backward, a);
    a.gradients.assign(thrice.begin(), thrice.end());
    a.upstream = 3;
    call.call(Way::backward, a);
    if (call.name == "NPair" || !call.reduces) continue;
    a.reduction = Reduction::none;
    const std::vector<double> threes(static_cast<std::size_t>(call.upstream_rows), 3.0);
    std::vector<Matrix<double>> each(a.rows.size());
    a.gradients.assign(each.begin(), each.end());
    a.upstream = nearfar::Upstream(threes);
    call.call(Way::backward, a);
    a.reduction = Reduction::sum;
    a.upstream = 3;
    std::vector<Matrix<double>> all(a.rows.size());
    a.gradients.assign(all.begin(), all.end());
    call.call(Way::backward, a);
    for (std::size_t k = 0; k < once.size(); ++k) {
      ASSERT_LE((3 * once[k] - thrice[k]).norm(), 1e-12 * thrice[k].norm()) << call.name;
      ASSERT_LE((each[k] - all[k]).norm(), 1e-12 * all[k].norm()) << call.name;
    }
  }
}

}  // namespace
