#pragma once

#include <limits>

#include "nearfar/core/mutual_information_bound.hpp"
#include "nearfar/kernels/kernels.hpp"
#include "nearfar/losses/pair_calls.hpp"

namespace nearfar {

/// Settings of MutualInformation.
struct MutualInformationOptions {
  MutualInformationBound bound = MutualInformationBound::info_nce;
  double temperature = 1;  ///< tau > 0: the critic is f = score / tau

  /// Calls visit("bound", o.bound...), and so on for each option.
  static void fields(const auto& visit, auto&... o) {
    visit("bound", o.bound...);
    visit("temperature", o.temperature...);
  }
};

/// The result of MutualInformation: `value` is the bound, in nats.
struct MutualInformationResult : TemperatureResult {
  /// The largest value the bound can have, for any critic: log N for info_nce, infinity for others.
  double ceiling = std::numeric_limits<double>::infinity();
};

namespace detail {

template <class S>
MutualInformationResult evaluate(const MutualInformationOptions& options,
                                 const KernelValue<S>& kernel, const Inputs<S, 2>& inputs);

}  // namespace detail

/// Bounds on the mutual information of x and y from N joint samples (row i of x with row i of y),
/// in nats, with a critic f_ij = s_ij / tau of kernel K (minus the distance for distances):
///
///     info_nce: log N + 1/N sum_i ( f_ii - log sum_j exp(f_ij) )          lower bound, <= log N
///     nwj:      1/N sum_i f_ii - 1/(N (N-1)) sum_{i != j} exp(f_ij - 1)    lower bound
///     donsker_varadhan: 1/N sum_i f_ii - log( 1/(N (N-1)) sum_{i != j} exp(f_ij) )
///     club:     1/N sum_i f_ii - 1/N^2 sum_ij f_ij                         upper bound
///
/// (van den Oord et al. 2018; Nguyen, Wainwright & Jordan 2010, as in Poole et al., On variational
/// bounds of mutual information, 2019, eq. 5; Donsker & Varadhan 1983, as in Belghazi et al., MINE,
/// 2018, eq. 10; Cheng et al., CLUB, 2020, eq. 6.) You train the critic: with upstream = -1 an
/// optimiser that minimises maximises the value, which tightens a lower bound.
///
/// donsker_varadhan takes the logarithm of a sample mean, which is biased upward: for few samples
/// its value may exceed the mutual information, and gradients of minibatches are biased, too. club
/// is an upper bound if exp(f) is the conditional density of y given x up to a factor of y; for a
/// unit Gaussian that is SquaredEuclidean at temperature 2.
///
/// A batch of one row is a std::invalid_argument for nwj and donsker_varadhan. nwj limits its
/// exponentials to exp(700) (in gradients, exp(80) for float), so that a critic far from the
/// optimum gets a finite value, which is then not the bound's. Extra memory O(N D). 6 N^2 D
/// floating point operations forward and backward, 8 N^2 D for donsker_varadhan, which takes two
/// passes. An object is immutable and may be shared by threads, each with its own Workspace.
/// Results have the same bits at any number of threads.
template <class S, Kernel K = InnerProduct>
class MutualInformation : public PairCalls<MutualInformation<S, K>, S, MutualInformationResult> {
 public:
  /// Throws std::invalid_argument unless the temperature is finite and > 0.
  explicit MutualInformation(MutualInformationOptions options = {}, K kernel = K())
      : options_(options), kernel_(kernel) {
    check_scale<S>("temperature", options.temperature);
  }

  const MutualInformationOptions& options() const { return options_; }
  const K& kernel() const { return kernel_; }

 private:
  MutualInformationOptions options_;
  K kernel_;
};

}  // namespace nearfar

#ifdef NEARFAR_HEADER_ONLY
#include "nearfar/losses/impl/mutual_information.hpp"
#endif
