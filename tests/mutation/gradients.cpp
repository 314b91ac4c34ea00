#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <string>

#include "support/gradient.hpp"
#include "support/left_out_gradients.hpp"
#include "support/public_calls.hpp"

/// For scripts/mutate, over every public call that NEARFAR_FAMILY selects: the properties of any
/// loss. Gradients are the derivatives of the value, for few rows and for many, upstream is their
/// factor, and reductions are shares of one sum; in one scalar type and with few kernels. (The
/// ordinary tests compare every loss and kernel with oracles.) The last test detects whether a
/// mutant changes anything.

namespace {

using namespace support;
using nearfar::Reduction;

std::vector<PublicCall<double>> calls() {
#ifdef NEARFAR_FAMILY
  PublicCalls<double> all;
  NEARFAR_FAMILY;
  return std::move(all.list);
#else
  return all_public_calls<double>();
#endif
}

std::vector<Reduction> reductions_of(const PublicCall<double>& call) {
  if (!call.reduces) return {Reduction::mean};
  return {Reduction::mean, Reduction::sum, Reduction::mean_nonzero, Reduction::none};
}

/// The arguments with so many rows that keys exceed a tile. Labels have as many classes as before
/// for losses with two values, and more for others.
Arguments<double> larger(const PublicCall<double>& call) {
  const Index times = 400 / call.upstream_rows;
  Arguments<double> a = call.good;
  for (std::size_t k = 0; k < a.rows.size(); ++k) {
    a.rows[k] = random_rows<double>(times * a.rows[k].rows(), a.rows[k].cols(), 51 + k);
  }
  for (std::size_t k = 0; k < a.labels.size(); ++k) {
    const int classes = std::string(call.labels[k].name) == "same" ? 2 : 17;
    const auto count = static_cast<Index>(a.labels[k].size()) * times;
    a.labels[k] = random_labels(count, classes, 57 + k);
  }
  for (std::size_t k = 0; k < a.numbers.size(); ++k) {
    const auto count = static_cast<Index>(a.numbers[k].size()) * times;
    a.numbers[k].clear();
    for (const double u : random_upstream(count, 61 + k)) a.numbers[k].push_back(-2 * u);
  }
  return a;
}

TEST(Mutants, HaveGradientsThatAreNotThoseOfTheValue) {
  for (const PublicCall<double>& call : calls()) {
    for (const Reduction reduction : reductions_of(call)) {
      if (reduction == Reduction::none) continue;
      WithGradients at(call, call.good);
      at.a.reduction = reduction;
      const double value = call.call(Way::forward_backward, at.a)[0];
      ASSERT_EQ(value, call.call(Way::forward, at.a)[0]) << call.name;
      std::vector<nearfar::CheckedInput<double>> checked;
      for (std::size_t k = 0; k < at.a.rows.size(); ++k) {
        if (call.sets[k].constant) continue;
        checked.push_back({call.sets[k].name, at.a.rows[k], at.gradients[k]});
      }
      if (call.parametric) checked.push_back({"matrix", at.a.parameter, at.d_parameter});
      Arguments<double> moved = at.a;
      const auto report = nearfar::check_gradient<double>(
          [&] {
            moved.rows = at.a.rows;
            moved.parameter = at.a.parameter;
            return call.call(Way::forward, moved)[0];
          },
          checked, {.step = 1e-5});
      ASSERT_TRUE(report.passed) << call.name << ": " << report;
      ASSERT_LE(report.kinks, report.checked / 2) << call.name << ": " << report;
    }
  }
}

/// If labels are of classes, makes one row alone in its class, and two of many rows another.
void leave_alone(const PublicCall<double>& call, Arguments<double>& a) {
  if (call.labels.empty()) return;
  if (std::string(call.labels[0].name).find("labels") == std::string::npos) return;
  a.labels[0][3] = 99;
  if (a.labels[0].size() > 100) a.labels[0][40] = a.labels[0][77] = 98;
}

/// Many rows with an upstream for each, one of them without a positive.
Arguments<double> larger_by_rows(const PublicCall<double>& call,
                                 const std::vector<double>& upstream) {
  Arguments<double> a = larger(call);
  a.reduction = Reduction::none;
  a.options.upstream = nearfar::Upstream(upstream);
  leave_alone(call, a);
  return a;
}

/// Checks the slope along one line through all elements: of the sum of each row's value times its
/// upstream, or of the value.
void expect_slope(const PublicCall<double>& call, const Arguments<double>& rows,
                  const std::vector<double>& upstream) {
  const bool by_rows = rows.reduction == Reduction::none;
  WithGradients at(call, rows);
  call.call(Way::forward_backward, at.a);
  at.a.options.upstream = {};
  double claimed = 0;
  double size = 0;
  std::vector<Matrix<double>> line;
  for (std::size_t k = 0; k < at.a.rows.size(); ++k) {
    line.push_back(uniform_matrix<double>(at.a.rows[k].rows(), at.a.rows[k].cols(), 71 + k));
    if (call.sets[k].constant) {
      line[k].setZero();
      continue;
    }
    claimed += line[k].cwiseProduct(at.gradients[k]).sum();
    size += at.gradients[k].norm();
  }
  constexpr double step = 1e-8;  // so short that hardly any hinge has its kink within it
  const auto moved = [&](double by) {
    Arguments<double> a = at.a;
    for (std::size_t k = 0; k < a.rows.size(); ++k) a.rows[k] += by * line[k];
    const std::vector<double> numbers = call.call(Way::forward, a);
    if (!by_rows) return numbers[0];
    double sum = 0;
    for (std::size_t i = 0; i < upstream.size(); ++i) sum += upstream[i] * numbers[1 + i];
    return sum;
  };
  const double measured = (moved(step) - moved(-step)) / (2 * step);
  ASSERT_NEAR(claimed, measured, 2e-5 * size) << call.name << (by_rows ? ", rows" : "");
}

TEST(Mutants, HaveAnotherGradientOfManyRows) {
  for (const PublicCall<double>& call : calls()) {
    // Where the choice of triplets jumps there is no slope: all but every one, and each row's
    // hardest.
    const bool mined = call.name.find("MinedTriplet") == 0;
    if (mined && call.name.find("mining all") == std::string::npos &&
        call.name.find("mining batch_hard") == std::string::npos) {
      continue;
    }
    expect_slope(call, larger(call), {1});
    if (HasFatalFailure()) return;
    // Sets of tokens are not as many times more as rows are.
    if (!call.reduces || call.name.starts_with("MaxSimInfoNce")) continue;
    const std::vector<double> upstream =
        random_upstream(call.upstream_rows * (400 / call.upstream_rows), 67);
    expect_slope(call, larger_by_rows(call, upstream), upstream);
    if (HasFatalFailure()) return;
  }
}

/// The derivatives of learnable numbers follow the value and eight counts and extremes.
TEST(Mutants, LearnNumbersByOtherDerivatives) {
  for (const PublicCall<double>& call : calls()) {
    WithGradients at(call, call.good);
    for (std::size_t k = 0; k < call.learnt; ++k) {
      constexpr double step = 1e-6;
      const auto value = [&](double by) {
        at.a.moved[k] = by;
        return call.call(Way::forward, at.a)[0];
      };
      const double measured = (value(step) - value(-step)) / (2 * step);
      at.a.moved[k] = 0;
      const double close = 1e-7 * std::max(1.0, std::abs(measured));
      ASSERT_NEAR(call.call(Way::forward_backward, at.a)[9 + k], measured, close) << call.name;
      ASSERT_EQ(call.call(Way::forward, at.a)[9 + k], 0) << call.name;
      at.a.options.upstream = 3;
      ASSERT_NEAR(call.call(Way::forward_backward, at.a)[9 + k], 3 * measured, 3 * close)
          << call.name;
      at.a.options.upstream = {};
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
    a.options.upstream = 3;
    call.call(Way::forward_backward, a);
    for (std::size_t k = 0; k < once.size(); ++k) {
      ASSERT_LE((3 * once[k] - thrice[k]).norm(), 1e-12 * thrice[k].norm()) << call.name;
    }
    if (!call.reduces) continue;
    a.reduction = Reduction::none;
    const std::vector<double> threes(static_cast<std::size_t>(call.upstream_rows), 3.0);
    std::vector<Matrix<double>> each(a.rows.size());
    a.gradients.assign(each.begin(), each.end());
    a.options.upstream = nearfar::Upstream(threes);
    call.call(Way::forward_backward, a);
    a.reduction = Reduction::sum;
    a.options.upstream = 3;
    std::vector<Matrix<double>> all(a.rows.size());
    a.gradients.assign(all.begin(), all.end());
    call.call(Way::forward_backward, a);
    for (std::size_t k = 0; k < each.size(); ++k) {
      ASSERT_LE((each[k] - all[k]).norm(), 1e-12 * all[k].norm()) << call.name;
    }
  }
}

TEST(Mutants, ChangeGradientsWhereOneIsLeftOut) {
  for (const PublicCall<double>& call : calls()) {
    expect_left_out_gradients_to_change_nothing(call);
    if (HasFailure()) return;
  }
}

/// A single row in each set: two rows are two anchors, or negatives of each other. For losses over
/// labels, also labels for which all rows have positives only, or negatives only.
TEST(Mutants, AcceptUnusableAnchors) {
  for (const PublicCall<double>& call : calls()) {
    if (call.unusable.empty()) continue;
    Arguments<double> a = call.good;
    a.unusable = nearfar::UnusableAnchor::error;
    ASSERT_NO_THROW(call.call(Way::forward, a)) << call.name;
    Arguments<double> alone = a;
    for (Matrix<double>& m : alone.rows) m = Matrix<double>(m.topRows(1));
    for (auto& labels : alone.labels) labels.resize(1);
    std::string reason;
    try {
      call.call(Way::forward, alone);
      FAIL() << call.name << " takes them";
    } catch (const std::invalid_argument& error) {
      reason = error.what();
      ASSERT_NE(reason.find(call.unusable), std::string::npos) << call.name << ": " << reason;
    }
    alone.unusable = nearfar::UnusableAnchor::skip;
    ASSERT_NO_THROW(call.call(Way::forward, alone)) << call.name;
    // The message says which labels leave anchors without it.
    for (const bool same : {false, true}) {
      if (call.labels.empty()) break;
      Arguments<double> of_a_kind = a;
      for (std::size_t i = 0; i < of_a_kind.labels[0].size(); ++i) {
        of_a_kind.labels[0][i] = same ? 1 : static_cast<int>(i);
      }
      if (reason.find("anchors without a positive or a negative;") != std::string::npos ||
          (reason.find("anchors without a positive;") != std::string::npos && !same)) {
        ASSERT_THROW(call.call(Way::forward, of_a_kind), std::invalid_argument) << call.name;
      } else {
        ASSERT_NO_THROW(call.call(Way::forward, of_a_kind)) << call.name;
      }
    }
  }
}

/// Losses whose terms are rows, active if they are above 0.
bool terms_are_rows(const std::string& name) {
  for (const char* loss : {"SupCon", "MultiSimilarity", "Circle", "Alignment", "RankedList"}) {
    if (name.find(loss) == 0) return true;
  }
  return false;
}

/// With `none`, each value is a row's share of the sum, and the mean's divisors are the counts.
TEST(Mutants, HaveValuesOfRowsThatAreNotThoseOfOneSum) {
  for (const PublicCall<double>& call : calls()) {
    if (!call.reduces) continue;
    Arguments<double> a = call.good;
    if (terms_are_rows(call.name)) leave_alone(call, a);
    const auto value = [&](Reduction reduction) {
      a.reduction = reduction;
      return call.call(Way::forward, a);
    };
    const double sum = value(Reduction::sum)[0];
    const std::vector<double> each = value(Reduction::none);
    ASSERT_NEAR(each[0], sum, 1e-12 * std::abs(sum)) << call.name;
    double rows = 0;
    const auto count = static_cast<std::size_t>(call.upstream_rows);
    double active = 0;
    for (std::size_t i = 1; i <= count; ++i) {
      rows += each[i];
      active += each[i] > 0 ? 1 : 0;
    }
    ASSERT_NEAR(rows, sum, 1e-12 * std::abs(sum)) << call.name;
    if (terms_are_rows(call.name)) {
      ASSERT_EQ(each[count + 5], active) << call.name;
    }
    // Terms and active terms are the fourth and the fifth of the counts that follow. Losses that
    // reduce two kinds of pairs separately have no common divisor.
    if (call.name.find("LinearContrastive") == 0) continue;
    const double mean = sum / std::max(1.0, each[count + 4]);
    const double mean_nonzero = sum / std::max(1.0, each[count + 5]);
    ASSERT_NEAR(value(Reduction::mean)[0], mean, 1e-12 * std::abs(mean)) << call.name;
    ASSERT_NEAR(value(Reduction::mean_nonzero)[0], mean_nonzero, 1e-12 * std::abs(mean_nonzero))
        << call.name;
  }
}

/// The first program, without a mutant, writes its values to the file NEARFAR_VALUES.
TEST(Mutants, HaveOtherValues) {
  const char* file = std::getenv("NEARFAR_VALUES");
  ASSERT_NE(file, nullptr);
  std::vector<double> got;
  const auto call_with = [&](const PublicCall<double>& call, Reduction reduction, Way way,
                             Arguments<double> arguments) {
    WithGradients at(call, std::move(arguments));
    at.a.reduction = reduction;
    try {
      for (const double number : call.call(way, at.a)) got.push_back(number);
      for (const Matrix<double>& m : at.gradients) got.push_back(m.norm());
    } catch (const std::exception& error) {
      got.push_back(static_cast<double>(std::string(error.what()).size()));
    }
  };
  const auto take = [&](const PublicCall<double>& call, const auto& change) {
    Arguments<double> changed = call.good;
    change(changed);
    for (const Reduction reduction : reductions_of(call)) {
      for (const Way way : {Way::forward, Way::forward_backward}) {
        call_with(call, reduction, way, changed);
      }
    }
  };
  for (const PublicCall<double>& call : calls()) {
    take(call, [](auto&) {});
    // All labels equal, and two rows.
    take(call, [](auto& a) {
      for (auto& labels : a.labels) std::fill(labels.begin(), labels.end(), 1);
      a.rows[0].row(1) = a.rows[0].row(0);
    });
    // Positives at the right place, and far longer.
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
    // An anchor without a gradient, refused.
    take(call, [](auto& a) {
      for (auto& labels : a.labels) labels[0] = 7;
      a.unusable = nearfar::UnusableAnchor::error;
    });
    call_with(call, Reduction::mean, Way::forward_backward, larger(call));
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

}  // namespace
