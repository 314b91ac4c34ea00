#include "common/two_towers.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

namespace example {
namespace {

using Eigen::Index;

/// Begins what write() writes.
constexpr const char* format = "two towers, format 1";

[[noreturn]] void fail_read() { throw std::runtime_error("not a model that this program wrote"); }

template <class T>
void write_number(std::ostream& out, T number) {
  out.write(reinterpret_cast<const char*>(&number), sizeof number);
}

template <class T>
T read_number(std::istream& in) {
  T number{};
  in.read(reinterpret_cast<char*>(&number), sizeof number);
  if (!in) fail_read();
  return number;
}

template <class Matrix>
void write_elements(std::ostream& out, const Matrix& m) {
  out.write(reinterpret_cast<const char*>(m.data()),
            static_cast<std::streamsize>(m.size() * Index{sizeof(float)}));
}

template <class Matrix>
void read_elements(std::istream& in, Matrix& m) {
  in.read(reinterpret_cast<char*>(m.data()),
          static_cast<std::streamsize>(m.size() * Index{sizeof(float)}));
  if (!in || !m.allFinite()) fail_read();
}

TowerSizes read_sizes(std::istream& in) {
  std::string line;
  if (!std::getline(in, line) || line != format) fail_read();
  TowerSizes sizes;
  for (Index* size : {&sizes.vector, &sizes.embedding}) {
    *size = read_number<std::int32_t>(in);
    if (*size < 1 || *size > 1 << 16) fail_read();
  }
  return sizes;
}

WordPieces read_words(std::istream& in) {
  const auto rows = read_number<std::uint32_t>(in);
  if (rows < 1 || rows > 1u << 28) fail_read();
  WordPieces words(rows);
  const auto count = read_number<std::uint64_t>(in);
  std::string name;
  for (std::uint64_t w = 0; w < count; ++w) {
    if (!std::getline(in, name)) fail_read();
    const std::vector<WordPieces::Word> number = words.numbers(name);
    if (number.size() != 1) fail_read();
    words.count(number[0], read_number<double>(in));
  }
  return words;
}

}  // namespace

TwoTowers::TwoTowers(WordPieces words, const TowerSizes& sizes, Random& random)
    : sizes_(sizes),
      words_(std::move(words)),
      table_(words_, sizes.vector, random),
      texts_(sizes, random),
      answers_(sizes, random) {}

std::unique_ptr<TwoTowers> TwoTowers::read(std::istream& in) {
  const TowerSizes sizes = read_sizes(in);
  Random replaced(0);
  auto towers = std::make_unique<TwoTowers>(read_words(in), sizes, replaced);
  read_elements(in, towers->table_.table());
  read_elements(in, towers->texts_.network.parameters());
  read_elements(in, towers->answers_.network.parameters());
  return towers;
}

void TwoTowers::write(std::ostream& out) const {
  out << format << '\n';
  for (const Index size : {sizes_.vector, sizes_.embedding}) {
    write_number(out, static_cast<std::int32_t>(size));
  }
  write_number(out, words_.rows());
  write_number(out, static_cast<std::uint64_t>(words_.size()));
  for (std::size_t w = 0; w < words_.size(); ++w) {
    const auto word = static_cast<WordPieces::Word>(w);
    out << words_.name(word) << '\n';
    write_number(out, words_.count_of(word));
  }
  write_elements(out, table_.table());
  write_elements(out, texts_.network.parameters());
  write_elements(out, answers_.network.parameters());
}

const TwoTowers::Rows& TwoTowers::forward(Side& side, const Rows& means, Index begin, Index count) {
  return side.pass.forward(static_cast<std::size_t>(count), [&](std::size_t row, float* to) {
    const Index from = begin + static_cast<Index>(row);
    Eigen::Map<Eigen::RowVectorXf>(to, means.cols()) = means.row(from);
  });
}

TwoTowers::Rows TwoTowers::embed(Tower tower, Bags bags) {
  constexpr std::size_t block = 4096;
  Side& side = tower == Tower::texts ? texts_ : answers_;
  Rows out(static_cast<Index>(bags.size()), sizes_.embedding);
  for (std::size_t begin = 0; begin < bags.size(); begin += block) {
    const std::size_t count = std::min(block, bags.size() - begin);
    const Rows& means = table_.forward(bags.subspan(begin, count));
    out.middleRows(static_cast<Index>(begin), means.rows()) = forward(side, means, 0, means.rows());
  }
  return out;
}

void TwoTowers::forward(Bags texts, Bags answers, Rows& queries, Rows& keys) {
  batch_.assign(texts.begin(), texts.end());
  batch_.insert(batch_.end(), answers.begin(), answers.end());
  const Rows& means = table_.forward(batch_);
  queries = forward(texts_, means, 0, static_cast<Index>(texts.size()));
  keys = forward(answers_, means, queries.rows(), static_cast<Index>(answers.size()));
}

void TwoTowers::step(const Rows& d_queries, const Rows& d_keys, const Rates& rates) {
  const auto back = [&](Side& side, const Rows& d_outputs) {
    const auto& gradient = side.pass.backward(d_outputs, &side.d_means);
    side.adam.step(side.network.parameters(), gradient, rates.towers);
  };
  back(texts_, d_queries);
  back(answers_, d_keys);
  d_means_.resize(d_queries.rows() + d_keys.rows(), sizes_.vector);
  d_means_ << texts_.d_means, answers_.d_means;
  table_.step(d_means_, rates.table);
}

}  // namespace example
