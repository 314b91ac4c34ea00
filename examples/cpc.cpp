#include <algorithm>
#include <cstdio>
#include <iostream>
#include <map>
#include <nearfar/losses/cpc.hpp>

#include "common/chart.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"
#include "common/predictive_coding.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/self_supervised.hpp"

/// \file
/// Contrastive predictive coding (van den Oord et al., Representation learning with contrastive
/// predictive coding, 2018): an image is a sequence, its rows of pixels read from the top. From the
/// rows it has seen the network is to find the rows to come among others.

namespace {

using namespace example;
using Eigen::Index;
using nearfar::SequenceNegatives;

struct Options : SelfSupervisedOptions {
  Index steps = 6;
  SequenceNegatives negatives = SequenceNegatives::all;
};

/// Rows of pixels, image after image.
FillRow rows_of(const ImageSet& set, const PixelScale& scale, std::span<const std::size_t> which) {
  return [&set, &scale, which](std::size_t row, float* to) {
    const std::uint8_t* pixels = set.image(which[row / set.height]) + row % set.height * set.width;
    std::transform(pixels, pixels + set.width, to, scale);
  };
}

/// body(pass, first, count) for blocks of the images `which` that went through the model.
template <class Body>
void each_block(const PredictiveModel& model, const ImageSet& set, const PixelScale& scale,
                std::span<const std::size_t> which, std::size_t block, const Body& body) {
  PredictivePass pass(model);
  for (std::size_t first = 0; first < which.size(); first += block) {
    const std::size_t count = std::min(block, which.size() - first);
    pass.forward(count, static_cast<Index>(set.height),
                 rows_of(set, scale, which.subspan(first, count)));
    body(pass, static_cast<Index>(first), static_cast<Index>(count));
  }
}

/// Image by image the mean of its rows.
Pixels means(const Pixels& rows, Index images) {
  const Index length = rows.rows() / images;
  Pixels out(images, rows.cols());
  for (Index i = 0; i < images; ++i) {
    out.row(i) = rows.middleRows(i * length, length).colwise().mean();
  }
  return out;
}

/// The representation of images: the mean of their contexts.
Pixels represented(const PredictiveModel& model, const ImageSet& set, const PixelScale& scale,
                   std::span<const std::size_t> which) {
  Pixels out(static_cast<Index>(which.size()), model.reader.size());
  each_block(model, set, scale, which, 512,
             [&](const PredictivePass& pass, Index first, Index count) {
               out.middleRows(first, count) = means(pass.contexts(), count);
             });
  return out;
}

/// What a mean is worth that learns nothing: of the rows of pixels themselves.
Pixels mean_pixels(const ImageSet& set, const PixelScale& scale,
                   std::span<const std::size_t> which) {
  Pixels rows(static_cast<Index>(which.size() * set.height), static_cast<Index>(set.width));
  const FillRow fill = rows_of(set, scale, which);
  for (Index i = 0; i < rows.rows(); ++i) fill(static_cast<std::size_t>(i), rows.row(i).data());
  return means(rows, static_cast<Index>(which.size()));
}

/// Mean over some steps of training.
struct Stage {
  std::size_t images;  ///< seen by its end
  PredictiveSteps steps;
};

struct History {
  std::vector<Step> losses;
  std::vector<Stage> stages;
};

nearfar::CpcOptions loss_of(const Options& o, const ImageSet& set) {
  return {.length = static_cast<Index>(set.height),
          .steps = o.steps,
          .temperature = o.temperature,
          .negatives = o.negatives};
}

History train(const Options& o, const Images& images, PredictiveModel& model, Random& random) {
  const ImageSet& set = images.data.train;
  PredictiveTraining training(model, loss_of(o, set), o.threads);
  ShuffledBatches batches(set.size(), o.batch);
  const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o.epochs);
  const std::size_t stage = std::max<std::size_t>(1, steps / 40);
  History history;
  PredictiveSteps mean;
  Progress progress(std::cout, Progress::on_terminal());
  progress.start(o.epochs, batches.per_epoch(), batches.batch_size());
  for (std::size_t step = 0; step < steps; ++step) {
    const auto which = batches.next(random);
    const double rate = scheduled(o.learning_rate, step, steps);
    const auto result = training.step(which.size(), rows_of(set, images.scale, which), rate);
    history.losses.push_back(
        {static_cast<int>(step / batches.per_epoch()) + 1, rate, result.value});
    add(mean, result.steps, 1 / static_cast<double>(stage));
    if ((step + 1) % stage == 0) {
      history.stages.push_back({(step + 1) * batches.batch_size(), mean});
      mean.clear();
    }
    progress.step(result.value);
  }
  progress.finish();
  return history;
}

/// Losses and bounds of images that were not trained on, in batches as large as those of training.
PredictiveSteps held_out(const Options& o, const Images& images, const PredictiveModel& model) {
  const ImageSet& set = images.data.test;
  const nearfar::Cpc<float> loss(loss_of(o, set));
  // Whole batches only: the number of candidates is part of a bound.
  const std::size_t batch =
      std::min(ShuffledBatches(images.training_size(), o.batch).batch_size(), set.size());
  const std::vector<std::size_t> which = spread(set, set.size() / batch * batch);
  PredictiveSteps mean;
  each_block(model, set, images.scale, which, batch, [&](const PredictivePass& pass, Index, Index) {
    add(mean, loss.forward(pass.contexts(), pass.targets(), model.predictions()).steps,
        static_cast<double>(batch) / static_cast<double>(which.size()));
  });
  return mean;
}

void write_bounds(const Options& o, const std::string& name, const PredictiveSteps& steps,
                  const std::vector<Stage>& stages) {
  const std::filesystem::path folder = o.out;
  std::printf("\n%-28s %9s  %9s  %9s\n", "held-out images, rows ahead", "loss", "bound", "at most");
  OutputFile table(folder / "steps.csv");
  table.stream() << "rows_ahead,loss,bound,at_most\n";
  LineChart chart{.name = "bounds",
                  .title = name + ", CPC: what contexts tell of rows to come",
                  .subtitle = "log(candidates) - loss in nats, batches of training",
                  .x_label = "images seen",
                  .lines = {{2, "logarithm of the candidates, 1 row ahead"}}};
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const auto& [loss, bound] = steps[k];
    char line[96];
    std::printf("%-28zu %9.4f  %9.4f  %9.4f\n", k + 1, loss, bound, loss + bound);
    std::snprintf(line, sizeof line, "%zu,%.4f,%.4f,%.4f\n", k + 1, loss, bound, loss + bound);
    table.stream() << line;
    chart.lines.push_back({static_cast<int>(k) + 3, std::to_string(k + 1) + " ahead"});
  }
  table.commit();
  OutputFile curve(folder / "bounds.csv");
  curve.stream() << "images,at_most";
  for (std::size_t k = 1; k <= steps.size(); ++k) curve.stream() << ",ahead_" << k;
  for (const Stage& stage : stages) {
    curve.stream() << '\n' << stage.images << ',' << stage.steps[0].loss + stage.steps[0].bound;
    for (const nearfar::CpcStep& s : stage.steps) curve.stream() << ',' << s.bound;
  }
  curve.stream() << '\n';
  curve.commit();
  write_lines(folder, chart);
  draw_all(folder, {chart.name}, {"steps.csv", "bounds.csv"});
}

void run(const Options& o) {
  use_threads(o.threads);
  const Images images = Images::read(o);
  const ImageSet& train_set = images.data.train;
  const ImageSet& test_set = images.data.test;
  nearfar::Cpc<float>(loss_of(o, train_set));  // refuses more steps than an image has rows
  const Judge judge(images, o.gallery);
  const std::vector<std::size_t> every = spread(test_set, test_set.size());
  const auto of_model = [&](const PredictiveModel& model) {
    return judge.judge(represented(model, train_set, images.scale, judge.gallery()),
                       represented(model, test_set, images.scale, every));
  };
  Random random(o.seed);
  PredictiveModel model({.inputs = static_cast<Index>(train_set.width), .steps = o.steps}, random);
  const Quality untrained = of_model(model);
  const History history = train(o, images, model, random);
  write_quality(
      o, images,
      {{"raw pixels", judge.raw_pixels()},
       {"mean row of pixels", judge.judge(mean_pixels(train_set, images.scale, judge.gallery()),
                                          mean_pixels(test_set, images.scale, every))},
       {"untrained, mean context", untrained},
       {"CPC, mean context", of_model(model)}},
      represented(model, test_set, images.scale, every), history.losses, "CPC");
  write_bounds(o, images.data.name, held_out(o, images, model), history.stages);
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  // 32 images are 32 x 27 candidates: many small steps teach more than few large ones.
  options.batch = 32;
  options.epochs = 4;
  options.learning_rate = 3e-3;
  options.temperature = 1;
  const std::map<std::string, SequenceNegatives> kinds = {
      {"same_time", SequenceNegatives::same_time},
      {"same_sequence", SequenceNegatives::same_sequence},
      {"all", SequenceNegatives::all}};
  return run_program(
      argc, argv, "cpc",
      "Learns to predict the rows of images to come without labels, by contrastive predictive "
      "coding, and measures what that taught.",
      [&](CLI::App& app) {
        app.add_option("--steps", options.steps, "how many rows ahead are predicted")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        app.add_option("--negatives", options.negatives,
                       "same_time (rows of other images), same_sequence (of the same) or all")
            ->transform(CLI::CheckedTransformer(kinds));
        declare_self_supervised(app, options);
      },
      [&] { run(options); });
}
