#pragma once

#include <cstdint>
#include <filesystem>
#include <nearfar/nearfar.hpp>
#include <span>
#include <string>
#include <vector>

#include "common/trainer.hpp"

/// \file
/// What is left on disk after training: tables as CSV, and gnuplot scripts that draw them. The
/// scripts stay beside the tables, to be changed and run again by hand.

namespace example {

/// Two columns to draw rows by: their first two principal components, each pointing so that its
/// largest weight is positive. Rows of two columns are merely turned, which no distance notices.
nearfar::Matrix<float> plane(const nearfar::Matrix<float>& rows);

/// Test embeddings with what a picture of them says.
struct EmbeddingPicture {
  const nearfar::Matrix<float>& embeddings;
  std::span<const std::uint8_t> labels;
  std::span<const std::string> class_names;  ///< by label
  std::string title;
  std::string subtitle;
  std::string name = "embedding";
  double point_size = 0.5;
};

/// <name>.csv (index, label, x and y on the plane drawn, and the embedding itself, e1, e2..) and
/// <name>.gp. Throws std::runtime_error when they cannot be written.
void write_embedding(const std::filesystem::path& folder, const EmbeddingPicture& picture);

/// loss.csv (a row a step) and loss.gp. Throws std::runtime_error when they cannot be written.
void write_loss_curve(const std::filesystem::path& folder, std::span<const Step> history,
                      const std::string& title);

/// Runs gnuplot on `<name>.gp` to make `<name>.png`; says in a word what came of it.
enum class Drawn { yes, no_gnuplot, failed };
Drawn draw(const std::filesystem::path& folder, const std::string& name);

/// Draws all of these, and tells on standard output what is now in the folder: `tables` and the
/// pictures, or why there are none.
void draw_all(const std::filesystem::path& folder, const std::vector<std::string>& names,
              const std::vector<std::string>& tables);

}  // namespace example
