#pragma once

#include "pass.hpp"

/// \file
/// A nearfar_loss: a call of each form, which a loss that has the form overrides.

namespace nearfar::detail::c {

struct OneSet {
  const nearfar_rows& x;
  const nearfar_gradient* dx;
};

struct TwoSets {
  const nearfar_rows& x;
  const nearfar_rows& y;
  const nearfar_integers* match;
  const nearfar_gradient* dx;
  const nearfar_gradient* dy;
};

struct Pairs {
  const nearfar_rows& x;
  const nearfar_rows& y;
  const nearfar_targets& targets;
  const nearfar_gradient* dx;
  const nearfar_gradient* dy;
};

struct Scored {
  const nearfar_rows& x;
  const nearfar_rows& y;
  const nearfar_rows& scores;
  const nearfar_gradient* dx;
  const nearfar_gradient* dy;
};

struct ScoredTriplets {
  const nearfar_rows& x;
  const nearfar_rows& y;
  const nearfar_rows& z;
  const nearfar_rows& margins;
  const nearfar_gradient* dx;
  const nearfar_gradient* dy;
  const nearfar_gradient* dz;
};

struct ThreeSets {
  const nearfar_rows& x;
  const nearfar_rows& y;
  const nearfar_rows& z;
  const nearfar_gradient* dx;
  const nearfar_gradient* dy;
  const nearfar_gradient* dz;
};

struct AgainstNegatives {
  const nearfar_rows& queries;
  const nearfar_rows& keys;
  const nearfar_negatives& negatives;
  const nearfar_gradient* d_queries;
  const nearfar_gradient* d_keys;
  const nearfar_gradient* d_negatives;
};

struct InBatch {
  const nearfar_rows& queries;
  const nearfar_rows& keys;
  const nearfar_in_batch& extras;
  const nearfar_gradient* d_queries;
  const nearfar_gradient* d_keys;
  const nearfar_gradient* d_negatives;
};

struct AgainstProxies {
  const nearfar_rows& x;
  const nearfar_integers& labels;
  const nearfar_proxies& proxies;
  const nearfar_gradient* dx;
  const nearfar_gradient* d_proxies;
};

struct Labelled {
  const nearfar_rows& x;
  const nearfar_targets& targets;
  const nearfar_gradient* dx;
};

struct WithReferences {
  const nearfar_rows& queries;
  const nearfar_targets& query_targets;
  const nearfar_rows& references;
  const nearfar_targets& reference_targets;
  const nearfar_gradient* d_queries;
  const nearfar_gradient* d_references;
};

/// References may be null.
struct ListedPairs {
  const nearfar_rows& x;
  const nearfar_rows* references;
  const nearfar_pair_list& positives;
  const nearfar_pair_list& negatives;
  const nearfar_gradient* dx;
  const nearfar_gradient* d_references;
};

struct ListedTriplets {
  const nearfar_rows& x;
  const nearfar_rows* references;
  const nearfar_triplet_list& triplets;
  const nearfar_gradient* dx;
  const nearfar_gradient* d_references;
};

struct Predictions {
  const nearfar_rows& prediction1;
  const nearfar_rows& prediction2;
  const nearfar_rows& target1;
  const nearfar_rows& target2;
  const nearfar_gradient* d_prediction1;
  const nearfar_gradient* d_prediction2;
};

struct Tokens {
  const nearfar_rows& queries;
  const nearfar_integers& query_offsets;
  const nearfar_rows& documents;
  const nearfar_integers& document_offsets;
  const nearfar_gradient* d_queries;
  const nearfar_gradient* d_documents;
};

}  // namespace nearfar::detail::c

struct nearfar_loss {
  nearfar_loss() = default;
  nearfar_loss(const nearfar_loss&) = delete;
  nearfar_loss& operator=(const nearfar_loss&) = delete;
  virtual ~nearfar_loss() = default;

  virtual const char* name() const = 0;

  virtual void one_set(const nearfar::detail::c::OneSet&, nearfar::detail::c::Pass&) const {
    refuse("one set of rows");
  }
  virtual void two_sets(const nearfar::detail::c::TwoSets&, nearfar::detail::c::Pass&) const {
    refuse("two sets of rows");
  }
  virtual void pairs(const nearfar::detail::c::Pairs&, nearfar::detail::c::Pass&) const {
    refuse("pairs of rows with targets");
  }
  virtual void scored(const nearfar::detail::c::Scored&, nearfar::detail::c::Pass&) const {
    refuse("rows with scores");
  }
  virtual void scored_triplets(const nearfar::detail::c::ScoredTriplets&,
                               nearfar::detail::c::Pass&) const {
    refuse("triplets with margins");
  }
  virtual void three_sets(const nearfar::detail::c::ThreeSets&, nearfar::detail::c::Pass&) const {
    refuse("three sets of rows");
  }
  virtual void negatives(const nearfar::detail::c::AgainstNegatives&,
                         nearfar::detail::c::Pass&) const {
    refuse("queries, keys and negatives");
  }
  virtual void in_batch(const nearfar::detail::c::InBatch&, nearfar::detail::c::Pass&) const {
    refuse("pairs with what else a batch has");
  }
  virtual void proxies(const nearfar::detail::c::AgainstProxies&, nearfar::detail::c::Pass&) const {
    refuse("rows with labels and proxies");
  }
  virtual void labelled(const nearfar::detail::c::Labelled&, nearfar::detail::c::Pass&) const {
    refuse("rows with labels");
  }
  virtual void references(const nearfar::detail::c::WithReferences&,
                          nearfar::detail::c::Pass&) const {
    refuse("rows with labels and references");
  }
  virtual void listed_pairs(const nearfar::detail::c::ListedPairs&,
                            nearfar::detail::c::Pass&) const {
    refuse("pairs of rows by number");
  }
  virtual void listed_triplets(const nearfar::detail::c::ListedTriplets&,
                               nearfar::detail::c::Pass&) const {
    refuse("triplets of rows by number");
  }
  virtual void predictions(const nearfar::detail::c::Predictions&,
                           nearfar::detail::c::Pass&) const {
    refuse("predictions and targets");
  }
  virtual void tokens(const nearfar::detail::c::Tokens&, nearfar::detail::c::Pass&) const {
    refuse("sets of tokens");
  }

 private:
  [[noreturn]] void refuse(const char* form) const {
    nearfar::fail_argument("loss", std::string("one that compares ") + form, name());
  }
};
