#include <nearfar/losses/info_nce.hpp>

#include "suite.hpp"
#include "support/two_sided.hpp"

/// The same code as a program has it that takes the headers alone and compiles them for this
/// machine: what the library, whose callers need no flags, is to be as fast as. Compiled under a
/// name of its own.

namespace {

const bool added = [] {
  for (const bench::Size& size :
       {bench::Size{512, 128, 1}, bench::Size{4096, 128, 1}, bench::Size{4096, 512, 1}}) {
    benchmark::RegisterBenchmark(
        bench::name_of<float>("native/InfoNce", true, size).c_str(),
        [=](benchmark::State& state) {
          const nearfar::InfoNce<float> loss({.temperature = bench::temperature});
          bench::two_sided<float>(state, loss, bench::info_nce_floor, true, size, size.n);
        })
        ->UseRealTime();
  }
  return true;
}();

}  // namespace
