#include <cmath>
#include <cstdio>
#include <iostream>
#include <nearfar/losses/mutual_information.hpp>
#include <utility>

#include "common/adam.hpp"
#include "common/batch_pass.hpp"
#include "common/chart.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/progress.hpp"
#include "common/schedule.hpp"

/// \file
/// Bounds on mutual information against the truth. For x and y, Gaussian with correlation rho in
/// each of d dimensions, the mutual information is -d/2 log(1 - rho^2) (Poole et al., On
/// variational bounds of mutual information, 2019, section 3).

namespace {

using namespace example;
using Bound = nearfar::MutualInformationBound;
using Eigen::Index;

struct Options : CommonOptions {
  std::vector<int> dimensions = {5, 20};
  std::vector<double> truths = {1, 2, 4, 6, 8, 10};
  std::vector<int> batches = {32, 64, 128, 256, 512, 1024, 2048};
  int batch = 128;
  int steps = 1000;
};

struct Samples {
  Pixels x;
  Pixels y;
};

double correlation(double information, Index d) {
  return std::sqrt(1 - std::exp(-2 * information / static_cast<double>(d)));
}

Samples draw(Index count, Index d, double rho, Random& random) {
  Samples s{Pixels(count, d), Pixels(count, d)};
  for (Index i = 0; i < s.x.size(); ++i) {
    const double x = random.normal();
    s.x.data()[i] = static_cast<float>(x);
    s.y.data()[i] = static_cast<float>(rho * x + std::sqrt(1 - rho * rho) * random.normal());
  }
  return s;
}

/// The optimal critic, log p(y | x) - log p(y), as an inner product of d + 2 numbers:
///
///     rho x.y / v - rho^2 |x|^2 / 2v - d/2 log v + |y|^2 / 2 (1 - 1/v),   v = 1 - rho^2
///
/// `shift` is added: nwj's optimal critic is larger by 1.
Samples best_critic(const Samples& s, double rho, double shift) {
  const Index d = s.x.cols();
  const double v = 1 - rho * rho;
  Samples out{Pixels(s.x.rows(), d + 2), Pixels(s.y.rows(), d + 2)};
  for (Index i = 0; i < s.x.rows(); ++i) {
    out.x.row(i).head(d) = static_cast<float>(rho / v) * s.x.row(i);
    out.x(i, d) = static_cast<float>(shift - rho * rho / (2 * v) * s.x.row(i).squaredNorm() -
                                     0.5 * static_cast<double>(d) * std::log(v));
    out.x(i, d + 1) = 1;
    out.y.row(i).head(d) = s.y.row(i);
    out.y(i, d) = 1;
    out.y(i, d + 1) = static_cast<float>(0.5 * (1 - 1 / v) * s.y.row(i).squaredNorm());
  }
  return out;
}

/// The mean of a bound with the optimal critic over enough batches for about 20000 samples.
double with_best_critic(Bound bound, Index batch, Index d, double rho, Random& random) {
  const nearfar::MutualInformation<float> estimate({.bound = bound});
  const Index rounds = std::max<Index>(4, 20000 / batch);
  double sum = 0;
  for (Index r = 0; r < rounds; ++r) {
    const Samples s =
        best_critic(draw(batch, d, rho, random), rho, bound == Bound::nwj ? 1.0 : 0.0);
    sum += estimate.forward(s.x, s.y).value;
  }
  return sum / static_cast<double>(rounds);
}

/// CLUB with the true conditional density of y given x: a Gaussian about rho x.
double club_from_above(Index batch, Index d, double rho, Random& random) {
  const nearfar::MutualInformation<float, nearfar::SquaredEuclidean> estimate(
      {.bound = Bound::club, .temperature = 2});
  const auto width = static_cast<float>(std::sqrt(1 - rho * rho));
  const Index rounds = std::max<Index>(4, 20000 / batch);
  double sum = 0;
  for (Index r = 0; r < rounds; ++r) {
    Samples s = draw(batch, d, rho, random);
    s.x *= static_cast<float>(rho) / width;
    s.y /= width;
    sum += estimate.forward(s.x, s.y).value;
  }
  return sum / static_cast<double>(rounds);
}

/// Trains a critic g(x) . h(y) to maximise the bound, with new samples in each step. Returns the
/// mean bound of the last fifth of the steps, where it hardly changes.
double with_trained_critic(Bound bound, const Options& o, Index d, double rho, Random& random) {
  Network<float> g(std::vector<Index>{d, 128, 128, 32}, random);
  Network<float> h(std::vector<Index>{d, 128, 128, 32}, random);
  Adam<float> adam_g(g.parameters().size());
  Adam<float> adam_h(h.parameters().size());
  BatchPass pass_g(g);
  BatchPass pass_h(h);
  // Critics start small, because nwj takes their exponentials.
  const nearfar::MutualInformation<float> estimate(
      {.bound = bound, .temperature = static_cast<double>(g.outputs())});
  nearfar::Workspace workspace(1);
  Pixels d_u;
  Pixels d_v;
  const auto steps = static_cast<std::size_t>(o.steps);
  const std::size_t first_counted = steps - (steps + 4) / 5;
  double sum = 0;
  for (std::size_t step = 0; step < steps; ++step) {
    const Samples s = draw(o.batch, d, rho, random);
    const auto rows_of = [](const Pixels& m) -> FillRow {
      return [&m](std::size_t row, float* to) {
        Eigen::Map<Eigen::RowVectorXf>(to, m.cols()) = m.row(static_cast<Index>(row));
      };
    };
    const auto count = static_cast<std::size_t>(o.batch);
    const Pixels& u = pass_g.forward(count, rows_of(s.x));
    const Pixels& v = pass_h.forward(count, rows_of(s.y));
    // Upstream -1: the optimizer minimises minus the bound.
    const auto result =
        estimate.forward_backward(u, v, d_u, d_v, {.workspace = &workspace, .upstream = -1.0});
    const double rate = scheduled(1e-3, step, steps);
    adam_g.step(g.parameters(), pass_g.backward(d_u), rate);
    adam_h.step(h.parameters(), pass_h.backward(d_v), rate);
    if (step >= first_counted) sum += result.value;
  }
  return sum / static_cast<double>(steps - first_counted);
}

void header(const char* title, const char* first) {
  std::printf("\n%s\n%-9s %7s %9s %9s %9s %9s\n", title, first, "log N", "InfoNCE", "NWJ", "DV",
              "CLUB");
}

/// Writes one line to the screen and to the table.
void line(std::ostream& csv, const std::string& name, const std::vector<double>& numbers) {
  std::printf("%-9s %7.2f", name.c_str(), numbers[0]);
  csv << name;
  for (std::size_t k = 0; k < numbers.size(); ++k) {
    // The last one is the truth, which is in the line's name.
    if (k > 0 && k + 1 < numbers.size()) std::printf(" %9.3f", numbers[k]);
    char text[32];
    std::snprintf(text, sizeof text, ",%.4f", numbers[k]);
    csv << text;
  }
  std::printf("\n");
  std::fflush(stdout);
  csv << '\n';
}

std::string text(double number) {
  char out[32];
  std::snprintf(out, sizeof out, "%g", number);
  return out;
}

void trained_critics(const Options& o, int d) {
  const std::string name = "trained_" + std::to_string(d);
  OutputFile csv(std::filesystem::path(o.out) / (name + ".csv"));
  csv.stream() << "truth,log_n,info_nce,nwj,donsker_varadhan,club,truth_too\n";
  header(("trained critics, " + std::to_string(d) + " dimensions, N = " + std::to_string(o.batch))
             .c_str(),
         "truth");
  for (const double truth : o.truths) {
    Random random(o.seed);
    const double rho = correlation(truth, d);
    std::vector<double> row = {std::log(o.batch)};
    for (const Bound bound : {Bound::info_nce, Bound::nwj, Bound::donsker_varadhan}) {
      row.push_back(with_trained_critic(bound, o, d, rho, random));
    }
    row.push_back(club_from_above(o.batch, d, rho, random));
    row.push_back(truth);
    line(csv.stream(), text(truth), row);
  }
  csv.commit();
  write_lines(o.out, {.name = name,
                      .title = "Bounds on mutual information, " + std::to_string(d) + " dimensions",
                      .subtitle = "trained critics (CLUB: the true conditional), batches of " +
                                  std::to_string(o.batch) + ", in nats",
                      .x_label = "true mutual information",
                      .x_column = 1,
                      .y_top = 2 * o.truths.back(),
                      .lines = {{7, "truth"},
                                {2, "log N"},
                                {3, "InfoNCE"},
                                {4, "NWJ"},
                                {5, "Donsker-Varadhan"},
                                {6, "CLUB"}}});
}

void growing_batches(const Options& o, int d, double truth) {
  OutputFile csv(std::filesystem::path(o.out) / "batches.csv");
  csv.stream() << "batch,log_n,info_nce,nwj,donsker_varadhan,club,truth\n";
  header(("best critic, " + std::to_string(d) + " dimensions, truth " + text(truth)).c_str(), "N");
  const double rho = correlation(truth, d);
  for (const int batch : o.batches) {
    Random random(o.seed);
    std::vector<double> row = {std::log(batch)};
    for (const Bound bound : {Bound::info_nce, Bound::nwj, Bound::donsker_varadhan}) {
      row.push_back(with_best_critic(bound, batch, d, rho, random));
    }
    row.push_back(club_from_above(batch, d, rho, random));
    row.push_back(truth);
    line(csv.stream(), std::to_string(batch), row);
  }
  csv.commit();
  write_lines(o.out, {.name = "batches",
                      .title = "Bounds on mutual information as the batch grows",
                      .subtitle = "best critic, " + std::to_string(d) + " dimensions, truth " +
                                  text(truth) + " nats",
                      .x_label = "N",
                      .x_column = 1,
                      .log_x = true,
                      .y_top = 3 * truth,
                      .lines = {{7, "truth"},
                                {2, "log N"},
                                {3, "InfoNCE"},
                                {4, "NWJ"},
                                {5, "Donsker-Varadhan"},
                                {6, "CLUB"}}});
}

void run(const Options& o) {
  use_threads(o.threads);
  prepare_folder(o.out);
  std::vector<std::string> pictures;
  std::vector<std::string> tables;
  for (const int d : o.dimensions) {
    trained_critics(o, d);
    pictures.push_back("trained_" + std::to_string(d));
    tables.push_back(pictures.back() + ".csv");
  }
  growing_batches(o, o.dimensions.back(), o.truths[o.truths.size() / 2]);
  pictures.push_back("batches");
  tables.push_back("batches.csv");
  std::printf("\n");
  draw_all(o.out, pictures, tables);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  return run_program(
      argc, argv, "mutual_information",
      "Compares bounds on the mutual information of correlated Gaussians with the truth.",
      [&](CLI::App& app) {
        app.add_option("--dimensions", o.dimensions, "of x and of y, such as 5,20")
            ->delimiter(',')
            ->check(CLI::Range(1, 1000))
            ->capture_default_str();
        app.add_option("--truths", o.truths, "mutual information in nats, in rising order")
            ->delimiter(',')
            ->check(positive_number())
            ->capture_default_str();
        app.add_option("--batches", o.batches, "sizes of batches for the best critic")
            ->delimiter(',')
            ->check(CLI::Range(2, 65536))
            ->capture_default_str();
        app.add_option("--batch", o.batch, "samples a step of training")
            ->check(CLI::Range(2, 65536))
            ->capture_default_str();
        app.add_option("--steps", o.steps, "of each training")
            ->check(CLI::Range(1, 1000000))
            ->capture_default_str();
        declare_common(app, o, "");
      },
      [&] { run(o); });
}
