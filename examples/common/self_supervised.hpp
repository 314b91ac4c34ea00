#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/augment.hpp"
#include "common/batch_pass.hpp"
#include "common/batches.hpp"
#include "common/dataset.hpp"
#include "common/network.hpp"
#include "common/program.hpp"
#include "common/trainer.hpp"

/// \file
/// Common parts of the programs that learn from images without labels: their options, their
/// encoder, and the table of the encoder's quality.

namespace example {

struct SelfSupervisedOptions : CommonOptions {
  std::size_t images = 60000;
  std::size_t gallery = 20000;
  int epochs = 3;
  std::size_t batch = 256;
  double learning_rate = 2e-3;
  double temperature = 0.1;
};

/// Declares options, with the values of `options` as defaults, besides those of all programs.
void declare_self_supervised(CLI::App& app, SelfSupervisedOptions& options);

/// Images and their views.
struct Images {
  Dataset data;
  PixelScale scale;
  std::uint64_t seed = 0;
  AugmentOptions augmentation = {};

  /// Reads the data set, keeps `options.images` training images, prints a summary, and makes the
  /// output folder.
  static Images read(const SelfSupervisedOptions& options);

  std::size_t training_size() const { return data.train.size(); }

  /// Writes a random view of a training image; `view` is the number of the view in a step.
  void fill_view(std::size_t step, std::size_t image, std::size_t view, float* to) const;
};

/// Two convolutions, whose outputs are the representation, and the projection head, 64 numbers for
/// the loss, which is removed after training (Chen et al. 2020, section 2.1).
Network<float> make_encoder(const Images& images, Random& random);

/// The layer of make_encoder() whose outputs are the representation.
inline constexpr std::size_t representation_layer = 1;

/// The quality of a representation of held-out images.
struct Quality {
  double knn = 0;    ///< accuracy of 20 nearest training images by cosine, weighted vote
  double probe = 0;  ///< accuracy of a linear classifier trained on the training images
};

/// Measures representations, always in the same way.
class Judge {
 public:
  /// Judges by `gallery` of the training images. `images` must outlive the object.
  Judge(const Images& images, std::size_t gallery);

  Quality raw_pixels() const;
  Quality encoded(const Network<float>& encoder) const;
  /// An encoder of the same size that is trained with the labels, for as many epochs.
  Quality supervised(int epochs, double learning_rate) const;

  /// The representation of the test images.
  Pixels test_rows(const Network<float>& encoder) const;

  /// The quality of any representation of the gallery's images and of the test images.
  Quality judge(const Pixels& train, const Pixels& test) const;
  const std::vector<std::size_t>& gallery() const { return gallery_; }

 private:
  const Images& images_;
  std::vector<std::size_t> gallery_;  // the training images that test images are compared with
};

/// One line of the table.
struct Judged {
  std::string name;
  Quality quality;
};

/// Prints the table and writes it to quality.csv, with a map of the representation and the curve of
/// the loss. `title` is the title of pictures. Throws std::runtime_error if something cannot be
/// written.
void write_quality(const SelfSupervisedOptions& options, const Images& images,
                   const std::vector<Judged>& table, const Pixels& test_rows,
                   const std::vector<Step>& history, const std::string& title);

}  // namespace example
