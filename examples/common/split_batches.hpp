#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include "common/trainer.hpp"

/// \file
/// Common parts of the programs whose batches are split over processes.

namespace example {

/// The part of one process in `count` items.
struct Share {
  Share(std::size_t count, int rank, int processes)
      : first(begin(count, rank, processes)), size(begin(count, rank + 1, processes) - first) {}

  std::size_t first;
  std::size_t size;

 private:
  static std::size_t begin(std::size_t count, int rank, int processes) {
    return count * static_cast<std::size_t>(rank) / static_cast<std::size_t>(processes);
  }
};

/// "1 process", "2 processes".
std::string name_of_processes(int number);

/// 1, 2, 4, ... up to `processes`.
std::vector<int> numbers_of_processes(int processes);

/// A training whose batches were split over some processes.
struct SplitTraining {
  int processes = 1;
  double seconds = 0;
  std::vector<Step> history;
};

/// Prints a table of trainings of the same steps, the first of one process, and draws their losses
/// on one picture: curves.csv, curves.gp and curves.png in `folder`. Throws std::runtime_error if
/// something cannot be written.
void write_curves(const std::filesystem::path& folder, const std::vector<SplitTraining>& trainings,
                  const std::string& title);

}  // namespace example
