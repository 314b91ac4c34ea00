#include "common/idx.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <memory>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace example {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t images_magic = 2051;
constexpr std::uint32_t labels_magic = 2049;

[[noreturn]] void fail(const fs::path& file, const std::string& what) {
  throw std::runtime_error(file.string() + ": " + what);
}

/// A file that is read from front to back; zlib also reads plain files.
class Reader {
 public:
  explicit Reader(fs::path file) : file_(std::move(file)) {
    std::error_code ignored;
    if (!fs::exists(file_, ignored)) fail(file_, "no such file");
    // gzopen opens a folder, too, and would report it as truncated.
    if (fs::is_directory(file_, ignored)) fail(file_, "a folder, not an IDX file");
    stream_.reset(gzopen(file_.c_str(), "rb"));
    if (!stream_) fail(file_, "cannot be opened");
    gzbuffer(stream_.get(), 1U << 17);
  }

  /// A big-endian number of the header.
  std::uint32_t number() {
    std::array<std::uint8_t, 4> bytes{};
    if (read(bytes.data(), bytes.size()) != bytes.size()) {
      fail(file_, "truncated: it ends within the header");
    }
    return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 |
           std::uint32_t{bytes[2]} << 8 | std::uint32_t{bytes[3]};
  }

  void expect_magic(std::uint32_t wanted, const std::string& kind) {
    const std::uint32_t got = number();
    if (got != wanted) {
      fail(file_, "wrong magic number " + std::to_string(got) + ", an IDX file of " + kind +
                      " has " + std::to_string(wanted));
    }
  }

  /// The rest of the file, which must be `size` bytes. Memory grows with the data actually present:
  /// a damaged header may state terabytes.
  std::vector<std::uint8_t> rest(std::uint64_t size) {
    constexpr std::uint64_t step = std::uint64_t{1} << 22;
    std::vector<std::uint8_t> bytes;
    while (bytes.size() < size) {
      const std::size_t old = bytes.size();
      const auto more = static_cast<std::size_t>(std::min(step, size - old));
      bytes.resize(old + more);
      const std::size_t got = read(bytes.data() + old, more);
      if (got < more) {
        fail(file_, "truncated: the header promises " + std::to_string(size) +
                        " bytes of data, there are " + std::to_string(old + got));
      }
    }
    // Reading to the end also makes zlib compare the checksum.
    std::uint8_t extra = 0;
    if (read(&extra, 1) != 0) {
      fail(file_, "holds more than the " + std::to_string(size) +
                      " bytes of data that its header promises");
    }
    return bytes;
  }

 private:
  struct Close {
    void operator()(gzFile stream) const { gzclose(stream); }
  };

  std::size_t read(std::uint8_t* to, std::size_t size) {
    const int got = gzread(stream_.get(), to, static_cast<unsigned>(size));
    int error = Z_OK;
    const char* message = gzerror(stream_.get(), &error);
    // Z_BUF_ERROR means a compressed stream that ends early; the caller reports where.
    if (error != Z_OK && error != Z_BUF_ERROR) {
      fail(file_, error == Z_ERRNO ? std::string("cannot be read")
                                   : "damaged gzip data (" + std::string(message) + ")");
    }
    if (error == Z_BUF_ERROR && size == 1 && got == 0) {
      fail(file_, "truncated: its gzip stream does not end");
    }
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }

  fs::path file_;
  std::unique_ptr<gzFile_s, Close> stream_;
};

fs::path find(const fs::path& folder, const std::string& name) {
  std::error_code ignored;
  for (const char* ending : {"", ".gz"}) {
    fs::path file = folder / (name + ending);
    if (fs::exists(file, ignored)) return file;
  }
  fail(folder, "holds neither " + name + " nor " + name + ".gz");
}

}  // namespace

ImageSet read_idx_images(const fs::path& file) {
  Reader reader(file);
  reader.expect_magic(images_magic, "images");
  const std::uint64_t count = reader.number();
  ImageSet set;
  set.height = reader.number();
  set.width = reader.number();
  constexpr std::size_t largest_side = 4096;
  if (count == 0) fail(file, "holds no images");
  if (set.height == 0 || set.width == 0 || set.height > largest_side || set.width > largest_side) {
    fail(file, "images of " + std::to_string(set.height) + " x " + std::to_string(set.width) +
                   " pixels; sides from 1 to " + std::to_string(largest_side) + " can be read");
  }
  set.pixels = reader.rest(count * set.image_size());
  return set;
}

std::vector<std::uint8_t> read_idx_labels(const fs::path& file) {
  Reader reader(file);
  reader.expect_magic(labels_magic, "labels");
  const std::uint64_t count = reader.number();
  if (count == 0) fail(file, "holds no labels");
  return reader.rest(count);
}

ImageSet read_image_set(const fs::path& folder, const std::string& part) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) fail(folder, "no such data folder");
  const fs::path images_file = find(folder, part + "-images-idx3-ubyte");
  const fs::path labels_file = find(folder, part + "-labels-idx1-ubyte");
  ImageSet set = read_idx_images(images_file);
  set.labels = read_idx_labels(labels_file);
  const std::size_t images = set.pixels.size() / set.image_size();
  if (images != set.labels.size()) {
    fail(labels_file, std::to_string(set.labels.size()) + " labels for the " +
                          std::to_string(images) + " images of " + images_file.filename().string());
  }
  return set;
}

}  // namespace example
