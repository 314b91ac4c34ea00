#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <nearfar/losses/nce.hpp>
#include <nearfar/sampling/noise_sampler.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "common/batches.hpp"
#include "common/nearest_words.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/row_adagrad.hpp"
#include "common/schedule.hpp"
#include "common/skip_gram.hpp"
#include "common/text.hpp"
#include "common/word_ranking.hpp"

/// \file
/// Word vectors by noise-contrastive estimation (Mnih and Kavukcuoglu, Learning word embeddings
/// efficiently with noise-contrastive estimation, 2013): a classifier of words near a word of a
/// text against words of a noise distribution.

namespace {

using namespace example;
using Eigen::Index;
using Rows = nearfar::Matrix<float>;

/// One of this many passages is held out.
constexpr std::size_t held_out_every = 20;
constexpr std::size_t most_held_out_pairs = 20000;

struct Options : CommonOptions {
  std::string loss = "nce";
  std::vector<std::string> words = {"king", "river",   "music", "red",     "ship",
                                    "bird", "disease", "bread", "physics", "money"};
  Index dim = 100;
  int epochs = 5;
  std::size_t batch = 1024;
  std::size_t noise = 128;
  std::size_t least_count = 5;
  SkipGramOptions pairs = {.window = 5, .sample = 1e-4};
  double learning_rate = 0.1;
};

/// A vector for each word as a centre and one as a context. A score is their inner product plus the
/// context's bias, which is the last column of `contexts_`; the last column of `centres_` is 1.
class WordVectors {
 public:
  WordVectors(const Options& o, const std::vector<double>& counts, Random& random)
      : o_(o),
        nce_(o.loss == "nce"),
        noise_(nearfar::powered_counts(counts)),
        centres_(noise_.size(), o.dim + 1),
        contexts_(noise_.size(), o.dim + 1) {
    for (Index w = 0; w < centres_.rows(); ++w) {
      for (Index c = 0; c < o.dim; ++c) {
        centres_(w, c) = static_cast<float>((random.uniform() - 0.5) / static_cast<double>(o.dim));
      }
    }
    centres_.col(o.dim).setOnes();
    // A context's odds without the centre.
    contexts_.setZero();
    double total = 0;
    for (const double count : counts) total += count;
    for (Index w = 0; w < contexts_.rows(); ++w) {
      const double odds = std::log(counts[static_cast<std::size_t>(w)] / total) - log_noise(w);
      contexts_(w, o.dim) = static_cast<float>(odds + offset(w));
    }
  }

  const nearfar::NoiseSampler& noise() const { return noise_; }

  /// Logarithm of the odds that the context comes from the text and not from the noise.
  double log_odds(const WordPair& pair) const {
    const double score =
        centres_.row(pair.centre).cast<double>().dot(contexts_.row(pair.context).cast<double>());
    return score - offset(pair.context);
  }

  std::vector<Step> train(const std::vector<WordPair>& pairs, Random& random) {
    const nearfar::Nce<float> nce({.reduction = nearfar::Reduction::sum});
    const nearfar::NegativeSampling<float> sampling({.reduction = nearfar::Reduction::sum});
    nearfar::Workspace workspace(o_.threads);
    const nearfar::CallOptions<float> call{.workspace = &workspace};
    RowAdagrad<float> adagrad_centres(centres_.rows(), o_.dim);
    RowAdagrad<float> adagrad_contexts(contexts_.rows(), contexts_.cols());
    ShuffledBatches batches(pairs.size(), o_.batch);
    const std::size_t n = batches.batch_size();
    const std::size_t steps = batches.per_epoch() * static_cast<std::size_t>(o_.epochs);
    std::vector<Index> centre(n);
    std::vector<Index> context(n);
    std::vector<Index> noise(o_.noise);
    std::vector<float> log_noise_keys;
    std::vector<float> log_noise;
    Rows queries, keys, negatives, d_queries, d_keys, d_negatives;
    std::vector<Step> history;
    Progress progress(std::cout, Progress::on_terminal());
    progress.start(o_.epochs, batches.per_epoch(), n, "pairs");
    for (std::size_t step = 0; step < steps; ++step) {
      const auto which = batches.next(random);
      for (std::size_t i = 0; i < n; ++i) {
        centre[i] = pairs[which[i]].centre;
        context[i] = pairs[which[i]].context;
      }
      noise_.draw(o_.seed, step, noise);
      queries = centres_(centre, Eigen::indexing::all);
      keys = contexts_(context, Eigen::indexing::all);
      negatives = contexts_(noise, Eigen::indexing::all);
      double value = 0;
      if (nce_) {
        noise_.log_probabilities(context, log_noise_keys);
        noise_.log_probabilities(noise, log_noise);
        value = nce.forward_backward(queries, keys, negatives, log_noise_keys, log_noise, d_queries,
                                     d_keys, d_negatives, call)
                    .value;
      } else {
        value =
            sampling
                .forward_backward(queries, keys, negatives, d_queries, d_keys, d_negatives, call)
                .value;
      }
      const double rate = scheduled(o_.learning_rate, step, steps);
      adagrad_centres.step(centres_, centre, d_queries.leftCols(o_.dim), rate);
      adagrad_contexts.step(contexts_, context, d_keys, rate);
      adagrad_contexts.step(contexts_, noise, d_negatives, rate);
      value /= static_cast<double>(n);
      history.push_back({static_cast<int>(step / batches.per_epoch()) + 1, rate, value});
      progress.step(value);
    }
    progress.finish();
    return history;
  }

  /// The centres' vectors, each of length 1.
  Rows directions() const { return centres_.leftCols(o_.dim).rowwise().normalized(); }

 private:
  /// log(K p_n): the logarithm of the expected number of times that a word is among the K noise
  /// words of a pair.
  double log_noise(Index word) const {
    return noise_.log_probability(word) + std::log(static_cast<double>(o_.noise));
  }

  /// The loss subtracts this from a score to get the logarithm of the odds: NCE's scores are
  /// logarithms of probabilities.
  double offset(Index word) const { return nce_ ? log_noise(word) : 0; }

  const Options& o_;
  bool nce_;
  nearfar::NoiseSampler noise_;
  Rows centres_;
  Rows contexts_;
};

/// The text, its pairs, and the held-out part.
struct Text {
  Vocabulary vocabulary;
  std::vector<WordPair> pairs;
  std::vector<WordPair> held_out;

  static Text read(const Options& o, Random& random) {
    std::vector<Passage> train;
    std::vector<Passage> test;
    std::size_t words = 0;
    const std::vector<Passage> passages = read_passages(o.data);
    for (std::size_t i = 0; i < passages.size(); ++i) {
      words += passages[i].size();
      ((i + 1) % held_out_every == 0 ? test : train).push_back(passages[i]);
    }
    Vocabulary vocabulary(train, o.least_count);
    for (const std::string& word : o.words) {
      if (vocabulary.find(word) < 0) {
        throw std::runtime_error("--words: '" + word + "' is not in the text often enough");
      }
    }
    Text text{std::move(vocabulary), {}, {}};
    text.pairs = skip_grams(train, text.vocabulary, o.pairs, random);
    text.held_out = skip_grams(test, text.vocabulary, o.pairs, random);
    if (text.pairs.empty() || text.held_out.empty()) {
      throw std::runtime_error(o.data + ": too short to learn from and hold some out");
    }
    random.shuffle(text.held_out);
    text.held_out.resize(std::min(text.held_out.size(), most_held_out_pairs));
    std::printf(
        "%zu passages of %zu words, %td of them kept; %zu pairs to learn from, %zu held out\n",
        passages.size(), words, text.vocabulary.size(), text.pairs.size(), text.held_out.size());
    return text;
  }
};

/// Rankings from counts, without vectors.
void rank_by_counts(WordRanking& ranking, const Text& text, const nearfar::NoiseSampler& noise) {
  const PairCounts counts(text.pairs, text.vocabulary.size());
  const double total = counts.total();
  const auto share = [&](std::int32_t word) { return counts.of(word) / total; };
  ranking.report("frequency of the word", [&](const WordPair& p) { return share(p.context); });
  ranking.report("positive PMI", [&](const WordPair& p) {
    const double expected = counts.of(p.centre) * share(p.context);
    return expected > 0 ? std::max(0.0, std::log(counts.of(p) / expected)) : 0;
  });
  // Adds this count to every centre, divided over words by their frequency (Dirichlet smoothing);
  // the best of 30, 100, 300 .. 10000 here.
  constexpr double more = 1000;
  ranking.report("co-occurrence counts, smoothed", [&](const WordPair& p) {
    const double chance = (counts.of(p) + more * share(p.context)) / (counts.of(p.centre) + more);
    return chance / noise.probability(p.context);
  });
}

void run(const Options& o) {
  use_threads(o.threads);
  Random random(o.seed);
  const Text text = Text::read(o, random);
  prepare_folder(o.out);
  WordVectors vectors(o, thinned_counts(text.vocabulary, o.pairs.sample), random);
  const WordVectors untrained = vectors;
  const std::vector<Step> history = vectors.train(text.pairs, random);

  WordRanking ranking(text.held_out, vectors.noise(), o.seed,
                      std::filesystem::path(o.out) / "ranking.csv");
  rank_by_counts(ranking, text, vectors.noise());
  ranking.report("untrained vectors", [&](const WordPair& p) { return untrained.log_odds(p); });
  ranking.report("trained vectors", [&](const WordPair& p) { return vectors.log_odds(p); });
  ranking.finish();

  const Rows directions = vectors.directions();
  const NearestWords nearest(o.words, text.vocabulary, directions);
  nearest.print(o.out);
  nearest.write_map(o.out);
  write_loss_curve(o.out, history, "Word vectors, " + o.loss);
  std::printf("\n");
  draw_all(o.out, {"words", "loss"}, {"ranking.csv", "neighbours.csv", "words.csv", "loss.csv"});
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.data = "/usr/share/wordnet";
  return run_program(
      argc, argv, "word_vectors",
      "Learns vectors for the words of a text by telling their neighbours from noise, and measures "
      "how well they tell the neighbours of held-out passages.",
      [&](CLI::App& app) {
        app.add_option("--loss", o.loss, "nce, or negative_sampling")
            ->check(CLI::IsMember({"nce", "negative_sampling"}))
            ->capture_default_str();
        app.add_option("--words", o.words, "words whose nearest ones are shown")
            ->delimiter(',')
            ->capture_default_str();
        app.add_option("--dim", o.dim, "numbers a vector has")
            ->check(CLI::Range(2, 4096))
            ->capture_default_str();
        app.add_option("--epochs", o.epochs, "times to go through the pairs")
            ->check(CLI::Range(1, 100000))
            ->capture_default_str();
        app.add_option("--batch", o.batch, "pairs a step")
            ->check(CLI::Range(1, 1 << 20))
            ->capture_default_str();
        app.add_option("--noise", o.noise, "noise words a step, which its pairs share")
            ->check(CLI::Range(1, 1 << 20))
            ->capture_default_str();
        app.add_option("--window", o.pairs.window, "words to either side that are contexts")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        app.add_option("--least-count", o.least_count, "rarer words are left out")
            ->check(CLI::Range(1, 1 << 30))
            ->capture_default_str();
        app.add_option("--sample", o.pairs.sample, "words that are a larger share are thinned out")
            ->check(positive_number())
            ->capture_default_str();
        app.add_option("--learning-rate", o.learning_rate, "the highest; it falls to 0 as a cosine")
            ->check(positive_number())
            ->capture_default_str();
        declare_common(app, o, "a text, one passage a line, or a folder with WordNet's files");
      },
      [&] { run(o); });
}
