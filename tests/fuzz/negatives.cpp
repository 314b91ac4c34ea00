#include <nearfar/losses/in_batch_info_nce.hpp>
#include <nearfar/losses/info_nce.hpp>

#include "fuzz/promises.hpp"
#include "support/in_batch_oracle.hpp"

/// InfoNCE with all that its calls take besides queries and keys: ids, rows without a label,
/// positives by number, shared negatives and each query's own, with offsets and ids; and
/// InBatchInfoNce with directions, hardness, false negatives, guides and sampling probabilities.
/// The promises are those of `losses`; with inner products in double plain loops give the value,
/// the counts and the gradients.

namespace {

using fuzz::Answer;
using fuzz::Bytes;
using fuzz::Index;
using fuzz::Matrix;
using fuzz::require;
using fuzz::Strided;
using nearfar::Negatives;
using nearfar::Reduction;
using nearfar::Targets;
using oracle::Real;

/// Few numbers, and once in a while one too few of them.
template <class Draw>
auto drawn(Bytes& bytes, Index count, const Draw& draw) {
  if (bytes.below(32) == 31 && count > 0) --count;
  std::vector<decltype(draw())> out;
  for (Index i = 0; i < count; ++i) out.push_back(draw());
  return out;
}
std::vector<int> some_ids(Bytes& bytes, Index count) {
  return drawn(bytes, count, [&] { return bytes.below(6); });
}

/// Negatives of one of three forms, with ids or without.
template <class S>
struct SomeNegatives {
  enum class Form { shared, same_number, any_number };

  SomeNegatives(Bytes& bytes, Form form, Index queries, Index cols, bool hard) : its(form) {
    Index count = bytes.below(7);
    if (form == Form::same_number) count = queries * bytes.below(4);
    if (form == Form::any_number) {
      count = 0;
      offsets.push_back(0);
      for (Index i = 0; i < queries; ++i) offsets.push_back(count += bytes.below(4));
      if (bytes.below(32) == 31) offsets[static_cast<std::size_t>(queries / 2)] -= 1;
    } else if (bytes.below(32) == 31) {
      ++count;
    }
    rows = bytes.rows<S>(count, cols, hard);
    with_ids = bytes.flag();
    if (!with_ids) return;
    ids = some_ids(bytes, count);
    query_ids = some_ids(bytes, queries);
  }

  Negatives<S> view() const {
    Negatives<S> out = rows;
    if (its == Form::same_number) out = nearfar::per_query(rows);
    if (its == Form::any_number) out = nearfar::per_query(rows, offsets);
    return with_ids ? out.ids(ids, query_ids) : out;
  }
  bool are_of(Index query, Index negative, Index queries) const {
    const auto at = static_cast<std::size_t>(query);
    if (with_ids && ids[static_cast<std::size_t>(negative)] == query_ids[at]) return false;
    if (its == Form::shared) return true;
    if (its == Form::same_number) return negative / (rows.rows() / queries) == query;
    return negative >= offsets[at] && negative < offsets[at + 1];
  }

  Form its;
  bool with_ids = false;
  Matrix<S> rows;
  std::vector<Index> offsets;
  std::vector<int> ids;
  std::vector<int> query_ids;
};

// ---- against plain loops -----------------------------------------------------------------------

/// The rows of all sets, one after the other.
template <std::size_t sets>
Matrix<double> stacked(const std::array<const Matrix<double>*, sets>& all) {
  Index rows = 0;
  for (const Matrix<double>* m : all) rows += m->rows();
  Matrix<double> out(rows, all[0]->cols());
  rows = 0;
  for (const Matrix<double>* m : all) {
    if (m->rows() > 0) out.middleRows(rows, m->rows()) = *m;
    rows += m->rows();
  }
  return out;
}

/// `steepness`: the factor of a score's rounding error in the result.
template <std::size_t sets>
void expect_oracle(const Answer<double, sets>& got, const support::ScoreSlopes& want,
                   const Matrix<double>& rows, Reduction reduction, Real steepness) {
  if (reduction == Reduction::mean_nonzero) return;  // rounding errors may make a value 0
  constexpr Real rounding = 1e-13L;
  const auto terms = static_cast<Real>(want.values.size());
  require(got.result.diagnostics.terms == static_cast<std::int64_t>(want.values.size()),
          "the oracle's terms");
  if (terms == 0) return;
  const Real factor = reduction == Reduction::mean ? 1 / terms : 1;
  Real value = 0;
  for (const Real v : want.values) value += factor * v;
  require(std::abs(static_cast<Real>(got.result.value) - value) <=
              rounding * steepness * factor * terms + 1e-290L,
          "the oracle's value, " + std::to_string(static_cast<double>(value)) + ", not " +
              std::to_string(got.result.value));
  const oracle::Matrix x = oracle::exact(rows);
  const oracle::Matrix both = factor * (want.slopes + want.slopes.transpose());
  const oracle::Matrix gradient = both * x;
  const Real scale = (both.cwiseAbs() * x.cwiseAbs()).maxCoeff();
  if (!(scale < 1e200L)) return;  // it may saturate
  Index row = 0;
  for (const Matrix<double>& g : got.gradients) {
    for (Index i = 0; i < g.rows(); ++i, ++row) {
      for (Index k = 0; k < g.cols(); ++k) {
        require(std::abs(static_cast<Real>(g(i, k)) - gradient(row, k)) <=
                    100 * rounding * steepness * scale + 1e-290L,
                "the oracle's gradient");
      }
    }
  }
  require(row == rows.rows(), "gradients of all rows");
}

/// The largest sum of |x_k y_k| of two rows.
Real size_of_products(const Matrix<double>& rows) {
  const oracle::Matrix x = oracle::exact(rows).cwiseAbs();
  return (x * x.transpose()).maxCoeff();
}

/// Rows of a term, among all rows: a query, its positive and its negatives.
struct Term {
  Index query;
  Index positive;
  std::vector<Index> negatives;
};

/// -log(positive / (positive + negatives)) of inner products.
template <std::size_t sets>
void expect_terms(const Answer<double, sets>& got, const Matrix<double>& rows,
                  const std::vector<Term>& terms, const nearfar::InfoNceOptions& options) {
  if (rows.rows() == 0 || options.denominator != nearfar::Denominator::with_positive) return;
  const Real t = options.temperature;
  const Real steepness = 1 + size_of_products(rows) / t;
  if (!(steepness < 1e8L)) return;
  const oracle::Matrix x = oracle::exact(rows);
  const oracle::Matrix s = x * x.transpose();
  support::ScoreSlopes want(terms.size(), rows.rows());
  std::int64_t without_negative = 0;
  for (std::size_t i = 0; i < terms.size(); ++i) {
    const Term& of = terms[i];
    const auto logit = [&](Index j) { return s(of.query, j) / t; };
    Real largest = logit(of.positive);
    for (const Index j : of.negatives) largest = std::max(largest, logit(j));
    Real others = 0;
    for (const Index j : of.negatives) others += std::exp(logit(j) - largest);
    const Real total = std::exp(logit(of.positive) - largest) + others;
    want.values[i] = std::log(total) + largest - logit(of.positive);
    for (const Index j : of.negatives) {
      want.slopes(of.query, j) += std::exp(logit(j) - largest) / total / t;
    }
    want.slopes(of.query, of.positive) -= others / total / t;
    without_negative += of.negatives.empty() ? 1 : 0;
  }
  require(got.result.diagnostics.anchors_without_negative == without_negative,
          "the oracle's queries without a negative");
  expect_oracle(got, want, rows, options.reduction, steepness);
}

// ---- InfoNce -----------------------------------------------------------------------------------

/// What all calls have.
template <class S>
struct Pairs {
  explicit Pairs(Bytes& bytes)
      : hard(bytes.flag()),
        gap(bytes.below(3)),
        n(bytes.below(9)),
        d(bytes.below(8) == 7 ? 0 : 1 + bytes.below(5)),
        q(bytes.rows<S>(n, d, hard)) {}

  bool hard;
  Index gap;
  Index n;
  Index d;
  Matrix<S> q;
};

nearfar::InfoNceOptions info_nce_options(Bytes& bytes) {
  nearfar::InfoNceOptions out;
  out.temperature = bytes.option();
  out.denominator = static_cast<nearfar::Denominator>(bytes.below(2));
  out.reduction = static_cast<Reduction>(bytes.below(3));
  return out;
}

template <class S, std::size_t sets>
bool any_shorter_than_normal(const std::array<const Matrix<S>*, sets>& all) {
  return std::any_of(all.begin(), all.end(),
                     [](const Matrix<S>* m) { return fuzz::shorter_than_normal(*m); });
}
template <class S, std::size_t sets>
void require_finite_inputs(bool refused, const std::array<const Matrix<S>*, sets>& all) {
  for (const Matrix<S>* m : all) {
    require(refused || m->allFinite(), "NaN and infinities are refused");
  }
}

double amplification(double temperature) { return std::max(1.0, 1 / std::abs(temperature)); }

template <class S, class K>
constexpr bool has_oracle = std::is_same_v<S, double>&& std::is_same_v<K, nearfar::InnerProduct>;

/// With ids of queries and of keys, rows without a label, and positives by number.
template <class S, class K>
void with_ids(Bytes& bytes) {
  const Pairs<S> c(bytes);
  const nearfar::InfoNceOptions options = info_nce_options(bytes);
  const Index m = c.n + bytes.below(4);
  const Matrix<S> keys = bytes.rows<S>(m, c.d, c.hard);
  const std::vector<int> of_queries = some_ids(bytes, c.n);
  const std::vector<int> of_keys = some_ids(bytes, m);
  const bool left_out = bytes.flag();
  const int without = bytes.below(6);
  const bool numbered = bytes.flag();
  const std::vector<int> number =
      drawn(bytes, c.n, [&] { return bytes.below(static_cast<int>(m)); });
  Targets query_targets = Targets().ids(of_queries);
  Targets key_targets = Targets().ids(of_keys);
  if (left_out) {
    query_targets = query_targets.unlabelled(without);
    key_targets = key_targets.unlabelled(without);
  }
  const Strided<S> q(c.q, c.gap);
  const auto make = [&] { return nearfar::InfoNce<S, K>(options); };
  const std::array<const Matrix<S>*, 2> sets = {&c.q, &keys};
  // Rows that are left out may hold anything.
  const bool short_rows = any_shorter_than_normal<S, 2>(sets);
  const auto got = fuzz::promises<S, 2>(
      !short_rows, amplification(options.temperature),
      [&]() -> nearfar::Result {
        if (numbered) {
          return make().forward(q.rows(), keys, nearfar::Labels(number), query_targets,
                                key_targets);
        }
        return make().forward(q.rows(), keys, query_targets, key_targets);
      },
      [&](const nearfar::Upstream& u, auto& g) -> nearfar::Result {
        if (numbered) {
          return make().forward_backward(q.rows(), keys, nearfar::Labels(number), query_targets,
                                         key_targets, g[0], g[1], {.upstream = u});
        }
        return make().forward_backward(q.rows(), keys, query_targets, key_targets, g[0], g[1],
                                       {.upstream = u});
      });
  if (!left_out) require_finite_inputs<S, 2>(got.refused, sets);
  if constexpr (has_oracle<S, K>) {
    if (got.refused) return;
    const auto kept = [&](int id) { return !left_out || id != without; };
    Matrix<double> a = c.q;
    Matrix<double> b = keys;
    for (Index i = 0; i < c.n; ++i) {
      if (!kept(of_queries[static_cast<std::size_t>(i)])) a.row(i).setZero();
    }
    for (Index j = 0; j < m; ++j) {
      if (!kept(of_keys[static_cast<std::size_t>(j)])) b.row(j).setZero();
    }
    std::vector<Term> terms;
    for (Index i = 0; i < c.n; ++i) {
      const int id = of_queries[static_cast<std::size_t>(i)];
      if (!kept(id)) continue;
      const Index positive = numbered ? number[static_cast<std::size_t>(i)] : i;
      terms.push_back({i, c.n + positive, {}});
      for (Index j = 0; j < m; ++j) {
        const int other = of_keys[static_cast<std::size_t>(j)];
        if (j != positive && kept(other) && other != id) terms.back().negatives.push_back(c.n + j);
      }
    }
    expect_terms(got, stacked<2>({&a, &b}), terms, options);
  }
}

/// With negatives of one form, or shared ones and each query's own.
template <class S, class K>
void with_negatives(Bytes& bytes) {
  using Some = SomeNegatives<S>;
  using Form = typename Some::Form;
  const Pairs<S> c(bytes);
  const nearfar::InfoNceOptions options = info_nce_options(bytes);
  const Matrix<S> keys = bytes.rows<S>(c.n, c.d, c.hard);
  const bool two = bytes.flag();
  const auto form = static_cast<Form>(bytes.below(3));
  const Some first(bytes, two && bytes.below(16) < 15 ? Form::shared : form, c.n, c.d, c.hard);
  const Some second(bytes, form, two ? c.n : 0, c.d, c.hard);
  const Strided<S> q(c.q, c.gap);
  const auto make = [&] { return nearfar::InfoNce<S, K>(options); };
  const std::array<const Matrix<S>*, 4> sets = {&c.q, &keys, &first.rows, &second.rows};
  const bool scales = !any_shorter_than_normal<S, 4>(sets);
  const double amplified = amplification(options.temperature);
  const auto terms = [&] {
    std::vector<Term> out;
    for (Index i = 0; i < c.n; ++i) {
      out.push_back({i, c.n + i, {}});
      const auto add = [&](const Some& some, Index from) {
        for (Index j = 0; j < some.rows.rows(); ++j) {
          if (some.are_of(i, j, c.n)) out.back().negatives.push_back(from + j);
        }
      };
      add(first, 2 * c.n);
      if (two) add(second, 2 * c.n + first.rows.rows());
    }
    return out;
  };
  if (two) {
    const auto got = fuzz::promises<S, 4>(
        scales, amplified,
        [&]() -> nearfar::Result {
          return make().forward(q.rows(), keys, first.view(), second.view());
        },
        [&](const nearfar::Upstream& u, auto& g) -> nearfar::Result {
          return make().forward_backward(q.rows(), keys, first.view(), second.view(), g[0], g[1],
                                         g[2], g[3], {.upstream = u});
        });
    require_finite_inputs<S, 4>(got.refused, sets);
    if constexpr (has_oracle<S, K>) {
      if (!got.refused) expect_terms(got, stacked<4>(sets), terms(), options);
    }
  } else {
    const auto got = fuzz::promises<S, 3>(
        scales, amplified,
        [&]() -> nearfar::Result { return make().forward(q.rows(), keys, first.view()); },
        [&](const nearfar::Upstream& u, auto& g) -> nearfar::Result {
          return make().forward_backward(q.rows(), keys, first.view(), g[0], g[1], g[2],
                                         {.upstream = u});
        });
    const std::array<const Matrix<S>*, 3> three = {&c.q, &keys, &first.rows};
    require_finite_inputs<S, 3>(got.refused, three);
    if constexpr (has_oracle<S, K>) {
      if (!got.refused) expect_terms(got, stacked<3>(three), terms(), options);
    }
  }
}

// ---- InBatchInfoNce ----------------------------------------------------------------------------

nearfar::InBatchInfoNceOptions in_batch_options(Bytes& bytes) {
  nearfar::InBatchInfoNceOptions out;
  out.temperature = bytes.option();
  const int directions = bytes.below(8);
  out.query_to_query = (directions & 1) != 0;
  out.key_to_query = (directions & 2) != 0;
  out.key_to_key = (directions & 4) != 0;
  out.partition = static_cast<nearfar::Partition>(bytes.below(2));
  out.hardness = static_cast<nearfar::Hardness>(bytes.below(4));
  out.hardness_strength = bytes.flag() ? 0.5 : bytes.option();
  out.false_negatives = static_cast<nearfar::FalseNegatives>(bytes.below(3));
  out.margin = bytes.flag() ? 0.25 : bytes.option();
  out.reduction = static_cast<Reduction>(bytes.below(3));
  return out;
}

template <class S, class K>
void in_batch(Bytes& bytes) {
  using Some = SomeNegatives<S>;
  const Pairs<S> c(bytes);
  const nearfar::InBatchInfoNceOptions options = in_batch_options(bytes);
  const Matrix<S> keys = bytes.rows<S>(c.n, c.d, c.hard);
  const Some negatives(bytes, static_cast<typename Some::Form>(bytes.below(3)), c.n, c.d, c.hard);
  const Index m = negatives.rows.rows();
  const bool has_ids = bytes.flag();
  const std::vector<int> ids = negatives.with_ids ? negatives.query_ids : some_ids(bytes, c.n);
  const bool has_guide = bytes.below(4) == 3;
  const Index width = has_guide ? bytes.below(4) : 0;
  const bool hard_guide = bytes.below(4) == 3;
  const Matrix<S> guide = bytes.rows<S>(has_guide ? 2 * c.n + m : 0, width, hard_guide);
  const Index guided = has_guide ? c.n : 0;
  const Matrix<S> guide_q = guide.topRows(guided);
  const Matrix<S> guide_k = guide.middleRows(guided, guided);
  const Matrix<S> guide_n = guide.bottomRows(has_guide ? m : 0);
  const bool has_log_q = bytes.flag();
  const auto log_q_of = [&](Index count) {
    return drawn(bytes, has_log_q ? count : 0, [&] { return bytes.number<double>(c.hard); });
  };
  const std::vector<double> log_q = log_q_of(c.n);
  const std::vector<double> log_q_negatives = log_q_of(m);
  nearfar::InBatchExtras<S> extras{.negatives = negatives.view(),
                                   .guide_queries = guide_q,
                                   .guide_keys = guide_k,
                                   .guide_negatives = guide_n,
                                   .log_q = log_q,
                                   .log_q_negatives = log_q_negatives};
  if (has_ids) extras.targets = Targets().ids(ids);

  const Strided<S> q(c.q, c.gap);
  const auto make = [&] { return nearfar::InBatchInfoNce<S, K>(options); };
  const std::array<const Matrix<S>*, 3> sets = {&c.q, &keys, &negatives.rows};
  const auto got = fuzz::promises<S, 3>(
      !any_shorter_than_normal<S, 3>(sets), amplification(options.temperature),
      [&]() -> nearfar::Result { return make().forward(q.rows(), keys, extras); },
      [&](const nearfar::Upstream& u, auto& g) -> nearfar::Result {
        return make().forward_backward(q.rows(), keys, extras, g[0], g[1], g[2], {.upstream = u});
      });
  require_finite_inputs<S, 3>(got.refused, sets);
  if constexpr (has_oracle<S, K>) {
    if (got.refused || c.n == 0) return;
    support::InBatchRows<double> of;
    of.n = c.n;
    of.m = m;
    of.rows = stacked<3>(sets);
    of.guide = guide;
    of.offsets = negatives.offsets;
    of.log_q = log_q;
    of.log_q_negatives = log_q_negatives;
    if (negatives.its == Some::Form::same_number) {
      for (Index i = 0; i <= c.n; ++i) of.offsets.push_back(m / c.n * i);
    }
    if (negatives.with_ids) of.negative_ids = negatives.ids;
    if (negatives.with_ids && !has_ids) return;  // the oracle has one list of ids
    if (has_ids) of.ids = ids;
    Real largest_shift = 0;
    for (const double v : log_q) largest_shift = std::max<Real>(largest_shift, std::abs(v));
    for (const double v : log_q_negatives) {
      largest_shift = std::max<Real>(largest_shift, std::abs(v));
    }
    const Real size = size_of_products(of.rows);
    const Real steepness =
        1 + size * (1 / Real(options.temperature) + options.hardness_strength) + largest_shift;
    if (!(steepness < 4000)) return;  // the loops' exponentials are relative to the positive
    const support::InBatchWanted want = support::in_batch_formula(options, of);
    if (want.nearest_limit < 1e-12L * (2 + size + std::abs(Real(options.margin)))) return;
    require(got.result.diagnostics.false_negatives == want.dropped, "the oracle's drops");
    require(got.result.diagnostics.anchors_without_negative == want.without_negative,
            "the oracle's queries without a negative");
    expect_oracle(got, want, of.rows, options.reduction, steepness);
  }
}

using Target = void (*)(Bytes&);
constexpr Target targets[] = {
    with_ids<double, nearfar::InnerProduct>,   with_negatives<double, nearfar::InnerProduct>,
    in_batch<double, nearfar::InnerProduct>,   with_ids<float, nearfar::Cosine>,
    with_negatives<float, nearfar::Euclidean>, with_negatives<double, nearfar::Cosine>,
    in_batch<float, nearfar::Cosine>,          in_batch<double, nearfar::SquaredEuclidean>};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(data, size);
  targets[static_cast<std::size_t>(bytes.below(static_cast<int>(std::size(targets))))](bytes);
  return 0;
}
