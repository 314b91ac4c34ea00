#include "common/gru.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <type_traits>

#include "common/parallel.hpp"

namespace example {
namespace {

using Eigen::Index;

constexpr Index shard_sequences = 16;

/// The parameters, or their gradient, by name.
template <class Vector, class Matrix, class ColumnVector>
struct Parts {
  Eigen::Map<Matrix> w;
  Eigen::Map<Matrix> u;
  Eigen::Map<ColumnVector> b;
  Eigen::Map<ColumnVector> c;

  Parts(Vector& all, Index inputs, Index size)
      : w(all.data(), inputs, 3 * size),
        u(w.data() + w.size(), size, 3 * size),
        b(u.data() + u.size(), 3 * size),
        c(b.data() + b.size(), size) {}
};

template <class S>
auto parts_of(const Eigen::Matrix<S, Eigen::Dynamic, 1>& all, Index inputs, Index size) {
  using Vector = const Eigen::Matrix<S, Eigen::Dynamic, 1>;
  return Parts<Vector, const typename Gru<S>::Matrix, Vector>(all, inputs, size);
}

template <class S>
auto parts_of(Eigen::Matrix<S, Eigen::Dynamic, 1>& all, Index inputs, Index size) {
  using Vector = Eigen::Matrix<S, Eigen::Dynamic, 1>;
  return Parts<Vector, typename Gru<S>::Matrix, Vector>(all, inputs, size);
}

/// Position t of all sequences: every length-th row.
template <class Matrix>
auto at_time(Matrix& rows, Index length, Index t) {
  using Plain = std::conditional_t<std::is_const_v<Matrix>, const typename Matrix::PlainObject,
                                   typename Matrix::PlainObject>;
  return Eigen::Map<Plain, Eigen::Unaligned, Eigen::OuterStride<>>(
      rows.data() + t * rows.outerStride(), rows.rows() / length, rows.cols(),
      Eigen::OuterStride<>(length * rows.outerStride()));
}

}  // namespace

template <class S>
Gru<S>::Gru(Index inputs, Index size, Random& random) : inputs_(inputs), size_(size) {
  if (inputs < 1 || size < 1) throw std::invalid_argument("Gru: sizes must be > 0");
  parameters_.setZero((inputs + size) * 3 * size + 4 * size);
  auto p = parts_of<S>(parameters_, inputs, size);
  const auto fill = [&](auto& weights) {
    const double deviation = 1 / std::sqrt(static_cast<double>(weights.rows()));
    for (Index i = 0; i < weights.size(); ++i) {
      weights.data()[i] = static_cast<S>(deviation * random.normal());
    }
  };
  fill(p.w);
  fill(p.u);
  p.b.segment(size, size).setOnes();
}

template <class S>
const typename Gru<S>::Matrix& Gru<S>::forward(const Rows& input, Index length, Tape& tape) const {
  const auto p = parts_of<S>(parameters_, inputs_, size_);
  const Index h = size_;
  tape.states.resize(input.rows(), h);
  tape.recalled.resize(input.rows(), h);
  tape.gates.resize(input.rows(), 3 * h);
  tape.gates.noalias() = input * p.w;
  tape.gates.rowwise() += p.b.transpose();
  Matrix before = Matrix::Zero(input.rows() / length, h);
  Matrix product;
  for (Index t = 0; t < length; ++t) {
    auto gates = at_time(tape.gates, length, t);
    auto recalled = at_time(tape.recalled, length, t);
    product.noalias() = before * p.u;
    auto r = gates.leftCols(h).array();
    auto u = gates.middleCols(h, h).array();
    auto n = gates.rightCols(h).array();
    r = (r + product.leftCols(h).array()).logistic();
    u = (u + product.middleCols(h, h).array()).logistic();
    recalled = product.rightCols(h).rowwise() + p.c.transpose();
    n = (n + r * recalled.array()).tanh();
    before.array() = n + u * (before.array() - n);
    at_time(tape.states, length, t) = before;
  }
  return tape.states;
}

template <class S>
void Gru<S>::backward(const Rows& input, Index length, Tape& tape, const Rows& d_states,
                      Vector& d_parameters, Matrix& d_input) const {
  const auto p = parts_of<S>(parameters_, inputs_, size_);
  d_parameters.setZero(parameters_.size());
  auto d = parts_of<S>(d_parameters, inputs_, size_);
  const Index h = size_;
  tape.d_inputs.resize(input.rows(), 3 * h);
  tape.d_recurrent.resize(input.rows(), 3 * h);
  Matrix dh = Matrix::Zero(input.rows() / length, h);
  const Matrix start = dh;
  for (Index t = length; t-- > 0;) {
    const auto gates = at_time(tape.gates, length, t);
    const auto r = gates.leftCols(h).array();
    const auto u = gates.middleCols(h, h).array();
    const auto n = gates.rightCols(h).array();
    const Matrix before = t > 0 ? Matrix(at_time(tape.states, length, t - 1)) : start;
    auto d_in = at_time(tape.d_inputs, length, t);
    auto d_back = at_time(tape.d_recurrent, length, t);
    dh += at_time(d_states, length, t);
    d_in.rightCols(h) = dh.array() * (1 - u) * (1 - n.square());
    d_in.leftCols(h) =
        d_in.rightCols(h).array() * at_time(tape.recalled, length, t).array() * r * (1 - r);
    d_in.middleCols(h, h) = dh.array() * (before.array() - n) * u * (1 - u);
    d_back.leftCols(2 * h) = d_in.leftCols(2 * h);
    d_back.rightCols(h) = d_in.rightCols(h).array() * r;
    d.u.noalias() += before.transpose() * d_back;
    dh.array() *= u;
    dh.noalias() += d_back * p.u.transpose();
  }
  d.w.noalias() = input.transpose() * tape.d_inputs;
  d.b = tape.d_inputs.colwise().sum().transpose();
  d.c = tape.d_recurrent.rightCols(h).colwise().sum().transpose();
  d_input.noalias() = tape.d_inputs * p.w.transpose();
}

template class Gru<float>;
template class Gru<double>;

template <class Body>
void GruPass::each_shard(const Body& body) {
  const Index shard_rows = shard_sequences * length_;
  parallel_for(static_cast<Index>(shards_.size()), [&](Index s) {
    const Index first = s * shard_rows;
    body(shards_[static_cast<std::size_t>(s)], first, std::min(shard_rows, input_->rows() - first));
  });
}

const Pixels& GruPass::forward(const Pixels& input, Index length) {
  input_ = &input;
  length_ = length;
  const Index sequences = input.rows() / length;
  shards_.resize(static_cast<std::size_t>((sequences + shard_sequences - 1) / shard_sequences));
  states_.resize(input.rows(), unit_.size());
  each_shard([&](Shard& shard, Index first, Index rows) {
    states_.middleRows(first, rows) =
        unit_.forward(input.middleRows(first, rows), length, shard.tape);
  });
  return states_;
}

const Gru<float>::Vector& GruPass::backward(const Pixels& d_states, Pixels& d_input) {
  each_shard([&](Shard& shard, Index first, Index rows) {
    unit_.backward(input_->middleRows(first, rows), length_, shard.tape,
                   d_states.middleRows(first, rows), shard.gradient, shard.d_input);
    d_input.middleRows(first, rows) += shard.d_input;
  });
  for (std::size_t s = 1; s < shards_.size(); ++s) shards_[0].gradient += shards_[s].gradient;
  return shards_[0].gradient;
}

}  // namespace example
