#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "nearfar/core/opening.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/sharded/chunks.hpp"
#include "nearfar/sharded/rounds.hpp"
#include "nearfar/tiles/batch.hpp"
#include "nearfar/tiles/relation.hpp"
#include "nearfar/tiles/walk.hpp"

/// \file
/// What every sharded call does around its terms, once: checks on all processes, the walks over
/// one's own rows and all keys, sums over processes, and the gradients' way back.

namespace nearfar::detail {

/// Some of a process' rows of a set, and where their gradient goes.
template <class S>
struct Piece {
  const char* name;
  Rows<S> rows;
  GradientRows<S> gradient;
};

/// A process' rows of a set: its pieces, one after the other.
template <class S>
struct ShardedSet {
  std::vector<Piece<S>> pieces;
  bool labelled = false;
  Labels labels;
  bool has_ids = false;
  Labels ids;

  ShardedSet() = default;
  ShardedSet(const char* name, const Chunks<S>& chunks) { add(name, chunks); }

  void add(const char* name, const Chunks<S>& chunks) {
    for (const auto& chunk : chunks.all()) pieces.push_back({name, chunk.rows, chunk.gradient});
  }
  ShardedSet& with_labels(const Labels& some) {
    labelled = true;
    labels = some;
    return *this;
  }
  ShardedSet& with_ids(const Labels& some) {
    has_ids = true;
    ids = some;
    return *this;
  }

  const char* name() const { return pieces.empty() ? "rows" : pieces.front().name; }
  Index rows() const {
    Index sum = 0;
    for (const Piece<S>& piece : pieces) sum += piece.rows.rows();
    return sum;
  }
  /// -1 where there are no rows.
  Index cols() const {
    for (const Piece<S>& piece : pieces) {
      if (piece.rows.rows() > 0) return piece.rows.cols();
    }
    return -1;
  }
  bool wants_gradient() const {
    return std::any_of(pieces.begin(), pieces.end(),
                       [](const Piece<S>& piece) { return piece.gradient.wanted(); });
  }
};

/// How a loss knows keys by number.
enum class KeyNumbers {
  of_block,  ///< from 0 in each block
  from_own,  ///< own keys from 0, those of processes before have negative numbers
};

/// One call; `sets` is 1 for rows compared with each other, 2 for queries and keys.
template <class S, Kernel K, int sets>
class ShardedBatch {
  static_assert(!ParametricKernel<K>,
                "nearfar: sharded losses take kernels without a matrix; map the rows by it first, "
                "for instance with Eigen, and let its gradient be another layer's");

 public:
  using Sets = std::array<ShardedSet<S>, static_cast<std::size_t>(sets)>;

  /// Agrees with all processes that their calls fit, after check() and checks of the rows, and
  /// prepares the rows. Without `upstream` there will be no gradients. Arguments must outlive the
  /// object.
  template <class Check>
  ShardedBatch(const Sharding& where, const K& kernel, Introduction introduction, Sets& set,
               const Upstream* upstream, CallOptions<S>& call, const Check& check)
      : where_(where),
        team_(where.exchange),
        kernel_(kernel),
        sets_(set),
        wants_gradients_(upstream != nullptr) {
    introductions_ = team_.introduce(introduction, [&](Introduction& own) {
      scratch_.emplace(call.workspace);
      threads_ = std::max(1, available_threads(scratch_->threads()));
      introduce(own, call);
      check();
    });
    for (const Introduction& one : introductions_) {
      for (int k = 0; k < sets; ++k) shards_[at(k)].counts.push_back(one.rows[at(k)]);
      cols_ = std::max(cols_, one.cols);
      for (int k = 0; k < sets; ++k) wanted_[at(k)] = wanted_[at(k)] || one.wants_gradient[at(k)];
    }
    double* sums = nullptr;
    team_.agree([&] {
      for (int k = 0; k < sets; ++k) lay_out(k);
      sums = scratch_->template take<double>(cols_);
    });
    if constexpr (K::geometry == Geometry::squared_distance) find_centre(sums);
    team_.agree([&] {
      for (int k = 0; k < sets; ++k) {
        prepared_[at(k)] =
            prepare(*scratch_, threads_, kernel_, shards_[at(k)].rows, false, centre_);
        if (!wanted_[at(k)]) continue;
        gradients_[at(k)] = take_gradients(*scratch_, prepared_[at(k)]);
        if (sets == 1) from_others_ = take_gradients(*scratch_, prepared_[0]);
      }
    });
    if constexpr (K::geometry == Geometry::inner_product) check_overflow();
  }

  const Team& team() const { return team_; }
  Scratch& scratch() { return *scratch_; }
  int threads() const { return threads_; }
  const K& kernel() const { return kernel_; }
  bool wants_gradients() const { return wants_gradients_; }
  /// Own rows of a set.
  Index rows(int set) const { return prepared_[at(set)].rows; }
  const PreparedRows<S>& prepared(int set) const { return prepared_[at(set)]; }
  /// Rows of a set on all processes, and how many of them on those before this.
  Index all_rows(int set) const { return shards_[at(set)].first_of(team_.size()); }
  Index first_row(int set) const { return shards_[at(set)].first_of(team_.rank()); }
  /// Of own rows of a set; wanted if any process wants some.
  RowGradients<S>& gradients(int set) { return gradients_[at(set)]; }
  const Sharding& where() const { return where_; }

  /// The statistics of own rows of set q over all rows of set k, with gradients if the call wants
  /// any: of losses loss_of(relation, block), relations being of labels, if there are any.
  template <class LossOf>
  auto* run(int q, int k, KeyNumbers numbers, const LossOf& loss_of, Diagnostics& d) {
    using Loss = decltype(loss_of(Relation<S>(), KeyBlock<S>()));
    using Row = typename Loss::Row;
    Row* rows = nullptr;
    Extremes<S, K>* extremes = nullptr;
    const Index n = prepared_[at(q)].rows;
    const Loss any = loss_of(none_, KeyBlock<S>());
    Diagnostics seen;
    team_.agree([&] {
      rows = scratch_->template take<Row>(n);
      extremes = scratch_->template take<Extremes<S, K>>(n);
      begin_rounds(k);
    });
    if (where_.schedule == Schedule::all_gather && wants_gradients_) {
      each_block_with_gradients(k, [&](const KeyBlock<S>& block, RowGradients<S>& dk) {
        visit(q, k, numbers, loss_of, block, [&](auto& walk, const Loss& loss) {
          std::copy_n(walk.forward_backward(loss, gradients_[at(q)], dk, seen), n, rows);
        });
      });
      fold(seen, d);
      return rows;
    }
    for (Index i = 0; i < n; ++i) {
      rows[i] = any.start(i);
      extremes[i] = {};
    }
    constexpr bool independent = IndependentScoresLoss<Loss, S>;
    const bool at_once = independent && wants_gradients_;
    if (at_once) {
      each_block_with_gradients(k, [&](const KeyBlock<S>& block, RowGradients<S>& dk) {
        visit(q, k, numbers, loss_of, block, [&](auto& walk, const Loss& loss) {
          if constexpr (independent) {
            walk.observe_and_differentiate(loss, rows, extremes, gradients_[at(q)], dk);
          }
        });
      });
    } else {
      team_.agree([&] {
        rounds(k).each_block([&](const KeyBlock<S>& block) {
          visit(q, k, numbers, loss_of, block,
                [&](auto& walk, const Loss& loss) { walk.observe(loss, rows, extremes); });
        });
      });
    }
    for (Index i = 0; i < n; ++i) {
      any.close(rows[i], i);
      extremes[i].add_to(seen);
    }
    fold(seen, d);
    if (wants_gradients_ && !at_once) differentiate(q, k, numbers, loss_of, rows);
    return rows;
  }

  /// A round of scores that only folds into rows, which are the caller's.
  template <class LossOf, class Row>
  void observe(int q, int k, KeyNumbers numbers, const LossOf& loss_of, Row* rows, Diagnostics& d) {
    Extremes<S, K>* extremes = nullptr;
    const Index n = prepared_[at(q)].rows;
    team_.agree([&] {
      extremes = scratch_->template take<Extremes<S, K>>(n);
      for (Index i = 0; i < n; ++i) extremes[i] = {};
      begin_rounds(k);
    });
    team_.agree([&] {
      rounds(k).each_block([&](const KeyBlock<S>& block) {
        visit(q, k, numbers, loss_of, block,
              [&](auto& walk, const auto& loss) { walk.observe(loss, rows, extremes); });
      });
    });
    Diagnostics seen;
    for (Index i = 0; i < n; ++i) extremes[i].add_to(seen);
    fold(seen, d);
  }

  /// A round of scores and the gradients that go with them.
  template <class LossOf, class Row>
  void differentiate(int q, int k, KeyNumbers numbers, const LossOf& loss_of, Row* rows) {
    team_.agree([&] { begin_rounds(k); });
    const auto weigh = [&](const KeyBlock<S>& block, RowGradients<S>& dk) {
      visit(q, k, numbers, loss_of, block, [&](auto& walk, const auto& loss) {
        walk.differentiate(loss, rows, gradients_[at(q)], dk);
      });
    };
    each_block_with_gradients(k, weigh);
  }

  /// A round of blocks of set k: body(block, prepared rows of it, gradients of them if wanted).
  template <class Body>
  void each_block(int k, const Body& body) {
    team_.agree([&] { begin_rounds(k); });
    each_block_with_gradients(k, [&](const KeyBlock<S>& block, RowGradients<S>& dk) {
      const ScratchLoan loan(*scratch_);
      body(block, prepare(*scratch_, threads_, kernel_, block.rows, false, centre_), dk);
    });
  }

  /// For labelled sets: how many positives and negatives each own row has among all keys.
  void count_pairs(Index* positives, Index* negatives) {
    std::fill_n(positives, rows(0), Index(0));
    std::fill_n(negatives, rows(0), Index(0));
    labels_only_ = shards_.back();
    labels_only_.cols = 0;
    labels_only_.rows = Rows<S>(nullptr, rows(sets - 1), 0);
    std::optional<Rounds<S>> numbers;
    team_.agree(
        [&] { numbers.emplace(*scratch_, team_, where_.schedule, labels_only_, false, false); });
    team_.agree([&] {
      numbers->each_block([&](const KeyBlock<S>& block) {
        const ScratchLoan loan(*scratch_);
        count_pairs_with(block, positives, negatives);
      });
    });
  }

  /// Makes value and values of own rows' value_of(i), by the global reduction; counts must be
  /// global by then, see Team::combine.
  template <class ValueOf>
  void reduce(Reduction reduction, Index count, const ValueOf& value_of, Result& result) const {
    if (reduction == Reduction::none) {
      team_.agree([&] { result.values.resize(static_cast<std::size_t>(count)); });
      for (Index i = 0; i < count; ++i) result.values[static_cast<std::size_t>(i)] = value_of(i);
    }
    const double sum = sum_over_all(count, value_of);
    if (!std::isfinite(sum)) fail_value_overflow(sum);
    result.value = sum * reduction_scale(reduction, result.diagnostics);
  }

  /// The sum of own rows' number_of(i) over all rows of all processes.
  template <class NumberOf>
  double sum_over_all(Index count, const NumberOf& number_of) const {
    double sum = 0;
    team_.sum_in_order(&sum, 1, [&] {
      for (Index i = 0; i < count; ++i) sum += number_of(i);
    });
    return sum;
  }

  /// Gradients times `scale` into the caller's buffers.
  void hand_back(double scale) {
    if (!wants_gradients_) return;
    if (where_.gradients == GradientScale::for_averaging) scale *= team_.size();
    team_.agree([&] {
      for (int k = 0; k < sets; ++k) {
        if (!gradients_[at(k)].wanted()) continue;
        if (sets == 1) add_from_others();
        if (!all_finite(threads_, prepared_[at(k)], gradients_[at(k)])) {
          fail_gradient_overflow(sets_[at(k)].name());
        }
      }
    });
    for (int k = 0; k < sets; ++k) {
      if (gradients_[at(k)].wanted()) {
        pull_through_geometry<K>(threads_, prepared_[at(k)], gradients_[at(k)], scale);
      }
    }
    team_.agree([&] { open(); });
    for (int k = 0; k < sets; ++k) {
      Index first = 0;
      for (Piece<S>& piece : sets_[at(k)].pieces) {
        hand_out_piece(k, first, piece);
        first += piece.rows.rows();
      }
    }
  }

 private:
  static constexpr std::size_t at(int k) { return static_cast<std::size_t>(k); }
  /// A function, for objects of one instruction set offer each other functions alone
  /// (cmake/isolate_objects.cmake).
  static constexpr bool weighted() { return K::geometry == Geometry::squared_distance; }

  // ---- before -------------------------------------------------------------------------------

  void introduce(Introduction& own, const CallOptions<S>& call) {
    if (call.d_parameter.wanted()) {
      fail_argument("d_parameter", "a kernel with a matrix, in a call of one process",
                    "a sharded call");
    }
    Index cols = -1;
    for (int k = 0; k < sets; ++k) {
      ShardedSet<S>& set = sets_[at(k)];
      own.rows[at(k)] = set.rows();
      own.wants_gradient[at(k)] = wants_gradients_ && set.wants_gradient();
      if (cols < 0) cols = set.cols();
      for (const Piece<S>& piece : set.pieces) check_piece(piece, cols);
      if (set.labelled) check_label_count("labels", set.labels, set.rows());
      if (set.has_ids) check_label_count("ids", set.ids, set.rows());
    }
    own.cols = std::max<Index>(cols, 0);
  }

  void check_piece(const Piece<S>& piece, Index cols) const {
    const Rows<S>& rows = piece.rows;
    if (rows.rows() == 0) return;  // may come without columns
    if (rows.cols() != cols) {
      fail_shape(piece.name, rows.rows(), cols, rows.rows(), rows.cols());
    }
    if (cols == 0) fail_argument(piece.name, "rows of at least one element", "0 columns");
    check_finite(piece.name, rows, threads_);
    piece.gradient.check_shape(("d_" + std::string(piece.name)).c_str(), rows.rows(), rows.cols());
  }

  /// A set's own rows in one piece, and its shape on all processes.
  void lay_out(int k) {
    const ShardedSet<S>& set = sets_[at(k)];
    Shard<S>& shard = shards_[at(k)];
    shard.cols = cols_;
    shard.labelled = set.labelled;
    shard.has_ids = set.has_ids;
    shard.labels = set.labels;
    shard.ids = set.ids;
    const Index n = set.rows();
    if (set.pieces.size() == 1 && n > 0) {
      shard.rows = set.pieces.front().rows;
      return;
    }
    S* data = scratch_->template take<S>(n * cols_);
    shard.rows = Rows<S>(data, n, cols_);
    for (const Piece<S>& piece : set.pieces) {
      copy_padded(piece.rows, static_cast<const S*>(nullptr), threads_, data, cols_,
                  piece.rows.rows());
      data += piece.rows.rows() * cols_;
    }
  }

  /// The mean of all rows of all sets, as in a call of one process.
  void find_centre(double* sums) {
    std::fill_n(sums, cols_, 0.0);
    Index count = 0;
    for (int k = 0; k < sets; ++k) {
      team_.sum_in_order(sums, cols_,
                         [&] { add_column_sums(shards_[at(k)].rows, threads_, sums); });
      count += all_rows(k);
    }
    S* centre = nullptr;
    team_.agree([&] { centre = scratch_->template take<S>(cols_); });
    for (Index c = 0; c < cols_; ++c) {
      centre[c] = static_cast<S>(sums[c] / static_cast<double>(std::max<Index>(count, 1)));
    }
    centre_ = centre;
  }

  void check_overflow() const {
    const std::array<double, 2> own = {prepared_.front().largest_norm,
                                       prepared_.back().largest_norm};
    std::array<double, 2> most = {0, 0};
    for (const auto& norms : team_.everyone(own)) {
      for (std::size_t k = 0; k < 2; ++k) most[k] = std::max(most[k], norms[k]);
    }
    // Half of the range is left for the sums of the gradient.
    if (most[0] * most[1] > static_cast<double>(std::numeric_limits<S>::max()) / 2) {
      fail_overflow(sets_.front().name(), sets_.back().name());
    }
  }

  // ---- walks --------------------------------------------------------------------------------

  void begin_rounds(int k) {
    if (rounds_[at(k)]) return;
    rounds_[at(k)].emplace(*scratch_, team_, where_.schedule, shards_[at(k)], wanted_[at(k)],
                           weighted());
  }
  Rounds<S>& rounds(int k) { return *rounds_[at(k)]; }

  /// look(block, gradients of its rows), which are not wanted where nobody wants those of the set.
  template <class Look>
  void each_block_with_gradients(int k, const Look& look) {
    team_.agree([&] {
      if (wanted_[at(k)]) {
        rounds(k).each_block(to_others(k), look);
      } else {
        RowGradients<S> nobody;
        rounds(k).each_block([&](const KeyBlock<S>& block) { look(block, nobody); });
      }
    });
  }

  /// Where what others find about own keys is added.
  RowGradients<S>& to_others(int k) { return sets == 1 ? from_others_ : gradients_[at(k)]; }

  template <class LossOf, class Body>
  void visit(int q, int k, KeyNumbers numbers, const LossOf& loss_of, const KeyBlock<S>& block,
             const Body& body) {
    if (block.rows.rows() == 0) return;
    const ScratchLoan loan(*scratch_);
    const PreparedRows<S> keys = prepare(*scratch_, threads_, kernel_, block.rows, false, centre_);
    const ShardedSet<S>& own = sets_[at(q)];
    Relation<S> relation;
    if (own.labelled) relation = Relation<S>(*scratch_, Tags(own.labels), Tags(block.labels));
    Exclusions exclusions;
    if (own.has_ids) exclusions = Exclusions(*scratch_, own.ids, block.ids);
    const bool same = sets == 1 && block.has_own;
    const Index number = numbers == KeyNumbers::from_own ? block.first - first_row(k) : 0;
    Walk<S, K> walk(*scratch_, threads_, kernel_, prepared_[at(q)], keys,
                    same ? Pairing::others : Pairing::all, exclusions, {number, block.own});
    body(walk, loss_of(relation, block));
  }

  static void fold(const Diagnostics& seen, Diagnostics& d) {
    d.zero_distances += seen.zero_distances;
    d.smallest_score = std::min(d.smallest_score, seen.smallest_score);
    d.largest_score = std::max(d.largest_score, seen.largest_score);
  }

  void count_pairs_with(const KeyBlock<S>& block, Index* positives, Index* negatives) {
    const ShardedSet<S>& own = sets_[0];
    S* key_code = nullptr;
    const Classes<S> classes = classify<S>(*scratch_, own.labels, block.labels, key_code);
    const Exclusions exclusions =
        own.has_ids ? Exclusions(*scratch_, own.ids, block.ids) : Exclusions();
    for (Index i = 0; i < rows(0); ++i) {
      Index same = classes.members[i];
      Index left_out_same = 0;
      Index left_out = 0;
      const auto leave_out = [&](Index j) {
        ++left_out;
        left_out_same += block.labels[j] == own.labels[i] ? 1 : 0;
      };
      if (own.has_ids) {
        exclusions.each(i, leave_out);
      } else if (sets == 1 && block.has_own) {
        leave_out(i + block.own);
      }
      positives[i] += same - left_out_same;
      negatives[i] += block.labels.size() - same - (left_out - left_out_same);
    }
  }

  // ---- after --------------------------------------------------------------------------------

  void add_from_others() {
    const PreparedRows<S>& x = prepared_[0];
    add(from_others_.data, x.rows * x.stride, gradients_[0].data);
    for (Index i = 0; i < x.rows; ++i) gradients_[0].weight[i] += from_others_.weight[i];
  }

  void open() {
    std::vector<Output<S>> outputs;
    for (ShardedSet<S>& set : sets_) {
      for (Piece<S>& piece : set.pieces) {
        outputs.push_back({&piece.gradient, piece.rows.rows(), cols_});
      }
    }
    open_all(std::span<const Output<S>>(outputs));
  }

  void hand_out_piece(int k, Index first, const Piece<S>& piece) const {
    if (!piece.gradient.wanted()) return;
    const PreparedRows<S>& x = prepared_[at(k)];
    for (Index i = 0; i < piece.rows.rows(); ++i) {
      const S* from = gradients_[at(k)].data + (first + i) * x.stride;
      S* to = piece.gradient.row(i);
      for (Index c = 0; c < cols_; ++c) {
        to[c] = piece.gradient.accumulates() ? to[c] + from[c] : from[c];
      }
    }
  }

  const Sharding where_;
  Team team_;
  std::optional<Scratch> scratch_;
  int threads_ = 1;
  const K& kernel_;
  Sets& sets_;
  bool wants_gradients_;
  std::vector<Introduction> introductions_;
  Index cols_ = 0;
  std::array<bool, static_cast<std::size_t>(sets)> wanted_ = {};  ///< gradients, by anyone
  std::array<Shard<S>, static_cast<std::size_t>(sets)> shards_;
  Shard<S> labels_only_;
  const S* centre_ = nullptr;
  const Relation<S> none_{};
  std::array<PreparedRows<S>, static_cast<std::size_t>(sets)> prepared_;
  std::array<RowGradients<S>, static_cast<std::size_t>(sets)> gradients_;
  RowGradients<S> from_others_;  ///< for one set: what its rows are as keys
  std::array<std::optional<Rounds<S>>, static_cast<std::size_t>(sets)> rounds_;
};

}  // namespace nearfar::detail
