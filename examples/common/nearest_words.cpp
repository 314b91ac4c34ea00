#include "common/nearest_words.hpp"

#include <algorithm>
#include <cstdio>

#include "common/gnuplot.hpp"
#include "common/neighbours.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"

namespace example {
namespace {

constexpr std::size_t listed = 8;
constexpr std::size_t mapped = 5;

}  // namespace

NearestWords::NearestWords(const std::vector<std::string>& words, const Vocabulary& vocabulary,
                           const nearfar::Matrix<float>& directions)
    : words_(words), vocabulary_(vocabulary), directions_(directions) {
  std::vector<Vocabulary::Word> chosen;
  for (const std::string& word : words) chosen.push_back(vocabulary.find(word));
  // For rows of length 1 the nearest ones have the largest cosine; the first is the word itself.
  found_ = nearest(directions(chosen, Eigen::indexing::all), directions, listed + 1);
  each_ = found_.size() / words.size();
}

void NearestWords::print(const std::filesystem::path& folder) const {
  OutputFile csv(folder / "neighbours.csv");
  csv.stream() << "word,nearest words\n";
  std::printf("\nnearest words by cosine\n");
  for (std::size_t k = 0; k < words_.size(); ++k) {
    std::string list;
    for (std::size_t n = 1; n < each_; ++n) list += " " + vocabulary_[number(k, n)];
    std::printf("%-12s%s\n", words_[k].c_str(), list.c_str());
    csv.stream() << words_[k] << ',' << list << '\n';
  }
  csv.commit();
}

void NearestWords::write_map(const std::filesystem::path& folder) const {
  const std::size_t drawn = std::min(each_, mapped + 1);
  std::vector<Vocabulary::Word> rows;
  for (std::size_t k = 0; k < words_.size(); ++k) {
    for (std::size_t n = 0; n < drawn; ++n) rows.push_back(number(k, n));
  }
  const nearfar::Matrix<float> points = plane(directions_(rows, Eigen::indexing::all));
  OutputFile table(folder / "words.csv");
  table.stream() << "word,near,x,y\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto row = static_cast<Eigen::Index>(i);
    table.stream() << vocabulary_[rows[i]] << ',' << i / drawn << ',' << points(row, 0) << ','
                   << points(row, 1) << '\n';
  }
  OutputFile script(folder / "words.gp");
  begin_script(script.stream(), "words", 1200, 1000, "Word vectors",
               "chosen words and the nearest of each, on their first two principal components");
  define_colours(script.stream(), false);
  script.stream() << "unset key\n"
                  << "unset tics\n"
                  << "set lmargin at screen 0.035\n"
                  << "set rmargin at screen 0.965\n"
                  << "set bmargin at screen 0.035\n"
                  << "set offsets graph 0.05, graph 0.05, graph 0.03, graph 0.03\n"
                  << "plot 'words.csv' every ::1 using 3:4:1:(colour($2)) with labels noenhanced"
                  << " tc rgb variable font 'DejaVu Sans,13'\n";
  table.commit();
  script.commit();
}

}  // namespace example
