#include "support/subjects.hpp"

#include <array>
#include <nearfar/nearfar.hpp>
#include <span>
#include <type_traits>
#include <utility>

#include "support/any_loss.hpp"
#include "support/settings.hpp"
#include "support/token_offsets.hpp"

namespace support {

namespace {

/// Names of options and results.
template <class Make, class Result, class Options>
void add_scalars(const Make& value_with, const Result& r, const Options& o,
                 std::vector<Scalar>& out) {
  const auto add = [&](const char* name, double Options::*member, double derivative) {
    out.push_back({name, o.*member, derivative, [=](double v) {
                     Options moved = o;
                     moved.*member = v;
                     return value_with(moved);
                   }});
  };
  if constexpr (requires { r.d_temperature, o.temperature; }) {
    add("temperature", &Options::temperature, r.d_temperature);
  }
  if constexpr (requires { r.d_logit_scale, o.logit_scale; }) {
    add("logit_scale", &Options::logit_scale, r.d_logit_scale);
  }
  if constexpr (requires { r.d_logit_bias, o.logit_bias; }) {
    add("logit_bias", &Options::logit_bias, r.d_logit_bias);
  }
  if constexpr (requires { r.d_scale, o.scale; }) add("scale", &Options::scale, r.d_scale);
  if constexpr (requires { r.d_lambda, o.lambda; }) add("lambda", &Options::lambda, r.d_lambda);
  if constexpr (requires { r.d_gamma, o.gamma; }) add("gamma", &Options::gamma, r.d_gamma);
  if constexpr (requires { r.d_log_z, o.log_z; }) add("log_z", &Options::log_z, r.d_log_z);
  if constexpr (requires { r.d_beta, o.beta; }) add("beta", &Options::beta, r.d_beta);
  if constexpr (requires { r.d_scale, o.scale; }) add("scale", &Options::scale, r.d_scale);
}

/// Labels as the numbers and the flags of pairs, without memory of their own.
template <class S>
class OfLabels {
 public:
  explicit OfLabels(const std::vector<int>& labels) : size_(static_cast<Index>(labels.size())) {
    for (std::size_t i = 0; i < labels.size(); ++i) {
      numbers_.at(i) = S(0.125) * static_cast<S>(labels[i]);
      flags_.at(i) = labels[i] % 2;
    }
  }
  operator nearfar::Numbers<S>() const { return {numbers_.data(), size_}; }
  operator nearfar::Labels() const { return {flags_.data(), size_}; }

 private:
  Index size_;
  std::array<S, 256> numbers_;
  std::array<int, 256> flags_;
};

/// Makes subjects over sets of rows of given sizes.
template <class S>
class Subjects {
 public:
  using Inputs = typename Subject<S>::RowViews;
  using Gradients = typename Subject<S>::GradientViews;
  using AllLabels = typename Subject<S>::AllLabels;

  Subjects(Index rows, Index cols) : rows_(rows), cols_(cols) {}

  std::vector<Subject<S>> list;

  /// One subject: Loss with kernel K over `names`, the first `labelled` of which have labels.
  /// `arguments(call, x, labels)` calls with rows and labels in the loss's order.
  template <class Loss, class K, class Options, class Arguments, class GradientArguments>
  void add(std::string name, const Options& options, std::vector<std::string> names,
           std::size_t labelled, const std::vector<Index>& counts, bool smooth,
           const Arguments& arguments, const GradientArguments& gradient_arguments) {
    Subject<S> s;
    s.name = std::move(name);
    s.smooth = smooth;
    s.input_names = std::move(names);
    s.paired = labelled == 0;
    s.parametric = nearfar::ParametricKernel<K>;
    for (std::size_t k = 0; k < s.input_names.size(); ++k) {
      s.inputs.push_back(random_rows<S>(counts[k], cols_, 11 + k));
      if (k < labelled) {
        s.labels.push_back(random_labels(counts[k], static_cast<int>(2 + rows_ / 4), 5 + k));
      }
    }
    if (s.parametric) {
      // Bilinear needs a square matrix here, Mahalanobis takes any.
      s.input_names.emplace_back("kernel matrix");
      s.inputs.push_back(random_rows<S>(cols_, cols_, 19));
    }
    const auto loss_with = [](const Options& o, const Inputs& x) {
      if constexpr (std::is_constructible_v<Loss, Options, K>) {
        return Loss(o, kernel_of<K>(x.back()));
      } else {
        return Loss(o);
      }
    };
    s.call_views = [=, parametric = s.parametric](
                       const Inputs& x, const AllLabels& labels, const Gradients* g,
                       nearfar::Workspace* workspace,
                       const nearfar::Upstream* upstream) -> nearfar::Result {
      const Loss loss = loss_with(options, x);
      nearfar::CallOptions<S> call{.workspace = workspace};
      if (g == nullptr) {
        return arguments([&](const auto&... a) { return loss.forward(a..., call); }, x, labels);
      }
      if (parametric) call.d_parameter = g->back();
      if (upstream != nullptr) call.upstream = *upstream;
      return gradient_arguments([&](const auto&... a) { return loss.forward_backward(a..., call); },
                                x, labels, *g);
    };
    s.scalars = [=](const typename Subject<S>::Inputs& matrices, const AllLabels& labels) {
      const Inputs x(matrices);
      typename Subject<S>::Inputs memory(matrices.size());
      const Gradients g(memory);
      const Loss loss = loss_with(options, x);
      const auto result = gradient_arguments(
          [&](const auto&... a) { return loss.forward_backward(a...); }, x, labels, g);
      std::vector<Scalar> out;
      const auto value_with = [=](const Options& o) {
        const Loss moved = loss_with(o, x);
        return arguments([&](const auto&... a) { return moved.forward(a...); }, x, labels).value;
      };
      if constexpr (std::is_class_v<Options>) {
        add_scalars(value_with, result, options, out);
      }
      return out;
    };
    list.push_back(std::move(s));
  }

  /// f(x), one set without labels.
  template <class Loss, class Options>
  void one(const std::string& name, const Options& options, bool smooth) {
    add<Loss, nearfar::Cosine>(
        name, options, {"x"}, 0, {rows_}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels&) { return call(x[0]); },
        [](const auto& call, const Inputs& x, const AllLabels&, const Gradients& g) {
          return call(x[0], g[0]);
        });
  }

  /// f(a, b), row i of a with row i of b.
  template <class Loss, class K = nearfar::Cosine, class Options>
  void two(const std::string& name, const Options& options, bool smooth = true) {
    add<Loss, K>(
        name, options, {"a", "b"}, 0, {rows_, rows_}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels&) { return call(x[0], x[1]); },
        [](const auto& call, const Inputs& x, const AllLabels&, const Gradients& g) {
          return call(x[0], x[1], g[0], g[1]);
        });
  }

  /// f(a, b, c); c has `last` rows.
  template <class Loss, class K, class Options>
  void three(const std::string& name, const Options& options, Index last, bool smooth) {
    add<Loss, K>(
        name, options, {"a", "b", "c"}, 0, {rows_, rows_, last}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels&) { return call(x[0], x[1], x[2]); },
        [](const auto& call, const Inputs& x, const AllLabels&, const Gradients& g) {
          return call(x[0], x[1], x[2], g[0], g[1], g[2]);
        });
  }

  /// f(a, b, numbers or flags), one a pair.
  template <class Loss, class K, class Column, class Options>
  void pairs(const std::string& name, const Options& options, bool smooth) {
    add<Loss, K>(
        name, options, {"a", "b"}, 1, {rows_, rows_}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels& l) {
          return call(x[0], x[1], Column(OfLabels<S>(l[0])));
        },
        [](const auto& call, const Inputs& x, const AllLabels& l, const Gradients& g) {
          return call(x[0], x[1], Column(OfLabels<S>(l[0])), g[0], g[1]);
        });
    list.back().paired = true;
  }

  /// f(a, b, c, numbers), one a row of c.
  template <class Loss, class K, class Options>
  void triplets(const std::string& name, const Options& options) {
    add<Loss, K>(
        name, options, {"a", "b", "c"}, 1, {rows_, rows_, rows_}, true,
        [](const auto& call, const Inputs& x, const AllLabels& l) {
          return call(x[0], x[1], x[2], nearfar::Numbers<S>(OfLabels<S>(l[0])));
        },
        [](const auto& call, const Inputs& x, const AllLabels& l, const Gradients& g) {
          return call(x[0], x[1], x[2], nearfar::Numbers<S>(OfLabels<S>(l[0])), g[0], g[1], g[2]);
        });
    list.back().paired = true;
  }

  /// f(x, slices); slices are constants.
  template <class Loss, class Options>
  void with_slices(const std::string& name, const Options& options) {
    Matrix<S> slices = random_rows<S>(6, cols_, 23);
    slices.rowwise().normalize();
    add<Loss, nearfar::InnerProduct>(
        name, options, {"x"}, 0, {rows_}, true,
        [=](const auto& call, const Inputs& x, const AllLabels&) { return call(x[0], slices); },
        [=](const auto& call, const Inputs& x, const AllLabels&, const Gradients& g) {
          return call(x[0], slices, g[0]);
        });
  }

  /// f(prediction1, prediction2, target1, target2); targets are constants, the same for all rows,
  /// so that rows may be reordered.
  template <class Loss, class Options>
  void predictions(const std::string& name, const Options& options) {
    const Matrix<S> first = random_rows<S>(1, cols_, 24).replicate(rows_, 1);
    const Matrix<S> second = random_rows<S>(1, cols_, 25).replicate(rows_, 1);
    const auto of = [](const Matrix<S>& targets, const Inputs& x) {
      return nearfar::Rows<S>(targets.data(), x[0].rows(), targets.cols());
    };
    add<Loss, nearfar::Cosine>(
        name, options, {"prediction1", "prediction2"}, 0, {rows_, rows_}, true,
        [=](const auto& call, const Inputs& x, const AllLabels&) {
          return call(x[0], x[1], of(first, x), of(second, x));
        },
        [=](const auto& call, const Inputs& x, const AllLabels&, const Gradients& g) {
          return call(x[0], x[1], of(first, x), of(second, x), g[0], g[1]);
        });
  }

  /// f(queries, offsets, documents, offsets).
  template <class Loss, class K, class Options>
  void tokens(const std::string& name, const Options& options) {
    const auto with_offsets = [all = TokenOffsets(rows_, rows_), rows = rows_](const Inputs& x,
                                                                               const auto& body) {
      if (x[0].rows() == rows) return body(all);
      return body(TokenOffsets(x[0].rows(), x[1].rows()));
    };
    add<Loss, K>(
        name, options, {"queries", "documents"}, 0, {rows_, rows_}, false,
        [=](const auto& call, const Inputs& x, const AllLabels&) {
          return with_offsets(x, [&](const TokenOffsets& o) {
            return call(x[0], std::span(o.queries), x[1], std::span(o.documents));
          });
        },
        [=](const auto& call, const Inputs& x, const AllLabels&, const Gradients& g) {
          return with_offsets(x, [&](const TokenOffsets& o) {
            return call(x[0], std::span(o.queries), x[1], std::span(o.documents), g[0], g[1]);
          });
        });
    list.back().in_sets = true;
  }

  /// f(x, labels).
  template <class Loss, class K, class Options>
  void batch(const std::string& name, const Options& options, bool smooth) {
    add<Loss, K>(
        name + ", batch", options, {"x"}, 1, {rows_}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels& l) { return call(x[0], l[0]); },
        [](const auto& call, const Inputs& x, const AllLabels& l, const Gradients& g) {
          return call(x[0], l[0], g[0]);
        });
  }

  /// f(queries, labels, references, labels).
  template <class Loss, class K, class Options>
  void references(const std::string& name, const Options& options, bool smooth) {
    add<Loss, K>(
        name + ", references", options, {"queries", "references"}, 2, {rows_, rows_ + 3}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels& l) {
          return call(x[0], l[0], x[1], l[1]);
        },
        [](const auto& call, const Inputs& x, const AllLabels& l, const Gradients& g) {
          return call(x[0], l[0], x[1], l[1], g[0], g[1]);
        });
  }

  /// f(x, labels, proxies); as many classes as rows.
  template <class Loss, class K, class Options>
  void proxies(const std::string& name, const Options& options, bool smooth) {
    const Index centers = centers_of(options);
    add<Loss, K>(
        name, options, {"x", "proxies"}, 1, {rows_, rows_ * centers}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels& l) {
          return call(x[0], l[0], x[1]);
        },
        [](const auto& call, const Inputs& x, const AllLabels& l, const Gradients& g) {
          return call(x[0], l[0], x[1], g[0], g[1]);
        });
    list.back().centers = centers;
  }

  Index rows() const { return rows_; }

 private:
  Index rows_;
  Index cols_;
};

/// The forms of a loss of the register whose rows have one width and whose arguments are rows and
/// labels or numbers of these; Nce, Cpc and DistillKl have tests of their own.
template <class Line, class K, class S>
void add_forms(Subjects<S>& all, const std::string& name, const typename Line::Options& options) {
  using nearfar::registered::Takes;
  using Loss = typename Line::template Loss<S, K>;
  const bool smooth = is_smooth(options);
  constexpr Takes takes = Line::takes;
  if constexpr (is_over_labels<Line>) {
    all.template batch<Loss, K>(name, options, smooth);
    all.template references<Loss, K>(name, options, smooth);
  } else if constexpr (takes == Takes::classes) {
    all.template batch<Loss, K>(name, options, smooth);
  } else if constexpr (takes == Takes::proxies) {
    all.template proxies<Loss, K>(name, options, smooth);
  } else if constexpr (takes == Takes::pairs || takes == Takes::views) {
    all.template two<Loss, K>(name, options, smooth);
  } else if constexpr (takes == Takes::queries) {
    all.template two<Loss, K>(name, options, smooth);
    all.template three<Loss, K>(name + ", negatives", options, all.rows() + 2, smooth);
  } else if constexpr (takes == Takes::negatives) {
    all.template three<Loss, K>(name, options, all.rows() + 2, smooth);
  } else if constexpr (takes == Takes::triplets) {
    all.template three<Loss, K>(name, options, all.rows(), smooth);
  } else if constexpr (takes == Takes::matched_pairs) {
    all.template pairs<Loss, K, nearfar::Labels>(name, options, smooth);
  } else if constexpr (takes == Takes::scored_pairs) {
    all.template pairs<Loss, K, nearfar::Numbers<S>>(name, options, smooth);
  } else if constexpr (takes == Takes::scored_triplets) {
    all.template triplets<Loss, K>(name, options);
  } else if constexpr (takes == Takes::one_set) {
    all.template one<Loss>(name, options, smooth);
  } else if constexpr (takes == Takes::slices) {
    all.template with_slices<Loss>(name, options);
  } else if constexpr (takes == Takes::predictions) {
    all.template predictions<Loss>(name, options);
  } else if constexpr (takes == Takes::tokens) {
    all.template tokens<Loss, K>(name, options);
  }
}

}  // namespace

template <class S>
std::vector<Subject<S>> all_subjects(Index rows, Index cols, nearfar::Reduction reduction,
                                     double sharpness) {
  Subjects<S> all(rows, cols);
  nearfar::registered::for_each([&]<class Line>(Line) {
    constexpr bool reduces = requires(typename Line::Options o) { o.reduction; };
    if (!reduces && reduction != nearfar::Reduction::mean) return;
    for_each_kernel<Line, S>([&]<class K>() {
      for (const auto& options : gentle_options<Line, K>(reduction, sharpness)) {
        add_forms<Line, K>(
            all, std::string(Line::class_name) + " of " + name_of_kernel<K> + choices_in(options),
            options);
      }
    });
  });
  return std::move(all.list);
}

template std::vector<Subject<float>> all_subjects(Index, Index, nearfar::Reduction, double);
template std::vector<Subject<double>> all_subjects(Index, Index, nearfar::Reduction, double);

}  // namespace support
