#include "common/two_towers.hpp"

#include <gtest/gtest.h>

#include <nearfar/losses/info_nce.hpp>
#include <sstream>
#include <stdexcept>

namespace example_test {
namespace {

using namespace example;
using Bag = TwoTowers::Bag;
using Rows = TwoTowers::Rows;
using Tower = TwoTowers::Tower;

class TwoTowersTest : public testing::Test {
 protected:
  TwoTowersTest() {
    WordPieces words(500);
    for (const char* text : {"a place with books", "a small dog", "fear of heights"}) {
      texts_.push_back(words.numbers(text));
    }
    for (const char* answer : {"library", "puppy", "vertigo"}) {
      answers_.push_back(words.numbers(answer));
    }
    for (const Bag& bag : texts_) text_batch_.push_back(&bag);
    for (const Bag& bag : answers_) answer_batch_.push_back(&bag);
    towers_ = std::make_unique<TwoTowers>(words, TowerSizes{16, 12}, random_);
  }

  /// A step of InfoNCE; returns the loss before it.
  double step(const TwoTowers::Rates& rates) {
    const nearfar::InfoNce<float> loss({.temperature = 0.2});
    Rows queries, keys, d_queries, d_keys;
    towers_->forward(text_batch_, answer_batch_, queries, keys);
    const double value = loss.forward_backward(queries, keys, d_queries, d_keys).value;
    towers_->step(d_queries, d_keys, rates);
    return value;
  }

  Random random_{2};
  std::vector<Bag> texts_;
  std::vector<Bag> answers_;
  std::vector<const Bag*> text_batch_;
  std::vector<const Bag*> answer_batch_;
  std::unique_ptr<TwoTowers> towers_;
};

TEST_F(TwoTowersTest, TrainingEmbedsWhatItEvaluates) {
  Rows queries, keys;
  towers_->forward(text_batch_, answer_batch_, queries, keys);
  EXPECT_EQ(queries, towers_->embed(Tower::texts, text_batch_));
  EXPECT_EQ(keys, towers_->embed(Tower::answers, answer_batch_));
  EXPECT_GT((queries - towers_->embed(Tower::answers, text_batch_)).norm(), 0.1);
}

TEST_F(TwoTowersTest, TheTowersAndTheTableEachLearn) {
  for (const TwoTowers::Rates rates : {TwoTowers::Rates{1e-2, 0}, {0, 0.1}}) {
    const double before = step(rates);
    double after = before;
    for (int i = 0; i < 40; ++i) after = step(rates);
    EXPECT_LT(after, 0.5 * before);
    towers_ = std::make_unique<TwoTowers>(towers_->words(), TowerSizes{16, 12}, random_);
  }
}

TEST_F(TwoTowersTest, ReadsWhatItWrote) {
  for (int i = 0; i < 3; ++i) step({1e-2, 0.1});
  towers_->words().count(2, 5);
  std::stringstream file;
  towers_->write(file);
  const std::string written = file.str();
  const std::unique_ptr<TwoTowers> read = TwoTowers::read(file);
  EXPECT_EQ(read->embed(Tower::texts, text_batch_), towers_->embed(Tower::texts, text_batch_));
  EXPECT_EQ(read->embed(Tower::answers, answer_batch_),
            towers_->embed(Tower::answers, answer_batch_));
  EXPECT_EQ(read->words().numbers("puppy"), answers_[1]);
  EXPECT_EQ(read->words().count_of(2), 5);

  // Cut off or changed anywhere in its head, it is refused.
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{10}, std::size_t{60}, std::size_t{200}, written.size() - 1}) {
    std::istringstream part(written.substr(0, size));
    EXPECT_THROW(TwoTowers::read(part), std::runtime_error) << size;
  }
  std::istringstream other("two towers, format 2" + written.substr(written.find('\n')));
  EXPECT_THROW(TwoTowers::read(other), std::runtime_error);
}

}  // namespace
}  // namespace example_test
