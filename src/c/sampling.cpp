#include "nearfar/c/sampling.h"

#include "nearfar/sampling/class_sampler.hpp"
#include "nearfar/sampling/m_per_class.hpp"
#include "nearfar/sampling/noise_sampler.hpp"
#include "outputs.hpp"
#include "status.hpp"

using namespace nearfar;
using namespace nearfar::detail;
using namespace nearfar::detail::c;

static_assert(static_cast<int>(SmallClasses::repeat) == NEARFAR_SMALL_CLASSES_REPEAT);
static_assert(static_cast<int>(SmallClasses::leave_out) == NEARFAR_SMALL_CLASSES_LEAVE_OUT);

struct nearfar_noise_sampler {
  NoiseSampler of;
};

struct nearfar_m_per_class_sampler {
  MPerClassSampler of;
};

struct nearfar_class_sampler {
  ClassSampler of;
};

namespace {

std::vector<double> copy_of(const std::string& name, const nearfar_doubles* given) {
  const std::span<const double> numbers = doubles_of(name, required(name.c_str(), given));
  return {numbers.begin(), numbers.end()};
}

nearfar_m_per_class_options default_m_per_class() {
  const MPerClassOptions options;
  nearfar_m_per_class_options out = {};
  out.classes = options.classes;
  out.m = options.m;
  return out;
}

nearfar_class_sampler_options default_class_sampler() {
  const ClassSamplerOptions options;
  nearfar_class_sampler_options out = {};
  out.classes = options.classes;
  out.count = options.count;
  return out;
}

/// Numbers that were drawn into memory with room for `capacity`.
void hand_out(const char* name, const std::vector<Index>& drawn, int64_t* to, int64_t capacity) {
  const auto count = static_cast<int64_t>(drawn.size());
  if (capacity < count) {
    fail_argument("capacity", "room for " + std::to_string(count) + " numbers",
                  std::to_string(capacity));
  }
  if (count > 0) required(name, to);
  copy_to(to, drawn);
}

}  // namespace

extern "C" {

// ---- items of a noise distribution --------------------------------------------------------------

nearfar_status nearfar_powered_counts(const nearfar_doubles* counts, double power,
                                      double* weights) {
  return guarded([&] {
    const std::vector<double> powered = powered_counts(copy_of("counts", counts), power);
    if (!powered.empty()) required("weights", weights);
    copy_to(weights, powered);
  });
}

nearfar_status nearfar_noise_sampler_create(const nearfar_doubles* weights,
                                            nearfar_noise_sampler** sampler) {
  return guarded([&] {
    nearfar_noise_sampler*& out = required("sampler", sampler);
    out = new nearfar_noise_sampler{NoiseSampler(copy_of("weights", weights))};
  });
}

nearfar_status nearfar_noise_sampler_draw(const nearfar_noise_sampler* sampler, uint64_t seed,
                                          uint64_t step, uint64_t row, int64_t* items,
                                          int64_t count) {
  return guarded([&] {
    const NoiseSampler& of = required("sampler", sampler).of;
    check_count("items", items, count);
    for (int64_t k = 0; k < count; ++k) {
      items[k] = of.draw(seed, step, row, static_cast<uint64_t>(k));
    }
  });
}

nearfar_status nearfar_noise_sampler_log_probabilities(const nearfar_noise_sampler* sampler,
                                                       const nearfar_integers* items,
                                                       const nearfar_gradient* out) {
  return guarded([&] {
    const NoiseSampler& of = required("sampler", sampler).of;
    const std::span<const Index> its = indices_of("items", required("items", items));
    const auto of_type = [&]<class S>(S) {
      const GradientRows<S> to = overwritten<S>("out", out);
      to.check_shape("out", static_cast<Index>(its.size()), 1);
      std::vector<S> logs;
      of.log_probabilities(std::vector<Index>(its.begin(), its.end()), logs);
      copy_rows(Rows<S>(logs, to.rows(), 1), to);
    };
    if (required("out", out).scalar == NEARFAR_DOUBLE) return of_type(double());
    of_type(float());
  });
}

void nearfar_noise_sampler_destroy(nearfar_noise_sampler* sampler) { delete sampler; }

// ---- batches of classes with m rows each --------------------------------------------------------

nearfar_status nearfar_m_per_class_options_init(nearfar_m_per_class_options* options, size_t size) {
  return guarded([&] { initialise("options", options, size, default_m_per_class()); });
}

nearfar_status nearfar_m_per_class_sampler_create(const nearfar_integers* labels,
                                                  const nearfar_m_per_class_options* options,
                                                  nearfar_m_per_class_sampler** sampler) {
  return guarded([&] {
    nearfar_m_per_class_sampler*& out = required("sampler", sampler);
    const nearfar_m_per_class_options its =
        options != nullptr ? completed("options", options, default_m_per_class())
                           : default_m_per_class();
    const bool leave_out = flag_of("small_classes", its.small_classes);
    out = new nearfar_m_per_class_sampler{MPerClassSampler(
        labels_of("labels", required("labels", labels)),
        {.classes = its.classes,
         .m = its.m,
         .small_classes = leave_out ? SmallClasses::leave_out : SmallClasses::repeat,
         .seed = its.seed})};
  });
}

nearfar_status nearfar_m_per_class_sampler_draw(const nearfar_m_per_class_sampler* sampler,
                                                uint64_t step, int64_t* rows, int64_t capacity) {
  return guarded([&] {
    std::vector<Index> drawn;
    required("sampler", sampler).of.draw(step, drawn);
    hand_out("rows", drawn, rows, capacity);
  });
}

void nearfar_m_per_class_sampler_destroy(nearfar_m_per_class_sampler* sampler) { delete sampler; }

// ---- classes of a softmax over some of them -----------------------------------------------------

nearfar_status nearfar_class_sampler_options_init(nearfar_class_sampler_options* options,
                                                  size_t size) {
  return guarded([&] { initialise("options", options, size, default_class_sampler()); });
}

nearfar_status nearfar_class_sampler_create(const nearfar_class_sampler_options* options,
                                            nearfar_class_sampler** sampler) {
  return guarded([&] {
    nearfar_class_sampler*& out = required("sampler", sampler);
    const nearfar_class_sampler_options its =
        options != nullptr ? completed("options", options, default_class_sampler())
                           : default_class_sampler();
    out = new nearfar_class_sampler{
        ClassSampler({.classes = its.classes, .count = its.count, .seed = its.seed})};
  });
}

nearfar_status nearfar_class_sampler_draw(const nearfar_class_sampler* sampler,
                                          const nearfar_integers* labels, uint64_t step,
                                          int64_t* numbers, int64_t capacity, int64_t* count) {
  return guarded([&] {
    int64_t& drawn_count = required("count", count);
    std::vector<Index> drawn;
    required("sampler", sampler)
        .of.draw(labels_of("labels", required("labels", labels)), step, drawn);
    hand_out("numbers", drawn, numbers, capacity);
    drawn_count = static_cast<int64_t>(drawn.size());
  });
}

void nearfar_class_sampler_destroy(nearfar_class_sampler* sampler) { delete sampler; }

}  // extern "C"
