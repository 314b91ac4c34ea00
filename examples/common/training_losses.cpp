#include "common/training_losses.hpp"

#include <array>
#include <cmath>
#include <memory>
#include <nearfar/losses/register.hpp>
#include <type_traits>
#include <vector>

namespace example {
namespace {

using nearfar::Index;
using Embeddings = nearfar::Matrix<float>;

// Squared distances instead of cosines if a loss allows them. In the plane, cosine similarity
// depends on angles alone, and ten classes share one circle. At temperature 1 a class becomes a
// round cloud of radius about 1.
using OnThePlane = nearfar::SquaredEuclidean;

namespace registered = nearfar::registered;

/// The kernel for training: squared distances if the loss's own kernel is the cosine and it allows
/// them.
template <class Line>
struct TrainingKernel {
  using Own =
      std::remove_cvref_t<decltype(std::declval<typename Line::template Loss<float>>().kernel())>;
  template <class... K>
  static constexpr bool has(registered::KernelList<K...>) {
    return (std::is_same_v<K, OnThePlane> || ...);
  }
  static constexpr bool on_the_plane = Own::orientation == nearfar::Orientation::similarity &&
                                       has(typename Line::template Kernels<float>());
  using Type = std::conditional_t<on_the_plane, OnThePlane, Own>;
};

// Numbers for the plane that differ from the defaults.
template <class Options>
Options on_the_plane() {
  return {};
}
template <>
nearfar::CircleOptions on_the_plane() {
  return {.gamma = 32};
}
template <>
nearfar::HadsellOptions on_the_plane() {
  return {.margin = 4};
}
template <>
nearfar::LiftedStructureOptions on_the_plane() {
  return {.margin = 4};
}
template <>
nearfar::LinearContrastiveOptions on_the_plane() {
  return {.negative_margin = 4};
}
template <>
nearfar::MinedTripletOptions on_the_plane() {
  return {.margin = 1, .reduction = nearfar::Reduction::mean_nonzero};
}
template <>
nearfar::SmoothApOptions on_the_plane() {
  return {.temperature = 1};
}
template <>
nearfar::SupConOptions on_the_plane() {
  return {.temperature = 1};
}

/// Options with the settings of the same names.
template <class Options>
Options with_settings(Options options, const LossSettings& settings) {
  Options::fields(
      [&]<class T>(std::string_view name, T& value) {
        if constexpr (std::is_same_v<T, std::optional<double>>) {
          if (name == "negative_margin" && settings.margin) value = settings.margin;
        }
        if constexpr (std::is_same_v<T, double>) {
          if (name == "margin") value = settings.margin.value_or(value);
          if (name == "temperature") value = settings.temperature.value_or(value);
        }
      },
      options);
  return options;
}

/// A loss of the register over all rows and their labels.
template <class Line>
LossFunction over_labels(const typename Line::Options& options, const LossSettings& settings) {
  using Loss = typename Line::template Loss<float, typename TrainingKernel<Line>::Type>;
  return [loss = Loss(with_settings(options, settings)),
          workspace = std::make_shared<nearfar::Workspace>(settings.threads)](
             const Embeddings& embeddings, std::span<const std::uint8_t> labels,
             Embeddings& d_embeddings) {
    return loss.forward_backward(embeddings, labels, d_embeddings, {.workspace = workspace.get()})
        .value;
  };
}

template <class Line>
LossFunction make_over_labels(const LossSettings& settings) {
  return over_labels<Line>(on_the_plane<typename Line::Options>(), settings);
}

template <nearfar::Mining mining>
LossFunction make_mined_triplet(const LossSettings& settings) {
  auto options = on_the_plane<nearfar::MinedTripletOptions>();
  options.mining = mining;
  return over_labels<registered::mined_triplet>(options, settings);
}

/// body(first members, partners, gradient of both, call) -> value, for losses of rows that belong
/// together. Other rows of the same class count as negatives here, which adds a constant and does
/// not change the best map.
template <class Body>
LossFunction over_halves(const LossSettings& settings, const Body& body) {
  return
      [body, workspace = std::make_shared<nearfar::Workspace>(settings.threads)](
          const Embeddings& embeddings, std::span<const std::uint8_t>, Embeddings& d_embeddings) {
        const Index pairs = embeddings.rows() / 2;
        d_embeddings.setZero(embeddings.rows(), embeddings.cols());
        const nearfar::CallOptions<float> call{.workspace = workspace.get()};
        return body(embeddings.topRows(pairs), embeddings.bottomRows(pairs),
                    d_embeddings.topRows(pairs), d_embeddings.bottomRows(pairs), call);
      };
}

/// A loss of two sets of rows.
template <class Loss>
LossFunction over_pairs(const Loss& loss, const LossSettings& settings) {
  return over_halves(
      settings, [loss](auto first, auto partners, auto d_first, auto d_partners, const auto& call) {
        return loss.forward_backward(first, partners, d_first, d_partners, call).value;
      });
}

/// The negative of each pair is the partner of the next.
LossFunction make_triplet(const LossSettings& s) {
  const nearfar::Triplet<float> loss({.margin = s.margin.value_or(1.0)});
  return over_halves(
      s, [loss](auto anchors, auto positives, auto d_anchors, auto d_positives, const auto& call) {
        const Index n = anchors.rows();
        Embeddings negatives(n, anchors.cols());
        negatives << positives.bottomRows(n - 1), positives.topRows(1);
        Embeddings d_negatives;
        const double value = loss.forward_backward(anchors, positives, negatives, d_anchors,
                                                   d_positives, d_negatives, call)
                                 .value;
        d_positives.bottomRows(n - 1) += d_negatives.topRows(n - 1);
        d_positives.topRows(1) += d_negatives.bottomRows(1);
        return value;
      });
}

LossFunction make_info_nce(const LossSettings& s) {
  return over_pairs(
      nearfar::InfoNce<float, OnThePlane>({.temperature = s.temperature.value_or(1.0)}), s);
}

LossFunction make_n_pair(const LossSettings& s) { return over_pairs(nearfar::NPair<float>(), s); }

template <nearfar::Denominator denominator>
LossFunction make_nt_xent(const LossSettings& s) {
  return over_pairs(nearfar::NtXent<float, OnThePlane>(
                        {.temperature = s.temperature.value_or(1.0), .denominator = denominator}),
                    s);
}

LossFunction make_hard_negative(const LossSettings& s) {
  return over_pairs(nearfar::HardNegative<float>({.temperature = s.temperature.value_or(0.5)}), s);
}

LossFunction make_clip(const LossSettings& s) {
  return over_pairs(nearfar::Clip<float>({.logit_scale = 1 / s.temperature.value_or(0.1)}), s);
}

LossFunction make_sig_lip(const LossSettings& s) {
  return over_pairs(nearfar::SigLip<float>({.logit_scale = 1 / s.temperature.value_or(0.1)}), s);
}

/// The noise is uniform over the partners of all pairs.
LossFunction make_nce(const LossSettings& s) {
  const nearfar::Nce<float> loss({.temperature = s.temperature.value_or(1.0)});
  return over_halves(
      s, [loss](auto queries, auto keys, auto d_queries, auto d_keys, const auto& call) {
        const std::vector<float> log_noise(static_cast<std::size_t>(keys.rows()),
                                           -std::log(static_cast<float>(keys.rows())));
        return loss
            .forward_backward(queries, keys, keys, log_noise, log_noise, d_queries,
                              nearfar::accumulate(d_keys), nearfar::accumulate(d_keys), call)
            .value;
      });
}

LossFunction make_negative_sampling(const LossSettings& s) {
  const nearfar::NegativeSampling<float> loss({.temperature = s.temperature.value_or(1.0)});
  return over_halves(
      s, [loss](auto queries, auto keys, auto d_queries, auto d_keys, const auto& call) {
        return loss
            .forward_backward(queries, keys, keys, d_queries, nearfar::accumulate(d_keys),
                              nearfar::accumulate(d_keys), call)
            .value;
      });
}

/// Alignment of pairs, and uniformity of each half.
LossFunction make_alignment_uniformity(const LossSettings& s) {
  return over_halves(
      s, [](auto first, auto partners, auto d_first, auto d_partners, const auto& call) {
        const nearfar::Uniformity<float> uniformity;
        auto half = call;
        half.upstream = 0.5;
        const double spread =
            uniformity.forward_backward(first, nearfar::accumulate(d_first), half).value +
            uniformity.forward_backward(partners, nearfar::accumulate(d_partners), half).value;
        return spread / 2 + nearfar::Alignment<float>()
                                .forward_backward(first, partners, nearfar::accumulate(d_first),
                                                  nearfar::accumulate(d_partners), call)
                                .value;
      });
}

/// Minus the bound, which training minimises.
template <nearfar::MutualInformationBound bound>
LossFunction make_mutual_information(const LossSettings& s) {
  const nearfar::MutualInformation<float, OnThePlane> estimate(
      {.bound = bound, .temperature = s.temperature.value_or(1.0)});
  return over_halves(
      s, [estimate](auto first, auto partners, auto d_first, auto d_partners, const auto& call) {
        auto negated = call;
        negated.upstream = -1.0;
        return -estimate.forward_backward(first, partners, d_first, d_partners, negated).value;
      });
}

using nearfar::Denominator;
using nearfar::Mining;
using nearfar::MutualInformationBound;

constexpr std::array written = {
    TrainingLoss{"hadsell", "Hadsell contrastive loss",
                 "all pairs of the batch; same class pulled together, others pushed to the margin",
                 make_over_labels<registered::hadsell_contrastive>},
    TrainingLoss{"linear_contrastive", "linear contrastive loss", "the same with linear hinges",
                 make_over_labels<registered::linear_contrastive>},
    TrainingLoss{"lifted_structure", "lifted structured loss",
                 "each pair of a class against the negatives of both",
                 make_over_labels<registered::lifted_structure>},
    TrainingLoss{"multi_similarity", "multi-similarity loss",
                 "soft hardest positives and negatives, by cosine",
                 make_over_labels<registered::multi_similarity>},
    TrainingLoss{"circle", "circle loss", "pairs weighted by how far off they are, by cosine",
                 make_over_labels<registered::circle>},
    TrainingLoss{"sup_con", "supervised contrastive loss on squared distances",
                 "each image has to find all of its class", make_over_labels<registered::sup_con>},
    TrainingLoss{"triplet", "triplet loss", "image, its partner, another pair's partner",
                 make_triplet},
    TrainingLoss{"triplet_all", "triplet loss, all triplets", "every triplet of the batch",
                 make_mined_triplet<Mining::all>},
    TrainingLoss{"triplet_hard", "triplet loss, batch-hard",
                 "farthest positive and nearest negative of each image",
                 make_mined_triplet<Mining::batch_hard>},
    TrainingLoss{"triplet_semihard", "triplet loss, semi-hard triplets",
                 "negatives beyond the positive, within the margin",
                 make_mined_triplet<Mining::semihard>},
    TrainingLoss{"info_nce", "InfoNCE on squared distances",
                 "each image has to find its partner of the same class in the batch",
                 make_info_nce},
    TrainingLoss{"n_pair", "N-pair loss", "the same by inner products", make_n_pair},
    TrainingLoss{"nt_xent", "NT-Xent on squared distances",
                 "partners find each other among both halves of the batch",
                 make_nt_xent<Denominator::with_positive>},
    TrainingLoss{"dcl", "decoupled contrastive loss on squared distances",
                 "the same, the partner left out below the fraction",
                 make_nt_xent<Denominator::negatives_only>},
    TrainingLoss{"hard_negative", "debiased loss with hard negatives",
                 "near negatives count more, by cosine", make_hard_negative},
    TrainingLoss{"clip", "CLIP's loss", "partners find each other both ways, by cosine", make_clip},
    TrainingLoss{"sig_lip", "SigLIP's loss", "every pair is a yes or no, by cosine", make_sig_lip},
    TrainingLoss{"nce", "NCE", "partners are told from noise, by inner products", make_nce},
    TrainingLoss{"negative_sampling", "negative sampling",
                 "the same without the noise's probability", make_negative_sampling},
    TrainingLoss{"alignment_uniformity", "alignment and uniformity",
                 "partners together, all spread over the circle or sphere",
                 make_alignment_uniformity},
    TrainingLoss{"nwj", "NWJ bound on mutual information", "of partners, made as large as it goes",
                 make_mutual_information<MutualInformationBound::nwj>},
    TrainingLoss{"donsker_varadhan", "Donsker-Varadhan bound on mutual information",
                 "the same with the other bound",
                 make_mutual_information<MutualInformationBound::donsker_varadhan>},
};

/// The losses above, then the others over labels in the register.
std::vector<TrainingLoss> make_table() {
  std::vector<TrainingLoss> table(written.begin(), written.end());
  const auto add = [&]<class Line>(Line) {
    // Triplets are listed by their mining.
    if (Line::name == std::string_view("mined_triplet")) return;
    for (const TrainingLoss& loss : written) {
      if (loss.name == Line::name) return;
    }
    table.push_back({Line::name, Line::class_name, "over labels", make_over_labels<Line>});
  };
#define NEARFAR_ADD(name, ...) add(registered::name());
  NEARFAR_LOSSES_OVER_LABELS(NEARFAR_ADD)
#undef NEARFAR_ADD
  return table;
}

}  // namespace

std::span<const TrainingLoss> training_losses() {
  static const std::vector<TrainingLoss> table = make_table();
  return table;
}

const TrainingLoss* find_training_loss(std::string_view name) {
  for (const TrainingLoss& loss : training_losses()) {
    if (loss.name == name) return &loss;
  }
  return nullptr;
}

std::string training_loss_names() {
  std::string names;
  for (const TrainingLoss& loss : training_losses()) {
    if (!names.empty()) names += ", ";
    names += loss.name;
  }
  return names;
}

}  // namespace example
