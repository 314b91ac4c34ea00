#include "common/progress.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <utility>

namespace example {
namespace {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[160];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

std::string clock_time(double seconds) {
  const auto whole = static_cast<long>(seconds + 0.5);
  return format("%ld:%02ld", whole / 60, whole % 60);
}

std::string figures(const ProgressState& state) {
  return format("%3.0f %%  loss %.4f  %.0f %s/s  ", 100 * state.done, state.loss,
                state.items_per_second, state.items.c_str()) +
         clock_time(state.seconds_left) + " left";
}

}  // namespace

std::string progress_bar(const ProgressState& state) {
  constexpr std::size_t width = 24;
  const auto full = std::min(width, static_cast<std::size_t>(state.done * width));
  return format("epoch %2d/%d [", state.epoch, state.epochs) + std::string(full, '#') +
         std::string(width - full, '.') + "] " + figures(state);
}

std::string progress_line(const ProgressState& state) {
  return format("epoch %2d/%d  ", state.epoch, state.epochs) + figures(state);
}

bool Progress::on_terminal() { return isatty(STDOUT_FILENO) == 1; }

Progress::~Progress() {
  if (drawn_) out_ << std::endl;
}

void Progress::start(int epochs, std::size_t steps_per_epoch, std::size_t items_per_step,
                     std::string items) {
  epochs_ = epochs;
  steps_per_epoch_ = steps_per_epoch;
  items_per_step_ = items_per_step;
  items_ = std::move(items);
  steps_ = 0;
  loss_ = 0;
  began_ = Clock::now();
  shown_ = began_;
}

void Progress::step(double loss) {
  ++steps_;
  // A mean of the first steps, later a running mean over about fifty.
  loss_ += (loss - loss_) / static_cast<double>(std::min<std::size_t>(steps_, 50));
  if (terminal_) {
    const Clock::time_point now = Clock::now();
    if (steps_ > 1 && now - shown_ < std::chrono::milliseconds(100)) return;
    shown_ = now;
    drawn_ = true;
    // "\033[K" clears the rest of a longer line.
    out_ << '\r' << progress_bar(state()) << "\033[K" << std::flush;
    return;
  }
  const std::size_t quarter = std::max<std::size_t>(1, (steps_per_epoch_ + 3) / 4);
  const std::size_t in_epoch = (steps_ - 1) % steps_per_epoch_ + 1;
  if (in_epoch % quarter == 0 || in_epoch == steps_per_epoch_) {
    out_ << progress_line(state()) << std::endl;
  }
}

void Progress::finish() {
  if (drawn_) out_ << '\r' << progress_bar(state()) << "\033[K" << std::endl;
  drawn_ = false;
}

ProgressState Progress::state() const {
  const std::size_t all = steps_per_epoch_ * static_cast<std::size_t>(epochs_);
  const double seconds =
      std::max(1e-9, std::chrono::duration<double>(Clock::now() - began_).count());
  ProgressState state;
  state.epoch = static_cast<int>((steps_ - 1) / steps_per_epoch_) + 1;
  state.epochs = epochs_;
  state.done = static_cast<double>(steps_) / static_cast<double>(all);
  state.loss = loss_;
  state.items_per_second = static_cast<double>(steps_ * items_per_step_) / seconds;
  state.seconds_left = seconds * static_cast<double>(all - steps_) / static_cast<double>(steps_);
  state.items = items_;
  return state;
}

}  // namespace example
