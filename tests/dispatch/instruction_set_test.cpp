#include <gtest/gtest.h>

#include <cstdlib>
#include <nearfar/core/instruction_set.hpp>
#include <string>

namespace {

using nearfar::active_instruction_set;
using nearfar::InstructionSet;
using nearfar::name_of;

TEST(InstructionSet, HasAName) {
  EXPECT_STREQ(name_of(InstructionSet::baseline), "baseline");
  EXPECT_STREQ(name_of(InstructionSet::avx2), "avx2");
  EXPECT_STREQ(name_of(InstructionSet::avx512), "avx512");
  EXPECT_GE(active_instruction_set(), InstructionSet::baseline);
  EXPECT_LE(active_instruction_set(), InstructionSet::avx512);
}

TEST(InstructionSet, HasProductsInBfloat16WithAvx512Alone) {
  if (!nearfar::has_bfloat16_products()) return;
  EXPECT_EQ(active_instruction_set(), InstructionSet::avx512);
#if defined(__x86_64__)
  EXPECT_NE(__builtin_cpu_supports("avx512bf16"), 0);
#endif
}

#if defined(__x86_64__)
bool processor_has(InstructionSet set) {
  switch (set) {
    case InstructionSet::avx512:
      return __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
             __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512vl") != 0;
    case InstructionSet::avx2:
      return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
    case InstructionSet::baseline:
      break;
  }
  return true;
}

TEST(InstructionSet, IsThatOfTheEnvironment) {
  const char* const wanted = std::getenv("NEARFAR_ISA");
  if (wanted == nullptr) GTEST_SKIP() << "none was asked for";
  for (const InstructionSet set :
       {InstructionSet::baseline, InstructionSet::avx2, InstructionSet::avx512}) {
    if (std::string(wanted) != name_of(set)) continue;
    if (!processor_has(set)) GTEST_SKIP() << "this processor has no " << wanted;
    EXPECT_STREQ(name_of(active_instruction_set()), wanted);
    EXPECT_EQ(nearfar::has_bfloat16_products(),
              set == InstructionSet::avx512 && __builtin_cpu_supports("avx512bf16") != 0);
    return;
  }
  FAIL() << wanted;
}
#endif

}  // namespace
