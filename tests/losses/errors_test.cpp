#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "support/subjects.hpp"

/// \file
/// Errors of float: each loss and kernel in float beside the same call in double, whose own errors
/// the oracles of tests/losses hold, over batches that are hard in one way each. docs/errors.md
/// shows the largest; none may be more than twice what stands there. `scripts/errors` writes it.

namespace {

using nearfar::Index;
using nearfar::Matrix;
using nearfar::Reduction;
using support::Subject;

/// Relative errors: of the value, and of any element of a gradient by the largest element of it.
struct Errors {
  double value = 0;
  double gradient = 0;

  void fold(const Errors& other) {
    value = std::max(value, other.value);
    gradient = std::max(gradient, other.gradient);
  }
};

using Table = std::map<std::string, Errors>;

/// Rows that are hard to compute with, made of ordinary ones.
struct Batch {
  const char* name;
  float (*element)(float v, Index row);
  double sharpness;
};

constexpr Batch batches[] = {
    {"ordinary rows", [](float v, Index) { return v; }, 1},
    {"long rows", [](float v, Index) { return 8 * v; }, 1.0 / 64},
    {"short rows", [](float v, Index) { return v / 1024; }, 1},
    {"lengths from 1/16 to 16", [](float v, Index i) { return std::ldexp(v, int(i % 9) - 4); }, 1},
    {"rows that are alike", [](float v, Index) { return 1 + v / 16; }, 1},
    {"sharp logits", [](float v, Index) { return v; }, 4},
};

/// The size that an error of the value is relative to. A bound on mutual information is a
/// difference from log N.
double size_of_value(const Subject<double>& subject, double value) {
  const bool is_difference = subject.name.starts_with("MutualInformation");
  const double terms = std::log(static_cast<double>(subject.inputs[0].rows()));
  return std::max(std::abs(value), is_difference ? terms : 0);
}

/// Where a float has all its digits, and the gradients of NWJ's bound are not cut off.
bool float_has(double largest) { return largest > 1e-30 && largest < 1e30; }

Errors errors_of(const Subject<float>& single, const Subject<double>& twice, const Batch& batch) {
  std::vector<Matrix<float>> x = single.inputs;
  const std::size_t sets = x.size() - (single.parametric ? 1 : 0);
  for (std::size_t k = 0; k < sets; ++k) {
    for (Index i = 0; i < x[k].rows(); ++i) {
      for (Index c = 0; c < x[k].cols(); ++c) x[k](i, c) = batch.element(x[k](i, c), i);
    }
  }
  std::vector<Matrix<double>> exact;
  for (const Matrix<float>& rows : x) exact.push_back(rows.cast<double>());
  std::vector<Matrix<float>> got;
  std::vector<Matrix<double>> want;
  Errors out;
  double value = 0;
  double exact_value = 0;
  try {
    exact_value = twice.gradients(exact, want).value;
    value = single.gradients(x, got).value;
  } catch (const std::domain_error&) {
    // Beyond the range of float, which ordinary rows are not.
    EXPECT_NE(&batch, &batches[0]) << single.name;
    return out;
  }
  EXPECT_TRUE(std::isfinite(value)) << single.name;
  for (const Matrix<float>& gradient : got) EXPECT_TRUE(gradient.allFinite()) << single.name;
  const double size = size_of_value(twice, exact_value);
  if (float_has(size)) out.value = std::abs(value - exact_value) / size;
  for (std::size_t k = 0; k < got.size(); ++k) {
    const double largest = want[k].cwiseAbs().maxCoeff();
    if (!float_has(largest)) {
      EXPECT_TRUE(&batch != &batches[0] || largest == 0) << single.name;
      continue;
    }
    out.gradient =
        std::max(out.gradient, (got[k].cast<double>() - want[k]).cwiseAbs().maxCoeff() / largest);
  }
  return out;
}

/// Among rows that are alike, scores in float tie or change places: mining then chooses others.
bool is_chosen_by_rounding(const std::string& name, const Batch& batch) {
  return name.starts_with("MinedTriplet") && &batch == &batches[4];
}

/// "InfoNce of Cosine" of a subject's name, without its form and options.
std::string loss_and_kernel(const std::string& name) { return name.substr(0, name.find(',')); }

Table measured() {
  Table out;
  for (const Batch& batch : batches) {
    const auto singles = support::all_subjects<float>(24, 33, Reduction::mean, batch.sharpness);
    const auto twice = support::all_subjects<double>(24, 33, Reduction::mean, batch.sharpness);
    for (std::size_t k = 0; k < singles.size(); ++k) {
      if (is_chosen_by_rounding(singles[k].name, batch)) continue;
      out[loss_and_kernel(singles[k].name)].fold(errors_of(singles[k], twice[k], batch));
    }
  }
  return out;
}

/// Lines "| InfoNce of Cosine | 1.9e-08 | 1.3e-05 |" of the page.
Table published() {
  Table out;
  std::ifstream page(NEARFAR_ERRORS_PAGE);
  for (std::string line; std::getline(page, line);) {
    if (!line.starts_with("| ") || line.find(" of ") == std::string::npos) continue;
    const std::size_t value = line.find(" | ", 2);
    const std::size_t gradient = line.find(" | ", value + 3);
    out[line.substr(2, value - 2)] = {std::strtod(line.c_str() + value + 3, nullptr),
                                      std::strtod(line.c_str() + gradient + 3, nullptr)};
  }
  return out;
}

TEST(ErrorsOfFloat, AreAtMostTwiceThosePublished) {
  const Table table = measured();
  const Table page = published();
  const bool writes = std::getenv("NEARFAR_ERRORS_WRITE") != nullptr;
  for (const auto& [name, errors] : table) {
    if (writes) {
      std::printf("error\t%s\t%.1e\t%.1e\n", name.c_str(), errors.value, errors.gradient);
      continue;
    }
    const auto found = page.find(name);
    ASSERT_NE(found, page.end()) << name << ": not on the page; run scripts/errors";
    // A rounding of the result itself is no error of the loss.
    EXPECT_LE(errors.value, 2 * found->second.value + 1e-7) << name;
    EXPECT_LE(errors.gradient, 2 * found->second.gradient + 1e-7) << name;
  }
  if (writes) return;
  for (const auto& [name, errors] : page) EXPECT_TRUE(table.contains(name)) << name;
}

}  // namespace
