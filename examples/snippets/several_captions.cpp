// Several captions an image: a pair for each caption, the image's number as the pair's label.
#include <cmath>
#include <iostream>
#include <nearfar/losses/clip.hpp>
#include <nearfar/losses/sig_lip.hpp>
#include <vector>

int main() {
  using Matrix = nearfar::Matrix<float>;
  const std::vector<int> image_of = {0, 0, 0, 1, 1, 2, 3, 3};  // of each caption
  const Matrix pictures = Matrix::Random(4, 16);
  const Matrix images =
      pictures(image_of, Eigen::indexing::all) + 0.1f * Matrix::Random(8, 16);  // crops
  const Matrix texts = pictures(image_of, Eigen::indexing::all) + 0.1f * Matrix::Random(8, 16);

  // Labels: all captions of an image are its positives. CLIP's softmax gives each an equal share,
  // so the loss is at least log 2 for two, log 3 for three.
  const nearfar::Clip<float> clip({.logit_scale = 20});
  Matrix d_images, d_texts;
  const double shared = clip.forward_backward(images, texts, image_of, d_images, d_texts).value;
  const double shares = (3 * std::log(3.0) + 4 * std::log(2.0)) / 8;

  // Ids instead: an image's other captions are neither positives nor negatives.
  const double own = clip.forward(images, texts, nearfar::Targets().ids(image_of)).value;

  // SigLIP classifies each pair as a match or not; with labels all captions of an image match.
  const nearfar::SigLip<float> sig_lip({.logit_scale = 20, .logit_bias = -10});
  const double one_matches = sig_lip.forward(images, texts).value;
  const double all_match = sig_lip.forward(images, texts, image_of).value;

  std::cout << "CLIP " << shared << " with labels, " << own << " with ids; SigLIP " << one_matches
            << ", with labels " << all_match << '\n';
  return std::abs(shared - shares) < 0.1 && own < 0.1 && all_match < 0.1 * one_matches ? 0 : 1;
}
