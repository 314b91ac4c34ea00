#include <cstddef>
#include <cstdint>

/// CMake builds this to test whether a compiler has libFuzzer.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t*, std::size_t) { return 0; }
