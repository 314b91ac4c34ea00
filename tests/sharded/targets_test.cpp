#include <gtest/gtest.h>

#include <nearfar/nearfar.hpp>
#include <nearfar/sharded.hpp>

#include "support/any_loss.hpp"
#include "support/sharded_cases.hpp"
#include "support/team.hpp"

/// Labels, sets of labels, lists of positives, ids and weights over a split batch, against those of
/// one process.

namespace {

using namespace support;
using nearfar::Exchange;
using nearfar::Schedule;
using nearfar::Targets;

const Schedule schedules[] = {Schedule::ring, Schedule::ordered, Schedule::all_gather};

enum class Kind { labels, sets, lists, weighted_lists };

/// The targets of each row of a batch.
struct Known {
  static constexpr Index words = 2;
  Kind kind;
  bool with_ids;
  bool with_weights;
  std::vector<int> labels;
  std::vector<std::uint64_t> sets;
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;
  std::vector<double> pair_weights;
  std::vector<int> ids;
  std::vector<double> weights;

  Known(Index n, Kind of, bool ids_too, bool weights_too)
      : kind(of), with_ids(ids_too), with_weights(weights_too), labels(random_labels(n, 6, 4)) {
    Random random(11);
    sets.resize(static_cast<std::size_t>(n * words));
    for (Index i = 0; i < n; ++i) {
      // Labels in both words; one row has none.
      for (int k = 0; k < (i == 5 ? 0 : 2); ++k) {
        const auto label = static_cast<Index>(random.below(8));
        const Index word = label % words;
        sets[static_cast<std::size_t>(i * words + word)] |= std::uint64_t(1) << (50 + label);
      }
      ids.push_back(static_cast<int>(random.below(static_cast<std::uint64_t>(n))));
      weights.push_back(i == 3 ? 0 : 0.25 * static_cast<double>(1 + random.below(8)));
      for (Index j = 0; j < n && i != 7; ++j) {
        if (random.below(5) != 0) continue;
        columns.push_back(j);
        pair_weights.push_back(0.5 + static_cast<double>(random.below(4)));
      }
      offsets.push_back(static_cast<Index>(columns.size()));
    }
  }
};

/// Targets of rows [first, first + count).
class Part {
 public:
  Part(const Known& all, Index first, Index count)
      : all_(all), first_(first), count_(count), offsets_(static_cast<std::size_t>(count + 1)) {
    for (Index i = 0; i <= count; ++i) {
      offsets_[static_cast<std::size_t>(i)] = offset(first + i) - offset(first);
    }
  }

  Targets targets() const {
    Targets out = rule();
    if (all_.with_ids) out = out.ids(nearfar::Labels(all_.ids.data() + first_, count_));
    if (all_.with_weights) {
      out = out.weights(nearfar::Numbers<double>(all_.weights.data() + first_, count_));
    }
    return out;
  }

 private:
  Index offset(Index i) const { return all_.offsets[static_cast<std::size_t>(i)]; }

  Targets rule() const {
    const auto listed = static_cast<std::size_t>(offset(first_ + count_) - offset(first_));
    const std::span<const Index> columns(all_.columns.data() + offset(first_), listed);
    switch (all_.kind) {
      case Kind::labels:
        return nearfar::Labels(all_.labels.data() + first_, count_);
      case Kind::sets:
        return nearfar::MultiLabels{all_.sets.data() + first_ * Known::words, count_, Known::words};
      case Kind::lists:
        return nearfar::PositiveLists{offsets_, columns};
      case Kind::weighted_lists:
        break;
    }
    return nearfar::PositiveLists{
        offsets_, columns, {all_.pair_weights.data() + offset(first_), listed}};
  }

  const Known& all_;
  Index first_;
  Index count_;
  std::vector<Index> offsets_;
};

constexpr Index n = 43;

/// Compares `one` over all rows with `many` over parts of them, for all schedules, splits and
/// reductions.
template <class S, class One, class Many>
void check(const One& one, const Many& many, const Known& known) {
  SCOPED_TRACE("kind " + std::to_string(static_cast<int>(known.kind)) +
               (known.with_ids ? ", ids" : "") + (known.with_weights ? ", weights" : ""));
  const double promised = sizeof(S) == sizeof(float) ? 1e-6 : 1e-12;
  const auto near = [&](double got, double want) {
    EXPECT_LE(std::abs(got - want), promised * std::max(1.0, std::abs(want)))
        << got << " and " << want;
  };
  const Matrix<S> x = random_rows<S>(n, 7, 3);
  const bool each = one.options().reduction == nearfar::Reduction::none;
  const std::vector<double> upstream = random_upstream(n, 6);
  const Part all(known, 0, n);
  Matrix<S> dx;
  const auto want = one.forward_backward(
      x, all.targets(), dx,
      {.upstream = each ? nearfar::Upstream(upstream) : nearfar::Upstream(1.5)});
  for (const int processes : {1, 2, 3}) {
    for (const Split split : {Split::even, Split::first_has_none}) {
      if (processes == 1 && split != Split::even) continue;
      run_team(processes, [&](Exchange& e) {
        const Index first = first_row(split, e.rank(), processes, n);
        const Index count = first_row(split, e.rank() + 1, processes, n) - first;
        const Part own(known, first, count);
        const nearfar::Upstream own_upstream =
            each ? nearfar::Upstream(upstream.data() + first, count) : nearfar::Upstream(1.5);
        for (const Schedule schedule : schedules) {
          SCOPED_TRACE("rank " + std::to_string(e.rank()) + " of " + std::to_string(processes) +
                       ", schedule " + std::to_string(static_cast<int>(schedule)));
          const Matrix<S> own_x = x.middleRows(first, count);
          Matrix<S> own_dx;
          const auto got = many.forward_backward({e, schedule}, own_x, own.targets(), own_dx,
                                                 {.upstream = own_upstream});
          near(got.value, want.value);
          near(many.forward({e, schedule}, own_x, own.targets()).value, want.value);
          nearfar::Diagnostics counts = got.diagnostics;
          if (std::is_same_v<Many, nearfar::sharded::HadsellContrastive<S>> &&
              known.kind == Kind::lists) {
            // A pair that only one of its rows lists may be half active.
            EXPECT_LE(counts.active_terms, want.diagnostics.active_terms);
            counts.active_terms = want.diagnostics.active_terms;
          }
          expect_same_counts(counts, want.diagnostics);
          expect_scores(got.diagnostics, want.diagnostics, near);
          const std::vector<double> numbers = own_numbers_of(got);
          const std::vector<double> want_numbers = own_numbers_of(want);
          ASSERT_EQ(numbers.size(), want_numbers.size());
          for (std::size_t k = 0; k < numbers.size(); ++k) near(numbers[k], want_numbers[k]);
          ASSERT_EQ(got.values.size(), each ? static_cast<std::size_t>(count) : 0u);
          for (std::size_t i = 0; i < got.values.size(); ++i) {
            near(got.values[i], want.values[static_cast<std::size_t>(first) + i]);
          }
          ASSERT_EQ(own_dx.rows(), count);
          if (count == 0) continue;
          const auto largest = static_cast<double>(dx.cwiseAbs().maxCoeff());
          EXPECT_GT(largest, 0);
          EXPECT_LE(
              static_cast<double>((own_dx - dx.middleRows(first, count)).cwiseAbs().maxCoeff()),
              promised * largest);
        }
      });
    }
  }
}

/// All kinds of targets, for a loss with or without weights of positives.
template <class S, class One, class Many, class Options>
void check_all(Options options, bool takes_pair_weights) {
  for (const nearfar::Reduction reduction : {nearfar::Reduction::mean, nearfar::Reduction::none}) {
    options.reduction = reduction;
    const One one(options);
    const Many many(options);
    check<S>(one, many, Known(n, Kind::labels, true, true));
    check<S>(one, many, Known(n, Kind::sets, false, false));
    check<S>(one, many, Known(n, Kind::sets, true, true));
    check<S>(one, many, Known(n, Kind::lists, false, false));
    check<S>(one, many, Known(n, Kind::lists, true, true));
    if (takes_pair_weights) check<S>(one, many, Known(n, Kind::weighted_lists, false, true));
  }
}

template <class S>
class ShardedTargets : public testing::Test {};
using Scalars = testing::Types<float, double>;
TYPED_TEST_SUITE(ShardedTargets, Scalars);

TYPED_TEST(ShardedTargets, OfSupConAreThoseOfOneProcess) {
  using S = TypeParam;
  for (const nearfar::SupConVariant variant :
       {nearfar::SupConVariant::out, nearfar::SupConVariant::in}) {
    check_all<S, nearfar::SupCon<S>, nearfar::sharded::SupCon<S>>(
        nearfar::SupConOptions{.temperature = 0.4, .variant = variant}, true);
  }
}

TYPED_TEST(ShardedTargets, OfLossesOverPairsAreThoseOfOneProcess) {
  using S = TypeParam;
  check_all<S, nearfar::HadsellContrastive<S>, nearfar::sharded::HadsellContrastive<S>>(
      nearfar::HadsellOptions{.margin = 1.2}, false);
  check_all<S, nearfar::LinearContrastive<S>, nearfar::sharded::LinearContrastive<S>>(
      nearfar::LinearContrastiveOptions{.positive_margin = 0.2, .negative_margin = 0.9}, false);
  check_all<S, nearfar::MultiSimilarity<S>, nearfar::sharded::MultiSimilarity<S>>(
      nearfar::MultiSimilarityOptions{.alpha = 2, .beta = 5}, false);
  check_all<S, nearfar::MultiSimilarity<S>, nearfar::sharded::MultiSimilarity<S>>(
      nearfar::MultiSimilarityOptions{.alpha = 2, .beta = 5, .epsilon = 0.1}, false);
  check_all<S, nearfar::Circle<S>, nearfar::sharded::Circle<S>>(nearfar::CircleOptions{.gamma = 4},
                                                                false);
}

TYPED_TEST(ShardedTargets, OfFurtherLossesAreThoseOfOneProcess) {
  using S = TypeParam;
  using namespace nearfar;
  check_all<S, Nca<S>, sharded::Nca<S>>(NcaOptions{.temperature = 2}, false);
  for (const SincereTerms terms : {SincereTerms::anchors, SincereTerms::positive_pairs}) {
    check_all<S, Sincere<S>, sharded::Sincere<S>>(
        SincereOptions{.temperature = 0.4, .terms = terms}, false);
  }
  check_all<S, TupletMargin<S>, sharded::TupletMargin<S>>(TupletMarginOptions{.temperature = 0.2},
                                                          false);
  check_all<S, GeneralizedLiftedStructure<S>, sharded::GeneralizedLiftedStructure<S>>(
      GeneralizedLiftedStructureOptions{.margin = 0.8}, false);
  check_all<S, RankedList<S>, sharded::RankedList<S>>(RankedListOptions{.t_p = 2}, false);
  check_all<S, MarginLoss<S>, sharded::MarginLoss<S>>(
      MarginLossOptions{.beta = 2, .nu = 0.1, .reduction = Reduction::mean}, false);
  check_all<S, FastAp<S>, sharded::FastAp<S>>(FastApOptions{}, false);
  check_all<S, IntraPairVariance<S>, sharded::IntraPairVariance<S>>(
      IntraPairVarianceOptions{.positive_epsilon = 0.1}, false);
  check_all<S, SnrContrastive<S>, sharded::SnrContrastive<S>>(
      SnrContrastiveOptions{.positive_margin = 0.3, .negative_margin = 2}, false);
}

TYPED_TEST(ShardedTargets, OfMinedTripletsAreThoseOfOneProcess) {
  using S = TypeParam;
  using nearfar::Mining;
  using nearfar::TripletForm;
  const auto check_options = [](const nearfar::MinedTripletOptions& options) {
    SCOPED_TRACE("mining " + std::to_string(static_cast<int>(options.mining)) + ", form " +
                 std::to_string(static_cast<int>(options.form)));
    check_all<S, nearfar::MinedTriplet<S>, nearfar::sharded::MinedTriplet<S>>(options, false);
  };
  for (const Mining mining :
       {Mining::batch_hard, Mining::all, Mining::semi_hard_per_pair, Mining::distance_weighted}) {
    for (const TripletForm form : {TripletForm::hinge, TripletForm::soft}) {
      check_options({.margin = 0.4, .form = form, .mining = mining});
    }
  }
  check_options({.margin = 0.4,
                 .mining = Mining::batch_easy_hard,
                 .positive = nearfar::PositiveChoice::semihard,
                 .negative = nearfar::NegativeChoice::hard});
}

/// Lists are refused, because they may not be symmetric.
TYPED_TEST(ShardedTargets, OfLiftedStructureAreThoseOfOneProcess) {
  using S = TypeParam;
  for (const nearfar::Reduction reduction :
       {nearfar::Reduction::mean, nearfar::Reduction::mean_nonzero, nearfar::Reduction::none}) {
    const nearfar::LiftedStructureOptions options{.margin = 0.8, .reduction = reduction};
    const nearfar::LiftedStructure<S> one(options);
    const nearfar::sharded::LiftedStructure<S> many(options);
    check<S>(one, many, Known(n, Kind::labels, false, false));
    check<S>(one, many, Known(n, Kind::labels, true, true));
    check<S>(one, many, Known(n, Kind::sets, false, false));
    check<S>(one, many, Known(n, Kind::sets, true, true));
  }
}

/// An error in one process's targets is thrown on all.
TEST(ShardedTargets, ThatDoNotFitAreRefusedOnAll) {
  run_team(2, [&](Exchange& e) {
    const bool mine = e.rank() == 1;
    const Matrix<float> x = random_rows<float>(3, 4, 1);
    const std::vector<int> labels = {1, 1, 2};
    const std::vector<Index> offsets = {0, 1, 2, 2};
    const std::vector<Index> columns = {5, mine ? 6 : 0};
    const std::vector<Index> fitting = {5, 0};
    const std::vector<double> ones = {1, 1};
    const std::vector<double> weights = {1, mine ? -1.0 : 0.0, 1};
    const std::vector<std::uint64_t> words(6, 1);
    const nearfar::sharded::SupCon<float> loss;
    const auto expect = [&](const Targets& targets, const std::string& text) {
      expect_error_everywhere([&] { loss.forward(e, x, targets); }, text);
      EXPECT_NO_THROW(loss.forward(e, x, labels));
    };
    expect(nearfar::PositiveLists{offsets, columns},
           "nearfar: rank 1: labels: wanted columns from 0 to 5, got 6 for row 1");
    expect(Targets(labels).weights(weights),
           "nearfar: rank 1: labels weights: wanted a finite number >= 0, got -1");
    expect(mine ? Targets(labels) : Targets(nearfar::MultiLabels{words.data(), 3, 2}),
           "nearfar: rank 1: rule of positives: wanted 2 as on rank 0, got 1");
    expect(nearfar::MultiLabels{words.data(), 3, mine ? 1 : 2},
           "nearfar: rank 1: words of a set of labels: wanted 2 as on rank 0, got 1");
    expect(mine ? Targets(labels).ids(labels) : Targets(labels),
           "nearfar: rank 1: ids: wanted 0 as on rank 0, got 1");
    expect_error_everywhere(
        [&] {
          nearfar::sharded::Circle<float>().forward(
              e, x,
              mine ? nearfar::PositiveLists{offsets, fitting, ones}
                   : nearfar::PositiveLists{offsets, fitting});
        },
        "nearfar: rank 1: labels: wanted lists without weights for this loss, got weights");
    expect_error_everywhere(
        [&] {
          nearfar::sharded::LiftedStructure<float>().forward(
              e, x, nearfar::PositiveLists{offsets, fitting});
        },
        "nearfar: rank 0: labels: wanted labels or sets of labels here, on shards, got lists of "
        "positives");
    expect_error_everywhere(
        [&] {
          nearfar::sharded::HadsellContrastive<float>(
              {.reduction = nearfar::Reduction::mean_nonzero})
              .forward(e, x, nearfar::PositiveLists{offsets, fitting});
        },
        "nearfar: rank 0: labels: wanted labels or sets of labels here, on shards, got lists of "
        "positives");
  });
}

}  // namespace
