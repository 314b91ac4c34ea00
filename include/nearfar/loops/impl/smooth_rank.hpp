#pragma once

#include "nearfar/loops/impl/exponential.hpp"
#include "nearfar/loops/smooth_rank.hpp"

namespace nearfar::detail {
inline namespace NEARFAR_SET {

template <class S>
SmoothCounts smooth_rank_count(Index n, const S* s, const S* role, int sign, S own, S rate,
                               S* slopes) {
  ElementSum<S> positives;
  ElementSum<S> negatives;
  const S to_nearness = static_cast<S>(sign);
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T one = constant<T>(1);
    // The difference first, then the temperature: large scores would lose digits in the quotient.
    const T lead = (load<T>(s + k) - spread<T>(own)) * spread<T>(to_nearness);
    const T e = exp_scaled(zero - abs(lead), rate);
    const T of_larger = one / (one + e);  // sigmoid(|lead| / tau)
    const T of_smaller = e * of_larger;
    const T sigmoid = select_less(lead, zero, of_smaller, of_larger);
    const T its_role = load<T>(role + k);
    positives += select_equal(its_role, constant<T>(Role<S>::positive), sigmoid, zero);
    negatives += select_equal(its_role, constant<T>(Role<S>::negative), sigmoid, zero);
    store(slopes + k,
          select_equal(its_role, constant<T>(Role<S>::nobody), zero, of_smaller * of_larger));
  });
  return {positives.total(), negatives.total()};
}

template <class S>
SmoothSlopes smooth_rank_add_gradient(Index n, const S* s, const S* role, S own, const S* slopes,
                                      S of_positives, S of_negatives, S* g) {
  ElementSum<S> sum;
  ElementSum<S> moment;
  each_element<S>(n, [&]<class T>(Index k) NEARFAR_LAMBDA_INLINE {
    const T zero = constant<T>(0);
    const T weight = select_equal(load<T>(role + k), constant<T>(Role<S>::positive),
                                  spread<T>(of_positives), spread<T>(of_negatives));
    const T out = load<T>(slopes + k) * weight;
    sum += out;
    // Where the slope is 0 the difference may be infinite.
    moment += select_equal(out, zero, zero, out * (load<T>(s + k) - spread<T>(own)));
    store(g + k, load<T>(g + k) + out);
  });
  return {sum.total(), moment.total()};
}

template <class S>
inline constexpr SmoothRankLoops<S> smooth_rank_loops_here = {
    .count = &smooth_rank_count<S>,
    .add_gradient = &smooth_rank_add_gradient<S>,
};

}  // namespace NEARFAR_SET

#ifdef NEARFAR_HEADER_ONLY
template <class S>
const SmoothRankLoops<S>& smooth_rank_loops() {
  return smooth_rank_loops_here<S>;
}
#endif

}  // namespace nearfar::detail
