#pragma once

#include <torch/csrc/autograd/custom_function.h>

#include <functional>
#include <utility>

#include "nearfar/adapters/torch/views.hpp"
#include "nearfar/core/result.hpp"

/// \file
/// Losses for autograd: one Function, whichever loss is behind it.

namespace nearfar::libtorch::detail {

using ::torch::autograd::AutogradContext;
using ::torch::autograd::variable_list;

/// The value of a loss and its gradients, one an input; undefined where none was wanted.
struct Evaluation {
  Tensor value;
  variable_list gradients;
};

/// A loss with everything bound but the tensors that it can be differentiated by.
struct BoundLoss {
  /// Whether the value is one number a row (Reduction::none).
  bool value_a_row = false;
  /// Without upstream: the value alone. Else also the gradients `wanted`, times upstream.
  std::function<Evaluation(at::TensorList inputs, const std::vector<bool>& wanted,
                           const Upstream* upstream)>
      evaluate;
};

/// The identity, whose own derivative is an error: for gradients that must not be taken for
/// functions of the loss's inputs.
class NotDifferentiable : public ::torch::autograd::Function<NotDifferentiable> {
 public:
  static Tensor forward(AutogradContext*, const Tensor& gradient) {
    return gradient.view_as(gradient);
  }
  static variable_list backward(AutogradContext*, const variable_list&) {
    TORCH_CHECK(false,
                "nearfar: wanted first derivatives, got a gradient of a gradient; losses of "
                "this adapter can be differentiated once");
    return {};
  }

  /// `gradient` as the result of a computation that cannot be differentiated.
  static Tensor wrap(const Tensor& gradient) {
    return gradient.defined() ? apply(gradient.detach().requires_grad_(true)) : gradient;
  }
};

/// Any loss. One number: its gradients are computed together with the value and kept, backward
/// multiplies them by what comes from above. A value a row: what comes from above is known only in
/// backward, which computes gradients from the inputs, kept in their place.
class LossFunction : public ::torch::autograd::Function<LossFunction> {
 public:
  static Tensor forward(AutogradContext* context, at::TensorList inputs, const BoundLoss& loss,
                        const std::vector<bool>& wanted) {
    if (loss.value_a_row) {
      context->save_for_backward(inputs.vec());
      context->saved_data["loss"] = at::IValue::make_capsule(c10::make_intrusive<Holder>(loss));
      return loss.evaluate(inputs, wanted, nullptr).value;
    }
    const Upstream one(1.0);
    Evaluation evaluation = loss.evaluate(inputs, wanted, &one);
    context->save_for_backward(std::move(evaluation.gradients));
    return evaluation.value;
  }

  static variable_list backward(AutogradContext* context, const variable_list& from_above) {
    const bool differentiated_again = at::GradMode::is_enabled();
    variable_list gradients;
    {
      const at::NoGradGuard guard;
      const auto found = context->saved_data.find("loss");
      gradients = found == context->saved_data.end()
                      ? scaled(context->get_saved_variables(), from_above[0].item<double>())
                      : row_gradients(*context, *found->second.toCapsule(), from_above[0]);
    }
    if (differentiated_again) {
      for (Tensor& gradient : gradients) gradient = NotDifferentiable::wrap(gradient);
    }
    // The two arguments of forward's that are no tensors.
    gradients.resize(gradients.size() + 2);
    return gradients;
  }

 private:
  struct Holder : ::torch::CustomClassHolder {
    explicit Holder(const BoundLoss& its) : loss(its) {}
    BoundLoss loss;
  };

  static variable_list scaled(variable_list gradients, double factor) {
    for (Tensor& gradient : gradients) {
      // It may be returned as it is: code that would change it sees by its count that it is kept
      // here.
      if (gradient.defined() && factor != 1) gradient = gradient * factor;
    }
    return gradients;
  }

  static variable_list row_gradients(const AutogradContext& context,
                                     const ::torch::CustomClassHolder& holder,
                                     const Tensor& from_above) {
    const variable_list inputs = context.get_saved_variables();
    std::vector<bool> wanted;
    for (std::size_t i = 0; i < inputs.size(); ++i) wanted.push_back(context.needs_input_grad(i));
    const Tensor weights = from_above.to(at::kDouble).contiguous();
    const Upstream upstream(weights.data_ptr<double>(), weights.numel());
    return static_cast<const Holder&>(holder).loss.evaluate(inputs, wanted, &upstream).gradients;
  }
};

/// The value of a loss, with a place in autograd's graph when a gradient may be required.
inline Tensor differentiable(const variable_list& inputs, const BoundLoss& loss) {
  std::vector<bool> wanted;
  bool any = false;
  for (const Tensor& input : inputs) {
    wanted.push_back(at::GradMode::is_enabled() && input.requires_grad());
    any = any || wanted.back();
  }
  const at::TensorList list(inputs);
  return any ? LossFunction::apply(list, loss, wanted) : loss.evaluate(list, wanted, nullptr).value;
}

}  // namespace nearfar::libtorch::detail
