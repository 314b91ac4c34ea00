#include "common/plot.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ostream>
#include <system_error>

#include "common/gnuplot.hpp"
#include "common/output.hpp"

namespace example {
namespace {

namespace fs = std::filesystem;

/// A number as its shortest text that reads back the same.
std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.9g", value);
  return text;
}

/// The part of the plane that is drawn: all points and some air, in the shape of the frame, so that
/// both axes have one scale.
struct Window {
  double left, right, bottom, top;

  Window(const nearfar::Matrix<float>& points, double width_by_height) {
    const Eigen::RowVector2d low = points.colwise().minCoeff().cast<double>();
    const Eigen::RowVector2d high = points.colwise().maxCoeff().cast<double>();
    const Eigen::RowVector2d middle = (low + high) / 2;
    const Eigen::RowVector2d half = 0.52 * (high - low);
    // Points that all coincide still need a window of some size.
    const double half_height = std::max({half[1], half[0] / width_by_height, 1e-6});
    const double half_width = half_height * width_by_height;
    left = middle[0] - half_width;
    right = middle[0] + half_width;
    bottom = middle[1] - half_height;
    top = middle[1] + half_height;
  }
};

/// Marks of a logarithmic axis at 1, 2 and 5 times powers of ten: gnuplot's own, powers alone, can
/// leave an axis with a single mark.
std::string log_marks() {
  std::string marks;
  for (int power = -6; power <= 6; ++power) {
    for (const int digit : {1, 2, 5}) {
      if (!marks.empty()) marks += ',';
      marks += number(digit * std::pow(10.0, power));
    }
  }
  return marks;
}

}  // namespace

nearfar::Matrix<float> plane(const nearfar::Matrix<float>& rows) {
  const nearfar::Matrix<double> all = rows.cast<double>();
  const nearfar::Matrix<double> centred = all.rowwise() - all.colwise().mean();
  const Eigen::MatrixXd scatter = centred.transpose() * centred;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> axes(scatter);
  Eigen::MatrixXd two(rows.cols(), 2);
  for (Eigen::Index a = 0; a < 2; ++a) {
    // Eigenvalues come in rising order.
    two.col(a) = axes.eigenvectors().col(rows.cols() - 1 - a);
    Eigen::Index largest = 0;
    two.col(a).cwiseAbs().maxCoeff(&largest);
    if (two(largest, a) < 0) two.col(a) *= -1;
  }
  return (centred * two).cast<float>();
}

void write_embedding(const fs::path& folder, const EmbeddingPicture& picture) {
  const nearfar::Matrix<float>& rows = picture.embeddings;
  const nearfar::Matrix<float> points = plane(rows);
  OutputFile table(folder / (picture.name + ".csv"));
  table.stream() << "index,label,x,y";
  for (Eigen::Index c = 1; c <= rows.cols(); ++c) table.stream() << ",e" << c;
  table.stream() << '\n';
  for (Eigen::Index i = 0; i < rows.rows(); ++i) {
    table.stream() << i << ',' << int{picture.labels[static_cast<std::size_t>(i)]} << ','
                   << number(double{points(i, 0)}) << ',' << number(double{points(i, 1)});
    for (Eigen::Index c = 0; c < rows.cols(); ++c)
      table.stream() << ',' << number(double{rows(i, c)});
    table.stream() << '\n';
  }

  constexpr int width = 1200;
  constexpr int height = 1000;
  constexpr double frame_width = 970;
  constexpr double frame_height = 850;
  const Window window(points, frame_width / frame_height);
  OutputFile script(folder / (picture.name + ".gp"));
  begin_script(script.stream(), picture.name, width, height, picture.title, picture.subtitle);
  define_colours(script.stream(), true);
  script.stream() << "set border 15\n"
                  << "unset tics\n"
                  << "set lmargin at screen 0.035\n"
                  << "set rmargin at screen " << 0.035 + frame_width / width << "\n"
                  << "set bmargin at screen " << 1 - (header_height + frame_height) / height << "\n"
                  << "set xrange [" << window.left << ":" << window.right << "]\n"
                  << "set yrange [" << window.bottom << ":" << window.top << "]\n"
                  << "set key at screen 0.985,screen " << 1 - header_height / height
                  << " right top Left reverse samplen 0.6 spacing 1.6"
                  << " noenhanced tc rgb '#22252B'\n"
                  << "plot " << quoted(picture.name + ".csv")
                  << " every ::1 using 3:4:(colour($2)) with points pt 7 ps " << picture.point_size
                  << " lc rgb variable notitle";
  for (const int c : classes_of(picture.labels)) {
    script.stream() << ", \\\n     NaN with points pt 7 ps 1.5 lc rgb '#"
                    << palette[static_cast<std::size_t>(c) % palette.size()] << "' title "
                    << quoted(picture.class_names[static_cast<std::size_t>(c)]);
  }
  script.stream() << '\n';
  table.commit();
  script.commit();
}

void write_loss_curve(const fs::path& folder, std::span<const Step> history,
                      const std::string& title) {
  OutputFile table(folder / "loss.csv");
  table.stream() << "step,epoch,learning_rate,loss,smoothed\n";
  // The thick line: a mean over about a hundredth of the run, started where the loss starts.
  const double memory = std::max(1.0, static_cast<double>(history.size()) / 100);
  double smoothed = history.empty() ? 0 : history.front().loss;
  double least = smoothed;
  double most = smoothed;
  for (std::size_t s = 0; s < history.size(); ++s) {
    least = std::min(least, history[s].loss);
    most = std::max(most, history[s].loss);
    smoothed += (history[s].loss - smoothed) / std::min(static_cast<double>(s + 1), memory);
    table.stream() << s + 1 << ',' << history[s].epoch << ',' << number(history[s].learning_rate)
                   << ',' << number(history[s].loss) << ',' << number(smoothed) << '\n';
  }

  OutputFile script(folder / "loss.gp");
  begin_script(script.stream(), "loss", 1200, 700, title, "training loss, each step and smoothed");
  draw_axes(script.stream(), "step");
  script.stream() << "unset key\n";
  // A loss that falls far shows its end on a logarithmic axis only.
  if (least > 0 && most > 10 * least) {
    script.stream() << "set logscale y\n"
                    << "set ytics (" << log_marks() << ")\n";
  }
  script.stream() << "plot 'loss.csv' every ::1 using 1:4 with lines lw 1 lc rgb '#A03B6FB6', \\\n"
                  << "     '' every ::1 using 1:5 with lines lw 3 lc rgb '#3B6FB6'\n";
  table.commit();
  script.commit();
}

Drawn draw(const fs::path& folder, const std::string& name) {
  const std::string script = name + ".gp";
  const std::string part = name + ".png.part";
  const std::string out = "out='" + part + "'";
  constexpr int not_found = 127;
  const pid_t child = fork();
  if (child < 0) return Drawn::failed;
  if (child == 0) {
    // No shell in between, so that a folder may have any name.
    const bool ready = chdir(folder.c_str()) == 0 && std::freopen("/dev/null", "w", stderr);
    if (ready) execlp("gnuplot", "gnuplot", "-e", out.c_str(), script.c_str(), nullptr);
    _exit(not_found);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return Drawn::failed;
  std::error_code error;
  if (WEXITSTATUS(status) == 0) {
    fs::rename(folder / part, folder / (name + ".png"), error);
    if (!error) return Drawn::yes;
  }
  fs::remove(folder / part, error);
  return WEXITSTATUS(status) == not_found ? Drawn::no_gnuplot : Drawn::failed;
}

void draw_all(const fs::path& folder, const std::vector<std::string>& names,
              const std::vector<std::string>& tables) {
  std::vector<std::string> made = tables;
  for (const std::string& name : names) {
    const Drawn outcome = draw(folder, name);
    if (outcome == Drawn::no_gnuplot) {
      std::printf("no gnuplot here, so no pictures; %s.gp and its like draw them\n", name.c_str());
      break;
    }
    if (outcome == Drawn::failed) {
      std::printf("gnuplot could not draw %s.png; gnuplot %s.gp says why\n", name.c_str(),
                  name.c_str());
    } else {
      made.push_back(name + ".png");
    }
  }
  std::string list;
  for (const std::string& name : made) list += (list.empty() ? "" : ", ") + name;
  std::printf("in %s: %s\n", folder.c_str(), list.c_str());
}

}  // namespace example
