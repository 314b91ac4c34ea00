#include "support/sharded_subjects.hpp"

#include <cmath>
#include <nearfar/nearfar.hpp>
#include <utility>

#include "support/any_loss.hpp"

namespace support {

namespace {

/// A MatryoshkaInfoNce of one process or of many, whose longest prefix is a whole row.
template <class Loss>
class OfAnyWidth {
 public:
  explicit OfAnyWidth(const nearfar::MatryoshkaOptions& options) : options_(options) {}

  template <class S>
  auto forward_backward(const Matrix<S>& x, const Matrix<S>& y, Matrix<S>& dx,
                        Matrix<S>& dy) const {
    return loss(x.cols()).forward_backward(x, y, dx, dy);
  }
  template <class S>
  auto forward_backward(const nearfar::Sharding& where, const Matrix<S>& x, const Matrix<S>& y,
                        Matrix<S>& dx, Matrix<S>& dy) const {
    return loss(x.cols()).forward_backward(where, x, y, dx, dy);
  }
  template <class S>
  auto forward(const nearfar::Sharding& where, const Matrix<S>& x, const Matrix<S>& y) const {
    return loss(x.cols()).forward(where, x, y);
  }

 private:
  Loss loss(Index cols) const {
    nearfar::MatryoshkaOptions out = options_;
    out.prefixes = {2, cols / 2, cols};
    return Loss(out);
  }

  nearfar::MatryoshkaOptions options_;
};

template <class S>
class ShardedSubjects {
 public:
  /// Losses of two sets of rows.
  template <class One, class Many, class Options>
  void add_pairs(const std::string& name, const Options& options) {
    list.push_back({name, 2, false,
                    [=](const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(2);
                      fill(out, One(options).forward_backward(x.rows[0], x.rows[1],
                                                              out.gradients[0], out.gradients[1]));
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(2);
                      fill(out, Many(options).forward_backward(where, x.rows[0], x.rows[1],
                                                               out.gradients[0], out.gradients[1]));
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) -> nearfar::Result {
                      return Many(options).forward(where, x.rows[0], x.rows[1]);
                    }});
  }

  /// The margin based loss with a boundary for each of the seven labels.
  template <class One, class Many, class Options>
  void add_boundaries(const std::string& name, const Options& options) {
    const Matrix<S> betas = random_rows<S>(7, 1, 73).cwiseAbs();
    const auto with_betas = [](Outcome<S>& out, const Matrix<S>& d_betas) {
      for (Index c = 0; c < d_betas.size(); ++c) {
        out.numbers.push_back(static_cast<double>(d_betas(c, 0)));
      }
    };
    list.push_back({name, 1, true,
                    [=](const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(1);
                      Matrix<S> d_betas;
                      fill(out, One(options).forward_backward(x.rows[0], x.labels, betas,
                                                              out.gradients[0], d_betas));
                      with_betas(out, d_betas);
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(1);
                      Matrix<S> d_betas;
                      fill(out, Many(options).forward_backward(where, x.rows[0], x.labels, betas,
                                                               out.gradients[0], d_betas));
                      with_betas(out, d_betas);
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) {
                      return Many(options).forward(where, x.rows[0], x.labels, betas);
                    }});
  }

  /// Losses of pairs with target scores, which follow from the rows, some of them equal.
  template <class One, class Many, class Options>
  void add_scored(const std::string& name, const Options& options) {
    const auto scores_of = [](const Batch<S>& x) {
      std::vector<S> out;
      for (Index i = 0; i < x.rows[0].rows(); ++i) {
        out.push_back(std::round(3 * x.rows[0](i, 0)));
      }
      return out;
    };
    list.push_back({name, 2, false,
                    [=](const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(2);
                      fill(out, One(options).forward_backward(x.rows[0], x.rows[1], scores_of(x),
                                                              out.gradients[0], out.gradients[1]));
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(2);
                      fill(out,
                           Many(options).forward_backward(where, x.rows[0], x.rows[1], scores_of(x),
                                                          out.gradients[0], out.gradients[1]));
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) -> nearfar::Result {
                      return Many(options).forward(where, x.rows[0], x.rows[1], scores_of(x));
                    }});
  }

  /// Losses of one set of rows; `with` passes a call the rows and what it takes besides.
  template <class One, class Many, class Options, class With>
  void add_rows(const std::string& name, const Options& options, const With& with) {
    list.push_back({name, 1, false,
                    [=](const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(1);
                      with(x.rows[0], [&](const auto&... rows) {
                        fill(out, One(options).forward_backward(rows..., out.gradients[0]));
                      });
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) {
                      Outcome<S> out;
                      out.gradients.resize(1);
                      with(x.rows[0], [&](const auto&... rows) {
                        fill(out, Many(options).forward_backward(where, rows..., out.gradients[0]));
                      });
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) {
                      nearfar::Result out;
                      with(x.rows[0], [&](const auto&... rows) {
                        out = Many(options).forward(where, rows...);
                      });
                      return out;
                    }});
  }
  template <class One, class Many, class Options>
  void add_rows(const std::string& name, const Options& options) {
    add_rows<One, Many>(name, options, [](const auto& x, const auto& call) { call(x); });
  }

  /// Losses of two views that are one set.
  template <class One, class Many, class Options>
  void add_views(const std::string& name, const Options& options) {
    add_pairs<One, Many>(name, options);
    list.back().stacks_views = true;
  }

  /// Losses over labels.
  template <class One, class Many, class Options>
  void add_labelled(const std::string& name, const Options& options) {
    list.push_back(
        {name, 1, true,
         [=](const Batch<S>& x) {
           Outcome<S> out;
           out.gradients.resize(1);
           fill(out, One(options).forward_backward(x.rows[0], x.labels, out.gradients[0]));
           return out;
         },
         [=](const nearfar::Sharding& where, const Batch<S>& x) {
           Outcome<S> out;
           out.gradients.resize(1);
           fill(out, Many(options).forward_backward(where, x.rows[0], x.labels, out.gradients[0]));
           return out;
         },
         [=](const nearfar::Sharding& where, const Batch<S>& x) -> nearfar::Result {
           return Many(options).forward(where, x.rows[0], x.labels);
         }});
  }

  /// Losses over labels against proxies of 7 classes. Their gradient is the same on all processes,
  /// as that of learnable numbers is, and stands with them.
  template <class One, class Many, class Options>
  void add_classed(const std::string& name, const Options& options, bool with_margins = false) {
    const std::vector<S> margins = {S(0.1), S(0.2), S(0.3), S(0.4), S(0.3), S(0.2), S(0.1)};
    const auto proxies_of = [=](const Matrix<S>& rows) {
      const nearfar::Proxies<S> proxies(rows);
      return with_margins ? proxies.margins(margins) : proxies;
    };
    const auto weights_of = [](const Batch<S>& x) {
      return random_rows<S>(7, x.rows[0].cols(), 71);
    };
    const auto with_proxies = [](Outcome<S>& out, const Matrix<S>& d_proxies) {
      for (Index i = 0; i < d_proxies.size(); ++i) {
        out.numbers.push_back(static_cast<double>(d_proxies.data()[i]));
      }
    };
    list.push_back({name, 1, true,
                    [=](const Batch<S>& x) {
                      const Matrix<S> w = weights_of(x);
                      Outcome<S> out;
                      out.gradients.resize(1);
                      Matrix<S> dw;
                      fill(out, One(options).forward_backward(x.rows[0], x.labels, proxies_of(w),
                                                              out.gradients[0], dw));
                      with_proxies(out, dw);
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) {
                      const Matrix<S> w = weights_of(x);
                      Outcome<S> out;
                      out.gradients.resize(1);
                      Matrix<S> dw;
                      fill(out,
                           Many(options).forward_backward(where, x.rows[0], x.labels, proxies_of(w),
                                                          out.gradients[0], dw));
                      with_proxies(out, dw);
                      return out;
                    },
                    [=](const nearfar::Sharding& where, const Batch<S>& x) -> nearfar::Result {
                      const Matrix<S> w = weights_of(x);
                      return Many(options).forward(where, x.rows[0], x.labels, proxies_of(w));
                    }});
  }

  std::vector<ShardedSubject<S>> list;

 private:
  template <class R>
  static void fill(Outcome<S>& out, const R& r) {
    out.result = r;
    out.numbers = own_numbers_of(r);
    if constexpr (requires { r.prefix_values; }) {
      out.numbers.insert(out.numbers.end(), r.prefix_values.begin(), r.prefix_values.end());
    }
    if constexpr (requires { r.positive_mean; }) {
      out.numbers.insert(out.numbers.end(), {r.positive_mean, r.negative_mean});
    }
  }
};

template <class S, class K>
void add_sharded_similarities(ShardedSubjects<S>& all, const std::string& kernel) {
  using namespace nearfar;
  for (const Denominator d : {Denominator::with_positive, Denominator::negatives_only}) {
    const std::string name = kernel + (d == Denominator::with_positive ? "" : ", decoupled");
    all.template add_pairs<InfoNce<S, K>, sharded::InfoNce<S, K>>(
        "InfoNce " + name, InfoNceOptions{.temperature = 0.3, .denominator = d});
    all.template add_views<NtXent<S, K>, sharded::NtXent<S, K>>(
        "NtXent " + name, NtXentOptions{.temperature = 0.3, .denominator = d});
  }
  for (const Partition partition : {Partition::joint, Partition::per_direction}) {
    all.template add_pairs<InBatchInfoNce<S, K>, sharded::InBatchInfoNce<S, K>>(
        "InBatchInfoNce " + kernel + (partition == Partition::joint ? "" : ", each direction"),
        InBatchInfoNceOptions{.temperature = 0.3,
                              .query_to_query = true,
                              .key_to_query = true,
                              .key_to_key = true,
                              .partition = partition});
  }
  for (const SupConVariant v : {SupConVariant::out, SupConVariant::in}) {
    all.template add_labelled<SupCon<S, K>, sharded::SupCon<S, K>>(
        "SupCon " + kernel, SupConOptions{.temperature = 0.4, .variant = v});
  }
  if constexpr (K::orientation == Orientation::similarity) {
    for (const ClipDirections d : {ClipDirections::mean, ClipDirections::sum}) {
      all.template add_pairs<Clip<S, K>, sharded::Clip<S, K>>(
          "Clip " + kernel, ClipOptions{.logit_scale = 4, .directions = d});
    }
    all.template add_pairs<Clip<S, K>, sharded::Clip<S, K>>(
        "Clip " + kernel + ", clamped", ClipOptions{.logit_scale = 4, .largest_logit_scale = 3});
    all.template add_pairs<SigLip<S, K>, sharded::SigLip<S, K>>(
        "SigLip " + kernel, SigLipOptions{.logit_scale = 4, .logit_bias = -2});
  }
}

/// Losses of two views or of queries and keys, and softmaxes over labels, beside those above.
template <class S, class K>
void add_sharded_softmaxes(ShardedSubjects<S>& all, const std::string& kernel) {
  using namespace nearfar;
  all.template add_pairs<Rince<S, K>, sharded::Rince<S, K>>(
      "Rince " + kernel, RinceOptions{.temperature = 0.6, .lambda = 0.3, .q = 0.4});
  all.template add_views<RinceViews<S, K>, sharded::RinceViews<S, K>>(
      "RinceViews " + kernel, RinceViewsOptions{.temperature = 0.6, .lambda = 0.3, .q = 0.4});
  all.template add_views<Dclw<S, K>, sharded::Dclw<S, K>>(
      "Dclw " + kernel, DclwOptions{.temperature = 0.3, .sigma = 0.7});
  for (const bool both : {true, false}) {
    all.template add_pairs<Dhel<S, K>, sharded::Dhel<S, K>>(
        (both ? "Dhel " : "Dhel of one view ") + kernel,
        DhelOptions{.temperature = 0.4, .both_views = both});
  }
  for (const MutualInformationBound bound :
       {MutualInformationBound::info_nce, MutualInformationBound::nwj,
        MutualInformationBound::donsker_varadhan, MutualInformationBound::club}) {
    all.template add_pairs<MutualInformation<S, K>, sharded::MutualInformation<S, K>>(
        "MutualInformation, bound " + std::to_string(static_cast<int>(bound)) + " " + kernel,
        MutualInformationOptions{.bound = bound, .temperature = 2});
    all.list.back().fewest_rows = 2;
  }
  all.template add_labelled<Nca<S, K>, sharded::Nca<S, K>>("Nca " + kernel,
                                                           NcaOptions{.temperature = 0.4});
  for (const SincereTerms terms : {SincereTerms::anchors, SincereTerms::positive_pairs}) {
    all.template add_labelled<Sincere<S, K>, sharded::Sincere<S, K>>(
        (terms == SincereTerms::anchors ? "Sincere " : "Sincere of pairs ") + kernel,
        SincereOptions{.temperature = 0.4, .terms = terms});
  }
}

template <class S, class K>
void add_sharded_triplets(ShardedSubjects<S>& all, const std::string& kernel) {
  using namespace nearfar;
  const auto add = [&](const MinedTripletOptions& options, const std::string& name) {
    all.template add_labelled<MinedTriplet<S, K>, sharded::MinedTriplet<S, K>>(
        "MinedTriplet " + kernel + ", mining " + std::to_string(static_cast<int>(options.mining)) +
            name,
        options);
  };
  for (const Mining mining :
       {Mining::batch_hard, Mining::all, Mining::hard, Mining::semihard, Mining::easy,
        Mining::semi_hard_per_pair, Mining::distance_weighted}) {
    add({.margin = 0.4, .mining = mining}, "");
    add({.margin = 0.4, .form = TripletForm::soft, .mining = mining}, ", soft");
  }
  for (const PositiveChoice positive :
       {PositiveChoice::easy, PositiveChoice::semihard, PositiveChoice::hard}) {
    for (const NegativeChoice negative :
         {NegativeChoice::easy, NegativeChoice::semihard, NegativeChoice::hard}) {
      if (positive == PositiveChoice::semihard && negative == NegativeChoice::semihard) continue;
      add({.margin = 0.4,
           .mining = Mining::batch_easy_hard,
           .positive = positive,
           .negative = negative},
          ", " + std::to_string(static_cast<int>(positive)) +
              std::to_string(static_cast<int>(negative)));
    }
  }
}

/// Losses of whole sets of rows.
template <class S>
void add_sharded_sets(ShardedSubjects<S>& all) {
  using namespace nearfar;
  all.template add_pairs<VicReg<S>, sharded::VicReg<S>>("VicReg", VicRegOptions{});
  all.list.back().fewest_rows = 2;
  // Far from the columns of two rows that epsilon alone keeps from having length 1.
  all.template add_pairs<BarlowTwins<S>, sharded::BarlowTwins<S>>(
      "BarlowTwins", BarlowTwinsOptions{.lambda = 0.1, .epsilon = 0.5});
  all.template add_rows<Gor<S>, sharded::Gor<S>>("Gor", GorOptions{});
  all.template add_rows<SigReg<S>, sharded::SigReg<S>>(
      "SigReg", SigRegOptions{.knots = 5},
      [](const auto& x, const auto& call) { return call(x, random_rows<S>(7, x.cols(), 4)); });
  for (const double t : {2., 300.}) {
    all.template add_rows<Uniformity<S>, sharded::Uniformity<S>>("Uniformity",
                                                                 UniformityOptions{.t = t});
  }
  all.template add_rows<KoLeo<S>, sharded::KoLeo<S>>("KoLeo", KoLeoOptions{});
  all.template add_pairs<Alignment<S>, sharded::Alignment<S>>("Alignment",
                                                              AlignmentOptions{.alpha = 1.5});
}

}  // namespace

template <class S>
std::vector<ShardedSubject<S>> sharded_subjects() {
  using namespace nearfar;
  ShardedSubjects<S> all;
  add_sharded_similarities<S, Cosine>(all, "Cosine");
  add_sharded_similarities<S, InnerProduct>(all, "InnerProduct");
  add_sharded_similarities<S, Euclidean>(all, "Euclidean");
  add_sharded_similarities<S, SquaredEuclidean>(all, "SquaredEuclidean");
  add_sharded_similarities<S, CosineDistance>(all, "CosineDistance");
  add_sharded_softmaxes<S, Cosine>(all, "Cosine");
  add_sharded_softmaxes<S, InnerProduct>(all, "InnerProduct");
  add_sharded_softmaxes<S, Euclidean>(all, "Euclidean");
  add_sharded_softmaxes<S, CosineDistance>(all, "CosineDistance");
  all.template add_labelled<Nca<S>, sharded::Nca<S>>("Nca SquaredEuclidean",
                                                     NcaOptions{.temperature = 2});
  all.template add_views<HardNegative<S>, sharded::HardNegative<S>>(
      "HardNegative Cosine", HardNegativeOptions{.temperature = 0.4, .concentration = 1.5});
  all.template add_views<HardNegative<S>, sharded::HardNegative<S>>(
      "HardNegative at its limit Cosine",
      HardNegativeOptions{.temperature = 0.4, .positive_prior = 0.9, .concentration = 0});
  // The margin based loss, with one boundary and with one for each class.
  const auto add_margins = [&]<class K>(K, const std::string& kernel) {
    for (const Reduction r : {Reduction::mean, Reduction::mean_nonzero}) {
      const MarginLossOptions options{.margin = 0.3, .beta = 0.4, .nu = 0.1, .reduction = r};
      all.template add_labelled<MarginLoss<S, K>, sharded::MarginLoss<S, K>>("MarginLoss " + kernel,
                                                                             options);
      all.template add_boundaries<MarginLoss<S, K>, sharded::MarginLoss<S, K>>(
          "MarginLoss of classes " + kernel, options);
    }
  };
  add_margins(Cosine(), "Cosine");
  add_margins(InnerProduct(), "InnerProduct");
  add_margins(Euclidean(), "Euclidean");
  add_margins(CosineDistance(), "CosineDistance");
  // Pairs with target scores.
  const auto add_scored = [&]<class K>(K, const std::string& kernel) {
    all.template add_scored<CoSent<S, K>, sharded::CoSent<S, K>>("CoSent " + kernel,
                                                                 CoSentOptions{.scale = 4});
  };
  add_scored(Cosine(), "Cosine");
  add_scored(InnerProduct(), "InnerProduct");
  add_scored(Euclidean(), "Euclidean");
  add_scored(CosineDistance(), "CosineDistance");
  all.template add_scored<Angle<S>, sharded::Angle<S>>("Angle", AngleOptions{.scale = 4});
  // Prefixes of the same rows, with cosines or inner products.
  const auto add_prefixes = [&]<class K>(K, const std::string& kernel) {
    for (const Denominator d : {Denominator::with_positive, Denominator::negatives_only}) {
      all.template add_pairs<OfAnyWidth<MatryoshkaInfoNce<S, K>>,
                             OfAnyWidth<sharded::MatryoshkaInfoNce<S, K>>>(
          (d == Denominator::with_positive ? "" : "decoupled ") + ("MatryoshkaInfoNce " + kernel),
          MatryoshkaOptions{
              .prefixes = {}, .weights = {0.5, 1, 2}, .temperature = 0.3, .denominator = d});
    }
  };
  add_prefixes(Cosine(), "Cosine");
  add_prefixes(InnerProduct(), "InnerProduct");
  all.template add_labelled<TupletMargin<S>, sharded::TupletMargin<S>>(
      "TupletMargin Cosine", TupletMarginOptions{.temperature = 0.2});
  all.template add_labelled<FastAp<S>, sharded::FastAp<S>>("FastAp Cosine", FastApOptions{});
  for (const Reduction r : {Reduction::mean, Reduction::mean_nonzero}) {
    all.template add_labelled<SnrContrastive<S>, sharded::SnrContrastive<S>>(
        "SnrContrastive SquaredEuclidean",
        SnrContrastiveOptions{.positive_margin = 0.3, .negative_margin = 2, .reduction = r});
  }
  // Losses against proxies, with cosines or inner products.
  all.template add_classed<NormalizedSoftmax<S>, sharded::NormalizedSoftmax<S>>(
      "NormalizedSoftmax Cosine", NormalizedSoftmaxOptions{.temperature = 0.3});
  for (const Denominator d : {Denominator::with_positive, Denominator::negatives_only}) {
    all.template add_classed<ProxyNca<S>, sharded::ProxyNca<S>>(
        "ProxyNca Cosine", ProxyNcaOptions{.scale = 2, .denominator = d});
  }
  all.template add_classed<ArcFace<S>, sharded::ArcFace<S>>("ArcFace Cosine",
                                                            ArcFaceOptions{.scale = 5});
  all.template add_classed<ArcFace<S>, sharded::ArcFace<S>>("ArcFace with margins Cosine",
                                                            ArcFaceOptions{.scale = 5}, true);
  all.template add_classed<CosFace<S>, sharded::CosFace<S>>("CosFace Cosine",
                                                            CosFaceOptions{.scale = 5}, true);
  all.template add_classed<SphereFace<S>, sharded::SphereFace<S>>("SphereFace Cosine",
                                                                  SphereFaceOptions{.margin = 3});
  all.template add_classed<LargeMarginSoftmax<S>, sharded::LargeMarginSoftmax<S>>(
      "LargeMarginSoftmax Cosine", LargeMarginSoftmaxOptions{.scale = 0.5, .margin = 3});
  all.template add_classed<ProxyAnchor<S>, sharded::ProxyAnchor<S>>(
      "ProxyAnchor Cosine", ProxyAnchorOptions{.margin = 0.2, .alpha = 8});
  const auto add_hadsell = [&]<class K>(K, const std::string& kernel) {
    for (const Reduction r : {Reduction::mean, Reduction::mean_nonzero}) {
      all.template add_labelled<HadsellContrastive<S, K>, sharded::HadsellContrastive<S, K>>(
          "HadsellContrastive " + kernel, HadsellOptions{.margin = 1.2, .reduction = r});
    }
  };
  all.template add_labelled<HadsellContrastive<S, Euclidean>,
                            sharded::HadsellContrastive<S, Euclidean>>(
      "HadsellContrastive Euclidean, factor one",
      HadsellOptions{.margin = 1.2, .factor = SquareFactor::one});
  add_hadsell(Euclidean(), "Euclidean");
  add_hadsell(SquaredEuclidean(), "SquaredEuclidean");
  add_hadsell(CosineDistance(), "CosineDistance");
  const auto add_pair_losses = [&]<class K>(K, const std::string& kernel) {
    if constexpr (K::orientation == Orientation::similarity) {
      all.template add_labelled<MultiSimilarity<S, K>, sharded::MultiSimilarity<S, K>>(
          "MultiSimilarity " + kernel, MultiSimilarityOptions{.alpha = 2, .beta = 5});
      all.template add_labelled<MultiSimilarity<S, K>, sharded::MultiSimilarity<S, K>>(
          "MultiSimilarity mined " + kernel,
          MultiSimilarityOptions{.alpha = 2, .beta = 5, .epsilon = 0.1});
      for (const CircleWeights w : {CircleWeights::constant, CircleWeights::differentiated}) {
        all.template add_labelled<Circle<S, K>, sharded::Circle<S, K>>(
            "Circle " + kernel, CircleOptions{.gamma = 4, .weights = w});
      }
    }
    if constexpr (K::orientation == Orientation::similarity) {
      for (const Reduction r : {Reduction::mean, Reduction::mean_nonzero}) {
        all.template add_labelled<IntraPairVariance<S, K>, sharded::IntraPairVariance<S, K>>(
            "IntraPairVariance " + kernel,
            IntraPairVarianceOptions{
                .positive_epsilon = 0.1, .negative_epsilon = 0.2, .reduction = r});
      }
    } else {
      all.template add_labelled<RankedList<S, K>, sharded::RankedList<S, K>>(
          "RankedList " + kernel, RankedListOptions{.t_p = 2, .t_n = 6, .imbalance = 0.4});
    }
    all.template add_labelled<GeneralizedLiftedStructure<S, K>,
                              sharded::GeneralizedLiftedStructure<S, K>>(
        "GeneralizedLiftedStructure " + kernel, GeneralizedLiftedStructureOptions{.margin = 0.8});
    all.template add_labelled<LiftedStructure<S, K>, sharded::LiftedStructure<S, K>>(
        "LiftedStructure " + kernel, LiftedStructureOptions{.margin = 0.8});
    for (const Reduction r : {Reduction::mean, Reduction::mean_nonzero}) {
      all.template add_labelled<LinearContrastive<S, K>, sharded::LinearContrastive<S, K>>(
          "LinearContrastive " + kernel,
          LinearContrastiveOptions{.positive_margin = 0.2, .negative_margin = 0.9, .reduction = r});
    }
  };
  add_pair_losses(Cosine(), "Cosine");
  add_pair_losses(InnerProduct(), "InnerProduct");
  add_pair_losses(Euclidean(), "Euclidean");
  add_pair_losses(CosineDistance(), "CosineDistance");
  add_sharded_triplets<S, Euclidean>(all, "Euclidean");
  add_sharded_triplets<S, SquaredEuclidean>(all, "SquaredEuclidean");
  add_sharded_triplets<S, CosineDistance>(all, "CosineDistance");
  add_sharded_triplets<S, Cosine>(all, "Cosine");
  add_sharded_triplets<S, InnerProduct>(all, "InnerProduct");
  add_sharded_sets<S>(all);
  return std::move(all.list);
}

template std::vector<ShardedSubject<float>> sharded_subjects();
template std::vector<ShardedSubject<double>> sharded_subjects();

}  // namespace support
