#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <map>
#include <nearfar/losses/cpc.hpp>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "common/batches.hpp"
#include "common/chart.hpp"
#include "common/classifier.hpp"
#include "common/output.hpp"
#include "common/parallel.hpp"
#include "common/plot.hpp"
#include "common/predictive_coding.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/speech.hpp"

/// \file
/// Contrastive predictive coding of speech (van den Oord et al., Representation learning with
/// contrastive predictive coding, 2018, section 3.1): from the frames of a recording that it has
/// read, a network finds the frames to come among frames of the same recording, of others, or of
/// both. Linear classifiers then look for the language and the letters of held-out recordings.

namespace {

using namespace example;
using Eigen::Index;
using nearfar::SequenceNegatives;

struct Options : CommonOptions {
  int seeds = 3;
  int epochs = 16;
  std::size_t batch = 32;
  double learning_rate = 3e-3;
  double temperature = 1;
  Index length = 32;
  Index steps = 6;
};

struct Negatives {
  const char* name;
  SequenceNegatives kind;
};

constexpr std::array<Negatives, 3> all_negatives = {
    {{"same and other recordings", SequenceNegatives::all},
     {"same recording", SequenceNegatives::same_sequence},
     {"other recordings", SequenceNegatives::same_time}}};

// ---- labels ------------------------------------------------------------------------------------

/// Something that recordings are classified by.
struct Task {
  const char* name;
  std::vector<int> labels;  ///< of each recording; -1: none
  int classes = 0;
  bool within_language = false;  ///< a classifier for each language
};

/// Classes of the texts of recordings, apart in each language. A text counts if five recordings of
/// the language have it: fewer leave nothing to learn from.
Task letters(const char* name, const Speech& speech, std::string Syllable::*part) {
  std::map<std::pair<int, std::string>, std::vector<std::size_t>> members;
  for (std::size_t i = 0; i < speech.recordings.size(); ++i) {
    const Recording& r = speech.recordings[i];
    const std::string text = syllable_of(r.name).*part;
    if (!text.empty()) members[{r.language, text}].push_back(i);
  }
  Task task{.name = name,
            .labels = std::vector<int>(speech.recordings.size(), -1),
            .within_language = true};
  for (const auto& [text, which] : members) {
    if (which.size() < 5) continue;
    for (const std::size_t i : which) task.labels[i] = task.classes;
    ++task.classes;
  }
  if (task.classes > 256) throw std::runtime_error("more than 256 different letters");
  return task;
}

std::vector<Task> tasks_of(const Speech& speech) {
  Task language{
      .name = "language", .labels = {}, .classes = static_cast<int>(speech.languages.size())};
  for (const Recording& r : speech.recordings) language.labels.push_back(r.language);
  return {language, letters("consonant", speech, &Syllable::onset),
          letters("vowel", speech, &Syllable::rhyme)};
}

// ---- recordings --------------------------------------------------------------------------------

/// Recordings with a fifth of each language held out, frames scaled to mean 0 and variance 1 over
/// those trained on.
struct Split {
  std::vector<std::size_t> train;
  std::vector<std::size_t> test;
  std::vector<Pixels> frames;
  Eigen::RowVectorXf silence;  ///< a frame without sound
};

Split split(const Speech& speech, Random& random) {
  Split out;
  std::vector<std::size_t> order(speech.recordings.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  random.shuffle(order);
  std::vector<std::size_t> seen(speech.languages.size());
  for (const std::size_t i : order) {
    (seen[speech.recordings[i].language]++ % 5 == 4 ? out.test : out.train).push_back(i);
  }
  if (out.test.empty()) {
    throw std::runtime_error("fewer than five recordings of each language: none can be held out");
  }
  const Index bands = speech.recordings[0].frames.cols();
  Eigen::RowVectorXd mean = Eigen::RowVectorXd::Zero(bands);
  Eigen::RowVectorXd variance = mean;
  double count = 0;
  for (const std::size_t i : out.train) {
    mean += speech.recordings[i].frames.cast<double>().colwise().sum();
    count += static_cast<double>(speech.recordings[i].frames.rows());
  }
  mean /= count;
  for (const std::size_t i : out.train) {
    variance += (speech.recordings[i].frames.cast<double>().rowwise() - mean)
                    .array()
                    .square()
                    .matrix()
                    .colwise()
                    .sum() /
                count;
  }
  const Eigen::RowVectorXf shift = mean.cast<float>();
  const Eigen::RowVectorXf gain =
      variance.unaryExpr([](double v) { return v > 0 ? 1 / std::sqrt(v) : 1; }).cast<float>();
  for (const Recording& r : speech.recordings) {
    out.frames.push_back((r.frames.rowwise() - shift).array().rowwise() * gain.array());
  }
  out.silence = (-shift).cwiseProduct(gain);
  return out;
}

/// Parts of some recordings, all of `length` frames from a random one on; after the end of a
/// shorter recording there is silence.
class Crops {
 public:
  Crops(const Split& data, std::span<const std::size_t> which, Index length, Random& random)
      : data_(data), which_(which.begin(), which.end()), length_(length) {
    for (const std::size_t i : which_) {
      const Index spare = std::max<Index>(0, data.frames[i].rows() - length);
      starts_.push_back(static_cast<Index>(random.below(static_cast<std::uint64_t>(spare + 1))));
    }
  }

  std::size_t count() const { return which_.size(); }
  std::size_t recording(std::size_t crop) const { return which_[crop]; }
  /// Frames of a crop before its recording ends.
  Index sounding(std::size_t crop) const {
    return std::min(length_, data_.frames[which_[crop]].rows() - starts_[crop]);
  }
  /// Frame t of crop b is row b `length` + t.
  FillRow fill() const {
    return [this](std::size_t row, float* to) {
      const std::size_t crop = row / static_cast<std::size_t>(length_);
      const Index t = static_cast<Index>(row) % length_;
      Eigen::Map<Eigen::RowVectorXf> frame(to, data_.silence.size());
      if (t < sounding(crop)) {
        frame = data_.frames[which_[crop]].row(starts_[crop] + t);
      } else {
        frame = data_.silence;
      }
    };
  }

 private:
  const Split& data_;
  std::vector<std::size_t> which_;
  Index length_;
  std::vector<Index> starts_;
};

// ---- training ----------------------------------------------------------------------------------

PredictiveModel make_model(const Options& o, const Split& data, Random& random) {
  return PredictiveModel({.inputs = data.silence.size(), .steps = o.steps}, random);
}

nearfar::CpcOptions loss_of(const Options& o, SequenceNegatives negatives) {
  return {
      .length = o.length, .steps = o.steps, .temperature = o.temperature, .negatives = negatives};
}

/// Calls body(crops, rate), which returns a loss, for each step of training.
template <class Body>
void each_step(const Options& o, const Split& data, Index length, Random& random,
               const Body& body) {
  ShuffledBatches batches(data.train.size(), o.batch);
  const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o.epochs);
  Progress progress(std::cout, Progress::on_terminal());
  progress.start(o.epochs, batches.per_epoch(), batches.batch_size(), "recordings");
  for (std::size_t step = 0; step < steps; ++step) {
    std::vector<std::size_t> which;
    for (const std::size_t i : batches.next(random)) which.push_back(data.train[i]);
    const Crops crops(data, which, length, random);
    progress.step(body(crops, scheduled(o.learning_rate, step, steps)));
  }
  progress.finish();
}

void train(const Options& o, const Split& data, SequenceNegatives negatives, PredictiveModel& model,
           Random& random) {
  PredictiveTraining training(model, loss_of(o, negatives), o.threads);
  each_step(o, data, o.length, random, [&](const Crops& crops, double rate) {
    return training.step(crops.count(), crops.fill(), rate).value;
  });
}

/// The losses and bounds on held-out recordings, in batches as large as those of training.
PredictiveSteps held_out(const Options& o, const Split& data, SequenceNegatives negatives,
                         const PredictiveModel& model) {
  const nearfar::Cpc<float> loss(loss_of(o, negatives));
  Random random(1);  // the same crops for all models
  // Whole batches only: the number of candidates is part of a bound.
  ShuffledBatches batches(data.test.size(),
                          ShuffledBatches(data.train.size(), o.batch).batch_size());
  PredictivePass pass(model);
  PredictiveSteps mean;
  for (std::size_t b = 0; b < batches.per_epoch(); ++b) {
    std::vector<std::size_t> which;
    for (const std::size_t i : batches.next(random)) which.push_back(data.test[i]);
    const Crops crops(data, which, o.length, random);
    pass.forward(crops.count(), o.length, crops.fill());
    add(mean, loss.forward(pass.contexts(), pass.targets(), model.predictions()).steps,
        1 / static_cast<double>(batches.per_epoch()));
  }
  return mean;
}

/// Linear classifiers of all tasks on top of the mean context; they are trained with the model and
/// dropped afterwards.
class Heads {
 public:
  Heads(const std::vector<Task>& tasks, Index inputs) : tasks_(tasks) {
    for (const Task& task : tasks) {
      parameters_.push_back(Eigen::VectorXf::Zero((inputs + 1) * task.classes));
      adams_.emplace_back(parameters_.back().size());
    }
  }

  /// The sum of the tasks' cross entropies; moves the classifiers and writes the gradient with
  /// respect to the means, a row for each of the recordings.
  double step(const Pixels& means, const std::vector<std::size_t>& recordings, Pixels& d_means,
              double rate) {
    d_means.setZero(means.rows(), means.cols());
    double sum = 0;
    for (std::size_t t = 0; t < tasks_.size(); ++t) {
      std::vector<Index> rows;
      std::vector<std::uint8_t> labels;
      for (std::size_t i = 0; i < recordings.size(); ++i) {
        if (tasks_[t].labels[recordings[i]] < 0) continue;
        rows.push_back(static_cast<Index>(i));
        labels.push_back(static_cast<std::uint8_t>(tasks_[t].labels[recordings[i]]));
      }
      if (rows.empty()) continue;
      Eigen::Map<Eigen::MatrixXf> weights(parameters_[t].data(), means.cols() + 1,
                                          tasks_[t].classes);
      Pixels input(static_cast<Index>(rows.size()), means.cols() + 1);
      input.rightCols(1).setOnes();
      for (Index i = 0; i < input.rows(); ++i) {
        input.row(i).head(means.cols()) = means.row(rows[static_cast<std::size_t>(i)]);
      }
      Pixels d_logits;
      sum += cross_entropy(input * weights, labels, d_logits);
      const Pixels d_input = d_logits * weights.topRows(means.cols()).transpose();
      for (Index i = 0; i < input.rows(); ++i) {
        d_means.row(rows[static_cast<std::size_t>(i)]) += d_input.row(i);
      }
      const Eigen::MatrixXf d_weights = input.transpose() * d_logits;
      adams_[t].step(parameters_[t], d_weights.reshaped(), rate);
    }
    return sum;
  }

 private:
  const std::vector<Task>& tasks_;
  std::vector<Eigen::VectorXf> parameters_;
  std::vector<Adam<float>> adams_;
};

/// Trains with the labels of all tasks at once. Crops are three times as long as CPC's, most
/// recordings as a whole: a label belongs to the whole.
void train_supervised(const Options& o, const Split& data, const std::vector<Task>& tasks,
                      PredictiveModel& model, Random& random) {
  const Index length = 3 * o.length;
  const Index size = model.reader.size();
  PredictivePass pass(model);
  PredictiveAdam adam(model);
  Heads heads(tasks, size);
  Pixels d_means;
  each_step(o, data, length, random, [&](const Crops& crops, double rate) {
    pass.forward(crops.count(), length, crops.fill());
    Pixels means(static_cast<Index>(crops.count()), size);
    std::vector<std::size_t> recordings;
    for (std::size_t b = 0; b < crops.count(); ++b) {
      const auto at = static_cast<Index>(b);
      means.row(at) = pass.contexts().middleRows(at * length, crops.sounding(b)).colwise().mean();
      recordings.push_back(crops.recording(b));
    }
    const double loss = heads.step(means, recordings, d_means, rate);
    Pixels d_contexts = Pixels::Zero(pass.contexts().rows(), size);
    for (std::size_t b = 0; b < crops.count(); ++b) {
      const auto at = static_cast<Index>(b);
      const Index sounding = crops.sounding(b);
      d_contexts.middleRows(at * length, sounding).rowwise() =
          d_means.row(at) / static_cast<float>(sounding);
    }
    Pixels d_targets = Pixels::Zero(pass.targets().rows(), pass.targets().cols());
    adam.step(pass, d_contexts, d_targets, rate);
    return loss;
  });
}

// ---- representations ---------------------------------------------------------------------------

/// One row a recording: its mean frame.
Pixels mean_frames(const Split& data) {
  Pixels out(static_cast<Index>(data.frames.size()), data.silence.size());
  for (std::size_t i = 0; i < data.frames.size(); ++i) {
    out.row(static_cast<Index>(i)) = data.frames[i].colwise().mean();
  }
  return out;
}

/// The same and the standard deviations of its frames.
Pixels frame_moments(const Split& data) {
  const Pixels means = mean_frames(data);
  Pixels out(means.rows(), 2 * means.cols());
  for (Index i = 0; i < means.rows(); ++i) {
    const Pixels& frames = data.frames[static_cast<std::size_t>(i)];
    out.row(i) << means.row(i),
        (frames.rowwise() - means.row(i)).array().square().colwise().mean().sqrt().matrix();
  }
  return out;
}

/// One row a recording, read as a whole: its mean context.
Pixels mean_contexts(const PredictiveModel& model, const Split& data) {
  Pixels out(static_cast<Index>(data.frames.size()), model.reader.size());
  parallel_for(out.rows(), [&](Index i) {
    Network<float>::Tape encoded;
    Gru<float>::Tape read;
    const Pixels& targets =
        model.encoder.forward(data.frames[static_cast<std::size_t>(i)], encoded);
    out.row(i) = model.reader.forward(targets, targets.rows(), read).colwise().mean();
  });
  return out;
}

/// Accuracies of the tasks.
using Quality = std::vector<double>;

/// Recordings of a group that have a label, a row each, and their labels.
struct Labelled {
  Pixels rows;
  std::vector<std::uint8_t> labels;
};

/// The accuracy on held-out recordings of linear classifiers, all trained and tuned alike. Threads
/// share the groups.
Quality judge(const Split& data, const std::vector<Task>& tasks, const Speech& speech,
              const Pixels& rows) {
  Quality quality;
  for (const Task& task : tasks) {
    const std::size_t groups = task.within_language ? speech.languages.size() : 1;
    std::vector<double> right(groups);
    std::vector<double> all(groups);
    parallel_for(static_cast<Index>(groups), [&](Index g) {
      const auto group = static_cast<std::size_t>(g);
      const auto part = [&](const std::vector<std::size_t>& which) {
        std::vector<Index> members;
        std::vector<std::uint8_t> labels;
        for (const std::size_t i : which) {
          if (task.labels[i] < 0) continue;
          if (task.within_language && speech.recordings[i].language != group) continue;
          members.push_back(static_cast<Index>(i));
          labels.push_back(static_cast<std::uint8_t>(task.labels[i]));
        }
        return Labelled{rows(members, Eigen::indexing::all), labels};
      };
      const Labelled train = part(data.train);
      const Labelled test = part(data.test);
      if (train.labels.size() < 5 || test.labels.empty()) return;
      all[group] = static_cast<double>(test.labels.size());
      right[group] = all[group] *
                     tuned_linear_probe(train.rows, train.labels, test.rows, test.labels, Random(1),
                                        {.epochs = 200, .batch = 32, .learning_rate = 1e-2});
    });
    const double count = std::accumulate(all.begin(), all.end(), 0.0);
    quality.push_back(count > 0 ? std::accumulate(right.begin(), right.end(), 0.0) / count : 0);
  }
  return quality;
}

// ---- tables and pictures -----------------------------------------------------------------------

/// A row of the table: the qualities of all seeds.
struct Judged {
  std::string name;
  std::vector<Quality> seeds;
};

/// Means and standard deviations over seeds.
void write_table(const std::filesystem::path& folder, const std::vector<Task>& tasks,
                 const std::vector<Judged>& table) {
  OutputFile csv(folder / "quality.csv");
  csv.stream() << "representation";
  std::printf("\n%-36s", "held-out recordings, accuracy");
  for (const Task& task : tasks) {
    csv.stream() << ',' << task.name << ',' << task.name << "_deviation";
    std::printf(" %10s         ", task.name);
  }
  std::printf("\n");
  for (const Judged& row : table) {
    csv.stream() << '\n' << row.name;
    std::printf("%-36s", row.name.c_str());
    const auto count = static_cast<double>(row.seeds.size());
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      double mean = 0;
      double square = 0;
      for (const Quality& q : row.seeds) mean += q[t] / count;
      for (const Quality& q : row.seeds) square += (q[t] - mean) * (q[t] - mean);
      const double deviation = std::sqrt(square / std::max(1.0, count - 1));
      char cells[48];
      std::snprintf(cells, sizeof cells, ",%.4f,%.4f", mean, deviation);
      csv.stream() << cells;
      std::printf(" %10.4f +-%.4f", mean, deviation);
    }
    std::printf("\n");
  }
  csv.stream() << '\n';
  csv.commit();
}

void write_bounds(const std::filesystem::path& folder, const std::vector<PredictiveSteps>& kinds) {
  OutputFile csv(folder / "bounds.csv");
  csv.stream() << "milliseconds_ahead,at_most";
  std::printf("\n%-36s", "held-out recordings, bound in nats");
  LineChart chart{.name = "bounds",
                  .title = "CPC of speech: what contexts tell of frames to come",
                  .subtitle =
                      "log(candidates) - loss in nats, held-out recordings, by the "
                      "negatives of training and test",
                  .x_label = "milliseconds ahead",
                  .y_top = 10,
                  .lines = {{2, "logarithm of the candidates, same and other recordings"}}};
  for (std::size_t k = 0; k < all_negatives.size(); ++k) {
    csv.stream() << ',' << all_negatives[k].name;
    chart.lines.push_back({static_cast<int>(k) + 3, all_negatives[k].name});
  }
  std::printf("\n%-20s %9s", "milliseconds ahead", "at most");
  for (const Negatives& n : all_negatives) std::printf("  %26s", n.name);
  std::printf("\n");
  for (std::size_t step = 0; step < kinds[0].size(); ++step) {
    const double ahead = 1000 * LogMelOptions{}.hop * static_cast<double>(step + 1);
    const double at_most = kinds[0][step].loss + kinds[0][step].bound;
    char cells[64];
    std::snprintf(cells, sizeof cells, "\n%.1f,%.4f", ahead, at_most);
    csv.stream() << cells;
    std::printf("%-20.1f %9.4f", ahead, at_most);
    for (const PredictiveSteps& steps : kinds) {
      std::snprintf(cells, sizeof cells, ",%.4f", steps[step].bound);
      csv.stream() << cells;
      std::printf("  %26.4f", steps[step].bound);
    }
    std::printf("\n");
  }
  csv.stream() << '\n';
  csv.commit();
  write_lines(folder, chart);
}

/// Held-out recordings of the ten languages that have most of them: more are not told apart by
/// colour.
void write_map(const std::filesystem::path& folder, const Split& data, const Speech& speech,
               const Pixels& rows) {
  std::vector<std::vector<std::size_t>> members(speech.languages.size());
  for (const std::size_t i : data.test) members[speech.recordings[i].language].push_back(i);
  std::vector<std::size_t> order(members.size());
  for (std::size_t l = 0; l < order.size(); ++l) order[l] = l;
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return members[a].size() > members[b].size();
  });
  order.resize(std::min<std::size_t>(order.size(), 10));
  std::sort(order.begin(), order.end());
  std::vector<Index> shown;
  std::vector<std::uint8_t> labels;
  std::vector<std::string> names;
  for (const std::size_t language : order) {
    for (const std::size_t i : members[language]) {
      shown.push_back(static_cast<Index>(i));
      labels.push_back(static_cast<std::uint8_t>(names.size()));
    }
    names.push_back(speech.languages[language]);
  }
  const Pixels points = plane(Pixels(rows(shown, Eigen::indexing::all)));
  write_embedding(folder, {.embeddings = points,
                           .labels = labels,
                           .class_names = names,
                           .title = "CPC of speech: mean contexts by language",
                           .subtitle = std::to_string(shown.size()) +
                                       " held-out recordings, first two principal components",
                           .point_size = 1.5});
}

void run(const Options& o) {
  use_threads(o.threads);
  for (const Negatives& n : all_negatives) nearfar::Cpc<float>(loss_of(o, n.kind));  // checks
  const std::filesystem::path folder = o.out;
  const Speech speech = read_speech(o.data);
  prepare_folder(folder);
  const std::vector<Task> tasks = tasks_of(speech);
  std::printf("%zu recordings in %zu languages, %d consonants and %d vowels of a language\n",
              speech.recordings.size(), speech.languages.size(), tasks[1].classes,
              tasks[2].classes);
  std::fflush(stdout);
  std::vector<Judged> table = {
      {"mean log-mel", {}}, {"mean and deviation of log-mel", {}}, {"untrained, mean context", {}}};
  for (const Negatives& n : all_negatives) table.push_back({std::string("CPC, ") + n.name, {}});
  table.push_back({"supervised, mean context", {}});
  std::vector<PredictiveSteps> bounds;
  for (int s = 0; s < o.seeds; ++s) {
    Random random(o.seed + static_cast<std::uint64_t>(s));
    const Split data = split(speech, random);
    const PredictiveModel untrained = make_model(o, data, random);
    auto row = table.begin();
    const auto judged = [&](const Pixels& rows) {
      (row++)->seeds.push_back(judge(data, tasks, speech, rows));
    };
    judged(mean_frames(data));
    judged(frame_moments(data));
    judged(mean_contexts(untrained, data));
    for (const Negatives& n : all_negatives) {
      std::printf("\nseed %d of %d, negatives: %s\n", s + 1, o.seeds, n.name);
      std::fflush(stdout);
      PredictiveModel model = untrained;
      Random order = random;
      train(o, data, n.kind, model, order);
      const Pixels contexts = mean_contexts(model, data);
      judged(contexts);
      if (s > 0) continue;
      bounds.push_back(held_out(o, data, n.kind, model));
      if (n.kind == SequenceNegatives::all) write_map(folder, data, speech, contexts);
    }
    std::printf("\nseed %d of %d, supervised\n", s + 1, o.seeds);
    std::fflush(stdout);
    PredictiveModel model = untrained;
    train_supervised(o, data, tasks, model, random);
    judged(mean_contexts(model, data));
  }
  write_table(folder, tasks, table);
  write_bounds(folder, bounds);
  std::printf("\n");
  draw_all(folder, {"embedding", "bounds"}, {"quality.csv", "bounds.csv"});
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  options.data = "/usr/share/klettres";
  return run_program(
      argc, argv, "cpc_speech",
      "Learns to predict the frames of speech to come without labels, by contrastive predictive "
      "coding, and measures what that taught of languages and letters.",
      [&](CLI::App& app) {
        app.add_option("--seeds", options.seeds,
                       "trainings, with --seed, --seed + 1 ..; each holds out other recordings")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        app.add_option("--epochs", options.epochs, "times to go through the recordings")
            ->check(CLI::Range(1, 100000))
            ->capture_default_str();
        app.add_option("--batch", options.batch, "recordings a step")
            ->check(CLI::Range(2, 4096))
            ->capture_default_str();
        app.add_option("--length", options.length, "frames of a recording in a step")
            ->check(CLI::Range(2, 10000))
            ->capture_default_str();
        app.add_option("--steps", options.steps, "how many frames ahead are predicted")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        app.add_option("--learning-rate", options.learning_rate,
                       "the highest; it falls to 0 as a cosine")
            ->check(positive_number())
            ->capture_default_str();
        app.add_option("--temperature", options.temperature, "scores are divided by it")
            ->check(positive_number())
            ->capture_default_str();
        declare_common(app, options, "folder with a folder of recordings for each language");
      },
      [&] { run(options); });
}
