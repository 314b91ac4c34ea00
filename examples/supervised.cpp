#include <chrono>
#include <functional>
#include <iostream>
#include <nearfar/losses/circle.hpp>
#include <nearfar/losses/mined_triplet.hpp>
#include <nearfar/losses/multi_similarity.hpp>
#include <nearfar/losses/sup_con.hpp>
#include <nearfar/metrics/knn_accuracy.hpp>
#include <nearfar/metrics/retrieval.hpp>
#include <nearfar/sampling/m_per_class.hpp>

#include "common/adam.hpp"
#include "common/batch_pass.hpp"
#include "common/dataset.hpp"
#include "common/output.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"

/// \file
/// Losses over labels compared: the same encoder, the same batches, the same number of steps.

namespace {

using namespace example;
using nearfar::Mining;
using nearfar::TripletForm;

struct Options : CommonOptions {
  int steps = 400;
  Eigen::Index classes = 10;
  Eigen::Index per_class = 16;
  int dim = 64;
  double learning_rate = 2e-3;
};

/// Computes the gradient from embeddings and labels; returns the value. `step` counts from 0.
using Loss = std::function<double(const Pixels& x, const std::vector<std::uint8_t>& labels,
                                  std::size_t step, Pixels& dx, nearfar::Workspace& workspace)>;

template <class L>
double gradient(const L& loss, const Pixels& x, const std::vector<std::uint8_t>& labels, Pixels& dx,
                nearfar::Workspace& workspace) {
  return loss.forward_backward(x, labels, dx, {.workspace = &workspace}).value;
}

/// Triplets of cosines: a margin has the same meaning for any mining. The soft margin has a
/// gradient at any distance of a triplet's negative.
Loss triplet(Mining mining, TripletForm form = TripletForm::hinge) {
  return [mining, form](const auto& x, const auto& labels, std::size_t step, auto& dx,
                        auto& workspace) {
    const nearfar::MinedTriplet<float, nearfar::Cosine> loss(
        {.margin = 0.2,
         .form = form,
         .mining = mining,
         .weighting = {.step = step},
         .reduction = nearfar::Reduction::mean_nonzero});
    return gradient(loss, x, labels, dx, workspace);
  };
}

template <class L>
Loss plain(const L& loss) {
  return [loss](const auto& x, const auto& labels, std::size_t, auto& dx, auto& workspace) {
    return gradient(loss, x, labels, dx, workspace);
  };
}

struct Contender {
  std::string name;
  Loss loss;
};

std::vector<Contender> contenders() {
  return {
      {"triplet, all", triplet(Mining::all)},
      {"triplet, semi-hard", triplet(Mining::semihard)},
      // An easy triplet's hinge and gradient are 0: only the soft margin trains with easy triplets.
      {"triplet, easy, soft", triplet(Mining::easy, TripletForm::soft)},
      {"triplet, batch-hard", triplet(Mining::batch_hard)},
      {"triplet, batch-hard, soft", triplet(Mining::batch_hard, TripletForm::soft)},
      {"triplet, distance-weighted", triplet(Mining::distance_weighted)},
      {"SupCon", plain(nearfar::SupCon<float>())},
      {"multi-similarity", plain(nearfar::MultiSimilarity<float, nearfar::Cosine>())},
      {"circle", plain(nearfar::Circle<float, nearfar::Cosine>({.gamma = 32}))}};
}

struct Scores {
  double recall = 0;
  double map_at_r = 0;
  double knn = 0;
};

/// Compares held-out images with each other, by cosine.
Scores judge(const Pixels& rows, const std::vector<std::uint8_t>& labels) {
  const nearfar::Retrieval<float, nearfar::Cosine> retrieval({.ks = {1}});
  const nearfar::KnnAccuracy<float, nearfar::Cosine> knn({.k = 10});
  const auto found = retrieval.evaluate(rows, labels);
  return {found.recall[0], found.map_at_r, knn.evaluate(rows, labels).accuracy};
}

class Contest {
 public:
  explicit Contest(const Options& options)
      : o_(options),
        data_(read_dataset(options.data)),
        scale_(data_.train),
        sampler_(data_.train.labels,
                 {.classes = options.classes, .m = options.per_class, .seed = options.seed}) {
    prepare_folder(o_.out);
    std::printf("%s: %zu training and %zu test images; %d steps of %td images\n",
                data_.name.c_str(), data_.train.size(), data_.test.size(), o_.steps,
                sampler_.batch_size());
  }

  void run() {
    std::printf("\n%-28s %9s %9s %9s %9s\n", "held-out images", "recall@1", "MAP@R", "10-NN",
                "ms/step");
    OutputFile csv(std::filesystem::path(o_.out) / "supervised.csv");
    csv.stream() << "trained with,recall@1,MAP@R,10-NN accuracy\n";
    Pixels pixels;
    gather(data_.test, spread(data_.test, data_.test.size()), scale_, pixels);
    report("raw pixels", judge(pixels, data_.test.labels), 0, csv);
    report("untrained encoder", judge(embedded(fresh_encoder()), data_.test.labels), 0, csv);
    for (const Contender& contender : contenders()) {
      double milliseconds = 0;
      const Network<float> encoder = train(contender.loss, milliseconds);
      report(contender.name, judge(embedded(encoder), data_.test.labels), milliseconds, csv);
    }
    csv.commit();
    std::printf("\nin %s: supervised.csv\n", o_.out.c_str());
  }

 private:
  Network<float> fresh_encoder() const {
    Random random(o_.seed);
    return Network<float>(convolutional(static_cast<Eigen::Index>(data_.train.height),
                                        static_cast<Eigen::Index>(data_.train.width), {o_.dim}),
                          random);
  }

  Pixels embedded(const Network<float>& encoder) const {
    return represent(encoder, data_.test.size(),
                     [&](std::size_t row, float* to) { fill_image(data_.test, row, scale_, to); });
  }

  Network<float> train(const Loss& loss, double& milliseconds) const {
    Network<float> encoder = fresh_encoder();
    BatchPass pass(encoder);
    Adam<float> adam(encoder.parameters().size());
    nearfar::Workspace workspace(o_.threads);
    std::vector<Eigen::Index> rows;
    Pixels dx;
    const auto steps = static_cast<std::size_t>(o_.steps);
    Progress progress(std::cout, Progress::on_terminal());
    if (Progress::on_terminal()) progress.start(1, steps, static_cast<std::size_t>(batch_size()));
    const auto began = std::chrono::steady_clock::now();
    for (std::size_t step = 0; step < steps; ++step) {
      sampler_.draw(step, rows);
      std::vector<std::uint8_t> labels;
      for (const Eigen::Index i : rows) labels.push_back(label(i));
      const Pixels& x = pass.forward(rows.size(), [&](std::size_t row, float* to) {
        fill_image(data_.train, static_cast<std::size_t>(rows[row]), scale_, to);
      });
      const double value = loss(x, labels, step, dx, workspace);
      adam.step(encoder.parameters(), pass.backward(dx), scheduled(o_.learning_rate, step, steps));
      if (Progress::on_terminal()) progress.step(value);
    }
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - began;
    milliseconds = took.count() / static_cast<double>(steps);
    return encoder;
  }

  Eigen::Index batch_size() const { return sampler_.batch_size(); }
  std::uint8_t label(Eigen::Index i) const {
    return data_.train.labels[static_cast<std::size_t>(i)];
  }

  void report(const std::string& name, const Scores& s, double milliseconds,
              OutputFile& csv) const {
    std::printf("%s%-28s %9.4f %9.4f %9.4f", Progress::on_terminal() ? "\r\033[K" : "",
                name.c_str(), s.recall, s.map_at_r, s.knn);
    // Times are printed only: the table on disk is the same in every run.
    if (milliseconds > 0) std::printf(" %9.1f", milliseconds);
    std::printf("\n");
    std::fflush(stdout);
    char line[64];
    std::snprintf(line, sizeof line, ",%.4f,%.4f,%.4f\n", s.recall, s.map_at_r, s.knn);
    csv.stream() << '"' << name << '"' << line;
  }

  const Options& o_;
  Dataset data_;
  PixelScale scale_;
  nearfar::MPerClassSampler sampler_;
};

}  // namespace

int main(int argc, char** argv) {
  Options o;
  return run_program(
      argc, argv, "supervised",
      "Trains the same encoder with each loss over labels and compares what they retrieve.",
      [&](CLI::App& app) {
        app.add_option("--steps", o.steps, "of each training")
            ->check(CLI::Range(1, 1000000))
            ->capture_default_str();
        app.add_option("--classes", o.classes, "classes a batch")
            ->check(CLI::Range(2, 256))
            ->capture_default_str();
        app.add_option("--per-class", o.per_class, "images of each class in a batch")
            ->check(CLI::Range(2, 4096))
            ->capture_default_str();
        app.add_option("--dim", o.dim, "numbers an embedding has")
            ->check(CLI::Range(2, 1024))
            ->capture_default_str();
        app.add_option("--learning-rate", o.learning_rate, "the highest; it falls to 0 as a cosine")
            ->check(positive_number())
            ->capture_default_str();
        declare_common(app, o);
      },
      [&] {
        use_threads(o.threads);
        Contest(o).run();
      });
}
