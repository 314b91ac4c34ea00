#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <nearfar/adapters/torch.hpp>
#include <string>
#include <vector>

#include "adapters/reference_losses.hpp"
#include "adapters/tensors.hpp"

/// \file
/// A loss over tensors beside the same loss in LibTorch's operations.

namespace adapters {

using nearfar::Reduction;
using reference::Pairs;
using reference::Terms;

using Inputs = std::vector<Tensor>;

/// A loss of leaf tensors, ours and the reference's.
struct Case {
  std::string name;
  Inputs inputs;
  std::function<Tensor(const Inputs&, Reduction)> ours;
  std::function<Tensor(const Inputs&, Reduction)> reference;
};

inline constexpr Index n = 9;
inline constexpr Index d = 5;
inline constexpr double tau = 0.4;

/// The last row has no positive.
inline const Tensor& labels() {
  static const Tensor own = integers({0, 1, 2, 0, 1, 2, 0, 1, 3});
  return own;
}
inline const Tensor& reference_labels() {
  static const Tensor own = integers({2, 1, 0, 0, 1, 2, 4});
  return own;
}

// ---- kernels
// -------------------------------------------------------------------------------------

/// A kernel as the reference has it: its scores, and +1 where larger ones are nearer.
template <class K>
struct Scores;
template <>
struct Scores<nearfar::Cosine> {
  static constexpr const char* name = " of Cosine";
  static constexpr int sign = 1;
  static Tensor of(const Tensor& x, const Tensor& y, const Tensor&) {
    return reference::cosine(x, y);
  }
};
template <>
struct Scores<nearfar::InnerProduct> {
  static constexpr const char* name = " of InnerProduct";
  static constexpr int sign = 1;
  static Tensor of(const Tensor& x, const Tensor& y, const Tensor&) {
    return reference::inner_product(x, y);
  }
};
template <>
struct Scores<nearfar::Euclidean> {
  static constexpr const char* name = " of Euclidean";
  static constexpr int sign = -1;
  static Tensor of(const Tensor& x, const Tensor& y, const Tensor&) {
    return reference::distance(x, y);
  }
};
template <>
struct Scores<nearfar::SquaredEuclidean> {
  static constexpr const char* name = " of SquaredEuclidean";
  static constexpr int sign = -1;
  static Tensor of(const Tensor& x, const Tensor& y, const Tensor&) {
    return reference::squared_distance(x, y);
  }
};
template <>
struct Scores<nearfar::CosineDistance> {
  static constexpr const char* name = " of CosineDistance";
  static constexpr int sign = -1;
  static Tensor of(const Tensor& x, const Tensor& y, const Tensor&) {
    return 1 - reference::cosine(x, y);
  }
};
template <>
struct Scores<libtorch::BilinearTensor> {
  static constexpr const char* name = " of a bilinear form";
  static constexpr int sign = 1;
  static Tensor of(const Tensor& x, const Tensor& y, const Tensor& matrix) {
    return x.mm(matrix.t()).mm(y.t());
  }
};
template <>
struct Scores<libtorch::MahalanobisTensor> {
  static constexpr const char* name = " of Mahalanobis's distance";
  static constexpr int sign = -1;
  static Tensor of(const Tensor& x, const Tensor& y, const Tensor& matrix) {
    return reference::distance(x.mm(matrix.t()), y.mm(matrix.t()));
  }
};

template <class K>
K kernel_of(const Tensor& matrix) {
  if constexpr (requires(K k) { k.matrix; }) {
    return K{matrix};
  } else {
    return K();
  }
}

/// For each kernel: body(name, kernel of a matrix, nearness, distance); the last two of rows and a
/// matrix.
template <class... Kernels, class Body>
void for_kernels(const Body& body) {
  const auto one = [&]<class K>() {
    using Its = Scores<K>;
    body(
        std::string(Its::name), &kernel_of<K>,
        [](const Tensor& x, const Tensor& y, const Tensor& m) {
          return Its::sign * Its::of(x, y, m);
        },
        [](const Tensor& x, const Tensor& y, const Tensor& m) {
          return Its::sign < 0 ? Its::of(x, y, m) : -Its::of(x, y, m);
        });
  };
  (one.template operator()<Kernels>(), ...);
}

// ---- cases
// ---------------------------------------------------------------------------------------

class Cases {
 public:
  std::vector<Case> list;

  /// A loss with terms.
  template <class Ours, class Reference>
  void add(const std::string& name, Inputs inputs, const Ours& ours, const Reference& terms) {
    list.push_back({name, std::move(inputs), ours, [terms](const Inputs& x, Reduction reduction) {
                      return Terms(terms(x, reduction)).reduced(reduction);
                    }});
  }

  /// A loss over labels of a batch, and of queries and references: terms of nearness, distance,
  /// pairs, whether it is a batch, and the reduction. `call(reduction, kernel, ...)` is ours.
  template <class... Kernels, class Call, class OfPairs>
  void over_labels(const std::string& name, const Call& call, const OfPairs& terms) {
    for_kernels<Kernels...>([&](const std::string& of, auto kernel, auto near, auto far) {
      add(
          name + of, {rows(n, d, 1), rows(d, d, 7)},
          [=](const Inputs& x, Reduction r) { return call(r, kernel(x[1]), x[0], labels()); },
          [=](const Inputs& x, Reduction r) {
            return terms(near(x[0], x[0], x[1]), far(x[0], x[0], x[1]), Pairs(labels()), true, r);
          });
      add(
          name + of + ", references", {rows(n, d, 1), rows(7, d, 2), rows(d, d, 7)},
          [=](const Inputs& x, Reduction r) {
            return call(r, kernel(x[2]), x[0], labels(), x[1], reference_labels());
          },
          [=](const Inputs& x, Reduction r) {
            return terms(near(x[0], x[1], x[2]), far(x[0], x[1], x[2]),
                         Pairs(labels(), reference_labels()), false, r);
          });
    });
  }
};

// ---- comparison
// ----------------------------------------------------------------------------------

inline Inputs leaves(const Inputs& inputs, at::ScalarType rounded, at::ScalarType type) {
  Inputs out;
  for (const Tensor& x : inputs) {
    out.push_back(x.to(rounded).to(type, false, true).requires_grad_(true));
  }
  return out;
}

/// Values and gradients of sets of rows in 16 bits, or of every other set, beside those of the same
/// rows in float: the same bits, each gradient rounded to the type of its rows once. Learnt numbers
/// are float.
inline void compare_narrow(const Case& its, Reduction reduction, at::ScalarType type,
                           bool beside_float) {
  SCOPED_TRACE(its.name + ", reduction " + std::to_string(static_cast<int>(reduction)) + ", " +
               at::toString(type) + (beside_float ? " beside float" : ""));
  const Inputs wide = leaves(its.inputs, type, at::kFloat);
  Inputs narrow;
  for (std::size_t k = 0; k < wide.size(); ++k) {
    const bool in_float = wide[k].dim() < 2 || (beside_float && k % 2 == 1);
    narrow.push_back(wide[k].detach().clone().to(in_float ? at::kFloat : type));
    narrow.back().requires_grad_(true);
  }
  const Tensor value = its.ours(narrow, reduction);
  const Tensor expected = its.ours(wide, reduction);
  EXPECT_EQ(value.scalar_type(), at::kFloat);
  EXPECT_TRUE(value.equal(expected));
  const Tensor upstream = at::linspace(0.3, 1.7, value.numel(), at::kFloat).view_as(value);
  value.backward(upstream);
  expected.backward(upstream);
  for (std::size_t k = 0; k < narrow.size(); ++k) {
    ASSERT_EQ(narrow[k].grad().defined(), wide[k].grad().defined()) << "input " << k;
    if (!narrow[k].grad().defined()) continue;
    EXPECT_EQ(narrow[k].grad().scalar_type(), narrow[k].scalar_type()) << "input " << k;
    EXPECT_TRUE(narrow[k].grad().equal(wide[k].grad().to(narrow[k].scalar_type())))
        << "gradient of input " << k;
  }
}

inline void expect_near(const Tensor& ours, const Tensor& reference, double tolerance,
                        const std::string& what) {
  ASSERT_EQ(ours.sizes(), reference.sizes()) << what;
  if (ours.numel() == 0) return;
  const double scale = std::max(1.0, reference.abs().max().item<double>());
  const double apart = (ours.to(at::kDouble) - reference).abs().max().item<double>();
  EXPECT_LE(apart, tolerance * scale) << what;
}

inline void compare(const Case& its, Reduction reduction, at::ScalarType type, double tolerance) {
  SCOPED_TRACE(its.name + ", reduction " + std::to_string(static_cast<int>(reduction)));
  const Inputs ours = leaves(its.inputs, type, type);
  const Inputs theirs = leaves(its.inputs, type, at::kDouble);
  const Tensor value = its.ours(ours, reduction);
  const Tensor expected = its.reference(theirs, reduction);
  EXPECT_EQ(value.scalar_type(), type);
  expect_near(value, expected, tolerance, "value");
  if (::testing::Test::HasFatalFailure()) return;

  const Tensor upstream =
      value.dim() == 0 ? number(-1.75)
                       : rows(1, value.numel(), 77).to(at::kFloat).to(at::kDouble).view_as(value);
  value.backward(upstream.to(type));
  expected.backward(upstream);
  for (std::size_t k = 0; k < ours.size(); ++k) {
    // A matrix that the kernel has no use for.
    ASSERT_EQ(ours[k].grad().defined(), theirs[k].grad().defined()) << "input " << k;
    if (!ours[k].grad().defined()) continue;
    EXPECT_EQ(ours[k].grad().scalar_type(), type);
    expect_near(ours[k].grad(), theirs[k].grad(), tolerance,
                "gradient of input " + std::to_string(k));
  }
}

}  // namespace adapters
