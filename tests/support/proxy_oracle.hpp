#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nearfar/core/reduction.hpp>
#include <numbers>
#include <vector>

#include "support/compare.hpp"
#include "support/oracle.hpp"
#include "support/random.hpp"

/// \file
/// Softmax losses of labelled rows against proxies, by plain loops in long double.

namespace support {

using oracle::Real;

/// A row and a class, the arguments of a logit.
struct RowAndClass {
  Index own;               ///< the row's class
  Index of;                ///< the class of the logit
  std::vector<Real> z;     ///< cosines with its centres
  Real row;                ///< length of the row
  std::vector<Real> size;  ///< lengths of the centres

  bool is_own() const { return own == of; }
};

/// A logit and its derivatives.
struct Logit {
  Real value;
  std::vector<Real> of_z;
  Real of_row = 0;            ///< with respect to the row's length
  std::vector<Real> of_size;  ///< with respect to the centres' lengths; empty: none
};

using LogitOf = std::function<Logit(const RowAndClass&)>;

/// Values of rows, gradients of their sum, and the largest sum of absolute summands of an element
/// of these.
struct ProxyOracle {
  std::vector<Real> values;
  oracle::Matrix dx;
  oracle::Matrix d_proxies;
  Real dx_scale = 0;
  Real d_proxies_scale = 0;
  Real largest_logit = 0;

  Real sum() const {
    Real out = 0;
    for (const Real v : values) out += v;
    return out;
  }
};

/// -log softmax of each row's own class; `with_own`: the sum includes it.
template <class S>
ProxyOracle proxy_softmax(const Matrix<S>& rows, const std::vector<int>& labels,
                          const Matrix<S>& proxies, Index centers, const LogitOf& logit,
                          bool with_own = true) {
  const oracle::Matrix x = oracle::exact(rows);
  const oracle::Matrix w = oracle::exact(proxies);
  const Index classes = w.rows() / centers;
  ProxyOracle out;
  out.dx = oracle::Matrix::Zero(x.rows(), x.cols());
  out.d_proxies = oracle::Matrix::Zero(w.rows(), w.cols());
  oracle::Matrix dx_sizes = out.dx;
  oracle::Matrix d_proxies_sizes = out.d_proxies;
  for (Index i = 0; i < x.rows(); ++i) {
    const Index own = labels[static_cast<std::size_t>(i)];
    const Real row = oracle::length(oracle::row(x, i));
    std::vector<Logit> logits;
    std::vector<RowAndClass> pairs;
    for (Index c = 0; c < classes; ++c) {
      RowAndClass pair{own, c, {}, row, {}};
      for (Index k = c * centers; k < (c + 1) * centers; ++k) {
        pair.z.push_back(oracle::Cosine().score(oracle::row(x, i), oracle::row(w, k)));
        pair.size.push_back(oracle::length(oracle::row(w, k)));
      }
      logits.push_back(logit(pair));
      out.largest_logit = std::max(out.largest_logit, std::abs(logits.back().value));
      pairs.push_back(std::move(pair));
    }
    const auto at = [&](Index c) -> const Logit& { return logits[static_cast<std::size_t>(c)]; };
    // log(own + others) - log(own), relative to the own logit.
    Real top = with_own ? 0 : -std::numeric_limits<Real>::infinity();
    for (Index c = 0; c < classes; ++c) {
      if (c != own) top = std::max(top, at(c).value - at(own).value);
    }
    Real others = 0;
    for (Index c = 0; c < classes; ++c) {
      if (c != own) others += std::exp(at(c).value - at(own).value - top);
    }
    const Real total = others + (with_own ? std::exp(-top) : 0);
    if (classes == 1) {
      out.values.push_back(0);
      continue;
    }
    out.values.push_back(with_own && top == 0 ? std::log1p(others) : top + std::log(total));
    for (Index c = 0; c < classes; ++c) {
      const Real slope =
          c == own ? -others / total : std::exp(at(c).value - at(own).value - top) / total;
      const Real of_own = c == own && !with_own ? Real(-1) : slope;
      const RowAndClass& pair = pairs[static_cast<std::size_t>(c)];
      for (Index k = 0; k < centers; ++k) {
        const Index r = c * centers + k;
        const auto place = static_cast<std::size_t>(k);
        const Real z = pair.z[place];
        const Real size = pair.size[place];
        for (Index e = 0; e < x.cols(); ++e) {
          const Real u = row > 0 ? x(i, e) / row : 0;
          const Real v = size > 0 ? w(r, e) / size : 0;
          Real in_x = k == 0 ? at(c).of_row * u : 0;
          Real in_w = at(c).of_size.empty() ? 0 : at(c).of_size[place] * v;
          if (row > 0 && size > 0) {
            in_x += at(c).of_z[place] * (v - z * u) / row;
            in_w += at(c).of_z[place] * (u - z * v) / size;
          }
          out.dx(i, e) += of_own * in_x;
          out.d_proxies(r, e) += of_own * in_w;
          const Real size_of_z = row > 0 && size > 0 ? std::abs(of_own * at(c).of_z[place]) : 0;
          dx_sizes(i, e) += size_of_z > 0 ? size_of_z / row : 0;
          d_proxies_sizes(r, e) += size_of_z > 0 ? size_of_z / size : 0;
          dx_sizes(i, e) += k == 0 ? std::abs(of_own * at(c).of_row) : 0;
          d_proxies_sizes(r, e) += std::abs(of_own * in_w);
        }
      }
    }
  }
  out.dx_scale = largest(dx_sizes);
  out.d_proxies_scale = largest(d_proxies_sizes);
  return out;
}

/// Compares a call with Reduction::none, or sum, with the oracle.
template <class S>
void expect_proxy_oracle(const nearfar::Result& got, const Matrix<S>& dx,
                         const Matrix<S>& d_proxies, const ProxyOracle& want) {
  ASSERT_EQ(got.values.size(), want.values.size());
  // A logit has rounding errors in proportion to its size.
  const Real digits = Tolerance<S>::score * (1 + want.largest_logit);
  for (std::size_t i = 0; i < want.values.size(); ++i) {
    ASSERT_LE(std::abs(static_cast<Real>(got.values[i]) - want.values[i]),
              digits + Tolerance<S>::value * std::abs(want.values[i]))
        << "value " << i << ": got " << got.values[i] << ", wanted " << want.values[i];
  }
  const Real slack = (1 + want.largest_logit / 8) * Tolerance<S>::gradient;
  expect_near<S>(dx, want.dx, slack * want.dx_scale, "dx");
  expect_near<S>(d_proxies, want.d_proxies, slack * want.d_proxies_scale, "d_proxies");
}

}  // namespace support
