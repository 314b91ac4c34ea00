#include <cstddef>
#include <cstdio>
#include <nearfar/losses/register.hpp>
#include <string>

#include "c/same_bits.hpp"
#include "support/fields.hpp"

/// Structs that have grown since the calling code was compiled: what a smaller one lacks has its
/// default, and nothing is read or written beyond it.

namespace {

using namespace support;

constexpr Index n = 6;

/// The value of a loss in each form, or the message of its error.
std::string said_by(const nearfar_loss* loss) {
  const Matrix<double> a = random_rows<double>(n, depth, 1);
  const Matrix<double> b = random_rows<double>(n, depth, 2);
  const Matrix<double> c = random_rows<double>(n, depth, 3);
  const Matrix<double> column = random_rows<double>(n, 1, 4);
  const std::vector<std::int64_t> labels = {0, 0, 1, 1, 2, 2};
  const std::vector<std::int64_t> flags = {0, 1, 1, 0, 1, 0};
  const std::vector<std::int64_t> ends = {0, 1, 3, 4, 6};
  const nearfar_rows x = c_rows(a), y = c_rows(b), z = c_rows(c), numbers = c_rows(column);
  const nearfar_targets targets = nearfar_targets_of_labels(labels.data(), n);
  const nearfar_integers of_rows = {labels.data(), n}, same = {flags.data(), n};
  const nearfar_integers offsets = {ends.data(), 5};
  nearfar_negatives negatives = defaults(nearfar_negatives_init);
  negatives.rows = z;
  nearfar_negatives with_noise = negatives;
  with_noise.log_noise_keys = with_noise.log_noise_negatives = numbers;
  nearfar_proxies proxies = defaults(nearfar_proxies_init);
  proxies.rows = y;
  std::string said;
  const auto say = [&](const auto& call) {
    nearfar_result result = defaults(nearfar_result_init);
    if (call(&result) != NEARFAR_OK) {
      said += nearfar_last_error();
    } else {
      char text[40];
      std::snprintf(text, sizeof text, "%a", result.value);
      said += text;
    }
    said += '\n';
  };
  say([&](auto* out) { return nearfar_one_set_forward(loss, &x, nullptr, out); });
  say([&](auto* out) { return nearfar_two_sets_forward(loss, &x, &y, nullptr, nullptr, out); });
  say([&](auto* out) { return nearfar_two_sets_forward(loss, &x, &y, &same, nullptr, out); });
  say([&](auto* out) { return nearfar_scored_forward(loss, &x, &y, &numbers, nullptr, out); });
  say([&](auto* out) {
    return nearfar_scored_triplets_forward(loss, &x, &y, &z, &numbers, nullptr, out);
  });
  say([&](auto* out) { return nearfar_three_sets_forward(loss, &x, &y, &z, nullptr, out); });
  for (const nearfar_negatives* some : {&negatives, &with_noise}) {
    say([&](auto* out) { return nearfar_negatives_forward(loss, &x, &y, some, nullptr, out); });
  }
  say([&](auto* out) {
    return nearfar_proxies_forward(loss, &x, &of_rows, &proxies, nullptr, out);
  });
  say([&](auto* out) { return nearfar_labelled_forward(loss, &x, &targets, nullptr, out); });
  say([&](auto* out) { return nearfar_predictions_forward(loss, &x, &y, &z, &x, nullptr, out); });
  say([&](auto* out) {
    return nearfar_tokens_forward(loss, &x, &offsets, &y, &offsets, nullptr, out);
  });
  return said;
}

template <class C>
std::string said_with(nearfar_status (*create)(const C*, nearfar_loss**), const C* options) {
  nearfar_loss* loss = nullptr;
  if (create(options, &loss) != NEARFAR_OK) return nearfar_last_error();
  const CLoss owned(loss);
  return said_by(loss);
}

/// Memory of exactly so many bytes, so that sanitizers see a byte read beyond it.
template <class C>
class Truncated {
 public:
  Truncated(const C& full, std::size_t size) : bytes_(new unsigned char[size]) {
    std::memcpy(bytes_.get(), &full, size);
    std::memcpy(bytes_.get(), &size, sizeof size);
  }
  C* get() { return reinterpret_cast<C*>(bytes_.get()); }

 private:
  std::unique_ptr<unsigned char[]> bytes_;
};

/// `init` writes the first bytes of the defaults and none behind them.
template <class C>
void expect_init_of_any_size(nearfar_status (*init)(C*, std::size_t)) {
  for (std::size_t size = sizeof(std::size_t); size <= sizeof(C); size += 8) {
    std::vector<unsigned char> bytes(sizeof(C) + 8, 0xAB);
    ASSERT_EQ(init(reinterpret_cast<C*>(bytes.data()), size), NEARFAR_OK) << nearfar_last_error();
    std::size_t written = 0;
    std::memcpy(&written, bytes.data(), sizeof written);
    EXPECT_EQ(written, size);
    for (std::size_t k = size; k < bytes.size(); ++k) ASSERT_EQ(bytes[k], 0xAB) << "byte " << k;
  }
  std::vector<unsigned char> bytes(sizeof(C) + 8, 0xAB);
  for (const std::size_t size : {std::size_t(0), sizeof(std::size_t) - 1, sizeof(C) + 1}) {
    EXPECT_EQ(init(reinterpret_cast<C*>(bytes.data()), size), NEARFAR_INVALID_ARGUMENT);
    for (const unsigned char byte : bytes) ASSERT_EQ(byte, 0xAB);
  }
}

/// `full` differs from the defaults in each member.
template <class C>
void expect_defaults_for_the_rest(const char* name, nearfar_status (*init)(C*, std::size_t),
                                  nearfar_status (*create)(const C*, nearfar_loss**), C full) {
  SCOPED_TRACE(name);
  expect_init_of_any_size(init);
  full.size = sizeof full;
  for (std::size_t size = sizeof(std::size_t); size <= sizeof(C); size += 8) {
    SCOPED_TRACE(size);
    C whole = defaults(init);
    std::memcpy(&whole, &full, size);
    whole.size = sizeof whole;
    EXPECT_EQ(said_with<C>(create, Truncated(full, size).get()), said_with<C>(create, &whole));
  }
  full.size = sizeof full + 8;
  nearfar_loss* none = nullptr;
  EXPECT_EQ(create(&full, &none), NEARFAR_INVALID_ARGUMENT);
  EXPECT_EQ(none, nullptr);
}

template <class Options, class C>
C other_than_defaults(nearfar_status (*init)(C*, std::size_t)) {
  C full = defaults(init);
  Options options;
  Options::fields(OtherThanDefaults{1}, options, full);
  if constexpr (requires { full.reduction; }) full.reduction = NEARFAR_SUM;
  if constexpr (requires { full.unusable_anchors; }) full.unusable_anchors = NEARFAR_REFUSE;
  return full;
}

TEST(CStructSizes, OptionsOfEveryLoss) {
  int losses = 0;
#define NEARFAR_EXPECT(name, ...)                                      \
  ++losses;                                                            \
  expect_defaults_for_the_rest(                                        \
      #name, &nearfar_##name##_options_init, &nearfar_##name##_create, \
      other_than_defaults<nearfar::registered::name::Options>(&nearfar_##name##_options_init));
  NEARFAR_LOSSES_OVER_LABELS(NEARFAR_EXPECT)
  NEARFAR_LOSSES_OVER_PROXIES(NEARFAR_EXPECT)
  NEARFAR_OTHER_LOSSES(NEARFAR_EXPECT)
#undef NEARFAR_EXPECT
  EXPECT_GT(losses, 50);
  const std::int64_t prefixes[] = {3, depth};
  const double weights[] = {2, 1};
  auto matryoshka = defaults(nearfar_matryoshka_info_nce_options_init);
  matryoshka.kernel = NEARFAR_INNER_PRODUCT;
  matryoshka.temperature = 0.3;
  matryoshka.denominator = NEARFAR_NEGATIVES_ONLY;
  matryoshka.reduction = NEARFAR_SUM;
  matryoshka.unusable_anchors = NEARFAR_REFUSE;
  matryoshka.prefixes = {prefixes, 2};
  matryoshka.weights = {weights, 2};
  expect_defaults_for_the_rest("matryoshka_info_nce", &nearfar_matryoshka_info_nce_options_init,
                               &nearfar_matryoshka_info_nce_create, matryoshka);
}

TEST(CStructSizes, ASmallerStructMeansTheDefaultsOfTheRest) {
  auto options = defaults(nearfar_info_nce_options_init);
  options.temperature = 0.3;
  options.reduction = NEARFAR_SUM;
  const std::size_t size = offsetof(nearfar_info_nce_options, reduction);
  Truncated<nearfar_info_nce_options> old(options, size);
  options.reduction = NEARFAR_MEAN;
  EXPECT_EQ(said_with<nearfar_info_nce_options>(nearfar_info_nce_create, old.get()),
            said_with<nearfar_info_nce_options>(nearfar_info_nce_create, &options));
}

/// Runs a call with each size of one of its structs: `run(size)` gives the value or throws.
class CStructsOfCalls : public testing::Test {
 protected:
  double value_of(nearfar_status status) {
    EXPECT_EQ(status, NEARFAR_OK) << nearfar_last_error();
    return result.value;
  }

  Matrix<double> a = random_rows<double>(n, depth, 1);
  Matrix<double> b = random_rows<double>(n, depth, 2);
  nearfar_rows x = c_rows(a), y = c_rows(b);
  std::vector<std::int64_t> labels = {0, 0, 1, 1, 2, 2};
  nearfar_result result = defaults(nearfar_result_init);
  CLoss info_nce = made(nearfar_info_nce_create, defaults(nearfar_info_nce_options_init));
  CLoss sup_con = made(nearfar_sup_con_create, defaults(nearfar_sup_con_options_init));
};

TEST_F(CStructsOfCalls, Inits) {
  expect_init_of_any_size(nearfar_call_init);
  expect_init_of_any_size(nearfar_result_init);
  expect_init_of_any_size(nearfar_targets_init);
  expect_init_of_any_size(nearfar_negatives_init);
  expect_init_of_any_size(nearfar_in_batch_init);
  expect_init_of_any_size(nearfar_proxies_init);
  expect_init_of_any_size(nearfar_retrieval_options_init);
  expect_init_of_any_size(nearfar_retrieval_result_init);
  expect_init_of_any_size(nearfar_knn_options_init);
  expect_init_of_any_size(nearfar_knn_result_init);
  expect_init_of_any_size(nearfar_collapse_result_init);
  expect_init_of_any_size(nearfar_nearest_options_init);
  expect_init_of_any_size(nearfar_nearest_result_init);
  expect_init_of_any_size(nearfar_known_positives_init);
  expect_init_of_any_size(nearfar_memory_bank_options_init);
  expect_init_of_any_size(nearfar_m_per_class_options_init);
  expect_init_of_any_size(nearfar_class_sampler_options_init);
}

TEST_F(CStructsOfCalls, ACallWithoutUpstreamAndGradientOfTheMatrix) {
  nearfar_call call = defaults(nearfar_call_init);
  const double two = 2;
  call.upstream = {&two, 1};
  Truncated<nearfar_call> old(call, offsetof(nearfar_call, upstream));
  Matrix<double> d(n, depth), e(n, depth);
  const nearfar_gradient dx = c_gradient(d), dy = c_gradient(e);
  value_of(nearfar_two_sets_forward_backward(info_nce.get(), &x, &y, nullptr, &dx, nullptr,
                                             old.get(), &result));
  value_of(nearfar_two_sets_forward_backward(info_nce.get(), &x, &y, nullptr, &dy, nullptr, nullptr,
                                             &result));
  expect_same_bits(d, e, "upstream counts though the struct ends before it");
}

TEST_F(CStructsOfCalls, ACallWithoutProducts) {
  nearfar_call call = defaults(nearfar_call_init);
  call.products = 77;
  EXPECT_EQ(nearfar_two_sets_forward(info_nce.get(), &x, &y, nullptr, &call, &result),
            NEARFAR_INVALID_ARGUMENT);
  Truncated<nearfar_call> old(call, offsetof(nearfar_call, products));
  value_of(nearfar_two_sets_forward(info_nce.get(), &x, &y, nullptr, old.get(), &result));
}

TEST_F(CStructsOfCalls, AResultWithoutItsLastMembers) {
  const double wanted =
      value_of(nearfar_two_sets_forward(info_nce.get(), &x, &y, nullptr, nullptr, &result));
  for (std::size_t size = 8; size <= sizeof result; size += 8) {
    Truncated<nearfar_result> old(defaults(nearfar_result_init), size);
    EXPECT_EQ(nearfar_two_sets_forward(info_nce.get(), &x, &y, nullptr, nullptr, old.get()),
              NEARFAR_OK);
    nearfar_result whole = defaults(nearfar_result_init);
    std::memcpy(&whole, old.get(), size);
    EXPECT_EQ(whole.size, size);
    EXPECT_EQ(whole.value, size > offsetof(nearfar_result, value) ? wanted : 0);
  }
}

TEST_F(CStructsOfCalls, TargetsWithoutIds) {
  nearfar_targets targets = nearfar_targets_of_labels(labels.data(), n);
  const double wanted =
      value_of(nearfar_labelled_forward(sup_con.get(), &x, &targets, nullptr, &result));
  targets.ids = targets.labels;
  Truncated<nearfar_targets> old(targets, offsetof(nearfar_targets, ids));
  EXPECT_EQ(value_of(nearfar_labelled_forward(sup_con.get(), &x, old.get(), nullptr, &result)),
            wanted);
}

TEST_F(CStructsOfCalls, NegativesWithoutOwn) {
  nearfar_negatives negatives = defaults(nearfar_negatives_init);
  negatives.rows = y;
  nearfar_negatives own = negatives;
  own.per_query = 1;
  const auto value_with = [&](const nearfar_negatives* given) {
    return value_of(nearfar_negatives_forward(info_nce.get(), &x, &y, given, nullptr, &result));
  };
  const double wanted = value_with(&negatives);
  negatives.own = &own;
  EXPECT_NE(value_with(&negatives), wanted);
  Truncated<nearfar_negatives> old(negatives, offsetof(nearfar_negatives, own));
  EXPECT_EQ(value_with(old.get()), wanted);
}

TEST_F(CStructsOfCalls, NegativesWithoutIds) {
  nearfar_negatives negatives = defaults(nearfar_negatives_init);
  negatives.rows = y;
  const double wanted =
      value_of(nearfar_negatives_forward(info_nce.get(), &x, &y, &negatives, nullptr, &result));
  negatives.ids = negatives.query_ids = {labels.data(), n};
  Truncated<nearfar_negatives> old(negatives, offsetof(nearfar_negatives, ids));
  EXPECT_EQ(
      value_of(nearfar_negatives_forward(info_nce.get(), &x, &y, old.get(), nullptr, &result)),
      wanted);
  nearfar_in_batch extras = defaults(nearfar_in_batch_init);
  extras.negatives = old.get();
  extras.log_q = {a.data(), n};
  const CLoss in_batch =
      made(nearfar_in_batch_info_nce_create, defaults(nearfar_in_batch_info_nce_options_init));
  Truncated<nearfar_in_batch> old_extras(extras, offsetof(nearfar_in_batch, log_q));
  extras.log_q = {};
  EXPECT_EQ(value_of(nearfar_in_batch_forward(in_batch.get(), &x, &y, old_extras.get(), nullptr,
                                              &result)),
            value_of(nearfar_in_batch_forward(in_batch.get(), &x, &y, &extras, nullptr, &result)));
}

TEST_F(CStructsOfCalls, ProxiesWithoutMargins) {
  nearfar_proxies proxies = defaults(nearfar_proxies_init);
  proxies.rows = y;
  const nearfar_integers of_rows = {labels.data(), n};
  const CLoss arc_face = made(nearfar_arc_face_create, defaults(nearfar_arc_face_options_init));
  const double wanted =
      value_of(nearfar_proxies_forward(arc_face.get(), &x, &of_rows, &proxies, nullptr, &result));
  const Matrix<double> column = random_rows<double>(n, 1, 4);
  proxies.margins = c_rows(column);
  Truncated<nearfar_proxies> old(proxies, offsetof(nearfar_proxies, margins));
  EXPECT_EQ(
      value_of(nearfar_proxies_forward(arc_face.get(), &x, &of_rows, old.get(), nullptr, &result)),
      wanted);
}

TEST_F(CStructsOfCalls, OptionsOfMetricsWithoutTheirLastMembers) {
  const nearfar_targets targets = nearfar_targets_of_labels(labels.data(), n);
  auto options = defaults(nearfar_retrieval_options_init);
  options.average_precision = 1;
  options.has_unlabelled = 1;
  Truncated<nearfar_retrieval_options> old(options,
                                           offsetof(nearfar_retrieval_options, average_precision));
  auto retrieved = defaults(nearfar_retrieval_result_init);
  Truncated<nearfar_retrieval_result> old_result(retrieved,
                                                 offsetof(nearfar_retrieval_result, queries));
  ASSERT_EQ(nearfar_retrieval(old.get(), &x, &targets, nullptr, nullptr, nullptr, old_result.get()),
            NEARFAR_OK)
      << nearfar_last_error();
  ASSERT_EQ(nearfar_retrieval(nullptr, &x, &targets, nullptr, nullptr, nullptr, &retrieved),
            NEARFAR_OK);
  EXPECT_EQ(old_result.get()->map_at_r, retrieved.map_at_r);
  EXPECT_EQ(old_result.get()->mean_average_precision, 0);

  auto knn = defaults(nearfar_knn_options_init);
  knn.k = 2;
  knn.vote = 77;
  Truncated<nearfar_knn_options> old_knn(knn, offsetof(nearfar_knn_options, vote));
  auto voted = defaults(nearfar_knn_result_init);
  EXPECT_EQ(
      nearfar_knn_accuracy(old_knn.get(), &x, &targets.labels, nullptr, nullptr, nullptr, &voted),
      NEARFAR_OK)
      << nearfar_last_error();

  auto nearest = defaults(nearfar_nearest_options_init);
  nearest.k = 2;
  nearest.margin = 1;  // which would need a positive of each query's own
  Truncated<nearfar_nearest_options> old_nearest(nearest,
                                                 offsetof(nearfar_nearest_options, margin));
  auto found = defaults(nearfar_nearest_result_init);
  EXPECT_EQ(nearfar_nearest_keys(old_nearest.get(), &x, nullptr, nullptr, nullptr, &found),
            NEARFAR_OK)
      << nearfar_last_error();
}

TEST_F(CStructsOfCalls, OptionsOfMemoriesAndSamplersWithoutTheirLastMembers) {
  auto bank_options = defaults(nearfar_memory_bank_options_init);
  bank_options.momentum = 77;
  Truncated<nearfar_memory_bank_options> old(bank_options,
                                             offsetof(nearfar_memory_bank_options, momentum));
  nearfar_memory_bank* bank = nullptr;
  EXPECT_EQ(nearfar_memory_bank_create(NEARFAR_FLOAT, 2, 2, old.get(), &bank), NEARFAR_OK);
  nearfar_memory_bank_destroy(bank);

  auto batches = defaults(nearfar_m_per_class_options_init);
  batches.classes = 2;
  batches.m = 77;
  Truncated<nearfar_m_per_class_options> old_batches(batches,
                                                     offsetof(nearfar_m_per_class_options, m));
  const nearfar_integers of_rows = {labels.data(), n};
  nearfar_m_per_class_sampler* sampler = nullptr;
  ASSERT_EQ(nearfar_m_per_class_sampler_create(&of_rows, old_batches.get(), &sampler), NEARFAR_OK);
  std::vector<std::int64_t> rows(8);  // 2 classes of 4 rows, the default
  EXPECT_EQ(nearfar_m_per_class_sampler_draw(sampler, 0, rows.data(), 8), NEARFAR_OK);
  nearfar_m_per_class_sampler_destroy(sampler);

  auto classes = defaults(nearfar_class_sampler_options_init);
  classes.classes = 5;
  classes.count = 77;
  Truncated<nearfar_class_sampler_options> old_classes(
      classes, offsetof(nearfar_class_sampler_options, count));
  nearfar_class_sampler* of_classes = nullptr;
  EXPECT_EQ(nearfar_class_sampler_create(old_classes.get(), &of_classes), NEARFAR_OK);
  nearfar_class_sampler_destroy(of_classes);
}

}  // namespace
