#include "common/split_batches.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "common/gnuplot.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"

namespace example {
namespace {

/// Steps of which the chart has one point, their mean.
std::size_t steps_a_point(std::size_t steps) { return std::max<std::size_t>(1, steps / 24); }

double mean_loss(const std::vector<Step>& history, std::size_t first, std::size_t count) {
  double sum = 0;
  for (std::size_t step = first; step < first + count; ++step) sum += history[step].loss;
  return sum / static_cast<double>(count);
}

/// The largest distance of a step's loss from that of another training, over the latter.
double largest_distance(const std::vector<Step>& history, const std::vector<Step>& other) {
  double largest = 0;
  for (std::size_t step = 0; step < history.size(); ++step) {
    largest = std::max(largest, std::abs(history[step].loss - other[step].loss) / other[step].loss);
  }
  return largest;
}

}  // namespace

std::string name_of_processes(int number) {
  return std::to_string(number) + (number > 1 ? " processes" : " process");
}

std::vector<int> numbers_of_processes(int processes) {
  std::vector<int> numbers;
  for (int number = 1; number <= processes; number *= 2) numbers.push_back(number);
  return numbers;
}

void write_curves(const std::filesystem::path& folder, const std::vector<SplitTraining>& trainings,
                  const std::string& title) {
  const std::vector<Step>& one = trainings.front().history;
  const std::size_t count = steps_a_point(one.size());
  std::printf("\n%-28s %9s  %12s  %26s\n", "", "ms a step", "loss at end",
              "largest distance from one");
  for (const SplitTraining& training : trainings) {
    std::printf("%-28s %9.1f  %12.4f  %26.1e\n", name_of_processes(training.processes).c_str(),
                1e3 * training.seconds / static_cast<double>(one.size()),
                mean_loss(training.history, one.size() - count, count),
                largest_distance(training.history, one));
  }
  std::printf("\n");

  OutputFile table(folder / "curves.csv");
  table.stream() << "step";
  for (const SplitTraining& training : trainings) {
    table.stream() << ',' << name_of_processes(training.processes);
  }
  for (std::size_t first = 0; first + count <= one.size(); first += count) {
    table.stream() << '\n' << first + count;
    for (const SplitTraining& training : trainings) {
      table.stream() << ',' << mean_loss(training.history, first, count);
    }
  }
  table.stream() << '\n';
  table.commit();

  OutputFile script(folder / "curves.gp");
  std::ostream& out = script.stream();
  begin_script(out, "curves", 1200, 700, title,
               "training loss" +
                   (count > 1 ? ", means of " + std::to_string(count) + " steps" : std::string()) +
                   "; each process has its part of every batch");
  draw_axes(out, "step");
  out << "set key right top Left reverse samplen 2 spacing 1.4 noenhanced tc rgb '#22252B'\n"
      << "plot ";
  // The curves lie upon each other: the last one is the narrowest.
  for (std::size_t k = 0; k < trainings.size(); ++k) {
    out << (k > 0 ? ", \\\n     " : "") << "'curves.csv' every ::1 using 1:" << k + 2
        << " with lines lw " << 4 * (trainings.size() - k) << " lc rgb '#" << palette[k]
        << "' title " << quoted(name_of_processes(trainings[k].processes));
  }
  out << '\n';
  script.commit();
  draw_all(folder, {"curves"}, {"curves.csv"});
}

}  // namespace example
