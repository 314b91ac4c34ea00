#pragma once

#include <numbers>

#include "support/definitions.hpp"

/// \file
/// Definitions of losses of labelled rows against proxies of classes: see support/definitions.hpp.

namespace oracle {

/// Labelled rows and proxies, `centers` of each class one after the other.
struct AgainstProxies {
  Set x;
  Set proxies;
  std::vector<std::int64_t> labels;
  Index centers;

  Index classes() const { return proxies.size() / centers; }
  Number cosine(Index i, Index proxy) const { return score<nearfar::Cosine>(x[i], proxies[proxy]); }
};

/// The mean or sum of -log softmax of each row's own class; logit(i, c, own).
template <class LogitOf>
Number class_softmax(const AgainstProxies& b, nearfar::Reduction reduction, const LogitOf& logit,
                     bool with_own = true) {
  Numbers terms;
  for (Index i = 0; i < b.x.size(); ++i) {
    const Index own = b.labels[at(i)];
    const Number of_own = logit(i, own, true);
    Numbers others;
    for (Index c = 0; c < b.classes(); ++c) {
      if (c != own) others.push_back(logit(i, c, false) - of_own);
    }
    terms.push_back(with_own ? log_one_plus(others) : log_sum(others));
  }
  return reduced(reduction, terms);
}

inline Number definition(registered::normalized_softmax, const nearfar::NormalizedSoftmaxOptions& o,
                         const AgainstProxies& b) {
  return class_softmax(
      b, o.reduction, [&](Index i, Index c, bool) { return b.cosine(i, c) / Real(o.temperature); });
}

inline Number definition(registered::cos_face, const nearfar::CosFaceOptions& o,
                         const AgainstProxies& b) {
  return class_softmax(b, o.reduction, [&](Index i, Index c, bool own) {
    return Real(o.scale) * (b.cosine(i, c) - (own ? Real(o.margin) : Real(0)));
  });
}

inline Number definition(registered::proxy_nca, const nearfar::ProxyNcaOptions& o,
                         const AgainstProxies& b) {
  return class_softmax(
      b, o.reduction,
      [&](Index i, Index c, bool) { return -(Real(o.scale) * (2 - 2 * b.cosine(i, c))); },
      o.denominator == nearfar::Denominator::with_positive);
}

/// cos(theta + m), or its continuation where the angle would exceed pi.
inline Number with_added_angle(const Number& z, Real m) {
  if (std::acos(z.value) > std::numbers::pi_v<Real> - m) return z - m * std::sin(m);
  return z * std::cos(m) - sqrt(1 - z * z) * std::sin(m);
}

inline Number definition(registered::arc_face, const nearfar::ArcFaceOptions& o,
                         const AgainstProxies& b) {
  return class_softmax(b, o.reduction, [&](Index i, Index c, bool own) {
    const Number z = b.cosine(i, c);
    return Real(o.scale) * (own ? with_added_angle(z, o.margin) : z);
  });
}

inline Number definition(registered::sub_center_arc_face, const nearfar::SubCenterArcFaceOptions& o,
                         const AgainstProxies& b) {
  return class_softmax(b, o.reduction, [&](Index i, Index c, bool own) {
    Number z = b.cosine(i, c * b.centers);
    for (Index k = 1; k < b.centers; ++k) {
      const Number other = b.cosine(i, c * b.centers + k);
      if (other.value > z.value) z = other;
    }
    return Real(o.scale) * (own ? with_added_angle(z, o.margin) : z);
  });
}

/// (-1)^k cos(m theta) - 2 k with k = floor(m theta / pi), by Chebyshev's recurrence.
inline Number with_multiplied_angle(const Number& z, int m) {
  Number before = 1;
  Number cosine = z;
  for (int n = 1; n < m; ++n) {
    const Number next = 2 * z * cosine - before;
    before = cosine;
    cosine = next;
  }
  const Real k = std::floor(m * std::acos(z.value) / std::numbers::pi_v<Real>);
  return (std::fmod(k, Real(2)) == 0 ? cosine : -cosine) - 2 * k;
}

/// |x| |w| times the cosine; of the row's own class with a margin. A row or proxy of zeros has no
/// angle: its product has no margin.
inline Number with_margin(const Numbers& x, const Numbers& w, bool own, int m) {
  const Number product = inner(x, w);
  const Number lengths = sqrt(inner(x, x)) * sqrt(inner(w, w));
  if (!own || lengths.value == 0) return product;
  return lengths * with_multiplied_angle(score<nearfar::Cosine>(x, w), m);
}

inline Number definition(registered::sphere_face, const nearfar::SphereFaceOptions& o,
                         const AgainstProxies& b) {
  return class_softmax(b, o.reduction, [&](Index i, Index c, bool own) {
    return Real(o.scale) * with_margin(b.x[i], direction(b.proxies[c]), own, o.margin);
  });
}

inline Number definition(registered::large_margin_softmax,
                         const nearfar::LargeMarginSoftmaxOptions& o, const AgainstProxies& b) {
  return class_softmax(b, o.reduction, [&](Index i, Index c, bool own) {
    return Real(o.scale) * with_margin(b.x[i], b.proxies[c], own, o.margin);
  });
}

inline Number definition(registered::soft_triple, const nearfar::SoftTripleOptions& o,
                         const AgainstProxies& b) {
  return class_softmax(b, o.reduction, [&](Index i, Index c, bool own) {
    Number weighted = 0;
    Number weights = 0;
    for (Index k = c * b.centers; k < (c + 1) * b.centers; ++k) {
      const Number z = b.cosine(i, k);
      const Number w = exp(z / Real(o.gamma));
      weighted += w * z;
      weights += w;
    }
    return Real(o.lambda) * (weighted / weights - (own ? Real(o.margin) : Real(0)));
  });
}

inline Number definition(registered::proxy_anchor, const nearfar::ProxyAnchorOptions& o,
                         const AgainstProxies& b) {
  const Real alpha = o.alpha;
  Numbers with_rows;
  Numbers all;
  for (Index c = 0; c < b.classes(); ++c) {
    Numbers own;
    Numbers others;
    for (Index i = 0; i < b.x.size(); ++i) {
      if (b.labels[at(i)] == c) {
        own.push_back(-(alpha * (b.cosine(i, c) - Real(o.margin))));
      } else {
        others.push_back(alpha * (b.cosine(i, c) + Real(o.margin)));
      }
    }
    if (!own.empty()) with_rows.push_back(log_one_plus(own));
    all.push_back(log_one_plus(others));
  }
  return mean(with_rows) + mean(all);
}

/// Value and gradients of a loss against proxies.
template <class Line>
Defined defined_over_proxies(const typename Line::Options& options,
                             const support::NamedArguments<double>& a, Index centers) {
  Tape::current().clear();
  const AgainstProxies batch{Set(exact(a.sets[0])), Set(exact(a.sets[1])), a.labels, centers};
  return derived(definition(Line(), options, batch), {&batch.x, &batch.proxies});
}

}  // namespace oracle
