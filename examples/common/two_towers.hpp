#pragma once

#include <istream>
#include <memory>
#include <nearfar/core/matrix.hpp>
#include <ostream>
#include <span>
#include <vector>

#include "common/adam.hpp"
#include "common/bag_embedding.hpp"
#include "common/batch_pass.hpp"
#include "common/network.hpp"

/// \file
/// A model of search: texts and answers are embedded side by side.

namespace example {

struct TowerSizes {
  Eigen::Index vector = 128;     ///< numbers of a piece
  Eigen::Index embedding = 256;  ///< numbers of an embedding
};

/// Two towers over one table of pieces, one for texts and one for answers. A tower takes the mean
/// of the words' vectors through a linear layer of its own. Embeddings are compared by cosine.
class TwoTowers {
 public:
  using Bag = BagEmbedding::Bag;
  using Bags = std::span<const Bag* const>;
  using Rows = nearfar::Matrix<float>;
  enum class Tower { texts, answers };

  TwoTowers(WordPieces words, const TowerSizes& sizes, Random& random);
  TwoTowers(const TwoTowers&) = delete;
  TwoTowers& operator=(const TwoTowers&) = delete;

  WordPieces& words() { return words_; }

  /// An embedding for each bag, one a row.
  Rows embed(Tower tower, Bags bags);

  /// Embeds a batch to train on.
  void forward(Bags texts, Bags answers, Rows& queries, Rows& keys);

  struct Rates {
    double towers = 0;  ///< of Adam
    double table = 0;   ///< of the table's Adagrad
  };

  /// A step down the gradient with respect to the last batch's embeddings.
  void step(const Rows& d_queries, const Rows& d_keys, const Rates& rates);

  void write(std::ostream& out) const;

  /// What write() wrote. Throws std::runtime_error when it is not that.
  static std::unique_ptr<TwoTowers> read(std::istream& in);

 private:
  struct Side {
    Side(const TowerSizes& sizes, Random& random)
        : network(std::vector<Eigen::Index>{sizes.vector, sizes.embedding}, random),
          adam(network.parameters().size()),
          pass(network) {}
    Network<float> network;
    Adam<float> adam;
    BatchPass pass;
    Rows d_means;
  };

  /// Takes `count` of the means through a tower.
  const Rows& forward(Side& side, const Rows& means, Eigen::Index begin, Eigen::Index count);

  TowerSizes sizes_;
  WordPieces words_;
  BagEmbedding table_;
  Side texts_;
  Side answers_;
  std::vector<const Bag*> batch_;
  Rows d_means_;
};

}  // namespace example
