#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/library.h>
#include <torch/version.h>

#include <map>
#include <utility>

#include "operators.hpp"

/// \file
/// The operators in the dispatcher. Each has three kernels: the CPU's computes the value, Meta's
/// gives its shape and type, Autograd's puts it in the graph. Its gradients are an operator of
/// their own, so that what traces a program (torch.compile) can trace them.

namespace nearfar::libtorch::operators {
namespace {

using ::torch::jit::Stack;

const Operators& all_operators() {
  static const Operators all = [] {
    Operators out;
    add_label_losses(out);
    add_row_losses(out);
    add_proxy_losses(out);
    add_set_losses(out);
    return out;
  }();
  return all;
}

std::string gradients_of(const std::string& name) { return "_" + name + "_gradients"; }

using FullName = std::pair<std::string, std::string>;

/// The operator whose value, or whose gradients, a handle computes.
const Operator& operator_of(const c10::OperatorHandle& handle) {
  static const std::map<FullName, const Operator*> by_name = [] {
    std::map<FullName, const Operator*> out;
    for (const Operator& its : all_operators()) {
      out[{"nearfar::" + its.name, its.overload}] = &its;
      out[{"nearfar::" + gradients_of(its.name), its.overload}] = &its;
    }
    return out;
  }();
  return *by_name.at({handle.operator_name().name, handle.operator_name().overload_name});
}

/// Takes the arguments of a call off the stack.
std::vector<c10::IValue> popped(const c10::OperatorHandle& handle, Stack* stack) {
  const std::size_t count = handle.schema().arguments().size();
  const auto last = ::torch::jit::last(*stack, count);
  std::vector<c10::IValue> out(last.begin(), last.end());
  ::torch::jit::drop(*stack, count);
  return out;
}

/// The places of the tensors that have gradients, of those that a call has.
std::vector<std::size_t> input_places(const Operator& its, const Arguments& from) {
  std::vector<std::size_t> out;
  for (const std::string& name : its.inputs) {
    if (from.tensor(name).defined()) out.push_back(static_cast<std::size_t>(from.find(name)));
  }
  return out;
}

/// Whether the value is a number a row.
bool value_a_row(const Arguments& from) {
  const c10::IValue& reduction = from.value("reduction");
  return reduction.isString() && reduction.toStringRef() == "none";
}

// ---- kernels of the CPU ------------------------------------------------------------------------

void compute(const c10::OperatorHandle& handle, Stack* stack) {
  const std::vector<c10::IValue> values = popped(handle, stack);
  const at::NoGradGuard guard;
  stack->emplace_back(operator_of(handle).call(Arguments(handle.schema(), values)));
}

/// The value, then a gradient for each input that is wanted, in the type that losses compute in.
void compute_gradients(const c10::OperatorHandle& handle, Stack* stack) {
  std::vector<c10::IValue> values = popped(handle, stack);
  const Operator& its = operator_of(handle);
  const Arguments arguments(handle.schema(), values);
  const std::vector<std::size_t> places = input_places(its, arguments);
  const auto wanted = arguments.value("wanted").toBoolList();
  ::torch::autograd::variable_list leaves;
  for (std::size_t k = 0; k < places.size(); ++k) {
    const Tensor leaf = values[places[k]].toTensor().detach();
    values[places[k]] = leaf;
    if (wanted[k]) leaves.push_back(leaf.requires_grad_(true));
  }
  const at::AutoGradMode on(true);
  const detail::DirectGradients gradients(std::move(leaves), arguments.tensor("upstream"));
  c10::List<Tensor> out;
  out.push_back(its.call(Arguments(handle.schema(), values)));
  for (const Tensor& gradient : gradients.found()) out.push_back(gradient);
  stack->emplace_back(std::move(out));
}

// ---- kernels of meta tensors -------------------------------------------------------------------

Tensor value_like(const Operator& its, const Arguments& from) {
  const Tensor rows = from.tensor(its.inputs[0]);
  const auto options = rows.options().dtype(detail::computed_type(rows));
  const std::vector<c10::SymInt> shape =
      value_a_row(from) ? its.shape(from) : std::vector<c10::SymInt>{};
  return rows.new_empty_symint(shape, options);
}

void shape_value(const c10::OperatorHandle& handle, Stack* stack) {
  const std::vector<c10::IValue> values = popped(handle, stack);
  stack->emplace_back(value_like(operator_of(handle), Arguments(handle.schema(), values)));
}

void shape_gradients(const c10::OperatorHandle& handle, Stack* stack) {
  const std::vector<c10::IValue> values = popped(handle, stack);
  const Operator& its = operator_of(handle);
  const Arguments from(handle.schema(), values);
  c10::List<Tensor> out;
  out.push_back(value_like(its, from));
  const auto wanted = from.value("wanted").toBoolList();
  const std::vector<std::size_t> places = input_places(its, from);
  for (std::size_t k = 0; k < places.size(); ++k) {
    if (!wanted[k]) continue;
    const Tensor& input = values[places[k]].toTensor();
    out.push_back(at::empty_like(input, input.options().dtype(detail::computed_type(input)),
                                 at::MemoryFormat::Contiguous));
  }
  stack->emplace_back(std::move(out));
}

// ---- autograd ----------------------------------------------------------------------------------

using ::torch::autograd::AutogradContext;
using ::torch::autograd::variable_list;

/// A call of an operator but for the tensors that have gradients.
class BoundCall : public ::torch::CustomClassHolder {
 public:
  BoundCall(const c10::OperatorHandle& handle, std::vector<c10::IValue> values,
            std::vector<std::size_t> places)
      : handle_(handle), values_(std::move(values)), places_(std::move(places)) {}

  Arguments arguments() const { return {handle_.schema(), values_}; }

  Tensor value(at::TensorList inputs) const {
    Stack stack = with(inputs);
    const at::AutoDispatchBelowADInplaceOrView guard;
    handle_.callBoxed(&stack);
    return stack.back().toTensor();
  }

  /// As compute_gradients.
  variable_list gradients(at::TensorList inputs, const std::vector<bool>& wanted,
                          const Tensor& upstream) const {
    Stack stack = with(inputs);
    c10::List<bool> its_wanted;
    for (const bool one : wanted) its_wanted.push_back(one);
    stack.emplace_back(its_wanted);
    stack.emplace_back(upstream.defined() ? c10::IValue(upstream) : c10::IValue());
    const auto& name = handle_.operator_name();
    const std::string plain = name.name.substr(std::string("nearfar::").size());
    c10::Dispatcher::singleton()
        .findSchemaOrThrow(("nearfar::" + gradients_of(plain)).c_str(), name.overload_name.c_str())
        .callBoxed(&stack);
    return stack.back().toTensorVector();
  }

 private:
  Stack with(at::TensorList inputs) const {
    Stack stack(values_.begin(), values_.end());
    for (std::size_t k = 0; k < places_.size(); ++k) stack[places_[k]] = inputs[k].detach();
    return stack;
  }

  c10::OperatorHandle handle_;
  std::vector<c10::IValue> values_;
  std::vector<std::size_t> places_;
};

/// As LossFunction, through the dispatcher: what is traced has shapes and no numbers.
class OperatorFunction : public ::torch::autograd::Function<OperatorFunction> {
 public:
  static Tensor forward(AutogradContext* context, at::TensorList inputs,
                        const c10::intrusive_ptr<BoundCall>& call,
                        const std::vector<bool>& wanted) {
    c10::List<std::int64_t> types;
    for (const Tensor& input : inputs) {
      types.push_back(static_cast<std::int64_t>(input.scalar_type()));
    }
    context->saved_data["types"] = types;
    if (value_a_row(call->arguments())) {
      context->save_for_backward(inputs.vec());
      context->saved_data["call"] = at::IValue::make_capsule(call);
      return call->value(inputs);
    }
    variable_list found = call->gradients(inputs, wanted, {});
    context->save_for_backward(spread({found.begin() + 1, found.end()}, wanted));
    return found[0];
  }

  static variable_list backward(AutogradContext* context, const variable_list& from_above) {
    const bool differentiated_again = at::GradMode::is_enabled();
    variable_list gradients = context->get_saved_variables();
    {
      const at::NoGradGuard guard;
      const auto call = context->saved_data.find("call");
      if (call == context->saved_data.end()) {
        for (Tensor& gradient : gradients) {
          if (gradient.defined()) gradient = gradient * from_above[0].to(gradient.scalar_type());
        }
      } else {
        std::vector<bool> wanted;
        for (std::size_t i = 0; i < gradients.size(); ++i) {
          wanted.push_back(context->needs_input_grad(i));
        }
        const auto capsule = call->second.toCapsule();
        variable_list found =
            static_cast<const BoundCall&>(*capsule).gradients(gradients, wanted, from_above[0]);
        gradients = spread({found.begin() + 1, found.end()}, wanted);
      }
      const auto types = context->saved_data["types"].toIntVector();
      for (std::size_t i = 0; i < gradients.size(); ++i) {
        if (!gradients[i].defined()) continue;
        gradients[i] = gradients[i].to(static_cast<at::ScalarType>(types[i]));
      }
    }
    if (differentiated_again) {
      for (Tensor& gradient : gradients) gradient = detail::NotDifferentiable::wrap(gradient);
    }
    // The two arguments of forward's that are no tensors.
    gradients.resize(gradients.size() + 2);
    return gradients;
  }

 private:
  /// Gradients in the places of their inputs.
  static variable_list spread(variable_list found, const std::vector<bool>& wanted) {
    variable_list out(wanted.size());
    std::size_t next = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      if (wanted[i]) out[i] = std::move(found[next++]);
    }
    return out;
  }
};

void differentiate(const c10::OperatorHandle& handle, Stack* stack) {
  std::vector<c10::IValue> values = popped(handle, stack);
  const std::vector<std::size_t> places =
      input_places(operator_of(handle), Arguments(handle.schema(), values));
  variable_list inputs;
  std::vector<bool> wanted;
  bool any = false;
  for (const std::size_t place : places) {
    inputs.push_back(values[place].toTensor());
    wanted.push_back(at::GradMode::is_enabled() && inputs.back().requires_grad());
    any = any || wanted.back();
  }
  const auto call = c10::make_intrusive<BoundCall>(handle, std::move(values), places);
  const at::TensorList list(inputs);
  stack->emplace_back(any ? OperatorFunction::apply(list, call, wanted) : call->value(list));
}

}  // namespace

TORCH_LIBRARY(nearfar, library) {
  using ::torch::CppFunction;
  library.def("has_bfloat16_products() -> bool", [] { return nearfar::has_bfloat16_products(); });
  const auto define = [&](const Operator& its, const std::string& name, const std::string& more,
                          const std::string& returns) {
    const std::string full = its.overload.empty() ? name : name + "." + its.overload;
    const std::string schema = full + "(" + its.arguments + more + ") -> " + returns;
#if TORCH_VERSION_MAJOR >= 2
    library.def(schema.c_str(), {at::Tag::pt2_compliant_tag});
#else
    library.def(schema.c_str());
#endif
    return full;
  };
  for (const Operator& its : all_operators()) {
    const std::string value = define(its, its.name, "", "Tensor");
    library.impl(value.c_str(), ::torch::dispatch(c10::DispatchKey::CPU,
                                                  CppFunction::makeFromBoxedFunction<&compute>()));
    library.impl(value.c_str(),
                 ::torch::dispatch(c10::DispatchKey::Meta,
                                   CppFunction::makeFromBoxedFunction<&shape_value>()));
    library.impl(value.c_str(),
                 ::torch::dispatch(c10::DispatchKey::Autograd,
                                   CppFunction::makeFromBoxedFunction<&differentiate>()));
    const bool has_keywords = its.arguments.find(", *") != std::string::npos;
    const std::string gradients =
        define(its, gradients_of(its.name),
               std::string(has_keywords ? "" : ", *") + ", bool[] wanted, Tensor? upstream=None",
               "Tensor[]");
    library.impl(gradients.c_str(),
                 ::torch::dispatch(c10::DispatchKey::CPU,
                                   CppFunction::makeFromBoxedFunction<&compute_gradients>()));
    library.impl(gradients.c_str(),
                 ::torch::dispatch(c10::DispatchKey::Meta,
                                   CppFunction::makeFromBoxedFunction<&shape_gradients>()));
  }
}

}  // namespace nearfar::libtorch::operators
