#pragma once

#include <array>

#include "pass.hpp"

/// \file
/// A nearfar_loss: a call of each form, which a loss that has the form overrides.

namespace nearfar::detail::c {

struct OneSet {
  std::array<Set, 1> sets;
};

struct TwoSets {
  std::array<Set, 2> sets;
  const nearfar_integers* match;
};

struct Pairs {
  std::array<Set, 2> sets;
  const nearfar_targets& targets;
};

struct Scored {
  std::array<Set, 2> sets;
  const nearfar_rows& scores;
};

struct ScoredTriplets {
  std::array<Set, 3> sets;
  const nearfar_rows& margins;
};

struct ThreeSets {
  std::array<Set, 3> sets;
};

/// The third set is the rows of `negatives`.
struct AgainstNegatives {
  std::array<Set, 3> sets;
  const nearfar_negatives& negatives;
  Set own;                                 ///< the rows of `own_negatives`
  const nearfar_negatives* own_negatives;  ///< null: none
};

/// The third set is the rows of the negatives, where there are some.
struct InBatch {
  std::array<Set, 3> sets;
  const nearfar_in_batch& extras;
  const nearfar_negatives* negatives;
};

/// The second set is the rows of `proxies`.
struct AgainstProxies {
  std::array<Set, 2> sets;
  const nearfar_integers& labels;
  const nearfar_proxies& proxies;
};

struct Labelled {
  std::array<Set, 1> sets;
  const nearfar_targets& targets;
};

struct WithReferences {
  std::array<Set, 2> sets;
  const nearfar_targets& query_targets;
  const nearfar_targets& reference_targets;
};

/// References, and with them their targets, may be left out.
struct WithBoundaries {
  Set x;
  Set references;
  Set betas;
  const nearfar_targets& targets;
  const nearfar_targets* reference_targets;
};

/// References may be left out.
struct ListedPairs {
  Set x;
  Set references;
  const nearfar_pair_list& positives;
  const nearfar_pair_list& negatives;
};

struct ListedTriplets {
  Set x;
  Set references;
  const nearfar_triplet_list& triplets;
};

/// Predictions, then targets.
struct Predictions {
  std::array<Set, 4> sets;
};

struct Tokens {
  std::array<Set, 2> sets;
  const nearfar_integers& query_offsets;
  const nearfar_integers& document_offsets;
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
  virtual void boundaries(const nearfar::detail::c::WithBoundaries&,
                          nearfar::detail::c::Pass&) const {
    refuse("rows with labels by boundaries of classes");
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
