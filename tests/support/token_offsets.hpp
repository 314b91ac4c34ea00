#pragma once

#include <algorithm>
#include <nearfar/core/matrix.hpp>
#include <vector>

/// \file
/// Rows as sets of tokens.

namespace support {

/// Offsets of `sets` sets of `rows` tokens, of unequal sizes; at most as many sets as tokens.
inline std::vector<nearfar::Index> token_offsets(nearfar::Index rows, nearfar::Index sets) {
  std::vector<nearfar::Index> out = {0};
  for (nearfar::Index k = 1; k <= sets; ++k) {
    // A token for each, and the others in proportion to squares: later sets are larger.
    out.push_back(k + (rows - sets) * k * k / (sets * sets));
  }
  return out;
}

/// The sets of tokens in tests: of queries, and of documents, of which there is one more if there
/// are enough tokens.
struct TokenOffsets {
  std::vector<nearfar::Index> queries;
  std::vector<nearfar::Index> documents;

  TokenOffsets(nearfar::Index query_tokens, nearfar::Index document_tokens)
      : queries(token_offsets(query_tokens, (query_tokens + 1) / 2)),
        documents(token_offsets(document_tokens,
                                std::min(document_tokens, (query_tokens + 1) / 2 + 1))) {}
};

}  // namespace support
