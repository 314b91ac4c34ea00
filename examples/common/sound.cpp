#include "common/sound.hpp"

#include <sndfile.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <stdexcept>

namespace example {

Sound read_sound(const std::filesystem::path& file) {
  const auto fail = [&](const char* why) -> std::runtime_error {
    return std::runtime_error(file.string() + ": " + why);
  };
  SF_INFO info{};
  const std::unique_ptr<SNDFILE, int (*)(SNDFILE*)> stream(sf_open(file.c_str(), SFM_READ, &info),
                                                           &sf_close);
  if (!stream) throw fail(sf_strerror(nullptr));
  const auto channels = static_cast<std::size_t>(info.channels);
  // Read in blocks up to the end: a damaged header may promise any length.
  constexpr std::size_t block_frames = 1 << 14;
  std::vector<float> block(block_frames * channels);
  Sound sound;
  sound.rate = info.samplerate;
  while (true) {
    const sf_count_t frames = sf_readf_float(stream.get(), block.data(), block_frames);
    if (frames <= 0) break;
    for (std::size_t i = 0; i < static_cast<std::size_t>(frames); ++i) {
      float sum = 0;
      for (std::size_t c = 0; c < channels; ++c) sum += block[i * channels + c];
      if (!std::isfinite(sum)) throw fail("a sample is not finite");
      sound.samples.push_back(sum / static_cast<float>(channels));
    }
  }
  if (sf_error(stream.get()) != SF_ERR_NO_ERROR) throw fail(sf_strerror(stream.get()));
  return sound;
}

}  // namespace example
