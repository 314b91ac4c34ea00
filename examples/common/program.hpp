#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <functional>
#include <string>

#include "common/parallel.hpp"

/// \file
/// Common parts of all example programs on the command line.

namespace example {

/// Options that every program takes.
struct CommonOptions {
  std::uint64_t seed = 1;
  int threads = available_threads();
  std::string data = "/usr/share/datasets/fashion-mnist";
  std::string out = "out";
};

/// Checks of single options, which refuse more than CLI11's own.
CLI::Validator positive_number();  ///< finite and > 0
CLI::Validator fraction();         ///< from 0 to 1
CLI::Validator digits_only();      ///< for unsigned numbers: CLI11 reads -1 as the largest one
CLI::Validator not_empty();        ///< for folders

/// --seed, --threads, --out and, unless `data_help` is empty, --data.
void declare_common(CLI::App& app, CommonOptions& options,
                    const std::string& data_help = "folder with a data set in MNIST's format");

/// The body of main(): reads the command line, then calls run(). An exception ends the program with
/// one line on standard error and exit code 1.
int run_program(int argc, char** argv, const std::string& name, const std::string& description,
                const std::function<void(CLI::App&)>& declare, const std::function<void()>& run);

}  // namespace example
