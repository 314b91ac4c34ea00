#include "common/program.hpp"

#include <cmath>
#include <cstdio>
#include <exception>
#include <new>

namespace example {
namespace {

/// CLI11's ranges accept NaN, because no comparison with it is true.
CLI::Validator number_where(const std::string& wanted, bool (*holds)(double)) {
  return CLI::Validator(
      [=](const std::string& text) {
        double value = 0;
        return CLI::detail::lexical_cast(text, value) && holds(value)
                   ? std::string()
                   : "wanted a number " + wanted + ", got '" + text + "'";
      },
      "NUMBER " + wanted);
}

/// Prints an error, with its causes, as one line.
int complain(const std::string& name, std::string message) {
  for (char& c : message) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  std::fprintf(stderr, "%s: %s\n", name.c_str(), message.c_str());
  return 1;
}

}  // namespace

CLI::Validator positive_number() {
  return number_where("> 0", [](double x) { return x > 0 && std::isfinite(x); });
}

CLI::Validator fraction() {
  return number_where("from 0 to 1", [](double x) { return x >= 0 && x <= 1; });
}

CLI::Validator digits_only() {
  return CLI::Validator(
      [](const std::string& text) {
        return text.find_first_not_of("0123456789") == std::string::npos
                   ? std::string()
                   : "wanted a whole number >= 0, got '" + text + "'";
      },
      "NUMBER >= 0");
}

CLI::Validator not_empty() {
  return CLI::Validator(
      [](const std::string& text) {
        return text.empty() ? "wanted a folder, got ''" : std::string();
      },
      "FOLDER");
}

void declare_common(CLI::App& app, CommonOptions& options, const std::string& data_help) {
  app.add_option("--seed", options.seed, "same seed, same figures")
      ->check(digits_only())
      ->capture_default_str();
  app.add_option("--threads", options.threads, "changes the time, not the figures")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  if (!data_help.empty()) {
    app.add_option("--data", options.data, data_help)->check(not_empty())->capture_default_str();
  }
  app.add_option("--out", options.out, "folder for tables and pictures, made if need be")
      ->check(not_empty())
      ->capture_default_str();
}

int run_program(int argc, char** argv, const std::string& name, const std::string& description,
                const std::function<void(CLI::App&)>& declare, const std::function<void()>& run) {
  CLI::App app(description, name);
  declare(app);
  try {
    app.parse(argc, argv);
    run();
    return 0;
  } catch (const CLI::Success& asked) {  // --help
    return app.exit(asked);
  } catch (const CLI::ParseError& error) {
    return complain(name, std::string(error.what()) + " (--help lists the options)");
  } catch (const std::bad_alloc&) {
    return complain(name, "not enough memory for these settings");
  } catch (const std::exception& error) {
    return complain(name, error.what());
  }
}

}  // namespace example
