#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// \file
/// Tables of invalid calls.

namespace support {

/// The exception of a call: none, or one of the library's two types.
enum class Thrown { nothing, invalid_argument, domain_error, something_else };

struct Caught {
  Thrown type = Thrown::nothing;
  std::string message;
};

inline Caught caught(const std::function<void()>& call) {
  try {
    call();
  } catch (const std::invalid_argument& e) {
    return {Thrown::invalid_argument, e.what()};
  } catch (const std::domain_error& e) {
    return {Thrown::domain_error, e.what()};
  } catch (const std::exception& e) {
    return {Thrown::something_else, e.what()};
  }
  return {};
}

/// An invalid call, and the `words` that its message must contain.
struct BadCall {
  const char* name;
  Thrown type;
  std::vector<std::string> words;
  std::function<void()> call;
};

inline void expect_refused(const BadCall& bad) {
  const Caught got = caught(bad.call);
  EXPECT_EQ(got.type, bad.type) << bad.name << ": " << got.message;
  for (const std::string& word : bad.words) {
    EXPECT_NE(got.message.find(word), std::string::npos)
        << bad.name << ": \"" << got.message << "\" does not say \"" << word << "\"";
  }
}

}  // namespace support
