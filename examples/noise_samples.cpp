#include <Eigen/Cholesky>
#include <Eigen/QR>
#include <array>
#include <cmath>
#include <cstdio>
#include <nearfar/losses/nce.hpp>
#include <numbers>
#include <stdexcept>
#include <string>
#include <vector>

#include "common/bfgs.hpp"
#include "common/chart.hpp"
#include "common/output.hpp"
#include "common/plot.hpp"
#include "common/program.hpp"
#include "common/random.hpp"

/// \file
/// Noise-contrastive estimation against maximum likelihood, by the number of noise samples and the
/// noise distribution (Gutmann and Hyvarinen, Noise-contrastive estimation of unnormalized
/// statistical models, 2012, sections 2.3 and 3.1). The model is a Gaussian whose partition
/// function NCE does not know. It is known all the same, and so is the estimate of maximum
/// likelihood.

namespace {

using namespace example;
using Eigen::Index;
using Rows = nearfar::Matrix<double>;

struct Options : CommonOptions {
  int dimensions = 5;
  int samples = 1000;
  int repetitions = 20;
  std::vector<int> noise = {1, 2, 4, 8, 16, 32, 64};
  std::vector<double> widths = {1, 3};
};

/// The model's parameters: the precision matrix's entries on and above the diagonal, row by row,
/// and log Z.
struct Parameters {
  Eigen::VectorXd precision;
  double log_z = 0;
};

/// Numbers of x whose inner product with the precision's entries is -1/2 x' precision x.
Rows features(const Rows& x) {
  const Index d = x.cols();
  Rows out(x.rows(), d * (d + 1) / 2);
  Index column = 0;
  for (Index i = 0; i < d; ++i) {
    for (Index j = i; j < d; ++j) {
      out.col(column++) = (i == j ? -0.5 : -1.0) * x.col(i).cwiseProduct(x.col(j));
    }
  }
  return out;
}

/// Of a covariance matrix.
Parameters parameters_of(const Eigen::MatrixXd& covariance) {
  const Index d = covariance.cols();
  const Eigen::LLT<Eigen::MatrixXd> factors(covariance);
  const Eigen::MatrixXd inverse = factors.solve(Eigen::MatrixXd::Identity(d, d));
  Parameters out{Eigen::VectorXd(d * (d + 1) / 2)};
  Index entry = 0;
  for (Index i = 0; i < d; ++i) {
    for (Index j = i; j < d; ++j) out.precision[entry++] = inverse(i, j);
  }
  out.log_z = 0.5 * static_cast<double>(d) * std::log(2 * std::numbers::pi) +
              Eigen::MatrixXd(factors.matrixL()).diagonal().array().log().sum();
  return out;
}

Rows normal(Index rows, Index cols, Random& random) {
  Rows out(rows, cols);
  for (Index i = 0; i < out.size(); ++i) out.data()[i] = random.normal();
  return out;
}

/// A covariance matrix with eigenvalues from 1 to 10 and eigenvectors of any direction.
Eigen::MatrixXd random_covariance(Index d, Random& random) {
  const Eigen::MatrixXd directions =
      Eigen::HouseholderQR<Eigen::MatrixXd>(normal(d, d, random)).householderQ();
  Eigen::VectorXd values(d);
  for (Index i = 0; i < d; ++i) values[i] = 1 + 9 * random.uniform();
  return directions * values.asDiagonal() * directions.transpose();
}

/// The noise: Gaussian, independent from coordinate to coordinate.
struct Noise {
  Eigen::RowVectorXd deviations;

  Rows draw(Index rows, Random& random) const {
    return normal(rows, deviations.size(), random) * deviations.asDiagonal();
  }

  Parameters parameters() const {
    return parameters_of(deviations.array().square().matrix().asDiagonal());
  }

  std::vector<double> log_density(const Rows& x) const {
    const double log_z = parameters().log_z;
    std::vector<double> out;
    for (Index i = 0; i < x.rows(); ++i) {
      const double squares = x.row(i).cwiseQuotient(deviations).squaredNorm();
      out.push_back(-0.5 * squares - log_z);
    }
    return out;
  }
};

/// NCE with `count` noise samples for each sample. The loss is convex in all parameters.
Parameters estimate(const Rows& x, const Noise& noise, Index count, Random& random) {
  const Rows y = noise.draw(x.rows() * count, random);
  const Rows keys = features(x);
  const Rows negatives = features(y);
  const std::vector<double> log_noise_keys = noise.log_density(x);
  const std::vector<double> log_noise_negatives = noise.log_density(y);
  Rows queries(keys.rows(), keys.cols());
  Rows d_queries;
  nearfar::Workspace workspace;
  const auto loss = [&](const Eigen::VectorXd& at, Eigen::VectorXd& gradient) {
    // The parameters are the query of every sample; the last of them is log Z.
    queries.rowwise() = at.head(keys.cols()).transpose();
    const nearfar::Nce<double> nce({.log_z = at[keys.cols()]});
    const auto result = nce.forward_backward(
        queries, keys, nearfar::per_query(negatives), log_noise_keys, log_noise_negatives,
        d_queries, nearfar::no_gradient, nearfar::no_gradient, {.workspace = &workspace});
    gradient.head(keys.cols()) = d_queries.colwise().sum().transpose();
    gradient[keys.cols()] = result.d_log_z;
    return result.value;
  };
  // The model begins as the noise. What is left of the gradient is far below what the samples'
  // number leaves open.
  const Parameters noises = noise.parameters();
  Eigen::VectorXd start(keys.cols() + 1);
  start << noises.precision, noises.log_z;
  const BfgsResult best = minimise(loss, start, {.tolerance = 1e-6});
  if (!best.converged) throw std::runtime_error("the estimate has not converged");
  return {best.parameters.head(keys.cols()), best.parameters[keys.cols()]};
}

/// Sums of squared differences of estimates, over repetitions.
struct Error {
  double precision = 0;  // of an entry
  double log_z = 0;

  void add(const Parameters& a, const Parameters& b) {
    const double squares = (a.precision - b.precision).squaredNorm();
    precision += squares / static_cast<double>(a.precision.size());
    log_z += (a.log_z - b.log_z) * (a.log_z - b.log_z);
  }
};

/// Which parameters an error is of.
struct Part {
  const char* name;
  const char* title;
  double Error::*sum;
};

constexpr std::array<Part, 2> parts = {
    {{"precision", "Precision matrix", &Error::precision}, {"log_z", "log Z", &Error::log_z}}};

class Comparison {
 public:
  explicit Comparison(const Options& o)
      : o_(o),
        from_truth_(o.noise.size(), std::vector<Error>(o.widths.size())),
        from_likelihood_(from_truth_) {}

  void run() {
    for (int r = 0; r < o_.repetitions; ++r) {
      repeat(r);
      std::printf("%d of %d sets of samples\n", r + 1, o_.repetitions);
      std::fflush(stdout);
    }
  }

  /// Prints the tables, leaves them and what draws them, and returns their names. Throws
  /// std::runtime_error when a file cannot be written.
  std::vector<std::string> report() const {
    std::vector<std::string> names;
    for (const Part& part : parts) {
      const double likelihood = root_mean(likelihood_.*part.sum);
      names.push_back(std::string(part.name) + "_from_truth");
      table(names.back(), part.title + std::string(": error against the truth"),
            "maximum likelihood", from_truth_, part, [&](std::size_t) { return likelihood; });
      names.push_back(std::string(part.name) + "_from_likelihood");
      const double first = root_mean(from_likelihood_[0][0].*part.sum);
      table(names.back(), part.title + std::string(": distance from maximum likelihood"),
            "1 / sqrt(k)", from_likelihood_, part,
            [&](std::size_t k) { return first * std::sqrt(double(o_.noise[0]) / o_.noise[k]); });
    }
    return names;
  }

 private:
  /// Of each number of noise samples and each width.
  using Errors = std::vector<std::vector<Error>>;

  double root_mean(double sum) const { return std::sqrt(sum / o_.repetitions); }

  void repeat(int repetition) {
    Random random(o_.seed + 1000003 * static_cast<std::uint64_t>(repetition));
    const Eigen::MatrixXd covariance = random_covariance(o_.dimensions, random);
    const Parameters truth = parameters_of(covariance);
    const Eigen::MatrixXd root = Eigen::LLT<Eigen::MatrixXd>(covariance).matrixL();
    const Rows x = normal(o_.samples, o_.dimensions, random) * root.transpose();
    // The model's mean is 0, so its likeliest covariance is that of the samples about 0.
    const Parameters likeliest = parameters_of(x.transpose() * x / o_.samples);
    likelihood_.add(likeliest, truth);
    const Eigen::RowVectorXd deviations = (x.colwise().squaredNorm() / o_.samples).cwiseSqrt();
    for (std::size_t k = 0; k < o_.noise.size(); ++k) {
      for (std::size_t w = 0; w < o_.widths.size(); ++w) {
        const Parameters found = estimate(x, {o_.widths[w] * deviations}, o_.noise[k], random);
        from_truth_[k][w].add(found, truth);
        from_likelihood_[k][w].add(found, likeliest);
      }
    }
  }

  template <class Reference>
  void table(const std::string& name, const std::string& title, const std::string& reference_name,
             const Errors& errors, const Part& part, const Reference& reference) const {
    OutputFile csv(std::filesystem::path(o_.out) / (name + ".csv"));
    LineChart chart{.name = name,
                    .title = title,
                    .subtitle = std::to_string(o_.samples) + " samples of a Gaussian in " +
                                std::to_string(o_.dimensions) + " dimensions, " +
                                std::to_string(o_.repetitions) +
                                " repetitions; noise width: its standard deviations in those of "
                                "the data",
                    .x_label = "noise samples for each sample, k",
                    .y_label = "root mean square",
                    .log_x = true,
                    .log_y = true,
                    .key = "right top",
                    .lines = {{2, reference_name}}};
    std::printf("\n%s, root mean square\n%-6s %20s", title.c_str(), "k", reference_name.c_str());
    csv.stream() << "noise_samples," << reference_name;
    for (const double width : o_.widths) {
      const std::string label = "noise width " + number(width);
      chart.lines.push_back({static_cast<int>(chart.lines.size()) + 2, "NCE, " + label});
      std::printf(" %20s", label.c_str());
      csv.stream() << ',' << label;
    }
    std::printf("\n");
    csv.stream() << '\n';
    for (std::size_t k = 0; k < o_.noise.size(); ++k) {
      std::printf("%-6d %20.4f", o_.noise[k], reference(k));
      csv.stream() << o_.noise[k] << ',' << number(reference(k));
      for (const Error& error : errors[k]) {
        std::printf(" %20.4f", root_mean(error.*part.sum));
        csv.stream() << ',' << number(root_mean(error.*part.sum));
      }
      std::printf("\n");
      csv.stream() << '\n';
    }
    csv.commit();
    write_lines(o_.out, chart);
  }

  static std::string number(double x) {
    char text[32];
    std::snprintf(text, sizeof text, "%.5g", x);
    return text;
  }

  const Options& o_;
  Error likelihood_;
  Errors from_truth_;
  Errors from_likelihood_;
};

void run(const Options& o) {
  use_threads(o.threads);
  prepare_folder(o.out);
  Comparison comparison(o);
  comparison.run();
  const std::vector<std::string> names = comparison.report();
  std::vector<std::string> tables;
  for (const std::string& name : names) tables.push_back(name + ".csv");
  std::printf("\n");
  draw_all(o.out, names, tables);
}

}  // namespace

int main(int argc, char** argv) {
  Options o;
  return run_program(
      argc, argv, "noise_samples",
      "Compares noise-contrastive estimation with maximum likelihood by the number of noise "
      "samples and the noise distribution.",
      [&](CLI::App& app) {
        app.add_option("--dimensions", o.dimensions, "of a sample")
            ->check(CLI::Range(1, 50))
            ->capture_default_str();
        app.add_option("--samples", o.samples, "from the Gaussian, in each repetition")
            ->check(CLI::Range(100, 1000000))
            ->capture_default_str();
        app.add_option("--repetitions", o.repetitions, "Gaussians, each with its own samples")
            ->check(CLI::Range(1, 10000))
            ->capture_default_str();
        app.add_option("--noise", o.noise, "noise samples for each sample, such as 1,10,100")
            ->delimiter(',')
            ->check(CLI::Range(1, 10000))
            ->capture_default_str();
        app.add_option("--widths", o.widths,
                       "standard deviations of the noise, in those of the samples; a noise "
                       "distribution each")
            ->delimiter(',')
            ->check(positive_number())
            ->capture_default_str();
        declare_common(app, o, "");
      },
      [&] { run(o); });
}
