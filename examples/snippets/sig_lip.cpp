// SigLIP: each pair of an image and a text is a question of its own; scale and bias are learnt.
#include <iostream>
#include <nearfar/losses/sig_lip.hpp>

int main() {
  nearfar::Matrix<float> images = nearfar::Matrix<float>::Random(64, 16);
  nearfar::Matrix<float> texts = nearfar::Matrix<float>::Random(64, 16);
  double scale = 10, bias = -10;  // where the paper starts

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
