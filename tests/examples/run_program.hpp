#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "files.hpp"

/// \file
/// An example run as a program, with arguments, output and an exit code.

namespace example_test {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

/// Runs a command and keeps its output in `folder`; `path`, if given, replaces PATH.
inline Outcome run_command(const Folder& folder, std::vector<std::string> command,
                           const char* path = nullptr) {
  std::vector<char*> argv;
  for (std::string& argument : command) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const fs::path out = folder / "stdout.txt";
  const fs::path err = folder / "stderr.txt";
  const pid_t child = fork();
  if (child == 0) {
    const int out_file = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int err_file = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(out_file, STDOUT_FILENO);
    dup2(err_file, STDERR_FILENO);
    if (path != nullptr) setenv("PATH", path, 1);
    execvp(argv[0], argv.data());
    _exit(99);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status)) << "ended by signal " << WTERMSIG(status);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, contents(out), contents(err)};
}

/// Runs an example, like run_command.
inline Outcome run_program(const Folder& folder, const std::string& program,
                           std::vector<std::string> arguments, const char* path = nullptr) {
  arguments.insert(arguments.begin(), NEARFAR_EXAMPLES_DIR "/" + program);
  return run_command(folder, std::move(arguments), path);
}

/// Appends arguments; a flag with a value replaces an earlier one.
inline std::vector<std::string> with(std::vector<std::string> arguments,
                                     const std::vector<std::string>& more) {
  for (const std::string& word : more) {
    const auto old = std::find(arguments.begin(), arguments.end(), word);
    if (word.starts_with("--") && old != arguments.end()) arguments.erase(old, old + 2);
  }
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

/// The first numbers of a row of a printed table, by the row's name.
inline std::vector<double> table_row(const std::string& out, const std::string& name,
                                     std::size_t numbers) {
  const std::size_t at = out.find("\n" + name + " ");
  if (at == std::string::npos) {
    ADD_FAILURE() << "no row '" << name << "' in:\n" << out;
    return std::vector<double>(numbers, -1);
  }
  std::istringstream cells(out.substr(at + 1 + name.size()));
  std::vector<double> row(numbers, -1);
  for (double& number : row) EXPECT_TRUE(cells >> number) << name;
  return row;
}

/// The losses of all steps that a program wrote to `out`.
inline std::vector<double> loss_curve(const fs::path& out) {
  std::istringstream lines(contents(out / "loss.csv"));
  std::string line;
  std::getline(lines, line);
  EXPECT_TRUE(line.starts_with("step,epoch,learning_rate,loss")) << line;
  std::vector<double> losses;
  while (std::getline(lines, line)) {
    std::istringstream cells(line);
    for (int skipped = 0; skipped < 3; ++skipped) std::getline(cells, line, ',');
    losses.push_back(0);
    cells >> losses.back();
  }
  return losses;
}

/// Checks the exit code, the one-line message with the error, and that nothing was written.
inline void expect_refusal(const Folder& folder, const Outcome& outcome, const std::string& program,
                           const std::string& reason, const std::string& out = "out") {
  SCOPED_TRACE(reason);
  EXPECT_NE(outcome.code, 0);
  EXPECT_NE(outcome.code, 99) << "the program did not start";
  EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  EXPECT_TRUE(outcome.err.ends_with('\n')) << outcome.err;
  EXPECT_TRUE(outcome.err.starts_with(program + ": ")) << outcome.err;
  EXPECT_NE(outcome.err.find(reason), std::string::npos) << outcome.err;
  std::error_code missing;
  for (const auto& entry : fs::directory_iterator(folder / out, missing)) {
    ADD_FAILURE() << "left behind: " << entry.path();
  }
}

}  // namespace example_test
