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

/// The value of a loss and its gradients, one an input, in the type that is computed in; undefined
/// where none was wanted.
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

/// The factors of a value's rows from a tensor, which must outlive them: double, in one piece.
inline Upstream upstream_of(const Tensor& weights) {
  return {weights.data_ptr<double>(), weights.numel()};
}

/// Any loss. One number: its gradients are computed together with the value and kept, backward
/// multiplies them by what comes from above. A value a row: what comes from above is known only in
/// backward, which computes gradients from the inputs, kept in their place. Autograd itself rounds
/// what backward returns to the type of the input.
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
    const Upstream upstream = upstream_of(weights);
    return static_cast<const Holder&>(holder).loss.evaluate(inputs, wanted, &upstream).gradients;
  }
};

/// Gradients for code that has a graph of its own. While one lives, a loss that its thread calls
/// computes the gradients of these leaves at once, and puts them here in the type that it computes
/// in. Autograd would round them to the type of the leaves, before that code multiplies them.
class DirectGradients {
 public:
  /// Times `upstream`, one number a row; undefined: 1.
  DirectGradients(variable_list leaves, const Tensor& upstream)
      : leaves_(std::move(leaves)),
        found_(leaves_.size()),
        weights_(upstream.defined() ? upstream.to(at::kDouble).contiguous() : Tensor()) {
    current() = this;
  }
  ~DirectGradients() { current() = nullptr; }
  DirectGradients(const DirectGradients&) = delete;
  DirectGradients& operator=(const DirectGradients&) = delete;

  /// That of the calling thread; null: none.
  static DirectGradients*& current() {
    thread_local DirectGradients* own = nullptr;
    return own;
  }

  Tensor evaluate(at::TensorList inputs, const BoundLoss& loss, const std::vector<bool>& wanted) {
    const Upstream upstream = weights_.defined() ? upstream_of(weights_) : Upstream(1.0);
    const Evaluation its = loss.evaluate(inputs, wanted, &upstream);
    for (std::size_t k = 0; k < inputs.size(); ++k) {
      for (std::size_t l = 0; l < leaves_.size(); ++l) {
        if (inputs[k].is_same(leaves_[l])) found_[l] = its.gradients[k];
      }
    }
    return its.value;
  }

  /// One a leaf.
  const variable_list& found() const { return found_; }

 private:
  variable_list leaves_;
  variable_list found_;
  Tensor weights_;
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
  if (!any) return loss.evaluate(list, wanted, nullptr).value;
  if (DirectGradients* direct = DirectGradients::current()) {
    return direct->evaluate(list, loss, wanted);
  }
  return LossFunction::apply(list, loss, wanted);
}

}  // namespace nearfar::libtorch::detail
