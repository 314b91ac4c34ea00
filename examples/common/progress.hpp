#pragma once

#include <chrono>
#include <cstddef>
#include <ostream>
#include <string>

/// \file
/// Shows the progress of training.

namespace example {

/// The contents of a line about progress.
struct ProgressState {
  int epoch = 0;
  int epochs = 0;
  double done = 0;  ///< share of the whole, from 0 to 1
  double loss = 0;
  double items_per_second = 0;
  double seconds_left = 0;
  std::string items = "images";
};

/// "epoch  3/15 [########............]  40 %  loss 0.1234  41200 images/s  0:12 left"
std::string progress_bar(const ProgressState& state);

/// The same as a line for a log, without the bar.
std::string progress_line(const ProgressState& state);

/// Shows progress on a stream: a bar that is redrawn in place if the stream is a terminal, else
/// plain lines, four an epoch.
class Progress {
 public:
  /// True if standard output is a terminal.
  static bool on_terminal();

  Progress(std::ostream& out, bool terminal) : out_(out), terminal_(terminal) {}
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  /// Ends the line of a bar that an error left unfinished.
  ~Progress();

  void start(int epochs, std::size_t steps_per_epoch, std::size_t items_per_step,
             std::string items = "images");
  void step(double loss);
  void finish();

 private:
  using Clock = std::chrono::steady_clock;

  ProgressState state() const;

  std::ostream& out_;
  bool terminal_;
  bool drawn_ = false;
  int epochs_ = 0;
  std::size_t steps_per_epoch_ = 0;
  std::size_t items_per_step_ = 0;
  std::string items_;
  std::size_t steps_ = 0;
  double loss_ = 0;  // a running mean, because single batches vary
  Clock::time_point began_;
  Clock::time_point shown_;
};

}  // namespace example
