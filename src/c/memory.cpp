#include "nearfar/c/memory.h"

#include <variant>

#include "nearfar/memory/cross_batch_memory.hpp"
#include "nearfar/memory/key_queue.hpp"
#include "nearfar/memory/memory_bank.hpp"
#include "outputs.hpp"
#include "status.hpp"

namespace {

// Types of this file alone, and with them all functions of memories of 16 bits. Those of Eigen's
// types would be offered to users' programs, which have their own of these, compiled with other
// flags.
struct Bfloat16 : Eigen::bfloat16 {
  using Eigen::bfloat16::bfloat16;
};
struct Half : Eigen::half {
  using Eigen::half::half;
};

}  // namespace

namespace nearfar::detail {

template <>
inline constexpr bool is_16_bit<Bfloat16> = true;
template <>
inline constexpr bool is_16_bit<Half> = true;
template <>
inline constexpr Element element_of<Bfloat16> = Element::bfloat16;
template <>
inline constexpr Element element_of<Half> = Element::half;

}  // namespace nearfar::detail

using namespace nearfar;
using namespace nearfar::detail;
using namespace nearfar::detail::c;

namespace {

/// A memory of numbers of any type.
template <template <class T> class Memory>
class AnyNumbers {
 public:
  template <class... Arguments>
  AnyNumbers(nearfar_scalar scalar, const Arguments&... arguments)
      : of_(make(scalar, arguments...)) {}

  /// Calls body(S(), memory), where losses over S take the memory's rows.
  template <class Body>
  void with(const Body& body) {
    std::visit([&]<class T>(Memory<T>& memory) { body(ScalarOfStored<T>(), memory); }, of_);
  }
  template <class Body>
  void with(const Body& body) const {
    std::visit([&]<class T>(const Memory<T>& memory) { body(ScalarOfStored<T>(), memory); }, of_);
  }

 private:
  using Any = std::variant<Memory<float>, Memory<double>, Memory<Bfloat16>, Memory<Half>>;

  template <class... Arguments>
  static Any make(nearfar_scalar scalar, const Arguments&... arguments) {
    if (scalar == NEARFAR_FLOAT) return Memory<float>(arguments...);
    if (scalar == NEARFAR_DOUBLE) return Memory<double>(arguments...);
    if (scalar == NEARFAR_BFLOAT16) return Memory<Bfloat16>(arguments...);
    if (scalar == NEARFAR_HALF) return Memory<Half>(arguments...);
    fail_argument("scalar", "NEARFAR_FLOAT, NEARFAR_DOUBLE, NEARFAR_BFLOAT16 or NEARFAR_HALF",
                  std::to_string(scalar));
  }

  Any of_;
};

template <class S>
nearfar_rows view_of(const Rows<S>& rows) {
  const nearfar_scalar scalar = rows.element() == Element::bfloat16 ? NEARFAR_BFLOAT16
                                : rows.element() == Element::half   ? NEARFAR_HALF
                                                                    : scalar_of<S>;
  return {rows.address(0), rows.rows(), rows.cols(), rows.stride(), scalar};
}

/// Of labels that lie as 64-bit integers without gaps, as memories keep them.
nearfar_integers view_of(const Labels& labels) {
  if (labels.size() == 0) return {nullptr, 0};
  return {static_cast<const int64_t*>(labels.data()), labels.size()};
}

template <class Memory>
nearfar_status save(const char* name, const Memory* memory, const char* file) {
  return guarded([&] {
    required(name, memory);
    required("file", file);
    memory->of.with([&](auto, const auto& its) { its.save(std::filesystem::path(file)); });
  });
}

template <class Memory>
nearfar_status load(const char* name, Memory* memory, const char* file) {
  return guarded([&] {
    required(name, memory);
    required("file", file);
    memory->of.with([&](auto, auto& its) { its.load(std::filesystem::path(file)); });
  });
}

nearfar_memory_bank_options default_bank() {
  const MemoryBankOptions options;
  nearfar_memory_bank_options out = {};
  out.momentum = options.momentum;
  out.seed = options.seed;
  return out;
}

}  // namespace

struct nearfar_key_queue {
  AnyNumbers<KeyQueue> of;
};

struct nearfar_cross_batch_memory {
  AnyNumbers<CrossBatchMemory> of;
};

struct nearfar_memory_bank {
  AnyNumbers<MemoryBank> of;
};

extern "C" {

// ---- key queue ----------------------------------------------------------------------------------

nearfar_status nearfar_key_queue_create(nearfar_scalar scalar, int64_t capacity, int64_t dim,
                                        nearfar_key_queue** queue) {
  return guarded([&] {
    nearfar_key_queue*& out = required("queue", queue);
    out = new nearfar_key_queue{AnyNumbers<KeyQueue>(scalar, Index(capacity), Index(dim))};
  });
}

nearfar_status nearfar_key_queue_push(nearfar_key_queue* queue, const nearfar_rows* keys,
                                      const nearfar_integers* ids) {
  return guarded([&] {
    required("queue", queue).of.with([&]<class S>(S, auto& its) {
      const Rows<S> rows = rows_of<S>("keys", required("keys", keys));
      if (ids == nullptr) {
        its.push(rows);
      } else {
        its.push(rows, labels_of("ids", *ids));
      }
    });
  });
}

nearfar_status nearfar_key_queue_view(const nearfar_key_queue* queue, nearfar_rows* keys,
                                      nearfar_integers* ids) {
  return guarded([&] {
    required("keys", keys);
    required("queue", queue).of.with([&](auto, const auto& its) {
      *keys = view_of(its.keys());
      if (ids != nullptr) *ids = view_of(its.ids());
    });
  });
}

nearfar_status nearfar_key_queue_clear(nearfar_key_queue* queue) {
  return guarded([&] { required("queue", queue).of.with([](auto, auto& its) { its.clear(); }); });
}

nearfar_status nearfar_key_queue_save(const nearfar_key_queue* queue, const char* file) {
  return save("queue", queue, file);
}

nearfar_status nearfar_key_queue_load(nearfar_key_queue* queue, const char* file) {
  return load("queue", queue, file);
}

void nearfar_key_queue_destroy(nearfar_key_queue* queue) { delete queue; }

// ---- cross-batch memory -------------------------------------------------------------------------

nearfar_status nearfar_cross_batch_memory_create(nearfar_scalar scalar, int64_t capacity,
                                                 int64_t dim, nearfar_cross_batch_memory** memory) {
  return guarded([&] {
    nearfar_cross_batch_memory*& out = required("memory", memory);
    out = new nearfar_cross_batch_memory{
        AnyNumbers<CrossBatchMemory>(scalar, Index(capacity), Index(dim))};
  });
}

nearfar_status nearfar_cross_batch_memory_push(nearfar_cross_batch_memory* memory,
                                               const nearfar_rows* rows,
                                               const nearfar_integers* labels,
                                               const nearfar_integers* ids) {
  return guarded([&] {
    required("memory", memory).of.with([&]<class S>(S, auto& its) {
      const Rows<S> its_rows = rows_of<S>("rows", required("rows", rows));
      const Labels its_labels = labels_of("labels", required("labels", labels));
      if (ids == nullptr) {
        its.push(its_rows, its_labels);
      } else {
        its.push(its_rows, its_labels, labels_of("ids", *ids));
      }
    });
  });
}

nearfar_status nearfar_cross_batch_memory_view(const nearfar_cross_batch_memory* memory,
                                               nearfar_rows* rows, nearfar_targets* targets,
                                               size_t targets_size) {
  return guarded([&] {
    required("rows", rows);
    required("memory", memory).of.with([&](auto, const auto& its) {
      nearfar_targets out = {};
      out.rule = NEARFAR_LABELS;
      out.labels = view_of(its.labels());
      out.ids = view_of(its.ids());
      initialise("targets", targets, targets_size, out);
      *rows = view_of(its.rows());
    });
  });
}

nearfar_status nearfar_cross_batch_memory_clear(nearfar_cross_batch_memory* memory) {
  return guarded([&] { required("memory", memory).of.with([](auto, auto& its) { its.clear(); }); });
}

nearfar_status nearfar_cross_batch_memory_save(const nearfar_cross_batch_memory* memory,
                                               const char* file) {
  return save("memory", memory, file);
}

nearfar_status nearfar_cross_batch_memory_load(nearfar_cross_batch_memory* memory,
                                               const char* file) {
  return load("memory", memory, file);
}

void nearfar_cross_batch_memory_destroy(nearfar_cross_batch_memory* memory) { delete memory; }

// ---- memory bank --------------------------------------------------------------------------------

nearfar_status nearfar_memory_bank_options_init(nearfar_memory_bank_options* options, size_t size) {
  return guarded([&] { initialise("options", options, size, default_bank()); });
}

nearfar_status nearfar_memory_bank_create(nearfar_scalar scalar, int64_t count, int64_t dim,
                                          const nearfar_memory_bank_options* options,
                                          nearfar_memory_bank** bank) {
  return guarded([&] {
    nearfar_memory_bank*& out = required("bank", bank);
    const nearfar_memory_bank_options its =
        options != nullptr ? completed("options", options, default_bank()) : default_bank();
    out = new nearfar_memory_bank{AnyNumbers<MemoryBank>(
        scalar, Index(count), Index(dim), MemoryBankOptions{its.momentum, its.seed})};
  });
}

nearfar_status nearfar_memory_bank_view(const nearfar_memory_bank* bank, nearfar_rows* rows) {
  return guarded([&] {
    required("rows", rows);
    required("bank", bank).of.with([&](auto, const auto& its) { *rows = view_of(its.rows()); });
  });
}

nearfar_status nearfar_memory_bank_gather(const nearfar_memory_bank* bank,
                                          const nearfar_integers* indices,
                                          const nearfar_gradient* out) {
  return guarded([&] {
    required("bank", bank).of.with([&]<class S>(S, const auto& its) {
      const Labels samples = labels_of("indices", required("indices", indices));
      its.gather(samples, overwritten<S>("out", out, view_of(its.rows()).scalar));
    });
  });
}

nearfar_status nearfar_memory_bank_update(nearfar_memory_bank* bank,
                                          const nearfar_integers* indices, const nearfar_rows* x) {
  return guarded([&] {
    required("bank", bank).of.with([&]<class S>(S, auto& its) {
      const Labels samples = labels_of("indices", required("indices", indices));
      its.update(samples, rows_of<S>("x", required("x", x)));
    });
  });
}

nearfar_status nearfar_memory_bank_save(const nearfar_memory_bank* bank, const char* file) {
  return save("bank", bank, file);
}

nearfar_status nearfar_memory_bank_load(nearfar_memory_bank* bank, const char* file) {
  return load("bank", bank, file);
}

void nearfar_memory_bank_destroy(nearfar_memory_bank* bank) { delete bank; }

}  // extern "C"
