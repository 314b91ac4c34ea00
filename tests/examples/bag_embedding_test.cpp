#include "common/bag_embedding.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace example_test {
namespace {

using namespace example;
using Eigen::Index;
using Bag = BagEmbedding::Bag;
using Rows = BagEmbedding::Matrix;

TEST(WordPieces, AWordHasItselfAndItsThreeToFiveCharacters) {
  WordPieces words(1u << 20);
  const std::vector<WordPieces::Word> numbers = words.numbers("Cats, a cat");
  EXPECT_EQ(numbers, (std::vector<WordPieces::Word>{0, 1, 2}));
  EXPECT_EQ(words.name(0), "cats");
  // <cats>: the word; <ca cat ats ts>; <cat cats ats>; <cats cats>.
  EXPECT_EQ(words.pieces(0).size(), 1u + 4 + 3 + 2);
  // <a>: the word alone.
  EXPECT_EQ(words.pieces(1).size(), 1u);
  // <cat>: the word; <ca cat at>; <cat cat>. What both words have: <ca, cat, <cat.
  EXPECT_EQ(words.pieces(2).size(), 1u + 3 + 2);
  std::size_t common = 0;
  for (const std::uint32_t a : words.pieces(0)) {
    for (const std::uint32_t b : words.pieces(2)) common += a == b ? 1 : 0;
  }
  EXPECT_EQ(common, 3u);
  EXPECT_EQ(words.numbers("cat CATS dog"), (std::vector<WordPieces::Word>{2, 0, 3}));
}

TEST(WordPieces, FrequentWordsCountLittle) {
  WordPieces words(100);
  words.numbers("the cat");
  words.count(0, 99);
  words.count(1);
  EXPECT_FLOAT_EQ(words.weight(0), 1e-3f / (1e-3f + 0.99f));
  EXPECT_FLOAT_EQ(words.weight(1), 1e-3f / (1e-3f + 0.01f));
  words.numbers("dog");
  EXPECT_EQ(words.weight(2), 1);
}

class BagEmbeddingTest : public testing::Test {
 protected:
  BagEmbeddingTest() {
    // Few rows, so that pieces share them.
    for (const char* text : {"a cat sat", "cats sit and sit", "the dog", "a dog sat"}) {
      bags_.push_back(words_.numbers(text));
      for (const WordPieces::Word word : bags_.back()) words_.count(word);
    }
    for (const Bag& bag : bags_) batch_.push_back(&bag);
  }

  /// What a bag's mean takes of each row of the table.
  Eigen::MatrixXd shares() const {
    Eigen::MatrixXd out = Eigen::MatrixXd::Zero(static_cast<Index>(bags_.size()), words_.rows());
    for (std::size_t i = 0; i < bags_.size(); ++i) {
      double total = 0;
      for (const WordPieces::Word word : bags_[i]) total += words_.weight(word);
      for (const WordPieces::Word word : bags_[i]) {
        const auto pieces = words_.pieces(word);
        for (const std::uint32_t piece : pieces) {
          out(static_cast<Index>(i), piece) +=
              words_.weight(word) / total / static_cast<double>(pieces.size());
        }
      }
    }
    return out;
  }

  WordPieces words_{40};
  std::vector<Bag> bags_;
  std::vector<const Bag*> batch_;
  Random random_{5};
};

TEST_F(BagEmbeddingTest, IsTheWeightedMeanOfTheWords) {
  BagEmbedding embedding(words_, 6, random_);
  const Eigen::MatrixXd expected = shares() * embedding.table().cast<double>();
  for (int round = 0; round < 2; ++round) {
    const Rows& means = embedding.forward(batch_);
    ASSERT_EQ(means.rows(), 4);
    EXPECT_LT((means.cast<double>() - expected).cwiseAbs().maxCoeff(), 1e-6);
    EXPECT_GT(means.cwiseAbs().maxCoeff(), 0.01);
    // Another batch in between leaves nothing behind.
    embedding.forward(std::vector<const Bag*>{&bags_[2]});
  }
}

TEST_F(BagEmbeddingTest, AStepIsAdagradsDownTheGradient) {
  BagEmbedding embedding(words_, 6, random_);
  Eigen::MatrixXd table = embedding.table().cast<double>();
  Eigen::VectorXd squares = Eigen::VectorXd::Zero(table.rows());
  for (int round = 0; round < 3; ++round) {
    Rows d_means(4, 6);
    for (Index i = 0; i < d_means.size(); ++i) {
      d_means.data()[i] = static_cast<float>(random_.normal());
    }
    embedding.forward(batch_);
    embedding.step(d_means, 0.1);
    const Eigen::MatrixXd gradient = shares().transpose() * d_means.cast<double>();
    squares += gradient.rowwise().squaredNorm() / 6;
    for (Index r = 0; r < table.rows(); ++r) {
      if (squares[r] > 0) table.row(r) -= 0.1 / std::sqrt(squares[r]) * gradient.row(r);
    }
    EXPECT_LT((embedding.table().cast<double>() - table).cwiseAbs().maxCoeff(), 1e-5);
  }
  EXPECT_GT((squares.array() == 0).count(), 0) << "no row that the batch has not";
}

}  // namespace
}  // namespace example_test
