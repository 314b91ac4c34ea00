// CLIP: an image tower and a text tower (here one matrix each), and the logarithm of the logit
// scale, learnt together.
#include <algorithm>
#include <cmath>
#include <iostream>
#include <nearfar/losses/clip.hpp>

int main() {
  using Matrix = nearfar::Matrix<float>;
  const Matrix meaning = Matrix::Random(64, 8);  // the common content of an image and its text
  const Matrix pixels = meaning * Matrix::Random(8, 48);
  const Matrix words = meaning * Matrix::Random(8, 20);
  Matrix image_tower = 0.1f * Matrix::Random(48, 16);
  Matrix text_tower = 0.1f * Matrix::Random(20, 16);
  double log_scale = std::log(1 / 0.07);

  double first = 0, last = 0;
  for (int step = 0; step < 200; ++step) {
    const Matrix images = pixels * image_tower;
    const Matrix texts = words * text_tower;
    const double scale = std::exp(log_scale);
    const nearfar::Clip<float> loss({.logit_scale = scale, .largest_logit_scale = 100});
    Matrix d_images, d_texts;
    const auto result = loss.forward_backward(images, texts, d_images, d_texts);

    image_tower -= 0.1f * pixels.transpose() * d_images;
    text_tower -= 0.1f * words.transpose() * d_texts;
    // Beyond the limit the derivative is that at the limit if it lowers the scale, and 0 else.
    log_scale -= 0.1 * std::min(scale, 100.0) * result.d_logit_scale;
    last = result.value;
    if (step == 0) first = last;
  }
  std::cout << "loss " << first << " -> " << last << ", scale " << std::exp(log_scale) << '\n';
  return last < 0.1 * first ? 0 : 1;
}
