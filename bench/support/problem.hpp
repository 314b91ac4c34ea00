#pragma once

#include <algorithm>
#include <vector>

#include "support/data.hpp"
#include "support/reference.hpp"
#include "support/shape.hpp"

/// \file
/// The arrays of one shape, and the differences of results from a reference.

namespace bench {

/// Rows of a shape, and destinations of gradients. Keys are near their queries, second views near
/// first; slices have length 1.
template <class S>
class Problem {
 public:
  explicit Problem(const Shape& shape) : shape_(shape), subject_(subject_of(shape)) {
    const Eigen::Index rows = subject_.one_set ? shape.n : shape.n + shape.m;
    rows_ = normal_rows<double>(rows, shape.d, 1).template cast<S>();
    const Eigen::Index first = subject_.views ? rows / 2 : shape.n;
    const Eigen::Index near =
        std::min(first, rows - first);  // there may be fewer proxies than rows
    if (subject_.slices) {
      rows_.bottomRows(shape.m).rowwise().normalize();
    } else if (subject_.views || !subject_.one_set) {
      rows_.middleRows(first, near) += rows_.topRows(near);
    }
    if (shape.bfloat16) {
      rows_ = rows_.template cast<Eigen::bfloat16>().template cast<S>().eval();
    }
    gradients_ = RowMatrix<S>::Zero(rows, shape.d);
    labels_ = labels(shape.n);
  }

  /// The same rows, to the last digit, in another type.
  template <class T>
  Problem(const Problem<T>& other)  // NOLINT(google-explicit-constructor): a cast
      : shape_(other.shape()),
        subject_(other.subject()),
        rows_(other.rows().template cast<S>()),
        gradients_(RowMatrix<S>::Zero(rows_.rows(), rows_.cols())),
        labels_(labels(shape_.n)) {}

  Batch<S> batch() {
    Batch<S> out;
    out.loss = subject_.loss;
    out.kernel = subject_.kernel;
    out.n = shape_.n;
    out.m = shape_.m;
    out.d = shape_.d;
    out.threads = shape_.threads;
    out.temperature = subject_.temperature;
    out.margin = subject_.margin;
    const Eigen::Index second = subject_.one_set ? 0 : shape_.n * shape_.d;
    out.x = rows_.data();
    out.y = rows_.data() + second;
    out.labels = labels_.data();
    out.dx = gradients_.data();
    out.dy = gradients_.data() + second;
    return out;
  }

  const Shape& shape() const { return shape_; }
  const Subject& subject() const { return subject_; }
  const RowMatrix<S>& rows() const { return rows_; }
  RowMatrix<S>& gradients() { return gradients_; }

 private:
  Shape shape_;
  Subject subject_;
  RowMatrix<S> rows_;
  RowMatrix<S> gradients_;
  std::vector<int> labels_;
};

/// A value and its gradients, of all sets of rows.
struct Answer {
  double value = 0;
  RowMatrix<double> gradients;
};

/// The result of `peer` for a problem.
template <class S>
Answer answer_of(Problem<S>& problem, Peer<S>& peer) {
  problem.gradients().setZero();
  const double value = peer.call();
  peer.fetch();
  return {value, problem.gradients().template cast<double>()};
}

/// Largest difference of two answers' gradients, relative to the largest element of the second's.
inline double gradient_error(const Answer& answer, const Answer& reference) {
  const double largest = reference.gradients.cwiseAbs().maxCoeff();
  const double difference = (answer.gradients - reference.gradients).cwiseAbs().maxCoeff();
  return largest > 0 ? difference / largest : difference;
}

}  // namespace bench
