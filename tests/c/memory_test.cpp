#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nearfar/memory/cross_batch_memory.hpp>
#include <nearfar/memory/key_queue.hpp>
#include <nearfar/memory/memory_bank.hpp>
#include <random>
#include <string>

#include "c/same_bits.hpp"

/// Memories through the interface beside the classes: pushes, views, files that either reads.

namespace {

using namespace support;

constexpr Index capacity = 5;

struct DestroyMemory {
  void operator()(nearfar_key_queue* m) const { nearfar_key_queue_destroy(m); }
  void operator()(nearfar_cross_batch_memory* m) const { nearfar_cross_batch_memory_destroy(m); }
  void operator()(nearfar_memory_bank* m) const { nearfar_memory_bank_destroy(m); }
};
template <class T>
using Owned = std::unique_ptr<T, DestroyMemory>;

template <class T>
constexpr nearfar_scalar scalar_of = std::is_same_v<T, Eigen::bfloat16> ? NEARFAR_BFLOAT16
                                     : std::is_same_v<T, Eigen::half>   ? NEARFAR_HALF
                                     : std::is_same_v<T, float>         ? NEARFAR_FLOAT
                                                                        : NEARFAR_DOUBLE;
template <class T>
using ScalarOf = nearfar::detail::ScalarOfStored<T>;  // of calls that take a memory's rows

/// A file that is gone afterwards.
class TemporaryFile {
 public:
  explicit TemporaryFile(const char* name)
      : path_(std::filesystem::temp_directory_path() /
              (std::string("nearfar_c_") + name + std::to_string(std::random_device()()))) {}
  ~TemporaryFile() { std::filesystem::remove(path_); }
  std::string name() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

template <class S>
Matrix<S> matrix_of(const nearfar_rows& view) {
  EXPECT_EQ(view.scalar, scalar_of<S>);
  return Eigen::Map<const Matrix<S>, 0, Eigen::OuterStride<>>(
      static_cast<const S*>(view.data), view.rows, view.cols, Eigen::OuterStride<>(view.stride));
}

template <class T>
Matrix<T> matrix_of(const nearfar::Rows<ScalarOf<T>>& view) {
  return Eigen::Map<const Matrix<T>>(static_cast<const T*>(view.address(0)), view.rows(),
                                     view.cols());
}

std::vector<std::int64_t> vector_of(const nearfar_integers& view) {
  return {view.data, view.data + view.count};
}

void ok(nearfar_status status) { EXPECT_EQ(status, NEARFAR_OK) << nearfar_last_error(); }

void refused(nearfar_status got, nearfar_status wanted, const std::string& message) {
  EXPECT_EQ(got, wanted);
  EXPECT_EQ(std::string(nearfar_last_error()).substr(0, message.size()), message);
}

template <class T>
Owned<nearfar_key_queue> new_queue() {
  nearfar_key_queue* out = nullptr;
  ok(nearfar_key_queue_create(scalar_of<T>, capacity, depth, &out));
  return Owned<nearfar_key_queue>(out);
}

template <class T>
void expect_same_queue() {
  using S = ScalarOf<T>;
  const Owned<nearfar_key_queue> queue = new_queue<T>();
  nearfar::KeyQueue<T> wanted(capacity, depth);
  const std::vector<std::int64_t> ids = {7, 8, 9};
  const nearfar_integers c_ids = {ids.data(), 3};
  nearfar_rows keys;
  nearfar_integers its_ids;
  ok(nearfar_key_queue_view(queue.get(), &keys, &its_ids));
  EXPECT_EQ(keys.rows, 0);
  EXPECT_EQ(its_ids.count, 0);
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Matrix<S> batch = random_rows<S>(3, depth, step);
    const nearfar_rows rows = c_rows(batch);
    ok(nearfar_key_queue_push(queue.get(), &rows, &c_ids));
    wanted.push(batch, ids);
    ok(nearfar_key_queue_view(queue.get(), &keys, &its_ids));
    expect_same_bits<T>(matrix_of<T>(keys), matrix_of<T>(wanted.keys()), "keys");
    ASSERT_EQ(its_ids.count, wanted.size());
    for (Index i = 0; i < wanted.size(); ++i) EXPECT_EQ(its_ids.data[i], wanted.ids()[i]);
  }
  // The class loads a file of the interface, which loads it, too.
  const TemporaryFile file("queue");
  ok(nearfar_key_queue_save(queue.get(), file.name().c_str()));
  nearfar::KeyQueue<T> loaded(capacity, depth);
  loaded.load(std::filesystem::path(file.name()));
  expect_same_bits<T>(matrix_of<T>(loaded.keys()), matrix_of<T>(wanted.keys()), "loaded keys");
  ok(nearfar_key_queue_clear(queue.get()));
  ok(nearfar_key_queue_view(queue.get(), &keys, nullptr));
  EXPECT_EQ(keys.rows, 0);
  ok(nearfar_key_queue_load(queue.get(), file.name().c_str()));
  ok(nearfar_key_queue_view(queue.get(), &keys, nullptr));
  expect_same_bits<T>(matrix_of<T>(keys), matrix_of<T>(wanted.keys()), "keys loaded again");
}

TEST(CMemory, KeyQueue) {
  expect_same_queue<float>();
  expect_same_queue<double>();
  expect_same_queue<Eigen::bfloat16>();
  expect_same_queue<Eigen::half>();
}

// A step of MoCo: the view is what a loss takes as negatives.
TEST(CMemory, AViewOfAQueueIsWhatALossTakes) {
  const Owned<nearfar_key_queue> queue = new_queue<double>();
  const Matrix<double> old = random_rows<double>(4, depth, 1);
  const Matrix<double> a = random_rows<double>(3, depth, 2);
  const Matrix<double> b = random_rows<double>(3, depth, 3);
  const std::vector<std::int64_t> ids = {1, 2, 3, 4}, query_ids = {4, 5, 1};
  const nearfar_rows keys = c_rows(old), x = c_rows(a), y = c_rows(b);
  const nearfar_integers c_ids = {ids.data(), 4};
  ok(nearfar_key_queue_push(queue.get(), &keys, &c_ids));
  nearfar_negatives negatives = defaults(nearfar_negatives_init);
  ok(nearfar_key_queue_view(queue.get(), &negatives.rows, &negatives.ids));
  negatives.query_ids = {query_ids.data(), 3};
  const CLoss loss = made(nearfar_info_nce_create, defaults(nearfar_info_nce_options_init));
  nearfar_result result = defaults(nearfar_result_init);
  ok(nearfar_negatives_forward(loss.get(), &x, &y, &negatives, nullptr, &result));
  nearfar::KeyQueue<double> wanted(capacity, depth);
  wanted.push(old, ids);
  EXPECT_EQ(result.value,
            nearfar::InfoNce<double>().forward(a, b, wanted.negatives(query_ids)).value);
}

template <class T>
void expect_same_cross_batch() {
  using S = ScalarOf<T>;
  nearfar_cross_batch_memory* raw = nullptr;
  ok(nearfar_cross_batch_memory_create(scalar_of<T>, capacity, depth, &raw));
  const Owned<nearfar_cross_batch_memory> memory(raw);
  nearfar::CrossBatchMemory<T> wanted(capacity, depth);
  const std::vector<std::int64_t> labels = {0, 1, 0};
  for (std::uint64_t step = 0; step < 3; ++step) {
    const Matrix<S> batch = random_rows<S>(3, depth, step);
    const nearfar_rows rows = c_rows(batch);
    const nearfar_integers c_labels = {labels.data(), 3};
    ok(nearfar_cross_batch_memory_push(memory.get(), &rows, &c_labels, &c_labels));
    wanted.push(batch, labels, labels);
  }
  nearfar_rows rows;
  nearfar_targets targets;
  ok(nearfar_cross_batch_memory_view(memory.get(), &rows, &targets, sizeof targets));
  expect_same_bits<T>(matrix_of<T>(rows), matrix_of<T>(wanted.rows()), "rows");
  EXPECT_EQ(targets.rule, NEARFAR_LABELS);
  const std::vector<std::int64_t> its_labels = vector_of(targets.labels);
  ASSERT_EQ(targets.labels.count, wanted.size());
  EXPECT_EQ(vector_of(targets.ids), its_labels);
  for (Index i = 0; i < wanted.size(); ++i) {
    EXPECT_EQ(its_labels[static_cast<std::size_t>(i)], wanted.labels()[i]);
  }
  const CLoss loss = made(nearfar_sup_con_create, defaults(nearfar_sup_con_options_init));
  const Matrix<S> x = random_rows<S>(3, depth, 9);
  const nearfar_rows cx = c_rows(x);
  nearfar_targets own = nearfar_targets_of_labels(labels.data(), 3);
  const std::vector<std::int64_t> ids = {4, 5, 6};
  own.ids = {ids.data(), 3};
  nearfar_result result = defaults(nearfar_result_init);
  ok(nearfar_references_forward(loss.get(), &cx, &own, &rows, &targets, nullptr, &result));
  EXPECT_EQ(result.value,
            nearfar::SupCon<S>()
                .forward(x, nearfar::Targets(labels).ids(ids), wanted.rows(), wanted.targets())
                .value);

  const TemporaryFile file("memory");
  ok(nearfar_cross_batch_memory_save(memory.get(), file.name().c_str()));
  ok(nearfar_cross_batch_memory_clear(memory.get()));
  ok(nearfar_cross_batch_memory_load(memory.get(), file.name().c_str()));
  ok(nearfar_cross_batch_memory_view(memory.get(), &rows, &targets, sizeof targets));
  expect_same_bits<T>(matrix_of<T>(rows), matrix_of<T>(wanted.rows()), "rows loaded again");
  EXPECT_EQ(vector_of(targets.labels), its_labels);
}

TEST(CMemory, CrossBatchMemory) {
  expect_same_cross_batch<float>();
  expect_same_cross_batch<double>();
  expect_same_cross_batch<Eigen::bfloat16>();
  expect_same_cross_batch<Eigen::half>();
}

template <class T>
void expect_same_bank() {
  using S = ScalarOf<T>;
  auto options = defaults(nearfar_memory_bank_options_init);
  EXPECT_EQ(options.momentum, 0.5);
  options.momentum = 0.25;
  options.seed = 11;
  nearfar_memory_bank* raw = nullptr;
  ok(nearfar_memory_bank_create(scalar_of<T>, 6, depth, &options, &raw));
  const Owned<nearfar_memory_bank> bank(raw);
  nearfar::MemoryBank<T> wanted(6, depth, {.momentum = 0.25, .seed = 11});
  const std::vector<std::int64_t> samples = {4, 0, 4};
  const nearfar_integers indices = {samples.data(), 3};
  const Matrix<S> x = random_rows<S>(3, depth, 1);
  const nearfar_rows cx = c_rows(x);
  ok(nearfar_memory_bank_update(bank.get(), &indices, &cx));
  wanted.update(samples, x);
  nearfar_rows rows;
  ok(nearfar_memory_bank_view(bank.get(), &rows));
  expect_same_bits<T>(matrix_of<T>(rows), matrix_of<T>(wanted.rows()), "rows");
  Matrix<T> got(3, depth), gathered;
  nearfar_gradient out = {got.data(), 3, depth, 0, scalar_of<T>, NEARFAR_OVERWRITE};
  ok(nearfar_memory_bank_gather(bank.get(), &indices, &out));
  wanted.gather(samples, gathered);
  expect_same_bits(got, gathered, "gathered");
  out.write = NEARFAR_ACCUMULATE;
  refused(nearfar_memory_bank_gather(bank.get(), &indices, &out), NEARFAR_INVALID_ARGUMENT,
          "nearfar: out.write: wanted NEARFAR_OVERWRITE");
  const TemporaryFile file("bank");
  ok(nearfar_memory_bank_save(bank.get(), file.name().c_str()));
  ok(nearfar_memory_bank_update(bank.get(), &indices, &cx));
  ok(nearfar_memory_bank_load(bank.get(), file.name().c_str()));
  ok(nearfar_memory_bank_view(bank.get(), &rows));
  expect_same_bits<T>(matrix_of<T>(rows), matrix_of<T>(wanted.rows()), "rows loaded again");
}

TEST(CMemory, MemoryBank) {
  expect_same_bank<float>();
  expect_same_bank<double>();
  expect_same_bank<Eigen::bfloat16>();
  expect_same_bank<Eigen::half>();
}

TEST(CMemory, RefusesWhatDoesNotFitAndStaysAsItWas) {
  nearfar_key_queue* none = nullptr;
  refused(nearfar_key_queue_create(0, capacity, depth, &none), NEARFAR_INVALID_ARGUMENT,
          "nearfar: scalar: wanted NEARFAR_FLOAT, NEARFAR_DOUBLE, NEARFAR_BFLOAT16 or "
          "NEARFAR_HALF, got "
          "0");
  refused(nearfar_key_queue_create(NEARFAR_FLOAT, 0, depth, &none), NEARFAR_INVALID_ARGUMENT,
          "nearfar: capacity: wanted a number > 0, got 0");
  EXPECT_EQ(none, nullptr);
  refused(nearfar_key_queue_push(nullptr, nullptr, nullptr), NEARFAR_INVALID_ARGUMENT,
          "nearfar: queue: wanted a pointer, got null");
  const Owned<nearfar_key_queue> queue = new_queue<float>();
  Matrix<float> batch = random_rows<float>(3, depth, 1);
  const Matrix<double> doubles = random_rows<double>(3, depth, 1);
  const nearfar_rows rows = c_rows(batch), of_double = c_rows(doubles);
  refused(nearfar_key_queue_push(queue.get(), &of_double, nullptr), NEARFAR_INVALID_ARGUMENT,
          "nearfar: keys.scalar: wanted NEARFAR_FLOAT");
  ok(nearfar_key_queue_push(queue.get(), &rows, nullptr));
  batch(1, 1) = std::numeric_limits<float>::quiet_NaN();
  refused(nearfar_key_queue_push(queue.get(), &rows, nullptr), NEARFAR_NOT_FINITE,
          "nearfar: keys: wanted finite elements, got NaN at row 1, column 1");
  nearfar_rows view;
  ok(nearfar_key_queue_view(queue.get(), &view, nullptr));
  EXPECT_EQ(view.rows, 3);

  refused(nearfar_key_queue_load(queue.get(), "/nearfar/no/such/file"), NEARFAR_FILE,
          "nearfar: /nearfar/no/such/file could not be read");
  refused(nearfar_key_queue_save(queue.get(), "/nearfar/no/such/file"), NEARFAR_FILE, "nearfar: ");
  refused(nearfar_key_queue_save(queue.get(), nullptr), NEARFAR_INVALID_ARGUMENT,
          "nearfar: file: wanted a pointer, got null");
  const TemporaryFile file("damaged");
  std::ofstream(file.name()) << "something else";
  refused(nearfar_key_queue_load(queue.get(), file.name().c_str()), NEARFAR_FILE,
          "nearfar: memory is no file of nearfar's");
  ok(nearfar_key_queue_view(queue.get(), &view, nullptr));
  EXPECT_EQ(view.rows, 3);
  nearfar_memory_bank* bank = nullptr;
  auto options = defaults(nearfar_memory_bank_options_init);
  options.momentum = 1;
  refused(nearfar_memory_bank_create(NEARFAR_FLOAT, 2, 2, &options, &bank),
          NEARFAR_INVALID_ARGUMENT, "nearfar: momentum: wanted a number >= 0 and < 1, got 1");
  nearfar_key_queue_destroy(nullptr);
  nearfar_cross_batch_memory_destroy(nullptr);
  nearfar_memory_bank_destroy(nullptr);
}

}  // namespace
