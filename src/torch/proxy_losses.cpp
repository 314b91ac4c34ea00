#include "options.hpp"

/// \file
/// Losses of labelled rows against proxies of classes.

namespace nearfar::libtorch::operators {
namespace {

/// call(arguments of a function of nearfar::libtorch...).
template <class Line, class Call>
void over_proxies(Operators& all, const std::string& name, const std::vector<std::string>& learnt,
                  const Call& call) {
  Signature its{name, "Tensor x, Tensor labels, Tensor proxies", {"x", "proxies"}, learnt};
  its.optional_arguments = "Tensor? classes=None, Tensor? margins=None";
  add<Line>(all, its, rows_of("x"), [call](const Arguments& from, const auto& options, NoKernel) {
    TensorProxies proxies = from.tensor("proxies");
    const Tensor classes = from.tensor("classes");
    const Tensor margins = from.tensor("margins");
    if (classes.defined()) proxies = proxies.classes(classes);
    if (margins.defined()) proxies = proxies.margins(margins);
    return call(from, from.tensor("x"), from.tensor("labels"), proxies, options);
  });
}

}  // namespace

void add_proxy_losses(Operators& all) {
#define NEARFAR_OPERATOR(name)                                               \
  over_proxies<registered::name>(                                            \
      all, #name, {"scale"}, [](const Arguments& from, const auto&... its) { \
        return libtorch::name(its..., ScaleTensor{from.tensor("scale")});    \
      });
  NEARFAR_OPERATOR(arc_face)
  NEARFAR_OPERATOR(cos_face)
  NEARFAR_OPERATOR(large_margin_softmax)
  NEARFAR_OPERATOR(proxy_nca)
  NEARFAR_OPERATOR(sphere_face)
  NEARFAR_OPERATOR(sub_center_arc_face)
#undef NEARFAR_OPERATOR
  over_proxies<registered::normalized_softmax>(
      all, "normalized_softmax", {"temperature"}, [](const Arguments& from, const auto&... its) {
        return normalized_softmax(its..., TemperatureTensor{from.tensor("temperature")});
      });
  over_proxies<registered::soft_triple>(
      all, "soft_triple", {"lambda_", "gamma"}, [](const Arguments& from, const auto&... its) {
        return soft_triple(its..., SoftTripleTensors{from.tensor("lambda_"), from.tensor("gamma")});
      });
  over_proxies<registered::proxy_anchor>(
      all, "proxy_anchor", {},
      [](const Arguments&, const auto&... its) { return proxy_anchor(its...); });
}

}  // namespace nearfar::libtorch::operators
