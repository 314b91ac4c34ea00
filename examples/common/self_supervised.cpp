#include "common/self_supervised.hpp"

#include <algorithm>
#include <cstdio>
#include <nearfar/metrics/knn_accuracy.hpp>
#include <utility>

#include "common/classifier.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"

namespace example {
namespace {

using Eigen::Index;

constexpr Index neighbours = 20;

/// Images `which` as a network's input.
FillRow whole_images(const ImageSet& set, const PixelScale& scale,
                     const std::vector<std::size_t>& which) {
  return [&](std::size_t row, float* to) { fill_image(set, which[row], scale, to); };
}

std::vector<std::size_t> all(const ImageSet& set) { return spread(set, set.size()); }

}  // namespace

void declare_self_supervised(CLI::App& app, SelfSupervisedOptions& o) {
  app.add_option("--images", o.images, "training images to use")
      ->check(CLI::Range(16, 100000000))
      ->capture_default_str();
  app.add_option("--gallery", o.gallery, "training images that held-out images are classified from")
      ->check(CLI::Range(1, 100000000))
      ->capture_default_str();
  app.add_option("--epochs", o.epochs, "times to go through them")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--batch", o.batch, "images a step")
      ->check(CLI::Range(4, 65536))
      ->capture_default_str();
  app.add_option("--learning-rate", o.learning_rate, "the highest; it falls to 0 as a cosine")
      ->check(positive_number())
      ->capture_default_str();
  app.add_option("--temperature", o.temperature, "scores are divided by it")
      ->check(positive_number())
      ->capture_default_str();
  declare_common(app, o);
}

Images Images::read(const SelfSupervisedOptions& options) {
  Dataset data = read_dataset(options.data);
  data.train = some_images(data.train, options.images);
  prepare_folder(options.out);
  std::printf("%s: %zu training and %zu test images of %zu x %zu pixels\n", data.name.c_str(),
              data.train.size(), data.test.size(), data.train.height, data.train.width);
  std::fflush(stdout);
  const PixelScale scale(data.train);
  return {std::move(data), scale, options.seed};
}

void Images::fill_view(std::size_t step, std::size_t image, std::size_t view, float* to) const {
  Random random = random_of_view(seed, step, image, view);
  augment(data.train, image, augmentation, scale, random, to);
}

Network<float> make_encoder(const Images& images, Random& random) {
  return Network<float>(convolutional(static_cast<Index>(images.data.train.height),
                                      static_cast<Index>(images.data.train.width), {256, 64}),
                        random);
}

Judge::Judge(const Images& images, std::size_t gallery)
    : images_(images), gallery_(spread(images.data.train, gallery)) {}

Quality Judge::judge(const Pixels& train, const Pixels& test) const {
  const std::vector<std::uint8_t> train_labels = labels_of(images_.data.train, gallery_);
  const auto& test_labels = images_.data.test.labels;
  const nearfar::KnnAccuracy<float, nearfar::Cosine> knn({.k = neighbours});
  return {knn.evaluate(test, test_labels, train, train_labels).accuracy,
          linear_probe(train, train_labels, test, test_labels, Random(1))};
}

Quality Judge::raw_pixels() const {
  Pixels train;
  Pixels test;
  gather(images_.data.train, gallery_, images_.scale, train);
  gather(images_.data.test, all(images_.data.test), images_.scale, test);
  return judge(train, test);
}

Quality Judge::encoded(const Network<float>& encoder) const {
  return judge(
      represent(encoder, gallery_.size(), whole_images(images_.data.train, images_.scale, gallery_),
                representation_layer),
      test_rows(encoder));
}

Quality Judge::supervised(int epochs, double learning_rate) const {
  Random random(images_.seed);
  const ImageSet& train = images_.data.train;
  const Index classes = 1 + Index{*std::max_element(train.labels.begin(), train.labels.end())};
  Network<float> encoder(convolutional(static_cast<Index>(train.height),
                                       static_cast<Index>(train.width), {256, classes}),
                         random);
  const std::vector<std::size_t> every = all(train);
  train_classifier(encoder, whole_images(train, images_.scale, every), train.labels,
                   {.epochs = epochs, .learning_rate = learning_rate}, random);
  return encoded(encoder);
}

Pixels Judge::test_rows(const Network<float>& encoder) const {
  const ImageSet& test = images_.data.test;
  const std::vector<std::size_t> every = all(test);
  return represent(encoder, test.size(), whole_images(test, images_.scale, every),
                   representation_layer);
}

void write_quality(const SelfSupervisedOptions& options, const Images& images,
                   const std::vector<Judged>& table, const Pixels& test_rows,
                   const std::vector<Step>& history, const std::string& title) {
  const std::filesystem::path folder = options.out;
  std::printf("\n%-28s %9s  %12s\n", "held-out images, accuracy", "20-NN", "linear probe");
  OutputFile csv(folder / "quality.csv");
  csv.stream() << "representation,knn,probe\n";
  for (const Judged& row : table) {
    char line[96];
    std::printf("%-28s %9.4f  %12.4f\n", row.name.c_str(), row.quality.knn, row.quality.probe);
    std::snprintf(line, sizeof line, ",%.4f,%.4f\n", row.quality.knn, row.quality.probe);
    csv.stream() << row.name << line;
  }
  csv.commit();
  std::printf("\n");
  const Dataset& data = images.data;
  const Pixels points = plane(test_rows);  // the whole representation would make a huge table
  write_embedding(folder, {points, data.test.labels, data.class_names, data.name + ", " + title,
                           std::to_string(data.test.size()) +
                               " held-out images, first two principal components of the "
                               "representation"});
  write_loss_curve(folder, history, data.name + ", " + title);
  draw_all(folder, {"embedding", "loss"}, {"quality.csv"});
}

}  // namespace example
