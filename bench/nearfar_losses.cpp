#include <algorithm>
#include <cmath>
#include <nearfar/nearfar.hpp>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <vector>

#include "support/costs.hpp"
#include "support/data.hpp"
#include "support/shape.hpp"

/// \file
/// nearfar's losses, from the register: a new loss is measured because of its line there. Single
/// losses have lines here for their lower bound and the size of their margin.

namespace bench {

namespace {

using nearfar::registered::Takes;

constexpr bool is_measured(Takes takes) {
  return takes == Takes::labels || takes == Takes::labels_or_pairs || takes == Takes::classes ||
         takes == Takes::pairs || takes == Takes::views || takes == Takes::queries ||
         takes == Takes::one_set || takes == Takes::proxies || takes == Takes::slices ||
         takes == Takes::predictions || takes == Takes::tokens;
}

constexpr bool has_two_sets(Takes takes) {
  return takes == Takes::pairs || takes == Takes::queries || takes == Takes::proxies ||
         takes == Takes::slices || takes == Takes::predictions || takes == Takes::tokens;
}

/// True if the second set belongs to the first row by row.
constexpr bool has_partners(Takes takes) {
  return takes == Takes::pairs || takes == Takes::predictions;
}

/// The number of queries of this many tokens, 32 each, and the number of their documents.
std::ptrdiff_t token_sets(std::ptrdiff_t tokens) {
  return std::max<std::ptrdiff_t>(tokens / 32, 1);
}

/// `typical` is the size of this kernel's scores of rows of independent normal numbers.
template <class K>
struct KernelFacts;
#define BENCH_KERNEL(Class, its_name, its_kernel, its_size)               \
  template <>                                                             \
  struct KernelFacts<nearfar::Class> {                                    \
    static constexpr std::string_view name = its_name;                    \
    static constexpr Kernel kernel = Kernel::its_kernel;                  \
    static double typical([[maybe_unused]] double d) { return its_size; } \
  };
BENCH_KERNEL(Cosine, "cosine", cosine, 1)
BENCH_KERNEL(InnerProduct, "inner_product", inner_product, d)
BENCH_KERNEL(Euclidean, "euclidean", euclidean, std::sqrt(2 * d))
BENCH_KERNEL(SquaredEuclidean, "squared_euclidean", other, 2 * d)
BENCH_KERNEL(CosineDistance, "cosine_distance", other, 1)
#undef BENCH_KERNEL

template <class K>
concept Known = requires {
  KernelFacts<K>::name;
};

/// Calls visit.operator()<Line, Kernel>() for the loss and kernel of a shape; Kernel is void for a
/// loss without a choice. Throws if there is none.
template <class S, class Visit>
void for_loss_of(const Shape& shape, const Visit& visit) {
  bool found = false;
  bool known = false;
  nearfar::registered::for_each([&]<class Line>(Line) {
    if constexpr (is_measured(Line::takes)) {
      if (shape.loss != Line::name) return;
      known = true;
      const auto with = [&]<class K>() {
        if constexpr (Known<K>) {
          if (!found && shape.kernel == KernelFacts<K>::name) {
            found = true;
            visit.template operator()<Line, K>();
          }
        }
      };
      if (shape.kernel.empty()) {
        found = true;
        visit.template operator()<Line, void>();
      } else {
        [&]<class... K>(nearfar::registered::KernelList<K...>) {
          (with.template operator()<K>(), ...);
        }(typename Line::template Kernels<S>());
      }
    }
  });
  if (!known) throw std::invalid_argument("no such loss, or none that is measured: " + shape.loss);
  if (!found) throw std::invalid_argument("no such kernel for " + shape.loss + ": " + shape.kernel);
}

template <class Line, class S, class K>
struct LossWith {
  using Type = typename Line::template Loss<S, K>;
};
template <class Line, class S>
struct LossWith<Line, S, void> {
  using Type = typename Line::template Loss<S>;
};

/// The kernel of a loss; Cosine if it has no choice and no kernel().
template <class Loss>
auto kernel_of(const Loss& loss) {
  if constexpr (requires { loss.kernel(); }) {
    return loss.kernel();
  } else {
    return nearfar::Cosine();
  }
}
template <class Loss>
using KernelOf = decltype(kernel_of(std::declval<Loss>()));

/// Options for a shape: temperatures and margins for rows of normal numbers, and those that it
/// names.
struct Setting {
  const Shape& shape;
  double typical;
  double margin;
  double alpha;
  std::size_t& used;

  template <class T>
  void operator()(std::string_view name, T& value) const {
    if constexpr (std::is_same_v<T, std::optional<double>>) {
      // follows the kernel unless the shape names it
    } else if constexpr (std::is_class_v<T>) {
      T::fields(*this, value);
    } else if constexpr (std::is_same_v<T, double>) {
      if (name == "temperature") value = 0.1 * typical;
      if (name == "logit_scale") value = 10 / typical;
      if (name == "margin" && margin > 0) value = margin;
      if (name == "alpha" && alpha > 0) value = alpha;
    }
    for (const auto& [option, text] : shape.options) {
      if (option != name) continue;
      ++used;
      if constexpr (std::is_enum_v<T> || std::is_same_v<T, bool>) {
        const auto& choices = nearfar::registered::choices_of<T>;
        std::size_t choice = 0;
        while (choice < choices.size() && choices[choice] != text) ++choice;
        if (choice == choices.size()) throw std::invalid_argument("no choice: " + text);
        value = static_cast<T>(choice);
      } else if constexpr (!std::is_class_v<T> || std::is_same_v<T, std::optional<double>>) {
        double number = 0;
        if (!(std::istringstream(text) >> number)) {
          throw std::invalid_argument("no number: " + text);
        }
        value = static_cast<T>(number);
      }
    }
  }
};

/// Distances of normal rows are about `typical`. With a margin of this size Hadsell's loss has
/// active pairs, and with a tenth of it there are triplets of each kind. With an alpha of this size
/// the ranked list loss has active pairs of both kinds. A document's score is a sum over tokens.
template <class Options, class K>
typename std::decay_t<Options> options_of(const Shape& shape) {
  double typical = 1;
  if constexpr (Known<K>) typical = KernelFacts<K>::typical(static_cast<double>(shape.d));
  double margin = 0;
  if constexpr (std::is_same_v<Options, nearfar::HadsellOptions>) margin = typical;
  if constexpr (std::is_same_v<Options, nearfar::MinedTripletOptions>) margin = typical / 10;
  double alpha = 0;
  if constexpr (std::is_same_v<Options, nearfar::RankedListOptions>) {
    alpha = typical;
    margin = typical / 10;
  }
  if constexpr (std::is_same_v<Options, nearfar::MaxSimInfoNceOptions>) {
    typical *= static_cast<double>(shape.n) / static_cast<double>(token_sets(shape.n));
  }
  Options options;
  std::size_t used = 0;
  Options::fields(Setting{shape, typical, margin, alpha, used}, options);
  if (used != shape.options.size()) {
    throw std::invalid_argument("an option that " + shape.loss + " does not have");
  }
  return options;
}

template <class Line, class S, class K>
auto loss_of(const Shape& shape) {
  using Its = typename LossWith<Line, S, K>::Type;
  return Its(options_of<typename Line::Options, KernelOf<Its>>(shape));
}

/// Operations of the products, in units of N M D, where scores are computed again if gradients need
/// the whole row first.
template <class Line>
double units(const Shape& shape, const typename Line::Options& options) {
  constexpr std::string_view name = Line::name;
  const auto m = static_cast<double>(shape.m);
  if constexpr (name == "alignment" || name == "angular" || Line::takes == Takes::predictions) {
    return 0;  // depends on the pairs, not on N M
  } else if constexpr (Line::takes == Takes::tokens) {
    const double products = cost_of(name, "products of tokens").most;
    // A token of a query has one nearest token a document.
    return products + (shape.gradients ? cost_of(name, "gradients of tokens").most *
                                             static_cast<double>(token_sets(shape.n)) / m
                                       : 0);
  } else if constexpr (requires { options.mining; }) {
    using nearfar::Mining;
    const bool one =
        options.mining == Mining::batch_hard || options.mining == Mining::batch_easy_hard;
    const bool kind = options.form == nearfar::TripletForm::hinge &&
                      options.mining != Mining::semi_hard_per_pair &&
                      options.mining != Mining::distance_weighted;
    if (!shape.gradients) return one || kind ? 1 : 2;
    return cost_of(name, one ? "one an anchor" : kind ? "hinges of a kind" : "other mining").most;
  } else {
    constexpr double with_gradients = cost_of(name).most;
    // The scores alone, symmetric ones once; intra-pair variance computes them for its means, too.
    const bool whole = has_two_sets(Line::takes) || Line::takes == Takes::slices ||
                       Line::takes == Takes::classes || name == "intra_pair_variance" ||
                       name == "smooth_ap" || name == "ko_leo";
    const double units = shape.gradients ? with_gradients : whole ? 2 : 1;
    const double share = static_cast<double>(shape.d) / m;
    if (Line::takes == Takes::classes) return units * static_cast<double>(classes_of(shape.n)) / m;
    if (name == "barlow_twins" || name == "vic_reg") return units * share;
    return name == "gor" ? units * std::min(share, 1.0) : units;
  }
}

template <class S, class Line, class Its>
class Nearfar final : public Peer<S> {
 public:
  Nearfar(const Shape& shape, const Batch<S>& batch, Its loss)
      : b_(batch), gradients_(shape.gradients), loss_(std::move(loss)), workspace_(batch.threads) {
    if constexpr (Line::takes == Takes::tokens) {
      const std::ptrdiff_t sets = token_sets(b_.n);
      for (std::ptrdiff_t k = 0; k <= sets; ++k) {
        query_offsets_.push_back(b_.n * k / sets);
        document_offsets_.push_back(b_.m * k / sets);
      }
    }
    if (!shape.bfloat16) return;
    const std::ptrdiff_t rows = b_.y == b_.x ? b_.n : b_.n + b_.m;
    in_bfloat16_ =
        Eigen::Map<const nearfar::Matrix<S>>(b_.x, rows, b_.d).template cast<Eigen::bfloat16>();
  }

  double call() override {
    using nearfar::GradientRows, nearfar::Rows;
    const Rows<S> x = rows(b_.x, b_.n);
    const GradientRows<S> dx(b_.dx, b_.n, b_.d);
    if constexpr (Line::takes == Takes::proxies) {
      const nearfar::Labels labels(b_.labels, b_.n);
      const Rows<S> proxies = rows(b_.y, b_.m);
      return gradients_ ? loss_
                              .forward_backward(x, labels, proxies, dx,
                                                GradientRows<S>(b_.dy, b_.m, b_.d), options())
                              .value
                        : loss_.forward(x, labels, proxies, options()).value;
    } else if constexpr (Line::takes == Takes::slices) {
      const Rows<S> slices(b_.y, b_.m, b_.d);
      return gradients_ ? loss_.forward_backward(x, slices, dx, options()).value
                        : loss_.forward(x, slices, options()).value;
    } else if constexpr (Line::takes == Takes::predictions) {
      // Views are halves. Prediction 1 is compared with target 2, whose rows are to be near it.
      const std::ptrdiff_t half = b_.n / 2;
      const std::ptrdiff_t second = half * b_.d;
      const Rows<S> prediction1(b_.x, half, b_.d);
      const Rows<S> prediction2(b_.x + second, half, b_.d);
      const Rows<S> target1(b_.y + second, half, b_.d);
      const Rows<S> target2(b_.y, half, b_.d);
      return gradients_
                 ? loss_
                       .forward_backward(prediction1, prediction2, target1, target2,
                                         GradientRows<S>(b_.dx, half, b_.d),
                                         GradientRows<S>(b_.dx + second, half, b_.d), options())
                       .value
                 : loss_.forward(prediction1, prediction2, target1, target2, options()).value;
    } else if constexpr (Line::takes == Takes::tokens) {
      const Rows<S> documents(b_.y, b_.m, b_.d);
      return gradients_
                 ? loss_
                       .forward_backward(x, query_offsets_, documents, document_offsets_, dx,
                                         GradientRows<S>(b_.dy, b_.m, b_.d), options())
                       .value
                 : loss_.forward(x, query_offsets_, documents, document_offsets_, options()).value;
    } else if constexpr (has_two_sets(Line::takes)) {
      return value_of(x, rows(b_.y, b_.m), dx, GradientRows<S>(b_.dy, b_.m, b_.d));
    } else if constexpr (Line::takes == Takes::views) {
      const std::ptrdiff_t half = b_.n / 2;
      const std::ptrdiff_t second = half * b_.d;
      return value_of(rows(b_.x, half), rows(b_.x + second, half),
                      GradientRows<S>(b_.dx, half, b_.d),
                      GradientRows<S>(b_.dx + second, half, b_.d));
    } else if constexpr (Line::takes == Takes::one_set) {
      return gradients_ ? loss_.forward_backward(x, dx, options()).value
                        : loss_.forward(x, options()).value;
    } else {
      const nearfar::Labels labels(b_.labels, b_.n);
      return gradients_ ? loss_.forward_backward(x, labels, dx, options()).value
                        : loss_.forward(x, labels, options()).value;
    }
  }
  double extra_bytes() const override { return static_cast<double>(workspace_.bytes()); }

 private:
  nearfar::CallOptions<S> options() {
    nearfar::CallOptions<S> out{.workspace = &workspace_};
    if (in_bfloat16_.size() > 0) out.products = nearfar::Products::bfloat16;
    return out;
  }

  /// The batch's rows at `data`.
  nearfar::Rows<S> rows(const S* data, std::ptrdiff_t count) const {
    if constexpr (std::is_same_v<S, float>) {
      if (in_bfloat16_.size() > 0) return {in_bfloat16_.data() + (data - b_.x), count, b_.d};
    }
    return {data, count, b_.d};
  }

  double value_of(nearfar::Rows<S> x, nearfar::Rows<S> y, nearfar::GradientRows<S> dx,
                  nearfar::GradientRows<S> dy) {
    return gradients_ ? loss_.forward_backward(x, y, dx, dy, options()).value
                      : loss_.forward(x, y, options()).value;
  }

  Batch<S> b_;
  bool gradients_;
  nearfar::Matrix<Eigen::bfloat16>
      in_bfloat16_;  ///< all rows of the batch, for products in bfloat16
  Its loss_;
  std::vector<nearfar::Index> query_offsets_;     ///< of tokens; empty for other losses
  std::vector<nearfar::Index> document_offsets_;  ///< likewise
  nearfar::Workspace workspace_;
};

/// The peers' name of a loss with these options. Peers assume that every row has a positive and a
/// negative.
template <class Line>
Loss peers_name(const Shape& shape, const typename Line::Options& options) {
  if (shape.n < 4) return Loss::other;
  for (const auto& [name, text] : shape.options) {
    // Other options change the result.
    if (name != "temperature" && name != "logit_scale" && name != "margin" && name != "mining") {
      return Loss::other;
    }
  }
  const std::string_view name = Line::name;
  if constexpr (requires { options.mining; }) {
    return options.mining == nearfar::Mining::batch_hard ? Loss::batch_hard : Loss::other;
  }
  return name == "info_nce"              ? Loss::info_nce
         : name == "clip"                ? Loss::clip
         : name == "nt_xent"             ? Loss::nt_xent
         : name == "sup_con"             ? Loss::sup_con
         : name == "hadsell_contrastive" ? Loss::hadsell
                                         : Loss::other;
}

}  // namespace

Subject subject_of(const Shape& shape) {
  Subject out;
  for_loss_of<float>(shape, [&]<class Line, class K>() {
    const auto loss = loss_of<Line, float, K>(shape);
    using Its = KernelOf<std::decay_t<decltype(loss)>>;
    const auto options = options_of<typename Line::Options, Its>(shape);
    if (!has_two_sets(Line::takes) && shape.m != shape.n) {
      throw std::invalid_argument(shape.loss + " has one set of rows: no m");
    }
    if (has_partners(Line::takes) && shape.m != shape.n) {
      throw std::invalid_argument(shape.loss + " has pairs of rows: no m");
    }
    constexpr bool has_views = Line::takes == Takes::views || Line::takes == Takes::predictions;
    if (has_views && shape.n % 2 != 0) {
      throw std::invalid_argument(shape.loss + " has two views of n / 2 samples: n must be even");
    }
    if (shape.m < shape.n && Line::takes != Takes::proxies && Line::takes != Takes::slices)
      throw std::invalid_argument("fewer keys than queries");
    out.loss = peers_name<Line>(shape, options);
    if constexpr (Known<Its>) out.kernel = KernelFacts<Its>::kernel;
    out.one_set = !has_two_sets(Line::takes);
    out.views = Line::takes == Takes::views;
    out.slices = Line::takes == Takes::slices;
    if constexpr (requires { options.temperature; }) out.temperature = options.temperature;
    if constexpr (requires { options.logit_scale; }) out.temperature = 1 / options.logit_scale;
    if constexpr (requires { static_cast<double>(options.margin); }) {
      out.margin = static_cast<double>(options.margin);
    }
    out.operations = units<Line>(shape, options) * static_cast<double>(shape.n) *
                     static_cast<double>(shape.m) * static_cast<double>(shape.d);
  });
  return out;
}

template <class S>
Peer<S>* nearfar_loss(const Shape& shape, const Batch<S>& batch) {
  Peer<S>* out = nullptr;
  for_loss_of<S>(shape, [&]<class Line, class K>() {
    auto loss = loss_of<Line, S, K>(shape);
    out = new Nearfar<S, Line, decltype(loss)>(shape, batch, std::move(loss));
  });
  return out;
}

template Peer<float>* nearfar_loss(const Shape&, const Batch<float>&);
template Peer<double>* nearfar_loss(const Shape&, const Batch<double>&);

}  // namespace bench
