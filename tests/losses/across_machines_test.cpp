#include <gtest/gtest.h>

#include <bit>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <ios>
#include <map>
#include <nearfar/core/determinism.hpp>
#include <sstream>
#include <stdexcept>
#include <string>

#include "support/subjects.hpp"

/// With Determinism::across_machines the value and the gradients of a loss have the bits that
/// across_machines.txt has a hash of, on every processor and with every compiler and C library.
/// NEARFAR_WRITE_BITS=1 writes the file again.

namespace {

using nearfar::Determinism;
using support::Matrix;
using support::Subject;

/// FNV-1a, of 8 bytes at a time (Fowler, Noll & Vo).
class Hash {
 public:
  void add(double v) {
    // Both zeros are one number.
    bits_ = (bits_ ^ std::bit_cast<std::uint64_t>(v + 0.0)) * 0x100000001b3u;
    bits_ ^= bits_ >> 29;
  }
  std::string text() const {
    std::ostringstream out;
    out << std::hex << bits_;
    return out.str();
  }

 private:
  std::uint64_t bits_ = 0xcbf29ce484222325u;
};

using Hashes = std::map<std::string, std::string>;

template <class S>
void add_hashes(const std::string& scalar, Hashes& hashes) {
  for (const Subject<S>& subject : support::all_subjects<S>(150, 21, nearfar::Reduction::mean)) {
    typename Subject<S>::Inputs gradients;
    Hash hash;
    hash.add(subject.gradients(subject.inputs, gradients).value);
    for (const Matrix<S>& gradient : gradients) {
      for (support::Index i = 0; i < gradient.rows(); ++i) {
        for (support::Index k = 0; k < gradient.cols(); ++k) {
          hash.add(static_cast<double>(gradient(i, k)));
        }
      }
    }
    // Settings of one loss may share a name.
    std::string name = scalar + ' ' + subject.name;
    while (hashes.contains(name)) name += ", again";
    hashes[name] = hash.text();
  }
}

TEST(AcrossMachines, ValuesAndGradientsHaveTheBitsOfTheTable) {
  try {
    nearfar::set_determinism(Determinism::across_machines);
  } catch (const std::invalid_argument& error) {
    GTEST_SKIP() << error.what();
  }
  Hashes hashes;
  add_hashes<float>("float", hashes);
  add_hashes<double>("double", hashes);
  nearfar::set_determinism(Determinism::across_threads);

  if (std::getenv("NEARFAR_WRITE_BITS") != nullptr) {
    std::ofstream file(NEARFAR_BITS_TABLE);
    for (const auto& [name, hash] : hashes) file << hash << ' ' << name << '\n';
    ASSERT_TRUE(file.flush()) << NEARFAR_BITS_TABLE;
    GTEST_SKIP() << "wrote " << NEARFAR_BITS_TABLE;
  }
  Hashes wanted;
  std::ifstream file(NEARFAR_BITS_TABLE);
  std::string hash;
  for (std::string name; file >> hash && std::getline(file >> std::ws, name);) wanted[name] = hash;
  for (const auto& [name, got] : hashes) EXPECT_EQ(got, wanted[name]) << name;
  EXPECT_EQ(hashes.size(), wanted.size()) << "losses that are gone are in the table";
}

}  // namespace
