#pragma once

#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <nearfar/nearfar.hpp>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

/// \file
/// A reference case: one JSON file with options, inputs and the expected loss and gradients.

namespace golden {

/// A case that records which of its entries were read. An option or input that no runner read is
/// unknown to the runner, and the test fails.
class Case {
 public:
  explicit Case(const std::filesystem::path& file) {
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot read " + file.string());
    json_ = nlohmann::json::parse(in);
  }

  std::string loss() const { return json_.at("loss"); }
  double expected_loss() const { return json_.at("expected").at("loss"); }

  bool has_option(const std::string& name) const { return json_.at("options").contains(name); }
  double number(const std::string& name) { return option(name).get<double>(); }
  template <class T>
  T integer(const std::string& name) {
    const double value = number(name);
    if (value != std::floor(value)) throw std::runtime_error(name + " is no integer");
    return static_cast<T>(value);
  }
  template <class T>
  std::vector<T> list(const std::string& name) {
    return option(name).get<std::vector<T>>();
  }
  bool flag(const std::string& name) { return option(name).get<bool>(); }
  std::string word(const std::string& name) { return option(name).get<std::string>(); }

  bool has_input(const std::string& name) const { return json_.at("inputs").contains(name); }

  /// True if an input is a list of matrices; `matrix` returns their rows one after the other.
  bool is_nested(const std::string& name) const { return nested(json_.at("inputs").at(name)); }

  /// True if an input is a list of numbers or of rows.
  bool is_list(const std::string& name) const { return json_.at("inputs").at(name).is_array(); }

  template <class S>
  nearfar::Matrix<S> matrix(const std::string& name) {
    return to_matrix<S>(input(name));
  }
  double input_number(const std::string& name) { return input(name).get<double>(); }
  template <class S>
  std::vector<S> numbers(const std::string& name) {
    return input(name).get<std::vector<S>>();
  }
  /// The same for a list of lists, one after the other.
  template <class S>
  std::vector<S> flat_numbers(const std::string& name) {
    const nlohmann::json& value = input(name);
    if (!value.empty() && value.front().is_array()) return flattened(value).get<std::vector<S>>();
    return value.get<std::vector<S>>();
  }
  std::vector<std::int64_t> labels(const std::string& name) {
    const nlohmann::json& value = input(name);
    if (!value.empty() && value.front().is_array()) return flattened(value);
    return value.get<std::vector<std::int64_t>>();
  }

  nearfar::Reduction reduction() {
    const std::string name = word("reduction");
    if (name == "mean") return nearfar::Reduction::mean;
    if (name == "sum") return nearfar::Reduction::sum;
    if (name == "mean_nonzero") return nearfar::Reduction::mean_nonzero;
    throw std::runtime_error("unknown reduction " + name);
  }

  std::map<std::string, nearfar::Matrix<double>> expected_gradients() const {
    std::map<std::string, nearfar::Matrix<double>> out;
    for (const auto& [name, value] : json_.at("expected").at("gradients").items()) {
      out[name] = to_matrix<double>(value);
    }
    return out;
  }

  /// Options and inputs of the file that no runner read.
  std::vector<std::string> unused() const {
    std::vector<std::string> out;
    for (const char* part : {"options", "inputs"}) {
      for (const auto& [name, value] : json_.at(part).items()) {
        if (!used_.contains(std::string(part) + "/" + name)) out.push_back(name);
      }
    }
    return out;
  }

 private:
  const nlohmann::json& option(const std::string& name) {
    used_.insert("options/" + name);
    return json_.at("options").at(name);
  }
  const nlohmann::json& input(const std::string& name) {
    used_.insert("inputs/" + name);
    return json_.at("inputs").at(name);
  }

  static bool nested(const nlohmann::json& value) {
    return value.is_array() && !value.empty() && !value.front().empty() &&
           value.front().front().is_array();
  }

  /// Lists of lists as one list, in order.
  static nlohmann::json flattened(const nlohmann::json& lists) {
    nlohmann::json out = nlohmann::json::array();
    for (const auto& list : lists) out.insert(out.end(), list.begin(), list.end());
    return out;
  }

  template <class S>
  static nearfar::Matrix<S> to_matrix(const nlohmann::json& value) {
    if (value.is_number()) {
      return nearfar::Matrix<S>::Constant(1, 1, static_cast<S>(value.get<double>()));
    }
    if (nested(value)) return to_matrix<S>(flattened(value));
    if (!value.empty() && value.front().is_number()) {  // one row
      return to_matrix<S>(nlohmann::json::array({value}));
    }
    const auto rows = value.get<std::vector<std::vector<double>>>();
    const std::size_t cols = rows.empty() ? 0 : rows.front().size();
    nearfar::Matrix<S> out(static_cast<nearfar::Index>(rows.size()),
                           static_cast<nearfar::Index>(cols));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (rows[i].size() != cols) throw std::runtime_error("rows of unequal length");
      for (std::size_t k = 0; k < cols; ++k) {
        out(static_cast<nearfar::Index>(i), static_cast<nearfar::Index>(k)) =
            static_cast<S>(rows[i][k]);
      }
    }
    return out;
  }

  nlohmann::json json_;
  std::set<std::string> used_;
};

}  // namespace golden
