#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <functional>
#include <limits>
#include <memory>
#include <nearfar/core/instruction_set.hpp>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "support/problem.hpp"
#include "support/sets.hpp"
#ifdef BENCH_TORCH
#include "peers/libtorch.hpp"
#endif
#ifdef BENCH_NATIVE
#include "peers/native.hpp"
#endif

/// \file
/// bench_losses [--only-check] [--seconds=S] [--repetitions=R] [--within=W] [--benchmark_...]
/// SHAPE...
///
/// support/shape.hpp defines shapes. For each, nearfar's value and gradients are compared with a
/// reference, then every peer's with nearfar's; a difference larger than rounding errors ends the
/// program. Then all of them are timed, R repetitions of S seconds each, in random order, or one
/// repetition if R would take more than W seconds. Without a shape the program prints the
/// instruction set. Names of benchmarks are "peer/SHAPE".

namespace {

using bench::Answer;
using bench::Batch;
using bench::Peer;
using bench::Problem;
using bench::Shape;

struct Plan {
  double seconds = 0.1;
  int repetitions = 3;
  double within = std::numeric_limits<double>::infinity();  ///< seconds; beyond: one repetition
  double whole = 0;                                         ///< seconds of all repetitions
  double once = 0;                                          ///< seconds of one of each
  std::vector<benchmark::internal::Benchmark*> benchmarks;
};

/// A participant.
template <class S>
struct Contestant {
  const char* name;
  std::function<Peer<S>*(const Batch<S>&)> make;
};

template <class S>
std::vector<Contestant<S>> contestants(const Shape& shape) {
  const bench::OfSet<S>& set = bench::of_active_set<S>();
  std::vector<Contestant<S>> out = {
      {"nearfar", [shape](const Batch<S>& b) { return bench::nearfar_loss<S>(shape, b); }}};
  if (!shape.peers || !shape.gradients || shape.bfloat16) return out;
  out.push_back({"dense_eigen", set.dense_eigen});
  out.push_back({"kept_eigen", set.kept_eigen});
  out.push_back({"kept_onednn", set.kept_onednn});
#ifdef BENCH_TORCH
  out.push_back({"libtorch", bench::libtorch<S>});
  out.push_back({"libtorch_chunked", bench::libtorch_chunked<S>});
#endif
#ifdef BENCH_NATIVE
  if constexpr (std::is_same_v<S, float>) out.push_back({"native", bench::native});
#endif
  return out;
}

/// Plain loops up to this number of steps, which take a second; beyond that, the library in double.
constexpr double most_plain_steps = 1e8;

struct Reference {
  const char* name = "none";
  Answer answer;
};

template <class S>
Reference reference_of(const Problem<S>& problem) {
  Problem<double> exact(problem);
  const Batch<double> batch = exact.batch();
  const double steps =
      static_cast<double>(batch.n) * static_cast<double>(batch.m) * static_cast<double>(batch.d);
  if (steps <= most_plain_steps && bench::has_plain_loops(batch)) {
    const double value = bench::plain_loops(batch);
    return {"plain loops", {value, exact.gradients()}};
  }
  if constexpr (std::is_same_v<S, float>) {
    Shape in_double = problem.shape();
    in_double.bfloat16 = false;
    const std::unique_ptr<Peer<double>> peer(bench::nearfar_loss<double>(in_double, batch));
    return {"nearfar in double", bench::answer_of(exact, *peer)};
  }
  return {};
}

/// Ends the program if two answers differ by more than rounding errors. Peers lose the digits of a
/// small loss if they subtract a term that they have added. Of mined triplets, a peer may find
/// another that is as hard to all digits, or one at the margin: single rows then differ. So they do
/// where centroids are at the margin, or two tokens as near.
template <class S>
void compare(const Shape& shape, const char* name, const Answer& answer, const char* other_name,
             const Answer& other) {
  constexpr double rounding = 10 * std::numeric_limits<S>::epsilon();
  constexpr double tiny = std::numeric_limits<double>::min();  // for a loss that is 0
  const double size = std::max(tiny, std::abs(other.value));
  const double norm = std::max(tiny, other.gradients.norm());
  const double tolerance = 100 * rounding + rounding / size;
  const double value = std::abs(answer.value - other.value) / size;
  const double gradients = (answer.gradients - other.gradients).norm() / norm;
  const bool chooses = shape.loss == "mined_triplet" || shape.loss == "centroid_triplet" ||
                       shape.loss == "max_sim_info_nce";
  double most = chooses ? 0.05 : tolerance;
  if (shape.bfloat16) most = 1.0 / 256;  // the rounding of weights
  if (value <= tolerance && gradients <= most) return;
  throw std::runtime_error(std::string(name) + " computes something else than " + other_name +
                           ": " + shape.text + ", value " + std::to_string(answer.value) + " for " +
                           std::to_string(other.value) + ", gradients differ by " +
                           std::to_string(gradients) + " of their norm");
}

double seconds_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  call();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Counters of one benchmark that are known before it runs.
struct Known {
  double value;
  double value_error;
  double gradient_error;
  double operations;
};

template <class S>
void measure(benchmark::State& state, Problem<S>& problem, const Contestant<S>& contestant,
             const Known& known) {
  const int threads = problem.shape().threads;
  const std::unique_ptr<Peer<S>> peer(contestant.make(problem.batch()));
  peer->call();  // allocations and first touches of memory are not timed
  double peak = bench::multiply_add_peak<S>(threads);
  const auto start = std::chrono::steady_clock::now();
  for (auto _ : state) benchmark::DoNotOptimize(peer->call());
  const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
  peak = std::max(peak, bench::multiply_add_peak<S>(threads));
  state.counters["peak_share"] =
      known.operations * static_cast<double>(state.iterations()) / time.count() / peak;
  state.counters["value"] = known.value;
  state.counters["value_error"] = known.value_error;
  state.counters["gradient_error"] = known.gradient_error;
  state.counters["extra_bytes"] = peer->extra_bytes();
}

/// Checks all participants of this shape, and registers their benchmarks.
template <class S>
void add(const Shape& shape, Plan& plan) {
  const auto problem = std::make_shared<Problem<S>>(shape);
  Reference reference;
  if (shape.gradients) reference = reference_of(*problem);
  Answer nearfar;
  int repetitions = plan.repetitions;  // fewer for a shape whose calls are long
  for (const Contestant<S>& contestant : contestants<S>(shape)) {
    const std::unique_ptr<Peer<S>> peer(contestant.make(problem->batch()));
    if (peer == nullptr) continue;
    Answer answer;
    const double first_call = seconds_of([&] { answer = bench::answer_of(*problem, *peer); });
    const bool first = contestant.name == std::string("nearfar");
    const bool referred = reference.answer.gradients.size() > 0;
    if (!first) {
      compare<S>(shape, contestant.name, answer, "nearfar", nearfar);
    } else {
      nearfar = answer;
      if (referred) compare<S>(shape, "nearfar", answer, reference.name, reference.answer);
    }
    constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
    Known known{answer.value, unknown, unknown, problem->subject().operations};
    if (referred) {
      const double truth = reference.answer.value;
      known.value_error = std::abs(answer.value - truth) / (truth == 0 ? 1 : std::abs(truth));
      known.gradient_error = bench::gradient_error(answer, reference.answer);
    }
    const double once = first_call > 0.5 ? first_call : seconds_of([&] { peer->call(); });
    if (first && once > 0.4) repetitions = std::min(repetitions, 2);
    const double calls = std::max(1.0, std::round(plan.seconds / once));
    // Each repetition has one more call, and overhead around the timed ones.
    const double repetition = 1.25 * (calls + 1) * once + 0.02;
    plan.once += repetition;
    plan.whole += repetitions * repetition;
    plan.benchmarks.push_back(
        benchmark::RegisterBenchmark((contestant.name + ("/" + shape.text)).c_str(),
                                     [=, label = reference.name](benchmark::State& state) {
                                       measure<S>(state, *problem, contestant, known);
                                       state.SetLabel(label);
                                     })
            ->Iterations(static_cast<benchmark::IterationCount>(calls))
            ->Repetitions(repetitions)
            ->UseRealTime());
  }
}

bool starts_with(const std::string& text, const std::string& with) {
  return text.compare(0, with.size(), with) == 0;
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  const char* set = nearfar::name_of(nearfar::active_instruction_set());
  benchmark::AddCustomContext("instruction_set", set);
  Plan plan;
  bool only_check = false;
  std::vector<Shape> shapes;
  for (int k = 1; k < argc; ++k) {
    const std::string word = argv[k];
    if (starts_with(word, "--seconds=")) {
      plan.seconds = std::stod(word.substr(10));
    } else if (starts_with(word, "--repetitions=")) {
      plan.repetitions = std::stoi(word.substr(14));
    } else if (starts_with(word, "--within=")) {
      plan.within = std::stod(word.substr(9));
    } else if (word == "--only-check") {
      only_check = true;
    } else if (starts_with(word, "-")) {
      throw std::invalid_argument("no such option: " + word);
    } else {
      shapes.push_back(bench::parse_shape(word));
    }
  }
  if (shapes.empty()) {
    std::puts(set);
    return 0;
  }
  const double checks = seconds_of([&] {
    for (const Shape& shape : shapes) {
      shape.scalar == "float" ? add<float>(shape, plan) : add<double>(shape, plan);
    }
  });
  if (only_check) return 0;
  if (checks + plan.whole > plan.within) {
    for (auto* each : plan.benchmarks) each->Repetitions(1);
    plan.whole = plan.once;
  }
  std::fprintf(stderr, "bench_losses: checked in %.0f s, timing takes about %.0f s\n", checks,
               plan.whole);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_losses: %s\n", error.what());
    return 1;
  }
}
