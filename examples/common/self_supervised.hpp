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
/// What the programs that learn from images without labels share: their options, their encoder,
/// and the table that says what the encoder is worth.

namespace example {

struct SelfSupervisedOptions : CommonOptions {
  std::size_t images = 60000;
  int epochs = 3;
  std::size_t batch = 256;
  double learning_rate = 2e-3;
  double temperature = 0.1;
};

/// Options as `options` has them on entry, next to those of all programs.
void declare_self_supervised(CLI::App& app, SelfSupervisedOptions& options);

/// Images and how to look at them.
struct Images {
  Dataset data;
  PixelScale scale;
  std::uint64_t seed = 0;
  AugmentOptions augmentation = {};

  /// Reads the data set, keeps `options.images` training images, tells what there is, and makes
  /// the output folder.
  static Images read(const SelfSupervisedOptions& options);

  std::size_t training_size() const { return data.train.size(); }

  /// Writes a random view of a training image; `view` tells views of one step apart.
  void fill_view(std::size_t step, std::size_t image, std::size_t view, float* to) const;
};

/// Two convolutions, whose outputs are the representation, and on top the projection head that
/// the loss sees, 64 numbers, dropped after training (Chen et al. 2020, section 2.1).
Network<float> make_encoder(const Images& images, Random& random);

/// The layer of make_encoder() whose outputs are the representation.
inline constexpr std::size_t representation_layer = 1;

/// How good a representation of held-out images is.
struct Quality {
  double knn = 0;    ///< accuracy of 20 nearest training images by cosine, weighted vote
  double probe = 0;  ///< accuracy of a linear classifier trained on the training images
};

/// Measures representations, always in the same way.
class Judge {
 public:
  /// `images` must outlive the object.
  explicit Judge(const Images& images);

  Quality raw_pixels() const;
  Quality encoded(const Network<float>& encoder) const;
  /// An encoder of the same size that is trained with the labels, for as many epochs.
  Quality supervised(int epochs, double learning_rate) const;

  /// The representation of the test images.
  Pixels test_rows(const Network<float>& encoder) const;

  /// Of any representation: of the gallery's images, and of the test images.
  Quality judge(const Pixels& train, const Pixels& test) const;
  const std::vector<std::size_t>& gallery() const { return gallery_; }

 private:
  const Images& images_;
  std::vector<std::size_t> gallery_;  // the training images that test images are judged by
};

/// One line of the table.
struct Judged {
  std::string name;
  Quality quality;
};

/// Prints the table and leaves it in quality.csv, with a map of the representation and the curve of
/// the loss beside it. `title`: of the system, in pictures. Throws std::runtime_error when
/// something cannot be written.
void write_quality(const SelfSupervisedOptions& options, const Images& images,
                   const std::vector<Judged>& table, const Pixels& test_rows,
                   const std::vector<Step>& history, const std::string& title);

}  // namespace example
