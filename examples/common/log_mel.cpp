#include "common/log_mel.hpp"

#include <algorithm>
#include <cmath>
#include <complex>
#include <cstddef>
#include <numbers>
#include <unsupported/Eigen/FFT>
#include <vector>

namespace example {
namespace {

using Eigen::Index;

double mel_of(double hertz) { return 2595 * std::log10(1 + hertz / 700); }

/// The bands' weights of the bins of a spectrum, bins x bands.
Eigen::MatrixXd mel_filters(const LogMelOptions& o, double bin_width, Index bins) {
  Eigen::MatrixXd filters = Eigen::MatrixXd::Zero(bins, o.bands);
  const double first = mel_of(o.lowest);
  const double step = (mel_of(o.highest) - first) / static_cast<double>(o.bands + 1);
  for (Index bin = 0; bin < bins; ++bin) {
    const double at = (mel_of(static_cast<double>(bin) * bin_width) - first) / step - 1;
    for (Index band = 0; band < o.bands; ++band) {
      filters(bin, band) = std::max(0.0, 1 - std::abs(at - static_cast<double>(band)));
    }
  }
  return filters;
}

/// The energy of each frame in each band.
Eigen::MatrixXd energies(const Sound& sound, const LogMelOptions& o) {
  const auto size = std::max<Index>(2, std::lround(o.frame * sound.rate));
  const double hop = std::max(1.0, o.hop * sound.rate);
  // Twice the frame and more: the lowest bands are to be wider than a bin.
  Index points = 2;
  while (points < 2 * size) points *= 2;
  std::vector<double> window(static_cast<std::size_t>(size));
  double window_energy = 0;
  for (std::size_t i = 0; i < window.size(); ++i) {
    const double at = (static_cast<double>(i) + 0.5) / static_cast<double>(size);
    window[i] = 0.5 - 0.5 * std::cos(2 * std::numbers::pi * at);
    window_energy += window[i] * window[i];
  }
  const Index bins = points / 2 + 1;
  const Eigen::MatrixXd filters = mel_filters(o, sound.rate / static_cast<double>(points), bins);
  const auto samples = static_cast<Index>(sound.samples.size());
  const Index frames =
      1 + static_cast<Index>(std::max(0.0, static_cast<double>(samples - size) / hop));
  Eigen::FFT<double> fft;
  fft.SetFlag(Eigen::FFT<double>::HalfSpectrum);
  std::vector<double> padded(static_cast<std::size_t>(points));
  std::vector<std::complex<double>> spectrum;
  Eigen::MatrixXd power(frames, bins);
  for (Index f = 0; f < frames; ++f) {
    const Index begin = std::lround(static_cast<double>(f) * hop);
    for (Index i = 0; i < size; ++i) {
      padded[static_cast<std::size_t>(i)] =
          begin + i < samples ? window[static_cast<std::size_t>(i)] *
                                    double{sound.samples[static_cast<std::size_t>(begin + i)]}
                              : 0;
    }
    fft.fwd(spectrum, padded);
    for (Index b = 0; b < bins; ++b) power(f, b) = std::norm(spectrum[static_cast<std::size_t>(b)]);
  }
  return power * filters / (window_energy * static_cast<double>(points));
}

}  // namespace

Pixels log_mel(const Sound& sound, const LogMelOptions& options) {
  const Eigen::MatrixXd energy = energies(sound, options);
  const double loudest = energy.maxCoeff();
  if (!(loudest > 0)) return Pixels::Zero(1, options.bands);
  const Eigen::VectorXd total = energy.rowwise().sum();
  const double least = total.maxCoeff() * std::pow(10.0, -options.silence);
  Index first = 0;
  Index last = total.size() - 1;
  while (total[first] < least) ++first;
  while (total[last] < least) --last;
  first = std::max<Index>(0, first - options.margin);
  last = std::min<Index>(total.size() - 1, last + options.margin);
  const double floor = std::pow(10.0, -options.range);
  return (energy.middleRows(first, last - first + 1).array() / loudest)
      .max(floor)
      .log10()
      .unaryExpr([&](double x) { return x + options.range; })
      .cast<float>();
}

}  // namespace example
