#include "common/dataset.hpp"

#include <set>
#include <stdexcept>

#include "common/batches.hpp"
#include "files.hpp"

namespace example_test {
namespace {

using example::Dataset;
using example::ImageSet;
using example::PairedBatches;
using example::PixelScale;
using example::Random;
using example::read_dataset;

/// `count` images of one pixel, which is the label.
ImageSet single_pixels(const Bytes& labels) {
  ImageSet set;
  set.height = set.width = 1;
  set.pixels = set.labels = labels;
  return set;
}

TEST(Dataset, IsNamedAfterItsFolderAndItsLabels) {
  const Folder folder;
  write_noisy_dataset(folder / "digits", 3);
  const Dataset data = read_dataset(folder / "digits/");
  EXPECT_EQ(data.name, "digits");
  EXPECT_EQ(data.class_names, (std::vector<std::string>{"0", "1", "2"}));
  EXPECT_EQ(data.train.size(), 1200u);
  EXPECT_EQ(data.test.size(), 400u);
}

TEST(Dataset, RefusesImagesOfTwoSizes) {
  const Folder folder;
  write_noisy_dataset(folder.path());
  fs::remove(folder / "t10k-images-idx3-ubyte.gz");
  write_plain(folder / "t10k-images-idx3-ubyte", idx({2051, 400, 1, 1}, Bytes(400)));
  EXPECT_THROW(read_dataset(folder.path()), std::runtime_error);
}

TEST(Dataset, RefusesASingleClass) {
  const Folder folder;
  write_noisy_dataset(folder.path(), 1);
  EXPECT_THROW(read_dataset(folder.path()), std::runtime_error);
}

TEST(Dataset, KeepsTheChosenClasses) {
  Dataset data;
  data.train = single_pixels({0, 1, 2, 0, 1, 2, 9});
  data.test = single_pixels({2, 1, 0});
  keep_classes(data, {2, 0});
  EXPECT_EQ(data.train.labels, (Bytes{0, 2, 0, 2}));
  EXPECT_EQ(data.train.pixels, data.train.labels);
  EXPECT_EQ(data.test.labels, (Bytes{2, 0}));
  EXPECT_EQ(data.test.pixels, data.test.labels);
}

TEST(Dataset, RefusesClassesThatMakeNoSense) {
  Dataset data;
  data.train = single_pixels({0, 1, 2, 9});
  data.test = single_pixels({0, 1, 2});
  for (const std::vector<int>& classes :
       std::vector<std::vector<int>>{{0}, {}, {0, 0}, {0, 9}, {0, 3}, {-1, 0}, {0, 256}}) {
    EXPECT_THROW(keep_classes(data, classes), std::runtime_error);
  }
  EXPECT_EQ(data.train.size(), 4u);
}

TEST(Dataset, ScalesPixelsToMeanZeroAndVarianceOne) {
  const ImageSet set = single_pixels({10, 10, 30, 50, 250});
  const PixelScale scale(set);
  double sum = 0;
  double squares = 0;
  for (const std::uint8_t pixel : set.pixels) {
    sum += scale(pixel);
    squares += scale(pixel) * scale(pixel);
  }
  EXPECT_NEAR(sum, 0, 1e-5);
  EXPECT_NEAR(squares, 5, 1e-5);
  EXPECT_EQ(PixelScale(single_pixels({7, 7}))(7), 0);
}

TEST(Dataset, GathersImagesAsRows) {
  ImageSet set;
  set.height = 1;
  set.width = 2;
  set.pixels = {1, 2, 3, 4, 5, 6};
  set.labels = {0, 1, 2};
  const PixelScale scale(set);
  example::Pixels rows;
  const std::vector<std::size_t> which = {2, 0};
  gather(set, which, scale, rows);
  ASSERT_EQ(rows.rows(), 2);
  ASSERT_EQ(rows.cols(), 2);
  EXPECT_EQ(rows(0, 0), scale(5));
  EXPECT_EQ(rows(0, 1), scale(6));
  EXPECT_EQ(rows(1, 1), scale(2));
  EXPECT_EQ(labels_of(set, which), (Bytes{2, 0}));
}

TEST(Dataset, SpreadsAChoiceOverTheWholeSet) {
  const ImageSet set = single_pixels(Bytes(10));
  EXPECT_EQ(spread(set, 5), (std::vector<std::size_t>{0, 2, 4, 6, 8}));
  EXPECT_EQ(spread(set, 3), (std::vector<std::size_t>{0, 3, 6}));
  EXPECT_EQ(spread(set, 99).size(), 10u);
}

TEST(Dataset, TakesSomeImagesInAFixedRandomOrder) {
  Bytes labels(200);
  for (std::size_t i = 0; i < 200; ++i) labels[i] = static_cast<std::uint8_t>(i);
  const ImageSet set = single_pixels(labels);
  const ImageSet some = some_images(set, 50);
  EXPECT_EQ(some.size(), 50u);
  EXPECT_EQ(some.pixels, some.labels);
  EXPECT_EQ(std::set<std::uint8_t>(some.labels.begin(), some.labels.end()).size(), 50u);
  EXPECT_FALSE(std::is_sorted(some.labels.begin(), some.labels.end()));
  EXPECT_EQ(some_images(set, 50).labels, some.labels);
  EXPECT_EQ(some_images(set, 500).size(), 200u);
}

TEST(PairedBatches, PairImagesOfOneClassAndUseEachOnce) {
  Random random(5);
  Bytes labels;
  for (int i = 0; i < 101; ++i) labels.push_back(static_cast<std::uint8_t>(random.below(4)));
  const PairedBatches sampler(labels, 16);
  EXPECT_EQ(sampler.batch_size(), 16u);
  const auto batches = sampler.epoch(random);
  EXPECT_EQ(batches.size(), sampler.batches_per_epoch());
  EXPECT_GE(batches.size(), 5u);
  std::set<std::size_t> seen;
  for (const auto& batch : batches) {
    ASSERT_EQ(batch.size(), 16u);
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(labels[batch[i]], labels[batch[8 + i]]);
    for (const std::size_t image : batch) EXPECT_TRUE(seen.insert(image).second) << image;
  }
  EXPECT_NE(sampler.epoch(random), batches);
}

TEST(PairedBatches, ASmallSetIsOneBatch) {
  const PairedBatches sampler(Bytes{0, 0, 0, 1, 1}, 256);
  EXPECT_EQ(sampler.batch_size(), 4u);
  EXPECT_EQ(sampler.batches_per_epoch(), 1u);
}

TEST(PairedBatches, RefuseLabelsWithoutAPair) {
  EXPECT_THROW(PairedBatches(Bytes{0, 1, 2}, 4), std::runtime_error);
}

TEST(Random, IsTheGeneratorOfTheStandard) {
  // The C++ standard gives the 10000th number of std::mt19937_64 with this seed.
  Random random(5489);
  std::uint64_t last = 0;
  // With bound 2^63 no draw is rejected: the result is the low bits of each.
  for (int i = 0; i < 10000; ++i) last = random.below(std::uint64_t{1} << 63);
  EXPECT_EQ(last, 9981545732273789042u % (std::uint64_t{1} << 63));
}

TEST(Random, DrawsFromTheRangesItPromises) {
  Random random(3);
  std::vector<int> counts(7);
  double sum = 0;
  double squares = 0;
  constexpr int draws = 70000;
  for (int i = 0; i < draws; ++i) {
    ++counts[random.below(7)];
    const double uniform = random.uniform();
    EXPECT_GT(uniform, 0);
    EXPECT_LE(uniform, 1);
    const double normal = random.normal();
    sum += normal;
    squares += normal * normal;
  }
  for (const int count : counts) EXPECT_NEAR(count, draws / 7, 500);  // five standard deviations
  EXPECT_NEAR(sum / draws, 0, 0.02);
  EXPECT_NEAR(squares / draws, 1, 0.03);
}

}  // namespace
}  // namespace example_test
