#pragma once

#include <c10/core/SymInt.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "nearfar/adapters/torch.hpp"

/// \file
/// Losses as operators of LibTorch's dispatcher, which Python calls as torch.ops.nearfar.NAME. An
/// operator has the arguments of the function of its name in nearfar::libtorch.

namespace nearfar::libtorch::operators {

/// The arguments of one call, by their names in the schema.
class Arguments {
 public:
  Arguments(const c10::FunctionSchema& schema, at::ArrayRef<c10::IValue> values)
      : schema_(schema), values_(values) {}

  const c10::FunctionSchema& schema() const { return schema_; }
  at::ArrayRef<c10::IValue> values() const { return values_; }

  /// The place of an argument, -1 where the schema has none of this name.
  int find(const std::string& name) const {
    const auto at = schema_.argumentIndexWithName(name);
    return at.has_value() ? static_cast<int>(*at) : -1;
  }

  /// None where the schema has no such argument.
  const c10::IValue& value(const std::string& name) const {
    static const c10::IValue none;
    const int at = find(name);
    return at < 0 ? none : values_[static_cast<std::size_t>(at)];
  }

  /// Undefined where the argument is None, or is a number.
  Tensor tensor(const std::string& name) const {
    const c10::IValue& its = value(name);
    return its.isTensor() ? its.toTensor() : Tensor();
  }

 private:
  const c10::FunctionSchema& schema_;
  at::ArrayRef<c10::IValue> values_;
};

/// An operator, and how a call of it is computed.
struct Operator {
  std::string name;
  std::string overload;
  std::string arguments;            ///< as a schema has them
  std::vector<std::string> inputs;  ///< arguments that have gradients
  /// The value, by the function in nearfar::libtorch.
  std::function<Tensor(const Arguments&)> call;
  /// The shape of the value with the reduction "none".
  std::function<std::vector<c10::SymInt>(const Arguments&)> shape;
};

using Operators = std::vector<Operator>;

// One function a header of the adapter's.
void add_label_losses(Operators& all);
void add_row_losses(Operators& all);
void add_proxy_losses(Operators& all);
void add_set_losses(Operators& all);

}  // namespace nearfar::libtorch::operators
