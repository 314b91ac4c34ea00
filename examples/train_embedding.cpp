#include <chrono>
#include <cstdio>
#include <iostream>
#include <nearfar/metrics/knn_accuracy.hpp>
#include <nearfar/metrics/retrieval.hpp>
#include <string>
#include <utility>
#include <vector>

#include "common/dataset.hpp"
#include "common/network.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/trainer.hpp"
#include "common/training_losses.hpp"

/// \file
/// Trains an encoder of small images with one of nearfar's losses, prints the quality of the
/// embeddings of held-out images, and draws a map of them.

namespace {

using namespace example;

constexpr std::size_t gallery_limit = 10000;
constexpr Eigen::Index neighbours = 10;

struct Options : CommonOptions {
  std::string loss = "hadsell";
  int dim = 2;
  std::size_t batch = 256;
  int epochs = 10;
  std::vector<int> classes;
  std::vector<int> hidden = {256, 128};
  double learning_rate = 2e-3;
  double weight_decay = 1e-2;
  LossSettings settings;
};

CLI::Validator known_loss() {
  return CLI::Validator(
      [](const std::string& name) {
        return find_training_loss(name) != nullptr
                   ? std::string()
                   : "unknown loss '" + name + "', there are " + training_loss_names();
      },
      "NAME");
}

void declare(CLI::App& app, Options& o) {
  std::string losses = "loss to train with";
  for (const TrainingLoss& loss : training_losses()) {
    losses += "\n" + std::string(loss.name) + ": " + std::string(loss.summary);
  }
  app.add_option("--loss", o.loss, losses)->check(known_loss())->capture_default_str();
  app.add_option("--dim", o.dim,
                 "numbers an embedding has; above 2, the map shows the first two "
                 "principal components")
      ->check(CLI::Range(2, 1024))
      ->capture_default_str();
  app.add_option("--batch", o.batch, "images a step")
      ->check(CLI::Range(4, 65536))
      ->capture_default_str();
  app.add_option("--epochs", o.epochs, "times to go through the training images")
      ->check(CLI::Range(1, 100000))
      ->capture_default_str();
  app.add_option("--classes", o.classes, "use these classes only, such as 4,9")->delimiter(',');
  app.add_option("--hidden", o.hidden, "widths of the hidden layers")
      ->delimiter(',')
      ->check(CLI::Range(1, 8192))
      ->capture_default_str();
  app.add_option("--learning-rate", o.learning_rate, "the highest; it falls to 0 as a cosine")
      ->check(positive_number())
      ->capture_default_str();
  app.add_option("--weight-decay", o.weight_decay, "of AdamW")
      ->check(fraction())
      ->capture_default_str();
  app.add_option("--margin", o.settings.margin, "of losses with one; each has its default")
      ->check(positive_number());
  app.add_option("--temperature", o.settings.temperature,
                 "of losses with one; each has its default")
      ->check(positive_number());
  declare_common(app, o);
}

struct Score {
  double recall = 0;
  double accuracy = 0;
};

/// Compares held-out images with each other and with a gallery of training images.
class Judge {
 public:
  Judge(const Dataset& data, const PixelScale& scale)
      : data_(data),
        scale_(scale),
        gallery_(spread(data.train, gallery_limit)),
        test_(spread(data.test, data.test.size())),
        gallery_labels_(labels_of(data.train, gallery_)) {}

  Score raw_pixels() const {
    Pixels gallery;
    Pixels test;
    gather(data_.train, gallery_, scale_, gallery);
    gather(data_.test, test_, scale_, test);
    return score(gallery, test);
  }

  Score encoded(const Network<float>& encoder) const {
    return score(encode(encoder, data_.train, scale_, gallery_), test_embeddings(encoder));
  }

  Pixels test_embeddings(const Network<float>& encoder) const {
    return encode(encoder, data_.test, scale_, test_);
  }

 private:
  Score score(const Pixels& gallery, const Pixels& test) const {
    const nearfar::Retrieval<float, nearfar::SquaredEuclidean> retrieval({.ks = {1}});
    const nearfar::KnnAccuracy<float, nearfar::SquaredEuclidean> knn(
        {.k = neighbours, .vote = nearfar::KnnVote::majority});
    const auto& labels = data_.test.labels;
    return {retrieval.evaluate(test, labels).recall[0],
            knn.evaluate(test, labels, gallery, gallery_labels_).accuracy};
  }

  const Dataset& data_;
  const PixelScale& scale_;
  std::vector<std::size_t> gallery_;
  std::vector<std::size_t> test_;
  std::vector<std::uint8_t> gallery_labels_;
};

void print_row(const std::string& name, Score score) {
  std::printf("%-20s %9.4f  %13.4f\n", name.c_str(), score.recall, score.accuracy);
}

void write_results(const Options& o, const Dataset& data, const TrainingLoss& loss,
                   const Pixels& embeddings, Score trained, const std::vector<Step>& history) {
  const std::filesystem::path folder = o.out;
  char figures[96];
  std::snprintf(figures, sizeof figures, "recall@1 %.3f, 10-nearest-neighbour accuracy %.3f",
                trained.recall, trained.accuracy);
  const std::string shown =
      o.dim > 2 ? "first two principal components of " + std::to_string(o.dim) : "embedded in 2-D";
  const std::string counted = std::to_string(data.test.size()) + " held-out images, " + shown;
  write_embedding(folder, {embeddings, data.test.labels, data.class_names,
                           data.name + ", " + std::string(loss.title), counted + "; " + figures});
  write_loss_curve(folder, history, data.name + ", " + std::string(loss.title));
  draw_all(folder, {"embedding", "loss"}, {"embedding.csv", "loss.csv"});
}

void run(const Options& o) {
  const auto began = std::chrono::steady_clock::now();
  use_threads(o.threads);
  Dataset data = read_dataset(o.data);
  if (!o.classes.empty()) keep_classes(data, o.classes);
  const TrainingLoss& loss = *find_training_loss(o.loss);
  LossSettings settings = o.settings;
  // The pairs of a small batch take less time than the start of a second thread.
  settings.threads = o.batch <= 1024 ? 1 : o.threads;
  const LossFunction loss_function = loss.make(settings);
  prepare_folder(o.out);

  std::printf("%s: %zu training and %zu test images of %zu x %zu pixels, %zu classes\n",
              data.name.c_str(), data.train.size(), data.test.size(), data.train.height,
              data.train.width, classes_of(data.train.labels).size());
  std::fflush(stdout);

  const PixelScale scale(data.train);
  const Judge judge(data, scale);
  std::vector<Eigen::Index> widths = {static_cast<Eigen::Index>(data.train.image_size())};
  widths.insert(widths.end(), o.hidden.begin(), o.hidden.end());
  widths.push_back(o.dim);
  Random random(o.seed);
  Network<float> encoder(widths, random);
  const Score untrained = judge.encoded(encoder);

  std::vector<Step> history;
  {
    Progress progress(std::cout, Progress::on_terminal());
    history = train(encoder, data.train, scale, loss_function,
                    {o.epochs, o.batch, o.learning_rate, o.weight_decay}, random, progress);
  }
  const Pixels embeddings = judge.test_embeddings(encoder);
  const Score trained = judge.encoded(encoder);

  std::printf("\nheld-out images       recall@1   kNN accuracy (k = %td, gallery of %zu)\n",
              neighbours, std::min(gallery_limit, data.train.size()));
  print_row("raw pixels", judge.raw_pixels());
  print_row("untrained encoder", untrained);
  print_row("trained encoder", trained);
  std::printf("\n");
  write_results(o, data, loss, embeddings, trained, history);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  std::printf("%.1f s\n", took.count());
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  return run_program(
      argc, argv, "train_embedding",
      "Trains an encoder of small images with a contrastive loss, measures the embeddings "
      "of held-out images and draws a map of them.",
      [&](CLI::App& app) { declare(app, options); }, [&] { run(options); });
}
