#include "common/idx.hpp"

#include <functional>
#include <numeric>
#include <stdexcept>

#include "files.hpp"

namespace example_test {
namespace {

using example::ImageSet;
using example::read_idx_images;
using example::read_idx_labels;
using example::read_image_set;

/// The message of the std::runtime_error that `call` must throw.
std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  ADD_FAILURE() << "no std::runtime_error";
  return {};
}

void expect_complaint(const std::function<void()>& call, const fs::path& file,
                      const std::string& reason) {
  const std::string message = message_of(call);
  EXPECT_NE(message.find(file.string()), std::string::npos) << message;
  EXPECT_NE(message.find(reason), std::string::npos) << message;
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

Bytes counting(std::size_t size) {
  Bytes bytes(size);
  std::iota(bytes.begin(), bytes.end(), std::uint8_t{0});
  return bytes;
}

TEST(Idx, ReadsImagesPlainAndCompressed) {
  const Folder folder;
  const Bytes file = idx({2051, 4, 2, 3}, counting(24));
  write_plain(folder / "plain", file);
  write_gz(folder / "compressed", file);
  for (const char* name : {"plain", "compressed"}) {
    const ImageSet set = read_idx_images(folder / name);
    EXPECT_EQ(set.height, 2u) << name;
    EXPECT_EQ(set.width, 3u) << name;
    EXPECT_EQ(set.pixels, counting(24)) << name;
    EXPECT_EQ(set.image(3)[5], 23) << name;
  }
}

TEST(Idx, ReadsLabelsPlainAndCompressed) {
  const Folder folder;
  const Bytes file = idx({2049, 5}, {3, 1, 4, 1, 255});
  write_plain(folder / "plain", file);
  write_gz(folder / "compressed", file);
  for (const char* name : {"plain", "compressed"}) {
    EXPECT_EQ(read_idx_labels(folder / name), (Bytes{3, 1, 4, 1, 255})) << name;
  }
}

TEST(Idx, ReadsMoreThanOneBuffer) {
  const Folder folder;
  const Bytes pixels = counting(5'000'000);
  write_gz(folder / "large", idx({2051, 50, 1000, 100}, pixels));
  EXPECT_EQ(read_idx_images(folder / "large").pixels, pixels);
}

TEST(Idx, FindsImagesAndLabelsOfAPart) {
  const Folder folder;
  write_plain(folder / "train-images-idx3-ubyte", idx({2051, 2, 1, 1}, {7, 8}));
  write_gz(folder / "train-labels-idx1-ubyte.gz", idx({2049, 2}, {0, 1}));
  const ImageSet set = read_image_set(folder.path(), "train");
  EXPECT_EQ(set.size(), 2u);
  EXPECT_EQ(*set.image(1), 8);
  EXPECT_EQ(set.labels[1], 1);
}

TEST(Idx, RefusesMissingFiles) {
  const Folder folder;
  expect_complaint([&] { read_idx_images(folder / "none"); }, folder / "none", "no such file");
  expect_complaint([&] { read_idx_images(folder.path()); }, folder.path(), "a folder");
  expect_complaint([&] { read_image_set(folder / "none", "train"); }, folder / "none",
                   "no such data folder");
  expect_complaint([&] { read_image_set(folder.path(), "train"); }, folder.path(),
                   "neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz");
}

TEST(Idx, RefusesWrongMagicNumbers) {
  const Folder folder;
  write_plain(folder / "images", idx({2051, 1, 1, 1}, {0}));
  write_plain(folder / "labels", idx({2049, 1}, {0}));
  expect_complaint([&] { read_idx_images(folder / "labels"); }, folder / "labels",
                   "wrong magic number 2049, an IDX file of images has 2051");
  expect_complaint([&] { read_idx_labels(folder / "images"); }, folder / "images",
                   "wrong magic number 2051, an IDX file of labels has 2049");
}

TEST(Idx, RefusesTruncatedFilesWhereverTheyEnd) {
  const Folder folder;
  const Bytes whole = idx({2051, 3, 2, 2}, counting(12));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    write_plain(folder / "plain", part);
    write_gz(folder / "compressed", part);
    for (const char* name : {"plain", "compressed"}) {
      expect_complaint([&] { read_idx_images(folder / name); }, folder / name, "truncated");
    }
  }
}

TEST(Idx, RefusesTruncatedGzipStreams) {
  const Folder folder;
  write_gz(folder / "file", idx({2049, 300}, counting(300)));
  const std::string whole = contents(folder / "file");
  // From the middle of gzip's header to one byte before the end of the checksum.
  for (std::size_t size = 5; size < whole.size(); size += 7) {
    std::ofstream(folder / "part", std::ios::binary) << whole.substr(0, size);
    expect_complaint([&] { read_idx_labels(folder / "part"); }, folder / "part", "");
  }
  std::ofstream(folder / "part", std::ios::binary) << whole.substr(0, whole.size() - 1);
  expect_complaint([&] { read_idx_labels(folder / "part"); }, folder / "part", "truncated");
}

TEST(Idx, RefusesDamagedGzipStreams) {
  const Folder folder;
  write_gz(folder / "file", idx({2049, 300}, counting(300)));
  std::string damaged = contents(folder / "file");
  damaged[damaged.size() - 6] = static_cast<char>(damaged[damaged.size() - 6] ^ 1);  // checksum
  std::ofstream(folder / "file", std::ios::binary) << damaged;
  expect_complaint([&] { read_idx_labels(folder / "file"); }, folder / "file", "damaged gzip");
}

TEST(Idx, RefusesSurplusData) {
  const Folder folder;
  write_plain(folder / "file", idx({2049, 3}, {1, 2, 3, 4}));
  expect_complaint([&] { read_idx_labels(folder / "file"); }, folder / "file", "holds more than");
}

TEST(Idx, RefusesHeadersThatPromiseNothingOrTooMuch) {
  const Folder folder;
  write_plain(folder / "none", idx({2051, 0, 28, 28}, {}));
  expect_complaint([&] { read_idx_images(folder / "none"); }, folder / "none", "no images");
  write_plain(folder / "flat", idx({2051, 1, 0, 28}, {}));
  expect_complaint([&] { read_idx_images(folder / "flat"); }, folder / "flat", "0 x 28");
  write_plain(folder / "no_labels", idx({2049, 0}, {}));
  expect_complaint([&] { read_idx_labels(folder / "no_labels"); }, folder / "no_labels",
                   "no labels");
  // 64 TiB of pixels in the header, four in the file: the reader must not allocate memory first.
  write_plain(folder / "huge", idx({2051, 0xFFFFFFFF, 128, 128}, {1, 2, 3, 4}));
  expect_complaint([&] { read_idx_images(folder / "huge"); }, folder / "huge", "there are 4");
}

TEST(Idx, RefusesCountsThatDisagree) {
  const Folder folder;
  write_plain(folder / "train-images-idx3-ubyte", idx({2051, 2, 1, 1}, {7, 8}));
  write_plain(folder / "train-labels-idx1-ubyte", idx({2049, 3}, {0, 1, 2}));
  expect_complaint([&] { read_image_set(folder.path(), "train"); },
                   folder / "train-labels-idx1-ubyte", "3 labels for the 2 images");
}

}  // namespace
}  // namespace example_test
