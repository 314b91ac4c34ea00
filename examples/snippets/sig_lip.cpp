// SigLIP: binary cross entropy of each pair of an image and a text; scale and bias are learnt.
#include <iostream>
#include <nearfar/losses/sig_lip.hpp>

int main() {
  nearfar::Matrix<float> images = nearfar::Matrix<float>::Random(64, 16);
  nearfar::Matrix<float> texts = nearfar::Matrix<float>::Random(64, 16);
  double scale = 10, bias = -10;  // the paper's initial values

  double first = 0, last = 0;
  for (int step = 0; step < 300; ++step) {
    const nearfar::SigLip<float> loss({.logit_scale = scale, .logit_bias = bias});
    nearfar::Matrix<float> d_images, d_texts;
    const auto result = loss.forward_backward(images, texts, d_images, d_texts);
    images -= d_images;
    texts -= d_texts;
    scale -= 0.01 * result.d_logit_scale;
    bias -= 0.01 * result.d_logit_bias;
    last = result.value;  // the sum over all N^2 pairs, divided by N
    if (step == 0) first = last;
  }
  std::cout << "loss " << first << " -> " << last << ", scale " << scale << ", bias " << bias
            << '\n';
  return last < 0.1 * first ? 0 : 1;
}
