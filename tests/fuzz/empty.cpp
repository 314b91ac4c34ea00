#include <cstddef>
#include <cstdint>

/// What CMake asks a compiler to build, to know whether it has libFuzzer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t) { return 0; }
