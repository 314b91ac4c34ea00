#include <nearfar/sampling/class_sampler.hpp>
#include <nearfar/sampling/m_per_class.hpp>
#include <nearfar/sampling/noise_sampler.hpp>
#include <string>

#include "c/same_bits.hpp"

/// Samplers through the interface: what the classes draw.

namespace {

using namespace support;

void ok(nearfar_status status) { EXPECT_EQ(status, NEARFAR_OK) << nearfar_last_error(); }

void refused(nearfar_status got, const std::string& message) {
  EXPECT_EQ(got, NEARFAR_INVALID_ARGUMENT);
  EXPECT_EQ(nearfar_last_error(), "nearfar: " + message);
}

TEST(CSampling, NoiseSampler) {
  const std::vector<double> counts = {5, 0, 2, 9, 1};
  const nearfar_doubles c_counts = {counts.data(), 5};
  std::vector<double> weights(5);
  ok(nearfar_powered_counts(&c_counts, 0.75, weights.data()));
  EXPECT_EQ(weights, nearfar::powered_counts(counts));
  const nearfar_doubles c_weights = {weights.data(), 5};
  nearfar_noise_sampler* sampler = nullptr;
  ok(nearfar_noise_sampler_create(&c_weights, &sampler));
  const nearfar::NoiseSampler wanted(weights);
  std::vector<std::int64_t> items(20, -1);
  ok(nearfar_noise_sampler_draw(sampler, 3, 4, 5, items.data(), 20));
  for (std::size_t k = 0; k < items.size(); ++k) EXPECT_EQ(items[k], wanted.draw(3, 4, 5, k));

  const std::vector<Index> as_index(items.begin(), items.end());
  nearfar_integers c_items = {items.data(), 20};
  Matrix<float> logs(20, 1);
  const nearfar_gradient out = c_gradient(logs);
  ok(nearfar_noise_sampler_log_probabilities(sampler, &c_items, &out));
  std::vector<float> wanted_logs;
  wanted.log_probabilities(as_index, wanted_logs);
  for (Index k = 0; k < 20; ++k) EXPECT_EQ(logs(k, 0), wanted_logs[static_cast<std::size_t>(k)]);

  items[2] = 1;
  refused(nearfar_noise_sampler_log_probabilities(sampler, &c_items, &out),
          "items: wanted items of probability above 0, got 1 at 2");
  c_items.count = 19;
  refused(nearfar_noise_sampler_log_probabilities(sampler, &c_items, &out),
          "out: wanted 19 x 1, got 20 x 1");
  refused(nearfar_noise_sampler_draw(sampler, 3, 4, 5, nullptr, 2),
          "items.data: wanted 2 items, got null");
  nearfar_noise_sampler* none = nullptr;
  const nearfar_doubles empty = {nullptr, 0};
  refused(nearfar_noise_sampler_create(&empty, &none), "weights: wanted at least one, got none");
  EXPECT_EQ(none, nullptr);
  nearfar_noise_sampler_destroy(sampler);
  nearfar_noise_sampler_destroy(nullptr);
}

TEST(CSampling, MPerClass) {
  const std::vector<std::int64_t> labels = {0, 0, 1, 1, 2, 2, 2, 3, 3, 0};
  const nearfar_integers c_labels = {labels.data(), 10};
  auto options = defaults(nearfar_m_per_class_options_init);
  EXPECT_EQ(options.classes, 8);
  EXPECT_EQ(options.m, 4);
  options.classes = 3;
  options.m = 3;
  options.seed = 5;
  for (const nearfar_small_classes small :
       {NEARFAR_SMALL_CLASSES_REPEAT, NEARFAR_SMALL_CLASSES_LEAVE_OUT}) {
    options.small_classes = small;
    options.classes = small == NEARFAR_SMALL_CLASSES_REPEAT ? 3 : 2;
    nearfar_m_per_class_sampler* sampler = nullptr;
    ok(nearfar_m_per_class_sampler_create(&c_labels, &options, &sampler));
    const nearfar::MPerClassSampler wanted(
        labels, {.classes = options.classes,
                 .m = 3,
                 .small_classes = static_cast<nearfar::SmallClasses>(small),
                 .seed = 5});
    std::vector<Index> wanted_rows;
    std::vector<std::int64_t> rows(static_cast<std::size_t>(wanted.batch_size()));
    for (std::uint64_t step = 0; step < 4; ++step) {
      ok(nearfar_m_per_class_sampler_draw(sampler, step, rows.data(), wanted.batch_size()));
      wanted.draw(step, wanted_rows);
      EXPECT_TRUE(std::equal(rows.begin(), rows.end(), wanted_rows.begin(), wanted_rows.end()));
    }
    const std::vector<std::int64_t> kept = rows;
    refused(nearfar_m_per_class_sampler_draw(sampler, 9, rows.data(), 5),
            "capacity: wanted room for " + std::to_string(rows.size()) + " numbers, got 5");
    EXPECT_EQ(rows, kept);
    nearfar_m_per_class_sampler_destroy(sampler);
  }
  nearfar_m_per_class_sampler* none = nullptr;
  options.small_classes = 2;
  refused(nearfar_m_per_class_sampler_create(&c_labels, &options, &none),
          "small_classes: wanted 0 or 1, got 2");
  nearfar_m_per_class_sampler_destroy(nullptr);
}

TEST(CSampling, ClassSampler) {
  auto options = defaults(nearfar_class_sampler_options_init);
  options.classes = 20;
  options.count = 8;
  options.seed = 3;
  nearfar_class_sampler* sampler = nullptr;
  ok(nearfar_class_sampler_create(&options, &sampler));
  const nearfar::ClassSampler wanted({.classes = 20, .count = 8, .seed = 3});
  const std::vector<std::int64_t> labels = {4, 19, 4};
  nearfar_integers c_labels = {labels.data(), 3};
  std::vector<std::int64_t> numbers(8);
  std::int64_t count = 0;
  ok(nearfar_class_sampler_draw(sampler, &c_labels, 6, numbers.data(), 8, &count));
  std::vector<Index> wanted_numbers;
  wanted.draw(labels, 6, wanted_numbers);
  EXPECT_EQ(count, 8);
  EXPECT_TRUE(
      std::equal(numbers.begin(), numbers.end(), wanted_numbers.begin(), wanted_numbers.end()));
  count = -7;
  refused(nearfar_class_sampler_draw(sampler, &c_labels, 6, numbers.data(), 7, &count),
          "capacity: wanted room for 8 numbers, got 7");
  EXPECT_EQ(count, -7);
  const std::vector<std::int64_t> bad = {4, 20, 4};
  c_labels.data = bad.data();
  refused(nearfar_class_sampler_draw(sampler, &c_labels, 6, numbers.data(), 8, &count),
          "labels: wanted numbers from 0 to 19, got 20 for row 1");
  nearfar_class_sampler_destroy(sampler);
  nearfar_class_sampler_destroy(nullptr);
}

}  // namespace
