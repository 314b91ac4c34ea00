#include <gtest/gtest.h>

#include <set>
#include <string>

#include "support/fields.hpp"

/// The register of losses: its description of each loss is complete.

namespace {

using namespace support;
namespace registered = nearfar::registered;

/// The positions of options in their struct, and their names.
template <class Options>
void expect_each_member_once() {
  const Options options;
  std::set<std::string> names;
  const char* last = nullptr;
  Options::fields(
      [&](const char* name, const auto& member) {
        EXPECT_TRUE(names.insert(name).second) << name << " twice";
        const char* here = reinterpret_cast<const char*>(&member);
        EXPECT_TRUE(last == nullptr || last < here) << name << " is out of the members' order";
        last = here;
      },
      options);
  EXPECT_EQ(names.size(), members_of<Options>());
}

TEST(Register, VisitsEachOptionOnceInOrder) {
  registered::for_each([]<class Line>(Line) {
    SCOPED_TRACE(Line::name);
    expect_each_member_once<typename Line::Options>();
  });
  expect_each_member_once<nearfar::DistanceWeighting>();
}

TEST(Register, NamesEveryChoice) {
  registered::for_each([]<class Line>(Line) {
    SCOPED_TRACE(Line::name);
    typename Line::Options options;
    Line::Options::fields(
        []<class T>(const char* name, T) {
          if constexpr (std::is_enum_v<T>) {
            EXPECT_GE(registered::choices_of<T>.size(), 2u) << name;
          }
        },
        options);
  });
}

/// A class refuses an unsuitable kernel when it is instantiated.
template <class Line, class S, class... K>
void expect_kernels(registered::KernelList<K...>) {
  if constexpr (sizeof...(K) > 0) {
    using Own =
        std::remove_cvref_t<decltype(std::declval<typename Line::template Loss<S>>().kernel())>;
    EXPECT_TRUE((std::is_same_v<Own, K> || ...)) << "its own kernel";
    EXPECT_TRUE((sizeof(typename Line::template Loss<S, K>) && ...));
  }
}

TEST(Register, HasKernelsThatTheClassTakes) {
  registered::for_each([]<class Line>(Line) {
    SCOPED_TRACE(Line::name);
    expect_kernels<Line, float>(typename Line::template Kernels<float>());
    expect_kernels<Line, double>(typename Line::template Kernels<double>());
  });
}

/// MultiSimilarity, multi_similarity.
TEST(Register, NamesLossesAsTheirClasses) {
  registered::for_each([](auto line) {
    std::string name;
    for (const char c : std::string(line.class_name)) {
      const bool upper = c >= 'A' && c <= 'Z';
      if (upper && !name.empty()) name += '_';
      name += static_cast<char>(upper ? c - 'A' + 'a' : c);
    }
    EXPECT_EQ(name, line.name);
  });
}

}  // namespace
