#include "support/subjects.hpp"

#include <nearfar/nearfar.hpp>
#include <type_traits>
#include <utility>

#include "support/any_loss.hpp"

namespace support {

namespace {

/// What the names of options and results have in common.
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
  if constexpr (requires { r.d_log_z, o.log_z; }) add("log_z", &Options::log_z, r.d_log_z);
}

/// Builds subjects over sets of rows of given sizes.
template <class S>
class Subjects {
 public:
  using Inputs = typename Subject<S>::Inputs;
  using AllLabels = typename Subject<S>::AllLabels;

  Subjects(Index rows, Index cols) : rows_(rows), cols_(cols) {}

  std::vector<Subject<S>> list;

  /// One subject: Loss with kernel K over `names`, `labelled` of which have labels.
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
      // Bilinear wants a square matrix here, Mahalanobis takes any.
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
    s.call = [=, parametric = s.parametric](const Inputs& x, const AllLabels& labels, Inputs* g,
                                            nearfar::Workspace* workspace,
                                            const nearfar::Upstream* upstream) -> nearfar::Result {
      const Loss loss = loss_with(options, x);
      nearfar::CallOptions<S> call{.workspace = workspace};
      if (g == nullptr) {
        return arguments([&](const auto&... a) { return loss.forward(a..., call); }, x, labels);
      }
      g->resize(x.size());
      if (parametric) call.d_parameter = g->back();
      if (upstream != nullptr) call.upstream = *upstream;
      return gradient_arguments([&](auto&&... a) { return loss.forward_backward(a..., call); }, x,
                                labels, *g);
    };
    s.scalars = [=](const Inputs& x, const AllLabels& labels) {
      Inputs g(x.size());
      const Loss loss = loss_with(options, x);
      const auto result = gradient_arguments(
          [&](auto&&... a) { return loss.forward_backward(a...); }, x, labels, g);
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
  void one(const std::string& name, const Options& options) {
    add<Loss, nearfar::Cosine>(
        name, options, {"x"}, 0, {rows_}, true,
        [](const auto& call, const Inputs& x, const AllLabels&) { return call(x[0]); },
        [](const auto& call, const Inputs& x, const AllLabels&, Inputs& g) {
          return call(x[0], g[0]);
        });
  }

  /// f(a, b), row i of a with row i of b.
  template <class Loss, class K = nearfar::Cosine, class Options>
  void two(const std::string& name, const Options& options, bool smooth = true) {
    add<Loss, K>(
        name, options, {"a", "b"}, 0, {rows_, rows_}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels&) { return call(x[0], x[1]); },
        [](const auto& call, const Inputs& x, const AllLabels&, Inputs& g) {
          return call(x[0], x[1], g[0], g[1]);
        });
  }

  /// f(a, b, c); c has `last` rows.
  template <class Loss, class K, class Options>
  void three(const std::string& name, const Options& options, Index last, bool smooth) {
    add<Loss, K>(
        name, options, {"a", "b", "c"}, 0, {rows_, rows_, last}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels&) { return call(x[0], x[1], x[2]); },
        [](const auto& call, const Inputs& x, const AllLabels&, Inputs& g) {
          return call(x[0], x[1], x[2], g[0], g[1], g[2]);
        });
  }

  /// f(x, labels).
  template <class Loss, class K, class Options>
  void batch(const std::string& name, const Options& options, bool smooth) {
    add<Loss, K>(
        name + ", batch", options, {"x"}, 1, {rows_}, smooth,
        [](const auto& call, const Inputs& x, const AllLabels& l) { return call(x[0], l[0]); },
        [](const auto& call, const Inputs& x, const AllLabels& l, Inputs& g) {
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
        [](const auto& call, const Inputs& x, const AllLabels& l, Inputs& g) {
          return call(x[0], l[0], x[1], l[1], g[0], g[1]);
        });
  }

  Index rows() const { return rows_; }

 private:
  Index rows_;
  Index cols_;
};

template <class S>
struct KernelName;
template <>
struct KernelName<nearfar::Cosine> {
  static constexpr const char* text = "Cosine";
};
template <>
struct KernelName<nearfar::InnerProduct> {
  static constexpr const char* text = "InnerProduct";
};
template <>
struct KernelName<nearfar::CosineDistance> {
  static constexpr const char* text = "CosineDistance";
};
template <>
struct KernelName<nearfar::Euclidean> {
  static constexpr const char* text = "Euclidean";
};
template <>
struct KernelName<nearfar::SquaredEuclidean> {
  static constexpr const char* text = "SquaredEuclidean";
};
template <class S>
struct KernelName<nearfar::Mahalanobis<S>> {
  static constexpr const char* text = "Mahalanobis";
};
template <class S>
struct KernelName<nearfar::Bilinear<S>> {
  static constexpr const char* text = "Bilinear";
};

template <class... Kernels, class Body>
void for_kernels(const Body& body) {
  (body.template operator()<Kernels>(std::string(" of ") + KernelName<Kernels>::text), ...);
}
template <class S, class Body>
void for_distances(const Body& body) {
  for_kernels<nearfar::Euclidean, nearfar::SquaredEuclidean, nearfar::CosineDistance,
              nearfar::Mahalanobis<S>>(body);
}
template <class Body>
void for_symmetric_similarities(const Body& body) {
  for_kernels<nearfar::Cosine, nearfar::InnerProduct>(body);
}
template <class S, class Body>
void for_similarities(const Body& body) {
  for_symmetric_similarities(body);
  for_kernels<nearfar::Bilinear<S>>(body);
}
template <class S, class Body>
void for_symmetric(const Body& body) {
  for_symmetric_similarities(body);
  for_distances<S>(body);
}
template <class S, class Body>
void for_all(const Body& body) {
  for_similarities<S>(body);
  for_distances<S>(body);
}

}  // namespace

template <class S>
std::vector<Subject<S>> all_subjects(Index rows, Index cols, nearfar::Reduction reduction,
                                     double sharpness) {
  using namespace nearfar;
  Subjects<S> all(rows, cols);
  const double tau = 0.5 / sharpness;
  const double scale = 0.7 * sharpness;
  for_all<S>([&]<class K>(const std::string& of) {
    all.template two<InfoNce<S, K>, K>("InfoNce" + of,
                                       InfoNceOptions{.temperature = tau, .reduction = reduction});
    all.template three<InfoNce<S, K>, K>("InfoNce with negatives" + of,
                                         InfoNceOptions{.temperature = tau, .reduction = reduction},
                                         rows + 2, true);
    for (const bool soft : {false, true}) {
      all.template three<Triplet<S, K>, K>(
          (soft ? "soft Triplet" : "Triplet") + of,
          TripletOptions{.form = soft ? TripletForm::soft : TripletForm::hinge,
                         .reduction = reduction},
          rows, soft);
    }
  });
  for_symmetric<S>([&]<class K>(const std::string& of) {
    all.template two<NtXent<S, K>, K>("NtXent" + of,
                                      NtXentOptions{.temperature = tau, .reduction = reduction});
    for (const SupConVariant variant : {SupConVariant::out, SupConVariant::in}) {
      const SupConOptions options{.temperature = tau, .variant = variant, .reduction = reduction};
      const std::string name = variant == SupConVariant::out ? "SupCon" : "SupCon (in)";
      all.template batch<SupCon<S, K>, K>(name + of, options, true);
      all.template references<SupCon<S, K>, K>(name + of, options, true);
    }
    const bool similarity = K::orientation == Orientation::similarity;
    const LinearContrastiveOptions linear{.positive_margin = similarity ? 0.9 : 0.1,
                                          .negative_margin = similarity ? 0.05 : 1.1,
                                          .reduction = reduction};
    all.template batch<LinearContrastive<S, K>, K>("LinearContrastive" + of, linear, false);
    all.template references<LinearContrastive<S, K>, K>("LinearContrastive" + of, linear, false);
    const LiftedStructureOptions lifted{.margin = 2, .reduction = reduction};
    all.template batch<LiftedStructure<S, K>, K>("LiftedStructure" + of, lifted, true);
    all.template references<LiftedStructure<S, K>, K>("LiftedStructure" + of, lifted, true);
    for (const auto& [mining, name] :
         {std::pair(Mining::all, "all"), std::pair(Mining::hard, "hard"),
          std::pair(Mining::semihard, "semihard"), std::pair(Mining::easy, "easy"),
          std::pair(Mining::batch_hard, "batch_hard"),
          std::pair(Mining::batch_easy_hard, "batch_easy_hard"),
          std::pair(Mining::semi_hard_per_pair, "semi_hard_per_pair")}) {
      for (const bool soft : {false, true}) {
        const MinedTripletOptions options{.form = soft ? TripletForm::soft : TripletForm::hinge,
                                          .mining = mining,
                                          .reduction = reduction};
        const std::string full = std::string(soft ? "soft " : "") + "MinedTriplet " + name + of;
        all.template batch<MinedTriplet<S, K>, K>(full, options, false);
        all.template references<MinedTriplet<S, K>, K>(full, options, false);
      }
    }
  });
  for_distances<S>([&]<class K>(const std::string& of) {
    const HadsellOptions hadsell{.margin = 1.3, .reduction = reduction};
    const bool smooth = reduction != Reduction::mean_nonzero;  // its divisor jumps at the margin
    all.template batch<HadsellContrastive<S, K>, K>("HadsellContrastive" + of, hadsell, smooth);
    all.template references<HadsellContrastive<S, K>, K>("HadsellContrastive" + of, hadsell,
                                                         smooth);
  });
  for_similarities<S>([&]<class K>(const std::string& of) {
    all.template two<Clip<S, K>, K>("Clip" + of,
                                    ClipOptions{.logit_scale = scale, .reduction = reduction});
    all.template two<SigLip<S, K>, K>(
        "SigLip" + of,
        SigLipOptions{.logit_scale = scale, .logit_bias = -0.5, .reduction = reduction});
    all.template three<NegativeSampling<S, K>, K>(
        "NegativeSampling" + of,
        NegativeSamplingOptions{.temperature = 1 / sharpness, .reduction = reduction}, rows + 2,
        true);
  });
  for_symmetric_similarities([&]<class K>(const std::string& of) {
    const MultiSimilarityOptions multi{
        .alpha = 2 * sharpness, .beta = 4 * sharpness, .reduction = reduction};
    all.template batch<MultiSimilarity<S, K>, K>("MultiSimilarity" + of, multi, true);
    all.template references<MultiSimilarity<S, K>, K>("MultiSimilarity" + of, multi, true);
    const CircleOptions circle{
        .gamma = 2 * sharpness, .weights = CircleWeights::differentiated, .reduction = reduction};
    all.template batch<Circle<S, K>, K>("Circle" + of, circle, false);
    all.template references<Circle<S, K>, K>("Circle" + of, circle, false);
  });
  all.template two<NtXent<S>>(
      "decoupled NtXent",
      NtXentOptions{
          .temperature = tau, .denominator = Denominator::negatives_only, .reduction = reduction});
  all.template two<Clip<S>>(
      "Clip, sum of directions",
      ClipOptions{.logit_scale = scale, .directions = ClipDirections::sum, .reduction = reduction});
  all.template two<HardNegative<S>>(
      "HardNegative", HardNegativeOptions{.temperature = tau, .reduction = reduction});
  all.template two<Alignment<S>>("Alignment", AlignmentOptions{.reduction = reduction});
  if (reduction == Reduction::mean) {
    all.template two<NPair<S>, InnerProduct>("NPair", reduction);
    all.template one<Uniformity<S>>("Uniformity", UniformityOptions{.t = 2 * sharpness});
    for_all<S>([&]<class K>(const std::string& of) {
      for (const auto& [bound, name] :
           {std::pair(MutualInformationBound::info_nce, "InfoNCE bound"),
            std::pair(MutualInformationBound::nwj, "NWJ bound"),
            std::pair(MutualInformationBound::donsker_varadhan, "Donsker-Varadhan bound"),
            std::pair(MutualInformationBound::club, "CLUB bound")}) {
        all.template two<MutualInformation<S, K>, K>(
            name + of, MutualInformationOptions{.bound = bound, .temperature = 1.5 / sharpness});
      }
    });
  }
  return std::move(all.list);
}

template std::vector<Subject<float>> all_subjects(Index, Index, nearfar::Reduction, double);
template std::vector<Subject<double>> all_subjects(Index, Index, nearfar::Reduction, double);

}  // namespace support
