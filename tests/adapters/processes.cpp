#include <gtest/gtest.h>
#include <sys/wait.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/version.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <nearfar/adapters/torch.hpp>
#include <nearfar/adapters/torch_sharded.hpp>
#include <string>
#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <vector>

#include "adapters/tensors.hpp"
#include "support/sharded_cases.hpp"

// Sharded losses over a c10d process group: Gloo's, of processes of this machine. The program makes
// as many of itself as its first argument says.

namespace {

using namespace adapters;
using namespace support;
using nearfar::GradientScale;
using nearfar::Reduction;
using nearfar::Schedule;
using nearfar::Sharding;
using nearfar::libtorch::ProcessGroupExchange;
using nearfar::libtorch::TensorTargets;
namespace sharded = nearfar::libtorch::sharded;

using Group = c10::intrusive_ptr<c10d::ProcessGroup>;

Group group_of(const std::string& file, int rank, int size) {
  const auto store = c10::make_intrusive<c10d::FileStore>(file, size);
  const auto options = c10d::ProcessGroupGloo::Options::create();
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1"));
  const auto gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, rank, size, options);
#if TORCH_VERSION_MAJOR >= 2
  const auto group = c10::make_intrusive<c10d::ProcessGroup>(store, rank, size);
  group->setBackend(c10::DeviceType::CPU, c10d::ProcessGroup::BackendType::GLOO, gloo);
  group->setDefaultBackend(c10d::ProcessGroup::BackendType::GLOO);
  return group;
#else
  return gloo;
#endif
}

/// The group of this process.
Group& world_group() {
  static Group group;
  return group;
}

ProcessGroupExchange world() { return ProcessGroupExchange(world_group()); }

TEST(ProcessGroup, ErrorsOfOneProcessAreThoseOfAllAndTheNextCallIsGood) {
  ProcessGroupExchange exchange = world();
  if (exchange.size() == 1) GTEST_SKIP() << "needs another process";
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    expect_errors_on_all(exchange, schedule);
  }
}

TEST(ProcessGroup, NoGroupIsRefused) {
  EXPECT_THROW(ProcessGroupExchange{Group()}, std::invalid_argument);
}

// ---- functions of tensors ----------------------------------------------------------------------

constexpr Index n = 24;

/// The rows of this process, of which each process has more than those before it.
Tensor own(const nearfar::Exchange& exchange, const Tensor& all) {
  return all.slice(0, first_row(Split::growing, exchange.rank(), exchange.size(), n),
                   first_row(Split::growing, exchange.rank() + 1, exchange.size(), n));
}

void expect_close(const Tensor& got, const Tensor& want) {
  ASSERT_TRUE(got.defined());
  ASSERT_EQ(got.sizes(), want.sizes());
  if (want.numel() == 0) return;
  EXPECT_LE((got - want).abs().max().item<double>(),
            1e-12 * std::max(1.0, want.abs().max().item<double>()));
}

/// `many(where, own rows..., own labels)` against `one(rows..., labels)`.
template <class Many, class One>
void expect_one_process(std::size_t sets, const Many& many, const One& one, bool value_a_row) {
  ProcessGroupExchange exchange = world();
  const Tensor labels =
      integers({0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3});
  std::vector<Tensor> all;
  std::vector<Tensor> mine;
  for (std::size_t k = 0; k < sets; ++k) {
    all.push_back(leaf(n, 5, k + 1));
    mine.push_back(own(exchange, all[k].detach()).clone().requires_grad_(true));
  }
  const Tensor want = one(all, labels);
  const Tensor upstream = value_a_row ? at::linspace(0.5, 1.5, n, at::kDouble) : number(-1.75);
  want.backward(upstream);
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    SCOPED_TRACE("schedule " + std::to_string(static_cast<int>(schedule)));
    const Tensor got = many(Sharding(exchange, schedule), mine, own(exchange, labels));
    expect_close(got, value_a_row ? own(exchange, want) : want);
    got.backward(value_a_row ? own(exchange, upstream) : upstream);
    for (std::size_t k = 0; k < sets; ++k) {
      expect_close(mine[k].grad(), own(exchange, all[k].grad()));
      mine[k].mutable_grad().reset();
    }
  }
}

/// Rows of 16 bits: the bits of the same rows in float, each gradient rounded once.
template <class Many>
void expect_floats_rounded(std::size_t sets, const Many& many) {
  ProcessGroupExchange exchange = world();
  const Tensor labels = own(
      exchange, integers({0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3}));
  for (const at::ScalarType type : {at::kHalf, at::kBFloat16}) {
    std::vector<Tensor> narrow;
    std::vector<Tensor> wide;
    for (std::size_t k = 0; k < sets; ++k) {
      narrow.push_back(own(exchange, rows(n, 5, k + 1)).to(type).requires_grad_(true));
      wide.push_back(narrow[k].detach().to(at::kFloat).requires_grad_(true));
    }
    for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
      SCOPED_TRACE("schedule " + std::to_string(static_cast<int>(schedule)));
      const Tensor got = many(Sharding(exchange, schedule), narrow, labels);
      const Tensor want = many(Sharding(exchange, schedule), wide, labels);
      EXPECT_EQ(got.scalar_type(), at::kFloat);
      EXPECT_TRUE(got.equal(want));
      (got * 0.7).backward();
      (want * 0.7).backward();
      for (std::size_t k = 0; k < sets; ++k) {
        EXPECT_TRUE(narrow[k].grad().equal(wide[k].grad().to(type)));
        narrow[k].mutable_grad().reset();
        wide[k].mutable_grad().reset();
      }
    }
  }
}

#define EXPECT_ONE_PROCESS_OF_PAIRS(name)                \
  expect_one_process(                                    \
      2,                                                 \
      [](Sharding where, const auto& x, const Tensor&) { \
        return sharded::name(where, x[0], x[1]);         \
      },                                                 \
      [](const auto& x, const Tensor&) { return libtorch::name(x[0], x[1]); }, false)
#define EXPECT_ONE_PROCESS_OVER_LABELS(name)                    \
  expect_one_process(                                           \
      1,                                                        \
      [](Sharding where, const auto& x, const Tensor& labels) { \
        return sharded::name(where, x[0], labels);              \
      },                                                        \
      [](const auto& x, const Tensor& labels) { return libtorch::name(x[0], labels); }, false)
#define EXPECT_ONE_PROCESS_OF_ROWS(name)                                                          \
  expect_one_process(                                                                             \
      1, [](Sharding where, const auto& x, const Tensor&) { return sharded::name(where, x[0]); }, \
      [](const auto& x, const Tensor&) { return libtorch::name(x[0]); }, false)

TEST(ShardedTensors, AreThoseOfOneProcess) {
  EXPECT_ONE_PROCESS_OF_PAIRS(info_nce);
  EXPECT_ONE_PROCESS_OF_PAIRS(nt_xent);
  EXPECT_ONE_PROCESS_OF_PAIRS(clip);
  EXPECT_ONE_PROCESS_OF_PAIRS(sig_lip);
  EXPECT_ONE_PROCESS_OF_PAIRS(rince);
  EXPECT_ONE_PROCESS_OF_PAIRS(rince_views);
  EXPECT_ONE_PROCESS_OF_PAIRS(dclw);
  EXPECT_ONE_PROCESS_OF_PAIRS(dhel);
  EXPECT_ONE_PROCESS_OF_PAIRS(mutual_information);
  EXPECT_ONE_PROCESS_OF_PAIRS(hard_negative);
  EXPECT_ONE_PROCESS_OF_PAIRS(vic_reg);
  EXPECT_ONE_PROCESS_OF_PAIRS(barlow_twins);
  EXPECT_ONE_PROCESS_OF_PAIRS(alignment);
  EXPECT_ONE_PROCESS_OVER_LABELS(sup_con);
  EXPECT_ONE_PROCESS_OVER_LABELS(hadsell);
  EXPECT_ONE_PROCESS_OVER_LABELS(linear_contrastive);
  EXPECT_ONE_PROCESS_OVER_LABELS(multi_similarity);
  EXPECT_ONE_PROCESS_OVER_LABELS(circle);
  EXPECT_ONE_PROCESS_OVER_LABELS(lifted_structure);
  EXPECT_ONE_PROCESS_OVER_LABELS(mined_triplet);
  EXPECT_ONE_PROCESS_OVER_LABELS(fast_ap);
  EXPECT_ONE_PROCESS_OVER_LABELS(generalized_lifted_structure);
  EXPECT_ONE_PROCESS_OVER_LABELS(intra_pair_variance);
  EXPECT_ONE_PROCESS_OVER_LABELS(margin_loss);
  EXPECT_ONE_PROCESS_OVER_LABELS(nca);
  EXPECT_ONE_PROCESS_OVER_LABELS(ranked_list);
  EXPECT_ONE_PROCESS_OVER_LABELS(sincere);
  EXPECT_ONE_PROCESS_OVER_LABELS(snr_contrastive);
  EXPECT_ONE_PROCESS_OVER_LABELS(tuplet_margin);
  EXPECT_ONE_PROCESS_OF_ROWS(uniformity);
  EXPECT_ONE_PROCESS_OF_ROWS(ko_leo);
  EXPECT_ONE_PROCESS_OF_ROWS(gor);
}

#define EXPECT_FLOATS_ROUNDED_OF_PAIRS(name)                                  \
  expect_floats_rounded(2, [](Sharding where, const auto& x, const Tensor&) { \
    return sharded::name(where, x[0], x[1]);                                  \
  })
#define EXPECT_FLOATS_ROUNDED_OVER_LABELS(name)                                      \
  expect_floats_rounded(1, [](Sharding where, const auto& x, const Tensor& labels) { \
    return sharded::name(where, x[0], labels);                                       \
  })
#define EXPECT_FLOATS_ROUNDED_OF_ROWS(name) \
  expect_floats_rounded(                    \
      1, [](Sharding where, const auto& x, const Tensor&) { return sharded::name(where, x[0]); })

TEST(ShardedTensors, TakeRowsOf16Bits) {
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(info_nce);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(nt_xent);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(clip);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(sig_lip);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(rince);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(rince_views);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(dclw);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(dhel);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(mutual_information);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(hard_negative);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(vic_reg);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(barlow_twins);
  EXPECT_FLOATS_ROUNDED_OF_PAIRS(alignment);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(sup_con);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(hadsell);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(linear_contrastive);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(multi_similarity);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(circle);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(lifted_structure);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(mined_triplet);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(fast_ap);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(generalized_lifted_structure);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(intra_pair_variance);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(margin_loss);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(nca);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(ranked_list);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(sincere);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(snr_contrastive);
  EXPECT_FLOATS_ROUNDED_OVER_LABELS(tuplet_margin);
  EXPECT_FLOATS_ROUNDED_OF_ROWS(uniformity);
  EXPECT_FLOATS_ROUNDED_OF_ROWS(ko_leo);
  EXPECT_FLOATS_ROUNDED_OF_ROWS(gor);
}

/// Prefixes, pairs with target scores, slices, boundaries of classes, whose gradient is that of the
/// whole batch, and ids.
TEST(ShardedTensors, TakeWhatComesWithRows) {
  const nearfar::MatryoshkaOptions options = {.prefixes = {2, 3, 5}};
  expect_one_process(
      2,
      [&](Sharding where, const auto& x, const Tensor&) {
        return sharded::matryoshka_info_nce(where, x[0], x[1], options);
      },
      [&](const auto& x, const Tensor&) {
        return libtorch::matryoshka_info_nce(x[0], x[1], options);
      },
      false);
  expect_one_process(
      2,
      [](Sharding where, const auto& x, const Tensor& labels) {
        return sharded::co_sent(where, x[0], x[1], labels.to(x[0].scalar_type()));
      },
      [](const auto& x, const Tensor& labels) {
        return libtorch::co_sent(x[0], x[1], labels.to(x[0].scalar_type()));
      },
      false);
  expect_one_process(
      2,
      [](Sharding where, const auto& x, const Tensor& labels) {
        return sharded::angle(where, x[0], x[1], labels.to(x[0].scalar_type()));
      },
      [](const auto& x, const Tensor& labels) {
        return libtorch::angle(x[0], x[1], labels.to(x[0].scalar_type()));
      },
      false);
  const Tensor slices = rows(7, 5, 9);
  expect_one_process(
      1,
      [&](Sharding where, const auto& x, const Tensor&) {
        return sharded::sig_reg(where, x[0], slices);
      },
      [&](const auto& x, const Tensor&) { return libtorch::sig_reg(x[0], slices); }, false);
  expect_one_process(
      2,
      [](Sharding where, const auto& x, const Tensor& labels) {
        return sharded::hard_negative(where, x[0], x[1], TensorTargets().ids(labels));
      },
      [](const auto& x, const Tensor& labels) {
        return libtorch::hard_negative(x[0], x[1], TensorTargets().ids(labels));
      },
      false);
  const auto boundaries = [] { return at::linspace(0.5, 2, 4, at::kDouble).requires_grad_(true); };
  const Tensor want = boundaries();
  const Tensor got = boundaries();
  expect_one_process(
      1,
      [&](Sharding where, const auto& x, const Tensor& labels) {
        got.mutable_grad().reset();
        return sharded::margin_loss_per_class(where, x[0], labels, got, {.nu = 0.3});
      },
      [&](const auto& x, const Tensor& labels) {
        return libtorch::margin_loss_per_class(x[0], labels, want, {.nu = 0.3});
      },
      false);
  expect_close(got.grad(), want.grad());
}

/// Refinements of pairs, with negatives, ids and probabilities of own pairs.
TEST(ShardedTensors, TakeWhatABatchHasBesidesPairs) {
  const nearfar::InBatchInfoNceOptions options = {.temperature = 0.5, .key_to_key = true};
  const auto extras = [](const Tensor& negatives, const Tensor& labels) {
    const Tensor log_q = -1 - labels.to(at::kDouble) / 4;
    return libtorch::InBatchTensors{.negatives = negatives,
                                    .targets = TensorTargets().ids(labels),
                                    .log_q = log_q,
                                    .log_q_negatives = log_q};
  };
  expect_one_process(
      3,
      [&](Sharding where, const auto& x, const Tensor& labels) {
        return sharded::in_batch_info_nce(where, x[0], x[1], options, extras(x[2], labels));
      },
      [&](const auto& x, const Tensor& labels) {
        return libtorch::in_batch_info_nce(x[0], x[1], options, extras(x[2], labels));
      },
      false);
  expect_one_process(
      2,
      [&](Sharding where, const auto& x, const Tensor&) {
        return sharded::in_batch_info_nce(where, x[0], x[1], {.reduction = Reduction::none});
      },
      [&](const auto& x, const Tensor&) {
        return libtorch::in_batch_info_nce(x[0], x[1], {.reduction = Reduction::none});
      },
      true);
}

/// Sets of two tokens, so that the rows of no process end within one.
TEST(ShardedTensors, TakeSetsOfTokens) {
  const auto offsets_of = [](const Tensor& tokens) {
    return at::arange(0, tokens.size(0) + 1, 2, at::kLong);
  };
  ProcessGroupExchange exchange = world();
  const auto shard = [&](const Tensor& all) {
    const auto end = [&](int rank) {
      return 2 * first_row(Split::growing, rank, exchange.size(), n / 2);
    };
    return all.slice(0, end(exchange.rank()), end(exchange.rank() + 1));
  };
  const Tensor q = leaf(n, 5, 1);
  const Tensor d = leaf(n, 5, 2);
  const Tensor temperature = number(0.5).requires_grad_(true);
  const Tensor want = libtorch::max_sim_info_nce(q, offsets_of(q), d, offsets_of(d), {},
                                                 {.temperature = temperature});
  want.backward();
  for (const Schedule schedule : {Schedule::ring, Schedule::ordered, Schedule::all_gather}) {
    const Tensor own_q = shard(q.detach()).clone().requires_grad_(true);
    const Tensor own_d = shard(d.detach()).clone().requires_grad_(true);
    const Tensor own_temperature = number(0.5).requires_grad_(true);
    const Tensor got =
        sharded::max_sim_info_nce(Sharding(exchange, schedule), own_q, offsets_of(own_q), own_d,
                                  offsets_of(own_d), {}, {.temperature = own_temperature});
    expect_close(got, want);
    got.backward();
    expect_close(own_q.grad(), shard(q.grad()));
    expect_close(own_d.grad(), shard(d.grad()));
    expect_close(own_temperature.grad(), temperature.grad());
  }
}

/// many(where, own x, own labels, proxies) against one(x, labels, proxies). Proxies get the
/// gradient of the whole batch.
template <class Many, class One>
void expect_proxies(const Many& many, const One& one) {
  const Tensor of_one = leaf(4, 5, 6);
  const Tensor of_many = of_one.detach().clone().requires_grad_(true);
  expect_one_process(
      1,
      [&](Sharding where, const auto& x, const Tensor& labels) {
        of_many.mutable_grad().reset();
        return many(where, x[0], labels, of_many);
      },
      [&](const auto& x, const Tensor& labels) { return one(x[0], labels, of_one); }, false);
  expect_close(of_many.grad(), of_one.grad());
}

TEST(ShardedTensors, TakeProxies) {
#define EXPECT_PROXIES(name, ...)                                                          \
  {                                                                                        \
    SCOPED_TRACE(#name);                                                                   \
    expect_proxies(                                                                        \
        [](Sharding where, const Tensor& x, const Tensor& labels, const Tensor& proxies) { \
          return sharded::name(where, x, labels, proxies, {__VA_ARGS__});                  \
        },                                                                                 \
        [](const Tensor& x, const Tensor& labels, const Tensor& proxies) {                 \
          return libtorch::name(x, labels, proxies, {__VA_ARGS__});                        \
        });                                                                                \
  }
  EXPECT_PROXIES(normalized_softmax, .temperature = 0.3)
  EXPECT_PROXIES(arc_face, .scale = 5)
  EXPECT_PROXIES(cos_face, .scale = 5)
  EXPECT_PROXIES(sphere_face, .margin = 3)
  EXPECT_PROXIES(large_margin_softmax, .scale = 0.5, .margin = 3)
  EXPECT_PROXIES(proxy_nca, .scale = 2)
  EXPECT_PROXIES(proxy_anchor, .margin = 0.2, .alpha = 8)
#undef EXPECT_PROXIES
  const auto margins = [](const Tensor& proxies) {
    return libtorch::TensorProxies(proxies).margins(at::linspace(0.1, 0.4, 4, at::kDouble));
  };
  expect_proxies(
      [&](Sharding where, const Tensor& x, const Tensor& labels, const Tensor& proxies) {
        return sharded::arc_face(where, x, labels, margins(proxies));
      },
      [&](const Tensor& x, const Tensor& labels, const Tensor& proxies) {
        return libtorch::arc_face(x, labels, margins(proxies));
      });
}

TEST(ShardedTensors, TakeTargets) {
  expect_one_process(
      2,
      [](Sharding where, const auto& x, const Tensor& labels) {
        return sharded::nt_xent(where, x[0], x[1], TensorTargets().ids(labels));
      },
      [](const auto& x, const Tensor& labels) {
        return libtorch::nt_xent(x[0], x[1], TensorTargets().ids(labels));
      },
      false);
  expect_one_process(
      2,
      [](Sharding where, const auto& x, const Tensor& labels) {
        return sharded::clip(where, x[0], x[1], TensorTargets(labels));
      },
      [](const auto& x, const Tensor& labels) {
        return libtorch::clip(x[0], x[1], TensorTargets(labels));
      },
      false);
  expect_one_process(
      2,
      [](Sharding where, const auto& x, const Tensor&) {
        const Tensor reversed = at::arange(n - 1, -1, -1, at::kLong);
        return sharded::info_nce_at(where, x[0], x[1], own(where.exchange, reversed));
      },
      [](const auto& x, const Tensor&) {
        return libtorch::info_nce_at(x[0], x[1], at::arange(n - 1, -1, -1, at::kLong));
      },
      false);
}

TEST(ShardedTensors, HaveAValueARow) {
  expect_one_process(
      2,
      [](Sharding where, const auto& x, const Tensor&) {
        return sharded::info_nce(where, x[0], x[1], {.reduction = Reduction::none});
      },
      [](const auto& x, const Tensor&) {
        return libtorch::info_nce(x[0], x[1], {.reduction = Reduction::none});
      },
      true);
}

/// A model of one matrix and a learnt scale, and gradients of both after what a framework does with
/// them: their sum over processes, or what DistributedDataParallel makes of it.
TEST(ShardedTensors, GradientsOfAModelAreThoseOfOneProcess) {
  ProcessGroupExchange exchange = world();
  const Tensor images = rows(n, 6, 1);
  const Tensor texts = rows(n, 5, 2);
  const auto model = [] { return leaf(5, 6, 3); };
  const auto scale = [] { return number(7).requires_grad_(true); };
  const Tensor weight = model();
  const Tensor its_scale = scale();
  libtorch::clip(images.mm(weight.t()), texts, {}, {.logit_scale = its_scale}).backward();

  for (const GradientScale gradients : {GradientScale::for_summing, GradientScale::for_averaging}) {
    const Tensor own_weight = model();
    const Tensor own_scale = scale();
    sharded::clip({exchange, Schedule::ring, gradients}, own(exchange, images).mm(own_weight.t()),
                  own(exchange, texts), {}, {.logit_scale = own_scale})
        .backward();
    expect_close(own_scale.grad(), its_scale.grad());
    std::vector<Tensor> sum = {own_weight.grad().clone()};
    world_group()->allreduce(sum)->wait();
    if (gradients == GradientScale::for_averaging) sum[0] /= exchange.size();
    expect_close(sum[0], weight.grad());
  }
}

int run_tests(const std::string& file, int rank, int size, int argc, char** argv) {
  world_group() = group_of(file, rank, size);
  at::set_num_threads(1);
  if (rank > 0) testing::FLAGS_gtest_brief = true;  // failures alone
  testing::InitGoogleTest(&argc, argv);
  const int failed = RUN_ALL_TESTS();
  world_group()->barrier()->wait();
  world_group().reset();
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  const int size = argc > 1 ? std::atoi(argv[1]) : 1;
  const std::string file =
      (std::filesystem::temp_directory_path() / ("nearfar_group_" + std::to_string(getpid())))
          .string();
  std::vector<pid_t> others;
  for (int rank = 0; rank < size; ++rank) {
    const pid_t child = fork();
    if (child == 0) std::_Exit(run_tests(file, rank, size, argc, argv));
    others.push_back(child);
  }
  int failed = 0;
  for (const pid_t child : others) {
    int status = 1;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) failed = 1;
  }
  std::filesystem::remove(file);
  return failed;
}
