// A memory bank: the last embedding of every sample, by its index (instance discrimination).
#include <iostream>
#include <nearfar/losses/nce.hpp>
#include <nearfar/memory/memory_bank.hpp>
#include <nearfar/sampling/noise_sampler.hpp>
#include <vector>

int main() {
  using Matrix = nearfar::Matrix<float>;
  nearfar::MemoryBank<float> bank(1000, 16, {.momentum = 0.5});
  const nearfar::NoiseSampler noise(std::vector<double>(1000, 1.0));  // uniform over all samples
  const nearfar::Nce<float, nearfar::Cosine> loss({.temperature = 0.1, .log_z = 8});

  const std::vector<nearfar::Index> batch = {4, 8, 15, 16, 23, 42};
  Matrix x = Matrix::Random(6, 16);  // the encoder's present embeddings of them
  double first = 0, last = 0;
  for (std::uint64_t step = 0; step < 30; ++step) {
    std::vector<nearfar::Index> drawn(64);
    noise.draw(/*seed=*/1, step, drawn);
    Matrix keys, negatives, dx;
    bank.gather(batch, keys);
    bank.gather(drawn, negatives);
    std::vector<float> log_noise_keys, log_noise_negatives;
    noise.log_probabilities(batch, log_noise_keys);
    noise.log_probabilities(drawn, log_noise_negatives);
    last = loss.forward_backward(x, keys, negatives, log_noise_keys, log_noise_negatives, dx,
                                 nearfar::no_gradient, nearfar::no_gradient)
               .value;
    if (step == 0) first = last;
    x -= dx;
    bank.update(batch, x);
  }
  std::cout << "loss " << first << " -> " << last << '\n';
  return last < 0.5 * first ? 0 : 1;
}
