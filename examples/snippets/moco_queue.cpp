// MoCo: keys of earlier batches are negatives; a momentum encoder computes the keys.
#include <iostream>
#include <nearfar/losses/info_nce.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/momentum.hpp>
#include <vector>

using Matrix = nearfar::Matrix<float>;

// A random view: the last columns are independent of the image.
Matrix view_of(const Matrix& images) {
  Matrix view = images;
  view.rightCols(16).setRandom();
  return view;
}

int main() {
  const Matrix data = Matrix::Random(512, 32);
  Matrix encoder = Matrix::Random(32, 16);
  Matrix slow_encoder = encoder;
  nearfar::KeyQueue<float> queue(256, 16);
  const nearfar::InfoNce<float> loss({.temperature = 0.2});

  double first_full = 0, value = 0;
  for (int step = 0; step < 80; ++step) {
    const nearfar::Index first = step * 64 % 512;
    const Matrix images = data.middleRows(first, 64);
    std::vector<nearfar::Index> ids(64);  // the image of each key
    for (std::size_t i = 0; i < 64; ++i) ids[i] = first + static_cast<nearfar::Index>(i);
    const Matrix input = view_of(images);
    const Matrix queries = input * encoder;
    const Matrix keys = view_of(images) * slow_encoder;

    // A query is not compared with an old key of its own image; keys have no gradient.
    Matrix d_queries;
    value = loss.forward_backward(queries, keys, queue.negatives(ids), d_queries,
                                  nearfar::no_gradient, nearfar::no_gradient)
                .value;
    if (step == 4) first_full = value;
    encoder -= input.transpose() * d_queries;
    nearfar::momentum_update(slow_encoder, encoder, 0.99);
    queue.push(keys, ids);
  }
  std::cout << "loss " << first_full << " -> " << value << " against " << queue.size()
            << " old keys\n";
  return queue.full() && value < 0.8 * first_full ? 0 : 1;
}
