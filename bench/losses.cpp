#include <nearfar/nearfar.hpp>
#include <type_traits>

#include "suite.hpp"
#include "support/data.hpp"
#include "support/two_sided.hpp"

/// nearfar's losses.

namespace {

using bench::Floor;
using bench::RowMatrix;
using bench::Size;
using nearfar::Index;
using nearfar::Workspace;

/// Rows with labels.
template <class S, class Loss>
void labelled(benchmark::State& state, const Loss& loss, const Floor& floor, bool gradients,
              const Size& size) {
  const RowMatrix<S> x = bench::normal_rows<S>(size.n, size.d, 1);
  const std::vector<int> labels = bench::labels(size.n);
  RowMatrix<S> dx;
  Workspace workspace(size.threads);
  bench::measure<S>(
      state, gradients ? floor.forward_backward : floor.forward, size,
      [&] {
        return gradients ? loss.forward_backward(x, labels, dx, {.workspace = &workspace}).value
                         : loss.forward(x, labels, {.workspace = &workspace}).value;
      },
      [&] { return workspace.bytes(); });
}

template <class Body>
benchmark::internal::Benchmark* add(const std::string& name, const Body& body) {
  return benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime();
}

template <class S>
benchmark::internal::Benchmark* add_info_nce(const Size& size, bool gradients) {
  return add(bench::name_of<S>("InfoNce", gradients, size), [=](benchmark::State& state) {
    bench::two_sided<S>(state, nearfar::InfoNce<S>({.temperature = bench::temperature}),
                        bench::info_nce_floor, gradients, size, size.n);
  });
}

template <class S>
void add_softmax_family(const Size& size, bool gradients) {
  using namespace nearfar;
  const double t = bench::temperature;
  add_info_nce<S>(size, gradients);
  add(bench::name_of<S>("Clip", gradients, size), [=](benchmark::State& state) {
    bench::two_sided<S>(state, Clip<S>({.logit_scale = 1 / t}), bench::clip_floor, gradients, size,
                        size.n);
  });
  // N rows in all: two views of N / 2 samples.
  add(bench::name_of<S>("NtXent", gradients, size), [=](benchmark::State& state) {
    bench::two_sided<S>(state, NtXent<S>({.temperature = t}), bench::symmetric_floor, gradients,
                        size, size.n / 2);
  });
  add(bench::name_of<S>("SupCon", gradients, size), [=](benchmark::State& state) {
    labelled<S>(state, SupCon<S>({.temperature = t}), bench::symmetric_floor, gradients, size);
  });
}

template <class S>
void add_over_labels(const Size& size, bool gradients) {
  using namespace nearfar;
  const auto add_one = [&](const char* name, const auto& loss, const Floor& floor) {
    add(bench::name_of<S>(name, gradients, size),
        [=](benchmark::State& state) { labelled<S>(state, loss, floor, gradients, size); });
  };
  const double margin = bench::triplet_margin(size.d);
  const auto mined = [&](Mining mining) {
    return MinedTriplet<S>({.margin = margin, .mining = mining});
  };
  add_one("HadsellContrastive", HadsellContrastive<S>({.margin = bench::hadsell_margin(size.d)}),
          bench::pairs_floor);
  add_one("TripletAll", mined(Mining::all), bench::pairs_floor);
  add_one("TripletSemihard", mined(Mining::semihard), bench::pairs_floor);
  add_one("TripletBatchHard", mined(Mining::batch_hard), bench::batch_hard_floor);
  // Those without a line of their own, with their own options: scores, and two products a gradient.
  const auto add_registered = [&]<class Line>(Line) {
    if constexpr (!std::is_same_v<Line, registered::mined_triplet> &&
                  !std::is_same_v<Line, registered::sup_con>) {
      add_one(Line::class_name, typename Line::template Loss<S>(), bench::symmetric_floor);
    }
  };
#define NEARFAR_ADD(name, ...) add_registered(registered::name());
  NEARFAR_LOSSES_OVER_LABELS(NEARFAR_ADD)
#undef NEARFAR_ADD
}

const bool added = [] {
  benchmark::AddCustomContext("nearfar_instruction_set",
                              nearfar::name_of(nearfar::active_instruction_set()));
  for (const Size& size : bench::promised_sizes()) {
    for (const bool gradients : {true, false}) add_softmax_family<float>(size, gradients);
  }
  for (const int threads : {1, 2}) {
    add_softmax_family<double>({4096, 128, threads}, true);
    for (const std::ptrdiff_t d : {128, 512}) add_over_labels<float>({4096, d, threads}, true);
    // Sizes that are no multiple of any block.
    add_softmax_family<float>({4091, 125, threads}, true);
  }
  for (const Size& size : bench::growing_sizes()) add_softmax_family<float>(size, true);
  add_softmax_family<float>(bench::large_size, true);
  add_info_nce<float>(bench::largest_size, true)->Iterations(1)->Repetitions(1);
  return true;
}();

}  // namespace
