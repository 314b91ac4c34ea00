#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <memory>
#include <nearfar/losses/matryoshka.hpp>
#include <nearfar/metrics/nearest_keys.hpp>
#include <nearfar/metrics/retrieval.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/bm25.hpp"
#include "common/chart.hpp"
#include "common/definitions.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"
#include "common/search_data.hpp"
#include "common/two_towers.hpp"

/// \file
/// A reverse dictionary: finds the words that fit a description. Two towers embed definitions and
/// words (Hill et al., Learning to understand phrases by embedding the dictionary, 2016, pose the
/// task). Embeddings may be cut off after any of several lengths, and batches may have words that
/// were mined as hard negatives.

namespace {

using namespace example;
using Eigen::Index;
using Rows = TwoTowers::Rows;
using Bag = TwoTowers::Bag;
using Tower = TwoTowers::Tower;

struct Options : CommonOptions {
  std::vector<std::string> queries;
  std::string load;
  bool ask = false;
  double held_out = 0.05;
  std::uint32_t pieces = 1u << 18;
  TowerSizes sizes;
  std::vector<Index> widths = {32, 64, 128, 256};
  int epochs = 3;
  std::size_t batch = 512;
  double temperature = 0.07;
  double word_dropout = 0.2;
  double learning_rate = 1e-3;
  double table_rate = 0.05;
  int mined = 0;
  Index candidates = 8;
  Index mining_width = 64;
  std::size_t mining_pool = 40000;
  Index answers = 10;
};

std::vector<const Bag*> pointers(const std::vector<Bag>& bags) {
  std::vector<const Bag*> out;
  for (const Bag& bag : bags) out.push_back(&bag);
  return out;
}

std::vector<const Bag*> pointers(const std::vector<Bag>& bags,
                                 const std::vector<std::size_t>& which) {
  std::vector<const Bag*> out;
  for (const std::size_t i : which) out.push_back(&bags[i]);
  return out;
}

/// Lists of positives in the form that the library takes.
struct Positives {
  std::vector<Index> offsets = {0};
  std::vector<Index> columns;

  operator nearfar::PositiveLists() const { return {offsets, columns}; }
};

/// Answers that each text is not to be near to but is, found again once an epoch.
class HardNegatives {
 public:
  HardNegatives(const Options& o, const SearchData& data) : o_(o), data_(data) {}

  /// Looks for them among random answers, with the embeddings cut off: both make it cheap.
  void mine(TwoTowers& towers, Random& random, const nearfar::CallOptions<float>& call) {
    pool_.resize(data_.answers.size());
    for (std::size_t a = 0; a < pool_.size(); ++a) pool_[a] = a;
    random.shuffle(pool_);
    pool_.resize(std::min(pool_.size(), o_.mining_pool));
    std::vector<Index> place(data_.answers.size(), -1);
    for (std::size_t k = 0; k < pool_.size(); ++k) place[pool_[k]] = static_cast<Index>(k);
    Positives positives;
    for (const std::size_t text : data_.train) {
      for (const Index answer : data_.answers_of[text]) {
        const Index at = place[static_cast<std::size_t>(answer)];
        if (at >= 0) positives.columns.push_back(at);
      }
      std::sort(positives.columns.begin() + positives.offsets.back(), positives.columns.end());
      positives.offsets.push_back(static_cast<Index>(positives.columns.size()));
    }
    const Index width = std::min(o_.mining_width, o_.sizes.embedding);
    const Rows texts = towers.embed(Tower::texts, pointers(data_.texts, data_.train));
    const Rows answers = towers.embed(Tower::answers, pointers(data_.answers, pool_));
    const Index k = std::min(o_.candidates, static_cast<Index>(pool_.size()));
    found_ = nearfar::NearestKeys<float>({.k = k}).find(
        texts.leftCols(width), answers.leftCols(width),
        {.targets = static_cast<nearfar::PositiveLists>(positives)}, call);
    row_.assign(data_.texts.size(), -1);
    for (std::size_t i = 0; i < data_.train.size(); ++i) {
      row_[data_.train[i]] = static_cast<Index>(i);
    }
  }

  /// Adds one of a text's negatives, drawn at random, to a batch's answers if it fits there.
  void add(std::size_t text, BatchMembers& members, Random& random,
           std::vector<std::size_t>& answers) const {
    if (row_.empty()) return;
    const Index row = row_[text];
    const Index count = found_.counts[static_cast<std::size_t>(row)];
    if (count == 0) return;
    const auto rank = static_cast<Index>(random.below(static_cast<std::uint64_t>(count)));
    const std::size_t answer = pool_[static_cast<std::size_t>(found_.index(row, rank))];
    if (members.add_negative(answer)) answers.push_back(answer);
  }

 private:
  const Options& o_;
  const SearchData& data_;
  std::vector<std::size_t> pool_;
  std::vector<Index> row_;  // of each text in what was found
  nearfar::NearestResult<float> found_;
};

/// A text without some of its words: a description is never worded as the definition is.
Bag thinned(const Bag& bag, double dropout, Random& random) {
  Bag out;
  for (const WordPieces::Word word : bag) {
    if (random.uniform() > dropout) out.push_back(word);
  }
  return out.empty() ? bag : out;
}

std::vector<Step> train(const Options& o, const SearchData& data, TwoTowers& towers,
                        Random& random) {
  const nearfar::MatryoshkaInfoNce<float> loss(
      {.prefixes = o.widths, .temperature = o.temperature});
  nearfar::Workspace workspace(o.threads);
  const nearfar::CallOptions<float> call{.workspace = &workspace};
  std::vector<SearchPair> pairs = data.pairs();
  const std::size_t batch = std::min(o.batch, pairs.size());
  const std::size_t per_epoch = pairs.size() / batch;
  const std::size_t steps = per_epoch * static_cast<std::size_t>(o.epochs);
  HardNegatives hard(o, data);
  BatchMembers members(data);
  std::vector<Bag> texts;
  std::vector<std::size_t> of_texts;
  std::vector<std::size_t> answers;
  Rows queries, keys, d_queries, d_keys;
  std::vector<Step> history;
  Progress progress(std::cout, Progress::on_terminal());
  progress.start(o.epochs, per_epoch, batch, "pairs");
  for (std::size_t step = 0; step < steps; ++step) {
    const std::size_t in_epoch = step % per_epoch;
    if (in_epoch == 0) random.shuffle(pairs);
    // An untrained model has no idea of what is hard.
    if (in_epoch == 0 && step > 0 && o.mined > 0) hard.mine(towers, random, call);
    // Pairs that do not go together wait for the next epoch.
    members.clear();
    texts.clear();
    of_texts.clear();
    answers.clear();
    for (std::size_t i = in_epoch * batch; i < (in_epoch + 1) * batch; ++i) {
      if (!members.add(pairs[i])) continue;
      texts.push_back(thinned(data.texts[pairs[i].text], o.word_dropout, random));
      of_texts.push_back(pairs[i].text);
      answers.push_back(pairs[i].answer);
    }
    for (int m = 0; m < o.mined; ++m) {
      for (const std::size_t text : of_texts) hard.add(text, members, random, answers);
    }
    towers.forward(pointers(texts), pointers(data.answers, answers), queries, keys);
    const double value = loss.forward_backward(queries, keys, d_queries, d_keys, call).value /
                         static_cast<double>(o.widths.size());
    const double rate = scheduled(1, step, steps);
    towers.step(d_queries, d_keys, {o.learning_rate * rate, o.table_rate * rate});
    history.push_back({static_cast<int>(step / per_epoch) + 1, o.learning_rate * rate, value});
    progress.step(value);
  }
  progress.finish();
  return history;
}

/// How well answers of held-out texts are found among all answers. A text with several answers has
/// the rank of the best of them.
class Ranking {
 public:
  Ranking(const Options& o, const SearchData& data)
      : o_(o), data_(data), csv_(std::filesystem::path(o.out) / "ranking.csv") {
    for (const std::size_t text : data.held_out) {
      const auto& answers = data.answers_of[text];
      positives_.columns.insert(positives_.columns.end(), answers.begin(), answers.end());
      positives_.offsets.push_back(static_cast<Index>(positives_.columns.size()));
    }
    std::printf("\n%zu held-out texts, the answer among %zu\n%-28s %9s %9s %9s\n",
                data.held_out.size(), data.answers.size(), "ranked by", "recall@1", "recall@10",
                "MRR");
    csv_.stream() << "ranked by,recall at 1,recall at 10,mean reciprocal rank\n";
  }

  /// By the pieces of words that a text shares with an answer and its other texts.
  double report_bm25(const std::string& name, const WordPieces& words, bool pieces) {
    const auto terms = [&](const Bag& bag, std::vector<Bm25::Word>& out) {
      if (!pieces) out.insert(out.end(), bag.begin(), bag.end());
      for (std::size_t i = 0; pieces && i < bag.size(); ++i) {
        for (const std::uint32_t piece : words.pieces(bag[i])) {
          out.push_back(static_cast<Bm25::Word>(piece));
        }
      }
    };
    std::vector<std::vector<Bm25::Word>> documents(data_.answers.size());
    for (std::size_t a = 0; a < documents.size(); ++a) terms(data_.answers[a], documents[a]);
    for (const SearchPair& pair : data_.pairs()) {
      terms(data_.texts[pair.text], documents[pair.answer]);
    }
    const Bm25 bm25(documents, {.k1 = 2});
    std::vector<double> ranks(data_.held_out.size());
    parallel_for(static_cast<Index>(ranks.size()), [&](Index i) {
      const auto q = static_cast<std::size_t>(i);
      std::vector<Bm25::Word> query;
      std::vector<float> scores;
      terms(data_.texts[data_.held_out[q]], query);
      bm25.scores(query, scores);
      float own = 0;
      for (const Index a : data_.answers_of[data_.held_out[q]]) {
        own = std::max(own, scores[static_cast<std::size_t>(a)]);
      }
      double above = 0;
      double equal = 0;
      for (const float score : scores) {
        above += score > own ? 1 : 0;
        equal += score == own ? 1 : 0;
      }
      ranks[q] = above + (equal + 1) / 2;  // the middle of those that tie
    });
    return report(name, ranks);
  }

  /// By cosine of the first numbers of the embeddings. Returns recall@10.
  double report(const std::string& name, const Rows& texts, const Rows& answers, Index width) {
    const auto found =
        nearfar::Retrieval<float>({.ks = {1}, .per_query = true})
            .evaluate(texts.leftCols(width), static_cast<nearfar::PositiveLists>(positives_),
                      answers.leftCols(width), nearfar::Targets());
    std::vector<double> ranks;
    for (const auto& query : found.per_query) {
      ranks.push_back(static_cast<double>(query.first_positive));
    }
    return report(name, ranks);
  }

  void finish() { csv_.commit(); }

 private:
  double report(const std::string& name, const std::vector<double>& ranks) {
    double first = 0;
    double ten = 0;
    double reciprocal = 0;
    for (const double rank : ranks) {
      first += rank <= 1 ? 1 : 0;
      ten += rank <= 10 ? 1 : 0;
      reciprocal += 1 / rank;
    }
    const auto count = static_cast<double>(ranks.size());
    char line[96];
    std::snprintf(line, sizeof line, ",%.4f,%.4f,%.4f\n", first / count, ten / count,
                  reciprocal / count);
    csv_.stream() << '"' << name << '"' << line;
    std::printf("%-28s %9.4f %9.4f %9.4f\n", name.c_str(), first / count, ten / count,
                reciprocal / count);
    std::fflush(stdout);
    return ten / count;
  }

  const Options& o_;
  const SearchData& data_;
  Positives positives_;
  OutputFile csv_;
};

/// A trained model with its answers, which a file keeps.
class Search {
 public:
  Search(std::unique_ptr<TwoTowers> towers, std::vector<std::string> answers)
      : towers_(std::move(towers)), answers_(std::move(answers)) {
    std::vector<Bag> bags;
    for (const std::string& answer : answers_) bags.push_back(towers_->words().numbers(answer));
    embeddings_ = towers_->embed(Tower::answers, pointers(bags));
  }

  static Search load(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    if (!in) throw std::runtime_error(file + ": cannot be read");
    try {
      std::unique_ptr<TwoTowers> towers = TwoTowers::read(in);
      std::vector<std::string> answers;
      for (std::string answer; std::getline(in, answer);) {
        if (towers->words().numbers(answer).empty()) throw std::runtime_error("no answer");
        answers.push_back(answer);
      }
      return {std::move(towers), std::move(answers)};
    } catch (const std::runtime_error&) {
      throw std::runtime_error(file + ": is no model of this program");
    }
  }

  void save(const std::filesystem::path& file) const {
    OutputFile out(file);
    towers_->write(out.stream());
    for (const std::string& answer : answers_) out.stream() << answer << '\n';
    out.commit();
  }

  const Rows& embeddings() const { return embeddings_; }

  /// Prints the nearest answers and their cosines.
  void answer(const std::string& query, Index count) const {
    std::printf("\n%s\n", query.c_str());
    const Bag bag = towers_->words().numbers(query);
    if (bag.empty()) {
      std::printf("  (no word in it)\n");
      return;
    }
    const Bag* const one = &bag;
    const Rows embedding = towers_->embed(Tower::texts, {&one, 1});
    const auto found = nearfar::NearestKeys<float>({.k = std::min(count, embeddings_.rows())})
                           .find(embedding, embeddings_);
    for (Index rank = 0; rank < found.counts[0]; ++rank) {
      std::printf("  %.3f  %s\n", static_cast<double>(found.score(0, rank)),
                  answers_[static_cast<std::size_t>(found.index(0, rank))].c_str());
    }
  }

 private:
  std::unique_ptr<TwoTowers> towers_;
  std::vector<std::string> answers_;
  Rows embeddings_;
};

void write_widths(const Options& o, const std::vector<double>& recall, double bm25) {
  OutputFile csv(std::filesystem::path(o.out) / "widths.csv");
  csv.stream() << "width,bm25,trained\n";
  for (std::size_t w = 0; w < recall.size(); ++w) {
    csv.stream() << o.widths[w] << ',' << bm25 << ',' << recall[w] << '\n';
  }
  csv.commit();
  write_lines(o.out, {.name = "widths",
                      .title = "Reverse dictionary: recall@10 of held-out definitions",
                      .subtitle = "embeddings of one training, cut off after some numbers",
                      .x_label = "numbers of an embedding",
                      .y_label = "recall@10",
                      .log_x = true,
                      .y_top = 1.2 * std::max(recall.back(), bm25),
                      .lines = {{2, "BM25"}, {3, "two towers"}}});
}

Search learn(const Options& o) {
  prepare_folder(o.out);
  Random random(o.seed);
  const Definitions definitions = read_definitions(o.data);
  WordPieces words(o.pieces);
  const SearchData data(definitions, o.held_out, words, random);
  std::printf("%zu texts, %zu of them held out; %zu answers\n", data.texts.size(),
              data.held_out.size(), data.answers.size());
  auto towers = std::make_unique<TwoTowers>(words, o.sizes, random);
  const auto embed_held_out = [&] {
    return towers->embed(Tower::texts, pointers(data.texts, data.held_out));
  };
  const auto embed_answers = [&] { return towers->embed(Tower::answers, pointers(data.answers)); };
  const Rows untrained_texts = embed_held_out();
  const Rows untrained_answers = embed_answers();
  const std::vector<Step> history = train(o, data, *towers, random);

  Ranking ranking(o, data);
  ranking.report_bm25("BM25, words", words, false);
  const double bm25 = ranking.report_bm25("BM25, words and their pieces", words, true);
  ranking.report("untrained, " + std::to_string(o.widths.back()) + " numbers", untrained_texts,
                 untrained_answers, o.widths.back());
  const Rows texts = embed_held_out();
  const Rows answers = embed_answers();
  std::vector<double> recall;
  for (const Index width : o.widths) {
    recall.push_back(
        ranking.report("trained, " + std::to_string(width) + " numbers", texts, answers, width));
  }
  ranking.finish();
  write_widths(o, recall, bm25);
  write_loss_curve(o.out, history, "Reverse dictionary");
  Search search(std::move(towers), definitions.answers);
  search.save(std::filesystem::path(o.out) / "model");
  std::printf("\n");
  draw_all(o.out, {"widths", "loss"}, {"model", "ranking.csv", "widths.csv", "loss.csv"});
  return search;
}

void run(Options o) {
  use_threads(o.threads);
  std::sort(o.widths.begin(), o.widths.end());
  if (std::adjacent_find(o.widths.begin(), o.widths.end()) != o.widths.end()) {
    throw std::runtime_error("--widths: a number is there twice");
  }
  o.sizes.embedding = o.widths.back();
  const Search search = o.load.empty() ? learn(o) : Search::load(o.load);
  for (const std::string& query : o.queries) search.answer(query, o.answers);
  const bool terminal = Progress::on_terminal() && isatty(STDIN_FILENO) == 1;
  if (!o.ask && !(o.queries.empty() && terminal)) return;
  if (terminal) std::printf("\nDescribe a word, one description a line; an empty line ends.\n");
  for (std::string line; std::getline(std::cin, line) && !line.empty();) {
    search.answer(line, o.answers);
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  o.data = "/usr/share/wordnet";
  return run_program(
      argc, argv, "reverse_dictionary",
      "Learns to find the words that fit a description, measures it on definitions held out, and "
      "answers questions.",
      [&](CLI::App& app) {
        app.add_option("queries", o.queries, "descriptions to answer, each in quotation marks");
        app.add_flag("--ask", o.ask,
                     "answer the lines of standard input, too; by default at a terminal, where "
                     "there are no queries");
        app.add_option("--load", o.load,
                       "the file `model` that an earlier run left in its folder; no training")
            ->check(not_empty());
        app.add_option("--answers", o.answers, "that are shown for each query")
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        app.add_option("--held-out", o.held_out, "share of the texts that only measures")
            ->check(CLI::Range(0.0, 0.9))
            ->capture_default_str();
        app.add_option("--epochs", o.epochs, "times to go through the pairs")
            ->check(CLI::Range(1, 100000))
            ->capture_default_str();
        app.add_option("--batch", o.batch, "pairs a step")
            ->check(CLI::Range(2, 1 << 20))
            ->capture_default_str();
        app.add_option("--widths", o.widths, "lengths that embeddings may be cut off after")
            ->delimiter(',')
            ->check(CLI::Range(1, 4096))
            ->capture_default_str();
        app.add_option("--pieces", o.pieces, "rows of the table of words and parts of words")
            ->check(CLI::Range(1, 1 << 28))
            ->capture_default_str();
        app.add_option("--mined", o.mined, "hard negatives of each pair; 0 for none")
            ->check(CLI::Range(0, 100))
            ->capture_default_str();
        app.add_option("--temperature", o.temperature, "of the loss")
            ->check(positive_number())
            ->capture_default_str();
        app.add_option("--word-dropout", o.word_dropout, "share of a text's words left out a step")
            ->check(CLI::Range(0.0, 0.99))
            ->capture_default_str();
        app.add_option("--learning-rate", o.learning_rate, "of the towers; falls as a cosine")
            ->check(positive_number())
            ->capture_default_str();
        app.add_option("--table-rate", o.table_rate, "of the table; falls as a cosine")
            ->check(positive_number())
            ->capture_default_str();
        declare_common(app, o,
                       "a folder with WordNet's files, or a file of pairs: text, tab, answer");
      },
      [&] { run(o); });
}
