// CPC: the context of a sequence predicts its positions one and two steps later.
#include <iostream>
#include <nearfar/losses/cpc.hpp>

int main() {
  using Matrix = nearfar::Matrix<float>;
  constexpr nearfar::Index sequences = 16, length = 12, steps = 2, dim = 8;
  // Sequences whose elements move up by one column a step.
  Matrix targets(sequences * length, dim);  // position t of sequence b in row b length + t
  for (nearfar::Index i = 0; i < sequences * length; ++i) {
    if (i % length == 0) {
      targets.row(i).setRandom();
    } else {
      targets.row(i) << targets.row(i - 1).tail(dim - 1), targets(i - 1, 0);
    }
  }
  const Matrix& contexts = targets;  // the present contains all that the prediction needs

  Matrix weights = Matrix::Zero(steps * dim, dim);  // W_1 above W_2
  const nearfar::Cpc<float> loss({.length = length, .steps = steps, .temperature = 0.2});
  nearfar::CpcResult result;
  for (int step = 0; step < 200; ++step) {
    Matrix d_weights;
    result = loss.forward_backward(contexts, targets, weights, nearfar::no_gradient,
                                   nearfar::no_gradient, d_weights);
    weights -= 0.2f * d_weights;
  }
  for (const nearfar::CpcStep& step : result.steps) {
    std::cout << "loss " << step.loss << ", log(candidates) - loss " << step.bound << '\n';
  }
  return result.steps[0].bound > 2 && result.steps[1].bound > 2 ? 0 : 1;
}
