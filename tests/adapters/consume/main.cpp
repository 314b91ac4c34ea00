#include <cstdio>
#include <nearfar/adapters/torch.hpp>

int main() {
  const at::Tensor x = at::randn({32, 8}).requires_grad_(true);
  const at::Tensor loss = nearfar::libtorch::nt_xent(x, at::randn({32, 8}));
  loss.backward();
  std::printf("loss %g\n", loss.item<double>());
  return x.grad().abs().sum().item<double>() > 0 ? 0 : 1;
}
