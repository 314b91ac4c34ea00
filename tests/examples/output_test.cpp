#include "common/output.hpp"

#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "common/plot.hpp"
#include "common/progress.hpp"
#include "files.hpp"

namespace example_test {
namespace {

using example::Drawn;
using example::OutputFile;
using example::Progress;

using Names = std::vector<std::string>;

TEST(Output, AppearsWhenComplete) {
  const Folder folder;
  {
    OutputFile file(folder / "table");
    file.stream() << "whole" << std::flush;
    EXPECT_FALSE(fs::exists(folder / "table"));
    file.commit();
  }
  EXPECT_EQ(folder.names(), Names{"table"});
  EXPECT_EQ(contents(folder / "table"), "whole");
}

TEST(Output, LeavesNothingWhenNotCompleted) {
  const Folder folder;
  std::ofstream(folder / "table") << "old";
  { OutputFile(folder / "table").stream() << "half"; }
  EXPECT_EQ(folder.names(), Names{"table"});
  EXPECT_EQ(contents(folder / "table"), "old");
}

TEST(Output, SaysWhatCannotBeWritten) {
  const Folder folder;
  EXPECT_THROW(OutputFile(folder / "none/table"), std::runtime_error);
  OutputFile full("/dev/full");
  std::ofstream(folder / "file") << "x";
  EXPECT_THROW(example::prepare_folder(folder / "file"), std::runtime_error);
  EXPECT_THROW(example::prepare_folder(folder / "file/below"), std::runtime_error);
  EXPECT_EQ(folder.names(), Names{"file"});
}

TEST(Output, PreparesAFolderAndLeavesItEmpty) {
  const Folder folder;
  example::prepare_folder(folder / "a/b");
  EXPECT_TRUE(fs::is_empty(folder / "a/b"));
}

/// Test images near a line in the space of three numbers.
struct Picture {
  nearfar::Matrix<float> rows;
  std::vector<std::uint8_t> labels;
  std::vector<std::string> names = {"Bag", "Dress", "it's"};

  explicit Picture(Eigen::Index dim) : rows(60, dim) {
    example::Random random(41);
    for (Eigen::Index i = 0; i < 60; ++i) {
      labels.push_back(static_cast<std::uint8_t>(i % 3));
      for (Eigen::Index c = 0; c < dim; ++c) {
        rows(i, c) = static_cast<float>((c == 1 ? 10 : 1) * random.normal());
      }
    }
  }
  void write(const fs::path& folder) const {
    example::write_embedding(folder, {rows, labels, names, "Title's end", "subtitle"});
  }
};

TEST(Plot, DrawsOnThePrincipalPlane) {
  for (const Eigen::Index dim : {2, 3, 20}) {
    const Picture picture(dim);
    const nearfar::Matrix<float> points = example::plane(picture.rows);
    ASSERT_EQ(points.rows(), 60);
    ASSERT_EQ(points.cols(), 2);
    const Eigen::MatrixXd centred =
        picture.rows.cast<double>().rowwise() - picture.rows.cast<double>().colwise().mean();
    const Eigen::VectorXd x = points.col(0).cast<double>();
    const Eigen::VectorXd y = points.col(1).cast<double>();
    EXPECT_NEAR(x.mean(), 0, 1e-5);
    EXPECT_NEAR(x.dot(y), 0, 1e-3 * x.squaredNorm());
    EXPECT_GE(x.squaredNorm(), y.squaredNorm());
    // The first axis has the largest variance, and the sign of its largest weight.
    EXPECT_GE(x.squaredNorm(), 0.99 * centred.col(1).squaredNorm());
    EXPECT_GT(x.dot(centred.col(1)), 0);
    if (dim == 2) {
      EXPECT_NEAR(points.squaredNorm(), centred.squaredNorm(), 1e-4 * centred.squaredNorm());
    }
  }
}

TEST(Plot, WritesTablesThatReadBack) {
  const Folder folder;
  const Picture picture(3);
  picture.write(folder.path());
  std::ifstream table(folder / "embedding.csv");
  std::string line;
  std::getline(table, line);
  EXPECT_EQ(line, "index,label,x,y,e1,e2,e3");
  for (Eigen::Index i = 0; i < 60; ++i) {
    ASSERT_TRUE(std::getline(table, line));
    std::replace(line.begin(), line.end(), ',', ' ');
    std::istringstream cells(line);
    int index = -1;
    int label = -1;
    float x = 0, y = 0, e1 = 0, e2 = 0, e3 = 0;
    ASSERT_TRUE(cells >> index >> label >> x >> y >> e1 >> e2 >> e3) << line;
    EXPECT_EQ(index, i);
    EXPECT_EQ(label, i % 3);
    EXPECT_EQ(e1, picture.rows(i, 0));
    EXPECT_EQ(e2, picture.rows(i, 1));
    EXPECT_EQ(e3, picture.rows(i, 2));
  }
  EXPECT_FALSE(std::getline(table, line));
}

TEST(Plot, WritesTheLossOfEachStep) {
  const Folder folder;
  const std::vector<example::Step> steps = {{1, 0.5, 4}, {1, 0.25, 2}, {2, 0.125, 1}};
  write_loss_curve(folder.path(), steps, "title");
  EXPECT_EQ(contents(folder / "loss.csv"),
            "step,epoch,learning_rate,loss,smoothed\n1,1,0.5,4,4\n2,1,0.25,2,2\n3,2,0.125,1,1\n");
}

TEST(Plot, DrawsPicturesWhereThereIsGnuplot) {
  if (std::system("gnuplot --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no gnuplot here";
  const Folder folder;
  const fs::path awkward = folder / "it's a \"folder\"";
  fs::create_directories(awkward);
  Picture(2).write(awkward);
  const std::vector<example::Step> steps = {{1, 0.5, 40}, {1, 0.25, 2}, {2, 0.125, 1}};
  write_loss_curve(awkward, steps, "title");
  for (const std::string name : {"embedding", "loss"}) {
    ASSERT_EQ(example::draw(awkward, name), Drawn::yes) << name;
    const std::string png = contents(awkward / (name + ".png"));
    EXPECT_EQ(png.substr(0, 8), "\x89PNG\r\n\x1a\n") << name;
    EXPECT_GT(png.size(), 5000u) << name;
    EXPECT_FALSE(fs::exists(awkward / (name + ".png.part"))) << name;
  }
}

TEST(Plot, SaysWhenNothingWasDrawn) {
  const Folder folder;
  EXPECT_NE(example::draw(folder.path(), "no_such_script"), Drawn::yes);
  const char* path = std::getenv("PATH");
  const std::string old = path != nullptr ? path : "";
  ASSERT_EQ(setenv("PATH", folder.path().c_str(), 1), 0);
  const Drawn outcome = example::draw(folder.path(), "embedding");
  setenv("PATH", old.c_str(), 1);
  EXPECT_EQ(outcome, Drawn::no_gnuplot);
  EXPECT_TRUE(folder.names().empty());
}

TEST(Progress, LinesSayHowFarAndHowLong) {
  const example::ProgressState state{3, 15, 0.4, 0.12345, 41200, 71.6};
  EXPECT_EQ(progress_line(state), "epoch  3/15   40 %  loss 0.1235  41200 images/s  1:12 left");
  EXPECT_EQ(progress_bar(state),
            "epoch  3/15 [#########...............]  40 %  loss 0.1235  41200 images/s  1:12 left");
}

TEST(Progress, PrintsAFewLinesAnEpochToAFile) {
  std::ostringstream out;
  Progress progress(out, false);
  progress.start(2, 10, 64);
  for (int i = 0; i < 20; ++i) progress.step(1.0);
  progress.finish();
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 8);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_NE(text.find("epoch  2/2  100 %  loss 1.0000"), std::string::npos) << text;
}

TEST(Progress, RedrawsABarOnATerminalAndEndsItsLine) {
  std::ostringstream out;
  {
    Progress progress(out, true);
    progress.start(1, 10, 64);
    progress.step(1.0);
  }  // as after an error that ends training
  const std::string text = out.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_EQ(text.front(), '\r');
  EXPECT_EQ(text.back(), '\n');
}

}  // namespace
}  // namespace example_test
