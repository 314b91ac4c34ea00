#pragma once

#include <gtest/gtest.h>

#include <nearfar/kernels/bilinear.hpp>
#include <nearfar/kernels/cosine.hpp>
#include <nearfar/kernels/euclidean.hpp>
#include <nearfar/kernels/inner_product.hpp>
#include <nearfar/kernels/mahalanobis.hpp>
#include <nearfar/kernels/squared_euclidean.hpp>
#include <string>
#include <type_traits>

#include "support/oracle.hpp"
#include "support/random.hpp"

/// \file
/// Every kernel of the library together with its oracle, as types for typed tests. A case is made
/// for queries of `d` elements and defines the number of elements of a key. It owns the kernel's
/// matrix, if there is one.

namespace support {

template <class S, class K, class O>
struct PlainCase {
  using Scalar = S;
  using Kernel = K;
  static constexpr bool parametric = false;

  explicit PlainCase(Index d) : query_cols(d), key_cols(d) {}
  K kernel() const { return {}; }
  O oracle() const { return {}; }

  Index query_cols;
  Index key_cols;
  Matrix<S> parameter;
};

template <class S>
struct EuclideanCase : PlainCase<S, nearfar::Euclidean, oracle::Euclidean> {
  using EuclideanCase::PlainCase::PlainCase;
  static std::string name() { return "Euclidean"; }
};
template <class S>
struct SquaredEuclideanCase : PlainCase<S, nearfar::SquaredEuclidean, oracle::SquaredEuclidean> {
  using SquaredEuclideanCase::PlainCase::PlainCase;
  static std::string name() { return "SquaredEuclidean"; }
};
template <class S>
struct CosineDistanceCase : PlainCase<S, nearfar::CosineDistance, oracle::CosineDistance> {
  using CosineDistanceCase::PlainCase::PlainCase;
  static std::string name() { return "CosineDistance"; }
};
template <class S>
struct CosineCase : PlainCase<S, nearfar::Cosine, oracle::Cosine> {
  using CosineCase::PlainCase::PlainCase;
  static std::string name() { return "Cosine"; }
};
template <class S>
struct InnerProductCase : PlainCase<S, nearfar::InnerProduct, oracle::InnerProduct> {
  using InnerProductCase::PlainCase::PlainCase;
  static std::string name() { return "InnerProduct"; }
};

/// The number of outputs of Mahalanobis's matrix, relative to its inputs.
enum class Outputs { fewer, equal, more };

template <class S, Outputs outputs>
struct MahalanobisCase {
  using Scalar = S;
  using Kernel = nearfar::Mahalanobis<S>;
  static constexpr bool parametric = true;

  explicit MahalanobisCase(Index d)
      : query_cols(d), key_cols(d), parameter(random_rows<S>(count(d), d, 71)) {}
  Kernel kernel() const { return Kernel(parameter); }
  oracle::Mahalanobis oracle() const { return oracle::Mahalanobis(oracle::exact(parameter)); }
  static std::string name() {
    switch (outputs) {
      case Outputs::fewer:
        return "MahalanobisOfLowRank";
      case Outputs::equal:
        return "MahalanobisSquare";
      case Outputs::more:
        break;
    }
    return "MahalanobisTall";
  }

  Index query_cols;
  Index key_cols;
  Matrix<S> parameter;

 private:
  static Index count(Index d) {
    switch (outputs) {
      case Outputs::fewer:
        return d / 2 > 0 ? d / 2 : 1;
      case Outputs::equal:
        return d;
      case Outputs::more:
        break;
    }
    return d + 5;
  }
};
template <class S>
using MahalanobisFewer = MahalanobisCase<S, Outputs::fewer>;
template <class S>
using MahalanobisEqual = MahalanobisCase<S, Outputs::equal>;
template <class S>
using MahalanobisMore = MahalanobisCase<S, Outputs::more>;

/// Keys have three elements more than queries.
template <class S>
struct BilinearCase {
  using Scalar = S;
  using Kernel = nearfar::Bilinear<S>;
  static constexpr bool parametric = true;

  explicit BilinearCase(Index d)
      : query_cols(d), key_cols(d + 3), parameter(random_rows<S>(d + 3, d, 72)) {}
  Kernel kernel() const { return Kernel(parameter); }
  oracle::Bilinear oracle() const { return oracle::Bilinear(oracle::exact(parameter)); }
  static std::string name() { return "Bilinear"; }

  Index query_cols;
  Index key_cols;
  Matrix<S> parameter;
};

template <template <class> class... Cases>
struct ForBothScalars {
  using Types = testing::Types<Cases<double>..., Cases<float>...>;
};

using AllKernels = ForBothScalars<EuclideanCase, SquaredEuclideanCase, CosineDistanceCase,
                                  CosineCase, InnerProductCase, MahalanobisFewer, MahalanobisEqual,
                                  MahalanobisMore, BilinearCase>::Types;
using DistanceKernels = ForBothScalars<EuclideanCase, SquaredEuclideanCase, CosineDistanceCase,
                                       MahalanobisFewer, MahalanobisEqual, MahalanobisMore>::Types;
using Scalars = testing::Types<double, float>;

template <class S>
constexpr const char* scalar_name = std::is_same_v<S, float> ? "float" : "double";

/// Names of typed tests: "Euclidean_double" instead of "3".
struct CaseNames {
  template <class T>
  static std::string GetName(int) {  // NOLINT(readability-identifier-naming): gtest needs it
    if constexpr (std::is_floating_point_v<T>) {
      return scalar_name<T>;
    } else {
      return T::name() + "_" + scalar_name<typename T::Scalar>;
    }
  }
};

/// {.workspace = ..., .d_parameter = ...} for a case's kernel, without the gradient if it has no
/// matrix.
template <class Case>
nearfar::GradientRows<typename Case::Scalar> parameter_gradient(
    Matrix<typename Case::Scalar>& d_parameter) {
  if constexpr (Case::parametric) {
    return d_parameter;
  } else {
    d_parameter.resize(0, 0);
    return nearfar::no_gradient;
  }
}

}  // namespace support
