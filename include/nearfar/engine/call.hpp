#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "nearfar/core/compiled_once.hpp"
#include "nearfar/core/inputs.hpp"
#include "nearfar/core/instruction_set.hpp"
#include "nearfar/core/opening.hpp"
#include "nearfar/core/portable_math.hpp"
#include "nearfar/core/reduce.hpp"
#include "nearfar/engine/common_centre.hpp"
#include "nearfar/engine/finite.hpp"
#include "nearfar/engine/labelled_rows.hpp"
#include "nearfar/engine/one_sided_pass.hpp"
#include "nearfar/engine/packed_rows.hpp"
#include "nearfar/engine/two_sided_pass.hpp"

/// \file
/// The frame of a call, the same for every loss: checks, packing of the sets of rows, score passes,
/// and the scattering of their gradients.

namespace nearfar::detail {

/// The side of a kernel on which a set of rows is. It decides whether the kernel's matrix applies.
enum class Side { query, key };

template <class S>
bool maps(const KernelValue<S>& kernel, Side side) {
  return side == Side::query ? kernel.maps_queries : kernel.maps_keys;
}

/// The number of elements that the kernel's matrix needs of rows on one side; -1 without a matrix.
template <class S>
Index wanted_cols(const KernelValue<S>& kernel, Side side) {
  if (!kernel.is_parametric()) return -1;
  const Rows<S>& p = kernel.parameter;
  return maps(kernel, side) ? p.cols() : p.rows();
}

/// Rows of the caller and, if wanted, the destination of their gradient.
template <class S>
struct NamedRows {
  const char* name;
  Rows<S> rows;
  GradientRows<S> gradient = {};
  KeptRows kept = {};                ///< those that take part; by default all
  Element stored = Element::scalar;  ///< how the caller stores the rows
};

/// One call of a loss. In order: `add` its sets of rows, `check`, `pack`, run score passes over
/// `rows` that add to `gradients`, `scatter`.
template <class S>
class Call {
 public:
  static constexpr int most_sets = 4;

  /// The kernel must outlive the call. Throws std::invalid_argument if the Workspace is in use.
  template <int sets>
  Call(const KernelValue<S>& kernel, Reduction reduction, const Inputs<S, sets>& inputs)
      : scratch_(inputs.options.workspace),
        threads_(available_threads(scratch_.threads())),
        kernel_(kernel),
        reduction_(reduction),
        wants_gradients_(inputs.wants_gradients),
        upstream_(inputs.options.upstream),
        products_(inputs.options.products),
        d_parameter_(inputs.options.d_parameter) {}

  Scratch& scratch() { return scratch_; }
  int threads() const { return threads_; }
  const KernelValue<S>& kernel() const { return kernel_; }
  Reduction reduction() const { return reduction_; }
  bool wants_gradients() const { return wants_gradients_; }
  const Upstream& upstream() const { return upstream_; }

  /// Adds a set of rows, of which a part may be kept.
  NEARFAR_COMPILED_ONCE void add(Side side, const NamedRows<S>& rows, const KeptRows& kept = {}) {
    add_set(side, {keep(rows, kept), {}}, 1);
  }
  /// Adds a set whose rows are normalised although the kernel is an inner product; rows of the
  /// other set are not.
  NEARFAR_COMPILED_ONCE void add_normalised(Side side, const NamedRows<S>& rows) {
    add(side, rows);
    sets_[static_cast<std::size_t>(count_ - 1)].geometry = Geometry::cosine;
  }
  /// Adds a set that may have no columns if it has no rows.
  NEARFAR_COMPILED_ONCE void add_optional(Side side, const NamedRows<S>& rows) {
    add(side, rows);
    sets_[static_cast<std::size_t>(count_ - 1)].optional = true;
  }
  /// Adds two sets as one, the rows of the first above those of the second.
  NEARFAR_COMPILED_ONCE void add_stacked(Side side, const NamedRows<S>& upper,
                                         const NamedRows<S>& lower, const KeptRows& kept = {}) {
    add_set(side, {keep(upper, kept), keep(lower, kept)}, 2);
  }
  /// Adds rows that the call computed from others after its checks, and that are finite. If any
  /// gradient is wanted theirs is, too: the loss propagates it to the rows they come from.
  NEARFAR_COMPILED_ONCE void add_made(Side side, const char* name, const Rows<S>& rows) {
    add_set(side, {NamedRows<S>{name, rows, {}, rows.rows()}, {}}, 1);
    sets_[static_cast<std::size_t>(count_ - 1)].made = true;
  }
  /// Adds queries and keys whose rows belong together. Throws unless their numbers are equal.
  NEARFAR_COMPILED_ONCE void add_pairs(const Inputs<S, 2>& inputs, const char* queries,
                                       const char* keys, const KeptRows& kept = {}) {
    add(Side::query, {queries, inputs.rows[0], inputs.gradients[0]}, kept);
    add(Side::key, {keys, inputs.rows[1], inputs.gradients[1]}, kept);
    check_same_rows();
  }
  /// Adds two views of each sample as one set. Throws unless their numbers are equal.
  NEARFAR_COMPILED_ONCE void add_views(const Inputs<S, 2>& inputs, const KeptRows& kept = {}) {
    add_stacked(Side::query, {"view1", inputs.rows[0], inputs.gradients[0]},
                {"view2", inputs.rows[1], inputs.gradients[1]}, kept);
    check_same_rows();
  }

  /// The largest factor of own terms from above, and factors in the unit of a larger one; after
  /// `check`.
  double largest_upstream() const { return upstream_.largest(terms_.count); }
  void take_upstream_unit(double largest) {
    if (!upstream_.is_scalar()) upstream_ = upstream_.in_units_of(largest);
  }
  /// Computes gradients of set k also if the caller does not want them; before `pack`.
  void need_gradient(int k) { set(k).needs_gradient = true; }

  /// Call it before `check` in a loss that takes Products::bfloat16 (see Bfloat16Use).
  void take_bfloat16_products() { takes_bfloat16_ = true; }

  /// Throws unless all sets have the same number of rows.
  NEARFAR_COMPILED_ONCE void check_same_rows() const {
    const Index first = set(0).pieces[0].kept.all;
    each_piece([&](const Set& of, const NamedRows<S>& piece) {
      if (piece.kept.all == first) return;
      fail_shape(piece.name, first, cols_of(of), piece.kept.all, piece.rows.cols());
    });
  }

  /// Throws unless rows fit the kernel and each other and are finite, the upstream fits (one
  /// number, or one for each of the caller's `terms` with Reduction::none), and so do the buffers
  /// of gradients. That elements are finite is left to `pack` where it computes the norms of rows.
  NEARFAR_COMPILED_ONCE void check(const KeptRows& terms) {
    terms_ = terms;
    check_shapes();
    check_products_option();
    check_elements([&](const Set& of) { return !is_checked_by_packing(of); });
    if (kernel_.is_parametric()) check_finite("kernel parameter", kernel_.parameter, threads_);
    if (!wants_gradients_) return;
    check_upstream(upstream_, reduction_, terms.all);
    upstream_ = of_kept(scratch_, upstream_, terms);
    if (!upstream_.is_scalar()) upstream_ = upstream_.in_units_of(upstream_.largest(terms.count));
    each_piece([](const Set&, const NamedRows<S>& piece) {
      const std::string of = piece.name;
      const std::string name = (of.size() == 1 ? "d" : "d_") + of;
      piece.gradient.check_shape(name.c_str(), piece.kept.all, piece.rows.cols());
    });
    const Rows<S>& p = kernel_.parameter;
    if (kernel_.is_parametric()) {
      d_parameter_.check_shape("d_parameter", p.rows(), p.cols());
    } else if (d_parameter_.wanted()) {
      fail_argument("d_parameter", "a kernel with a matrix (Mahalanobis, Bilinear)",
                    "a kernel without one");
    }
  }

  /// Throws unless those rows are finite, too, for a call that may use rows without packing them.
  NEARFAR_COMPILED_ONCE void check_before_packing() const {
    check_elements([&](const Set& of) { return is_checked_by_packing(of); });
  }

  /// Packs all sets and takes memory for the gradients that are wanted. Throws std::domain_error if
  /// a row is not finite, or if an inner product of a query and a key can overflow S.
  NEARFAR_COMPILED_ONCE void pack() {
    for (int k = 0; k < count_; ++k) {
      if (!packs_pieces(set(k))) stack(set(k));
    }
    give_up_threads();
    if (kernel_.centres_rows) centre_rows();
    std::array<Rows<S>, most_sets> all;
    for (int k = 0; k < count_; ++k) all[static_cast<std::size_t>(k)] = set(k).rows;
    const S* centre = nullptr;
    // A matrix on one side only does not map a difference of two rows.
    if (kernel_.is_distance() && kernel_.is_symmetric()) {
      centre =
          common_centre(scratch_, threads_,
                        std::span<const Rows<S>>(all.data(), static_cast<std::size_t>(count_)));
    }
    for (int k = 0; k < count_; ++k) {
      Set& one = set(k);
      pack(one, centre);
      if constexpr (std::is_same_v<S, float>) {
        if (products_ == Products::bfloat16) {
          one.packed.in_bfloat16 =
              bfloat16_rows(scratch_, threads_, one.rows, one.packed.inverse_norm);
        }
      }
    }
    if (kernel_.geometry == Geometry::inner_product) check_overflow();
    for (int k = 0; k < count_ && wants_gradients_; ++k) {
      Set& one = set(k);
      const bool through_parameter = d_parameter_.wanted() && maps(kernel_, one.side);
      if (one.wants_gradient() || one.needs_gradient || through_parameter ||
          (one.made && wants_any_gradient())) {
        one.gradients = take_gradients(scratch_, one.packed);
      }
    }
  }

  /// The kept rows of set k as the caller gave them, if the set has one piece.
  const Rows<S>& input(int k) const { return set(k).pieces[0].rows; }
  const PackedRows<S>& rows(int k) const { return sets_[static_cast<std::size_t>(k)].packed; }
  /// The factor of centred rows.
  double row_unit() const { return row_unit_; }
  /// The caller's terms that are terms of the call.
  const KeptRows& terms() const { return terms_; }

  // A call of one process has all rows; a call of one among many has its own, see ShardedCall. The
  // functions below are the same in both, so that one body of a loss serves either.

  /// The number of rows of set k in this process, in all, and in processes before this one.
  Index own_rows(int k) const { return rows(k).rows; }
  Index all_rows(int k) const { return rows(k).rows; }
  Index first_row(int) const { return 0; }

  /// Runs code that may throw on some processes only.
  template <class Body>
  void agree(const Body& body) const {
    body();
  }

  /// Leaves pairs of one id out of all runs that follow, given the ids of queries and of keys; see
  /// ExcludedPairs.
  NEARFAR_COMPILED_ONCE void leave_out(const Labels& queries, const Labels& keys) {
    excluded_ = ExcludedPairs(scratch_, queries, keys);
  }
  /// Keeps own row i's positive among them, own key column[i], or own key i if column is null.
  void keep_positives(const Index* column) { excluded_.keep_positives(column); }
  const ExcludedPairs& excluded() const { return excluded_; }

  /// Makes a Term of own rows of set k.
  template <class Term, class... Args>
  Term make(int k, const Args&... args) {
    return Term(scratch_, own_rows(k), args...);
  }

  /// Closes the rows of set q over those of set k.
  NEARFAR_COMPILED_ONCE void run(RowTerm<S>& term, int q, int k, Diagnostics& d) {
    OneSidedPass<S> pass(scratch_, threads_, kernel_, rows(q), rows(k), Pairing::all, excluded_);
    run(pass, term, q, k, d);
  }
  /// The same for a term whose gradients need a sum over all closed rows, which `between` computes
  /// before them.
  template <class Term, class Between>
  void run_in_two_sweeps(Term& term, int q, int k, Diagnostics& d, const Between& between) {
    if (wants_gradients_) {
      OneSidedPass<S> pass(scratch_, threads_, kernel_, rows(q), rows(k), Pairing::all, excluded_);
      Diagnostics again;  // the same scores
      pass.forward(term, again);
      between();
      run(pass, term, q, k, d);
      return;
    }
    run(term, q, k, d);
    between();
  }
  /// The same for queries that are the same on all processes.
  void run_same_queries(RowTerm<S>& term, int q, int k, Diagnostics& d) { run(term, q, k, d); }
  /// Closes the rows of set k over all others of the set.
  NEARFAR_COMPILED_ONCE void run_among_themselves(RowTerm<S>& term, Diagnostics& d, int k = 0) {
    TwoSidedPass<S> pass(scratch_, threads_, kernel_, rows(k), rows(k), excluded_);
    run(pass, term, term, k, k, d);
  }
  /// Closes the rows of sets 0 and 1, each over those of the other.
  NEARFAR_COMPILED_ONCE void run_both_ways(RowTerm<S>& of_queries, RowTerm<S>& of_keys,
                                           Diagnostics& d) {
    TwoSidedPass<S> pass(scratch_, threads_, kernel_, rows(0), rows(1), excluded_);
    run(pass, of_queries, of_keys, 0, 1, d);
  }

  /// body(block, keys, gradients) for the rows of set k, which are one block.
  template <class Body>
  void each_block(int k, const Body& body) {
    struct {
      Index first = 0;
    } const block;
    body(block, rows(k), gradients(k));
  }
  /// body(numbers, count) for the numbers of all rows of set 0, `width` a row, which are one block.
  template <class Body>
  void each_block_of_numbers(const double* own, Index, const Body& body) {
    body(own, own_rows(0));
  }
  /// The number of rows with which sums end that are not in the order of rows.
  Index order_grid() const { return std::numeric_limits<Index>::max(); }
  /// Throws unless inner products of sets a and b fit S, where they are the scores.
  NEARFAR_COMPILED_ONCE void check_products_of(int a, int b) const {
    if (kernel_.geometry != Geometry::inner_product) return;
    check_products<S>(set(a).name(), set(a).largest_norm(), set(b).name(), set(b).largest_norm());
  }

  /// The largest of a number of each process.
  double largest(double own) const { return own; }
  /// Turns counts of own rows into counts of all rows.
  void combine(Diagnostics&) const {}
  /// The sum of number_of(i) over all rows, with own rows i = 0 .. count - 1.
  template <class NumberOf>
  double sum(Index count, const NumberOf& number_of) const {
    double sum = 0;
    for (Index i = 0; i < count; ++i) sum += number_of(i);
    return sum;
  }

  /// Sums over all rows: `add` adds own rows to `sums`, which are 0 before. `merge(sums, more)`
  /// merges those of two sets of rows where they are no plain sums.
  template <class T, class Add, class... Merge>
  void sum_over_rows(T*, Index, const Add& add, const Merge&...) const {
    add();
  }

  /// Gradients of packed rows, before `scale`; not wanted() if they are not.
  RowGradients<S>& gradients(int k) { return set(k).gradients; }

  /// Runs a one-sided pass of set q over set k.
  template <class Pass>
  void run(Pass& pass, RowTerm<S>& term, int q, int k, Diagnostics& d) {
    if (wants_gradients_) {
      pass.forward_backward(term, gradients(q), gradients(k), d);
    } else {
      pass.forward(term, d);
    }
  }
  /// Runs a two-sided pass of sets q and k, which may be one set with one term.
  template <class Pass>
  void run(Pass& pass, RowTerm<S>& of_queries, RowTerm<S>& of_keys, int q, int k, Diagnostics& d) {
    if (wants_gradients_) {
      pass.forward_backward(of_queries, of_keys, gradients(q), gradients(k), d);
    } else {
      pass.forward(of_queries, of_keys, d);
    }
  }

  /// Sets value and values from value_of(i), i = 0 .. terms - 1, by the reduction.
  template <class ValueOf>
  void reduce(Index terms, const ValueOf& value_of, Result& result) const {
    reduce_rows(reduction_, terms_.are_all() ? KeptRows(terms) : terms_, value_of, result);
  }

  /// Opens one more output together with the gradients, in `scatter`; the caller fills it then. It
  /// must outlive the call of `scatter`.
  void open_with_gradients(GradientRows<S>& output, Index rows, Index cols) {
    further_ = {&output, rows, cols};
  }

  /// The factor of all gradients, after the terms are counted.
  double scale(const Diagnostics& d) const { return gradient_scale(reduction_, d, upstream_); }

  /// Applies the chain rule and `scale`, and writes to the caller's buffers. Throws
  /// std::domain_error if the sums overflowed S, std::bad_alloc if memory runs out; no buffer has
  /// then changed.
  NEARFAR_COMPILED_ONCE void scatter(double scale) {
    if (!wants_gradients_) return;
    prepare_outputs(scale);
    write_outputs();
  }

  /// The two parts of `scatter`: all that can fail, and after it what cannot.
  NEARFAR_COMPILED_ONCE void prepare_outputs(double scale) {
    if (row_unit_ != 1) scale = saturated<double>(scale * row_unit_);
    scale_ = scale;
    for (int k = 0; k < count_; ++k) {
      if (gradients(k).wanted() && !finish_sums(threads_, set(k).geometry, rows(k), gradients(k))) {
        fail_gradient_overflow(set(k).name());
      }
    }
    S*& parameter = parameter_gradient_;
    const Rows<S>& p = kernel_.parameter;
    const Index parameter_stride = padded_stride<S>(p.cols());
    if (d_parameter_.wanted()) {
      const Index size = round_up(p.rows(), panel_rows) * parameter_stride;
      parameter = scratch_.template take<S>(size);
      std::fill_n(parameter, size, S(0));
    }
    for (int k = 0; k < count_; ++k) {
      if (!gradients(k).wanted() || !set(k).chains_first(kernel_)) continue;
      chain_through_geometry(threads_, set(k).geometry, rows(k), gradients(k), scale);
      if (parameter != nullptr && maps(kernel_, set(k).side)) {
        add_parameter_gradient(threads_, p, rows(k), gradients(k), parameter);
      }
    }
    if (parameter != nullptr &&
        !row_loops<S>().all_finite(p.rows() * parameter_stride, parameter)) {
      fail_gradient_overflow("kernel parameter");
    }
    for (int k = 0; k < count_; ++k) {
      if (!set(k).wants_gradient() || !set(k).chains_first(kernel_)) continue;
      set(k).result = chain_through_parameter(scratch_, threads_, p, rows(k),
                                              maps(kernel_, set(k).side), gradients(k));
    }
    each_output([&](int, const InputGradients<S>& from, Index first, const NamedRows<S>& piece) {
      check_piece_fits(threads_, from, first, piece);
    });
    for (Index r = 0; r < p.rows() && parameter != nullptr; ++r) {
      if (!fits(d_parameter_, r, p.cols(), parameter + r * parameter_stride)) {
        fail_half_overflow("kernel parameter");
      }
    }
    open_outputs();
  }
  NEARFAR_COMPILED_ONCE void write_outputs() {
    each_output([&](int k, const InputGradients<S>& from, Index first, const NamedRows<S>& piece) {
      if (from.data != nullptr) {
        scatter_piece(threads_, from, first, piece);
      } else {
        chain_piece(k, scale_, first, piece);
      }
    });
    if (parameter_gradient_ == nullptr) return;
    const Rows<S>& p = kernel_.parameter;
    for (Index r = 0; r < p.rows(); ++r) {
      write_row(d_parameter_, r, p.cols(), parameter_gradient_ + r * padded_stride<S>(p.cols()));
    }
  }

 private:
  struct Set {
    Side side = Side::query;
    std::array<NamedRows<S>, 2> pieces;
    int piece_count = 0;
    bool optional = false;                        ///< may have no columns
    bool made = false;                            ///< computed by the call from other rows
    Geometry geometry = Geometry::inner_product;  ///< the kernel's, unless rows are normalised
    Rows<S> rows;                                 ///< of all pieces, unless packed from these
    PackedRows<S> packed;
    RowGradients<S> gradients;
    InputGradients<S> result = {};  ///< where the chain rule is taken before outputs are opened
    bool needs_gradient = false;    ///< although the caller does not want it

    const char* name() const { return pieces[0].name; }
    /// The number of rows of all pieces.
    Index given_rows() const { return pieces[0].rows.rows() + pieces[1].rows.rows(); }
    double largest_norm() const { return geometry == Geometry::cosine ? 1 : packed.largest_norm; }
    bool wants_gradient() const {
      return pieces[0].gradient.wanted() || pieces[1].gradient.wanted();
    }
    /// Whether the chain rule is taken before any output is opened: for the kernel's matrix, or
    /// because the caller's type may not hold what it gives.
    bool chains_first(const KernelValue<S>& kernel) const {
      return kernel.is_parametric() || may_overflow(pieces[0].gradient) ||
             may_overflow(pieces[1].gradient);
    }
  };

  Set& set(int k) { return sets_[static_cast<std::size_t>(k)]; }
  const Set& set(int k) const { return sets_[static_cast<std::size_t>(k)]; }

  NamedRows<S> keep(const NamedRows<S>& rows, const KeptRows& kept) {
    NamedRows<S> out = rows;
    // If the numbers do not fit, a later check throws for all rows.
    out.kept = kept.all == rows.rows.rows() ? kept : KeptRows(rows.rows.rows());
    out.stored = rows.rows.element();
    out.rows = gather(scratch_, threads_, rows.rows, out.kept);
    return out;
  }

  bool wants_any_gradient() const {
    return std::any_of(sets_.begin(), sets_.begin() + count_,
                       [](const Set& one) { return one.wants_gradient(); });
  }

  void add_set(Side side, const std::array<NamedRows<S>, 2>& pieces, int piece_count) {
    Set& one = set(count_++);
    one.side = side;
    one.geometry = kernel_.geometry;
    one.pieces = pieces;
    one.piece_count = piece_count;
  }

  /// Calls body(set, piece) for all pieces of all sets.
  template <class Body>
  void each_piece(const Body& body) const {
    for (int k = 0; k < count_; ++k) {
      for (int piece = 0; piece < set(k).piece_count; ++piece) {
        body(set(k), set(k).pieces[static_cast<std::size_t>(piece)]);
      }
    }
  }

  /// body(k, gradients after the chain rule, first, piece) for each output: the gradient of a piece
  /// is that of rows `first` and on of its set.
  template <class Body>
  void each_output(const Body& body) const {
    for (int k = 0; k < count_; ++k) {
      if (!set(k).wants_gradient()) continue;
      Index first = 0;
      for (int piece = 0; piece < set(k).piece_count; ++piece) {
        const NamedRows<S>& one = set(k).pieces[static_cast<std::size_t>(piece)];
        body(k, set(k).result, first, one);
        first += one.rows.rows();
      }
    }
  }

  /// The number of elements of a set's rows: that of the kernel, or that of the first set.
  Index cols_of(const Set& one) const {
    const Index fitting = wanted_cols(kernel_, one.side);
    return fitting >= 0 ? fitting : set(0).pieces[0].rows.cols();
  }

  void check_shapes() const {
    each_piece([&](const Set& of, const NamedRows<S>& piece) {
      const Rows<S>& rows = piece.rows;
      if (of.optional && rows.rows() == 0) return;
      const Index wanted = cols_of(of);
      if (rows.cols() != wanted) {
        fail_shape(piece.name, rows.rows(), wanted, rows.rows(), rows.cols());
      }
      if (rows.rows() > 0 && wanted == 0) {
        fail_argument(piece.name, "rows of at least one element", "0 columns");
      }
    });
  }

  /// A row is finite if its norm is.
  bool is_checked_by_packing(const Set& of) const {
    return of.geometry == Geometry::cosine && !kernel_.centres_rows && !maps(kernel_, of.side);
  }
  /// Throws unless the rows of the sets with is_meant(set) are finite.
  template <class IsMeant>
  void check_elements(const IsMeant& is_meant) const {
    each_piece([&](const Set& of, const NamedRows<S>& piece) {
      if (is_meant(of)) check_finite(piece.name, piece.rows, threads_);
    });
  }

  void check_products_option() const {
    if (!takes_bfloat16_) refuse_bfloat16(products_);
    if (products_ != Products::bfloat16) return;
    if (std::is_same_v<S, double>) fail_bfloat16("and a loss of double");
    if (!has_bfloat16_products()) {
      fail_bfloat16("which needs AVX-512 BF16 and the instruction set avx512");
    }
    if (kernel_.is_parametric() || kernel_.is_distance()) {
      fail_bfloat16("which takes an inner product or a cosine");
    }
    each_piece([&](const Set& of, const NamedRows<S>& piece) {
      if (of.optional && piece.rows.rows() == 0) return;
      if (piece.stored == Element::bfloat16) return;
      fail_bfloat16((std::string("and rows of another type: ") + piece.name).c_str());
    });
  }

  /// Whether the pieces of a set are packed from where they lie.
  bool packs_pieces(const Set& of) const {
    return is_checked_by_packing(of) && products_ != Products::bfloat16;
  }

  void pack(Set& one, const S* centre) {
    if (packs_pieces(one)) {
      one.packed = pack_normalised(scratch_, threads_, one.pieces[0].rows, one.pieces[1].rows);
    } else {
      KernelValue<S> kernel = kernel_;
      kernel.geometry = one.geometry;
      one.packed =
          detail::pack(scratch_, threads_, kernel, one.rows, maps(kernel_, one.side), centre);
    }
    if (one.packed.finite) return;
    check_before_packing();
    fail_overflow(one.name(), "kernel parameter");
  }

  /// Copies the pieces of a set to one place.
  void stack(Set& one) {
    one.rows = one.pieces[0].rows;
    if (one.piece_count == 1) return;
    const Rows<S>& upper = one.pieces[0].rows;
    const Rows<S>& lower = one.pieces[1].rows;
    const Index cols = upper.cols();
    S* data = scratch_.template take<S>((upper.rows() + lower.rows()) * cols);
    const S* no_centre = nullptr;
    copy_padded(upper, no_centre, threads_, data, cols, upper.rows());
    copy_padded(lower, no_centre, threads_, data + upper.rows() * cols, cols, lower.rows());
    one.rows = Rows<S>(data, upper.rows() + lower.rows(), cols);
  }

  /// Subtracts from each row the mean of its elements, in a unit in which the largest remaining
  /// element is about 1, so that the result is in S's range for rows of any length.
  void centre_rows() {
    double largest = 0;
    for (int k = 0; k < count_; ++k) {
      set(k).rows = as_scalars(scratch_, threads_, set(k).rows);
      largest = std::max(largest, largest_half_above_mean(set(k).rows));
    }
    row_unit_ = unit_of_centred_rows(largest);
    for (int k = 0; k < count_; ++k) {
      set(k).rows = without_own_means(scratch_, threads_, set(k).rows, row_unit_);
    }
  }

  /// Uses fewer threads if they would wait longer than they work.
  void give_up_threads() {
    constexpr double worthwhile = 1e6;  // multiply-adds a thread, in one product of the call
    const Index queries = set(0).given_rows();
    Index keys = count_ == 1 ? queries : 0;
    for (int k = 1; k < count_; ++k) keys += set(k).given_rows();
    const double work = static_cast<double>(queries) * static_cast<double>(keys) *
                        static_cast<double>(set(0).pieces[0].rows.cols());
    if (work < worthwhile * threads_) threads_ = 1 + static_cast<int>(work / worthwhile);
  }

  void check_overflow() const {
    for (int q = 0; q < count_; ++q) {
      for (int k = 0; k < count_; ++k) {
        if (set(q).side != Side::query || (set(k).side != Side::key && count_ > 1)) continue;
        check_products<S>(set(q).name(), set(q).largest_norm(), set(k).name(),
                          set(k).largest_norm());
      }
    }
  }

  void open_outputs() {
    std::array<Output<S>, 2 * most_sets + 1> outputs;
    std::size_t count = 0;
    for (int k = 0; k < count_; ++k) {
      for (int piece = 0; piece < set(k).piece_count; ++piece) {
        NamedRows<S>& one = set(k).pieces[static_cast<std::size_t>(piece)];
        outputs[count++] = {&one.gradient, one.kept.all, one.rows.cols()};
      }
    }
    outputs[count++] = {&d_parameter_, kernel_.parameter.rows(), kernel_.parameter.cols()};
    open_all(std::span<const Output<S>>(outputs.data(), count),
             std::span<const Output<S>>(&further_, further_.rows != nullptr ? 1 : 0));
  }

  /// Applies the geometry's chain rule to set k's gradients and writes them out, in one step.
  void chain_piece(int k, double scale, Index first, const NamedRows<S>& piece) const {
    if (!piece.gradient.wanted()) return;
    const PackedRows<S>& x = set(k).packed;
    const RowGradients<S>& g = set(k).gradients;
    const GradientRows<S>& out = piece.gradient;
    const bool direct = !out.accumulates() && out.element() == Element::scalar;
    clear_others(piece.kept, out);
    each_row(piece.rows.rows(), threads_, [&](Index i) {
      S* const own = g.data + (first + i) * x.stride;
      chain_row(set(k).geometry, x, g, scale, first + i, direct ? out.row(piece.kept[i]) : own);
      if (!direct) write_row(out, piece.kept[i], piece.rows.cols(), own);
    });
  }

  Scratch scratch_;
  int threads_;
  const KernelValue<S>& kernel_;
  Reduction reduction_;
  bool wants_gradients_;
  Upstream upstream_;
  Products products_;
  bool takes_bfloat16_ = false;
  KeptRows terms_;
  GradientRows<S> d_parameter_;
  std::array<Set, most_sets> sets_;
  int count_ = 0;
  Output<S> further_ = {};
  double row_unit_ = 1;
  double scale_ = 1;                 ///< of prepared outputs
  S* parameter_gradient_ = nullptr;  ///< likewise
  ExcludedPairs excluded_;
};

#ifndef NEARFAR_HEADER_ONLY
extern template class Call<float>;
extern template class Call<double>;
#endif

}  // namespace nearfar::detail
