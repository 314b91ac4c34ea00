#include "nearfar/losses/info_nce.hpp"
#include "nearfar/losses/nce.hpp"
#include "settings.hpp"

/// \file
/// Losses of queries, their keys and negatives.

namespace nearfar::detail::c {

namespace {

struct InfoNceForm : FormOf<nearfar_info_nce_options, InfoNceOptions> {
  static constexpr const char* name = "InfoNce";
  template <class S, class K>
  using Loss = InfoNce<S, K>;
  using Kernels = AllKernels;
  static constexpr nearfar_kernel kernel = NEARFAR_COSINE;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("temperature", c.temperature, cpp.temperature);
    visit("denominator", c.denominator, cpp.denominator);
    visit("reduction", c.reduction, cpp.reduction);
    visit("unusable_anchors", c.unusable_anchors, cpp.unusable_anchors);
  }
};

struct NPairForm : FormOf<nearfar_n_pair_options, InfoNceOptions> {
  static constexpr const char* name = "NPair";
  template <class S, class K>
  using Loss = InfoNce<S, K>;
  using Kernels = c::Kernels<NEARFAR_INNER_PRODUCT>;
  static constexpr nearfar_kernel kernel = NEARFAR_INNER_PRODUCT;

  static Cpp start() { return NPair<double>().options(); }
  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("reduction", c.reduction, cpp.reduction);
  }
};

struct NceForm : FormOf<nearfar_nce_options, NceOptions> {
  static constexpr const char* name = "Nce";
  template <class S, class K>
  using Loss = Nce<S, K>;
  using Kernels = Similarities;
  static constexpr nearfar_kernel kernel = NEARFAR_INNER_PRODUCT;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("temperature", c.temperature, cpp.temperature);
    visit("log_z", c.log_z, cpp.log_z);
    visit("reduction", c.reduction, cpp.reduction);
  }
};

struct NegativeSamplingForm : FormOf<nearfar_negative_sampling_options, NegativeSamplingOptions> {
  static constexpr const char* name = "NegativeSampling";
  template <class S, class K>
  using Loss = NegativeSampling<S, K>;
  using Kernels = Similarities;
  static constexpr nearfar_kernel kernel = NEARFAR_INNER_PRODUCT;

  static void each(const auto& visit, auto& c, auto& cpp) {
    visit("temperature", c.temperature, cpp.temperature);
    visit("reduction", c.reduction, cpp.reduction);
  }
};

template <class S>
Negatives<S> negatives_of(const nearfar_negatives& given) {
  check_size<nearfar_negatives>("negatives", given.size);
  const Rows<S> rows = rows_of<S>("negatives.rows", given.rows);
  if (given.per_query != 0 && given.per_query != 1) {
    fail_argument("negatives.per_query", "0 or 1", std::to_string(given.per_query));
  }
  const Negatives<S> out = given.per_query == 1 ? per_query(rows) : Negatives<S>(rows);
  const Labels ids = labels_of("negatives.ids", given.ids);
  const Labels query_ids = labels_of("negatives.query_ids", given.query_ids);
  if (given.ids.data == nullptr && given.query_ids.data == nullptr) return out;
  return out.ids(ids, query_ids);
}

void refuse_log_noise(const nearfar_negatives& given) {
  if (given.log_noise_keys.data == nullptr && given.log_noise_negatives.data == nullptr) return;
  fail_argument("negatives.log_noise", "none for this loss", "numbers");
}

template <class Form>
class NegativesLoss : public LossOf<Form> {
 public:
  using LossOf<Form>::LossOf;

  void negatives(const AgainstNegatives& in, Pass& pass) const override {
    this->with_loss("queries", in.queries, [&]<class S>(S, const auto& loss) {
      const Rows<S> queries = rows_of<S>("queries", in.queries);
      const Rows<S> keys = rows_of<S>("keys", in.keys);
      const Negatives<S> negatives = negatives_of<S>(in.negatives);
      refuse_log_noise(in.negatives);
      const GradientRows<S> dq = gradient_of<S>("d_queries", in.d_queries);
      const GradientRows<S> dk = gradient_of<S>("d_keys", in.d_keys);
      const GradientRows<S> dn = gradient_of<S>("d_negatives", in.d_negatives);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      pass.run(
          this->reduction(), queries.rows(),
          [&] { return loss.forward(queries, keys, negatives, call); },
          [&] { return loss.forward_backward(queries, keys, negatives, dq, dk, dn, call); });
    });
  }
};

/// InfoNce and what is made of it.
template <class Form>
class InfoNceLoss : public NegativesLoss<Form> {
 public:
  using NegativesLoss<Form>::NegativesLoss;

  void two_sets(const TwoSets& in, Pass& pass) const override {
    this->with_loss("x", in.x, [&]<class S>(S, const auto& loss) {
      const Rows<S> x = rows_of<S>("x", in.x);
      const Rows<S> y = rows_of<S>("y", in.y);
      const GradientRows<S> dx = gradient_of<S>("dx", in.dx);
      const GradientRows<S> dy = gradient_of<S>("dy", in.dy);
      const CallOptions<S> call = pass.options<S>(this->reduction());
      if (in.match == nullptr) {
        pass.run(
            this->reduction(), x.rows(), [&] { return loss.forward(x, y, call); },
            [&] { return loss.forward_backward(x, y, dx, dy, call); });
        return;
      }
      const Labels match = labels_of("match", *in.match);
      pass.run(
          this->reduction(), x.rows(), [&] { return loss.forward(x, y, match, call); },
          [&] { return loss.forward_backward(x, y, match, dx, dy, call); });
    });
  }
};

class NceLoss : public LossOf<NceForm> {
 public:
  using LossOf::LossOf;

  void negatives(const AgainstNegatives& in, Pass& pass) const override {
    with_loss("queries", in.queries, [&]<class S>(S, const auto& loss) {
      const Rows<S> queries = rows_of<S>("queries", in.queries);
      const Rows<S> keys = rows_of<S>("keys", in.keys);
      const Negatives<S> negatives = negatives_of<S>(in.negatives);
      const Numbers<S> key_noise =
          numbers_of<S>("negatives.log_noise_keys", in.negatives.log_noise_keys);
      const Numbers<S> noise =
          numbers_of<S>("negatives.log_noise_negatives", in.negatives.log_noise_negatives);
      const GradientRows<S> dq = gradient_of<S>("d_queries", in.d_queries);
      const GradientRows<S> dk = gradient_of<S>("d_keys", in.d_keys);
      const GradientRows<S> dn = gradient_of<S>("d_negatives", in.d_negatives);
      const CallOptions<S> call = pass.options<S>(reduction());
      pass.run(
          reduction(), queries.rows(),
          [&] { return loss.forward(queries, keys, negatives, key_noise, noise, call); },
          [&] {
            return loss.forward_backward(queries, keys, negatives, key_noise, noise, dq, dk, dn,
                                         call);
          });
    });
  }
};

}  // namespace
}  // namespace nearfar::detail::c

NEARFAR_C_LOSS(info_nce, nearfar::detail::c::InfoNceForm,
               nearfar::detail::c::InfoNceLoss<nearfar::detail::c::InfoNceForm>)
NEARFAR_C_LOSS(n_pair, nearfar::detail::c::NPairForm,
               nearfar::detail::c::InfoNceLoss<nearfar::detail::c::NPairForm>)
NEARFAR_C_LOSS(nce, nearfar::detail::c::NceForm, nearfar::detail::c::NceLoss)
NEARFAR_C_LOSS(negative_sampling, nearfar::detail::c::NegativeSamplingForm,
               nearfar::detail::c::NegativesLoss<nearfar::detail::c::NegativeSamplingForm>)
