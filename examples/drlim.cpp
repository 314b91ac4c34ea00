#include <algorithm>
#include <cstdio>
#include <iostream>
#include <nearfar/losses/hadsell.hpp>
#include <nearfar/metrics/knn_accuracy.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/adam.hpp"
#include "common/augment.hpp"
#include "common/batch_pass.hpp"
#include "common/batches.hpp"
#include "common/dataset.hpp"
#include "common/neighbours.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"

/// \file
/// DrLIM (Hadsell, Chopra and LeCun, Dimensionality reduction by learning an invariant mapping,
/// 2006, sections 3.2 and 3.3): images are mapped to the plane by their neighbours, without labels.
/// Near images are similar. With shifted copies of all images this sorts the map by shift; if an
/// image's copies are similar, too, it does not.

namespace {

using namespace example;
using Eigen::Index;

struct Options : CommonOptions {
  std::vector<int> classes = {7, 9};
  std::size_t images = 2000;
  std::vector<int> shifts = {-6, -3, 3, 6};
  std::size_t neighbours = 5;
  int steps = 1000;
  std::size_t batch = 128;
  double margin = 1;
  double learning_rate = 1e-3;
};

/// All copies of an image are similar, and so are those of similar images.
Neighbourhoods across_copies(const Neighbourhoods& originals, std::size_t copies) {
  Neighbourhoods similar(originals.size() * copies);
  for (std::size_t i = 0; i < similar.size(); ++i) {
    std::vector<std::size_t> family = originals[i / copies];
    family.insert(std::upper_bound(family.begin(), family.end(), i / copies), i / copies);
    for (const std::size_t original : family) {
      for (std::size_t j = original * copies; j < (original + 1) * copies; ++j) {
        if (j != i) similar[i].push_back(j);
      }
    }
  }
  return similar;
}

/// Pairs of an image in a batch: one similar, and four that are hardly ever similar.
constexpr Index pairs_each = 5;

/// Pairs each image of a batch with one that is similar to it, and with the next few images of the
/// batch, which are hardly ever similar.
class PairLoss {
 public:
  PairLoss(const Options& o, const Neighbourhoods& similar)
      : loss_({.margin = o.margin}), workspace_(o.threads), similar_(similar) {}

  /// Rows of x are the images `which`, then their `partners`. Returns the mean over pairs.
  double operator()(const Pixels& x, std::span<const std::size_t> which,
                    const std::vector<std::size_t>& partners, Pixels& dx) {
    const Index n = x.rows() / 2;
    const Index rounds = std::min(n, pairs_each);
    a_.resize(rounds * n, x.cols());
    b_.resize(rounds * n, x.cols());
    same_.clear();
    for (Index r = 0; r < rounds; ++r) {
      for (Index i = 0; i < n; ++i) {
        const Index other = (i + r) % n;
        a_.row(r * n + i) = x.row(i);
        b_.row(r * n + i) = x.row(n + other);
        const std::size_t image = which[static_cast<std::size_t>(i)];
        const std::size_t partner = partners[static_cast<std::size_t>(other)];
        const std::vector<std::size_t>& list = similar_[image];
        const bool near = image == partner || std::binary_search(list.begin(), list.end(), partner);
        same_.push_back(near ? 1 : 0);
      }
    }
    const auto result = loss_.forward_backward(a_, b_, same_, da_, db_, {.workspace = &workspace_});
    dx.setZero(x.rows(), x.cols());
    for (Index r = 0; r < rounds; ++r) {
      for (Index i = 0; i < n; ++i) {
        dx.row(i) += da_.row(r * n + i);
        dx.row(n + (i + r) % n) += db_.row(r * n + i);
      }
    }
    return result.value;
  }

 private:
  nearfar::HadsellContrastive<float> loss_;
  nearfar::Workspace workspace_;
  const Neighbourhoods& similar_;
  std::vector<int> same_;
  Pixels a_, b_, da_, db_;
};

/// The accuracy of a held-out image's class from its 10 nearest training images.
struct Scores {
  double classes = 0;
  double shifts = 0;
};

class Experiments {
 public:
  explicit Experiments(const Options& options)
      : o_(options), data_(chosen(options)), scale_(data_.train), csv_(folder() / "drlim.csv") {
    all_shifts_ = o_.shifts;
    all_shifts_.push_back(0);
    std::sort(all_shifts_.begin(), all_shifts_.end());
    for (const int s : all_shifts_) shift_names_.push_back((s > 0 ? "+" : "") + std::to_string(s));
  }

  void run() {
    std::printf("%s: %zu training and %zu test images\n\n%-36s %9s %9s\n", data_.name.c_str(),
                data_.train.size(), data_.test.size(), "held-out images, 10-NN accuracy", "class",
                "shift");
    csv_.stream() << "map,class,shift\n";
    const Neighbourhoods near = mutual_neighbours(pixels(data_.train), o_.neighbours);
    {
      const ShiftedImages train = shifted(data_.train, {0});
      const ShiftedImages test = shifted(data_.test, {0});
      baselines(train, test, "");
      Pixels map;
      report("neighbours", learnt(train, test, near, map));
      draw_map("classes", "similar: near images; coloured by class, which training never saw", map,
               test.images.labels, data_.class_names);
    }
    const ShiftedImages train = shifted(data_.train, all_shifts_);
    const ShiftedImages test = shifted(data_.test, all_shifts_);
    baselines(train, test, ", shifted");
    Pixels map;
    report("neighbours, shifted",
           learnt(train, test, mutual_neighbours(pixels(train.images), o_.neighbours), map));
    draw_map("distance", "similar: near images; coloured by shift", map, test.shift, shift_names_);
    report("neighbours and copies, shifted",
           learnt(train, test, across_copies(near, all_shifts_.size()), map));
    draw_map("copies", "similar: near images and all shifted copies; coloured by shift", map,
             test.shift, shift_names_);
    csv_.commit();
    std::printf("\n");
    draw_all(folder(), {"classes", "distance", "copies"}, {"drlim.csv"});
  }

 private:
  static Dataset chosen(const Options& o) {
    Dataset data = read_dataset(o.data);
    keep_classes(data, o.classes);
    const int width = static_cast<int>(data.train.width);
    for (const int s : o.shifts) {
      if (s == 0 || std::abs(s) >= width || std::count(o.shifts.begin(), o.shifts.end(), s) > 1) {
        throw std::runtime_error("--shifts: wanted different ones, not 0 and less than " +
                                 std::to_string(width) + ", got " + std::to_string(s));
      }
    }
    data.train = some_images(data.train, o.images);
    prepare_folder(o.out);
    return data;
  }

  std::filesystem::path folder() const { return o_.out; }

  Pixels pixels(const ImageSet& set) const {
    Pixels rows;
    gather(set, spread(set, set.size()), scale_, rows);
    return rows;
  }

  Network<float> fresh_encoder(Random& random) const {
    return Network<float>(convolutional(static_cast<Index>(data_.train.height),
                                        static_cast<Index>(data_.train.width), {128, 2}),
                          random);
  }

  Pixels mapped(const Network<float>& encoder, const ImageSet& set) const {
    return represent(encoder, set.size(),
                     [&](std::size_t row, float* to) { fill_image(set, row, scale_, to); });
  }

  Scores judge(const ShiftedImages& train, const Pixels& train_rows, const ShiftedImages& test,
               const Pixels& test_rows) const {
    const nearfar::KnnAccuracy<float, nearfar::SquaredEuclidean> knn(
        {.k = 10, .vote = nearfar::KnnVote::majority});
    const auto told = [&](const auto& train_labels, const auto& test_labels) {
      return knn.evaluate(test_rows, test_labels, train_rows, train_labels).accuracy;
    };
    return {told(train.images.labels, test.images.labels), told(train.shift, test.shift)};
  }

  void baselines(const ShiftedImages& train, const ShiftedImages& test, const std::string& note) {
    report("raw pixels" + note, judge(train, pixels(train.images), test, pixels(test.images)));
    Random random(o_.seed);
    const Network<float> encoder = fresh_encoder(random);
    report("untrained encoder" + note,
           judge(train, mapped(encoder, train.images), test, mapped(encoder, test.images)));
  }

  /// Trains a new encoder on these neighbours, and maps the held-out images.
  Scores learnt(const ShiftedImages& train, const ShiftedImages& test,
                const Neighbourhoods& similar, Pixels& map) const {
    Random random(o_.seed);
    Network<float> encoder = fresh_encoder(random);
    Adam<float> adam(encoder.parameters().size());
    BatchPass pass(encoder);
    PairLoss loss(o_, similar);
    ShuffledBatches batches(similar.size(), o_.batch);
    const std::size_t n = batches.batch_size();
    const auto steps = static_cast<std::size_t>(o_.steps);
    std::vector<std::size_t> partners(n);
    Pixels dx;
    Progress progress(std::cout, Progress::on_terminal());
    if (Progress::on_terminal()) progress.start(1, steps, 2 * n);
    for (std::size_t step = 0; step < steps; ++step) {
      const auto which = batches.next(random);
      for (std::size_t i = 0; i < n; ++i) {
        const std::vector<std::size_t>& list = similar[which[i]];
        partners[i] = list[random.below(list.size())];
      }
      const Pixels& x = pass.forward(2 * n, [&](std::size_t row, float* to) {
        fill_image(train.images, row < n ? which[row] : partners[row - n], scale_, to);
      });
      const double value = loss(x, which, partners, dx);
      adam.step(encoder.parameters(), pass.backward(dx), scheduled(o_.learning_rate, step, steps));
      if (Progress::on_terminal()) progress.step(value);
    }
    map = mapped(encoder, test.images);
    return judge(train, mapped(encoder, train.images), test, map);
  }

  void report(const std::string& name, const Scores& s) {
    std::printf("%s%-36s %9.4f", Progress::on_terminal() ? "\r\033[K" : "", name.c_str(),
                s.classes);
    char line[64];
    if (name.ends_with("shifted")) {
      std::printf(" %9.4f", s.shifts);
      std::snprintf(line, sizeof line, ",%.4f,%.4f\n", s.classes, s.shifts);
    } else {
      std::snprintf(line, sizeof line, ",%.4f,\n", s.classes);
    }
    std::printf("\n");
    std::fflush(stdout);
    csv_.stream() << '"' << name << '"' << line;
  }

  void draw_map(const std::string& name, const std::string& subtitle, const Pixels& map,
                const std::vector<std::uint8_t>& labels,
                const std::vector<std::string>& names) const {
    write_embedding(folder(), {map, labels, names, data_.name + ", mapped by neighbourhoods",
                               std::to_string(map.rows()) + " held-out images; " + subtitle, name});
  }

  const Options& o_;
  Dataset data_;
  PixelScale scale_;
  OutputFile csv_;
  std::vector<int> all_shifts_;
  std::vector<std::string> shift_names_;
};

}  // namespace

int main(int argc, char** argv) {
  Options o;
  return run_program(
      argc, argv, "drlim",
      "Maps images to the plane by who is near whom, without labels, and teaches the map to ignore "
      "shifts.",
      [&](CLI::App& app) {
        app.add_option("--classes", o.classes, "use these classes only")
            ->delimiter(',')
            ->capture_default_str();
        app.add_option("--images", o.images, "training images to use, before they are shifted")
            ->check(CLI::Range(16, 100000))
            ->capture_default_str();
        app.add_option("--shifts", o.shifts, "pixels to the right that copies are shifted by")
            ->delimiter(',')
            ->check(CLI::Range(-1000, 1000))
            ->expected(1, 100)
            ->capture_default_str();
        app.add_option("--neighbours", o.neighbours, "nearest images that an image is similar to")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        app.add_option("--steps", o.steps, "of each training")
            ->check(CLI::Range(1, 1000000))
            ->capture_default_str();
        app.add_option("--batch", o.batch, "similar pairs a step")
            ->check(CLI::Range(2, 65536))
            ->capture_default_str();
        app.add_option("--margin", o.margin, "dissimilar images farther apart rest")
            ->check(positive_number())
            ->capture_default_str();
        app.add_option("--learning-rate", o.learning_rate, "the highest; it falls to 0 as a cosine")
            ->check(positive_number())
            ->capture_default_str();
        declare_common(app, o);
      },
      [&] {
        use_threads(o.threads);
        Experiments(o).run();
      });
}
